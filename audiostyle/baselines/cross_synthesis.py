"""Cross-synthesis: the style's spectral envelope on the content's fine structure."""

import numpy as np
import torch

from audiostyle.spectrogram import istft, stft

_LEAST = 1e-8


def spectral_envelope(log_S: np.ndarray, n_coefficients: int = 30) -> np.ndarray:
    """Smooth log magnitudes [shape=(n_bins, n_frames)] along frequency by keeping the lowest cepstral coefficients.

    30 of them at 22 050 Hz resolve formants, not harmonics.

    Examples
    --------
    >>> bool(np.allclose(spectral_envelope(np.full((9, 2), 3.0), 2), 3.0))
    True
    """
    n_fft = 2 * (log_S.shape[0] - 1)
    cepstrum = np.fft.irfft(log_S, n=n_fft, axis=0)
    cepstrum[n_coefficients : n_fft - n_coefficients + 1] = 0
    return np.fft.rfft(cepstrum, axis=0).real


def cross_synthesis(content: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Give each frame of the content the spectral envelope of the style's frame at the same time.

    Phase, fine structure and loudness of every frame stay the content's; the envelope is cepstral
    (`spectral_envelope`).

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)]
        Waveforms; the style is repeated or cut to the content's length.

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32]

    Notebook: 13_trade_offs_and_neighbours.ipynb
    """
    repeated = np.resize(style, len(content))
    C, A = (stft(y).numpy() for y in (content, repeated))
    envelopes = []
    for D in (C, A):
        S = np.abs(D)
        envelopes.append(spectral_envelope(np.log(np.maximum(S, 1e-4 * max(float(S.max()), _LEAST)))))
    filtered = C * np.exp(envelopes[1] - envelopes[0])
    loudness = [np.sqrt((np.abs(D) ** 2).sum(axis=0)) for D in (C, filtered)]
    filtered *= loudness[0] / np.maximum(loudness[1], _LEAST)
    return istft(torch.as_tensor(filtered), length=len(content)).numpy().astype(np.float32)
