"""Several processes at once."""

import os

import joblib
import psutil

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
