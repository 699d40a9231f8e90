import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import uniform_filter1d

from audiostyle import system
from audiostyle.datasets import clips, paths
from audiostyle.datasets.triples import ROLES, SPLITS, Triple, load_triple, triples
from audiostyle.sound.levels import rms

TRIPLES = triples()
KINDS = {"struck", "plucked", "bowed", "blown"}
each = pytest.mark.parametrize("triple", TRIPLES, ids=lambda triple: triple.name)


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(paths.registry_dir() / "truth.csv").set_index("name")


@each
def test_files_are_the_listed_ones_and_sound_throughout(triple, table):
    for role in ROLES:
        assert system.sha256(getattr(triple, role)) == table.loc[triple.name, f"{role}_sha256"]
    audio = load_triple(triple)
    for y in (audio.content, audio.style, audio.target):
        assert len(y) == 9 * audio.sr
        # The coder moves the level by less than half a decibel.
        assert rms(y) == pytest.approx(0.07, rel=0.06)
        assert np.abs(y).max() < 10 ** (-1 / 20)
        power_of_a_second = uniform_filter1d(y.astype(float) ** 2, audio.sr, mode="nearest")
        # A second of nothing has only the noise floor, 74 dB under the clip's level.
        assert power_of_a_second.min() > (0.07 * 0.01) ** 2


def test_no_other_files_and_three_megabytes_at_most():
    listed = {getattr(triple, role) for triple in TRIPLES for role in ROLES}
    assert set((paths.registry_dir() / "truth").iterdir()) == listed
    assert sum(path.stat().st_size for path in listed) <= 3_000_000


def test_both_halves_hold_every_kind_one_voice_and_several_and_no_tune_twice(table):
    tunes = [*table.tune, *table.style_tune]
    assert len(set(tunes)) == len(tunes) == 2 * len(TRIPLES)
    for split in SPLITS:
        half = triples(split)
        assert {kind for triple in half for kind in (triple.content_kind, triple.style_kind)} == KINDS
        assert sorted(triple.voices for triple in half) == [1, 1, 1, 1, 1, 2, 4]


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
