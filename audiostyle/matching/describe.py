"""Describe what a timbre hardly changes: where partials lie, how bands move, how old a note is.

A clip of any length is described half a minute at a time. A first pass finds what a frame's description takes from the
whole clip (`Clip`). After it a frame depends on a few frames beside it alone, so blocks join seamlessly.

The mel filters and the onsets equal librosa's, whose import takes longer than the match of ten seconds.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view as _windows

from audiostyle.encoders.patches import box_1d, box_sum, frame_products, patch_norms
from audiostyle.sound.samples import Sound, resample

SR, N_FFT, HOP = 22050, 2048, 512
N_BANDS = 80
# Transpositions of the style, and frames of it that are used, at most; of a longer one so many stretches.
SEMITONES, STYLE_FRAMES, _STRETCHES = range(-18, 19), 1000, 16
# Frames that are analysed or filtered at a time, and frames of a block.
CHUNK, BLOCK = 768, 1536
# Cosines of an envelope along bins; frames of a fine structure and of a course; upper end of the former in Hz.
_LINE, FINE, COURSE, _FINE_TOP = 20, 3, 11, 4000
# Lag in frames at which steadiness is measured; frames beside a block that reach into it.
_LAG, _BESIDE = 6, 7
# Nepers of power under the loudest frame: 30 dB, within which a frame sounds; 80 dB, under which it is silent.
_SOUNDS, _SILENT = 6.9, 18.4


class Description(NamedTuple):
    """Frames of 2048 samples, every 512, at 22 050 Hz; those of `fine` and `course` are compared in patches."""

    fine: torch.Tensor  # [shape=(372, n_frames + 2)] log magnitudes less envelope; one frame beside each end
    course: torch.Tensor  # [shape=(80, n_frames + 10)] standardised log energies of the bands, five beside
    age: torch.Tensor  # [shape=(n_frames,)] natural logarithm of the frames since the last onset, plus 2
    bands: torch.Tensor  # [shape=(80, n_frames)] log energies (natural) of the mel bands
    S: torch.Tensor  # [shape=(1025, n_frames)] magnitudes


class Clip:
    """A clip to be matched, and what its frames have in common; it keeps 14 kB a second.

    Parameters
    ----------
    sound : Sound
        Of one channel, at 22 050 Hz and at the level of the analysis.

    Attributes
    ----------
    bands, age : torch.Tensor [shape=(80, n_frames) and (n_frames,)]
        As in `Description`.
    quietest : torch.Tensor [shape=(80, 1)]
        Lowest levels of the bands, but for silence and for one frame in 50.
    blocks : list of (int, int)
        First frame of every block, and the one after its last.
    floor : float
        Log energy 80 dB under the loudest band, below which nothing is heard.
    steadiness : float
        Cosine of the fine structure with that 140 ms earlier that one sounding frame in ten exceeds.
    """

    def __init__(self, sound: Sound, *, device: str | torch.device = "cpu") -> None:
        self.sound, self.device, self.n_frames = sound, device, 1 + math.ceil(sound.n_samples / HOP)
        self.blocks = [(n, min(n + BLOCK, self.n_frames)) for n in range(0, self.n_frames, BLOCK)]
        parts = []
        for first, last in self.blocks:
            begin, S = self._frames_around(first, last)
            fine = _with_beside(fine_structure(S), FINE)
            before = torch.nn.functional.pad(fine, (_LAG, 0))[:, : fine.shape[1]]
            norms = patch_norms(fine, FINE) * patch_norms(before, FINE)
            steady = box_1d(frame_products(fine, before), FINE) / norms
            parts.append([x[..., first - begin : last - begin] for x in (log_bands(S), steady, _rise(S))])
        self.bands, steady, rises = (torch.cat(x, -1) for x in zip(*parts, strict=True))
        self.age = _age(rises)
        loudness = self.bands.logsumexp(0)
        sounds = loudness > loudness.max() - _SOUNDS
        steady = steady[_LAG:][sounds[_LAG:] & sounds[:-_LAG]]
        self.steadiness = float(steady.quantile(0.9)) if len(steady) else 1.0
        self.floor = float(self.bands.max()) - _SILENT
        heard = self.bands[:, loudness > loudness.max() - _SILENT]
        self.quietest = heard.kthvalue(1 + round(0.02 * (heard.shape[1] - 1)), 1, keepdim=True).values

    def describe(self, first: int = 0, last: int | None = None) -> Description:
        """Describe the frames from `first` to before `last`, all by default."""
        last = self.n_frames if last is None else last
        begin, S = self._frames_around(first, last)
        end = begin + S.shape[1]
        bands, age = self.bands[:, begin:end], self.age[begin:end]
        fine, moved = _with_beside(fine_structure(S), FINE), _with_beside(course(bands, self.bands), COURSE)
        found = (fine, FINE), (moved, COURSE), (age, 1), (bands, 1), (S, 1)
        return Description(*(x[..., first - begin : last - begin + k - 1] for x, k in found))

    def _frames_around(self, first: int, last: int) -> tuple[int, torch.Tensor]:
        """Return the magnitudes of frames that reach into a block, and the number of the first of them."""
        begin, end = max(0, first - _BESIDE), min(self.n_frames, last + _BESIDE)
        start = max(0, begin - 2)  # a window covers two hops to either side
        y = self.sound.read(start * HOP, min(self.sound.n_samples, (end + 2) * HOP))
        return begin, magnitudes(y[0], end - start, 1.0, self.device)[:, begin - start :]


def describe(y: np.ndarray, *, device: str | torch.device = "cpu") -> Description:
    """Describe a waveform [shape=(n_samples,)] at 22 050 Hz."""
    return Clip(Sound.of(y, SR), device=device).describe()


class Library:
    """The frames of the style, or of stretches of a long one, at every transposition, laid end to end as one clip.

    `own` are the bands of the untransposed frames. At a `seam` a patch would mix two stretches; such are left out.
    """

    def __init__(self, y: np.ndarray, A: Description) -> None:
        n_frames, device, beside = len(A.age), A.bands.device, COURSE // 2
        n = n_frames if n_frames <= STYLE_FRAMES else STYLE_FRAMES // _STRETCHES
        starts = torch.linspace(0, n_frames - n, 1 if n == n_frames else _STRETCHES).round().long()
        kept = (starts[:, None] + torch.arange(-beside, n + beside)).clamp(0, n_frames - 1).flatten()
        parts, centres = [], _mel_frequencies(N_BANDS + 2)[1:-1]
        for semitones in SEMITONES:
            rate = 2 ** (semitones / 12)
            S = magnitudes(transposed(y, semitones), n_frames, rate, device)
            b = log_bands(S)
            # Played slower it ends below half the sample rate; above, the style itself stands in.
            top = int(np.searchsorted(centres, SR / 2 * rate * 0.97)) if rate < 1 else N_BANDS
            found = fine_structure(S), course(b, b), torch.cat([b[:top], A.bands[top:]])
            parts.append([x[:, kept] for x in (*found, A.bands)])
        fine, self.course, bands, own = (torch.cat(x, 1) for x in zip(*parts, strict=True))
        self.fine = fine[:, beside - FINE // 2 : FINE // 2 - beside].contiguous()
        self.norms = patch_norms(self.fine, FINE), patch_norms(self.course, COURSE)
        self.bands, self.own = (x[:, beside:-beside] for x in (bands, own))
        self.loudness, self.age = self.bands.logsumexp(0), A.age[kept].repeat(len(SEMITONES))[beside:-beside]
        self.semitones = torch.tensor(SEMITONES, device=device).repeat_interleave(len(kept))[beside:-beside]
        self.seam = torch.arange(len(self.age), device=device) % (n + 2 * beside) >= n

    def cosines(self, C: Description, frames: slice) -> list[torch.Tensor]:
        """Return those of the fine structure and of the course with frames of a content, each [shape=(n_frames, n)]."""
        parts = zip((C.fine, C.course), (self.fine, self.course), self.norms, (FINE, COURSE), strict=True)
        return [cosines(X[:, frames.start : frames.stop + k - 1], Y, k, norms) for X, Y, norms, k in parts]

    def most_similar(
        self, C: Description, frames: slice, factors: tuple[float, ...], n: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the numbers of the n most similar frames, their weights, and the cosines of the fine structures.

        Each [shape=(n_frames, n)]; weights add up to 1. Factors: of both cosines; subtracted, of ages and of semitones.
        """
        fine, courses = self.cosines(C, frames)
        by_fine, by_course, by_age, by_semitone = factors
        similarity = by_fine * fine - by_age * (C.age[frames, None] - self.age).abs()
        similarity += by_course * courses - by_semitone * self.semitones.abs()
        similarity[:, self.seam] = -torch.inf
        weights, which = similarity.topk(min(n, int((~self.seam).sum())), dim=1)
        return which, weights.softmax(1), fine.gather(1, which)


def cosines(X: torch.Tensor, Y: torch.Tensor, k: int, norms: torch.Tensor | None = None) -> torch.Tensor:
    """Return the cosines between all patches of k frames [shape=(n, m)] of clips [shape=(n_bins, n or m + k - 1)]."""
    # A product of patches is a sum of k products of frames; frames stacked into patches take five times as many.
    norms = patch_norms(Y, k) if norms is None else norms
    return box_sum(X.T @ Y, k).div_(patch_norms(X, k)[:, None]).div_(norms)


def alike(C: Description, A: Description) -> torch.Tensor:
    """Return, for each frame of a clip, the frame of another with the most similar fine structure."""
    parts = (C.fine[:, n : n + CHUNK + FINE - 1] for n in range(0, len(C.age), CHUNK))
    return torch.cat([cosines(X, A.fine, FINE).argmax(1) for X in parts])


def transposed(y: np.ndarray, semitones: float, *, sr: int = SR) -> np.ndarray:
    """Play a waveform faster or slower, which moves its pitch by so many semitones and changes its length."""
    return resample(y, round(sr * 2 ** (semitones / 12)), sr, quality="MQ")


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
    """Return where the partials of magnitudes lie: log magnitudes less their envelope [shape=(372, n_frames)]."""
    line = (S + 2e-3).log()
    return (line - smooth(line, _LINE))[: round(_FINE_TOP / SR * N_FFT)]


def course(bands: torch.Tensor, clip: torch.Tensor) -> torch.Tensor:
    """Return the levels of bands [shape=(80, n_frames)], standardised over all frames of their clip."""
    std, mean = torch.std_mean(clip, 1, correction=0, keepdim=True)
    return (bands - mean) / (std + 1e-3)


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
    k = np.arange(n_kept)[:, None]
    basis = np.cos(np.pi / n * k * (np.arange(n) + 0.5)) * np.sqrt((2 - (k == 0)) / n)
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
    onsets, rise = [], 0.12 * float(torch.from_numpy(y).quantile(0.99))  # numpy's takes 80 ms to load
    for n in np.flatnonzero((y == highest) & (y >= mean + rise)):
        if not onsets or n > onsets[-1] + 4:
            onsets.append(n)
    frames, onsets = np.arange(len(y)), np.array([-3, *onsets])  # a clip may begin within a note
    since = frames - onsets[np.searchsorted(onsets, frames, side="right") - 1]
    return torch.as_tensor(np.log(since + 2.0), dtype=torch.float32, device=rises.device)


def _with_beside(F: torch.Tensor, k: int) -> torch.Tensor:
    """Repeat the first and the last frame, so that each is the middle of a patch of k frames."""
    return F[..., torch.arange(-(k // 2), F.shape[-1] + k // 2).clamp(0, F.shape[-1] - 1)]
