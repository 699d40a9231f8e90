"""One command for every result: what runs, what is passed over, what is written down."""

import json
import subprocess
import sys

import pytest

from audiostyle.datasets import paths
from benchmarks import reproduce
from benchmarks.reproduce import STAGES, Stage, fingerprint, remaining


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """Three stages that write down that they ran; the second fails while a file is there."""
    log, stop = tmp_path / "log", tmp_path / "stop"
    code = (
        "import pathlib, sys; log, stop, name = sys.argv[1:]; "
        "name == 'two' and pathlib.Path(stop).exists() and sys.exit(3); "
        "pathlib.Path(log).open('a').write(name + '\\n')"
    )
    made = {name: Stage(("-c", code, str(log), str(stop), name), ()) for name in ("one", "two", "three")}
    monkeypatch.setattr(reproduce, "STAGES", made)
    return log, stop


def test_a_run_that_was_stopped_continues(stages, tmp_path):
    log, stop = stages
    manifest = tmp_path / "manifest.json"
    stop.touch()
    with pytest.raises(subprocess.CalledProcessError):
        reproduce.reproduce(["one", "two", "three"], manifest)
    assert list(json.loads(manifest.read_text())) == ["one"]
    stop.unlink()
    reproduce.reproduce(["one", "two", "three"], manifest)
    assert log.read_text().split() == ["one", "two", "three"]
    reproduce.reproduce(["two"], manifest, again=True)
    assert log.read_text().split() == ["one", "two", "three", "two"]


def test_manifest_says_what_a_stage_took(stages, tmp_path):
    manifest = tmp_path / "manifest.json"
    reproduce.reproduce(["one"], manifest)
    one = json.loads(manifest.read_text())["one"]
    assert one["seconds"] > 0
    assert one["peak_mb"] > 0
    assert one["releases"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_code_that_a_stage_imports_decides_whether_it_runs_again(monkeypatch):
    before = fingerprint(STAGES["width"])
    real = reproduce.code_version
    monkeypatch.setattr(
        reproduce, "code_version", lambda name: real(name) + "changed" * (name == "audiostyle.studies.width")
    )
    assert fingerprint(STAGES["width"]) != before
    monkeypatch.setattr(
        reproduce, "code_version", lambda name: real(name) + "changed" * (name == "audiostyle.widgets.lab")
    )
    assert fingerprint(STAGES["width"]) == before


def test_every_source_of_a_stage_is_there():
    for name, stage in STAGES.items():
        assert fingerprint(stage)
        for pattern in stage.sources:
            assert list(paths.root().glob(pattern)), (name, pattern)
        if stage.command[1].startswith("benchmarks."):
            assert (paths.root() / (stage.command[1].replace(".", "/") + ".py")).is_file()


def test_time_left_is_that_of_the_stages_to_come():
    assert (
        remaining(["a", "b"], {"a": {"seconds": 600}, "c": {"seconds": 60}})
        == "some 10 min left and 1 stages never timed"
    )


def test_stages_are_named(capsys):
    with pytest.raises(SystemExit):
        reproduce.main(["nothing"])
    assert "no stage is called nothing" in capsys.readouterr().err
