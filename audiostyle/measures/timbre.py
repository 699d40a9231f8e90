"""How near the timbre of a result is to the style's: Gram matrices, and MFCCs.

Every function takes two waveforms [shape=(n_samples,)] of any lengths, a clip and its reference, and their sample
rate in Hz.
"""

import math

import librosa
import numpy as np
import scipy.linalg
import torch

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.sound.levels import set_level
from audiostyle.sound.samples import resample
from audiostyle.spectrogram import log_magnitude

_HOP = 1024
_N_MFCC = 20
# Sample rate, root mean square and patch (22 frames of 1024 samples, 1.02 s) of `style_distance`.
_SR, _LEVEL, _PATCH = 22050, 0.5, 22
_SHORTEST = 0.09  # seconds


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
