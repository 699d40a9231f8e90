"""Equaliser: one fixed filter that gives the content the style's average spectrum."""

import numpy as np

from audiostyle.baselines.cross_synthesis import spectral_envelope
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import istft, stft

_N_FFT, _HOP = 2048, 512
# Power of a bin, at a root mean square of 0.05, below which it is taken for silence.
_LEAST = 1e-10


def equaliser(content: np.ndarray, style: np.ndarray, *, n_coefficients: int = 40) -> np.ndarray:
    """Filter the content so that its long-term average envelope becomes the style's.

    Power spectra (2048 samples every 512) are averaged over all frames, at equal root mean squares, and smoothed
    along frequency by their lowest cepstral coefficients; the root of their ratio is the gain of every bin, the same
    at all times.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)]
        Waveforms of any lengths.
    n_coefficients : int > 0
        Coefficients kept.

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32]
        As long as the content.

    Raises
    ------
    ValueError
        If a clip is silent.
    """
    S, C = (
        _average_envelope(set_level(y, name=name), n_coefficients)
        for y, name in ((style, "style"), (content, "content"))
    )
    gain = np.exp(0.5 * (S - C))
    D = stft(content, n_fft=_N_FFT, hop_length=_HOP).numpy() * gain.astype(np.float32)
    return istft(D, hop_length=_HOP, length=len(content)).numpy()


def _average_envelope(y: np.ndarray, n_coefficients: int) -> np.ndarray:
    """Log power, averaged over frames and smoothed along frequency [shape=(n_bins, 1)]."""
    power = stft(y, n_fft=_N_FFT, hop_length=_HOP, cover=False).abs().numpy() ** 2
    log_power = np.log(np.maximum(power.mean(axis=1, keepdims=True), _LEAST))
    return spectral_envelope(log_power, n_coefficients)
