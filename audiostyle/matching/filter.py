"""A gain over time and frequency, applied to a complex transform at any sample rate."""

from typing import NamedTuple

import numpy as np
import torch

from audiostyle.matching.describe import CHUNK, HOP, N_FFT, SR, interpolated, magnitudes, mel_filters
from audiostyle.spectrogram import istft, stft

# Rounds in which the gain is fitted, as the bands overlap.
_ROUNDS = 10
# Above, the uppermost band ends and resampling takes its share: at higher rates this bin's gain is held.
TOP_BIN = int(0.94 * N_FFT / 2)
# Samples that are filtered at a time, and hops beside them that reach into them.
_PART, _BESIDE = 1 << 20, 6


class Filter(NamedTuple):
    """A gain that changes over time and frequency.

    Parameters
    ----------
    log_gain : torch.Tensor [shape=(n_bins, n_frames)]
        Natural logarithm of the factor on the magnitude, for bins and frames of 2048 and 512 samples at 22 050 Hz.
    first : int
        Frame of the sound at which these begin.
    """

    log_gain: torch.Tensor
    first: int = 0

    def apply(self, y: np.ndarray, sr: int, *, strength: float = 1.0) -> np.ndarray:
        """Filter a sound at its own sample rate.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
            The sound whose mid signal the filter was made for.
        sr : int > 0
            Its sample rate in Hz. Above 10.4 kHz the gain is that of the top band (see `audiostyle.matching.own`).
        strength : float >= 0
            Factor of the gain in decibels; 0 changes nothing.

        Returns
        -------
        np.ndarray [shape=as y, dtype=float32]
        """
        y = np.asarray(y, dtype=np.float32)
        channels = [self._channel(channel, sr, strength) for channel in np.atleast_2d(y)]
        return np.stack(channels).reshape(y.shape)

    def _channel(self, y: np.ndarray, sr: int, strength: float) -> np.ndarray:
        _, hop = frame_sizes(sr)
        step = _PART // hop * hop
        parts = [(start, min(start + step, len(y))) for start in range(0, len(y), step)]
        filtered = np.empty_like(y)
        for start, stop in parts:
            filtered[start:stop] = self.part(lambda a, b: y[a:b], start, stop, len(y), sr, strength=strength)
        return filtered

    def part(
        self, read, start: int, stop: int, n_samples: int, sr: int, *, strength: float = 1.0
    ) -> np.ndarray:
        """Filter samples `start` to `stop` of one channel, of which `read(a, b)` returns samples a to b.

        Parts that begin at whole hops (`frame_sizes`) join to what `apply` gives of the whole.
        """
        n_fft, hop = frame_sizes(sr)
        first = max(0, start - _BESIDE * hop)
        y = torch.from_numpy(read(first, min(n_samples, stop + _BESIDE * hop)))
        D = stft(y, n_fft=n_fft, hop_length=hop)
        for frames in torch.arange(D.shape[1]).split(CHUNK * 4):
            seconds = (frames.double() + first // hop) * (hop / sr)
            D[:, frames] *= (strength * self._at(seconds, D.shape[0], sr)).exp()
        return istft(D, hop_length=hop, length=len(y)).numpy()[start - first : stop - first]

    def _at(self, seconds: torch.Tensor, n_bins: int, sr: int) -> torch.Tensor:
        """Interpolate the gain to frames at these times and to bins of another transform."""
        frames = interpolated(self.log_gain, seconds * (SR / HOP) - self.first, 1)
        if sr == SR:
            return frames
        bins = torch.arange(n_bins) * ((sr / 2) / (n_bins - 1) * N_FFT / SR)
        return interpolated(frames, bins.clamp_max(TOP_BIN), 0)


def frame_sizes(sr: int) -> tuple[int, int]:
    """Return window and hop in samples that last as long as 2048 and 512 at 22 050 Hz.

    Examples
    --------
    >>> frame_sizes(44100)
    (4096, 1024)
    """
    n_fft = N_FFT if sr == SR else 2 * max(8, round(N_FFT / 2 * sr / SR))
    return n_fft, n_fft // (N_FFT // HOP)


def fitted_gain(y: np.ndarray, sr: int, bands: torch.Tensor, floor: float, device) -> torch.Tensor:
    """Return the log gain with which the content's bands have the expected energies."""
    mel = mel_filters(device)
    top = min(N_FFT // 2, int(sr / SR * TOP_BIN))
    spread = (mel / mel.sum(0).clamp_min(1e-9)).T
    power = magnitudes(y, bands.shape[1], N_FFT, 1.0, device).square()
    log_gain = torch.zeros_like(power)
    for frames in torch.arange(power.shape[1], device=device).split(CHUNK * 4):
        P, G = power[:, frames], torch.zeros_like(power[:, frames])
        # What is under the floor is raised as if it lay there: noise stays noise, and silence silence.
        most = spread @ (bands[:, frames] - floor)
        for _ in range(_ROUNDS):
            G += spread @ (bands[:, frames] - (mel @ (P * G.exp()) + 1e-9).log())
            G = torch.minimum(G, most)
        log_gain[:, frames] = 0.5 * G
    log_gain[top:] = log_gain[top]
    return log_gain.cpu()
