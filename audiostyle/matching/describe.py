"""Describe what a timbre hardly changes: where partials lie, how bands move, how old a note is.

A clip of any length is described half a minute at a time. A first pass finds what a frame's description takes from the
whole clip (`Clip`). After it a frame depends on a few frames beside it alone, so blocks join seamlessly.

The mel filters and the onsets equal librosa's, whose import takes longer than the match of ten seconds.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view as _windows
from scipy import fft

from audiostyle.sound.samples import resample

SR, N_FFT, HOP = 22050, 2048, 512
N_BANDS = 80
# Transpositions of the style, and frames of it that are used, at most.
SEMITONES, STYLE_FRAMES = range(-18, 19), 1000
# Frames that are analysed or filtered at a time, and frames of a block.
CHUNK, _BLOCK = 768, 1536
# Cosines of an envelope along bins; frames of a fine structure and of a course; upper end of the former in Hz.
_LINE, _FINE, _COURSE, _FINE_TOP = 20, 3, 11, 4000
# Lag in frames at which steadiness is measured; frames beside a block that reach into it.
_LAG, _BESIDE = 6, 7
# Nepers of power under the loudest frame: 30 dB, within which a frame sounds; 80 dB, under which it is silent.
_SOUNDS, SILENT = 6.9, 18.4


class Description(NamedTuple):
    """Frames of 2048 samples, every 512, at 22 050 Hz; columns of `fine` and `course` have unit norm."""

    fine: torch.Tensor  # [shape=(1116, n_frames)] log magnitudes less their envelope, of three frames
    course: torch.Tensor  # [shape=(880, n_frames)] standardised log energies of the bands, of eleven frames
    age: torch.Tensor  # [shape=(n_frames,)] natural logarithm of the frames since the last onset, plus 2
    bands: torch.Tensor  # [shape=(80, n_frames)] log energies (natural) of the mel bands
    S: torch.Tensor  # [shape=(1025, n_frames)] magnitudes


class Clip:
    """A clip to be matched, and what its frames have in common; it keeps 14 kB a second.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns samples [shape=(stop - start,)] at 22 050 Hz, at the level of the analysis.
    n_samples : int > 0

    Attributes
    ----------
    bands, age : torch.Tensor [shape=(80, n_frames) and (n_frames,)]
        As in `Description`.
    quietest : torch.Tensor [shape=(80, 1)]
        Lowest levels of the bands, but for silence and for one frame in 50.
    steadiness : float
        Cosine of the fine structure with that 140 ms earlier that one sounding frame in ten exceeds.
    """

    def __init__(
        self, read: Callable[[int, int], np.ndarray], n_samples: int, *, device: str | torch.device = "cpu"
    ) -> None:
        self._read, self.n_samples, self.device = read, n_samples, device
        self.n_frames = 1 + math.ceil(n_samples / HOP)
        parts = []
        for first, last in self.blocks():
            begin, S = self._frames_around(first, last)
            fine = fine_structure(S)
            lagged = torch.nn.functional.pad(fine, (_LAG, 0))[:, : fine.shape[1]]
            found = log_bands(S), (fine * lagged).sum(0), _rise(S)
            parts.append([x[..., first - begin : last - begin] for x in found])
        self.bands, cosines, rises = (torch.cat(x, -1) for x in zip(*parts, strict=True))
        self.age = _age(rises)
        loudness = self.bands.logsumexp(0)
        sounds = loudness > loudness.max() - _SOUNDS
        steady = cosines[_LAG:][sounds[_LAG:] & sounds[:-_LAG]]
        self.steadiness = float(steady.quantile(0.9)) if len(steady) else 1.0
        heard = self.bands[:, loudness > loudness.max() - SILENT]
        self.quietest = heard.kthvalue(1 + round(0.02 * (heard.shape[1] - 1)), 1, keepdim=True).values

    def blocks(self, size: int = _BLOCK) -> Iterator[tuple[int, int]]:
        """Yield the first frame of every block and the one after its last."""
        for first in range(0, self.n_frames, size):
            yield first, min(first + size, self.n_frames)

    def describe(self, first: int = 0, last: int | None = None) -> Description:
        """Describe the frames from `first` to before `last`, all by default."""
        last = self.n_frames if last is None else last
        begin, S = self._frames_around(first, last)
        end = begin + S.shape[1]
        bands, age = self.bands[:, begin:end], self.age[begin:end]
        found = fine_structure(S), course(bands, self.bands), age, bands, S
        return Description(*(x[..., first - begin : last - begin] for x in found))

    def _frames_around(self, first: int, last: int) -> tuple[int, torch.Tensor]:
        """Return the magnitudes of frames that reach into a block, and the number of the first of them."""
        begin, end = max(0, first - _BESIDE), min(self.n_frames, last + _BESIDE)
        start = max(0, begin - 2)  # a window covers two hops to either side
        y = self._read(start * HOP, min(self.n_samples, (end + 2) * HOP))
        return begin, magnitudes(y, end - start, 1.0, self.device)[:, begin - start :]


def describe(y: np.ndarray, *, device: str | torch.device = "cpu") -> Description:
    """Describe a waveform [shape=(n_samples,)] at 22 050 Hz."""
    return Clip(lambda start, stop: y[start:stop], len(y), device=device).describe()


class Library:
    """The style's frames at every transposition, one after the other; `own` are the bands of the untransposed ones."""

    def __init__(self, y: np.ndarray, A: Description) -> None:
        n_frames, device = len(A.age), A.bands.device
        kept = torch.linspace(0, n_frames - 1, min(n_frames, STYLE_FRAMES)).round().long()
        self.fine, self.course, bands = [], [], []
        centres = _mel_frequencies(N_BANDS + 2)[1:-1]
        for semitones in SEMITONES:
            rate = 2 ** (semitones / 12)
            S = magnitudes(transposed(y, semitones), n_frames, rate, device)
            b = log_bands(S)
            self.fine.append(fine_structure(S)[:, kept].half())
            self.course.append(course(b, b)[:, kept].half())
            # Played slower it ends below half the sample rate; above, the style itself stands in.
            top = int(np.searchsorted(centres, SR / 2 * rate * 0.97)) if rate < 1 else N_BANDS
            bands.append(torch.cat([b[:top], A.bands[top:]])[:, kept])
        self.bands, self.own = torch.cat(bands, 1), A.bands[:, kept].repeat(1, len(SEMITONES))
        self.loudness, self.age = self.bands.logsumexp(0), A.age[kept].repeat(len(SEMITONES))
        self.semitones = torch.tensor(SEMITONES, device=device).repeat_interleave(len(kept))

    def most_similar(
        self, C: Description, frames: torch.Tensor, factors: tuple[float, ...], n: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return numbers of the n frames most like those of a content, weights and cosines of fine structures.

        Each [shape=(n_frames, n)]; the weights of a frame add up to 1. The factors of a log weight are those of the two
        cosines and, subtracted, of the difference in age and of semitones.
        """
        fine, courses = (
            torch.cat([of_content[:, frames].T @ part.float() for part in parts], 1)
            for of_content, parts in ((C.fine, self.fine), (C.course, self.course))
        )
        by_fine, by_course, by_age, by_semitone = factors
        similarity = by_fine * fine + by_course * courses - by_age * (C.age[frames, None] - self.age).abs()
        similarity -= by_semitone * self.semitones.abs()
        weights, which = similarity.topk(min(n, similarity.shape[1]), dim=1)
        return which, weights.softmax(1), fine.gather(1, which)


def transposed(y: np.ndarray, semitones: float, *, sr: int = SR) -> np.ndarray:
    """Play a waveform faster or slower, which moves its pitch by so many semitones and changes its length."""
    if semitones == 0:
        return y
    played = round(sr * 2 ** (semitones / 12))
    return resample(y, played, sr, quality="MQ")


def magnitudes(y: np.ndarray, n_frames: int, rate: float, device: str | torch.device) -> torch.Tensor:
    """Return magnitudes [shape=(1025, n_frames)] of a waveform played at a rate, at the original's times."""
    y = torch.as_tensor(y, dtype=torch.float32, device=device)
    padded = torch.nn.functional.pad(y, (N_FFT // 2, N_FFT // 2 + N_FFT))
    starts = (torch.arange(n_frames, device=device) * (HOP / rate)).round().long()
    starts.clamp_max_(len(padded) - N_FFT)
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
    return _unit(_stacked((line - smooth(line, _LINE))[: round(_FINE_TOP / SR * N_FFT)], _FINE))


def course(bands: torch.Tensor, clip: torch.Tensor) -> torch.Tensor:
    """Return how bands move over a quarter of a second, standardised over all frames of their clip."""
    std, mean = torch.std_mean(clip, 1, correction=0, keepdim=True)
    return _unit(_stacked((bands - mean) / (std + 1e-3), _COURSE))


@lru_cache(maxsize=4)
def mel_filters(device: torch.device, n_bands: int = N_BANDS) -> torch.Tensor:
    """Return the mel filters [shape=(n_bands, 1025)], of unit area."""
    hz, edges = np.fft.rfftfreq(N_FFT, 1 / SR), _mel_frequencies(n_bands + 2)[:, None]
    steps = np.diff(edges, axis=0)
    rising, falling = (hz - edges[:-2]) / steps[:-1], (edges[2:] - hz) / steps[1:]
    filters = np.minimum(rising, falling).clip(0) * 2 / (edges[2:] - edges[:-2])
    return torch.as_tensor(filters, dtype=torch.float32, device=device)


def _mel_frequencies(n: int) -> np.ndarray:
    """Return n frequencies in Hz from 0 to 11 025, equally spaced in mel (Slaney 1998): linear up to 1 kHz."""
    mels = np.linspace(0, 15 + 27 * np.log(SR / 2000) / np.log(6.4), n)
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


def smooth(F: torch.Tensor, n_kept: int) -> torch.Tensor:
    """Keep the lowest `n_kept` cosines along the first dimension: an envelope."""
    basis = _cosines(len(F), n_kept, F.device)
    return basis.T @ (basis @ F)


@lru_cache(maxsize=8)
def _cosines(n: int, n_kept: int, device: torch.device) -> torch.Tensor:
    basis = fft.dct(np.eye(n), axis=0, norm="ortho")[:n_kept]
    return torch.as_tensor(basis, dtype=torch.float32, device=device)


def _rise(S: torch.Tensor) -> torch.Tensor:
    """Return how much narrow bands rise over two frames [shape=(n_frames,)], vibrato apart (Böck & Widmer 2013)."""
    levels = (mel_filters(S.device, 2 * N_BANDS) @ S.square() + 3e-4).log()
    highest = torch.nn.functional.pad(levels, (0, 0, 1, 1), value=-torch.inf).unfold(0, 3, 1).amax(-1)
    return torch.nn.functional.pad((levels[:, 2:] - highest[:, :-2]).clamp_min(0).mean(0), (2, 0))


def _age(rises: torch.Tensor) -> torch.Tensor:
    """Return the log age of the last onset [shape=(n_frames,)], a peak of the rise (Böck, Krebs & Schedl 2012)."""
    y = rises.cpu().numpy().astype(np.float64)
    highest = _windows(np.pad(y, (3, 2), constant_values=-np.inf), 6).max(1)
    mean = np.nanmean(_windows(np.pad(y, (8, 7), constant_values=np.nan), 16), 1)
    onsets = []
    for n in np.flatnonzero((y == highest) & (y >= mean + 0.12 * np.percentile(y, 99))):
        if not onsets or n > onsets[-1] + 4:
            onsets.append(n)
    frames, onsets = np.arange(len(y)), np.array([-3, *onsets])  # a clip may begin within a note
    since = frames - onsets[np.searchsorted(onsets, frames, side="right") - 1]
    return torch.as_tensor(np.log(since + 2.0), dtype=torch.float32, device=rises.device)


def _stacked(F: torch.Tensor, n: int) -> torch.Tensor:
    """Put n neighbouring frames into one column; the ends are repeated."""
    padded = torch.nn.functional.pad(F[None], (n // 2, n // 2), mode="replicate")[0]
    return torch.cat([padded[:, i : i + F.shape[1]] for i in range(n)])


def _unit(F: torch.Tensor) -> torch.Tensor:
    return F / (F.norm(dim=0, keepdim=True) + 1e-6)
