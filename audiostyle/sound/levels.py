"""Loudness and peaks: how loud a result is made, and what is done with peaks that a file cannot hold.

A sound comes in blocks (`audiostyle.sound.samples.Sound`), so that its length does not count; a waveform is one block.
"""

import math
from typing import NamedTuple

import numpy as np
import pyloudnorm
from scipy import ndimage, signal

from audiostyle.sound.samples import Sound

# Files of lossy formats come out with somewhat larger peaks than went in; −1 dBFS leaves room for them.
CEILING_DB = -1.0
_CEILING = 10 ** (CEILING_DB / 20)
# What a limiter may take off a peak; beyond it, where it would flatten the sound, the whole is turned down.
_MOST_LIMITED_DB = 12.0
# Seconds before and after a peak within which the limiter's gain falls and rises.
_LOOK_AHEAD = 0.01
# Stages of the K-weighting of ITU-R BS.1770-4: gain in dB, Q, frequency in Hz, type.
_STAGES = ((4.0, 0.5**0.5, 1500.0, "high_shelf"), (0.0, 0.5, 38.0, "high_pass"))
# Its hop and how many make a block, its gates in LUFS and dB, what its scale is off by, weights of channels (surround
# ones count more), and a rate from which its filters are what they should be.
_HOP, _HOPS, _ABSOLUTE_GATE, _RELATIVE_GATE, _OFFSET = 0.1, 4, -70.0, -10.0, 0.691
_CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 1.41, 1.41)
_LEAST_SR = 8000
# Frames in seconds, and dB under the loudest of them, of which a level is taken where BS.1770 says nothing.
_FRAME, _SOUNDING = 0.02, 40.0
# Sounds are measured as if they had this level, far above the −70 LUFS below which BS.1770 hears nothing.
_MEASURED_AT = 0.05
# A limited sound gains less than it is turned up, so the gain is found in rounds.
_ROUNDS, _MISS_DB, _STEP = 8, 0.1, 1.3
# Differences of loudness below this are hardly heard.
_AUDIBLE_DB = 1.0
# Below this root mean square (-100 dB of full scale) a clip is called silent: 16-bit dither lies near -98 dB.
SILENCE_RMS = 1e-5
# A constant offset counts from this share of the sound's root mean square on, in sounds of so many seconds: a shorter
# one may be part of a wave.
_LEAST_OFFSET, _LEAST_FOR_OFFSET = 0.01, 0.1


def rms(y: np.ndarray) -> float:
    """Return the root mean square of a waveform; full scale is 1.

    Examples
    --------
    >>> rms(np.array([0.5, -0.5]))
    0.5
    """
    return float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


class Meter:
    """Loudness, peak and level of a sound that comes in blocks.

    Parameters
    ----------
    sr : int > 0
        Sample rate in Hz.
    n_channels : int > 0

    Attributes
    ----------
    peak : float
        Largest absolute sample.
    sums, squares : np.ndarray [shape=(n_channels,)]
        Of the samples.
    """

    def __init__(self, sr: int, n_channels: int) -> None:
        self.sr, self.n_samples, self.peak = sr, 0, 0.0
        self.sums, self.squares = np.zeros(n_channels), np.zeros(n_channels)
        self._filters = []
        if sr >= _LEAST_SR and n_channels <= len(_CHANNEL_WEIGHTS):
            self._filters = [[s.b, s.a, np.zeros((n_channels, len(s.b) - 1))] for s in _k_weighting(sr)]
        self._weights = np.array(_CHANNEL_WEIGHTS[:n_channels])
        self._frames, self._hops = _Sums(_FRAME * sr), _Sums(_HOP * sr)

    def add(self, y: np.ndarray) -> None:
        """Go on with a block [shape=(n_channels, n_samples)]."""
        y = y.astype(np.float64)
        self.n_samples += y.shape[1]
        self.peak = max(self.peak, float(np.abs(y).max(initial=0.0)))
        power = np.square(y)
        self.sums += y.sum(axis=1)
        self.squares += power.sum(axis=1)
        self._frames.add(power.mean(axis=0))
        if self._filters:
            for stage in self._filters:
                b, a, state = stage
                y, stage[2] = signal.lfilter(b, a, y, zi=state)
            self._hops.add(self._weights @ np.square(y))

    @property
    def rms(self) -> float:
        """Root mean square of all channels."""
        return float(np.sqrt(self.squares.mean() / max(1, self.n_samples)))

    @property
    def channel_rms(self) -> np.ndarray:
        """Root mean square of each channel [shape=(n_channels,)]."""
        return np.sqrt(self.squares / max(1, self.n_samples))

    def louder_than(self, other: "Meter") -> float:
        """Return how much louder this sound is than another in dB.

        By the integrated loudness of ITU-R BS.1770-4. Where that says nothing, for clips shorter than its block of
        400 ms, sample rates below 8 kHz, more than five channels, or a sound of frequencies it leaves out, by the
        frames of 20 ms that are within 40 dB of the loudest.
        """
        both = [meter._integrated() for meter in (self, other)]
        if None in both:
            both = [meter._sounding() for meter in (self, other)]
        return both[0] - both[1]

    def _integrated(self) -> float | None:
        if len(self._hops.full) < _HOPS or self.rms == 0:
            return None
        hops = np.asarray(self._hops.full) * (_MEASURED_AT / self.rms) ** 2
        power = np.lib.stride_tricks.sliding_window_view(hops, _HOPS).sum(axis=1) / (_HOPS * _HOP * self.sr)
        loud = power > 10 ** ((_ABSOLUTE_GATE + _OFFSET) / 10)
        if not loud.any():
            return None
        relative = power[loud].mean() * 10 ** (_RELATIVE_GATE / 10)
        return 10 * math.log10(power[loud & (power > relative)].mean()) + _decibels(self.rms / _MEASURED_AT)

    def _sounding(self) -> float:
        power = np.asarray([*self._frames.full, self._frames.open])
        if not power.max() > 0:
            return -math.inf
        return 10 * math.log10(
            power[power >= 10 ** (-_SOUNDING / 10) * power.max()].mean() / (_FRAME * self.sr)
        )


class _Sums:
    """Sums of values over spans that follow each other, of a length that need not be whole."""

    def __init__(self, length: float) -> None:
        self._length = max(1.0, length)
        self.full: list[float] = []
        self.open, self._n = 0.0, 0

    def add(self, values: np.ndarray) -> None:
        while (taken := round(self._length * (len(self.full) + 1)) - self._n) <= len(values):
            self.full.append(self.open + float(values[:taken].sum()))
            self.open, self._n, values = 0.0, self._n + taken, values[taken:]
        self.open, self._n = self.open + float(values.sum()), self._n + len(values)


def _k_weighting(sr: int) -> list[pyloudnorm.IIRfilter]:
    return [pyloudnorm.IIRfilter(gain, q, hz, sr, kind) for gain, q, hz, kind in _STAGES]


def k_weights(hz: np.ndarray, sr: int) -> np.ndarray:
    """Return what the power at each frequency in Hz counts in the loudness of BS.1770."""
    responses = [signal.freqz(stage.b, stage.a, hz, fs=sr)[1] for stage in _k_weighting(sr)]
    return np.abs(np.prod(responses, axis=0)) ** 2


def measure(sound: Sound) -> Meter:
    """Return the meter of a whole sound."""
    meter = Meter(sound.sr, sound.n_channels)
    for y in sound.blocks():
        meter.add(y)
    return meter


def set_level(y: np.ndarray, level: float = 0.05, *, name: str = "y") -> np.ndarray:
    """Scale a waveform to a root mean square of `level`.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
    level : float > 0
        Full scale is 1.
    name : str
        What the error message calls it.

    Raises
    ------
    ValueError
        If the waveform is silent.

    Examples
    --------
    >>> round(rms(set_level(np.array([1.0, -1.0]), 0.05)), 6)
    0.05
    """
    return (np.asarray(y) * (level / check_audible(rms(y), name))).astype(np.float32)


def check_audible(level: float, name: str) -> float:
    """Return a root mean square, or raise a ValueError that says that what has it is silent."""
    if level < SILENCE_RMS:
        raise ValueError(
            f"{name} is silent: its root mean square {level:.1e} is below {SILENCE_RMS:.0e} of full scale"
        )
    return level


def loudness_difference(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute how much louder one waveform is than another, in dB (`Meter.louder_than`).

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveforms, neither of them silent.
    sr : int
        Their sample rate in Hz.

    Examples
    --------
    >>> tone = np.sin(np.arange(22050) / 10)
    >>> round(loudness_difference(2 * tone, tone, 22050), 2)
    6.02
    """
    return measure(Sound.of(y, sr)).louder_than(measure(Sound.of(reference, sr)))


class Levelled(NamedTuple):
    """A sound whose level was set.

    Parameters
    ----------
    sound : Sound
        No sample exceeds −1 dBFS.
    gain : float
        Factor by which the whole was multiplied, before single peaks were limited.
    note : str
        What was done, in one sentence.
    """

    sound: Sound
    gain: float
    note: str


def match_loudness(sound: Sound, content: Meter) -> Levelled:
    """Bring a sound to the loudness of the content, with no peak above −1 dBFS.

    Peaks above are turned down by a limiter, up to 12 dB, and the loudness that takes is made up for. What would
    need more is turned down as a whole and stays quieter than the content.

    Parameters
    ----------
    sound : Sound
        Read once for each round: one where no peak is limited.
    content : Meter
        Of the content (`measure`), which is not silent.

    Returns
    -------
    Levelled
    """
    found = measure(sound)
    if found.peak == 0:
        return Levelled(sound, 1.0, "The sound is silent.")
    louder = found.louder_than(content)
    most = _MOST_LIMITED_DB + CEILING_DB - _decibels(found.peak)
    wanted = -louder
    for _ in range(_ROUNDS):
        gain = min(wanted, most)
        limited_by = _decibels(found.peak) + gain - CEILING_DB
        # Where nothing is limited the loudness rises as the gain does.
        missing = -(louder + gain)
        if limited_by > 0:
            missing = -measure(turned_up(sound, gain)).louder_than(content)
        if wanted > most or abs(missing) < _MISS_DB:
            break
        wanted += _STEP * missing
    note = "The sound has the content's loudness"
    if missing >= _AUDIBLE_DB:
        note = f"The sound is {missing:.1f} dB quieter than the content"
    note += f"; peaks were limited by up to {limited_by:.1f} dB." if limited_by > 0.05 else "."
    return Levelled(turned_up(sound, gain), 10 ** (gain / 20), note)


def turned_up(sound: Sound, gain: float) -> Sound:
    """Turn a sound up by so many dB, its peaks limited, whenever it is read."""
    reach = 4 * max(1, round(_LOOK_AHEAD * sound.sr))

    def read(start: int, stop: int) -> np.ndarray:
        first = max(0, start - reach)
        y = sound.read(first, min(sound.n_samples, stop + reach)).astype(np.float64) * 10 ** (gain / 20)
        return limit(y, sound.sr)[:, start - first : stop - first].astype(np.float32)

    return sound._replace(read=read)


def limit(y: np.ndarray, sr: int) -> np.ndarray:
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


def without_clipping(y: np.ndarray, sr: int) -> tuple[np.ndarray, str]:
    """Return a waveform as it is, or, where a sample exceeds full scale, with no peak above −1 dBFS.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
    sr : int
        Its sample rate in Hz.

    Returns
    -------
    np.ndarray [shape=as y], str
        The waveform, and what was done in one sentence; empty where nothing was.

    Examples
    --------
    >>> without_clipping(np.array([0.0, 4.0]), 22050)[1]
    'Its peak of 4.00 exceeds full scale: turned down by 1.0 dB, and peaks limited by up to 12.0 dB.'
    """
    peak = float(np.max(np.abs(y)))
    if peak <= 1.0:
        return y, ""
    over = _decibels(peak) - CEILING_DB
    limited = min(over, _MOST_LIMITED_DB)
    whole = f"turned down by {over - limited:.1f} dB, and " if over > limited else ""
    note = f"Its peak of {peak:.2f} exceeds full scale: {whole}peaks limited by up to {limited:.1f} dB."
    return limit(np.asarray(y, dtype=np.float64) * 10 ** ((limited - over) / 20), sr).astype(np.float32), note


def without_offset(sound: Sound) -> Sound:
    """Subtract from each channel the constant that it is off zero by, where that is 1 % of the sound's level or more.

    Sound cards add one. It is not heard, and taken for a sound of the lowest band it would be given to another.

    Examples
    --------
    >>> without_offset(Sound.of(np.array([0.75, 0.25]), 20)).read(0, 2).tolist()
    [[0.25, -0.25]]
    """
    if sound.n_samples < _LEAST_FOR_OFFSET * sound.sr:
        return sound
    found = measure(sound)
    offset = (found.sums / max(1, found.n_samples)).astype(np.float32)[:, None]
    if np.abs(offset).max() < max(_LEAST_OFFSET * found.rms, 1e-30):
        return sound
    return sound._replace(read=lambda start, stop: sound.read(start, stop) - offset)


def _decibels(ratio: float) -> float:
    return 20 * math.log10(ratio)
