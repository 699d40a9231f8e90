"""How much of the content a result keeps: notes and onsets.

Every function takes two waveforms [shape=(n_samples,)], a clip and its reference, and their sample rate in Hz; where
they are compared moment by moment, the longer one is cut. One fixed filter moves no note and no onset: notes and onsets
are read from each band relative to that band's own loudest level, which no filter changes.
"""

from functools import lru_cache

import librosa
import numpy as np
from scipy.ndimage import gaussian_filter1d

_N_FFT, _HOP = 4096, 1024
# Bands of a third of a semitone over seven octaves from 55 Hz.
_PER_SEMITONE, _LOWEST, _OCTAVES = 3, 55.0, 7
# Peaks stand out of the spectrum smoothed over so many bands; what lies deeper under its band's loudest, in dB, or in a
# frame so far under the loudest frame, does not count.
_SMOOTH, _DEEPEST_DB, _QUIET_DB = 8.0, 50.0, 40.0
_LEAST = 1e-20


def chroma_similarity(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how far the notes of two clips agree, whatever the octave: the cosine between chromagrams of peaks.

    The average note of each clip is subtracted, so that other notes do not agree by chance. The mean is over frames in
    which either clip sounds: a pause that only one has counts as 0.

    Returns
    -------
    float
        −1 to 1, higher is better; 1 for the same notes at the same times, about 0 for other music.
    """
    n = min(len(y), len(reference))
    a, b = (_chroma(x[:n], sr) for x in (y, reference))
    a, b = (C - C.sum(axis=1, keepdims=True) / max(1, C.any(axis=0).sum()) * C.any(axis=0) for C in (a, b))
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    counted = a.any(axis=0) | b.any(axis=0)
    cosines = (a * b).sum(axis=0) / np.maximum(norms, _LEAST)
    return float(cosines[counted].mean()) if counted.any() else 0.0


def note_similarity(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the cosine between the mean chroma of two clips: which notes sound, whenever they do.

    Against the style, how far its notes have leaked into a result: 0 to 1, to be compared with the content's own.
    """
    means = [_chroma(x, sr).mean(axis=1) for x in (y, reference)]
    length = np.linalg.norm(means[0]) * np.linalg.norm(means[1])
    return float(means[0] @ means[1] / length) if length else 0.0


def _chroma(y: np.ndarray, sr: int) -> np.ndarray:
    """How far spectral peaks stand out, in dB, summed over octaves [shape=(36, n_frames)]; zero where silent."""
    power = _bands(sr) @ np.abs(librosa.stft(y, n_fft=_N_FFT, hop_length=_HOP)) ** 2
    if not power.any():
        return np.zeros((12 * _PER_SEMITONE, power.shape[1]))
    level = 10 * np.log10(np.maximum(power, 1e-9 * power.max()))
    level -= gaussian_filter1d(np.percentile(level, 95, axis=1, keepdims=True), _SMOOTH, axis=0)
    peaks = np.maximum(level - gaussian_filter1d(level, _SMOOTH, axis=0, mode="nearest"), 0)
    peaks[level < -_DEEPEST_DB] = 0
    # A third of a semitone and one frame of tolerance.
    peaks = gaussian_filter1d(gaussian_filter1d(peaks, 1.0, axis=0), 1.0, axis=1)
    loudness = 10 * np.log10((10 ** (level / 10)).sum(axis=0))
    peaks[:, (loudness < loudness.max() - _QUIET_DB) | (power.max(axis=0) < 1e-9 * power.max())] = 0
    return peaks.reshape(_OCTAVES, 12 * _PER_SEMITONE, -1).sum(axis=0)


@lru_cache(maxsize=4)
def _bands(sr: int) -> np.ndarray:
    """Triangles on a logarithmic axis, at least one bin wide [shape=(252, n_bins)]."""
    centres = _LOWEST * 2 ** (np.arange(12 * _PER_SEMITONE * _OCTAVES) / (12 * _PER_SEMITONE))[:, None]
    bins = np.fft.rfftfreq(_N_FFT, 1 / sr)
    width = np.maximum(centres * (2 ** (1 / (12 * _PER_SEMITONE)) - 1), bins[1])
    return np.maximum(1 - np.abs(bins - centres) / width, 0)


def onset_f_measure(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how far the onsets of two clips agree: the F-measure of their rises, without a threshold.

    The rise of a moment is the mean by which 40 mel bands grow, in dB, each floored 40 dB under its own loudest, and
    smoothed over 23 ms. What both clips have of it is found rightly; a count of peaks would depend on the weakest.

    Returns
    -------
    float
        0 to 1, higher is better; 0 where either never rises. Unrelated clips have some .6 by chance: compare with the
        row "copy the style".
    """
    n = min(len(y), len(reference))
    a, b = (_rise(x[:n], sr) for x in (y, reference))
    return float(2 * np.minimum(a, b).sum() / max(a.sum() + b.sum(), _LEAST))


def _rise(y: np.ndarray, sr: int) -> np.ndarray:
    hop = round(0.0116 * sr)
    mel = librosa.feature.melspectrogram(
        y=y, sr=sr, n_fft=4 * hop, hop_length=hop, n_mels=40, fmax=min(8000, sr / 2)
    )
    loudest = np.maximum(np.percentile(mel, 98, axis=1, keepdims=True), _LEAST)
    level = 10 * np.log10(np.maximum(mel / loudest, 1e-4))
    rise = np.maximum(np.diff(level, axis=1, prepend=level[:, :1]), 0).mean(axis=0)
    return gaussian_filter1d(rise, 2.0)
