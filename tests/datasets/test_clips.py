import http.server
import os
import shutil
import stat
from functools import partial

import numpy as np
import pandas as pd
import pytest
import requests

from audiostyle import system
from audiostyle.__main__ import main
from audiostyle.datasets import clips, paths
from audiostyle.datasets.triples import ROLES, SPLITS, Triple, load_triple, triples
from audiostyle.sound.levels import SILENCE_RMS, rms
from tests.signals import files_below

BOTH = ["music/one.ogg", "music/two.ogg"]
PAIRS = ["speech-1", "speech-2", "symphonic-1", "symphonic-2", "instrument-1", "instrument-2"]


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """A registry of two tiny 'recordings' in a mirror, in place of the real one."""
    monkeypatch.delenv("AUDIOSTYLE_MIRROR", raising=False)
    mirror = tmp_path / "mirror"
    (mirror / "music").mkdir(parents=True)
    template = clips.clips("recorded")[0]
    for name in ("one", "two"):
        (mirror / "music" / f"{name}.ogg").write_bytes(name.encode() * 100)

    def set_urls(place):
        rows = {}
        for path in (mirror / "music").iterdir():
            given = {"clip": path.stem, "path": f"music/{path.name}", "sha256": system.sha256(path)}
            rows[path.stem] = template._replace(**given, url=f"{place}/music/{path.name}")
        monkeypatch.setattr(clips, "_registry", lambda: rows)

    set_urls(mirror.as_uri())
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("AUDIOSTYLE_DATA_DIR", str(data))
    return mirror, data, set_urls


@pytest.fixture
def served(recordings, serve):
    mirror, data, set_urls = recordings
    set_urls(serve(partial(http.server.SimpleHTTPRequestHandler, directory=str(mirror))).url)
    return mirror, data


@pytest.mark.parametrize("clip", clips.clips(), ids=lambda clip: clip.clip)
def test_every_row_is_complete(clip):
    assert len(clip.sha256) == 64
    assert all((clip.licence, clip.attribution, clip.title))
    assert clip.edition in clips.EDITIONS
    assert clip.url.startswith("https://") == (clip.edition == "recorded")


@pytest.mark.parametrize("edition", clips.EDITIONS)
def test_six_pairs_of_known_clips(edition):
    pairs = clips.pairs(edition)
    assert [pair.pair for pair in pairs] == PAIRS
    for pair in pairs:
        for name in filter(None, (pair.content_clip, pair.style_clip, pair.target_clip)):
            assert (clips.get_clip(name).edition, clips.get_clip(name).required) == (edition, "pair")
        assert (paths.root() / "notebooks" / f"{pair.notebook}.ipynb").is_file()


def whole(edition, *, required=("pair", "extra")):
    """Whether every file of an edition is there and has the registry's checksum."""
    kept = [clip for clip in clips.clips(edition) if clip.required in required]
    return bool(kept) and all(system.sha256(clips.locate(clip)) == clip.sha256 for clip in kept)


def test_each_clip_of_a_pair_is_cut_at_its_own_start():
    pair = clips.get_pair("instrument-1", "bundled")
    pair = pair._replace(content_start_s=1.0, style_start_s=2.5, target_start_s=4.0)
    audio = clips.load_pair(pair, duration=2.0)
    cuts = ((pair.content_clip, 1.0), (pair.style_clip, 2.5), (pair.target_clip, 4.0))
    for y, (name, start) in zip((audio.content, audio.style, audio.target), cuts, strict=True):
        whole, sr = clips.load_clip(name)
        np.testing.assert_array_equal(y, whole[round(start * sr) : round((start + 2) * sr)])


def test_edition_in_use_follows_the_files(recordings, monkeypatch):
    mirror, data, _ = recordings
    assert clips.current_edition() == "bundled"
    monkeypatch.setenv("AUDIOSTYLE_MIRROR", str(mirror))
    assert clips.current_edition() == "recorded"
    monkeypatch.delenv("AUDIOSTYLE_MIRROR")
    shutil.copytree(mirror, data, dirs_exist_ok=True)
    assert clips.current_edition() == "recorded"
    (data / "music" / "one.ogg").unlink()
    assert clips.current_edition() == "bundled", "every recording is needed"


def test_fetch_brings_every_recording_with_the_umask_and_mends_one_that_broke(served):
    _, data = served
    before = os.umask(0o027)
    try:
        fetched = clips.fetch_clips(progress=False)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in fetched} == {0o640}
    assert files_below(data) == BOTH
    assert whole("recorded")
    (data / "music" / "one.ogg").write_bytes(b"cut")
    clips.fetch_clips(progress=False)
    assert whole("recorded")


def test_fetch_brings_them_where_the_command_says(served, tmp_path, capsys):
    there = tmp_path / "new" / "folder"
    assert main(["fetch", "clips", "--to", str(there)]) == 0
    assert files_below(there) == BOTH
    assert not files_below(served[1])
    assert str(there) in capsys.readouterr().out


@pytest.mark.parametrize("body", [b"something else", None])
def test_a_wrong_or_absent_file_leaves_none_and_says_what_to_do(served, body):
    mirror, data = served
    two = mirror / "music" / "two.ogg"
    two.write_bytes(body) if body else two.unlink()
    with pytest.raises(RuntimeError, match=r"1 of 2 recordings.*two.*AUDIOSTYLE_MIRROR"):
        clips.fetch_clips(progress=False)
    assert files_below(data) == BOTH[:1]


def test_no_network_is_said_in_one_short_line(recordings, monkeypatch):
    template, asked, get = clips.clips("recorded")[0], [], requests.get
    names = [{"clip": f"clip{i}", "path": f"{i}.ogg", "url": "http://nowhere.invalid/x"} for i in range(24)]
    monkeypatch.setattr(clips, "_registry", lambda: {row["clip"]: template._replace(**row) for row in names})
    monkeypatch.setattr(requests, "get", lambda url, **options: asked.append(url) or get(url, **options))
    said = r"24 of 24 .*\(clip0, clip1, clip2 and 21 more\): nowhere\.invalid "
    with pytest.raises(RuntimeError, match=said) as caught:
        clips.fetch_clips(progress=False)
    assert len(str(caught.value)) < 300
    assert len(asked) == 2  # twice, and the server not again for the others


def test_variable_that_names_no_folder(monkeypatch):
    folders = {"MIRROR": paths.mirror_dir, "DATA_DIR": paths.data_dir, "RESULTS_DIR": paths.results_root}
    for variable, look_up in folders.items():
        monkeypatch.setenv(f"AUDIOSTYLE_{variable}", "no/such/folder")
        with pytest.raises(ValueError, match=f"AUDIOSTYLE_{variable}='no/such/folder'"):
            look_up()


def test_relative_folders_are_those_of_the_repository_or_of_an_installed_packages_user(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # as notebooks, which run elsewhere
    monkeypatch.setenv("AUDIOSTYLE_MIRROR", "data")
    assert paths.mirror_dir() == paths.root() / "data"
    monkeypatch.setattr(paths, "checkout", lambda: None)
    (tmp_path / "data").mkdir(exist_ok=True)
    assert paths.mirror_dir() == tmp_path / "data"
    with pytest.raises(FileNotFoundError, match="no checkout"):
        paths.root() / "notebooks"


def test_what_is_unknown_or_not_fetched_is_named(recordings):
    for ask, words, quoted in (
        (clips.load_clip, ["one"], "fetch clips"), (clips.get_clip, ["nobody"], "clip='nobody'"),
        (clips.get_pair, ["nobody", "bundled"], "pair='nobody'"), (clips.pairs, ["live"], "edition='live'"),
    ):  # fmt: skip
        with pytest.raises((ValueError, FileNotFoundError), match=quoted):
            ask(*words)


@pytest.mark.parametrize("edition", clips.EDITIONS)
def test_pairs_are_ten_seconds_of_clips_that_are_whole(edition):
    if clips.current_edition() != "recorded" and edition == "recorded":
        pytest.skip("the recordings are not here")
    assert whole(edition, required=("pair",) if edition == "recorded" else ("pair", "extra"))
    for pair in clips.pairs(edition):
        audio = clips.load_pair(pair)
        assert (audio.target is None) == (not pair.target_clip)
        for y in (audio.content, audio.style, *([] if audio.target is None else [audio.target])):
            assert len(y) == 10 * audio.sr
            assert rms(y) > 100 * SILENCE_RMS
            assert abs(y).max() <= 1


TRIPLES = triples()


def test_known_targets_are_the_listed_files_of_nine_seconds_in_two_halves():
    table = pd.read_csv(paths.registry_dir() / "truth.csv").set_index("name")
    for triple in TRIPLES:
        audio = load_triple(triple)
        for role in ROLES:
            assert system.sha256(getattr(triple, role)) == table.loc[triple.name, f"{role}_sha256"]
            assert len(getattr(audio, role)) == 9 * audio.sr
    halves = [triples(split) for split in SPLITS]
    assert [len(half) for half in halves] == [7, 7]
    assert {triple.name for half in halves for triple in half} == set(table.index)


def test_a_folder_is_read_by_its_names(tmp_path):
    for role in ROLES:
        (tmp_path / f"mine_{role}.wav").touch()
        (tmp_path / f"a_second_{role}.wav").touch()
    found = triples(folder=tmp_path)
    assert [triple.name for triple in found] == ["a_second", "mine"]
    assert found[1] == Triple("mine", *(tmp_path / f"mine_{role}.wav" for role in ROLES))


def test_what_is_no_folder_of_triples_is_named(tmp_path):
    with pytest.raises(ValueError, match="choose, confirm"):
        triples("test")
    with pytest.raises(ValueError, match="no halves"):
        triples("choose", folder=tmp_path)
    with pytest.raises(ValueError, match=r"NAME_content\.wav"):
        triples(folder=tmp_path)
    for role in ("content", "style"):
        (tmp_path / f"mine_{role}.wav").touch()
    with pytest.raises(ValueError, match=r"mine_target\.wav"):
        triples(folder=tmp_path)


def test_content_and_target_of_different_length(tmp_path):
    for role in ROLES:
        shutil.copy(getattr(TRIPLES[0], role), tmp_path)
    shutil.copy(clips.locate(clips.get_clip("piano_canon")), tmp_path / TRIPLES[0].target.name)
    other = Triple("other", *(tmp_path / getattr(TRIPLES[0], role).name for role in ROLES))
    with pytest.raises(ValueError, match=r"9\.00 s and the target 10\.00 s"):
        load_triple(other)
