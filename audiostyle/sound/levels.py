"""Loudness and peaks: how loud a result is made, and what is done with peaks that a file cannot hold.

A sound comes in blocks (`audiostyle.sound.samples.Sound`), so that its length does not count; a waveform is one block.
"""

import math

import numpy as np

from audiostyle.sound.samples import Sound

# Files of lossy formats come out with somewhat larger peaks than went in; −1 dBFS leaves room for them.
CEILING_DB = -1.0
_CEILING = 10 ** (CEILING_DB / 20)
# What a limiter may take off a peak; beyond it, where it would flatten the sound, the whole is turned down.
_MOST_LIMITED_DB = 12.0
# Seconds before and after a peak within which the limiter's gain falls and rises.
_LOOK_AHEAD = 0.01
# ITU-R BS.1770-4: the shelf of its K-weighting (amplitude ratio, Hz, Q) and its high-pass (Hz, Q), as De Man 2018 has
# them; seconds of a hop and hops of a block; gates in LUFS and dB; what its scale is off by.
_SHELF, _HIGH_PASS = (10 ** (4 / 40), 1500.0, 0.5**0.5), (38.0, 0.5)
_HOP, _HOPS, _ABSOLUTE_GATE, _RELATIVE_GATE, _OFFSET = 0.1, 4, -70.0, -10.0, 0.691
# Sounds are measured as if they had this level, far above the −70 LUFS below which BS.1770 hears nothing.
_MEASURED_AT = 0.05
# Samples that are measured at a time, about.
_STEP = 1 << 20
# A limited sound gains less than it is turned up, so the gain is found in rounds.
_ROUNDS, _MISS_DB, _FARTHER = 8, 0.1, 1.3
# Differences of loudness below this are hardly heard.
_AUDIBLE_DB = 1.0
_TINY = 1e-30
# Below this root mean square (-100 dB of full scale) a clip is called silent: 16-bit dither lies near -98 dB.
SILENCE_RMS = 1e-5
# A constant offset counts from this share of the sound's root mean square on, in sounds of so many seconds: a shorter
# one may be part of a wave.
_LEAST_OFFSET, _LEAST_FOR_OFFSET = 0.01, 0.1


def rms(y: np.ndarray) -> float:
    """Return the root mean square of a waveform; full scale is 1."""
    return float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


class Meter:
    """Loudness, peak and level of a sound, read once and block by block; all channels together if not said.

    The loudness takes most of the time: with ``loudness=False`` there is no `louder_than`.

    Attributes
    ----------
    peak, rms : float
        Largest absolute sample, and root mean square.
    means, channel_rms : np.ndarray [shape=(n_channels,)]
        Mean and root mean square of each channel.
    """

    def __init__(self, sound: Sound, *, loudness: bool = True) -> None:
        n_channels, n_samples = sound.n_channels, max(1, sound.n_samples)
        hop = max(1, round(_HOP * sound.sr))
        weights = _k_weights(sound.sr, hop) if loudness else None
        self.peak, sums, squares, hops = 0.0, np.zeros(n_channels), np.zeros(n_channels), []
        for y in sound.blocks(hop * -(-_STEP // hop)):
            self.peak = max(self.peak, float(np.abs(y).max(initial=0.0)))
            sums += y.sum(axis=1, dtype=np.float64)
            squares += np.square(y, dtype=np.float64).sum(axis=1)
            if loudness:
                whole = y[:, : y.shape[1] // hop * hop].reshape(n_channels, -1, hop)
                hops.append(np.square(np.abs(np.fft.rfft(whole))).sum(axis=0) @ weights)
        self._hops = np.concatenate(hops) if hops else None
        self.means, self.channel_rms = sums / n_samples, np.sqrt(squares / n_samples)
        self.rms = float(np.sqrt(squares.mean() / n_samples))

    def louder_than(self, other: "Meter") -> float:
        """Return how much louder this sound is than another in dB.

        By the integrated loudness of ITU-R BS.1770-4, all channels weighing alike. Where that says nothing, for clips
        shorter than its block of 400 ms or a sound of frequencies it leaves out, by the root mean square.
        """
        both = [meter._integrated() for meter in (self, other)]
        if None in both:
            both = [_decibels(max(meter.rms, _TINY)) for meter in (self, other)]
        return both[0] - both[1]

    def _integrated(self) -> float | None:
        if len(self._hops) < _HOPS or self.rms == 0:
            return None
        hops = self._hops * (_MEASURED_AT / self.rms) ** 2
        power = np.lib.stride_tricks.sliding_window_view(hops, _HOPS).mean(axis=1)
        loud = power > 10 ** ((_ABSOLUTE_GATE + _OFFSET) / 10)
        if not loud.any():
            return None
        relative = power[loud].mean() * 10 ** (_RELATIVE_GATE / 10)
        return 10 * math.log10(power[loud & (power > relative)].mean()) + _decibels(self.rms / _MEASURED_AT)


def _k_weights(sr: int, n: int) -> np.ndarray:
    """Return weights for |rfft|² of n samples, of which the weighted sum is their K-weighted mean power.

    They are the filters' analogue prototypes: at 22 050 Hz within 0.06 dB of the digital filters, at 8000 Hz 0.4 dB.
    """
    hz = np.fft.rfftfreq(n, 1 / sr)
    A, *shelf = _SHELF
    (s, q), (s0, q0) = ((1j * hz / at, quality) for at, quality in (shelf, _HIGH_PASS))
    bend = A**0.5 * s / q
    response = A * (A * s**2 + bend + 1) / (s**2 + bend + A) * s0**2 / (s0**2 + s0 / q0 + 1)
    return 2 / n**2 * np.abs(response) ** 2


def set_level(y: np.ndarray, level: float = 0.05, *, name: str = "y") -> np.ndarray:
    """Scale a waveform [any shape] to a root mean square; a silent one is a ValueError that calls it `name`."""
    return (np.asarray(y) * (level / check_audible(rms(y), name))).astype(np.float32)


def at_level(sound: Sound, level: float, *, name: str) -> Sound:
    """Scale a sound of any length, as `set_level`."""
    factor = level / check_audible(Meter(sound, loudness=False).rms, name)
    return sound.filtered(lambda y: y * factor)


def check_audible(level: float, name: str) -> float:
    """Return a root mean square, or raise a ValueError that says that what has it is silent."""
    if level < SILENCE_RMS:
        raise ValueError(f"{name} is silent: its root mean square {level:.1e} is below {SILENCE_RMS:.0e}")
    return level


def match_loudness(sound: Sound, found: Meter, content: Meter) -> tuple[Sound, float, str]:
    """Bring a sound to the loudness of the content, with no peak above −1 dBFS.

    Peaks above are turned down by a limiter, up to 12 dB, and the loudness that takes is made up for. What would need
    more is turned down as a whole and stays quieter than the content, which is not silent. `found` and `content` are
    the meters of the sound and of the content.

    Returns
    -------
    Sound
    gain : float
        Factor by which the whole was multiplied, before single peaks were limited.
    note : str
        What was done, in one sentence.
    """
    if found.peak == 0:
        return sound, 1.0, "The sound is silent."
    over, wanted = _decibels(found.peak) - CEILING_DB, -found.louder_than(content)
    for _ in range(_ROUNDS):
        gain = min(wanted, _MOST_LIMITED_DB - over)
        made, limited_by = turned_up(sound, gain), over + gain
        missing = -Meter(made).louder_than(content) if limited_by > 0 else 0.0
        if wanted > gain or abs(missing) < _MISS_DB:
            break
        wanted += _FARTHER * missing
    note = "The sound has the content's loudness"
    if missing >= _AUDIBLE_DB:
        note = f"The sound is {missing:.1f} dB quieter than the content"
    note += f"; peaks were limited by up to {limited_by:.1f} dB." if limited_by > 0.05 else "."
    return made, 10 ** (gain / 20), note


def turned_up(sound: Sound, gain: float) -> Sound:
    """Turn a sound up by so many dB, its peaks limited, whenever it is read."""
    factor = 10 ** (gain / 20)
    return sound.filtered(lambda y: limit(y * factor, sound.sr), 4 * max(1, round(_LOOK_AHEAD * sound.sr)))


def limit(y: np.ndarray, sr: int) -> np.ndarray:
    """Turn down what exceeds the ceiling, all channels by a gain that falls and rises smoothly around every peak."""
    needed = np.minimum(1.0, _CEILING / np.maximum(np.abs(np.atleast_2d(y)).max(axis=0), _CEILING))
    if needed.min() == 1.0:
        return y
    from scipy import ndimage  # a tenth of a second that a result without such peaks need not wait for

    half = max(1, round(_LOOK_AHEAD / 2 * sr))
    # A mean of minima over windows that all hold the sample is at most what the sample needs.
    gain = ndimage.minimum_filter1d(needed, 4 * half + 1, mode="nearest")
    for _ in range(2):  # two boxes make a triangle
        gain = ndimage.uniform_filter1d(gain, 2 * half + 1, mode="nearest")
    return y * np.minimum(gain, needed)  # by rounding alone the mean may exceed what is needed


def without_clipping(y: np.ndarray) -> tuple[np.ndarray, str]:
    """Return a waveform of any channels as it is, or, where a sample exceeds full scale, its peak at −1 dBFS.

    The sentence beside it says what was done, and is empty where nothing was.

    Examples
    --------
    >>> without_clipping(np.array([0.0, 4.0]))[1]
    'Its peak of 4.00 exceeds full scale: turned down by 13.0 dB.'
    """
    peak = float(np.max(np.abs(y)))
    if peak <= 1.0:
        return y, ""
    note = f"Its peak of {peak:.2f} exceeds full scale: turned down by {_decibels(peak) - CEILING_DB:.1f} dB."
    return (np.asarray(y, dtype=np.float64) * (_CEILING / peak)).astype(np.float32), note


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
    found = Meter(sound, loudness=False)
    if np.abs(found.means).max() < max(_LEAST_OFFSET * found.rms, _TINY):
        return sound
    return sound.filtered(lambda y: y - found.means[:, None].astype(np.float32))


def _decibels(ratio: float) -> float:
    return 20 * math.log10(ratio)
