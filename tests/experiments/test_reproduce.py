"""One command for every result: what runs, what is passed over, what is written down; and speed's parts."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

from audiostyle.datasets import paths
from experiments import reproduce, speed
from experiments.reproduce import STAGES, fingerprint, remaining


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """Three stages that write down that they ran; the second fails while a file is there."""
    log, stop = tmp_path / "log", tmp_path / "stop"
    code = (
        "import pathlib, sys; log, stop, name = sys.argv[1:]; "
        "name == 'two' and pathlib.Path(stop).exists() and sys.exit(3); "
        "pathlib.Path(log).open('a').write(name + '\\n')"
    )
    made = {name: ("-c", code, str(log), str(stop), name) for name in ("one", "two", "three")}
    monkeypatch.setattr(reproduce, "STAGES", made)
    return log, stop


def test_a_run_that_was_stopped_continues(stages, tmp_path):
    log, stop = stages
    manifest = tmp_path / "manifest.json"
    stop.touch()
    with pytest.raises(subprocess.CalledProcessError):
        reproduce.reproduce(["one", "two", "three"], manifest)
    kept = json.loads(manifest.read_text())
    assert list(kept) == ["one"]
    assert min(kept["one"]["seconds"], kept["one"]["peak_mb"]) > 0
    assert kept["one"]["releases"]["python"] == ".".join(map(str, sys.version_info[:3]))
    stop.unlink()
    reproduce.reproduce(["one", "two", "three"], manifest)
    assert log.read_text().split() == ["one", "two", "three"]
    reproduce.reproduce(["two"], manifest, again=True)
    assert log.read_text().split() == ["one", "two", "three", "two"]


def test_every_stage_is_there_and_its_code_decides_whether_it_runs_again(tmp_path, monkeypatch):
    for command in STAGES.values():
        module = command[1] if command[0] == "-m" else "notebooks.run"
        assert hasattr(import_module(f"{module}.__main__" if module == "audiostyle" else module), "main")
    before = fingerprint(STAGES["width"])
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "width.py").write_text("other = 1\n")
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    assert fingerprint(STAGES["width"]) != before


def test_time_left_is_that_of_the_stages_to_come(capsys):
    known = {"a": {"seconds": 600}, "c": {"seconds": 60}}
    assert remaining(["a", "b"], known) == "some 10 min left and 1 stages never timed"
    with pytest.raises(SystemExit):
        reproduce.main(["nothing"])
    assert "no stage is called nothing" in capsys.readouterr().err


def test_three_forms_of_the_objective_are_one():
    content, style = speed.spectrum(1), speed.spectrum(1, seed=1)
    encoder = speed.RandomEncoder(64)
    explicit, kernel = (
        form(encoder, content, style)(0.9 * content) for form in (speed.ExplicitLoss, speed.TransferLoss)
    )
    assert explicit.total == pytest.approx(kernel.total, rel=1e-4)
    assert float((explicit.gradient - kernel.gradient).norm() / kernel.gradient.norm()) < 1e-3


def test_peak_memory_is_that_of_the_process():
    seconds, peak = speed.in_fresh_process(speed.spectrum, 1.0)
    assert seconds > 0
    assert 50 < peak < 4000


def test_the_fastest_calls_are_compared():
    rows = speed.compared({"slow": [4.0, 3.0, 9.0], "fast": [1.0, 8.0, 2.0]}, hop=1024)
    assert [row["times_faster"] for row in rows] == [1.0, 3.0]
    assert [(row["min_s"], row["median_s"], row["repeats"]) for row in rows] == [(3.0, 4.0, 3), (1.0, 2.0, 3)]
