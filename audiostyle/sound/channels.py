"""Channels: one signal that stands for all of them, and their balance."""

from typing import NamedTuple

import numpy as np

from audiostyle.sound.levels import rms

# Under this share of the channels' own level, 12 dB, their mean has lost what it should stand for.
_CANCELLED = 0.25
# What a filter may change the balance of the channels by, in dB to either side of the mean.
_BALANCE_DB = 0.5
_LEAST = 1e-12


class Mid(NamedTuple):
    """What stands for all channels of a sound.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
        One channel.
    note : str
        Empty, or one sentence that says why it is not the mean.
    """

    y: np.ndarray
    note: str = ""


def mid_signal(y: np.ndarray) -> Mid:
    """Return the mean of the channels, or the loudest channel where they cancel in the mean.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveform.

    Examples
    --------
    >>> mid_signal(np.array([[1.0, 1.0], [-1.0, -1.0]])).note
    'Its channels cancel in their mean: the loudest one stands for them.'
    """
    if y.ndim == 1:
        return Mid(y)
    mean = y.mean(axis=0, dtype=np.float32)
    chosen = stands_for_all([rms(channel) for channel in y], rms(mean))
    if chosen is None:
        return Mid(mean)
    return Mid(y[chosen], "Its channels cancel in their mean: the loudest one stands for them.")


def stands_for_all(levels: list[float], of_mean: float) -> int | None:
    """Return which channel stands for all by their root mean squares; None where the mean does."""
    together = float(np.sqrt(np.mean(np.square(levels))))
    return None if of_mean >= _CANCELLED * together else int(np.argmax(levels))


def keep_balance(y: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Bring the levels of channels back to the content's balance, to within 1 dB.

    One filter on all channels keeps the place of every source. Where the channels differ in their spectra it changes
    their levels unlike each other; what exceeds ½ dB to either side of the whole is made up for by a constant.

    Parameters
    ----------
    y, content : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        What became of the content, and the content.

    Returns
    -------
    np.ndarray [shape=as y]
    """
    if y.ndim == 1:
        return y
    gains = balance_gains([rms(channel) for channel in y], [rms(channel) for channel in content])
    return y * gains[:, None]


def balance_gains(levels: list[float], wanted: list[float]) -> np.ndarray:
    """Return the factors of `keep_balance` from root mean squares of the channels [shape=(n_channels,)].

    Examples
    --------
    >>> balance_gains([1.0, 1.0], [1.0, 1.0]).tolist()
    [1.0, 1.0]
    """
    levels, wanted = np.asarray(levels, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    sounds = (levels > _LEAST) & (wanted > _LEAST)
    change = np.zeros(len(levels))
    change[sounds] = 20 * np.log10(levels[sounds] / wanted[sounds])
    whole = 20 * np.log10(max(np.linalg.norm(levels), _LEAST) / max(np.linalg.norm(wanted), _LEAST))
    kept = np.clip(change, whole - _BALANCE_DB, whole + _BALANCE_DB)
    return np.where(sounds, 10 ** ((kept - change) / 20), 1.0).astype(np.float32)
