"""How much of the content a result keeps: notes, pitch, onsets, tempo and words.

Every function takes two waveforms [shape=(n_samples,)], a clip and its reference, and their sample rate in Hz; where
they are compared moment by moment, the longer one is cut.
"""

import warnings

import librosa
import mir_eval
import numpy as np
import pystoi

_HOP = 1024
_ONSET_WINDOW, _BEAT_WINDOW = 0.05, 0.07
_CENTS = 50.0


def chroma_similarity(y: np.ndarray, reference: np.ndarray, sr: int, *, pauses: bool = False) -> float:
    """Compute the cosine between the chromagrams of two clips, averaged over frames.

    How far the notes agree, whatever the instrument. Frames in which either clip is silent (40 dB under its loudest
    frame) count only with `pauses`.

    Returns
    -------
    float
        0 to 1, higher is better; 1 for the same notes at the same times. Unrelated music scores well above 0,
        because chroma are non-negative: compare with the row "copy the style".
    """
    n = min(len(y), len(reference))
    a, b = (_chroma(x[:n], sr, pauses) for x in (y, reference))
    counted = np.full(a.shape[1], True) if pauses else a.any(axis=0) & b.any(axis=0)
    return float((a * b).sum(axis=0)[counted].mean()) if counted.any() else 0.0


def note_similarity(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the cosine between the mean chroma of two clips: which notes sound, whenever they do.

    Against the style, how far its notes have leaked into a result.

    Returns
    -------
    float
        0 to 1; 1 for the same notes as often. Compare with the content's own.
    """
    means = [_chroma(x, sr, False).mean(axis=1) for x in (y, reference)]
    length = np.linalg.norm(means[0]) * np.linalg.norm(means[1])
    return float(means[0] @ means[1] / length) if length else 0.0


def _chroma(y: np.ndarray, sr: int, pauses: bool) -> np.ndarray:
    """Chromagram with columns of unit length, zero where silent unless `pauses` [shape=(12, n_frames)]."""
    S = np.abs(librosa.stft(y, n_fft=4096, hop_length=_HOP))
    energy = (S**2).sum(axis=0)
    chroma = librosa.feature.chroma_stft(S=S**2, sr=sr, norm=None, tuning=0.0)
    length = np.linalg.norm(chroma, axis=0)
    sounding = (energy > (0 if pauses else 1e-4) * energy.max()) & (length > 0)
    return np.where(sounding, chroma / np.where(sounding, length, 1.0), 0.0)


def pitch_agreement(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the share of the reference's voiced frames in which a clip has the same pitch within 50 cents.

    Pitch by pYIN (Mauch & Dixon 2014) from 65 to 1047 Hz, compared as mir_eval's raw pitch accuracy. Meant for one
    voice or instrument at a time; a chord has no one pitch.

    Returns
    -------
    float
        0 to 1, higher is better; NaN where the reference has no voiced frame.
    """
    n = min(len(y), len(reference))
    (f_reference, voiced), (f_estimate, heard) = (
        librosa.pyin(x[:n], fmin=65.4, fmax=1046.5, sr=sr, hop_length=_HOP, resolution=0.2)[:2]
        for x in (reference, y)
    )
    if not voiced.any():
        return float("nan")
    if not heard.any():
        return 0.0
    cents = [1200 * np.log2(np.nan_to_num(f, nan=1.0)) for f in (f_reference, f_estimate)]
    return float(
        mir_eval.melody.raw_pitch_accuracy(
            voiced.astype(float), cents[0], heard.astype(float), cents[1] * heard, cent_tolerance=_CENTS
        )
    )


def onset_f_measure(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the F-measure of onsets that lie within ±50 ms of the reference's.

    Returns
    -------
    float
        0 to 1, higher is better; 0 where either has no onset. Unrelated onsets agree by chance: compare with the
        row "copy the style".
    """
    onsets = [librosa.onset.onset_detect(y=x, sr=sr, units="time") for x in (reference, y)]
    if not all(len(times) for times in onsets):
        return 0.0
    return float(mir_eval.onset.f_measure(*onsets, window=_ONSET_WINDOW)[0])


def tempo_ratio(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the ratio of the estimated tempi of two clips: 2 or 0.5 where they are an octave apart."""
    tempi = [float(librosa.feature.tempo(y=x, sr=sr)[0]) for x in (y, reference)]
    return tempi[0] / tempi[1]


def beat_agreement(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the F-measure of tracked beats that lie within ±70 ms of the reference's.

    Beats by dynamic programming (Ellis 2007, librosa), compared as in MIREX. Meant for clips that have a beat.

    Returns
    -------
    float
        0 to 1, higher is better; 0 where either has no beat.
    """
    beats = [librosa.beat.beat_track(y=x, sr=sr, units="time")[1] for x in (reference, y)]
    if not all(len(times) for times in beats):
        return 0.0
    return float(mir_eval.beat.f_measure(*beats, f_measure_threshold=_BEAT_WINDOW))


def intelligibility(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how far the envelopes that carry words survive: extended short-time objective intelligibility.

    The correlation of spectra over time in 15 third-octave bands up to 4.3 kHz, in windows of 384 ms (Jensen & Taal
    2016, by `pystoi`). It was made to follow how many words listeners understand of speech in noise; nobody has
    compared it with listeners for a transfer. The reference is the speech as it was said.

    Returns
    -------
    float
        At most 1, for the reference itself; about 0 for other words; NaN where the reference sounds for less than
        a window.
    """
    n = min(len(y), len(reference))
    with warnings.catch_warnings():
        # What the library warns of is a value that it makes up.
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi.stoi(reference[:n], y[:n], sr, extended=True))
        except RuntimeWarning:
            return float("nan")
