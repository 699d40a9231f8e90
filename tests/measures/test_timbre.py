import numpy as np
import pytest
from scipy import signal

from audiostyle.measures.timbre import frechet_distance, mfcc_distance, mfcc_frechet_distance

SR = 22050
SCALE = [220, 247, 277, 294, 330, 370, 415, 440]


def noise(rng, seconds=2.0):
    return rng.normal(size=int(seconds * SR)).astype(np.float32) * 0.1


def test_frechet_distance_of_moved_and_of_widened_clouds(rng):
    x = rng.normal(size=(4, 300)) * np.array([1.0, 2.0, 3.0, 4.0])[:, None]
    moved = x + np.array([3.0, 0.0, 4.0, 0.0])[:, None]
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(x, moved) == pytest.approx(5)
    # doubled about its mean: d² = tr(Σ + 4 Σ − 2 · 2 Σ) = tr Σ
    widened = x + (x - x.mean(axis=1, keepdims=True))
    assert frechet_distance(x, widened) == pytest.approx(np.sqrt(np.trace(np.cov(x, bias=True))))
    assert frechet_distance(x, widened) == pytest.approx(frechet_distance(widened, x))


def test_frechet_distance_of_independent_axes_is_that_of_the_deviations(rng):
    a, b = (np.linalg.qr(rng.normal(size=(50, 3)) - 0)[0].T for _ in range(2))
    a, b = ((x - x.mean(axis=1, keepdims=True)) for x in (a, b))
    for x in (a, b):  # whiten, then give the axes known deviations
        L = np.linalg.cholesky(np.cov(x, bias=True))
        x[:] = np.linalg.solve(L, x)
    a, b = a * np.array([[1.0], [2.0], [3.0]]), b * np.array([[4.0], [2.0], [1.0]])
    assert frechet_distance(a, b) == pytest.approx(np.sqrt(9 + 0 + 4))


def test_mfcc_measures_tell_timbres_apart_but_not_notes(make_melody):
    bright, dull = [0.2, 1, 0.5, 0.8, 0.3], [1, 0.1]
    same_timbre = make_melody(SCALE[::-1], harmonics=bright)
    a, other = make_melody(SCALE, harmonics=bright), make_melody(SCALE, harmonics=dull)
    for measure in (mfcc_distance, mfcc_frechet_distance):
        assert measure(a, a, SR) == pytest.approx(0, abs=1e-2)
        assert measure(same_timbre, a, SR) < 0.25 * measure(other, a, SR)


def test_pauses_do_not_change_the_timbre(make_melody):
    a = make_melody(SCALE, harmonics=[1, 0.5, 0.2])
    rests = np.concatenate([a[: len(a) // 2], np.zeros(2 * SR, np.float32), a[len(a) // 2 :]])
    other = make_melody(SCALE, harmonics=[0.2, 1, 0.5, 0.8, 0.3])
    assert mfcc_frechet_distance(rests, a, SR) < 0.1 * mfcc_frechet_distance(other, a, SR)


@pytest.mark.parametrize("gain", [0.1, 3.0])
def test_level_leaves_the_mfcc_measures(gain, rng, make_melody):
    a, b = noise(rng), make_melody(SCALE, harmonics=[1, 0.5])
    b = b + 0.01 * noise(rng, len(b) / SR)[: len(b)]
    for measure in (mfcc_frechet_distance, mfcc_distance):
        assert measure(gain * b, a, SR) == pytest.approx(measure(b, a, SR), rel=0.05)


def test_what_lies_under_the_floor_of_the_frechet_distance_does_not_count(rng):
    low = signal.sosfilt(signal.butter(10, 3000, fs=SR, output="sos"), noise(rng))
    hiss = signal.sosfilt(signal.butter(10, 6000, "high", fs=SR, output="sos"), noise(rng))
    soft, softer = (low + 10 ** (level / 20) * hiss for level in (-80, -95))
    assert mfcc_frechet_distance(soft, softer, SR, range_db=60.0) < 0.5
    assert mfcc_frechet_distance(soft, softer, SR, range_db=110.0) > 10
