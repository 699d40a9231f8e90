"""Names of stored numbers change with everything that enters, and with nothing else."""

import re
import shutil
from dataclasses import fields, replace

import pytest

from audiostyle.config import TransferConfig
from audiostyle.datasets import keys, paths
from audiostyle.datasets.keys import cache_key, code_version

OTHER = {
    "method": "matched", "balance": 0.9, "encoder": "random", "n_filters": 8, "kernel_size": 3, "activation": "none",
    "n_iter": 2, "phase": "griffin_lim", "sr": 16000, "level": 0.1, "n_fft": 4096, "hop_length": 256, "seed": 3,
    "device": "meta",
}  # fmt: skip


@pytest.mark.parametrize("setting", [setting.name for setting in fields(TransferConfig)])
def test_every_setting_of_a_transfer_enters(setting):
    config = TransferConfig(method="gram")  # the default goes by the other settings
    other = replace(config, **{setting: OTHER[setting]})
    assert cache_key("audiostyle.transfer", config=config) != cache_key("audiostyle.transfer", config=other)
    assert cache_key("audiostyle.transfer", config=config) == cache_key(
        "audiostyle.transfer", config=replace(other, **{setting: getattr(config, setting)})
    )


def test_what_has_no_written_form_is_refused():
    with pytest.raises(TypeError):
        cache_key("audiostyle.transfer", setting=object())


def test_a_library_and_the_version_of_the_package_enter(monkeypatch):
    found = {cache_key("audiostyle.transfer")}
    monkeypatch.setattr(keys, "version", lambda name: "0.0.1" if name == "torch" else "1.0")
    found.add(cache_key("audiostyle.transfer"))
    monkeypatch.setattr(keys, "version", lambda name: "0.0.2" if name == "torch" else "1.0")
    found.add(cache_key("audiostyle.transfer"))
    monkeypatch.setattr(keys, "__version__", "next")
    found.add(cache_key("audiostyle.transfer"))
    assert len(found) == 4


@pytest.fixture
def package(tmp_path):
    """A copy of the package, to change."""
    return shutil.copytree(
        paths.root() / "audiostyle",
        tmp_path / "audiostyle",
        ignore=shutil.ignore_patterns("__pycache__", "static"),
    )


def _version(package, module):
    code_version.cache_clear()
    return code_version(module, package)


@pytest.mark.parametrize(
    ("changed", "enters"),
    [
        ("transfer", True),
        ("losses", True),
        ("encoders/patches", True),
        ("spectrogram", True),
        ("speakers/table", False),
        ("widgets/lab", False),
    ],
)
def test_code_that_computes_enters_and_other_code_does_not(package, changed, enters):
    before = _version(package, "audiostyle.transfer")
    file = package / f"{changed}.py"
    file.write_text(file.read_text() + "\n_X = 1\n")
    assert (_version(package, "audiostyle.transfer") != before) is enters


def test_a_constant_enters_and_words_do_not(package):
    file = package / "optimize.py"
    code = file.read_text()
    assert "_HISTORY = 10" in code
    before = _version(package, "audiostyle.transfer")
    file.write_text("# new comment\n" + re.sub(r'"""(?=[A-Z])', '"""Said otherwise. ', code))
    assert file.read_text().count("Said otherwise") > 3
    assert _version(package, "audiostyle.transfer") == before
    file.write_text(code.replace("_HISTORY = 10", "_HISTORY = 11"))
    assert _version(package, "audiostyle.transfer") != before


def test_modules_in_folders_are_found(package):
    (package / "parts").mkdir()
    (package / "parts" / "__init__.py").write_text("")
    (package / "parts" / "inner.py").write_text("VALUE = 1\n")
    (package / "outer.py").write_text("def f():\n    from audiostyle.parts import inner\n    return inner\n")
    before = _version(package, "audiostyle.outer")
    (package / "parts" / "inner.py").write_text("VALUE = 2\n")
    assert _version(package, "audiostyle.outer") != before


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        code_version("audiostyle.nothing")
