import numpy as np
import pytest
from scipy import signal

from audiostyle.measures import style_distance
from audiostyle.measures.timbre import frechet_distance, mfcc_frechet_distance
from tests.signals import SR, melody, noise

SCALE = [220, 247, 277, 294, 330, 370, 415, 440]


def test_style_distance_knows_timbre_not_tune_nor_level():
    bright, dull = [0.2, 1, 0.5, 0.8, 0.3], [1, 0.1]
    a, other = melody(SCALE, harmonics=bright), melody(SCALE, harmonics=dull)
    assert style_distance(a, a.copy(), SR) == pytest.approx(0, abs=1e-6)
    assert style_distance(0.01 * other, a, SR) == pytest.approx(style_distance(other, a, SR), abs=1e-5)
    assert style_distance(other, a, SR) == pytest.approx(style_distance(a, other, SR), abs=1e-6)
    backwards = melody(SCALE[::-1], harmonics=bright)
    assert style_distance(backwards, a, SR) < 0.6 * style_distance(other, a, SR) <= 1


def test_style_distance_of_other_lengths_and_rates(rng):
    a = melody(SCALE, harmonics=[1, 0.5])
    click, hiss = a[: int(0.1 * SR)], noise(rng)
    assert 0 <= style_distance(click, a, SR) < style_distance(click, hiss, SR) <= 1
    at_48k = signal.resample_poly(a, 320, 147).astype(np.float32)
    low = signal.sosfilt(signal.butter(6, 2000, fs=SR, output="sos"), a)
    assert style_distance(at_48k, signal.resample_poly(a, 320, 147), 48000) == pytest.approx(0, abs=1e-6)
    assert style_distance(signal.resample_poly(low, 320, 147), at_48k, 48000) == pytest.approx(
        style_distance(low, a, SR), abs=0.01
    )
    with pytest.raises(ValueError, match="reference is silent"):
        style_distance(a, np.zeros(SR), SR)
    with pytest.raises(ValueError, match=r"y lasts 0\.050 s; at least 0\.09 s"):
        style_distance(a[: SR // 20], a, SR)


def test_frechet_distance_of_moved_and_of_widened_clouds(rng):
    x = rng.normal(size=(4, 300)) * np.array([1.0, 2.0, 3.0, 4.0])[:, None]
    moved = x + np.array([3.0, 0.0, 4.0, 0.0])[:, None]
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(x, moved) == pytest.approx(5)
    # doubled about its mean: d² = tr(Σ + 4 Σ − 2 · 2 Σ) = tr Σ
    widened = x + (x - x.mean(axis=1, keepdims=True))
    assert frechet_distance(x, widened) == pytest.approx(np.sqrt(np.trace(np.cov(x, bias=True))))
    assert frechet_distance(x, widened) == pytest.approx(frechet_distance(widened, x))


def test_mfcc_measures_tell_timbres_apart_but_not_notes():
    bright, dull = [0.2, 1, 0.5, 0.8, 0.3], [1, 0.1]
    same_timbre = melody(SCALE[::-1], harmonics=bright)
    a, other = melody(SCALE, harmonics=bright), melody(SCALE, harmonics=dull)
    assert mfcc_frechet_distance(a, a, SR) == pytest.approx(0, abs=1e-2)
    assert mfcc_frechet_distance(same_timbre, a, SR) < 0.25 * mfcc_frechet_distance(other, a, SR)
    rests = np.concatenate([a[: len(a) // 2], np.zeros(2 * SR, np.float32), a[len(a) // 2 :]])
    assert mfcc_frechet_distance(rests, a, SR) < 0.1 * mfcc_frechet_distance(other, a, SR)


def test_what_lies_under_the_floor_of_the_frechet_distance_does_not_count(rng):
    low = signal.sosfilt(signal.butter(10, 3000, fs=SR, output="sos"), noise(rng))
    hiss = signal.sosfilt(signal.butter(10, 6000, "high", fs=SR, output="sos"), noise(rng))
    soft, softer = (low + 10 ** (level / 20) * hiss for level in (-80, -95))
    assert mfcc_frechet_distance(soft, softer, SR, range_db=60.0) < 0.5
    assert mfcc_frechet_distance(soft, softer, SR, range_db=110.0) > 10
