"""A gain over time and frequency, applied to a complex transform at any sample rate and of any number of channels."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import librosa
import numpy as np
import torch

from audiostyle.matching.describe import CHUNK, HOP, N_FFT, SR, interpolated, mel_filters
from audiostyle.sound.samples import Sound
from audiostyle.spectrogram import istft, stft

# Rounds in which the gain is fitted, as the bands overlap.
_ROUNDS = 10
# Harmony: pitch classes to an octave, upper end in Hz; share of the energy under which a class is not told from
# silence; most that is given back, in nepers of power.
_CLASSES, _HARMONY_TOP, _SILENT, _MOST = 24, 1000, 1e-3, 2.0
# Above, the uppermost band ends and resampling takes its share: at higher rates this bin's gain is held.
TOP_BIN = int(0.94 * N_FFT / 2)
# Samples that are filtered at a time; hops beside them that reach into them; frames of a gain kept for the next one.
_PART, _BESIDE, _KEPT = 1 << 20, 6, 16


class Gain(NamedTuple):
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
        """Filter a waveform [shape=(n_samples,) or (n_channels, n_samples)] at its own sample rate, as `filtered`."""
        parts = list(filtered([self], Sound.of(y, sr), strength=strength))
        return np.concatenate(parts, axis=1).reshape(y.shape)

    def at(self, seconds: torch.Tensor, n_bins: int, sr: int) -> torch.Tensor:
        """Interpolate to frames at these times and to the bins of a transform at another rate."""
        frames = interpolated(self.log_gain, seconds * (SR / HOP) - self.first, 1)
        if sr == SR:
            return frames
        bins = torch.arange(n_bins) * ((sr / 2) / (n_bins - 1) * N_FFT / SR)
        return interpolated(frames, bins.clamp_max(TOP_BIN), 0)


def filtered(gains: Iterable[Gain], sound: Sound, *, strength: float = 1.0) -> Iterator[np.ndarray]:
    """Apply gains that follow each other to all channels of a sound.

    Parameters
    ----------
    gains : iterable of Gain
        Each begins where the one before ended; after the last, its last frame holds.
    sound : Sound
        Its mid signal is what the gains were found for. Above 10.4 kHz the gain is that of the top band.
    strength : float >= 0
        Factor of the gains in decibels; 0 changes nothing.

    Yields
    ------
    np.ndarray [shape=(n_channels, n), dtype=float32]
        One part of the sound after the other.
    """
    n_fft, hop = frame_sizes(sound.sr)
    done, held, known = 0, Gain(torch.zeros(N_FFT // 2 + 1, 0, dtype=torch.float32)), 0
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
            parts = []
            for channel in y:
                D = stft(channel, n_fft=n_fft, hop_length=hop)
                for frames in torch.arange(D.shape[1]).split(CHUNK):
                    seconds = (frames.double() + first // hop) * (hop / sound.sr)
                    D[:, frames] *= (strength * held.at(seconds, D.shape[0], sound.sr)).exp()
                parts.append(istft(D, hop_length=hop, length=len(channel))[done - first : stop - first])
            yield torch.stack(parts).numpy()
            done = stop
        kept = max(0, int(done / sound.sr * SR / HOP) - _KEPT - held.first)
        held = Gain(held.log_gain[:, kept:], held.first + kept)


def frame_sizes(sr: int) -> tuple[int, int]:
    """Return window and hop in samples that last as long as 2048 and 512 at 22 050 Hz.

    Examples
    --------
    >>> frame_sizes(44100)
    (4096, 1024)
    """
    n_fft = N_FFT if sr == SR else 2 * max(8, round(N_FFT / 2 * sr / SR))
    return n_fft, n_fft // (N_FFT // HOP)


def fitted_gain(S: torch.Tensor, bands: torch.Tensor, floor: float, harmony: float) -> torch.Tensor:
    """Return the log gain with which magnitudes have the expected energies in bands.

    Parameters
    ----------
    S : torch.Tensor [shape=(1025, n_frames), non-negative]
    bands : torch.Tensor [shape=(80, n_frames)]
        Natural logarithms of the energies.
    floor : float
        Natural logarithm of power. What lies below is raised as if it lay there: noise stays noise, silence silence.
    harmony : float in [0, 1]
        Share of what the gain would do to the pitch classes that is given back.

    Returns
    -------
    torch.Tensor [shape=(1025, n_frames)]
    """
    mel, power = mel_filters(S.device), S.square()
    spread = (mel / mel.sum(0).clamp_min(1e-9)).T
    log_gain = torch.zeros_like(power)
    for frames in torch.arange(power.shape[1], device=S.device).split(CHUNK):
        P, G = power[:, frames], torch.zeros_like(power[:, frames])
        most = spread @ (bands[:, frames] - floor)
        for _ in range(_ROUNDS):
            G += spread @ (bands[:, frames] - (mel @ (P * G.exp()) + 1e-9).log())
            G = torch.minimum(G, most)
        log_gain[:, frames] = 0.5 * (G + harmony * _harmony_back(P, G))
    log_gain[TOP_BIN:] = log_gain[TOP_BIN]
    return log_gain


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
