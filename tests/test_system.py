import os
import re
import socket
import stat
import tempfile
import time
from pathlib import Path

import joblib
import librosa
import numpy as np
import psutil
import pytest

import audiostyle.system
from audiostyle import cache
from audiostyle.cache import cached
from audiostyle.config import TransferConfig
from audiostyle.system import check_target, find_cache, processes, whole_file
from tests.signals import files_below


def test_processes_end_with_the_block_and_one_job_needs_none():
    """What is left alive would be taken by the next call, even as it ends."""
    with processes(2) as workers:
        ids = set(workers(joblib.delayed(os.getpid)() for _ in range(8)))
    assert os.getpid() not in ids
    assert not [pid for pid in ids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
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
    assert found == set(audiostyle.system._COMPILED_ON_IMPORT)


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="full"), whole_file(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert files_below(tmp_path) == ["kept.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_a_new_file_follows_the_umask_and_a_replaced_one_keeps_its_permissions(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        for expected in (mode, 0o600):
            with whole_file(tmp_path / "a.txt") as temporary:
                temporary.write_text("text")
                written = temporary.stat().st_ino
            assert (tmp_path / "a.txt").stat().st_ino == written  # renamed: a copy could be cut short
            assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == expected
            (tmp_path / "a.txt").chmod(0o600)
    finally:
        os.umask(before)


def test_what_a_kill_left_is_removed_at_the_next_write_once_it_is_old(tmp_path):
    kept = [whole_file(tmp_path / name) for name in ("a.wav", "b.csv")]
    old, young = (writer.__enter__() for writer in kept)  # as left by a kill
    hidden = tmp_path / ".mine"
    hidden.touch()
    for path in (old, hidden):
        os.utime(path, (0, time.time() - 3700))
    os.utime(young, (0, time.time() - 3500))
    with whole_file(tmp_path / "c.json") as temporary:
        temporary.write_text("{}")
    assert {path for path in tmp_path.iterdir() if path.is_file()} == {young, hidden, tmp_path / "c.json"}
    for writer in kept:
        writer.gen.close()


def test_the_longest_name_and_a_link_are_written(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "n.json")
    (tmp_path / "n.json").touch()
    for name in (f"{'n' * 251}.txt", f"{'é' * 125}.npy", f"n.{'s' * 253}", "link.json"):
        with whole_file(check_target(tmp_path / name)) as temporary:
            temporary.write_text("text")
        assert (tmp_path / name).read_text() == "text"


def _link(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to(path.with_name("pipe"))


def _socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


# Never a real device: a fault in what is tested would replace it.
@pytest.mark.parametrize("make", [os.mkfifo, _link, _socket])
def test_only_regular_files_are_replaced(tmp_path, make):
    path = tmp_path / "p"
    make(path)
    before = path.stat()
    with pytest.raises(ValueError, match="not a regular file"):
        check_target(path)
    with pytest.raises(ValueError, match="not a regular file"), whole_file(path) as temporary:
        temporary.write_text("text")
    assert path.stat() == before


def test_what_others_left_and_cannot_be_removed_stays(tmp_path, monkeypatch):
    """In a folder like /tmp each user removes their own files alone."""
    other = tmp_path / ".audiostyle-other.wav"
    other.touch()
    os.utime(other, (0, 0))
    monkeypatch.setattr(Path, "unlink", lambda path, **_: os.unlink(path / "not permitted"))
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("text")
        monkeypatch.undo()
    assert (tmp_path / "a.txt").read_text() == "text"


def test_without_a_home_numba_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    find_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    find_cache()
    assert "NUMBA_CACHE_DIR" not in os.environ  # there is a place for it already
    monkeypatch.setattr("os.access", lambda path, mode: False)
    find_cache()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert (folder.parent, stat.S_IMODE(folder.stat().st_mode)) == (tmp_path, 0o700)
    # what another user put there is not run
    folder.chmod(0o777)
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    find_cache()
    assert os.environ["NUMBA_CACHE_DIR"] != str(folder)


def numbers(folder, calls, **settings):
    def compute():
        calls.append(settings)
        return {"x": np.arange(1000.0), "name": np.array("ann")}

    return cached(compute, folder, "numbers", **settings)


def test_the_same_settings_are_computed_once(tmp_path, monkeypatch):
    calls = []
    for config in (TransferConfig(), TransferConfig(), TransferConfig(balance=0.9), TransferConfig()):
        arrays = numbers(tmp_path / "new", calls, config=config)
        np.testing.assert_array_equal(arrays["x"], np.arange(1000.0))
        assert str(arrays["name"]) == "ann"
    assert len(calls) == 2
    with pytest.raises(TypeError):  # what has no written form
        numbers(tmp_path / "new", calls, config=object())
    monkeypatch.setattr(cache, "VERSION", -1)
    numbers(tmp_path / "new", calls, config=TransferConfig())
    numbers(None, calls, config=TransferConfig())
    assert len(calls) == 4


def test_a_damaged_file_is_made_again(tmp_path, rng):
    calls = []
    numbers(tmp_path / "kept", calls)
    (file,) = (tmp_path / "kept").iterdir()
    whole, n_made = file.read_bytes(), 1
    for i in range(60):
        data = bytearray(whole)
        if i < 20:
            data = data[: rng.integers(len(data))]
        for _ in range(3 if data else 0):
            most = len(data) if i % 2 else min(300, len(data))
            data[rng.integers(most)] ^= 1 << rng.integers(8)
        file.write_bytes(data)
        np.testing.assert_array_equal(numbers(tmp_path / "kept", calls)["x"], np.arange(1000.0))
        n_made += 1
    assert n_made / 2 < len(calls) <= n_made  # a flipped bit of a time of day is no damage
    assert [path.name for path in file.parent.iterdir()] == [file.name]
