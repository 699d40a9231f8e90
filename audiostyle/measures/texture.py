"""Texture statistics: what a sound is like on average, whatever happens when.

A modest version of McDermott & Simoncelli 2011 ("Sound texture perception via statistics of the auditory
periphery"): statistics of band envelopes, within bands, between bands and over modulation rates.
"""

from dataclasses import dataclass
from itertools import pairwise

import librosa
import numpy as np

N_BANDS = 32
_HOP = 128
_COMPRESSION = 0.3
# Edges in Hz of the modulation bands, an octave each.
MODULATION_EDGES = (0.5, 1, 2, 4, 8, 16, 32, 64)
_LEAST = 1e-12
_LEAST_SCALE = {
    "mean": _LEAST,
    "variation": _LEAST,
    "skewness": 1.0,
    "correlation": 1.0,
    "modulation": _LEAST,
}


@dataclass(frozen=True)
class Texture:
    """Statistics of the compressed envelopes of 32 mel bands.

    Parameters
    ----------
    mean, variation, skewness : np.ndarray [shape=(32,)]
        Mean relative to the mean over bands, standard deviation over mean, and third standardised moment of each
        envelope.
    correlation : np.ndarray [shape=(496,)]
        Correlation coefficients between the envelopes of different bands, in [-1, 1].
    modulation : np.ndarray [shape=(32 * 7,)]
        Share of each envelope's variance in octave bands of modulation from 0.5 to 64 Hz, in [0, 1].
    """

    mean: np.ndarray
    variation: np.ndarray
    skewness: np.ndarray
    correlation: np.ndarray
    modulation: np.ndarray


def band_envelopes(y: np.ndarray, sr: int) -> np.ndarray:
    """Return the compressed envelopes (power to 0.3) of 32 mel bands.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
    sr : int
        Hz.

    Returns
    -------
    np.ndarray [shape=(32, n_frames), non-negative]
        At ``sr / 128`` frames a second.
    """
    mel = librosa.feature.melspectrogram(
        y=np.asarray(y, dtype=np.float64), sr=sr, n_fft=1024, hop_length=_HOP, n_mels=N_BANDS, fmin=50.0
    )
    return np.maximum(mel, 0) ** _COMPRESSION


def texture(y: np.ndarray, sr: int) -> Texture:
    """Compute the texture statistics of a waveform.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
        Waveform of at least two seconds; its level does not matter.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    Texture

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=44100)
    >>> texture(noise, 22050).mean.shape
    (32,)
    """
    envelopes = band_envelopes(y, sr)
    mean = envelopes.mean(axis=1)
    centred = envelopes - mean[:, None]
    deviation = np.sqrt((centred**2).mean(axis=1))
    safe = np.maximum(deviation, _LEAST)
    correlation = (centred / safe[:, None]) @ (centred / safe[:, None]).T / envelopes.shape[1]
    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2
    rates = np.fft.rfftfreq(envelopes.shape[1], _HOP / sr)
    total = np.maximum(power.sum(axis=1), _LEAST)
    modulation = [
        power[:, (rates >= low) & (rates < high)].sum(axis=1) / total
        for low, high in pairwise(MODULATION_EDGES)
    ]
    return Texture(
        mean=mean / max(float(mean.mean()), _LEAST),
        variation=deviation / np.maximum(mean, _LEAST),
        skewness=(centred**3).mean(axis=1) / safe**3,
        correlation=correlation[np.triu_indices(N_BANDS, 1)],
        modulation=np.stack(modulation, axis=1).ravel(),
    )


def texture_distance(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how far the texture statistics of two clips are apart.

    For each of the five classes the root mean square difference over the root mean square of the reference's
    statistics (at least 1 for skewness and correlation, which are near 0 for noise), averaged over the classes.

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,)]
        Waveforms of any lengths and levels.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        At least 0, lower is better; 0 for the same statistics. Ten seconds of one stationary noise and
        ten other seconds of it are 0.12 apart.
    """
    a, b = texture(y, sr), texture(reference, sr)
    parts = [
        _rms(getattr(a, name) - getattr(b, name)) / max(_rms(getattr(b, name)), least)
        for name, least in _LEAST_SCALE.items()
    ]
    return float(np.mean(parts))


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))
