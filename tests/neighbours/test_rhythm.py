"""The rhythm term: what it measures, and its gradient."""

import pytest
import torch

from audiostyle.neighbours.rhythm import RhythmLoss, onset_strength

DOUBLE = torch.float64


def clip(seed, n_frames, n_bins=6):
    return torch.rand(n_bins, n_frames, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def cosine_distance(a, b):
    return 1 - float(a @ b / (a.norm() * b.norm()))


def test_distance_is_one_less_the_cosine_of_the_onset_strengths():
    X, R = clip(0, 9), clip(1, 9)
    value, _ = RhythmLoss(R, 9, weight=3)(X)
    assert value == pytest.approx(3 * cosine_distance(onset_strength(X), onset_strength(R)), rel=1e-12)


def test_gradient_is_autograds_slope():
    loss = RhythmLoss(clip(1, 9), 9, weight=2)
    X = clip(0, 9)
    step, gradient = 1e-6, loss(X)[1]
    for seed in range(3, 9):
        v = clip(seed, 9) - 0.5
        slope = (loss(X + step * v)[0] - loss(X - step * v)[0]) / (2 * step)
        assert float((gradient * v).sum()) == pytest.approx(slope, rel=1e-6)
    assert gradient.any()


def test_pulses_at_the_same_times_agree_and_at_others_do_not():
    X = torch.zeros(4, 12)
    X[:, [3, 7]] = 1
    loss = RhythmLoss(X, 12)
    assert loss(5 * X)[0] == pytest.approx(0, abs=1e-6)
    assert loss(X.roll(1, 1))[0] == pytest.approx(1, abs=1e-6)


def test_a_longer_reference_is_cut_and_a_shorter_one_repeated():
    long, short, X = clip(0, 20), clip(1, 5), clip(2, 9)
    strength = onset_strength(X)
    assert RhythmLoss(long, 9)(X)[0] == pytest.approx(cosine_distance(strength, onset_strength(long)[:8]))
    repeated = onset_strength(short).repeat(2)
    assert RhythmLoss(short, 9)(X)[0] == pytest.approx(cosine_distance(strength, repeated))


def test_silence_has_no_rhythm_and_a_finite_gradient():
    silent = torch.zeros(6, 9, dtype=DOUBLE)
    value, gradient = RhythmLoss(clip(1, 9), 9)(silent)
    assert value == pytest.approx(0.5)
    assert bool(gradient.isfinite().all())
    assert RhythmLoss(silent, 9)(silent)[0] == 0


def test_a_rhythm_needs_two_frames():
    with pytest.raises(ValueError, match="two frames"):
        RhythmLoss(clip(0, 1), 9)
