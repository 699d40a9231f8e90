"""What a timbre hardly changes in a sound: fine structure, course, age.

A clip of any length is described some half a minute at a time. What a frame's description takes from the whole clip
is found in a first pass (`Clip`); after it a frame depends on few frames beside it, so that blocks join seamlessly.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import librosa
import numpy as np
import torch
from scipy import fft

SR, N_FFT, HOP = 22050, 2048, 512
N_BANDS = 80
# Frames that are analysed or filtered at a time.
CHUNK = 768
# Cosines of an envelope along bins; context of fine structure and course in frames; upper end of the former in Hz.
_LINE, _FINE, _COURSE, _FINE_TOP = 20, 3, 11, 4000
# Lag in frames at which steadiness is measured, and nepers of power (30 dB) within which frames sound.
_LAG, _SOUNDS = 6, 6.9
# Nepers of power under the loudest frame (80 dB) below which a frame is silent.
_SILENT = 18.4
# Frames of a block, and frames beside it that reach into it: windows, and eleven stacked frames.
_BLOCK, _BESIDE = 1536, 12


class Description(NamedTuple):
    """Frames of 2048 samples every 512 at 22 050 Hz, as the matching sees them.

    Parameters
    ----------
    fine, course : torch.Tensor [shape=(n_values, n_frames)]
        Columns of unit norm: log magnitudes up to 4 kHz less their envelope, of three frames; standardised log energies
        of the bands, of eleven frames.
    age : torch.Tensor [shape=(n_frames,)]
        Natural logarithm of the frames since the last onset, plus 2.
    bands : torch.Tensor [shape=(80, n_frames)]
        Log energies (natural) of the mel bands.
    """

    fine: torch.Tensor
    course: torch.Tensor
    age: torch.Tensor
    bands: torch.Tensor


class Block(NamedTuple):
    """Frames `first` to before `last`, and those from `begin` to before `end` that reach into them."""

    first: int
    last: int
    begin: int
    end: int

    def cut(self, F: torch.Tensor) -> torch.Tensor:
        """Leave out what only reaches into the block, along the last axis."""
        return F[..., self.first - self.begin : self.last - self.begin]


class Clip:
    """A clip to be matched, and what its frames have in common; it keeps 14 kB for each second.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns samples [shape=(stop - start,)] at 22 050 Hz, at the level of the analysis.
    n_samples : int > 0
    device : str
        Torch device to compute on.

    Attributes
    ----------
    n_frames : int
    bands, age : torch.Tensor [shape=(80, n_frames) and (n_frames,)]
        As in `Description`.
    quietest : torch.Tensor [shape=(80, 1)]
        The lowest levels of the bands, but for one frame in 500 and for silence.
    steadiness : float
        Mean cosine of the fine structure with that 140 ms earlier, in frames within 30 dB of the loudest.
    """

    def __init__(
        self, read: Callable[[int, int], np.ndarray], n_samples: int, *, device: str | torch.device = "cpu"
    ) -> None:
        self._read, self.n_samples, self.device = read, n_samples, device
        self.n_frames = 1 + math.ceil(n_samples / HOP)
        self._kept: tuple[Block, torch.Tensor] | None = None
        bands, cosines, risen = [], [], []
        for block in self.blocks():
            S = self.magnitudes(block)
            bands.append(block.cut(log_bands(S)))
            cosines.append(block.cut(_lagged_cosines(fine_structure(S))))
            risen.append(block.cut(_rise(S)))
        self.bands, self.age = torch.cat(bands, 1), _age(torch.cat(risen))
        loudness = self.bands.logsumexp(0)
        sounds = loudness > loudness.max() - _SOUNDS
        steady = torch.cat(cosines)[_LAG:][sounds[_LAG:] & sounds[:-_LAG]]
        self.steadiness = float(steady.mean()) if len(steady) else 1.0
        heard = self.bands[:, loudness > loudness.max() - _SILENT]
        self.quietest = heard.kthvalue(1 + round(0.002 * (heard.shape[1] - 1)), 1, keepdim=True).values
        self._standard = mean_and_deviation(self.bands)

    def blocks(self, size: int = _BLOCK) -> Iterator[Block]:
        """Yield the blocks of the clip, of `size` frames each."""
        for first in range(0, self.n_frames, size):
            last = min(first + size, self.n_frames)
            yield Block(first, last, max(0, first - _BESIDE), min(self.n_frames, last + _BESIDE))

    def whole(self) -> Block:
        """Return all frames as one block."""
        return Block(0, self.n_frames, 0, self.n_frames)

    def magnitudes(self, block: Block) -> torch.Tensor:
        """Return magnitudes [shape=(1025, end - begin)]; those of the last block are kept."""
        if self._kept is None or self._kept[0][2:] != block[2:]:
            y = self._read(block.begin * HOP, min(self.n_samples, block.end * HOP))
            self._kept = block, magnitudes(y, block.end - block.begin, 1.0, self.device)
        return self._kept[1]

    def describe(self, block: Block) -> Description:
        """Describe the frames of a block."""
        S = self.magnitudes(block)
        bands = log_bands(S)
        return Description(
            block.cut(fine_structure(S)),
            block.cut(course(bands, *self._standard)),
            self.age[block.first : block.last],
            block.cut(bands),
        )


def describe(y: np.ndarray, *, device: str | torch.device = "cpu") -> Description:
    """Describe a waveform [shape=(n_samples,)] at 22 050 Hz by what a timbre hardly changes."""
    clip = Clip(lambda a, b: y[a:b], len(y), device=device)
    return clip.describe(clip.whole())


def transposed(y: np.ndarray, semitones: float, *, sr: int = SR) -> np.ndarray:
    """Play a waveform faster or slower, which moves its pitch by so many semitones and changes its length."""
    if semitones == 0:
        return y
    played = round(sr * 2 ** (semitones / 12))
    return librosa.resample(y, orig_sr=played, target_sr=sr, res_type="soxr_mq")


def magnitudes(y: np.ndarray, n_frames: int, rate: float, device: str | torch.device) -> torch.Tensor:
    """Return magnitudes [shape=(1025, n_frames)] of a waveform played at a rate, at the original's times."""
    y = torch.as_tensor(y, dtype=torch.float32, device=device)
    padded = torch.nn.functional.pad(y, (N_FFT // 2, N_FFT // 2 + N_FFT))
    at = torch.arange(n_frames, device=device) * (HOP / rate)
    starts = at.round().long().clamp_max(len(padded) - N_FFT)
    frames, window = padded.unfold(0, N_FFT, 1), torch.hann_window(N_FFT, device=device, dtype=torch.float32)
    S = y.new_empty(N_FFT // 2 + 1, n_frames)
    for chosen in torch.arange(n_frames, device=device).split(CHUNK):
        S[:, chosen] = torch.fft.rfft(frames[starts[chosen]] * window, dim=1).abs().T
    return S


def log_bands(S: torch.Tensor) -> torch.Tensor:
    """Return log energies of the bands [shape=(80, n_frames)]."""
    return (mel_filters(S.device) @ S.square() + 1e-6).log()


def fine_structure(S: torch.Tensor) -> torch.Tensor:
    """Return where the partials of magnitudes lie: log magnitudes less their envelope, of three frames."""
    line = (S + 2e-3).log()
    line = (line - smooth(line, _LINE))[: round(_FINE_TOP / SR * N_FFT)]
    return _unit(_stacked(line, _FINE))


def course(bands: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Return how bands move over a quarter of a second, less a mean and over a deviation [shape=(80, 1)]."""
    return _unit(_stacked((bands - mean) / (std + 1e-3), _COURSE))


def mean_and_deviation(bands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both [shape=(80, 1)] over frames."""
    return bands.mean(1, keepdim=True), bands.std(1, correction=min(1, bands.shape[1] - 1), keepdim=True)


def averaged(F: torch.Tensor, n: int) -> torch.Tensor:
    """Average n neighbouring frames, n odd; the ends are repeated."""
    padded = torch.nn.functional.pad(F[:, None], (n // 2, n // 2), mode="replicate")
    return torch.nn.functional.avg_pool1d(padded, n, 1)[:, 0]


def interpolated(F: torch.Tensor, positions: torch.Tensor, dim: int) -> torch.Tensor:
    """Interpolate linearly at fractional indices of a dimension; beyond the ends the last value holds."""
    positions = positions.clamp(0, F.shape[dim] - 1).to(F.device)
    below = positions.floor().long().clamp_max(max(F.shape[dim] - 2, 0))
    share = (positions - below).to(F.dtype)
    share = share if dim == 1 else share[:, None]
    above = (below + 1).clamp_max(F.shape[dim] - 1)
    return torch.lerp(F.index_select(dim, below), F.index_select(dim, above), share)


@lru_cache(maxsize=4)
def mel_filters(device: str | torch.device) -> torch.Tensor:
    """Return the mel filters [shape=(80, 1025)]."""
    return torch.as_tensor(librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=N_BANDS), device=device)


def smooth(F: torch.Tensor, n_kept: int) -> torch.Tensor:
    """Keep the lowest `n_kept` cosines along the first dimension: an envelope."""
    basis = _cosines(len(F), n_kept, F.device)
    return basis.T @ (basis @ F)


@lru_cache(maxsize=8)
def _cosines(n: int, n_kept: int, device: torch.device) -> torch.Tensor:
    basis = fft.dct(np.eye(n), axis=0, norm="ortho")[:n_kept]
    return torch.as_tensor(basis, dtype=torch.float32, device=device)


def _lagged_cosines(fine: torch.Tensor) -> torch.Tensor:
    """Return the cosine of every frame's fine structure with that 140 ms earlier [shape=(n_frames,)]; 0 at first."""
    cosines = (fine[:, _LAG:] * fine[:, :-_LAG]).sum(0)
    return torch.nn.functional.pad(cosines, (min(_LAG, fine.shape[1]), 0))


def _rise(S: torch.Tensor) -> torch.Tensor:
    """Return how much bands rise over two frames [shape=(n_frames,)] (Böck & Widmer 2013)."""
    mel = torch.as_tensor(librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=2 * N_BANDS), device=S.device)
    levels = (mel @ S.square() + 3e-4).log()
    past = torch.nn.functional.max_pool1d(levels.T[:, None], 3, 1, 1)[:, 0].T
    risen = (levels[:, 2:] - past[:, :-2]).clamp_min(0).mean(0)
    return torch.nn.functional.pad(risen, (min(2, S.shape[1]), 0))


def _age(risen: torch.Tensor) -> torch.Tensor:
    """Return the log age of the last onset [shape=(n_frames,)], a peak of the rise."""
    peaky = risen.cpu().numpy().astype(np.float64)
    least = float(0.12 * np.percentile(peaky, 99))
    onsets = librosa.util.peak_pick(peaky, pre_max=3, post_max=3, pre_avg=8, post_avg=8, delta=least, wait=4)
    onsets = np.unique(np.concatenate([[-3], onsets]))
    frames = np.arange(len(peaky))
    since = frames - onsets[np.searchsorted(onsets, frames, side="right") - 1]
    return torch.as_tensor(np.log(since + 2.0), dtype=torch.float32, device=risen.device)


def _stacked(F: torch.Tensor, n: int) -> torch.Tensor:
    """Put n neighbouring frames into one column; the ends are repeated."""
    padded = torch.nn.functional.pad(F[None], (n // 2, n // 2), mode="replicate")[0]
    return torch.cat([padded[:, i : i + F.shape[1]] for i in range(n)])


def _unit(F: torch.Tensor) -> torch.Tensor:
    return F / (F.norm(dim=0, keepdim=True) + 1e-6)
