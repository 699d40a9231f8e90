"""Match every frame of the content with frames of the transposed style, by kernel regression."""

from collections.abc import Iterator
from typing import NamedTuple

import librosa
import numpy as np
import torch

from audiostyle.config import check_allowed
from audiostyle.matching.describe import (
    N_BANDS,
    SR,
    Block,
    Clip,
    Description,
    averaged,
    course,
    fine_structure,
    log_bands,
    magnitudes,
    mean_and_deviation,
    smooth,
    transposed,
)
from audiostyle.matching.gain import Gain, fitted_gain
from audiostyle.sound.levels import set_level
from audiostyle.sound.read import check_waveform
from audiostyle.system import single_precision

KINDS = ("instrument", "voice")
SEMITONES = range(-18, 19)
LEVEL = 0.07
# Frames of the style that are used, at most, and frames of the content that are compared with them at a time.
STYLE_FRAMES, _COMPARED = 1000, 128
# Cosines along bands that make an envelope; bands over which low ones give way to high ones.
_COSINES, _WIDTH = 12, 4
# Natural logarithms of power under the loudest: 80 dB, from which gains are counted and below which is silence; 40 dB,
# above which nothing is taken for noise; 20 dB, within which a frame is loud.
_FLOOR, _NOISE, _LOUD = 18.4, 9.2, 4.6
# Natural logarithm of power, root mean square over the bands, at which a frame is another one (half a decibel).
_SAME = 0.115
# A clip whose fine structure persists less over 140 ms, as a cosine, is a voice that speaks: speech of 18 readers has
# .06 to .29 and synthetic voices up to .34; singing and instruments have .36 to .85 (a drum .30).
_STEADY = 0.35


class Constants(NamedTuple):
    """What was fitted to known targets (``python -m experiments.fit_matching``); nepers are of power, 4.3 dB each.

    Parameters
    ----------
    fine, course : float
        What a cosine of 1 adds to the log weight of a frame: where partials lie, how bands move.
    age : float
        What a neper between the ages of two notes takes from it.
    semitone : float
        What each semitone of transposition takes from it.
    neighbours : int
        Frames that are averaged, the most similar ones: one recording of a note is not what the style does in general.
    body : float
        Share of its own envelope that a transposed frame gets back above `split`: resonances stay, partials move.
    split : float
        Band, of 80, around which that sets in, and down to which low bands take their partials from the content.
    loud : float
        Share of the matched loudness in the result's; the rest is the content's.
    slow : float
        Share of the equalised content in the envelope.
    doubt, low_doubt, steep : float
        Cosine of the fine structure at which half of the partials come from the equalised content, what the lowest
        band adds to it, and how steeply that share falls with the cosine.
    depth : float
        Nepers under the loudest band within which levels are told apart.
    peaks : float
        Nepers by which the strongest bands are raised: an average of partials that differ in place is flat.
    frames : int
        Frames over which the expectation is averaged.
    noise, clear : float
        Nepers over the quietest level of a band up to which the content holds its own noise, which is not lifted,
        and over which it comes free.
    harmony : float
        Share of what the gain does to the pitch classes below 1 kHz that is given back.
    """

    fine: float = 20.0
    course: float = 4.0
    age: float = 3.0
    semitone: float = 0.2
    neighbours: int = 120
    body: float = 0.5
    split: float = 28.0
    loud: float = 0.5
    slow: float = 0.12
    doubt: float = 0.21
    low_doubt: float = 0.18
    steep: float = 20.0
    depth: float = 16.0
    peaks: float = 0.4
    frames: int = 5
    noise: float = 1.2
    clear: float = 1.4
    harmony: float = 0.6


# Of a voice pitch says little, and no two say the same: what is alike is how bands move.
CONSTANTS = {
    "instrument": Constants(),
    "voice": Constants(
        fine=2.0, course=6.0, age=1.0, semitone=0.4, slow=0.45, doubt=0.05, noise=0.5, frames=1
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
        Mean cosine of the fine structure between the content and what it was matched with; below some .3 the style
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
        Which constants to use; None takes those of voices where the fine structure of both clips changes as in speech.
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

    Notebook: 03_transfer_one_pair.ipynb

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


def match_blocks(
    content: Clip, style: np.ndarray, *, kind: str | None = None, constants: Constants | None = None
) -> Iterator[Match]:
    """Yield the match of one block of the content after the other; each gain begins where the one before ended.

    Parameters
    ----------
    content : Clip
    style : np.ndarray [shape=(n_samples,)]
        The style at 22 050 Hz, at the level of the analysis (`to_analysis`).
    kind : {"instrument", "voice"} or None
        As for `match_timbre`.
    constants : Constants or None
        Others than those of the kind.

    Yields
    ------
    Match
    """
    check_allowed(kind in (None, *KINDS), "kind", kind, f"one of {', '.join(KINDS)}")
    clip = Clip(lambda a, b: style[a:b], len(style), device=content.device)
    k = constants or CONSTANTS[kind or kind_of(content.steadiness, clip.steadiness)]
    A = clip.describe(clip.whole())
    library = Library(style, A)
    floor = float(content.bands.max()) - _FLOOR
    for block in content.blocks():
        # The expectation is averaged over frames: some beside the block are needed.
        beside = k.frames // 2
        wide = Block(max(0, block.first - beside), min(content.n_frames, block.last + beside), *block[2:])
        C = content.describe(wide)
        expected, shares, similarity = expected_bands(content, C, clip.bands, library, k)
        expected = Block(*block[:2], *wide[:2]).cut(_with_itself(expected, C, A))
        S = block.cut(content.magnitudes(block))
        yield Match(
            Gain(fitted_gain(S, expected, floor, k.harmony).cpu(), block.first), expected, shares, similarity
        )


def to_analysis(y: np.ndarray, sr: int, name: str) -> np.ndarray:
    """Return a waveform at the rate and the level at which it is described, or say that it is silent."""
    y = set_level(y, LEVEL, name=name)
    return y if sr == SR else librosa.resample(y, orig_sr=sr, target_sr=SR)


def kind_of(content: float, style: float) -> str:
    """Tell instruments from voices by how steady two clips are."""
    return KINDS[max(content, style) < _STEADY]


class Likeness(NamedTuple):
    """How alike frames of a content and of the style are [shape=(n_frames, n) each].

    Parameters
    ----------
    fine, course : torch.Tensor
        Cosines.
    ages : torch.Tensor
        Differences in age.
    which : torch.Tensor
        Frames of the library.
    """

    fine: torch.Tensor
    course: torch.Tensor
    ages: torch.Tensor
    which: torch.Tensor

    def best(self, library: "Library", k: Constants, n: int) -> tuple["Likeness", torch.Tensor]:
        """Return the n most similar frames of each, and their log weights."""
        similarity = k.fine * self.fine + k.course * self.course - k.age * self.ages
        similarity -= k.semitone * library.semitones.abs()[self.which]
        weights, i = similarity.topk(min(n, similarity.shape[1]), dim=1)
        return Likeness(*(x.gather(1, i) for x in self)), weights


class Library:
    """The style's frames at every transposition, one after the other.

    Attributes
    ----------
    fine, course : list of torch.Tensor [shape=(n_values, n_kept), dtype=float16]
        Of each transposition.
    bands, own : torch.Tensor [shape=(80, n)]
        Log energies of the frames, and of the untransposed ones.
    loudness, age, semitones : torch.Tensor [shape=(n,)]
    """

    def __init__(self, y: np.ndarray, A: Description) -> None:
        n_frames, device = len(A.age), A.bands.device
        kept = torch.linspace(0, n_frames - 1, min(n_frames, STYLE_FRAMES)).round().long()
        self.fine, self.course, bands = [], [], []
        centres = librosa.mel_frequencies(N_BANDS + 2, fmin=0, fmax=SR / 2)[1:-1]
        for semitones in SEMITONES:
            rate = 2 ** (semitones / 12)
            S = magnitudes(transposed(y, semitones), n_frames, rate, device)
            b = log_bands(S)
            self.fine.append(fine_structure(S)[:, kept].half())
            self.course.append(course(b, *mean_and_deviation(b))[:, kept].half())
            if rate < 1:
                # Played slower it ends below half the sample rate; above, the style itself stands in.
                top = int(np.searchsorted(centres, SR / 2 * rate * 0.97))
                b[top:] = A.bands[top:]
            bands.append(b[:, kept])
        self.bands = torch.cat(bands, 1)
        self.own = A.bands[:, kept].repeat(1, len(SEMITONES))
        self.loudness = self.bands.logsumexp(0)
        self.age = A.age[kept].repeat(len(SEMITONES))
        self.semitones = torch.tensor(list(SEMITONES), device=device).float().repeat_interleave(len(kept))

    def levels(self, k: Constants) -> torch.Tensor:
        """Return the bands [shape=(n, 80)] with some of the envelope of the untransposed ones above the split."""
        bands, own = (b.clamp_min(float(self.own.max()) - k.depth) for b in (self.bands, self.own))
        upper = torch.sigmoid((torch.arange(N_BANDS, device=bands.device).float() - k.split) / _WIDTH)[
            :, None
        ]
        return (bands + k.body * upper * smooth(own - bands, _COSINES)).T.contiguous()

    def alike(self, C: Description, frames: torch.Tensor) -> Likeness:
        """Compare frames of a content with all of the style."""
        cosines = [
            torch.cat([getattr(C, name)[:, frames].T @ part.float() for part in getattr(self, name)], 1)
            for name in ("fine", "course")
        ]
        ages = (C.age[frames, None] - self.age).abs()
        return Likeness(*cosines, ages, torch.arange(len(self.age), device=ages.device).expand_as(ages))


def expected_bands(
    content: Clip, C: Description, style: torch.Tensor, library: Library, k: Constants, alike=None
):
    """Return expected log energies [shape=(80, n_frames)], shares of the transpositions, mean fine similarity.

    ``alike(frames)`` gives the likeness of frames, if it is known.
    """
    device = C.bands.device
    equalised = _equalised(content.bands, C.bands, style, k.depth)
    plain_loudness = C.bands.logsumexp(0) + _level(style) - _level(content.bands)
    bands = torch.arange(N_BANDS, device=device).float()[:, None]
    doubt = k.doubt + k.low_doubt * (1 - bands / k.split).clamp_min(0)
    levels, expected, similarities = library.levels(k), torch.empty_like(C.bands), []
    shares = C.bands.new_zeros(len(SEMITONES))
    for frames in torch.arange(C.bands.shape[1], device=device).split(_COMPARED):
        likeness = alike(frames) if alike else library.alike(C, frames)
        best, weights = likeness.best(library, k, k.neighbours)
        weights = weights.softmax(1)
        fine, loudness = ((weights * x).sum(1) for x in (best.fine, library.loudness[best.which]))
        shape = torch.bmm(weights[:, None], levels[best.which])[:, 0].T - loudness
        # The less alike the partials are, the more of them comes from the equalised content.
        apart = equalised[:, frames] - shape
        slow = smooth(apart, _COSINES)
        shape = shape + k.slow * slow + torch.sigmoid(k.steep * (doubt - fine)) * (apart - slow)
        expected[:, frames] = (
            _peaked(shape, k.peaks) + k.loud * loudness + (1 - k.loud) * plain_loudness[frames]
        )
        shares.index_add_(
            0, (library.semitones[best.which] - SEMITONES[0]).long().flatten(), weights.flatten()
        )
        similarities.append(fine)
    expected = _without_noise(averaged(expected, k.frames), content, C.bands, style, k)
    return expected, (shares / shares.sum()).cpu().numpy(), float(torch.cat(similarities).mean())


def _equalised(content: torch.Tensor, bands: torch.Tensor, style: torch.Tensor, depth: float) -> torch.Tensor:
    """Return what an equaliser gives of bands of the content [shape=(80, n_frames)], every frame of energy 1."""
    most = content.max()
    content, bands, style = (
        b.clamp_min(m - depth) for b, m in ((content, most), (bands, most), (style, style.max()))
    )
    equalised = bands + (style.mean(1) - content.mean(1))[:, None]
    return equalised - equalised.logsumexp(0)


def _level(bands: torch.Tensor) -> torch.Tensor:
    """Return the median loudness of the loud frames of a clip."""
    loudness = bands.logsumexp(0)
    return loudness[loudness > loudness.max() - _LOUD].median()


def _peaked(shape: torch.Tensor, by: float) -> torch.Tensor:
    """Raise the energy by so many nepers, in the bands that hold it."""
    wanted = shape.logsumexp(0) + by
    share = (shape - shape.amax(0)).exp()
    for _ in range(2):
        energy = shape.softmax(0)
        shape = shape + (wanted - shape.logsumexp(0)) * share / (energy * share).sum(0)
    return shape


def _without_noise(
    expected: torch.Tensor, content: Clip, bands: torch.Tensor, style: torch.Tensor, k: Constants
):
    """Lift what is noise in the content by no more than its loud frames, however loud the expectation."""
    lift = torch.minimum(expected.logsumexp(0) - bands.logsumexp(0), _level(style) - _level(content.bands))
    free = ((bands - content.quietest.clamp_max(content.bands.max() - _NOISE) - k.noise) / k.clear).clamp(
        0, 1
    )
    more = expected - bands - lift
    return torch.where(more > 0, bands + lift + free * more, expected)


def _with_itself(expected: torch.Tensor, C: Description, A: Description) -> torch.Tensor:
    """Expect of a frame that the style holds itself, to within half a decibel in all bands, what it holds."""
    same = torch.cat([A.bands[:, (fine.T @ A.fine).argmax(1)] for fine in C.fine.split(_COMPARED, 1)], 1)
    apart = (C.bands - same).square().mean(0).sqrt()
    return torch.lerp(expected, same, torch.exp(-(apart / _SAME).square()))
