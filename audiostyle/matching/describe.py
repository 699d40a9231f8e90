"""What a timbre hardly changes in a sound: fine structure, course, pitches, notes, age."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import librosa
import numpy as np
import torch
from scipy import fft

SR, N_FFT, HOP = 22050, 2048, 512
N_BANDS = 80
# Frames that are analysed, matched or filtered at a time.
CHUNK = 192
# Pitches and notes: steps per semitone, context in frames.
PITCH_STEPS, NOTE_STEPS, PITCH_FRAMES, NOTE_FRAMES = 3, 2, 5, 7
# Cosines of an envelope along bins; context of fine structure and course in frames; upper end of the former in Hz.
_LINE, _FINE, _COURSE, _FINE_TOP = 20, 3, 11, 4000
# Pitches: lowest in Hz, octaves, partials and the weight of each over that of the one before.
_LOWEST, _OCTAVES, _PARTIALS, _DECAY = 65.4, 5, 8, 0.85
# Rounds of the activations of notes.
_NOTE_ROUNDS = 30
# Lag in frames at which steadiness is measured.
STEADY_LAG = 6


@dataclass(frozen=True)
class Description:
    """A clip as `match_timbre` sees it, frames of 2048 samples every 512 at 22 050 Hz.

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

    @property
    def steadiness(self) -> float:
        """Mean cosine of the fine structure with that 140 ms earlier, in frames within 30 dB of the loudest."""
        return mean_steadiness(lagged_cosines(self.fine), self.bands.logsumexp(0))


def lagged_cosines(fine: torch.Tensor) -> torch.Tensor:
    """Return the cosine of every frame's fine structure with that 140 ms earlier [shape=(n_frames,)]; 0 at first."""
    cosines = (fine[:, STEADY_LAG:] * fine[:, :-STEADY_LAG]).sum(0)
    return torch.nn.functional.pad(cosines, (min(STEADY_LAG, fine.shape[1]), 0))


def mean_steadiness(cosines: torch.Tensor, loudness: torch.Tensor) -> float:
    """Return the mean of lagged cosines where both frames are within 30 dB of the loudest."""
    sounds = loudness > loudness.max() - 6.9
    both = sounds[STEADY_LAG:] & sounds[:-STEADY_LAG]
    chosen = cosines[STEADY_LAG:][both]
    return float(chosen.mean()) if len(chosen) else 1.0


class Whole(NamedTuple):
    """What the description of a frame takes from the whole clip (`audiostyle.matching.blocks`).

    Parameters
    ----------
    mean, std : torch.Tensor [shape=(80, 1)]
        Of the log energies of the bands.
    loudest, root, power : float
        Largest magnitude of twice the window; mean root of the magnitudes over it; mean of their power 0.6.
    peaks, notes : float
        Mean of the peaks that notes are found in, and of the loudest note.
    """

    mean: torch.Tensor
    std: torch.Tensor
    loudest: float
    root: float
    power: float
    peaks: float = 0.0
    notes: float = 0.0


def describe(y: np.ndarray, *, whole: Whole | None = None, device: str | torch.device = "cpu") -> Description:
    """Describe a clip by what a timbre hardly changes.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
        Waveform at 22 050 Hz.
    whole : Whole or None
        Of the clip that the waveform is a part of; None where it is no part.
    device : str
        Torch device.

    Returns
    -------
    Description
    """
    n_frames = 1 + math.ceil(len(y) / HOP)
    S = magnitudes(y, n_frames, N_FFT, 1.0, device)
    fine, course, bands = fine_and_course(S, whole)
    long = magnitudes(y, n_frames, 2 * N_FFT, 1.0, device)
    pitch = _stacked(_pitches(long, whole), PITCH_FRAMES)
    notes = _stacked(_notes(long, whole), NOTE_FRAMES)
    return Description(fine, course, _unit(pitch), _unit(notes), age(rise(S)), bands)


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
    starts = (
        (torch.arange(n_frames, device=device) * (HOP / rate)).round().long().clamp_max(len(padded) - n_fft)
    )
    frames, window = padded.unfold(0, n_fft, 1), torch.hann_window(n_fft, device=device)
    S = torch.empty(n_fft // 2 + 1, n_frames, device=device)
    for chosen in torch.arange(n_frames, device=device).split(CHUNK * 4):
        S[:, chosen] = torch.fft.rfft(frames[starts[chosen]] * window, dim=1).abs().T
    return S


def log_bands(S: torch.Tensor) -> torch.Tensor:
    """Return log energies of the bands [shape=(80, n_frames)]."""
    return (mel_filters(S.device) @ S.square() + 1e-6).log()


def fine_and_course(
    S: torch.Tensor, whole: Whole | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return fine structure, course and log energies of bands of magnitudes [shape=(n_bins, n_frames)]."""
    bands = log_bands(S)
    mean, std = (bands.mean(1, keepdim=True), bands.std(1, keepdim=True)) if whole is None else whole[:2]
    line = (S + 2e-3).log()
    line = (line - low_cosines(len(line), _LINE, S.device) @ line)[: round(_FINE_TOP / SR * N_FFT)]
    standard = (bands - mean) / (std + 1e-3)
    return _unit(_stacked(line, _FINE)), _unit(_stacked(standard, _COURSE)), bands


def _pitches(S: torch.Tensor, whole: Whole | None) -> torch.Tensor:
    """Add up partials [shape=(n_pitches, n_frames)] of whitened magnitudes of twice the window (Hermes 1988)."""
    root = (S / (S.max().clamp_min(1e-9) if whole is None else whole.loudest)).sqrt()
    mean = root.mean() if whole is None else whole.root
    peaks = (root / (_mean_over(root, 31) + 0.01 * mean + 0.02)).clamp(0, 6) - 1
    pitches = _LOWEST * 2 ** (torch.arange(12 * PITCH_STEPS * _OCTAVES) / (12 * PITCH_STEPS))
    total = torch.zeros(len(pitches), S.shape[1], device=S.device)
    for partial in range(1, _PARTIALS + 1):
        present = pitches * partial < SR / 2 - 50
        bins = pitches[present] * partial * (2 * N_FFT / SR)
        total[present] += _DECAY ** (partial - 1) * interpolated(peaks, bins, 0)
    return total.clamp_min(0)


def _notes(S: torch.Tensor, whole: Whole | None) -> torch.Tensor:
    """Return activations of notes [shape=(n_notes, n_frames)] by non-negative least squares (Lee & Seung 2000).

    The templates of a note are combs of partials that fall slowly, fast, and with even ones nearly absent.
    """
    peaks = note_peaks(S, whole)
    H = activations(peaks, peaks.mean() if whole is None else whole.peaks)
    loudest = H.max(0, keepdim=True).values
    mean = loudest.mean() if whole is None else whole.notes
    H = (H / (0.3 * loudest + 0.1 * mean + 1e-9)).clamp_max(2)
    near = torch.nn.functional.avg_pool1d(H.T[:, None], 3, 1, 1)[:, 0].T
    return (3 * near + 1e-6).sqrt()


def note_powers(S: torch.Tensor) -> torch.Tensor:
    """Compress magnitudes of twice the window, up to where combs end."""
    return S[: _combs(S.device).shape[0]].pow(0.6)


def note_peaks(S: torch.Tensor, whole: Whole | None) -> torch.Tensor:
    """Return the peaks that notes are found in, whitened by the line through them."""
    root = note_powers(S)
    line = _mean_over(root, 101).pow(0.8)
    peaks = root / (line + 0.05 * (root.mean() if whole is None else whole.power))
    return (peaks - 0.6 * _mean_over(peaks, 31)).clamp_min(0)


def activations(peaks: torch.Tensor, mean: torch.Tensor | float) -> torch.Tensor:
    """Return how strongly every note sounds [shape=(n_notes, n_frames)], of peaks with a mean over the clip."""
    combs = _combs(peaks.device)
    least = 0.3 * mean + 1e-9
    wanted, overlap = combs.T @ peaks, combs.T @ combs
    H = torch.as_tensor(mean, dtype=peaks.dtype, device=peaks.device).expand(combs.shape[1], peaks.shape[1])
    for _ in range(_NOTE_ROUNDS):
        H = H * (wanted / (overlap @ H + least))
    return H.reshape(3, -1, peaks.shape[1]).sum(0)


def _mean_over(F: torch.Tensor, n: int) -> torch.Tensor:
    """Average n neighbouring bins."""
    return torch.nn.functional.avg_pool1d(F.T[:, None], n, 1, n // 2, count_include_pad=False)[:, 0].T


@lru_cache(maxsize=2)
def _combs(device: torch.device) -> torch.Tensor:
    """Return templates [shape=(n_bins, 3 n_notes)] of unit norm up to 5.5 kHz, for twice the window."""
    spacing = SR / (2 * N_FFT)
    frequencies = torch.arange(math.ceil(5500 / spacing)) * spacing
    notes = 440 * 2 ** ((torch.arange(31, 97, 1 / NOTE_STEPS) - 69) / 12)
    templates = []
    for decay, even in ((0.65, 1.0), (0.88, 1.0), (0.85, 0.12)):
        total = torch.zeros(len(frequencies), len(notes))
        for partial in range(1, 129):
            share = decay ** (partial - 1) * (even if partial % 2 == 0 else 1.0)
            present = notes * partial <= 5500
            apart = (frequencies[:, None] - notes[present] * partial) / (1.3 * spacing)
            total[:, present] += share * torch.exp(-0.5 * apart.square())
        templates.append(_unit(total))
    return torch.cat(templates, 1).to(device)


def moved(stacked: torch.Tensor, n: int, steps: int) -> torch.Tensor:
    """Shift n stacked frames along their axis, as a transposition does, to columns of unit norm."""
    frames = stacked.reshape(n, -1, stacked.shape[1])
    moved = torch.zeros_like(frames)
    if steps >= 0:
        moved[:, steps:] = frames[:, : frames.shape[1] - steps]
    else:
        moved[:, :steps] = frames[:, -steps:]
    return _unit(moved.flatten(0, 1))


def rise(S: torch.Tensor) -> torch.Tensor:
    """Return how much bands rise over two frames [shape=(n_frames,)] (Böck & Widmer 2013)."""
    mel = torch.as_tensor(librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=2 * N_BANDS), device=S.device)
    levels = (mel @ S.square() + 3e-4).log()
    past = torch.nn.functional.max_pool1d(levels.T[:, None], 3, 1, 1)[:, 0].T
    return torch.nn.functional.pad((levels[:, 2:] - past[:, :-2]).clamp_min(0).mean(0), (2, 0))


def age(risen: torch.Tensor) -> torch.Tensor:
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
