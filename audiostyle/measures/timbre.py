"""How near the timbre of a result is to the style's, from mel-frequency cepstral coefficients."""

import librosa
import numpy as np
import scipy.linalg
import scipy.signal

_HOP = 1024
_N_MFCC = 20


def mfcc_distance(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the Euclidean distance between the mean MFCC vectors of two clips.

    How far the average timbre agrees, whatever the notes; the zeroth coefficient, the level, is left out.

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,)]
        Waveforms of any lengths.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        At least 0, in dB-like MFCC units (librosa's, orthonormal DCT of 10 log10 mel power); lower is better.
    """
    means = [
        librosa.feature.mfcc(y=x, sr=sr, n_mfcc=_N_MFCC, hop_length=_HOP)[1:].mean(axis=1)
        for x in (y, reference)
    ]
    return float(np.linalg.norm(means[0] - means[1]))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the Fréchet distance between normal distributions fitted to two sets of vectors.

    ``d² = ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)`` (Dowson & Landau 1982).

    Parameters
    ----------
    a, b : np.ndarray [shape=(n_dimensions, n_vectors)]
        The numbers of vectors may differ.

    Returns
    -------
    float
        d, at least 0, in the unit of the vectors.

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


def mfcc_frechet_distance(y: np.ndarray, reference: np.ndarray, sr: int, *, range_db: float = 60.0) -> float:
    """Compute the Fréchet distance between the MFCC vectors of two clips.

    How far the timbre agrees in mean and in spread, whatever the order in time; the level is left out, and pauses
    (frames 40 dB under the loudest) do not count: a pause has no timbre.

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,)]
        Waveforms of any lengths.
    sr : int
        Sample rate in Hz.
    range_db : float > 0
        Mel power is floored so many dB under the peak of each clip.

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
