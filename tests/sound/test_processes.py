"""Several processes at once."""

import os
import re
from pathlib import Path

import joblib
import librosa
import psutil
import pytest

import audiostyle.sound.processes
from audiostyle.sound.processes import processes


def test_processes_end_with_the_block():
    """What is left alive would be taken by the next call, even as it ends."""
    with processes(2) as workers:
        ids = set(workers(joblib.delayed(os.getpid)() for _ in range(8)))
    assert os.getpid() not in ids
    assert not [pid for pid in ids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_one_job_stays_in_this_process():
    with processes(1) as workers:
        assert set(workers(joblib.delayed(os.getpid)() for _ in range(2))) == {os.getpid()}


def test_every_module_of_librosa_that_compiles_on_import_is_imported_before_processes_start():
    """One that is not would be compiled by all processes at once, which can spoil numba's cache for good."""
    folder = Path(librosa.__file__).parent
    eager = re.compile(r"@(?:numba\.)?(?:gu)?vectorize\(\s*\[[^@]*?cache=True", re.DOTALL)
    found = {
        ".".join(("librosa", *path.relative_to(folder).with_suffix("").parts))
        for path in folder.rglob("*.py")
        if eager.search(path.read_text(encoding="utf-8"))
    }
    assert found == set(audiostyle.sound.processes._COMPILED_ON_IMPORT)


@pytest.mark.parametrize(("n_jobs", "times"), [(1, 0), (2, 1)])
def test_librosa_is_compiled_before_several_processes_start(monkeypatch, n_jobs, times):
    calls = []
    monkeypatch.setattr(audiostyle.sound.processes, "compile_librosa", lambda: calls.append(1))
    with processes(n_jobs):
        assert len(calls) == times
