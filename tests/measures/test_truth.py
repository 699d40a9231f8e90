import librosa
import numpy as np
import pytest

from audiostyle.measures.content import chroma_similarity, onset_f_measure
from audiostyle.measures.truth import log_spectral_distance, mel_cepstral_distance, truth_numbers
from tests.signals import SR, melody, noise

# Centres in Hz of the 80 mel bands.
CENTRES = librosa.mel_frequencies(82, fmax=SR / 2)[1:-1]


def test_log_spectral_distance_is_the_gain_of_the_bands(rng):
    y = noise(rng, 3)
    assert log_spectral_distance(y, y, SR) == 0
    assert log_spectral_distance(3 * y, y, SR) == pytest.approx(0, abs=1e-3)
    spectrum = np.fft.rfft(y)
    hz = np.fft.rfftfreq(len(y), 1 / SR)
    for decibels in (6.0, 12.0):
        tilted = np.fft.irfft(spectrum * np.where(hz < 1000, 10 ** (decibels / 20), 1), len(y))
        # Bands on both sides of the step differ by the step; the levelling adds one number to all of them.
        low = int((CENTRES < 1000).sum())
        share = 1000 / (SR / 2)  # of the power of white noise
        shift = 10 * np.log10(share * 10 ** (decibels / 10) + 1 - share)
        expected = np.sqrt((low * (decibels - shift) ** 2 + (80 - low) * shift**2) / 80)
        assert log_spectral_distance(tilted, y, SR) == pytest.approx(expected, rel=0.05)


def test_what_lies_60_db_under_the_targets_peak_does_not_count():
    t = np.arange(2 * SR) / SR
    target = np.sin(2 * np.pi * 1000 * t)
    for level, counts in ((-80, False), (-40, True)):
        # a tone where the target has nothing
        y = target + 10 ** (level / 20) * np.sin(2 * np.pi * 1500 * t)
        assert (log_spectral_distance(y, target, SR) > 1) == counts
        assert (mel_cepstral_distance(y, target, SR) > 1) == counts


def test_mel_cepstral_distance_of_a_tilt_and_of_a_gain(rng):
    y = noise(rng, 3)
    assert mel_cepstral_distance(y, y, SR) == 0
    assert mel_cepstral_distance(3 * y, y, SR) == pytest.approx(0, abs=1e-2)
    # A course of k-th cosine shape over the mel bands is one coefficient of sqrt(80 / 2) times its amplitude.
    hz = np.fft.rfftfreq(len(y), 1 / SR)
    for k, heard in ((2, True), (5, True), (20, False)):
        decibels = 3 * np.cos(np.pi * k * (np.arange(80) + 0.5) / 80)
        gain = 10 ** (np.interp(hz, CENTRES, decibels) / 20)
        shaped = np.fft.irfft(np.fft.rfft(y) * gain, len(y))
        share = mel_cepstral_distance(shaped, y, SR) / (3 * np.sqrt(40))
        assert share == pytest.approx(1, abs=0.07) if heard else share < 0.15


def test_numbers_of_the_truth_itself_of_silence_and_of_a_longer_clip(rng):
    target = melody([220, 277, 330, 440, 330, 277, 220, 330], harmonics=[1, 0.4])
    best = pytest.approx({"lsd": 0, "mcd": 0, "chroma": 1, "onset_f": 1, "style_distance": 0}, abs=1e-6)
    for y in (target, np.concatenate([target, noise(rng, 1)])):
        assert truth_numbers(y, target, SR) == best
    half = np.where(np.arange(len(target)) < len(target) // 2, target, 0).astype(np.float32)
    numbers = truth_numbers(half, target, SR)
    assert numbers["chroma"] == chroma_similarity(half, target, SR) < 0.7
    assert numbers["onset_f"] == onset_f_measure(half, target, SR)
    target = noise(rng)
    nothing = truth_numbers(np.zeros_like(target), target, SR)
    assert nothing["chroma"] == nothing["onset_f"] == 0
    assert nothing["style_distance"] == 1
    # bands of white noise lie near the peak, 60 dB over the floor
    assert nothing["lsd"] == pytest.approx(55, abs=3)
    with pytest.raises(ValueError, match="target is silent"):
        truth_numbers(target, np.zeros_like(target), SR)
