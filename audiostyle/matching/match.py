"""Match every frame of the content with frames of the transposed style, by kernel regression."""

from collections.abc import Iterator
from typing import NamedTuple

import librosa
import numpy as np
import torch

from audiostyle.config import check_allowed
from audiostyle.matching.describe import (
    N_BANDS,
    N_FFT,
    NOTE_FRAMES,
    NOTE_STEPS,
    PITCH_FRAMES,
    PITCH_STEPS,
    SR,
    Clip,
    Description,
    course,
    fine_structure,
    log_bands,
    low_cosines,
    magnitudes,
    moved,
    transposed,
)
from audiostyle.matching.gain import Gain, fitted_gain
from audiostyle.sound.levels import set_level
from audiostyle.sound.read import check_waveform
from audiostyle.system import single_precision

KINDS = ("instrument", "voice")
SEMITONES = range(-18, 19)
# Frames of the style that are used, and most similar ones that are averaged.
STYLE_FRAMES, _NEIGHBOURS = 1000, 120
_COSINES = ("fine", "course", "pitch", "notes")
# Frames of the content that are compared at a time: each takes a megabyte.
_COMPARED = 64
LEVEL = 0.07
# Natural logarithm of power under the loudest band of the content below which its levels are not told apart (96 dB).
_RANGE = 22.0
# The same under the loudest band of the content, from which gains are counted (80 dB).
_FLOOR = 18.4
# Cosines along bands: of an envelope, and of the smooth part of the blend.
_FORMANTS, _SMOOTH = 10, 14
# Band at which low ones give way to high ones (1.2 kHz), and over how many; similarity that raises no doubt.
_SPLIT, _SPLIT_WIDTH, _SIMILAR = 28.0, 4, 0.35
# Natural logarithm of power, root mean square over the bands, at which a frame is another one (half a decibel).
_SAME = 0.115
# A clip whose fine structure persists less over 140 ms, as a cosine, is a voice that speaks: speech of 18 readers has
# .06 to .29 and synthetic voices up to .34; singing and instruments have .36 to .85 (a drum .30).
_STEADY = 0.35


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
    harmony : float
        Share of what the gain does to the pitch classes below 1 kHz that is given back.
    depth : float
        Natural logarithm of power under the loudest band of the style below which its levels are not told apart. At
        14.5 (63 dB) the softest moments of an instrument count as bright, and recordings had up to 15 dB more treble
        than either clip; voices come nearer to the truth with it.
    """

    low: Weights
    high: Weights
    loudness: Weights
    envelope: tuple
    loud: float
    smooth: tuple
    rest: tuple
    doubt: tuple
    harmony: float
    depth: float


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
        harmony=0.6,
        depth=22.0,
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
        harmony=0.5,
        depth=14.5,
    ),
}


class Match(NamedTuple):
    """What the frames of a content were matched with.

    Parameters
    ----------
    gain : Gain
        What brings the content's bands to the expected energies.
    bands : torch.Tensor [shape=(80, n_frames)]
        These log energies (natural) of the mel bands.
    semitones : np.ndarray [shape=(37,)]
        Share of the weights at each transposition of the style, −18 to 18.
    similarity : float
        Mean cosine of the fine structure between the content and what it was matched with; below some .4 the style
        has little that is like the content.
    """

    gain: Gain
    bands: torch.Tensor
    semitones: np.ndarray
    similarity: float


@single_precision()
def match_timbre(
    content: np.ndarray,
    style: np.ndarray,
    *,
    sr: int = SR,
    kind: str | None = None,
    device: str | torch.device = "cpu",
) -> Match:
    """Find the gain with which the content sounds as the style does where the style does something similar.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)]
        Mono waveforms.
    sr : int > 0
        Their sample rate in Hz.
    kind : {"instrument", "voice"} or None
        Which settings to use; None takes those of voices where the fine structure of both clips changes as in speech.
    device : str
        Torch device to compute on.

    Returns
    -------
    Match
        ``match.gain.apply(content, sr)`` is the content with the matched timbre, not yet brought to a level.

    Raises
    ------
    ValueError
        If a clip is silent, not finite or not mono, or the kind is unknown.

    Notebook: 09_matched_timbre.ipynb

    Examples
    --------
    >>> tone = np.sin(np.arange(9000) / 10)
    >>> match_timbre(tone, tone**3).bands.shape
    torch.Size([80, 19])
    """
    content, style = (
        to_analysis(check_waveform(y, name=name), sr, name)
        for y, name in ((content, "content"), (style, "style"))
    )
    clip = Clip(lambda a, b: content[a:b], len(content), device=device)
    parts = list(match_blocks(clip, style, kind=kind))
    counts = [part.bands.shape[1] for part in parts]
    return Match(
        Gain(torch.cat([part.gain.log_gain for part in parts], 1)),
        torch.cat([part.bands for part in parts], 1),
        np.average([part.semitones for part in parts], axis=0, weights=counts),
        float(np.average([part.similarity for part in parts], weights=counts)),
    )


def match_blocks(content: Clip, style: np.ndarray, *, kind: str | None = None) -> Iterator[Match]:
    """Yield the match of one block of the content after the other; each gain begins where the one before ended.

    Parameters
    ----------
    content : Clip
    style : np.ndarray [shape=(n_samples,)]
        The style at 22 050 Hz, at the level of the analysis (`to_analysis`).
    kind : {"instrument", "voice"} or None
        As for `match_timbre`.

    Yields
    ------
    Match
    """
    check_allowed(kind in (None, *KINDS), "kind", kind, f"one of {', '.join(KINDS)}")
    clip = Clip(lambda a, b: style[a:b], len(style), device=content.device)
    settings = SETTINGS[kind or kind_of(content.steadiness, clip.steadiness)]
    A = clip.describe(clip.whole())
    library = Library(style, A, settings.depth)
    floor = float(content.bands.max()) - _FLOOR
    for block in content.blocks():
        expected, shares, similarity = _expected_bands(content, content.describe(block), A, library, settings)
        S = block.cut(content.magnitudes(block)[0])
        log_gain = fitted_gain(S, expected, floor, settings.harmony)
        yield Match(Gain(log_gain.cpu(), block.first), expected, shares, similarity)


def to_analysis(y: np.ndarray, sr: int, name: str) -> np.ndarray:
    """Return a waveform at the rate and the level at which it is described, or say that it is silent."""
    y = set_level(y, LEVEL, name=name)
    return y if sr == SR else librosa.resample(y, orig_sr=sr, target_sr=SR)


def kind_of(content: float, style: float) -> str:
    """Tell instruments from voices by how steady two clips are."""
    return KINDS[max(content, style) < _STEADY]


class Library:
    """The style's frames at every transposition, side by side.

    Attributes
    ----------
    fine, course, pitch, notes : torch.Tensor [shape=(n_values, n)]
    age, semitones, loudness : torch.Tensor [shape=(n,)]
    bands, envelope : torch.Tensor [shape=(n, 80)]
        Log energies, and what leads from the envelope of a transposed frame back to that of the untransposed one.
    """

    def __init__(self, y: np.ndarray, A: Description, depth: float) -> None:
        n_frames, device = len(A.age), A.bands.device
        kept = torch.linspace(0, n_frames - 1, min(n_frames, STYLE_FRAMES)).round().long()
        n_kept, shifts = len(kept), len(SEMITONES)
        # Filled in place: lists of parts, put together at the end, would take the memory twice.
        self.fine, self.course, self.pitch, self.notes = (
            A.bands.new_empty(len(getattr(A, name)), shifts * n_kept) for name in _COSINES
        )
        bands, envelope = [], []
        formants = low_cosines(N_BANDS, _FORMANTS, device)
        original = formants @ A.bands
        centres = librosa.mel_frequencies(N_BANDS + 2, fmin=0, fmax=SR / 2)[1:-1]
        for i, semitones in enumerate(SEMITONES):
            rate = 2 ** (semitones / 12)
            S = magnitudes(transposed(y, semitones), n_frames, N_FFT, rate, device)
            b = log_bands(S)
            here = slice(i * n_kept, (i + 1) * n_kept)
            self.fine[:, here], self.course[:, here] = fine_structure(S)[:, kept], course(b)[:, kept]
            self.pitch[:, here] = moved(A.pitch[:, kept], PITCH_FRAMES, semitones * PITCH_STEPS)
            self.notes[:, here] = moved(A.notes[:, kept], NOTE_FRAMES, semitones * NOTE_STEPS)
            if rate < 1:
                # Played slower it ends below half the sample rate; above, the style itself stands in.
                top = int(np.searchsorted(centres, SR / 2 * rate * 0.97))
                b[top:] = A.bands[top:]
            bands.append(b[:, kept])
            envelope.append((original - formants @ b)[:, kept])
        self.bands = torch.cat(bands, 1).clamp_min(float(A.bands.max()) - depth).T.contiguous()
        self.envelope = torch.cat(envelope, 1).T.contiguous()
        self.loudness = torch.cat(bands, 1).logsumexp(0)
        self.age = A.age[kept].repeat(shifts)
        self.semitones = torch.tensor(list(SEMITONES), device=device).float().repeat_interleave(n_kept)


def _expected_bands(content: Clip, C: Description, A: Description, library: Library, settings: Settings):
    """Return expected log energies [shape=(80, n_frames)], shares of the transpositions, mean fine similarity."""
    device = C.bands.device
    # What the equaliser would give: the content with the style's mean levels, at the style's mean loudness.
    least = float(content.bands.max()) - _RANGE
    equalised = C.bands.clamp_min(least)
    equalised = equalised + (A.bands.mean(1) - content.bands.clamp_min(least).mean(1))[:, None]
    equalised = equalised - equalised.logsumexp(0)
    plain_loudness = A.bands.logsumexp(0).mean() - content.bands.logsumexp(0).mean() + C.bands.logsumexp(0)
    smoother = low_cosines(N_BANDS, _SMOOTH, device)
    high = torch.sigmoid((torch.arange(N_BANDS, device=device).float() - _SPLIT) / _SPLIT_WIDTH)[:, None]
    smooth, rest = (_over_bands(logits, device) for logits in (settings.smooth, settings.rest))
    expected, shares, similarities = torch.empty_like(C.bands), C.bands.new_zeros(len(SEMITONES)), []
    for frames in torch.arange(C.bands.shape[1], device=device).split(_COMPARED):
        cosines = C.bands.new_empty(len(_COSINES), len(frames), len(library.age))
        for cosine, name in zip(cosines, _COSINES, strict=True):
            torch.mm(getattr(C, name)[:, frames].T, getattr(library, name), out=cosine)
        ages = (C.age[frames, None] - library.age).abs()
        # All frames of the style are compared by one similarity; low bands, high bands and loudness weigh the best.
        coarse = _similarity(cosines, ages, library.semitones, _NEAREST)
        nearest = coarse.topk(min(_NEIGHBOURS, coarse.shape[1]), dim=1).indices
        near = torch.stack([cosine.gather(1, nearest) for cosine in cosines])
        ages, semitones = ages.gather(1, nearest), library.semitones[nearest]
        low, up, loud = (
            torch.softmax(_similarity(near, ages, semitones, weights), 1)
            for weights in (settings.low, settings.high, settings.loudness)
        )
        of_low, of_high = (
            _shape(w, semitones, library, nearest, settings.envelope[i : i + 2])
            for i, w in ((0, low), (2, up))
        )
        shape = (1 - high) * of_low + high * of_high
        # The less similar the best frames are, the more of the equalised content.
        similarity = (low * near[0]).sum(1)
        doubt = similarity - _SIMILAR
        apart = equalised[:, frames] - shape
        slow = smoother @ apart
        shape = shape + torch.sigmoid(smooth + settings.doubt[0] * doubt) * slow
        shape = shape + torch.sigmoid(rest + settings.doubt[1] * doubt) * (apart - slow)
        matched = (loud * library.loudness[nearest]).sum(1)
        bands = shape + settings.loud * matched + (1 - settings.loud) * plain_loudness[frames]
        expected[:, frames] = _with_itself(bands, C, A, frames)
        shares.index_add_(0, (semitones - SEMITONES[0]).long().flatten(), low.flatten())
        similarities.append(similarity)
    return expected, (shares / shares.sum()).cpu().numpy(), float(torch.cat(similarities).mean())


def _with_itself(
    expected: torch.Tensor, C: Description, A: Description, frames: torch.Tensor
) -> torch.Tensor:
    """Expect of a frame that the style holds itself, to within half a decibel in all bands, what it holds."""
    same = A.bands[:, (C.fine[:, frames].T @ A.fine).argmax(1)]
    apart = (C.bands[:, frames] - same).square().mean(0).sqrt()
    return torch.lerp(expected, same, torch.exp(-(apart / _SAME).square()))


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


def _shape(w, semitones, library: Library, nearest, envelope) -> torch.Tensor:
    """Average band levels without their loudness [shape=(80, n_frames)]."""
    (down, down_reach), (up, up_reach) = envelope
    back = torch.where(
        semitones < 0, down * torch.exp(semitones / down_reach), up * torch.exp(-semitones / up_reach)
    )
    levels = torch.bmm(w[:, None], library.bands[nearest])
    levels += torch.bmm((w * back)[:, None], library.envelope[nearest])
    return levels[:, 0].T - (w * library.loudness[nearest]).sum(1)


def _over_bands(logits: tuple, device) -> torch.Tensor:
    """Interpolate four values from the lowest to the highest band [shape=(80, 1)]."""
    at = np.interp(np.arange(N_BANDS), (0, 26, 53, N_BANDS - 1), logits)
    return torch.as_tensor(at, dtype=torch.float32, device=device)[:, None]
