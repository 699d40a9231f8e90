"""Distance to a known target, where the clip that a transfer should make exists.

Both clips are brought to one root mean square; mel spectra have 80 bands and are floored 60 dB under the target's peak.
"""

import librosa
import numpy as np
import scipy.spatial.distance

from audiostyle.measures.content import chroma_similarity, onset_f_measure
from audiostyle.sound.audio import SILENCE_RMS, set_level
from audiostyle.sound.levels import rms

_N_FFT, _HOP = 2048, 512
_N_MELS = 80
_RANGE_DB = 60.0
_N_MFCC = 13
# Of voices.
_VOICE_SR = 16000
_VOICE_N_FFT, _VOICE_HOP = 1024, 256
_VOICE_N_MFCC = 19
_SOUNDING_DB = 30.0


def log_spectral_distance(y: np.ndarray, target: np.ndarray, sr: int) -> float:
    """Compute the mean log-spectral distance (LSD) on a mel scale between a clip and the truth.

    Root mean square over the bands of the difference in dB, averaged over frames of 2048 samples every 512.

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

    Raises
    ------
    ValueError
        If the target is silent.
    """
    Y, T = _mel_decibels(*_cut(y, target), sr, _N_FFT, _HOP)
    return float(np.sqrt(((Y - T) ** 2).mean(axis=0)).mean())


def mel_cepstral_distance(y: np.ndarray, target: np.ndarray, sr: int) -> float:
    """Compute the mean mel-cepstral distance (MCD) between a clip and the truth.

    Euclidean distance of MFCCs 1 to 13 of the spectra of `log_spectral_distance`, averaged over frames: as that, less
    the level of each frame and the detail along frequency.

    Parameters
    ----------
    y, target : np.ndarray [shape=(n_samples,)]
        Waveforms; the longer one is cut.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        At least 0, in librosa's MFCC units (orthonormal DCT of dB); lower is better.

    Raises
    ------
    ValueError
        If the target is silent.
    """
    mfcc = [_mfcc(mel, _N_MFCC) for mel in _mel_decibels(*_cut(y, target), sr, _N_FFT, _HOP)]
    return float(np.linalg.norm(mfcc[0] - mfcc[1], axis=0).mean())


def warped_mel_cepstral_distance(y: np.ndarray, target: np.ndarray, sr: int) -> float:
    """Compute the mel-cepstral distance between two voices that read one sentence, each in its own time.

    MFCCs 1 to 19 at 16 kHz, frames of 1024 samples every 256; those within 30 dB of the clip's loudest are compared
    along the path of dynamic time warping, over which the Euclidean distance is averaged.

    Parameters
    ----------
    y, target : np.ndarray [shape=(n_samples,)]
        Waveforms of any lengths.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        At least 0, in librosa's MFCC units (orthonormal DCT of dB); lower is better.

    Raises
    ------
    ValueError
        If the target is silent.
    """
    voices = [
        librosa.resample(np.asarray(x, dtype=np.float32), orig_sr=sr, target_sr=_VOICE_SR)
        for x in (y, target)
    ]
    spectra = _mel_decibels(*voices, _VOICE_SR, _VOICE_N_FFT, _VOICE_HOP)
    frames = [_mfcc(mel, _VOICE_N_MFCC)[:, _sounding(x)].T for x, mel in zip(voices, spectra, strict=True)]
    distances = scipy.spatial.distance.cdist(*frames)
    _, path = librosa.sequence.dtw(C=distances)
    return float(distances[tuple(path.T)].mean())


def truth_numbers(y: np.ndarray, target: np.ndarray, sr: int) -> dict[str, float]:
    """Compute how near a clip is to the truth.

    Parameters
    ----------
    y, target : np.ndarray [shape=(n_samples,)]
        Waveforms; the longer one is cut.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    dict of str to float
        ``lsd`` in dB (`log_spectral_distance`) and ``mcd`` (`mel_cepstral_distance`), lower is better; ``chroma``, the
        cosine of the chromagrams over all frames (`audiostyle.measures.content.chroma_similarity`), and
        ``onset_f``, the F-measure of onsets within ±50 ms, 0 to 1, higher is better.

    Raises
    ------
    ValueError
        If the target is silent.
    """
    y, target = _cut(y, target)
    return {
        "lsd": log_spectral_distance(y, target, sr),
        "mcd": mel_cepstral_distance(y, target, sr),
        "chroma": chroma_similarity(y, target, sr, pauses=True),
        "onset_f": onset_f_measure(y, target, sr),
    }


def _cut(y: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = min(len(y), len(target))
    return y[:n], target[:n]


def _mel_decibels(
    y: np.ndarray, target: np.ndarray, sr: int, n_fft: int, hop_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mel spectra of both in dB [shape=(80, n_frames)], floored under the target's peak; a silent `y` is all floor."""
    level = 0.05
    levelled = (y * (level / max(rms(y), SILENCE_RMS)), set_level(target, level, name="target"))
    Y, T = (
        librosa.feature.melspectrogram(
            y=np.asarray(x, dtype=np.float32), sr=sr, n_fft=n_fft, hop_length=hop_length, n_mels=_N_MELS
        )
        for x in levelled
    )
    floor = float(T.max()) * 10 ** (-_RANGE_DB / 10)
    return 10 * np.log10(np.maximum(Y, floor)), 10 * np.log10(np.maximum(T, floor))


def _mfcc(mel_decibels: np.ndarray, n: int) -> np.ndarray:
    """MFCCs 1 to n; the zeroth is the level."""
    return librosa.feature.mfcc(S=mel_decibels, n_mfcc=n + 1)[1:]


def _sounding(y: np.ndarray) -> np.ndarray:
    """Which frames of a voice are within 30 dB of its loudest [shape=(n_frames,), dtype=bool]."""
    level = librosa.feature.rms(y=y, frame_length=_VOICE_N_FFT, hop_length=_VOICE_HOP)[0]
    return level >= level.max() * 10 ** (-_SOUNDING_DB / 20)
