import numpy as np
import pytest
from scipy import signal

from audiostyle.measures import style_distance, timbre
from audiostyle.measures.timbre import copied_from, frechet_distance, mfcc_frechet_distance, texture_distance
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


def test_texture_finds_the_rate_of_modulation(rng):
    t = np.arange(8 * SR) / SR
    for rate in (3.0, 12.0):
        y = noise(rng, 8) * (1 + np.sin(2 * np.pi * rate * t))
        shares = timbre.texture(y, SR)["modulation"].reshape(32, -1).mean(axis=0)
        assert shares.argmax() == np.searchsorted(timbre.MODULATION_EDGES, rate) - 1


def test_texture_of_noise_and_of_one_common_envelope(rng):
    still = timbre.texture(noise(rng, 8), SR)
    assert abs(still["correlation"]).mean() < 0.1
    t = np.arange(8 * SR) / SR
    together = timbre.texture(noise(rng, 8) * (1 + 0.95 * np.sin(2 * np.pi * 2 * t)), SR)
    assert together["correlation"].min() > 0.5
    assert together["variation"].min() > still["variation"].max()


def test_texture_distance_ignores_time(rng):
    a, b = noise(rng, 8), noise(rng, 8)
    tone = melody(SCALE * 4, harmonics=[1, 0.5])
    assert texture_distance(a, a, SR) == 0
    assert texture_distance(np.roll(tone, 2 * SR), tone, SR) < 0.1
    assert texture_distance(b, a, SR) < 0.2 < 0.6 < texture_distance(tone, a, SR)


def test_copies_are_found_at_any_level_and_place(rng):
    source, own = noise(rng, 4), noise(rng, 4)
    assert copied_from(source, source, SR) == pytest.approx(1)
    # independent noise: a correlation of 22 050 samples has deviation 1/√22050 = .0067; the largest of 500 000
    # seldom exceeds five deviations
    assert copied_from(own, source, SR) < 0.04
    pasted = own.copy()
    pasted[SR : 3 * SR] = -0.25 * source[1000 : 1000 + 2 * SR]
    assert copied_from(pasted, source, SR) == pytest.approx(1)
    # half signal, half noise by power
    assert copied_from(source + own, source, SR) == pytest.approx(np.sqrt(0.5), abs=0.03)
