"""The content's own rate and channels: what was found at 22 050 Hz for one channel, on the sound as it came.

Up to 10.4 kHz that is the matched gain, and after an optimisation the ratio of the transforms after and before. Above,
the gain of the top band goes on over time, times a constant that gives every band the style's own mean level at equal
loudness, up to 30 dB, where the style has anything there.
"""

import itertools

import librosa
import numpy as np
from scipy import signal

from audiostyle.matching.describe import N_FFT, SR
from audiostyle.matching.gain import TOP_BIN, frame_sizes
from audiostyle.sound.channels import mid_sound
from audiostyle.sound.levels import Meter, k_weights, rms, set_level
from audiostyle.sound.samples import Sound
from audiostyle.spectrogram import istft, stft

# Hz from which the top band's gain alone would count, and from which the style's own bands do.
_TOP, _OWN = TOP_BIN * SR / N_FFT, 11_500.0
# Spectra are averaged over frames of this length in seconds, in bands as wide as this in Hz.
_FRAME, _BAND = 0.05, 500.0
# dB under the whole at which a band of the style holds nothing, and what a band is raised and lowered by at most: what
# the gain of the top band has raised from noise has to come down again.
_NOTHING, _RAISED, _LOWERED = -90.0, 30.0, 60.0
# Taps of the filter last so many seconds.
_TAPS = 0.01
# Rounds of its design.
_ROUNDS = 12
_TINY = 1e-30
# Largest factor of the complex gain of an optimisation, and the power, relative to the mean, below which it fades. At
# ten the mid signal is within −31 dB of what was found from the matched timbre (−17 dB from the content) on two
# recorded pairs, and the peaks of the side signal over its level grow by up to 3 dB; at a thousand by 7.
_MOST_GAIN, _LEAST_POWER = 10.0, 1e-7


def with_treble_of(style: Sound, sound: Sound, content: Sound, *, strength: float) -> Sound:
    """Give a sound the style's mean levels above 11.5 kHz, at equal loudness.

    Where the style has nothing, as in a file of 22 050 Hz, the levels of the sound are at most the content's.

    Parameters
    ----------
    style, sound, content : Sound
        All at one sample rate; the sound has the gain of the top band above 10.4 kHz.
    strength : float
        Factor of the filter's gain in dB.

    Returns
    -------
    Sound
        The sound itself where the rate has no room above 11.5 kHz.
    """
    edges = np.arange(_OWN, sound.sr / 2, _BAND)
    if len(edges) < 2 or strength == 0:
        return sound
    against = Meter(content)
    levels, wanted, kept = (
        _band_levels(x, edges) - Meter(x).louder_than(against) for x in (sound, style, content)
    )
    whole = 10 * np.log10(mean_power(style).sum() + _TINY) - Meter(style).louder_than(against)
    missing = np.where(wanted > whole + _NOTHING, wanted, np.minimum(levels, kept)) - levels
    hz = np.concatenate([[0, _TOP, _OWN], (edges[:-1] + edges[1:]) / 2, [sound.sr / 2]])
    power = mean_power(sound)
    bins = np.linspace(0, sound.sr / 2, len(power))
    heard, quieter = power * k_weights(bins, sound.sr), 0.0
    for _ in range(_ROUNDS):  # what is done to the treble changes the loudness
        gains = np.clip(missing + quieter, -_LOWERED, _RAISED)
        decibels = strength * np.concatenate([[0, 0], gains[:1], gains, gains[-1:]])
        quieter = 10 * np.log10((heard * 10 ** (np.interp(bins, hz, decibels) / 10)).sum() / heard.sum())
    taps = signal.firwin2(2 * round(_TAPS * sound.sr / 2) + 1, hz, 10 ** (decibels / 20), fs=sound.sr)
    beside = len(taps) // 2

    def read(start: int, stop: int) -> np.ndarray:
        first = max(0, start - beside)
        y = sound.read(first, min(sound.n_samples, stop + beside))
        y = signal.oaconvolve(y, taps[None], mode="same", axes=-1)
        return y[:, start - first : stop - first].astype(np.float32)

    return sound._replace(read=read)


def mean_power(sound: Sound) -> np.ndarray:
    """Return the mean power of frames of 50 ms [shape=(n_bins,)] (Welch 1967), of all channels together."""
    n, total, weight = round(_FRAME * sound.sr), _TINY, 0
    for y in sound.blocks():
        y = librosa.util.fix_length(y, size=max(n, y.shape[-1]))
        _, power = signal.welch(y, fs=sound.sr, nperseg=n, scaling="spectrum", detrend=False)
        total, weight = total + power.sum(axis=0) * y.shape[1], weight + y.shape[1]
    return total / max(1, weight)


def _band_levels(sound: Sound, edges: np.ndarray) -> np.ndarray:
    """Return levels between neighbouring edges in dB."""
    power = mean_power(sound)
    hz = np.linspace(0, sound.sr / 2, len(power))
    sums = [power[(hz >= low) & (hz < high)].sum() for low, high in itertools.pairwise(edges)]
    return 10 * np.log10(np.asarray(sums) + _TINY)


def regained(sound: Sound, *, before: np.ndarray, after: np.ndarray, found_at: int) -> Sound:
    """Apply what turned one channel into another as a gain on all channels of a sound.

    The gain is complex, the ratio of the two transforms at the sound's rate, at most a factor of ten. Above the rate at
    which it was found the magnitude of its uppermost bins is held.

    Parameters
    ----------
    sound : Sound
        The sound whose mid signal `before` is.
    before, after : np.ndarray [shape=(n_samples,)]
        One channel before and after; the latter is brought to the root mean square of the former.
    found_at : int > 0
        Their sample rate in Hz.

    Returns
    -------
    Sound
    """
    n_fft, hop = frame_sizes(sound.sr)
    frames = {"n_fft": n_fft, "hop_length": hop}
    mid = mid_sound(sound)[0].waveform()
    after = set_level(after, rms(before), name="after")
    A = stft(
        librosa.util.fix_length(librosa.resample(after, orig_sr=found_at, target_sr=sound.sr), size=len(mid)),
        **frames,
    )
    B = stft(mid, **frames)
    power = B.abs().square()
    gain = A * B.conj() / (power + _LEAST_POWER * power.mean())
    gain *= _MOST_GAIN / gain.abs().clamp_min(_MOST_GAIN)
    top = int(0.94 * min(found_at, sound.sr) / sound.sr * n_fft / 2)
    gain[top:] = gain[top - top // 16 : top].abs().square().mean(0).sqrt()
    channels = (
        istft(stft(c, **frames) * gain, hop_length=hop, length=len(mid))
        for c in np.atleast_2d(sound.waveform())
    )
    return Sound.of(np.stack([y.numpy() for y in channels]), sound.sr)
