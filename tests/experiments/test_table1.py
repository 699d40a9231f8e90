from pathlib import Path

import numpy as np
import pytest

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings, load_recordings
from audiostyle.sound.levels import rms
from audiostyle.speakers.table import score_methods, split_items
from experiments import table1
from experiments.table1 import CHANNELS, channels, count, few_shot, part, score, sketches, views_of

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


@pytest.fixture(scope="module")
def bundled():
    return load_recordings(paths.registry_dir() / "mini_corpus", speakers=5, per_speaker=6)


@pytest.fixture
def asked(items, monkeypatch):
    """What a classifier that is always right was asked: recordings, and the items that train and that are tested."""
    found = []

    def record(changed, _, train, test, **how):
        found.append((changed, train.tolist(), test.tolist()))
        return items.speakers[test]

    monkeypatch.setattr(table1, "predict", record)
    return found


def share(y, low, high):
    power = np.abs(np.fft.rfft(y)) ** 2
    f = np.fft.rfftfreq(len(y), 1 / SAMPLE_RATE)
    return power[(f > low) & (f < high)].sum() / power.sum()


def test_interval_draws_whole_speakers():
    """One of four speakers is always missed: the share drawn is binomial, p = 3/4 of four, for any number of items."""
    truth = np.repeat(["a", "b", "c", "d"], 50)
    named = np.where(truth == "d", "a", truth)
    found = count(named, truth)
    assert (found["n_speakers"], found["n_correct"], found["accuracy"]) == (4, 150, 0.75)
    # P(0 of 4) = 0.4 %, P(1 of 4) = 4.7 %: the lowest 2.5 % end at one of four, the highest at four.
    assert (found["ci_low"], found["ci_high"]) == (0.25, 1)


def test_scores_are_those_of_the_package():
    items = load_recordings(paths.registry_dir() / "mini_corpus", speakers=3, per_speaker=4)
    methods = ("paper", "linear", "spectrum", "chance")
    ours, theirs = score(items, views_of(items, methods)), score_methods(items, methods)
    columns = ["corpus", "method", "encoder", "split", "n_speakers", "n_train", "n_test", "n_correct"]
    assert ours[columns].fillna("").to_numpy().tolist() == theirs[columns].fillna("").to_numpy().tolist()
    few = score(items, views_of(items, ["paper-16"], seed=3), seed=3)
    assert few[["method", "encoder", "seed"]].to_numpy().tolist() == 2 * [["paper", "random-16", 3]]


def test_a_part_is_scored_by_the_kernels_of_the_whole(bundled):
    chosen, own = part(bundled, views_of(bundled, ("paper", "best", "mfcc")), 1, 4, 4)
    assert list(chosen.paths) == [bundled.paths[6 * k + i] for k in (1, 2, 3) for i in range(4)]
    right = score(chosen, own)["n_correct"].tolist()
    assert right == score(chosen, views_of(chosen, own))["n_correct"].tolist()
    assert own["mfcc"] is None


def test_channels_change_the_test_side_alone(items, asked):
    table = channels(items, ["paper"])
    assert table["channel"].tolist() == list(CHANNELS)
    train, test = split_items(items, "halves")
    for changed, known, new in asked:
        assert (known, new) == (train.tolist(), test.tolist())
        assert all(np.array_equal(changed.ys[i], items.ys[i]) for i in train)
        assert [rms(changed.ys[i]) for i in test] == pytest.approx([0.05] * 6, rel=1e-5), "one level"
    noisy = asked[list(CHANNELS).index("noise at 20 dB")][0]
    assert not any(np.array_equal(noisy.ys[i], items.ys[i]) for i in test)


def test_few_shot_trains_on_the_first_of_each(items, asked):
    table = few_shot(items, {"paper": None}, (1, 2))
    assert [train for _, train, _ in asked] == [[0, 4, 8], [0, 1, 4, 5, 8, 9]]
    assert all(test == [2, 3, 6, 7, 10, 11] for _, _, test in asked)
    assert table[["value", "n_correct"]].to_numpy().tolist() == [[1, 6], [2, 6]]


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


def test_best_holds_in_the_telephone_band_and_the_whole_spectrum_does_not(bundled):
    table = channels(bundled, methods=("ridge", "best"))
    assert len(table) == 2 * len(CHANNELS)
    right = table.set_index(["channel", "method"])["accuracy"]
    assert right["as recorded"].min() == 1
    assert right["telephone band", "best"] >= 0.9
    assert right["telephone band", "ridge"] < 0.5


def test_more_numbers_of_a_sketch_name_more(bundled):
    right = sketches(bundled, (4, 512), n_seeds=1).set_index("value")
    assert right.loc[512, "accuracy"] > right.loc[4, "accuracy"]
    assert right["bytes_each"].tolist() == [4 * 4 * 2, 512 * 4 * 2]
