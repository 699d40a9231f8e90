"""The content's own rate and channels: what was found at 22 050 Hz for one channel, applied to the sound as it came.

Up to 10.4 kHz that is the matched gain, and after an optimisation the ratio of the transforms after and before. Above,
the gain of the top band goes on over time, times a constant that gives every band the style's own mean level at equal
loudness, up to 30 dB, where the style has anything there.
"""

import itertools
from typing import NamedTuple

import librosa
import numpy as np
from scipy import signal

from audiostyle.config import TransferConfig
from audiostyle.matching.describe import N_FFT, SR
from audiostyle.matching.filter import TOP_BIN, Filter, frame_sizes
from audiostyle.sound.audio import fix_length, set_level
from audiostyle.sound.channels import keep_balance, mid_signal
from audiostyle.sound.levels import loudness_difference, loudness_weights, rms
from audiostyle.spectrogram import istft, stft

# Hz from which the top band's gain alone would count, and from which the style's own bands do.
_TOP, _OWN = TOP_BIN * SR / N_FFT, 11_500.0
# Spectra are averaged over frames of this length in seconds, in bands as wide as this in Hz.
_FRAME, _BAND = 0.05, 500.0
# dB under the whole at which a band of the style holds nothing, and what a band is raised and lowered by at most: what
# the gain of the top band has raised from noise has to come down again.
_NOTHING, _RAISED, _LOWERED = -90.0, 30.0, 60.0
# Taps of the filter above 10.4 kHz last so many seconds.
_TAPS = 0.01
# Rounds of its design.
_ROUNDS = 12
_TINY = 1e-30
# Largest factor of the complex gain of an optimisation, and the power, relative to the mean, below which it fades. At
# ten the mid signal is within −31 dB of what was found from the matched timbre (−17 dB from the content) on two
# recorded pairs, and the peaks of the side signal over its level grow by up to 3 dB; at a thousand by 7.
_MOST_GAIN, _LEAST_POWER = 10.0, 1e-7


class Heard(NamedTuple):
    """Mean spectrum and loudness of a sound.

    Parameters
    ----------
    frequencies, power : np.ndarray [shape=(n_bins,)]
        Hz, and the mean power in each bin.
    loudness : float
        In dB against one and the same sound for all that are compared.
    """

    frequencies: np.ndarray
    power: np.ndarray
    loudness: float


def heard(y: np.ndarray, sr: int, *, against: np.ndarray) -> Heard:
    """Measure the mean spectrum of a sound, and its loudness against another."""
    n = frame_of(sr)
    y = fix_length(y, max(n, y.shape[-1]))
    return Heard(np.fft.rfftfreq(n, 1 / sr), power_spectrum(y, sr), loudness_difference(y, against, sr))


def frame_of(sr: int) -> int:
    """Return the samples of the frames that spectra are averaged over."""
    return round(_FRAME * sr)


def power_spectrum(y: np.ndarray, sr: int) -> np.ndarray:
    """Return the mean power of all frames [shape=(n_bins,)] (Welch 1967), of all channels together as loudness is."""
    _, power = signal.welch(y, fs=sr, nperseg=frame_of(sr), scaling="spectrum", detrend=False)
    return np.atleast_2d(power).sum(axis=0)


def treble_taps(y: Heard, style: Heard, content: Heard, sr: int, strength: float) -> np.ndarray | None:
    """Design the filter above 10.4 kHz with which a sound has the style's mean levels there.

    Where the style has nothing, as in a file of 22 050 Hz, the levels of the sound are at most the content's.

    Parameters
    ----------
    y, style, content : Heard
        The sound, which has the gain of the top band above 10.4 kHz, the style and the content.
    sr : int
        Sample rate in Hz of all.
    strength : float
        Factor of the filter's gain in dB.

    Returns
    -------
    np.ndarray [shape=(n_taps,)] or None
        Symmetric taps; None where the rate has no room above 11.5 kHz.
    """
    edges = np.arange(_OWN, sr / 2, _BAND)
    if len(edges) < 2:
        return None
    levels, wanted, kept = (_band_levels(heard, edges) for heard in (y, style, content))
    holds = wanted > 10 * np.log10(style.power.sum() + _TINY) - style.loudness + _NOTHING
    missing = np.where(holds, wanted, np.minimum(levels, kept)) - levels
    hz = np.concatenate([[0, _TOP, _OWN], (edges[:-1] + edges[1:]) / 2, [sr / 2]])
    weighted, quieter = y.power * loudness_weights(y.frequencies, sr), 0.0
    for _ in range(_ROUNDS):  # what is done to the treble changes the loudness
        gains = np.clip(missing + quieter, -_LOWERED, _RAISED)
        decibels = strength * np.concatenate([[0, 0], gains[:1], gains, gains[-1:]])
        there = 10 ** (np.interp(y.frequencies, hz, decibels) / 10)
        quieter = 10 * np.log10((weighted * there).sum() / weighted.sum())
    return signal.firwin2(2 * round(_TAPS * sr / 2) + 1, hz, 10 ** (decibels / 20), fs=sr)


def _band_levels(found: Heard, edges: np.ndarray) -> np.ndarray:
    """Return levels between neighbouring edges in dB, at equal loudness."""
    sums = [
        found.power[(found.frequencies >= low) & (found.frequencies < high)].sum()
        for low, high in itertools.pairwise(edges)
    ]
    return 10 * np.log10(np.asarray(sums) + _TINY) - found.loudness


def as_it_came(
    content: np.ndarray,
    sr: int,
    config: TransferConfig,
    *,
    style: np.ndarray,
    found: Filter | None,
    changed: tuple[np.ndarray, np.ndarray] | None,
) -> np.ndarray:
    """Apply what a transfer found on the mid signal to all channels of the content at its own rate.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveforms.
    sr : int > 0
        Their sample rate in Hz.
    config : TransferConfig
        Gives balance, and rate and level of the computation.
    found : Filter or None
        What was matched, if anything was.
    changed : (np.ndarray, np.ndarray) or None
        The mid signal [shape=(n_samples,)] at ``config.sr`` before and after an optimisation, if there was one.

    Returns
    -------
    np.ndarray [shape=as content, dtype=float32]
        At the level of the computation, with the content's balance of channels.
    """
    strength = strength_of(config)
    y = content if found is None else found.apply(content, sr, strength=strength)
    if changed is not None:
        y = regained(y, sr, before=changed[0], after=changed[1], found_at=config.sr)
    taps = treble_taps(*(heard(x, sr, against=content) for x in (y, style, content)), sr, strength)
    if taps is not None:
        y = signal.oaconvolve(y, taps.reshape((1,) * (y.ndim - 1) + (-1,)), mode="same", axes=-1)
    return set_level(keep_balance(y, content), config.level)


def strength_of(config: TransferConfig) -> float:
    """Return the factor of a filter's gain in dB: with a matched start it is whole at a balance of one half."""
    return min(1.0, 2 * config.balance) if config.method == "matched" else config.balance


def regained(y: np.ndarray, sr: int, *, before: np.ndarray, after: np.ndarray, found_at: int) -> np.ndarray:
    """Apply what turned one channel into another as a gain on all channels of a sound.

    The gain is complex, the ratio of the two transforms at the sound's rate, at most a factor of ten. Above the rate at
    which it was found the magnitude of its uppermost bins is held.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        The sound whose mid signal `before` is.
    sr : int > 0
        Its sample rate in Hz.
    before, after : np.ndarray [shape=(n_samples,)]
        One channel before and after; the latter is brought to the root mean square of the former.
    found_at : int > 0
        Their sample rate in Hz.

    Returns
    -------
    np.ndarray [shape=as y, dtype=float32]
    """
    n_fft, hop = frame_sizes(sr)
    frames = {"n_fft": n_fft, "hop_length": hop}
    mid = mid_signal(y).y
    after = set_level(after, rms(before), name="after")
    A = stft(fix_length(librosa.resample(after, orig_sr=found_at, target_sr=sr), len(mid)), **frames)
    B = stft(mid, **frames)
    power = B.abs().square()
    gain = A * B.conj() / (power + _LEAST_POWER * power.mean())
    gain *= _MOST_GAIN / gain.abs().clamp_min(_MOST_GAIN)
    top = int(0.94 * min(found_at, sr) / sr * n_fft / 2)
    gain[top:] = gain[top - top // 16 : top].abs().square().mean(0).sqrt()
    channels = [
        istft(stft(c, **frames) * gain, hop_length=hop, length=len(mid)).numpy() for c in np.atleast_2d(y)
    ]
    return np.stack(channels).reshape(y.shape)
