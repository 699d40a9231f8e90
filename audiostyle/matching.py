"""Matched timbre: the content's notes, with the sound that the style has for notes like them.

1. *The style at every pitch.* It is transposed by −18 … 18 semitones, so that a note of the content finds its like.
2. *Descriptions that a timbre hardly changes* (`describe`): the fine structure of a frame, which is where its partials
   are; its course, which is how every band moves over a quarter of a second; its pitches, as sums over partials; its
   notes, as activations of combs; the age of its latest note.
3. *Match.* The similarity of frame t of the content and frame s of the transposed style is a weighted sum of the
   cosines of these descriptions, less penalties for the difference in age and for the transposition. A softmax over
   the most similar frames gives weights w_ts, and the levels in 80 mel bands are expected to be
   ``Σ_s w_ts (B_s + a_s E_s)``: B_s are the levels of the transposed frame, E_s leads from its spectral envelope back
   to that of the untransposed one. This is kernel regression (Nadaraya 1964, Watson 1964). Low bands, high bands and
   loudness have weights of their own. The expectation is blended with the equalised content, more of it where the
   style has nothing similar.
4. *Filter* (`Filter`). The difference of levels is a gain on the content's *complex* transform: no phase to be found,
   any sample rate, any number of channels.

Time is linear in the content's length; of a style longer than 23 s a thousand frames are used. The settings were
chosen on known targets; ``results/paper/matching_settings.csv`` lists what was tried.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import librosa
import numpy as np
import torch
from scipy import fft

from audiostyle.audio import check_waveform, set_level
from audiostyle.spectrogram import istft, stft

SR, N_FFT, HOP = 22050, 2048, 512
N_BANDS = 80
SEMITONES = range(-18, 19)
KINDS = ("instrument", "voice")
_COSINES = ("fine", "course", "pitch", "notes")
_LEVEL = 0.07
# Frames of the style that are used, and most similar ones that are averaged.
STYLE_FRAMES, _NEIGHBOURS = 1000, 120
# Frames of the content that are matched or filtered at a time.
_CHUNK = 192
# Natural logarithm of power under the loudest band of the style below which levels are not told apart (63 dB).
_RANGE = 14.5
# The same under the loudest band of the content, from which gains are counted (80 dB).
_FLOOR = 18.4
# Cosines of an envelope: along bins, along bands for E, and along bands for the smooth part of the blend.
_LINE, _FORMANTS, _SMOOTH = 20, 10, 14
# Context of fine structure, course and pitches in frames; upper end of the fine structure in Hz.
_FINE, _COURSE, _PITCH, _FINE_TOP = 3, 11, 5, 4000
# Pitches: steps per semitone, lowest in Hz, octaves, partials and the weight of each over that of the one before.
_STEPS, _LOWEST, _OCTAVES, _PARTIALS, _DECAY = 3, 65.4, 5, 8, 0.85
# Notes: frames of context, steps per semitone, rounds of the activations.
_NOTES, _NOTE_STEPS, _NOTE_ROUNDS = 7, 2, 30
# Rounds in which the gain is fitted, as the bands overlap.
_ROUNDS = 10
# A clip whose fine structure persists less over 140 ms, as a cosine, is a voice that speaks.
_STEADY, _STEADY_LAG = 0.38, 6


class Weights(NamedTuple):
    """How much each description counts in a similarity.

    Parameters
    ----------
    fine, course, pitch, notes : float
        Factors of the cosines.
    age : float
        Per unit of the difference in log age.
    semitone, saturation : float
        Penalty ``semitone · |s| − saturation · s²`` of a transposition by s semitones.
    """

    fine: float
    course: float
    pitch: float
    notes: float
    age: float
    semitone: float
    saturation: float


class Settings(NamedTuple):
    """What was chosen on known targets.

    Parameters
    ----------
    low, high, loudness : Weights
        For the shape of the low bands (below some 1.2 kHz), of the high bands, and for the loudness.
    envelope : tuple of four (float, float)
        Share of the original envelope that a transposed frame gets back, and the transposition in semitones at which
        it has fallen to 1/e: low bands down and up, high bands down and up.
    loud : float
        Share of the matched loudness in the result's, the rest is the content's.
    smooth, rest : tuple of four floats
        Logits of the equalised content's share, from the lowest band to the highest: of the smooth part of its
        difference to the match, and of the rest.
    doubt : tuple of two floats
        What the logits change by per unit of similarity in the fine structure.
    """

    low: Weights
    high: Weights
    loudness: Weights
    envelope: tuple
    loud: float
    smooth: tuple
    rest: tuple
    doubt: tuple


# By these the most similar frames are chosen, before low bands, high bands and loudness weigh them.
_NEAREST = Weights(3.0, 1.5, 1.0, 2.0, 0.7, 0.1, 0.0)
SETTINGS = {
    "instrument": Settings(
        low=Weights(20.19, 2.03, 3.13, 31.56, 3.80, 0.383, 0.0146),
        high=Weights(5.62, 4.04, 2.78, 6.14, 3.50, 0.527, 0.0168),
        loudness=Weights(9.68, 14.52, 0.0, 9.18, 18.25, 0.286, 0.0133),
        envelope=((0.58, 5.8), (0.51, 56.6), (0.45, 1873.2), (1.03, 9.8)),
        loud=0.46,
        smooth=(-2.16, -1.93, -2.23, -8.14),
        rest=(2.84, -2.44, -3.05, -4.67),
        doubt=(1.88, -21.02),
    ),
    "voice": Settings(
        low=Weights(3.64, 2.50, 0.0, 8.40, 1.39, 0.152, -0.0072),
        high=Weights(3.72, 7.77, 1.32, 1.58, 0.0, 0.444, 0.0287),
        loudness=Weights(6.97, 9.13, 0.0, 7.62, 1.79, 0.216, 0.0012),
        envelope=((-1.35, 14.2), (1.56, 152.9), (0.49, 32.7), (1.04, 37.5)),
        loud=0.58,
        smooth=(-0.12, -0.27, -0.12, -3.75),
        rest=(4.0, -4.35, -6.2, -1.0),
        doubt=(0.89, -19.12),
    ),
}


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
        loudness = self.bands.logsumexp(0)
        sounds = loudness > loudness.max() - 6.9
        both = sounds[_STEADY_LAG:] & sounds[:-_STEADY_LAG]
        cosines = (self.fine[:, _STEADY_LAG:] * self.fine[:, :-_STEADY_LAG]).sum(0)[both]
        return float(cosines.mean()) if len(cosines) else 1.0


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
        for frames in torch.arange(D.shape[1]).split(_CHUNK * 4):
            D[:, frames] *= (strength * self._at(frames * (hop / sr), D.shape[0], sr)).exp()
        return istft(D, hop_length=hop, length=len(y)).numpy()

    def _at(self, seconds: torch.Tensor, n_bins: int, sr: int) -> torch.Tensor:
        """Interpolate the gain to frames at these times and to bins of another transform."""
        frames = _between(self.log_gain, seconds * (SR / HOP), 1)
        if sr == SR:
            return frames
        return _between(frames, torch.arange(n_bins) * ((sr / 2) / (n_bins - 1) * N_FFT / SR), 0)


class Match(NamedTuple):
    """What `match_timbre` returns.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
        The content with the matched timbre, not yet brought to a level.
    filter : Filter
        What was applied.
    kind : {"instrument", "voice"}
        The settings used.
    semitones : np.ndarray [shape=(37,)]
        Share of the weights at each transposition of the style, −18 to 18.
    similarity : float
        Mean cosine of the fine structure between the content and what it was matched with; below some .4 the style
        has little that is like the content.
    bands : torch.Tensor [shape=(80, n_frames)]
        Log energies (natural) of the mel bands that the filter was fitted to.
    """

    y: np.ndarray
    filter: Filter
    kind: str
    semitones: np.ndarray
    similarity: float
    bands: torch.Tensor


def match_timbre(
    content: np.ndarray,
    style: np.ndarray,
    *,
    sr: int = SR,
    kind: str | None = None,
    device: str | torch.device = "cpu",
) -> Match:
    """Filter the content so that it sounds as the style does where the style does something similar.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)]
        Mono waveforms.
    sr : int > 0
        Their sample rate in Hz.
    kind : {"instrument", "voice"} or None
        Which settings to use; None takes those of voices where the clips' fine structure changes as in speech
        (`Description.steadiness`, mean of both).
    device : str
        Torch device to compute on.

    Returns
    -------
    Match

    Raises
    ------
    ValueError
        If a clip is silent, not finite or not mono, or the kind is unknown.

    Notebook: 03_transfer_one_pair.ipynb
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not allowed; it must be one of {', '.join(KINDS)}")
    content = check_waveform(content, name="content")
    mid, source = (_analysed(y, sr, name) for y, name in ((content, "content"), (style, "style")))
    C, A = describe(mid, device=device), describe(source, device=device)
    if kind is None:
        kind = KINDS[(C.steadiness + A.steadiness) / 2 < _STEADY]
    library = _Library(source, A, device)
    bands, shares, similarity = _expected_bands(C, A, library, SETTINGS[kind])
    fitted = Filter(_fitted_gain(mid, sr, bands, float(C.bands.max()) - _FLOOR, device))
    return Match(fitted.apply(content, sr), fitted, kind, shares, similarity, bands)


def describe(y: np.ndarray, *, device: str | torch.device = "cpu") -> Description:
    """Describe a clip by what a timbre hardly changes.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
        Waveform at 22 050 Hz.
    device : str
        Torch device.

    Returns
    -------
    Description
    """
    n_frames = 1 + math.ceil(len(y) / HOP)
    S = _magnitudes(y, n_frames, N_FFT, 1.0, device)
    fine, course, bands = _fine_and_course(S)
    long = _magnitudes(y, n_frames, 2 * N_FFT, 1.0, device)
    pitch, notes = _stacked(_pitches(long), _PITCH), _stacked(_notes(long), _NOTES)
    return Description(fine, course, _unit(pitch), _unit(notes), _age(S), bands)


def transposed(y: np.ndarray, semitones: float, *, sr: int = SR) -> np.ndarray:
    """Play a waveform faster or slower, which moves its pitch by so many semitones and changes its length."""
    if semitones == 0:
        return y
    played = round(sr * 2 ** (semitones / 12))
    return librosa.resample(y, orig_sr=played, target_sr=sr, res_type="soxr_mq")


class _Library:
    """The style's frames at every transposition, side by side."""

    def __init__(self, y: np.ndarray, A: Description, device: str | torch.device) -> None:
        n_frames = len(A.age)
        kept = torch.linspace(0, n_frames - 1, min(n_frames, STYLE_FRAMES)).round().long()
        n_kept, shifts = len(kept), len(SEMITONES)
        # Filled in place: lists of parts, put together at the end, would take the memory twice.
        self.fine, self.course, self.pitch, self.notes = (
            torch.empty(len(getattr(A, name)), shifts * n_kept, device=device) for name in _COSINES
        )
        bands, envelope = [], []
        formants = _low_cosines(N_BANDS, _FORMANTS, device)
        original = formants @ A.bands
        centres = librosa.mel_frequencies(N_BANDS + 2, fmin=0, fmax=SR / 2)[1:-1]
        for i, semitones in enumerate(SEMITONES):
            rate = 2 ** (semitones / 12)
            S = _magnitudes(transposed(y, semitones), n_frames, N_FFT, rate, device)
            f, c, b = _fine_and_course(S)
            if (
                rate < 1
            ):  # played slower it ends below half the sample rate; above, the style itself stands in
                top = int(np.searchsorted(centres, SR / 2 * rate * 0.97))
                b[top:] = A.bands[top:]
            here = slice(i * n_kept, (i + 1) * n_kept)
            self.fine[:, here], self.course[:, here] = f[:, kept], c[:, kept]
            self.pitch[:, here] = _moved(A.pitch[:, kept], _PITCH, semitones * _STEPS)
            self.notes[:, here] = _moved(A.notes[:, kept], _NOTES, semitones * _NOTE_STEPS)
            bands.append(b[:, kept])
            envelope.append((original - formants @ b)[:, kept])
        self.bands = torch.cat(bands, 1).clamp_min(float(A.bands.max()) - _RANGE).T.contiguous()
        self.envelope = torch.cat(envelope, 1).T.contiguous()
        self.loudness = torch.cat(bands, 1).logsumexp(0)
        self.age = A.age[kept].repeat(len(SEMITONES))
        self.semitones = torch.tensor(list(SEMITONES), device=device).float().repeat_interleave(len(kept))


def _expected_bands(C: Description, A: Description, library: _Library, settings: Settings):
    """Return expected log energies [shape=(80, n_frames)], shares of the transpositions, mean fine similarity."""
    device = C.bands.device
    C_bands = C.bands.clamp_min(float(C.bands.max()) - _RANGE)
    difference = (A.bands.mean(1) - C_bands.mean(1))[:, None]
    equalised = C_bands + difference
    equalised = equalised - equalised.logsumexp(0)
    plain_loudness = C.bands.logsumexp(0)
    plain_loudness = plain_loudness + A.bands.logsumexp(0).mean() - plain_loudness.mean()
    smoother = _low_cosines(N_BANDS, _SMOOTH, device)
    high = torch.sigmoid((torch.arange(N_BANDS, device=device) - 28.0) / 4)[:, None]
    smooth, rest = (_over_bands(logits, device) for logits in (settings.smooth, settings.rest))
    expected = torch.empty_like(C.bands)
    shares = torch.zeros(len(SEMITONES), device=device)
    similarities = []
    for frames in torch.arange(C.bands.shape[1], device=device).split(_CHUNK):
        cosines = torch.stack([getattr(C, name)[:, frames].T @ getattr(library, name) for name in _COSINES])
        ages = (C.age[frames, None] - library.age).abs()
        coarse = _similarity(cosines, ages, library.semitones, _NEAREST)
        nearest = coarse.topk(min(_NEIGHBOURS, coarse.shape[1]), dim=1).indices
        near = torch.stack([cosine.gather(1, nearest) for cosine in cosines])
        ages, semitones = ages.gather(1, nearest), library.semitones[nearest]
        low, up, loud = (
            torch.softmax(_similarity(near, ages, semitones, weights), 1)
            for weights in (settings.low, settings.high, settings.loudness)
        )
        levels = [
            _shape(w, semitones, library, nearest, settings.envelope[i : i + 2])
            for i, w in ((0, low), (2, up))
        ]
        shape = (1 - high) * levels[0] + high * levels[1]
        similarity = (low * near[0]).sum(1)
        doubt = similarity - 0.35
        apart = equalised[:, frames] - shape
        slow = smoother @ apart
        shape = shape + torch.sigmoid(smooth + settings.doubt[0] * doubt) * slow
        shape = shape + torch.sigmoid(rest + settings.doubt[1] * doubt) * (apart - slow)
        matched = (loud * library.loudness[nearest]).sum(1)
        expected[:, frames] = shape + settings.loud * matched + (1 - settings.loud) * plain_loudness[frames]
        shares += torch.zeros_like(shares).index_add_(
            0, (semitones - SEMITONES[0]).long().flatten(), low.flatten()
        )
        similarities.append(similarity)
    return expected, (shares / shares.sum()).cpu().numpy(), float(torch.cat(similarities).mean())


def _similarity(cosines, ages, semitones, weights: Weights) -> torch.Tensor:
    return (
        weights.fine * cosines[0]
        + weights.course * cosines[1]
        + weights.pitch * cosines[2]
        + weights.notes * cosines[3]
        - weights.age * ages
        - weights.semitone * semitones.abs()
        + weights.saturation * semitones.square()
    )


def _shape(w, semitones, library: _Library, nearest, envelope) -> torch.Tensor:
    """Average band levels without their loudness [shape=(80, n_frames)]."""
    (down, down_reach), (up, up_reach) = envelope
    back = torch.where(
        semitones < 0, down * torch.exp(semitones / down_reach), up * torch.exp(-semitones / up_reach)
    )
    levels = torch.bmm(w[:, None], library.bands[nearest]) + torch.bmm(
        (w * back)[:, None], library.envelope[nearest]
    )
    return levels[:, 0].T - (w * library.loudness[nearest]).sum(1)


def _fitted_gain(y: np.ndarray, sr: int, bands: torch.Tensor, floor: float, device) -> torch.Tensor:
    """Return the log gain with which the content's bands have the expected energies."""
    mel = _mel(device)
    top = min(N_FFT // 2, int(0.94 * sr / SR * N_FFT / 2))
    spread = (mel / mel.sum(0).clamp_min(1e-9)).T
    power = _magnitudes(y, bands.shape[1], N_FFT, 1.0, device).square()
    log_gain = torch.zeros_like(power)
    for frames in torch.arange(power.shape[1], device=device).split(_CHUNK * 4):
        P, G = power[:, frames], torch.zeros_like(power[:, frames])
        # What is under the floor is raised as if it lay there: noise stays noise, and silence silence.
        most = spread @ (bands[:, frames] - floor)
        for _ in range(_ROUNDS):
            G += spread @ (bands[:, frames] - (mel @ (P * G.exp()) + 1e-9).log())
            G = torch.minimum(G, most)
        log_gain[:, frames] = 0.5 * G
    log_gain[top:] = log_gain[top]
    return log_gain.cpu()


def _analysed(y: np.ndarray, sr: int, name: str) -> np.ndarray:
    y = set_level(check_waveform(y, name=name), _LEVEL, name=name)
    return y if sr == SR else librosa.resample(y, orig_sr=sr, target_sr=SR)


def _magnitudes(y: np.ndarray, n_frames: int, n_fft: int, rate: float, device) -> torch.Tensor:
    """Return magnitudes [shape=(n_bins, n_frames)] of a waveform played at a rate, at the original's times."""
    y = torch.as_tensor(y, dtype=torch.float32, device=device)
    padded = torch.nn.functional.pad(y, (n_fft // 2, n_fft // 2 + n_fft))
    starts = (
        (torch.arange(n_frames, device=device) * (HOP / rate)).round().long().clamp_max(len(padded) - n_fft)
    )
    frames, window = padded.unfold(0, n_fft, 1), torch.hann_window(n_fft, device=device)
    S = torch.empty(n_fft // 2 + 1, n_frames, device=device)
    for chosen in torch.arange(n_frames, device=device).split(_CHUNK * 4):
        S[:, chosen] = torch.fft.rfft(frames[starts[chosen]] * window, dim=1).abs().T
    return S


def _fine_and_course(S: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    bands = (_mel(S.device) @ S.square() + 1e-6).log()
    line = (S + 2e-3).log()
    line = (line - _low_cosines(len(line), _LINE, S.device) @ line)[: round(_FINE_TOP / SR * N_FFT)]
    standard = (bands - bands.mean(1, keepdim=True)) / (bands.std(1, keepdim=True) + 1e-3)
    return _unit(_stacked(line, _FINE)), _unit(_stacked(standard, _COURSE)), bands


def _pitches(S: torch.Tensor) -> torch.Tensor:
    """Add up partials [shape=(n_pitches, n_frames)] of whitened magnitudes of twice the window (Hermes 1988)."""
    root = (S / S.max().clamp_min(1e-9)).sqrt()
    peaks = (root / (_mean_over(root, 31) + 0.01 * root.mean() + 0.02)).clamp(0, 6) - 1
    pitches = _LOWEST * 2 ** (torch.arange(12 * _STEPS * _OCTAVES) / (12 * _STEPS))
    total = torch.zeros(len(pitches), S.shape[1], device=S.device)
    for partial in range(1, _PARTIALS + 1):
        present = pitches * partial < SR / 2 - 50
        bins = pitches[present] * partial * (2 * N_FFT / SR)
        total[present] += _DECAY ** (partial - 1) * _between(peaks, bins, 0)
    return total.clamp_min(0)


def _notes(S: torch.Tensor) -> torch.Tensor:
    """Return activations of notes [shape=(n_notes, n_frames)] by non-negative least squares (Lee & Seung 2000).

    The templates of a note are combs of partials that fall slowly, fast, and with even ones nearly absent.
    """
    combs = _combs(S.device)
    root = S[: combs.shape[0]].pow(0.6)
    line = _mean_over(root, 101).pow(0.8)
    peaks = root / (line + 0.05 * root.mean())
    peaks = (peaks - 0.6 * _mean_over(peaks, 31)).clamp_min(0)
    least = 0.3 * peaks.mean() + 1e-9
    wanted, overlap = combs.T @ peaks, combs.T @ combs
    H = peaks.mean().expand(combs.shape[1], S.shape[1])
    for _ in range(_NOTE_ROUNDS):
        H = H * (wanted / (overlap @ H + least))
    H = H.reshape(3, -1, S.shape[1]).sum(0)
    loudest = H.max(0, keepdim=True).values
    H = (H / (0.3 * loudest + 0.1 * loudest.mean() + 1e-9)).clamp_max(2)
    near = torch.nn.functional.avg_pool1d(H.T[:, None], 3, 1, 1)[:, 0].T
    return (3 * near + 1e-6).sqrt()


def _mean_over(F: torch.Tensor, n: int) -> torch.Tensor:
    """Average n neighbouring bins."""
    return torch.nn.functional.avg_pool1d(F.T[:, None], n, 1, n // 2, count_include_pad=False)[:, 0].T


@lru_cache(maxsize=2)
def _combs(device: torch.device) -> torch.Tensor:
    """Return templates [shape=(n_bins, 3 n_notes)] of unit norm up to 5.5 kHz, for twice the window."""
    spacing = SR / (2 * N_FFT)
    frequencies = torch.arange(math.ceil(5500 / spacing)) * spacing
    notes = 440 * 2 ** ((torch.arange(31, 97, 1 / _NOTE_STEPS) - 69) / 12)
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


def _moved(stacked: torch.Tensor, n: int, steps: int) -> torch.Tensor:
    """Shift n stacked frames along their axis, as a transposition does, to columns of unit norm."""
    frames = stacked.reshape(n, -1, stacked.shape[1])
    moved = torch.zeros_like(frames)
    if steps >= 0:
        moved[:, steps:] = frames[:, : frames.shape[1] - steps]
    else:
        moved[:, :steps] = frames[:, -steps:]
    return _unit(moved.flatten(0, 1))


def _age(S: torch.Tensor) -> torch.Tensor:
    """Return the log age of the last onset, a peak of the rise over two frames (Böck & Widmer 2013)."""
    mel = torch.as_tensor(librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=2 * N_BANDS), device=S.device)
    levels = (mel @ S.square() + 3e-4).log()
    past = torch.nn.functional.max_pool1d(levels.T[:, None], 3, 1, 1)[:, 0].T
    rise = torch.nn.functional.pad((levels[:, 2:] - past[:, :-2]).clamp_min(0).mean(0), (2, 0))
    rise = rise.cpu().numpy().astype(np.float64)
    least = float(0.12 * np.percentile(rise, 99))
    onsets = librosa.util.peak_pick(rise, pre_max=3, post_max=3, pre_avg=8, post_avg=8, delta=least, wait=4)
    onsets = np.unique(np.concatenate([[-3], onsets]))
    frames = np.arange(len(rise))
    since = frames - onsets[np.searchsorted(onsets, frames, side="right") - 1]
    return torch.as_tensor(np.log(since + 2.0), dtype=torch.float32, device=S.device)


def _stacked(F: torch.Tensor, n: int) -> torch.Tensor:
    """Put n neighbouring frames into one column; the ends are repeated."""
    padded = torch.nn.functional.pad(F[None], (n // 2, n // 2), mode="replicate")[0]
    return torch.cat([padded[:, i : i + F.shape[1]] for i in range(n)])


def _unit(F: torch.Tensor) -> torch.Tensor:
    return F / (F.norm(dim=0, keepdim=True) + 1e-6)


def _between(F: torch.Tensor, positions: torch.Tensor, dim: int) -> torch.Tensor:
    """Interpolate linearly at fractional indices of a dimension; beyond the ends the last value holds."""
    positions = positions.clamp(0, F.shape[dim] - 1).to(F.device)
    below = positions.floor().long().clamp_max(max(F.shape[dim] - 2, 0))
    share = (positions - below).to(F.dtype)
    share = share if dim == 1 else share[:, None]
    above = (below + 1).clamp_max(F.shape[dim] - 1)
    return torch.lerp(F.index_select(dim, below), F.index_select(dim, above), share)


def _over_bands(logits: tuple, device) -> torch.Tensor:
    """Interpolate four values from the lowest to the highest band [shape=(80, 1)]."""
    at = np.interp(np.arange(N_BANDS), (0, 26, 53, N_BANDS - 1), logits)
    return torch.as_tensor(at, dtype=torch.float32, device=device)[:, None]


@lru_cache(maxsize=4)
def _mel(device: str | torch.device) -> torch.Tensor:
    return torch.as_tensor(librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=N_BANDS), device=device)


@lru_cache(maxsize=8)
def _low_cosines(n: int, n_kept: int, device: str | torch.device) -> torch.Tensor:
    """Return the projection [shape=(n, n)] onto the lowest `n_kept` cosines."""
    basis = fft.dct(np.eye(n), axis=0, norm="ortho")[:n_kept]
    return torch.as_tensor(basis.T @ basis, dtype=torch.float32, device=device)
