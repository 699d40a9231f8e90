"""A gain over time and frequency, applied to a complex transform at any sample rate."""

from functools import lru_cache
from typing import NamedTuple

import librosa
import numpy as np
import torch

from audiostyle.matching.describe import CHUNK, HOP, N_FFT, SR, interpolated, magnitudes, mel_filters
from audiostyle.spectrogram import istft, stft

# Rounds in which the gain is fitted, as the bands overlap.
_ROUNDS = 10
# Harmony: pitch classes to an octave, upper end in Hz; share of the energy under which a class is not told from
# silence; most that is given back, in nepers of power.
_CLASSES, _HARMONY_TOP, _SILENT, _MOST = 24, 1000, 1e-3, 2.0


class Filter(NamedTuple):
    """A gain that changes over time and frequency.

    Parameters
    ----------
    log_gain : torch.Tensor [shape=(n_bins, n_frames)]
        Natural logarithm of the factor on the magnitude, for bins and frames of 2048 and 512 samples at 22 050 Hz.
    """

    log_gain: torch.Tensor

    def apply(self, y: np.ndarray, sr: int, *, strength: float = 1.0) -> np.ndarray:
        """Filter a sound at its own sample rate.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
            The sound whose mid signal the filter was made for.
        sr : int > 0
            Its sample rate in Hz. Above 11 kHz the gain is that of the top band.
        strength : float >= 0
            Factor of the gain in decibels; 0 changes nothing.

        Returns
        -------
        np.ndarray [shape=as y, dtype=float32]
        """
        n_fft = N_FFT if sr == SR else 2 * max(8, round(N_FFT / 2 * sr / SR))
        hop = n_fft // (N_FFT // HOP)
        channels = [self._channel(channel, sr, n_fft, hop, strength) for channel in np.atleast_2d(y)]
        return np.stack(channels).reshape(np.shape(y))

    def _channel(self, y: np.ndarray, sr: int, n_fft: int, hop: int, strength: float) -> np.ndarray:
        D = stft(torch.as_tensor(y, dtype=torch.float32), n_fft=n_fft, hop_length=hop)
        for frames in torch.arange(D.shape[1]).split(CHUNK * 4):
            D[:, frames] *= (strength * self._at(frames * (hop / sr), D.shape[0], sr)).exp()
        return istft(D, hop_length=hop, length=len(y)).numpy()

    def _at(self, seconds: torch.Tensor, n_bins: int, sr: int) -> torch.Tensor:
        """Interpolate the gain to frames at these times and to bins of another transform."""
        frames = interpolated(self.log_gain, seconds * (SR / HOP), 1)
        if sr == SR:
            return frames
        return interpolated(frames, torch.arange(n_bins) * ((sr / 2) / (n_bins - 1) * N_FFT / SR), 0)


def fitted_gain(
    y: np.ndarray, sr: int, bands: torch.Tensor, floor: float, harmony: float, device: str | torch.device
) -> torch.Tensor:
    """Return the log gain with which the content's bands have the expected energies.

    A share `harmony` of what it would do to the pitch classes is given back.
    """
    mel = mel_filters(device)
    top = min(N_FFT // 2, int(0.94 * sr / SR * N_FFT / 2))
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
        G = G + harmony * _harmony_back(P, G)
        log_gain[:, frames] = 0.5 * G
    log_gain[top:] = log_gain[top]
    return log_gain.cpu()


def _harmony_back(P: torch.Tensor, G: torch.Tensor) -> torch.Tensor:
    """Return the log gain that gives pitch classes below 1 kHz the shares they had before the gain G.

    Down there a band is hardly wider than a semitone, and a gain that follows another note would lift that note. One
    factor for a pitch class in all octaves leaves the timbre, which is how partials of a note compare.
    """
    classes = _pitch_classes(P.device)
    before, after = (classes @ power for power in (P, P * G.exp()))
    before, after = (shares / shares.sum(0).clamp_min(1e-9) for shares in (before, after))
    back = ((before + _SILENT) / (after + _SILENT)).log().clamp(-_MOST, _MOST)
    return classes.T @ back


@lru_cache(maxsize=2)
def _pitch_classes(device: torch.device) -> torch.Tensor:
    """Return the share of each pitch class in each bin [shape=(24, 1025)], 0 above 1 kHz and below 40 Hz."""
    chroma = librosa.filters.chroma(sr=SR, n_fft=N_FFT, tuning=0, n_chroma=_CLASSES, octwidth=None, norm=None)
    frequencies = np.arange(N_FFT // 2 + 1) * (SR / N_FFT)
    chroma[:, (frequencies < 40) | (frequencies >= _HARMONY_TOP)] = 0
    return torch.as_tensor(chroma / np.maximum(chroma.sum(0), 1e-9), dtype=torch.float32, device=device)
