"""Loudness and peaks: how loud a result is made, and what is done with peaks that a file cannot hold."""

import math
from typing import NamedTuple

import numpy as np
import pyloudnorm
from scipy import ndimage, signal

# Files of lossy formats come out with somewhat larger peaks than went in; −1 dBFS leaves room for them.
CEILING_DB = -1.0
_CEILING = 10 ** (CEILING_DB / 20)
# What a limiter may take off a peak; beyond it, where it would flatten the sound, the whole is turned down.
_MOST_LIMITED_DB = 12.0
# Seconds before and after a peak within which the limiter's gain falls and rises.
_LOOK_AHEAD = 0.01
# ITU-R BS.1770: the block that is measured, and a rate at which its filters are what they should be.
_BLOCK, _LEAST_SR = 0.4, 8000
# Surround of five channels is what it knows weights for.
_MOST_CHANNELS = 5
_FRAME = 0.02
# Both sounds are measured at this level, far above the −70 LUFS below which BS.1770 hears nothing.
_MEASURED_AT = 0.05
# A limited sound gains less than it is turned up.
_MAKE_UP_ROUNDS, _MAKE_UP_MISS_DB, _MAKE_UP_STEP = 8, 0.1, 1.3
# Differences of loudness below this are hardly heard.
_AUDIBLE_DB = 1.0


class Levelled(NamedTuple):
    """A sound whose level was set.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]
        The sound; no sample exceeds −1 dBFS.
    gain : float
        Factor by which the whole was multiplied, before single peaks were limited.
    note : str
        What was done, in one sentence.
    """

    y: np.ndarray
    gain: float
    note: str


def rms(y: np.ndarray) -> float:
    """Return the root mean square of a waveform; full scale is 1.

    Examples
    --------
    >>> rms(np.array([0.5, -0.5]))
    0.5
    """
    return float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


def loudness_difference(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how much louder one sound is than another.

    By the integrated loudness of ITU-R BS.1770-4 (`pyloudnorm`). Where that says nothing, for clips shorter than its
    block of 400 ms, sample rates below 8 kHz, more than five channels, or a sound of frequencies it leaves out, by
    the root mean square of the frames of 20 ms that are within 40 dB of the loudest.

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveforms, neither of them silent.
    sr : int
        Their sample rate in Hz.

    Returns
    -------
    float
        dB; positive where `y` is louder.

    Examples
    --------
    >>> tone = np.sin(np.arange(22050) / 10)
    >>> round(loudness_difference(2 * tone, tone, 22050), 2)
    6.02
    """
    present = [rms(x) for x in (y, reference)]
    scaled = [
        np.asarray(x, dtype=np.float64) * (_MEASURED_AT / r)
        for x, r in zip((y, reference), present, strict=True)
    ]
    measured = [_integrated_loudness(x, sr) for x in scaled]
    if not all(map(math.isfinite, measured)):
        measured = [_sounding_level(x, sr) for x in scaled]
    return measured[0] - measured[1] + 20 * math.log10(present[0] / present[1])


def match_loudness(y: np.ndarray, content: np.ndarray, sr: int) -> Levelled:
    """Bring a sound to the loudness of the content, with no peak above −1 dBFS.

    Peaks above are turned down by a limiter, up to 12 dB, and the loudness that takes is made up for. What would
    need more is turned down as a whole and stays quieter than the content.

    Parameters
    ----------
    y, content : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveforms; the content is not silent.
    sr : int
        Their sample rate in Hz.

    Returns
    -------
    Levelled

    Examples
    --------
    >>> tone = np.sin(np.arange(22050) / 10)
    >>> match_loudness(tone, 0.5 * tone, 22050).note
    "The sound has the content's loudness."
    """
    peak = float(np.max(np.abs(y)))
    if peak == 0:
        return Levelled(np.asarray(y, dtype=np.float32), 1.0, "The sound is silent.")
    most = _MOST_LIMITED_DB + CEILING_DB - _decibels(peak)
    wanted = -loudness_difference(y, content, sr)
    for _ in range(_MAKE_UP_ROUNDS):
        gain = min(wanted, most)
        levelled = _limit(np.asarray(y, dtype=np.float64) * 10 ** (gain / 20), sr)
        missing = -loudness_difference(levelled, content, sr)
        if wanted > most or abs(missing) < _MAKE_UP_MISS_DB:
            break
        wanted += _MAKE_UP_STEP * missing
    limited = _decibels(peak) + gain - CEILING_DB
    if missing >= _AUDIBLE_DB:
        note = f"The sound is {missing:.1f} dB quieter than the content"
    else:
        note = "The sound has the content's loudness"
    note += f"; peaks were limited by up to {limited:.1f} dB." if limited > 0.05 else "."
    return Levelled(levelled.astype(np.float32), 10 ** (gain / 20), note)


def without_clipping(y: np.ndarray, sr: int) -> Levelled:
    """Return a sound as it is, or, where a sample exceeds full scale, with no peak above −1 dBFS.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveform.
    sr : int
        Its sample rate in Hz.

    Returns
    -------
    Levelled
        The note is empty where nothing was done.

    Examples
    --------
    >>> without_clipping(np.array([0.0, 4.0]), 22050).note
    'Its peak of 4.00 exceeds full scale: turned down by 1.0 dB, and peaks limited by up to 12.0 dB.'
    """
    peak = float(np.max(np.abs(y)))
    if peak <= 1.0:
        return Levelled(y, 1.0, "")
    over = _decibels(peak) - CEILING_DB
    limited = min(over, _MOST_LIMITED_DB)
    gain = 10 ** ((limited - over) / 20)
    whole = f"turned down by {over - limited:.1f} dB, and " if over > limited else ""
    note = f"Its peak of {peak:.2f} exceeds full scale: {whole}peaks limited by up to {limited:.1f} dB."
    return Levelled(_limit(np.asarray(y, dtype=np.float64) * gain, sr).astype(np.float32), gain, note)


def _limit(y: np.ndarray, sr: int) -> np.ndarray:
    """Turn down what exceeds the ceiling, all channels by a gain that falls and rises smoothly around every peak."""
    needed = np.minimum(1.0, _CEILING / np.maximum(np.abs(np.atleast_2d(y)).max(axis=0), _CEILING))
    if needed.min() == 1.0:
        return y
    reach = max(1, round(_LOOK_AHEAD * sr))
    # A mean of minima over windows that all hold the sample is at most what the sample needs.
    lowest = ndimage.minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
    smooth = np.hanning(2 * reach + 3)[1:-1]
    gain = signal.oaconvolve(np.pad(lowest, reach, mode="edge"), smooth / smooth.sum(), mode="valid")
    return y * np.minimum(gain, needed)  # by rounding alone the mean may exceed what is needed


def _integrated_loudness(y: np.ndarray, sr: int) -> float:
    channels = np.atleast_2d(y)
    if sr < _LEAST_SR or y.shape[-1] < _BLOCK * sr or len(channels) > _MOST_CHANNELS:
        return -math.inf
    return float(pyloudnorm.Meter(sr).integrated_loudness(channels.T))


def _sounding_level(y: np.ndarray, sr: int) -> float:
    n = max(1, round(_FRAME * sr))
    power = np.square(np.atleast_2d(y)).mean(axis=0)
    power = np.pad(power, (0, -len(power) % n)).reshape(-1, n).mean(axis=1)
    return 0.5 * _decibels(float(power[power >= 1e-4 * power.max()].mean()))


def _decibels(ratio: float) -> float:
    return 20 * math.log10(ratio)
