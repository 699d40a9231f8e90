"""Distance to a known target, where the clip that a transfer should make exists."""

import librosa
import numpy as np

_HOP = 1024


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
