"""Objective measures of a transfer, none of which needs trained weights."""

import librosa
import numpy as np
import torch

from audiostyle.encoders import Encoder
from audiostyle.losses import content_loss, style_loss
from audiostyle.spectrogram import log_magnitude

_HOP = 1024
_N_MFCC = 20


def chroma_similarity(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the cosine between the chromagrams of two clips, averaged over frames.

    How far the notes agree, whatever the instrument. Frames in which either clip is silent (40 dB under its
    loudest frame) do not count.

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,)]
        Waveforms; the longer one is cut.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        0 to 1, higher is better; 1 for the same notes at the same times. Unrelated music scores well above 0,
        because chroma are non-negative: compare with the row "copy the style".
    """
    n = min(len(y), len(reference))
    a, b = (_chroma(x[:n], sr) for x in (y, reference))
    sounding = (a.any(axis=0)) & (b.any(axis=0))
    if not sounding.any():
        return 0.0
    cosine = (a * b).sum(axis=0)[sounding]
    return float(cosine.mean())


def _chroma(y: np.ndarray, sr: int) -> np.ndarray:
    """Chromagram with columns of unit length, zero where silent [shape=(12, n_frames)]."""
    S = np.abs(librosa.stft(y, n_fft=4096, hop_length=_HOP))
    energy = (S**2).sum(axis=0)
    chroma = librosa.feature.chroma_stft(S=S**2, sr=sr, norm=None, tuning=0.0)
    length = np.linalg.norm(chroma, axis=0)
    sounding = (energy > 1e-4 * energy.max()) & (length > 0)
    return np.where(sounding, chroma / np.where(sounding, length, 1.0), 0.0)


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


def log_spectral_distance(y: np.ndarray, target: np.ndarray, sr: int) -> float:
    """Compute the mean log-spectral distance on a mel scale between a clip and the truth.

    Root mean square over 80 mel bands of the difference in dB (floored 60 dB under the target's peak), averaged
    over frames, after both are brought to one level.

    Parameters
    ----------
    y, target : np.ndarray [shape=(n_samples,)]
        Waveforms; the longer one is cut.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        dB, at least 0; lower is better.
    """
    n = min(len(y), len(target))

    def decibels(x: np.ndarray) -> np.ndarray:
        mel = librosa.feature.melspectrogram(y=x[:n], sr=sr, n_mels=80, hop_length=_HOP)
        return librosa.power_to_db(mel / mel.mean(), amin=1e-10, top_db=None)

    a, b = decibels(y), decibels(target)
    floor = b.max() - 60.0
    difference = np.maximum(a, floor) - np.maximum(b, floor)
    return float(np.sqrt((difference**2).mean(axis=0)).mean())


def sound_losses(
    encoder: Encoder, y: np.ndarray, content: np.ndarray, style: np.ndarray, **stft: int
) -> tuple[float, float]:
    """Compute content and style loss of an actual sound, through its own STFT.

    The magnitudes that were optimised are seldom those of any waveform; this is what remains after the phase.

    Parameters
    ----------
    encoder : Encoder
        Use another seed than the one optimised: a result fits its own filters best.
    y, content, style : np.ndarray [shape=(n_samples,)]
        Waveforms at the level of the computation.
    **stft
        ``n_fft`` and ``hop_length``.

    Returns
    -------
    content, style : float
        `audiostyle.losses.content_loss` (NaN if `y` and `content` differ in length) and `style_loss`.
    """
    X, C, A = (log_magnitude(torch.as_tensor(x, device=encoder.device), **stft) for x in (y, content, style))
    kept = float(content_loss(encoder, X, C)) if X.shape == C.shape else float("nan")
    return kept, float(style_loss(encoder, X, A))
