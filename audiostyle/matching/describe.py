"""What a timbre hardly changes in a sound: fine structure, course, pitches, notes, age.

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
# Pitches and notes: steps per semitone, context in frames.
PITCH_STEPS, NOTE_STEPS, PITCH_FRAMES, NOTE_FRAMES = 3, 2, 5, 7
# Cosines of an envelope along bins; context of fine structure and course in frames; upper end of the former in Hz.
_LINE, _FINE, _COURSE, _FINE_TOP = 20, 3, 11, 4000
# Pitches: lowest in Hz, octaves, partials and the weight of each over that of the one before.
_LOWEST, _OCTAVES, _PARTIALS, _DECAY = 65.4, 5, 8, 0.85
# Rounds of the activations of notes.
_NOTE_ROUNDS = 30
# Lag in frames at which steadiness is measured, and natural logarithm of power (30 dB) within which frames sound.
_LAG, _SOUNDS = 6, 6.9
# Frames of a block, and frames beside it that reach into it: windows of 4096 samples, eleven stacked frames.
_BLOCK, _BESIDE = 1536, 16
# Places, and frames at each, that the means over notes of a longer clip are taken from: notes take most of the time.
_PLACES, _FRAMES = 40, 200


class Description(NamedTuple):
    """Frames of 2048 samples every 512 at 22 050 Hz, as the matching sees them.

    Parameters
    ----------
    fine, course, pitch, notes : torch.Tensor [shape=(n_values, n_frames)]
        Columns of unit norm: log magnitudes up to 4 kHz less their envelope, of three frames; standardised log energies
        of the bands, of eleven frames; sums over eight partials, three pitches to a semitone, of five frames;
        activations of notes, two to a semitone, of seven frames.
    age : torch.Tensor [shape=(n_frames,)]
        Natural logarithm of the frames since the last onset, plus 2.
    bands : torch.Tensor [shape=(80, n_frames)]
        Log energies (natural) of the mel bands.
    """

    fine: torch.Tensor
    course: torch.Tensor
    pitch: torch.Tensor
    notes: torch.Tensor
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
    """A clip to be matched, and what its frames have in common.

    Memory grows by 14 kB for each second, the levels of its bands.

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
    bands : torch.Tensor [shape=(80, n_frames)]
        Log energies (natural) of the mel bands.
    age : torch.Tensor [shape=(n_frames,)]
        As in `Description`.
    steadiness : float
        Mean cosine of the fine structure with that 140 ms earlier, in frames within 30 dB of the loudest.
    """

    def __init__(
        self, read: Callable[[int, int], np.ndarray], n_samples: int, *, device: str | torch.device = "cpu"
    ) -> None:
        self._read, self.n_samples, self.device = read, n_samples, device
        self.n_frames = 1 + math.ceil(n_samples / HOP)
        self._kept: tuple[Block, tuple[torch.Tensor, torch.Tensor]] | None = None
        bands, cosines, risen, loudest, roots, powers = [], [], [], [], [], []
        for block in self.blocks():
            near, long = self.magnitudes(block)
            long = block.cut(long)
            bands.append(block.cut(log_bands(near)))
            cosines.append(block.cut(_lagged_cosines(fine_structure(near))))
            risen.append(block.cut(_rise(near)))
            loudest.append(float(long.max()))
            roots.append(float(long.sqrt().sum(dtype=torch.float64)))
            powers.append(float(_note_powers(long).sum(dtype=torch.float64)))
        self.bands = torch.cat(bands, 1)
        self.age = _age(torch.cat(risen))
        self.steadiness = _mean_steadiness(torch.cat(cosines), self.bands.logsumexp(0))
        # Means over the whole clip, by which a frame is standardised or whitened.
        self._mean, self._std = (f(self.bands)[:, None] for f in (_mean, _deviation))
        self._loudest = max(max(loudest), 1e-9)
        self._root = sum(roots) / self._loudest**0.5 / (len(long) * self.n_frames)
        self._power = sum(powers) / (len(_note_powers(long[:, :1])) * self.n_frames)
        self._peak, self._note = self._means_of_notes()

    def blocks(self, size: int = _BLOCK) -> Iterator[Block]:
        """Yield the blocks of the clip, of `size` frames each."""
        for first in range(0, self.n_frames, size):
            last = min(first + size, self.n_frames)
            yield Block(first, last, max(0, first - _BESIDE), min(self.n_frames, last + _BESIDE))

    def whole(self) -> Block:
        """Return all frames as one block."""
        return Block(0, self.n_frames, 0, self.n_frames)

    def magnitudes(self, block: Block) -> tuple[torch.Tensor, torch.Tensor]:
        """Return magnitudes of windows of 2048 and of 4096 samples [shape=(n_bins, end - begin)].

        Those of the last block are kept: a clip of one block is analysed once.
        """
        if self._kept is None or self._kept[0] != block:
            y = self._read(block.begin * HOP, min(self.n_samples, block.end * HOP))
            found = (magnitudes(y, block.end - block.begin, n, 1.0, self.device) for n in (N_FFT, 2 * N_FFT))
            self._kept = block, tuple(found)
        return self._kept[1]

    def describe(self, block: Block) -> Description:
        """Describe the frames of a block."""
        near, long = self.magnitudes(block)
        bands = log_bands(near)
        return Description(
            block.cut(fine_structure(near)),
            block.cut(course(bands, self._mean, self._std)),
            block.cut(_unit(_stacked(self._pitches(long), PITCH_FRAMES))),
            block.cut(_unit(_stacked(self._notes(long), NOTE_FRAMES))),
            self.age[block.first : block.last],
            block.cut(bands),
        )

    def _pitches(self, S: torch.Tensor) -> torch.Tensor:
        """Add up partials [shape=(n_pitches, n_frames)] of whitened magnitudes of twice the window (Hermes 1988)."""
        root = (S / self._loudest).sqrt()
        peaks = (root / (_mean_over(root, 31) + 0.01 * self._root + 0.02)).clamp(0, 6) - 1
        pitches = _LOWEST * 2 ** (torch.arange(12 * PITCH_STEPS * _OCTAVES) / (12 * PITCH_STEPS))
        total = S.new_zeros(len(pitches), S.shape[1])
        for partial in range(1, _PARTIALS + 1):
            present = pitches * partial < SR / 2 - 50
            bins = pitches[present] * partial * (2 * N_FFT / SR)
            total[present] += _DECAY ** (partial - 1) * interpolated(peaks, bins, 0)
        return total.clamp_min(0)

    def _notes(self, S: torch.Tensor) -> torch.Tensor:
        """Return activations of notes [shape=(n_notes, n_frames)], each frame's compared with its loudest."""
        H = _activations(self._peaks(S), self._peak)
        H = (H / (0.3 * H.max(0, keepdim=True).values + 0.1 * self._note + 1e-9)).clamp_max(2)
        near = torch.nn.functional.avg_pool1d(H.T[:, None], 3, 1, 1)[:, 0].T
        return (3 * near + 1e-6).sqrt()

    def _peaks(self, S: torch.Tensor) -> torch.Tensor:
        """Return the peaks that notes are found in, whitened by the line through them."""
        root = _note_powers(S)
        peaks = root / (_mean_over(root, 101).pow(0.8) + 0.05 * self._power)
        return (peaks - 0.6 * _mean_over(peaks, 31)).clamp_min(0)

    def _means_of_notes(self) -> tuple[float, float]:
        """Return the means of the peaks and of the loudest note: of all frames, or of some places of a long clip."""
        places = list(self.blocks())
        if self.n_frames > _PLACES * _FRAMES:
            places = list(self.blocks(_FRAMES))
            places = [places[i] for i in np.linspace(0, len(places) - 1, _PLACES).round().astype(int)]
        found = [self._peaks(block.cut(self.magnitudes(block)[1])) for block in places]
        counts = [peaks.shape[1] for peaks in found]
        mean = float(np.average([float(peaks.mean()) for peaks in found], weights=counts))
        loudest = [float(_activations(peaks, mean).max(0).values.mean()) for peaks in found]
        return mean, float(np.average(loudest, weights=counts))


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


def magnitudes(y: np.ndarray, n_frames: int, n_fft: int, rate: float, device) -> torch.Tensor:
    """Return magnitudes [shape=(n_bins, n_frames)] of a waveform played at a rate, at the original's times."""
    y = torch.as_tensor(y, dtype=torch.float32, device=device)
    padded = torch.nn.functional.pad(y, (n_fft // 2, n_fft // 2 + n_fft))
    at = torch.arange(n_frames, device=device) * (HOP / rate)
    starts = at.round().long().clamp_max(len(padded) - n_fft)
    frames, window = padded.unfold(0, n_fft, 1), torch.hann_window(n_fft, device=device, dtype=torch.float32)
    S = torch.empty(n_fft // 2 + 1, n_frames, device=device, dtype=torch.float32)
    for chosen in torch.arange(n_frames, device=device).split(CHUNK):
        S[:, chosen] = torch.fft.rfft(frames[starts[chosen]] * window, dim=1).abs().T
    return S


def log_bands(S: torch.Tensor) -> torch.Tensor:
    """Return log energies of the bands [shape=(80, n_frames)]."""
    return (mel_filters(S.device) @ S.square() + 1e-6).log()


def fine_structure(S: torch.Tensor) -> torch.Tensor:
    """Return where the partials of magnitudes lie: log magnitudes less their envelope, of three frames."""
    line = (S + 2e-3).log()
    line = (line - low_cosines(len(line), _LINE, S.device) @ line)[: round(_FINE_TOP / SR * N_FFT)]
    return _unit(_stacked(line, _FINE))


def course(
    bands: torch.Tensor, mean: torch.Tensor | None = None, std: torch.Tensor | None = None
) -> torch.Tensor:
    """Return how bands move over a quarter of a second, standardised by their own mean and deviation or by these."""
    mean, std = (f(bands)[:, None] if x is None else x for f, x in ((_mean, mean), (_deviation, std)))
    return _unit(_stacked((bands - mean) / (std + 1e-3), _COURSE))


def moved(stacked: torch.Tensor, n: int, steps: int) -> torch.Tensor:
    """Shift n stacked frames along their axis, as a transposition does, to columns of unit norm."""
    frames = stacked.reshape(n, -1, stacked.shape[1])
    moved = torch.zeros_like(frames)
    if steps >= 0:
        moved[:, steps:] = frames[:, : frames.shape[1] - steps]
    else:
        moved[:, :steps] = frames[:, -steps:]
    return _unit(moved.flatten(0, 1))


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


@lru_cache(maxsize=8)
def low_cosines(n: int, n_kept: int, device: str | torch.device) -> torch.Tensor:
    """Return the projection [shape=(n, n)] onto the lowest `n_kept` cosines."""
    basis = fft.dct(np.eye(n), axis=0, norm="ortho")[:n_kept]
    return torch.as_tensor(basis.T @ basis, dtype=torch.float32, device=device)


def _lagged_cosines(fine: torch.Tensor) -> torch.Tensor:
    """Return the cosine of every frame's fine structure with that 140 ms earlier [shape=(n_frames,)]; 0 at first."""
    cosines = (fine[:, _LAG:] * fine[:, :-_LAG]).sum(0)
    return torch.nn.functional.pad(cosines, (min(_LAG, fine.shape[1]), 0))


def _mean_steadiness(cosines: torch.Tensor, loudness: torch.Tensor) -> float:
    sounds = loudness > loudness.max() - _SOUNDS
    chosen = cosines[_LAG:][sounds[_LAG:] & sounds[:-_LAG]]
    return float(chosen.mean()) if len(chosen) else 1.0


def _note_powers(S: torch.Tensor) -> torch.Tensor:
    """Compress magnitudes of twice the window, up to where combs end."""
    return S[: _combs(S.device).shape[0]].pow(0.6)


def _activations(peaks: torch.Tensor, mean: float) -> torch.Tensor:
    """Return how strongly every note sounds [shape=(n_notes, n_frames)], of peaks with a mean over the clip.

    By non-negative least squares (Lee & Seung 2000) on combs of partials that fall slowly, fast, and with even ones
    nearly absent.
    """
    combs = _combs(peaks.device)
    least = 0.3 * mean + 1e-9
    wanted, overlap = combs.T @ peaks, combs.T @ combs
    H = torch.full((combs.shape[1], peaks.shape[1]), mean, dtype=peaks.dtype, device=peaks.device)
    for _ in range(_NOTE_ROUNDS):
        H = H * (wanted / (overlap @ H + least))
    return H.reshape(3, -1, peaks.shape[1]).sum(0)


@lru_cache(maxsize=2)
def _combs(device: torch.device) -> torch.Tensor:
    """Return templates [shape=(n_bins, 3 n_notes)] of unit norm up to 5.5 kHz, for twice the window."""
    spacing = SR / (2 * N_FFT)
    frequencies = torch.arange(math.ceil(5500 / spacing)) * spacing
    notes = 440 * 2 ** ((torch.arange(31, 97, 1 / NOTE_STEPS) - 69) / 12)
    templates = []
    for decay, even in ((0.65, 1.0), (0.88, 1.0), (0.85, 0.12)):
        total = torch.zeros(len(frequencies), len(notes), dtype=torch.float32)
        for partial in range(1, 129):
            share = decay ** (partial - 1) * (even if partial % 2 == 0 else 1.0)
            present = notes * partial <= 5500
            apart = (frequencies[:, None] - notes[present] * partial) / (1.3 * spacing)
            total[:, present] += (share * torch.exp(-0.5 * apart.square())).float()
        templates.append(_unit(total))
    return torch.cat(templates, 1).to(device)


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


def _mean(F: torch.Tensor) -> torch.Tensor:
    return F.mean(1)


def _deviation(F: torch.Tensor) -> torch.Tensor:
    return F.std(1, correction=min(1, F.shape[1] - 1))


def _mean_over(F: torch.Tensor, n: int) -> torch.Tensor:
    """Average n neighbouring bins."""
    return torch.nn.functional.avg_pool1d(F.T[:, None], n, 1, n // 2, count_include_pad=False)[:, 0].T


def _stacked(F: torch.Tensor, n: int) -> torch.Tensor:
    """Put n neighbouring frames into one column; the ends are repeated."""
    padded = torch.nn.functional.pad(F[None], (n // 2, n // 2), mode="replicate")[0]
    return torch.cat([padded[:, i : i + F.shape[1]] for i in range(n)])


def _unit(F: torch.Tensor) -> torch.Tensor:
    return F / (F.norm(dim=0, keepdim=True) + 1e-6)
