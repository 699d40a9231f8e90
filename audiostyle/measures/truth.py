"""Distance to a known target, where the clip that a transfer should make exists.

Every function takes two waveforms [shape=(n_samples,)], a clip and the target, of which the longer one is cut, and
their sample rate in Hz. Both are brought to one root mean square; mel spectra have 80 bands of frames of 2048 samples
every 512 and are floored 60 dB under the target's peak. A silent target is a `ValueError`.
"""

import librosa
import numpy as np

from audiostyle.measures.content import chroma_similarity, onset_f_measure
from audiostyle.measures.timbre import style_distance
from audiostyle.sound.levels import SILENCE_RMS, rms, set_level

_N_FFT, _HOP = 2048, 512
_N_MELS = 80
_RANGE_DB = 60.0
_N_MFCC = 13


def log_spectral_distance(y: np.ndarray, target: np.ndarray, sr: int) -> float:
    """Compute the mean log-spectral distance (LSD) on a mel scale between a clip and the truth, in dB.

    Root mean square over the bands of the difference in dB, averaged over frames; lower is better.
    """
    Y, T = _mel_decibels(y, target, sr)
    return float(np.sqrt(((Y - T) ** 2).mean(axis=0)).mean())


def mel_cepstral_distance(y: np.ndarray, target: np.ndarray, sr: int) -> float:
    """Compute the mean mel-cepstral distance (MCD) between a clip and the truth.

    Euclidean distance of MFCCs 1 to 13 of the spectra of `log_spectral_distance`, averaged over frames: as that, less
    the level of each frame and the detail along frequency.

    Returns
    -------
    float
        At least 0, in librosa's MFCC units (orthonormal DCT of dB); lower is better.
    """
    Y, T = (librosa.feature.mfcc(S=mel, n_mfcc=_N_MFCC + 1)[1:] for mel in _mel_decibels(y, target, sr))
    return float(np.linalg.norm(Y - T, axis=0).mean())


def truth_numbers(y: np.ndarray, target: np.ndarray, sr: int) -> dict[str, float]:
    """Compute how near a clip is to the truth.

    Returns
    -------
    dict of str to float
        ``lsd`` in dB (`log_spectral_distance`), ``mcd`` (`mel_cepstral_distance`) and ``style_distance``, that which
        agrees best with listeners, 1 for a silent clip: lower is better. ``chroma``, the likeness of the notes
        (`audiostyle.measures.content.chroma_similarity`), and ``onset_f``, that of the onsets (`onset_f_measure`):
        higher is better, at most 1.
    """
    n = min(len(y), len(target))
    y, target = y[:n], target[:n]
    return {
        "lsd": log_spectral_distance(y, target, sr),
        "mcd": mel_cepstral_distance(y, target, sr),
        "chroma": chroma_similarity(y, target, sr),
        "onset_f": onset_f_measure(y, target, sr),
        "style_distance": 1.0 if rms(y) < SILENCE_RMS else style_distance(y, target, sr),
    }


def _mel_decibels(y: np.ndarray, target: np.ndarray, sr: int) -> tuple[np.ndarray, np.ndarray]:
    """Mel spectra of both in dB [shape=(80, n_frames)], floored under the target's peak; a silent `y` is all floor."""
    n, level = min(len(y), len(target)), 0.05
    y, target = y[:n], target[:n]
    levelled = (y * (level / max(rms(y), SILENCE_RMS)), set_level(target, level, name="target"))
    mels = [
        librosa.feature.melspectrogram(
            y=np.asarray(x, dtype=np.float32), sr=sr, n_fft=_N_FFT, hop_length=_HOP, n_mels=_N_MELS
        )
        for x in levelled
    ]
    floor = float(mels[1].max()) * 10 ** (-_RANGE_DB / 10)
    return tuple(10 * np.log10(np.maximum(mel, floor)) for mel in mels)
