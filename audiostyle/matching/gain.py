"""A gain over time and frequency, applied to a complex transform at any sample rate and of any number of channels."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch

from audiostyle.matching.describe import CHUNK, HOP, N_FFT, SR, mel_filters
from audiostyle.sound.samples import Sound
from audiostyle.spectrogram import istft, stft

# Rounds in which the gain is fitted, as the bands overlap.
_ROUNDS = 10
# Above, the uppermost band ends and resampling takes its share: at higher rates this bin's gain is held.
TOP_BIN = int(0.94 * N_FFT / 2)
# Samples that are filtered at a time; hops beside them that reach into them; frames of a gain kept for the next one.
_PART, _BESIDE, _KEPT = 1 << 20, 6, 16


class Gain(NamedTuple):
    """A gain that changes over time and frequency, for frames of 2048 samples, every 512, at 22 050 Hz."""

    log_gain: torch.Tensor  # [shape=(1025, n_frames)] natural logarithm of the factor on the magnitude
    first: int = 0  # frame of the sound at which these begin

    def apply(self, y: np.ndarray, sr: int, *, strength: float = 1.0) -> np.ndarray:
        """Filter a waveform [shape=(n_samples,) or (n_channels, n_samples)] at its own sample rate, as `filtered`."""
        return np.hstack(list(filtered([self], Sound.of(y, sr), strength=strength))).reshape(y.shape)

    def at(self, seconds: torch.Tensor, n_bins: int, sr: int) -> torch.Tensor:
        """Interpolate to frames at these times and to the bins of a transform at another rate."""
        frames = interpolated(self.log_gain, seconds * (SR / HOP) - self.first, 1)
        if sr == SR:
            return frames
        bins = torch.arange(n_bins) * ((sr / 2) / (n_bins - 1) * N_FFT / SR)
        return interpolated(frames, bins.clamp_max(TOP_BIN), 0)


def filtered(gains: Iterable[Gain], sound: Sound, *, strength: float = 1.0) -> Iterator[np.ndarray]:
    """Apply gains that follow each other to all channels of a sound, and yield one part of it after the other.

    Each gain begins where the one before ended; after the last, its last frame holds. Parts [shape=(n_channels, n)] are
    float32. Above 10.4 kHz the gain is that of the top band. `strength` is a factor of the gains in decibels.
    """
    n_fft, hop = frame_sizes(sound.sr)
    done, held = 0, Gain(torch.zeros(N_FFT // 2 + 1, 0, dtype=torch.float32))
    for gain in chain(gains, (None,)):
        if gain is None:
            known = sound.n_samples
        else:
            # A window reaches over frames of two gains: the end of one is kept until the next has come.
            held = Gain(torch.cat([held.log_gain, gain.log_gain], 1), held.first)
            known = int((held.first + held.log_gain.shape[1] - _KEPT) * HOP / SR * sound.sr) // hop * hop
        while done < min(known, sound.n_samples):
            stop = min(known, sound.n_samples, done + _PART // hop * hop)
            first = max(0, done - _BESIDE * hop)
            y = torch.from_numpy(sound.read(first, min(sound.n_samples, stop + _BESIDE * hop)))
            D = stft(y, n_fft=n_fft, hop_length=hop)
            seconds = (torch.arange(D.shape[2]).double() + first // hop) * (hop / sound.sr)
            D *= (strength * held.at(seconds, D.shape[1], sound.sr)).exp()
            channels = [istft(X, hop_length=hop, length=y.shape[1])[done - first : stop - first] for X in D]
            yield torch.stack(channels).numpy()
            done = stop
        kept = max(0, int(done / sound.sr * SR / HOP) - _KEPT - held.first)
        held = Gain(held.log_gain[:, kept:], held.first + kept)


def interpolated(F: torch.Tensor, positions: torch.Tensor, dim: int) -> torch.Tensor:
    """Interpolate linearly at fractional indices of a dimension; beyond the ends the last value holds."""
    positions = positions.clamp(0, F.shape[dim] - 1)
    below = positions.floor().long().clamp_max(max(F.shape[dim] - 2, 0))
    share = (positions - below).to(F.dtype).unsqueeze(1 - dim)
    above = (below + 1).clamp_max(F.shape[dim] - 1)
    return torch.lerp(F.index_select(dim, below), F.index_select(dim, above), share)


def frame_sizes(sr: int) -> tuple[int, int]:
    """Return window and hop in samples that last as long as 2048 and 512 at 22 050 Hz."""
    n_fft = N_FFT if sr == SR else 2 * max(8, round(N_FFT / 2 * sr / SR))
    return n_fft, n_fft // (N_FFT // HOP)


def fitted_gain(S: torch.Tensor, bands: torch.Tensor, floor: float) -> torch.Tensor:
    """Return the log gain [shape=(1025, n_frames)] with which magnitudes have the expected energies in bands.

    The energies [shape=(80, n_frames)] are natural logarithms, as `floor`: what lies below that is raised as if it lay
    there, so that noise stays noise and silence silence.
    """
    mel, power = mel_filters(S.device), S.square()
    spread = (mel / mel.sum(0).clamp_min(1e-9)).T
    log_gain = torch.zeros_like(power)
    for frames in torch.arange(power.shape[1], device=S.device).split(CHUNK):
        P, G = power[:, frames], torch.zeros_like(power[:, frames])
        most = spread @ (bands[:, frames] - floor)
        for _ in range(_ROUNDS):
            G = (G + spread @ (bands[:, frames] - (mel @ (P * G.exp()) + 1e-9).log())).minimum(most)
        log_gain[:, frames] = G / 2
    log_gain[TOP_BIN:] = log_gain[TOP_BIN]
    return log_gain
