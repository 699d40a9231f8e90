"""Parts of a corpus and changed recordings: what is changed, in which half, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings, load_recordings
from audiostyle.sound.levels import rms
from audiostyle.speakers.table import split_items
from experiments import table1
from experiments.table1 import (
    CHANNELS,
    channels,
    confounds,
    few_shot,
    single_cues,
    steps,
    take,
    vary_pairs,
)

NAMES = ("ann", "bob", "cyd")


@pytest.fixture
def items(rng):
    """Noise of three speakers, four utterances each, that begin and end with silence."""
    ys = []
    for i in range(12):
        y = rng.normal(size=8000 + 100 * i).astype(np.float32)
        y[: 500 + 50 * i] = y[-500:] = 0
        ys.append(0.05 * y)
    texts = tuple(f"{i % 4:03d}" for i in range(12))
    files = tuple(Path(f"{i}.wav") for i in range(12))
    return Recordings("noise", tuple(ys), np.repeat(NAMES, 4), texts, files)


@pytest.fixture
def asked(items, monkeypatch):
    """What a classifier that is always right was asked: recordings, and the items that train and that are tested."""
    found = []

    def record(changed, _, train, test):
        found.append((changed, train.tolist(), test.tolist()))
        return items.speakers[test]

    monkeypatch.setattr(table1, "predict", record)
    return found


def share(y, low, high):
    power = np.abs(np.fft.rfft(y)) ** 2
    f = np.fft.rfftfreq(len(y), 1 / SAMPLE_RATE)
    return power[(f > low) & (f < high)].sum() / power.sum()


def test_first_speakers_first_utterances_first_seconds(items):
    part = take(items, speakers=2, utterances=3, seconds=0.25)
    assert part.speakers.tolist() == ["ann"] * 3 + ["bob"] * 3
    assert [path.stem for path in part.paths] == ["0", "1", "2", "4", "5", "6"]
    assert part.texts == ("000", "001", "002") * 2
    for y, i in zip(part.ys, (0, 1, 2, 4, 5, 6), strict=True):
        np.testing.assert_array_equal(y, items.ys[i][: SAMPLE_RATE // 4])
    assert steps(items) == {"speakers": [2, 3], "utterances": [2, 3, 4]}


def test_confounds_change_what_they_name_in_the_half_they_name(items, asked):
    table = confounds(items, methods=("paper",))
    assert (table["paper"] == 1).all()
    cases = dict(zip(zip(table["change"], table["of"], strict=True), asked, strict=True))
    sides = [side.tolist() for side in split_items(items)]

    def of(change, where="all"):
        changed, *found = cases[change, where]
        assert found == sides, change
        return changed.ys

    assert of("none", "–") == items.ys
    louder = of("level: ±10 dB at random")
    gains = [20 * np.log10(y.std() / x.std()) for x, y in zip(items.ys, louder, strict=True)]
    assert np.abs(gains).max() <= 10
    assert np.std(gains) > 2
    for i, y in enumerate(of("silence: cut at both ends")):
        # to within a window of 512 samples at either end
        assert len(y) == pytest.approx(7000 + 50 * i, abs=1024)
    for where in ("all", "test"):
        for i, y in enumerate(of("channel: telephone band", where)):
            assert (share(y, 0, 150) + share(y, 5000, 8000) < 0.002) == (where == "all" or i in sides[1])
    tilted = of("channel: random tilt")
    assert [rms(y) for y in tilted] == pytest.approx([0.05] * 12, rel=1e-5), "the level of the computation"
    assert np.ptp([share(y, 5000, 8000) for y in tilted]) > 0.1
    # "Crossed" exchanges the sides of every second speaker.
    _, train, test = asked[-1]
    assert train == [0, 2, 5, 7, 8, 10]
    assert sorted([*train, *test]) == list(range(12))


def test_few_shot_trains_on_the_first_of_each(items, asked):
    table = few_shot(items, (1, 2), methods=("paper",))
    assert [train for _, train, _ in asked] == [[0, 4, 8], [0, 1, 4, 5, 8, 9]]
    assert all(test == [2, 3, 6, 7, 10, 11] for _, _, test in asked)
    assert table[["value", "n_correct"]].to_numpy().tolist() == [[1, 6], [2, 6]]


def test_duration_alone_names_the_speaker_of_the_nearest_duration(rng):
    seconds = [1.0, 1.01, 2.0, 2.01, 3.0, 1.02]
    ys = tuple(rng.normal(size=int(s * SAMPLE_RATE)).astype(np.float32) for s in seconds)
    table = single_cues(Recordings("toy", ys, np.repeat(NAMES, 2), (None,) * 6, ())).set_index("cue")
    assert table.loc["duration", "accuracy"] == pytest.approx(2 / 3)  # cyd's second is as short as ann's


def test_channels_do_what_they_say(rng):
    y = 0.05 * rng.standard_normal(4 * SAMPLE_RATE)
    through = {name: change(y, np.random.default_rng(1)) for name, change in CHANNELS.items()}
    np.testing.assert_array_equal(through["as recorded"], y)
    assert share(through["telephone band"], 0, 150) + share(through["telephone band"], 5000, 8000) < 2e-4
    # 64,000 samples give a power to 1/√32000 = 0.6 %, a sum of two independent ones 0.05 dB at 20 dB below.
    noise = through["noise at 20 dB"] - y
    assert 20 * np.log10(y.std() / noise.std()) == pytest.approx(20, abs=0.1)
    click = np.eye(1, SAMPLE_RATE)[0]
    tail = CHANNELS["room"](click, np.random.default_rng(1)) - click
    assert 10 * np.log10(np.square(tail).sum()) == pytest.approx(-5, abs=1e-6)
    decay = [np.square(tail[a : a + 1600]).sum() for a in (0, 3200)]
    # 60 dB in 0.4 s: 30 dB in 0.2 s; 1600 squares of noise give a sum to 3.5 %, 0.15 dB.
    assert 10 * np.log10(decay[0] / decay[1]) == pytest.approx(30, abs=1)
    tilted = [CHANNELS["random tilt"](y, np.random.default_rng(seed)) for seed in range(4)]
    assert np.ptp([share(x, 5000, 8000) for x in tilted]) > 0.1


def test_best_holds_in_the_telephone_band_and_the_whole_spectrum_does_not():
    corpus = load_recordings(paths.registry_dir() / "mini_corpus", speakers=5, per_speaker=6)
    table = channels(corpus, methods=("ridge", "best"))
    assert len(table) == 2 * 2 * len(CHANNELS)
    right = table.groupby(["channel", "method"])["accuracy"].min()
    assert right["as recorded"].min() == 1
    assert right["telephone band", "best"] >= 0.9
    assert right["telephone band", "ridge"] < 0.5
    pairs = vary_pairs(corpus, (4, 512), splits=("alternate", "halves"), n_seeds=1).set_index(
        ["value", "split"]
    )
    assert pairs.loc[512, "accuracy"].min() > pairs.loc[4, "accuracy"].max()
