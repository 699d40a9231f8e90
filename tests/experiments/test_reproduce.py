import json
import subprocess
import sys
from importlib import import_module

import pytest

from audiostyle.datasets import paths
from experiments import reproduce, speed
from experiments.reproduce import WAVES, fingerprint


def test_a_run_that_was_stopped_continues(tmp_path, monkeypatch):
    """Stages side by side take one thread each; one alone takes what there is. The second fails at first."""
    log, stop, path = (tmp_path / name for name in ("log", "stop", "manifest.json"))
    code = (
        "import os, pathlib, sys; log, stop, name = sys.argv[1:]; "
        "name == 'two' and pathlib.Path(stop).exists() and sys.exit(3); "
        "pathlib.Path(log).open('a').write(name + os.environ.get('OMP_NUM_THREADS', '') + '\\n')"
    )
    one, two, three = ({n: ("-c", code, str(log), str(stop), n)} for n in ("one", "two", "three"))
    monkeypatch.setattr(reproduce, "WAVES", [one | two, three])
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    stop.touch()
    with pytest.raises(subprocess.CalledProcessError):
        reproduce.reproduce(["one", "two", "three"], path)
    kept = json.loads(path.read_text())
    assert list(kept) == ["one"]
    assert min(kept["one"]["seconds"], kept["one"]["peak_mb"]) > 0
    assert kept["one"]["releases"]["python"] == ".".join(map(str, sys.version_info[:3]))
    stop.unlink()
    reproduce.reproduce(["one", "two", "three"], path)
    assert log.read_text().split() == ["one1", "two7", "three7"]
    reproduce.reproduce(["two"], path, again=True)
    assert log.read_text().split() == ["one1", "two7", "three7", "two7"]


def test_every_stage_is_there_and_its_code_decides_whether_it_runs_again(tmp_path, monkeypatch, capsys):
    for command in (command for wave in WAVES for command in wave.values()):
        module = command[1] if command[0] == "-m" else "notebooks.run"
        assert hasattr(import_module(f"{module}.__main__" if module == "audiostyle" else module), "main")
    before = fingerprint(("-m", "experiments.width"))
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "width.py").write_text("other = 1\n")
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    assert fingerprint(("-m", "experiments.width")) != before
    with pytest.raises(SystemExit):
        reproduce.main(["nothing"])
    assert "no stage is called nothing" in capsys.readouterr().err


def test_three_forms_of_the_objective_are_one():
    content, style = speed.spectrum(1), speed.spectrum(1, seed=1)
    encoder = speed.RandomEncoder(64)
    forms = speed.ExplicitLoss, speed.TransferLoss
    explicit, kernel = (form(encoder, content, style)(0.9 * content) for form in forms)
    assert explicit.total == pytest.approx(kernel.total, rel=1e-4)
    assert float((explicit.gradient - kernel.gradient).norm() / kernel.gradient.norm()) < 1e-3


def test_the_fastest_calls_are_compared():
    rows = speed.compared({"slow": [4.0, 3.0, 9.0], "fast": [1.0, 8.0, 2.0]}, hop=1024)
    assert [row["times_faster"] for row in rows] == [1.0, 3.0]
    assert [(row["min_s"], row["median_s"], row["repeats"]) for row in rows] == [(3.0, 4.0, 3), (1.0, 2.0, 3)]
