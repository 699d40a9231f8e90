"""How near the timbre of a result is to the style's: MFCCs, texture statistics, and whether samples were copied.

Every function takes two waveforms [shape=(n_samples,)] of any lengths, a clip and its reference, and their sample
rate in Hz.
"""

import math
from itertools import pairwise

import librosa
import numpy as np
import scipy.linalg
import scipy.signal
import torch

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.sound.levels import rms, set_level
from audiostyle.sound.samples import resample
from audiostyle.spectrogram import log_magnitude

_HOP = 1024
_N_MFCC = 20
_N_BANDS, _TEXTURE_HOP, _COMPRESSION = 32, 128, 0.3
# Edges in Hz of the modulation bands, an octave each.
MODULATION_EDGES = (0.5, 1, 2, 4, 8, 16, 32, 64)
_LEAST = 1e-12
# Sample rate, root mean square and patch (22 frames of 1024 samples, 1.02 s) of `style_distance`.
_SR, _LEVEL, _PATCH = 22050, 0.5, 22
_SHORTEST = 0.09  # seconds
# Skewness and correlation are near 0 for noise: as a share of that, any difference would be large.
_LEAST_SCALE = {"skewness": 1.0, "correlation": 1.0}


def style_distance(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how different two sounds are: 1 − the cosine between their Gram matrices.

    The paper's Gram matrix in the limit of infinitely many filters, but of sounds at a root mean square of 0.5 and
    patches of one second, after which silence follows a shorter sound. Over 334 sounds its Kendall's tau with
    listeners is .374, that of MFCC .351 (`experiments.listening`). The sounds may differ in length and level.

    Returns
    -------
    float
        0 to 1, lower is better; 0 for the same sound. Compare with the distance between two halves of the style.

    Raises
    ------
    ValueError
        If a sound is silent or shorter than 0.09 s.

    Notebook: 08_do_ears_agree.ipynb
    """
    encoder = InfiniteEncoder(_PATCH)
    x, z = (encoder.encode(_loud_frames(*named, sr)) for named in ((y, "y"), (reference, "reference")))
    inner = float(encoder.gram_inner(x, z))
    return float(np.clip(1 - inner / math.sqrt(encoder.gram_inner(x, x) * encoder.gram_inner(z, z)), 0, 1))


def _loud_frames(y: np.ndarray, name: str, sr: int) -> torch.Tensor:
    """Log magnitudes of at least one patch [shape=(1025, n_frames)]."""
    if len(y) < _SHORTEST * sr:
        raise ValueError(f"{name} lasts {len(y) / sr:.3f} s; at least {_SHORTEST} s are needed")
    y = set_level(resample(np.asarray(y, dtype=np.float32), sr, _SR), _LEVEL, name=name)
    X = log_magnitude(y)
    return torch.nn.functional.pad(X, (0, max(0, _PATCH - X.shape[1])))


def mfcc_frechet_distance(y: np.ndarray, reference: np.ndarray, sr: int, *, range_db: float = 60.0) -> float:
    """Compute the Fréchet distance between the MFCC vectors of two clips.

    How far the timbre agrees in mean and in spread, whatever the order in time; the level is left out, and pauses
    (frames 40 dB under the loudest) do not count: a pause has no timbre. Mel power is floored `range_db` under the
    peak of each clip.

    Returns
    -------
    float
        At least 0, in librosa's MFCC units; lower is better.
    """
    return frechet_distance(*(_sounding_mfcc(x, sr, range_db) for x in (y, reference)))


def _sounding_mfcc(y: np.ndarray, sr: int, range_db: float) -> np.ndarray:
    """MFCCs 1 to 19 of the frames within 40 dB of the loudest, from mel power floored under its peak."""
    mel = librosa.feature.melspectrogram(y=np.asarray(y, dtype=np.float64), sr=sr, hop_length=_HOP)
    energy = mel.sum(axis=0)
    log_mel = librosa.power_to_db(mel[:, energy >= 1e-4 * energy.max()], amin=1e-20, top_db=range_db)
    return librosa.feature.mfcc(S=log_mel, n_mfcc=_N_MFCC)[1:]


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the Fréchet distance between normal distributions fitted to vectors [shape=(n_dimensions, n_vectors)].

    ``d² = ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)`` (Dowson & Landau 1982).

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 2.0]])
    >>> round(frechet_distance(x, x + 3), 6)
    3.0
    """
    gap = a.mean(axis=1) - b.mean(axis=1)
    A, B = np.atleast_2d(np.cov(a, bias=True)), np.atleast_2d(np.cov(b, bias=True))
    # The eigenvalues of Σ_a Σ_b are those of a symmetric matrix: real and non-negative but for rounding.
    root = scipy.linalg.sqrtm((A + A.T) / 2).real
    eigenvalues = np.linalg.eigvalsh(root @ B @ root)
    squared = gap @ gap + np.trace(A) + np.trace(B) - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum()
    return float(np.sqrt(max(squared, 0.0)))


def texture(y: np.ndarray, sr: int) -> dict[str, np.ndarray]:
    """Compute texture statistics: what a sound is like on average, whatever happens when.

    A modest version of McDermott & Simoncelli 2011 on the envelopes of 32 mel bands, compressed (power to 0.3). For at
    least two seconds of sound at any level.

    Returns
    -------
    dict of str to np.ndarray
        ``mean`` relative to the mean over bands, ``variation`` (standard deviation over mean) and ``skewness`` of
        each envelope [shape=(32,)]; ``correlation`` between different bands [shape=(496,)]; ``modulation``, the
        share of each envelope's variance in octave bands of modulation from 0.5 to 64 Hz [shape=(32 * 7,)].
    """
    mel = librosa.feature.melspectrogram(
        y=np.asarray(y, dtype=np.float64),
        sr=sr,
        n_fft=1024,
        hop_length=_TEXTURE_HOP,
        n_mels=_N_BANDS,
        fmin=50.0,
    )
    envelopes = np.maximum(mel, 0) ** _COMPRESSION
    mean = envelopes.mean(axis=1)
    centred = envelopes - mean[:, None]
    deviation = np.sqrt((centred**2).mean(axis=1))
    safe = np.maximum(deviation, _LEAST)
    correlation = (centred / safe[:, None]) @ (centred / safe[:, None]).T / envelopes.shape[1]
    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2
    rates = np.fft.rfftfreq(envelopes.shape[1], _TEXTURE_HOP / sr)
    total = np.maximum(power.sum(axis=1), _LEAST)
    modulation = [
        power[:, (rates >= low) & (rates < high)].sum(axis=1) / total
        for low, high in pairwise(MODULATION_EDGES)
    ]
    return {
        "mean": mean / max(float(mean.mean()), _LEAST),
        "variation": deviation / np.maximum(mean, _LEAST),
        "skewness": (centred**3).mean(axis=1) / safe**3,
        "correlation": correlation[np.triu_indices(_N_BANDS, 1)],
        "modulation": np.stack(modulation, axis=1).ravel(),
    }


def texture_distance(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how far the texture statistics of two clips are apart: at least 0, lower is better.

    For each of the five classes of `texture` the root mean square difference over the root mean square of the
    reference's statistics (at least 1 for skewness and correlation), averaged over the classes. Ten seconds of one
    stationary noise and ten other seconds of it are 0.12 apart.
    """
    a, b = texture(y, sr), texture(reference, sr)
    return float(
        np.mean([rms(a[name] - b[name]) / max(rms(b[name]), _LEAST_SCALE.get(name, _LEAST)) for name in a])
    )


def copied_from(y: np.ndarray, source: np.ndarray, sr: int, *, seconds: float = 1.0) -> float:
    """Compute the largest normalised cross-correlation of a stretch of a clip with any stretch of another, 0 to 1.

    Every stretch of `seconds` (half overlapping) is slid along the source; stretches 40 dB under the loudest do not
    count. 1 where samples of the source, at any level and sign, are in the clip; the same magnitudes with another phase
    are no copy. Steady tones of one pitch correlate too: compare with the row "copy the content".
    """
    n = min(int(seconds * sr), len(y), len(source))
    y, source = (np.asarray(x, dtype=np.float64) for x in (y, source))
    stretches = np.lib.stride_tricks.sliding_window_view(y, n)[:: max(1, n // 2)]
    running = np.concatenate([[0.0], np.cumsum(source**2)])
    local = np.maximum(running[n:] - running[:-n], 0.0)
    loud = local > 1e-4 * local.max()
    own = (stretches**2).sum(axis=1)
    best = 0.0
    for stretch, power in zip(stretches, own, strict=True):
        if power <= 1e-4 * own.max() or power == 0:
            continue
        correlation = scipy.signal.correlate(source, stretch, mode="valid", method="fft")
        best = max(best, float(np.max(np.abs(correlation[loud]) / np.sqrt(local[loud] * power), initial=0.0)))
    return min(best, 1.0)
