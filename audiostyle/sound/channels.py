"""Channels: one signal that stands for all of them, and their balance."""

import numpy as np

from audiostyle.config import check_allowed
from audiostyle.sound.levels import Meter
from audiostyle.sound.samples import Sound

# Under this share of the channels' own level, 12 dB, their mean has lost what it should stand for.
_CANCELLED_AT = 0.25
# What a filter may change the balance of the channels by, in dB to either side of the mean.
_BALANCE_DB = 0.5
_LEAST = 1e-12


def mid_sound(sound: Sound) -> tuple[Sound, bool]:
    """Return one channel that stands for all, and whether they cancel: their mean, or then the loudest one."""
    if sound.n_channels == 1:
        return sound, False
    squares, of_mean = np.zeros(sound.n_channels), 0.0
    for y in sound.blocks():
        squares += np.square(y, dtype=np.float64).sum(axis=1)
        of_mean += float(np.square(y.mean(axis=0), dtype=np.float64).sum())
    cancels = bool(of_mean < _CANCELLED_AT**2 * squares.mean())
    chosen = slice(i := int(np.argmax(squares)), i + 1) if cancels else slice(None)
    return sound.filtered(lambda y: y[chosen].mean(axis=0, keepdims=True))._replace(n_channels=1), cancels


def mid_signal(y: np.ndarray) -> np.ndarray:
    """Return one channel [shape=(n_samples,)] that stands for all of a waveform's, as `mid_sound`.

    Examples
    --------
    >>> mid_signal(np.array([[1.0, 1.0], [-1.0, -1.0]])).tolist()
    [1.0, 1.0]
    """
    return mid_sound(Sound.of(y, 1))[0].waveform()


def keep_balance(sound: Sound, content: Sound) -> Sound:
    """Bring the levels of channels back to the balance of the content, of as many channels, to within 1 dB.

    One filter on all channels keeps the place of every source. Where the channels differ in their spectra it changes
    their levels unlike each other; what exceeds ½ dB to either side of the whole is made up for by a constant.
    """
    if sound.n_channels == 1:
        return sound
    levels, wanted = (Meter(x, loudness=False).channel_rms for x in (sound, content))
    sounds = (levels > _LEAST) & (wanted > _LEAST)
    change = np.zeros(len(levels))
    change[sounds] = 20 * np.log10(levels[sounds] / wanted[sounds])
    whole = 20 * np.log10(max(np.linalg.norm(levels), _LEAST) / max(np.linalg.norm(wanted), _LEAST))
    kept = np.clip(change, whole - _BALANCE_DB, whole + _BALANCE_DB)
    gains = np.where(sounds, 10 ** ((kept - change) / 20), 1.0).astype(np.float32)[:, None]
    return sound.filtered(lambda y: y * gains)


def in_channels(sound: Sound, n_channels: int | None) -> Sound:
    """Return the sound in one channel (`mid_sound`), or one channel as many; None leaves it as it is."""
    if n_channels in (None, sound.n_channels):
        return sound
    if n_channels == 1:
        return mid_sound(sound)[0]
    check_allowed(sound.n_channels == 1, "n_channels", n_channels, f"1 or {sound.n_channels}")
    return sound.filtered(lambda y: np.repeat(y, n_channels, axis=0))._replace(n_channels=n_channels)
