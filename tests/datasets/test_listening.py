"""Listening tests: a registry of 355 files at one commit, and a made-up mirror of two small tests."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from audiostyle.__main__ import main
from audiostyle.datasets import listening, paths
from audiostyle.system import sha256

RATINGS = np.array([[9.0, 2.0, 8.0], [9.0, 9.0, 4.0], [9.0, 9.0, 9.0]])


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Three sounds in each of two tests, behind a server that does not answer."""
    folder = tmp_path / "mirror" / "listening"
    for name in ("B2001", "A2002_whole"):
        (folder / "sounds" / name).mkdir(parents=True)
        for i in range(3):
            y = np.full(100 + i, 0.1 * (i + 1))
            soundfile.write(folder / "sounds" / name / f"{i} G#4.aiff", y, 44100)
        (folder / "true_dissim").mkdir(exist_ok=True)
        np.savetxt(folder / "true_dissim" / f"{name}_dissimilarity_matrix.txt", RATINGS, delimiter="\t")
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = [{"path": path.relative_to(folder).as_posix(), "sha256": sha256(path)} for path in found]
    pd.DataFrame(rows).to_csv(tmp_path / "listening.csv", index=False)
    monkeypatch.setattr(paths, "registry_dir", lambda: tmp_path)
    monkeypatch.setattr(listening, "_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("AUDIOSTYLE_MIRROR", str(folder.parent))
    monkeypatch.setenv("AUDIOSTYLE_DATA_DIR", str(tmp_path))
    return folder


def test_the_registry_names_every_file_of_one_commit():
    files = listening.files()
    assert len(files) == len({file.path for file in files}) == 355
    assert sum(file.path.endswith(".aiff") for file in files) == 334
    assert all(set(file.sha256) <= set("0123456789abcdef") and len(file.sha256) == 64 for file in files)
    assert all(f"/timbremetrics/{listening.COMMIT}/timbremetrics/" in file.url for file in files)
    assert not any(mark in file.url for file in files for mark in "# ")


def test_tests_come_by_name_with_their_sounds_and_ratings(mirror):
    first, second = listening.load_tests()
    assert (first.name, second.name) == ("A2002_whole", "B2001")
    assert first.sr == 44100
    assert [len(y) for y in first.sounds] == [100, 101, 102]
    assert first.sounds[2][0] == pytest.approx(0.3, abs=1e-4)
    # Above the diagonal alone, over the greatest.
    assert np.allclose(first.dissimilarity, [[0, 0.25, 1], [0.25, 0, 0.5], [1, 0.5, 0]])


def test_fetch_takes_whole_files_from_the_mirror_and_names_a_damaged_one(mirror, capsys):
    assert main(["fetch", "listening"]) == 0
    assert "8 recordings are present and whole" in "".join(capsys.readouterr())
    (mirror / "sounds" / "B2001" / "1 G#4.aiff").write_bytes(b"not a sound")
    with pytest.raises(RuntimeError, match=r"1 of 8 recordings .*B2001/1 G#4.aiff"):
        listening.fetch_listening(progress=False)
    (mirror / "sounds" / "B2001" / "1 G#4.aiff").unlink()
    with pytest.raises(FileNotFoundError, match="python -m audiostyle fetch listening"):
        listening.load_tests()
