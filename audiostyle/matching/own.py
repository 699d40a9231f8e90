"""The content's own rate and channels: what was found at 22 050 Hz for one channel, on the sound as it came.

Up to 10.4 kHz that is the matched gain, and after an optimisation the ratio of the transforms after and before. Above,
the gain of the top band goes on over time, times a constant for every band.
"""

import numpy as np
import torch

from audiostyle.matching.describe import N_FFT, SR
from audiostyle.matching.gain import TOP_BIN, frame_sizes
from audiostyle.sound.channels import mid_sound
from audiostyle.sound.levels import rms, set_level
from audiostyle.sound.samples import Sound, of_length, resample
from audiostyle.spectrogram import frequencies, istft, stft

# Hz up to which the gain of the top band was found, from which the style's own bands count, and their width.
_TOP, _OWN, _BAND = TOP_BIN * SR / N_FFT, 11_500.0, 500.0
# dB under the rest at which a band of the style holds nothing; most that a band is raised and lowered by, as what the
# gain of the top band has raised from noise has to come down again.
_NOTHING, _RAISED, _LOWERED = -90.0, 30.0, 60.0
# Seconds of a frame whose power is averaged.
_FRAME = 0.05
# Largest factor of an optimisation's complex gain, and the power over the mean below which it fades. At ten the mid
# signal is within −31 dB of what was found from the matched timbre (−17 dB from the content) on two recorded pairs, and
# the peaks of the side signal over its level grow by up to 3 dB; at a thousand by 7.
_MOST_GAIN, _LEAST_POWER = 10.0, 1e-7


def with_treble_of(style: Sound, sound: Sound, content: Sound, *, strength: float) -> Sound:
    """Give a sound, whose treble has the gain of the top band, the style's mean levels above 11.5 kHz.

    Levels are over the power below 10.4 kHz, which the filter leaves alone. Where the style has nothing, as in a file
    of 22 050 Hz, those of the sound are at most the content's. `strength` is a factor of the filter's gain in dB. A
    rate without room above 11.5 kHz leaves the sound as it is.
    """
    edges = np.arange(_OWN, sound.sr / 2, _BAND)
    if len(edges) < 2 or strength == 0:
        return sound
    levels, wanted, kept = (_treble(x, edges) for x in (sound, style, content))
    missing = np.where(wanted > _NOTHING, wanted, np.minimum(levels, kept)) - levels
    gains = strength * missing.clip(-_LOWERED, _RAISED)
    hz = [0, _TOP, _OWN, *(edges[:-1] + edges[1:]) / 2, sound.sr / 2]
    n_fft, hop = frame_sizes(sound.sr)
    decibels = np.interp(frequencies(sound.sr, n_fft), hz, [0, 0, gains[0], *gains, gains[-1]])
    factors = torch.from_numpy(10 ** (decibels / 20)).float()[:, None]
    return sound.filtered(lambda y: _multiplied(y, factors, n_fft, hop), n_fft)


def _treble(sound: Sound, edges: np.ndarray) -> np.ndarray:
    """Return the mean power between neighbouring edges over that below 10.4 kHz, in dB (Welch 1967)."""
    n, power = 2 * round(_FRAME / 2 * sound.sr), 0.0
    for y in sound.blocks():  # no zeros at the ends: a click there is louder than a dark treble
        frames = torch.from_numpy(of_length(y, max(n, y.shape[1]))).unfold(1, n, n // 2)
        power += torch.fft.rfft(frames * torch.hann_window(n)).abs().square().double().sum((0, 1))
    hz, power = frequencies(sound.sr, n), power.numpy()
    bands, _ = np.histogram(hz, edges, weights=power)
    return 10 * np.log10((bands + 1e-30) / (power[hz < _TOP].sum() + 1e-30))


def regained(sound: Sound, *, before: np.ndarray, after: np.ndarray, found_at: int) -> Sound:
    """Apply what turned a sound's mid signal from `before` into `after` as a gain on all channels.

    The gain is complex, the ratio of the two transforms at the sound's rate, at most a factor of ten. Above the rate
    `found_at`, in Hz, the magnitude of its uppermost bins is held. `after` is brought to the level of `before`.
    """
    n_fft, hop = frame_sizes(sound.sr)
    mid = mid_sound(sound)[0].waveform()
    after = resample(set_level(after, rms(before), name="after"), found_at, sound.sr)
    A, B = (stft(y, n_fft=n_fft, hop_length=hop) for y in (of_length(after, len(mid)), mid))
    power = B.abs().square()
    gain = A * B.conj() / (power + _LEAST_POWER * power.mean())
    gain *= _MOST_GAIN / gain.abs().clamp_min(_MOST_GAIN)
    top = int(0.94 * min(found_at, sound.sr) / sound.sr * n_fft / 2)
    gain[top:] = gain[top - top // 16 : top].abs().square().mean(0).sqrt()
    return Sound.of(_multiplied(np.atleast_2d(sound.waveform()), gain, n_fft, hop), sound.sr)


def _multiplied(y: np.ndarray, factors: torch.Tensor, n_fft: int, hop: int) -> np.ndarray:
    """Multiply the transform of every channel [shape=(n_channels, n_samples)]."""
    D = stft(y, n_fft=n_fft, hop_length=hop) * factors
    return torch.stack([istft(X, hop_length=hop, length=y.shape[1]) for X in D]).numpy()
