import librosa
import numpy as np
import pytest

from audiostyle.measures.truth import log_spectral_distance

SR = 22050


def noise(rng, seconds=2.0):
    return rng.normal(size=int(seconds * SR)).astype(np.float32) * 0.1


class _Side:
    def __init__(self, n, energy):
        self.n, self.energy = n, energy


def _bands_below(hz):
    """Mel bands of 80 below and above a frequency; white noise has energy in proportion to their area."""
    bank = librosa.filters.mel(sr=SR, n_fft=2048, n_mels=80)
    centre = librosa.mel_frequencies(82, fmax=SR / 2)[1:-1]
    area = bank.sum(axis=1)
    return _Side((centre < hz).sum(), area[centre < hz].sum()), _Side(
        (centre >= hz).sum(), area[centre >= hz].sum()
    )


def test_log_spectral_distance_is_the_gain_of_the_bands(rng):
    y = noise(rng, 3)
    assert log_spectral_distance(y, y, SR) == 0
    assert log_spectral_distance(3 * y, y, SR) == pytest.approx(0, abs=1e-3)
    spectrum = np.fft.rfft(y)
    hz = np.fft.rfftfreq(len(y), 1 / SR)
    for decibels in (6.0, 12.0):
        tilted = np.fft.irfft(spectrum * np.where(hz < 1000, 10 ** (decibels / 20), 1), len(y))
        # Bands on both sides of the step differ by the step; the levelling adds one number to all of them.
        low, high = _bands_below(1000)
        g = 10 ** (decibels / 10)
        shift = 10 * np.log10((low.energy * g + high.energy) / (low.energy + high.energy))
        expected = np.sqrt((low.n * (decibels - shift) ** 2 + high.n * shift**2) / (low.n + high.n))
        assert log_spectral_distance(tilted, y, SR) == pytest.approx(expected, rel=0.1)
