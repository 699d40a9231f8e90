"""Loudness and peaks: how loud a result is made, and what is done with peaks that a file cannot hold."""

import math
from collections.abc import Callable
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
LOOK_AHEAD = 0.01
# ITU-R BS.1770: the block that is measured, and a rate at which its filters are what they should be.
_BLOCK, _LEAST_SR = 0.4, 8000
# Its gates in LUFS and dB, what its scale is off by, and the weights of channels: surround ones count more.
_ABSOLUTE_GATE, _RELATIVE_GATE, _OFFSET = -70.0, -10.0, 0.691
_CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 1.41, 1.41)
# Surround of five channels is what it knows weights for.
_MOST_CHANNELS = 5
_FRAME = 0.02
# Both sounds are measured at this level, far above the −70 LUFS below which BS.1770 hears nothing.
_MEASURED_AT = 0.05
# A limited sound gains less than it is turned up.
_MAKE_UP_ROUNDS, _MAKE_UP_MISS_DB, _MAKE_UP_STEP = 8, 0.1, 1.3
# Differences of loudness below this are hardly heard.
_AUDIBLE_DB = 1.0
# Of a constant offset, in root mean squares of the sound.
_LEAST_OFFSET = 0.01


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


def without_offset(y: np.ndarray) -> np.ndarray:
    """Subtract from each channel the constant that it is off zero by, where that is 1 % of the sound's level or more.

    Sound cards add one. It is not heard, and taken for a sound of the lowest band it would be given to another.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveform.

    Returns
    -------
    np.ndarray [shape=as y]

    Examples
    --------
    >>> without_offset(np.array([0.75, 0.25])).tolist()
    [0.25, -0.25]
    """
    offset = offset_that_counts(y.mean(axis=-1, keepdims=True, dtype=np.float64), rms(y))
    return (y - offset).astype(y.dtype) if offset.any() else y


def offset_that_counts(mean: np.ndarray, level: float) -> np.ndarray:
    """Return the means of all channels, or zeros where none is 1 % of the sound's root mean square."""
    return mean if np.abs(mean).max() >= _LEAST_OFFSET * level else np.zeros_like(mean)


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
    limited: dict[float, np.ndarray] = {}

    def measure(gain: float) -> float:
        limited.clear()
        limited[gain] = limit(np.asarray(y, dtype=np.float64) * 10 ** (gain / 20), sr)
        return loudness_difference(limited[gain], content, sr)

    gain, note = made_up(peak, loudness_difference(y, content, sr), measure)
    return Levelled(limited[gain].astype(np.float32), 10 ** (gain / 20), note)


def made_up(peak: float, louder: float, measure: Callable[[float], float]) -> tuple[float, str]:
    """Find the gain with which a sound, its peaks limited, has the content's loudness.

    Parameters
    ----------
    peak : float > 0
        Its largest sample.
    louder : float
        dB by which it is louder than the content.
    measure : callable
        ``measure(gain)`` returns the same of the sound turned up by so many dB and limited.

    Returns
    -------
    gain : float
        In dB, the last that was measured.
    note : str
        What was done, in one sentence.
    """
    most = _MOST_LIMITED_DB + CEILING_DB - _decibels(peak)
    wanted = -louder
    for _ in range(_MAKE_UP_ROUNDS):
        gain = min(wanted, most)
        missing = -measure(gain)
        if wanted > most or abs(missing) < _MAKE_UP_MISS_DB:
            break
        wanted += _MAKE_UP_STEP * missing
    limited = _decibels(peak) + gain - CEILING_DB
    if missing >= _AUDIBLE_DB:
        note = f"The sound is {missing:.1f} dB quieter than the content"
    else:
        note = "The sound has the content's loudness"
    return gain, note + (f"; peaks were limited by up to {limited:.1f} dB." if limited > 0.05 else ".")


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
    return Levelled(limit(np.asarray(y, dtype=np.float64) * gain, sr).astype(np.float32), gain, note)


def limit(y: np.ndarray, sr: int) -> np.ndarray:
    """Turn down what exceeds the ceiling, all channels by a gain that falls and rises smoothly around every peak."""
    needed = np.minimum(1.0, _CEILING / np.maximum(np.abs(np.atleast_2d(y)).max(axis=0), _CEILING))
    if needed.min() == 1.0:
        return y
    reach = max(1, round(LOOK_AHEAD * sr))
    # A mean of minima over windows that all hold the sample is at most what the sample needs.
    lowest = ndimage.minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
    smooth = np.hanning(2 * reach + 3)[1:-1]
    gain = signal.oaconvolve(np.pad(lowest, reach, mode="edge"), smooth / smooth.sum(), mode="valid")
    return y * np.minimum(gain, needed)  # by rounding alone the mean may exceed what is needed


def loudness_weights(frequencies: np.ndarray, sr: int) -> np.ndarray:
    """Return what the power at each frequency in Hz counts in the loudness of BS.1770."""
    weights = np.ones(len(frequencies))
    for stage in pyloudnorm.Meter(sr)._filters.values():
        response = signal.freqz(stage.b, stage.a, frequencies, fs=sr)[1]
        weights *= np.abs(stage.passband_gain * response) ** 2
    return weights


class Meter:
    """Level of a sound that comes in blocks, as `loudness_difference` measures it of one that is there whole.

    Of more than five channels, or below 8 kHz, it is the root mean square.

    Parameters
    ----------
    sr : int > 0
        Sample rate in Hz.
    n_channels : int > 0
    """

    def __init__(self, sr: int, n_channels: int) -> None:
        self.sr, self.n_samples, self.peak = sr, 0, 0.0
        self.squares = np.zeros(n_channels)
        self._filters = []
        if sr >= _LEAST_SR and n_channels <= _MOST_CHANNELS:
            for stage in pyloudnorm.Meter(sr)._filters.values():
                state = np.zeros((n_channels, len(stage.b) - 1))
                self._filters.append([stage.passband_gain * stage.b, stage.a, state])
        self._weights = np.array(_CHANNEL_WEIGHTS[:n_channels])
        self._left, self._hops = np.zeros((n_channels, 0)), []

    def add(self, y: np.ndarray) -> None:
        """Go on with a block [shape=(n_channels, n_samples)]."""
        self.n_samples += y.shape[1]
        self.peak = max(self.peak, float(np.abs(y).max(initial=0.0)))
        y = y.astype(np.float64)
        self.squares += np.square(y).sum(axis=1)
        if not self._filters:
            return
        for stage in self._filters:
            b, a, state = stage
            y, stage[2] = signal.lfilter(b, a, y, zi=state)
        self._left = np.concatenate([self._left, np.square(y)], axis=1)
        # A block of 400 ms moves on by a quarter of itself.
        first = len(self._hops)
        edges = [round(_BLOCK / 4 * self.sr * (first + i)) for i in range(self._left.shape[1] // 100 + 2)]
        at = 0
        for size in np.diff(edges):
            if at + size > self._left.shape[1]:
                break
            self._hops.append(self._left[:, at : at + size].sum(axis=1))
            at += size
        self._left = self._left[:, at:]

    @property
    def rms(self) -> float:
        """Root mean square of all channels."""
        return float(np.sqrt(self.squares.sum() / max(1, self.n_samples * len(self.squares))))

    @property
    def level(self) -> float:
        """In dB: differences of it are those of `loudness_difference`."""
        rms = max(self.rms, 1e-30)
        if len(self._hops) < 4:
            return _decibels(rms)
        hops = np.asarray(self._hops) * (_MEASURED_AT / rms) ** 2
        power = (np.lib.stride_tricks.sliding_window_view(hops, 4, axis=0).sum(axis=2)) / (_BLOCK * self.sr)
        power = power @ self._weights
        loud = power > 10 ** ((_ABSOLUTE_GATE + _OFFSET) / 10)
        if not loud.any():
            return _decibels(rms)
        relative = power[loud].mean() * 10 ** (_RELATIVE_GATE / 10)
        return 10 * math.log10(power[loud & (power > relative)].mean()) + _decibels(rms / _MEASURED_AT)


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
