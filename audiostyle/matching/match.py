"""Match every frame of the content with frames of the transposed style, by kernel regression."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from audiostyle.config import check_allowed
from audiostyle.matching.describe import N_BANDS, SEMITONES, SR, Clip, Description, Library, alike, smooth
from audiostyle.matching.gain import Gain, fitted_gain
from audiostyle.sound.levels import set_level
from audiostyle.sound.read import check_waveform
from audiostyle.sound.samples import Sound, resample
from audiostyle.system import single_precision

LEVEL = 0.07
# Frames of the content that are compared with the style at a time.
_COMPARED = 128
# Chosen, not fitted, as the distance hardly depends on them. Frames that are averaged: one recording of a note is not
# what the style does in general (60 to 600 differ by .02 dB); cosines along bands that make an envelope (10 to 16, .04
# dB); band from which bands are wider than a semitone, 1.2 kHz, and over how many that sets in (20 to 36, .05 dB); how
# steeply doubt grows (10 to 40, .03 dB).
_NEIGHBOURS, _COSINES, _WIDE, _WIDTH, _STEEP = 120, 12, 28, 4, 20.0
# Nepers of power under the loudest: 40 dB, above which nothing is noise; 20 dB, within which a frame is loud. Root mean
# square over the bands, half a decibel, at which a frame is another one.
_NOISE, _LOUD, _SAME = 9.2, 4.6, 0.115
# A clip whose fine structure hardly ever persists over 140 ms, as a cosine, is a voice that speaks: all of 73
# utterances stay below, and 85 of 87 clips of instruments and singing do not (a drum and a fast trumpet do). By the
# mean over frames, of which the threshold was .35, it was 68 and 79: real notes of a clarinet were taken for speech.
_STEADY = 0.55


class Constants(NamedTuple):
    """What is fitted to known targets by ``python -m experiments.fit_matching``; a neper is of power, 4.3 dB."""

    fine: float = 20.0  # log weight that a cosine of 1 adds: where partials lie
    course: float = 4.0  # log weight that a cosine of 1 adds: how bands move
    age: float = 3.0  # log weight that a neper between the ages of two notes takes
    semitone: float = 0.2  # log weight that each semitone of transposition takes
    body: float = 0.5  # share of its own envelope that a transposed frame gets back above 1.2 kHz
    depth: float = 16.0  # nepers under the loudest band within which levels are told apart
    doubt: float = 0.3  # cosine of the fine structure at which the content gives half of the partials
    slow: float = 0.12  # share of the equalised content in the envelope
    peaks: float = 0.4  # nepers by which the strongest band is raised: an average of partials is flat
    loud: float = 0.5  # share of the matched loudness in the result's; the rest is the content's
    frames: int = 5  # odd number of frames over which the expectation is averaged
    noise: float = 1.8  # nepers over its quietest level up to which a band is noise; at twice that it is free


# Of a voice pitch says little, as no two say the same at one pitch: what is alike is how bands move.
CONSTANTS = {
    "instrument": Constants(),
    "voice": Constants(fine=2.4, age=1.0, semitone=0.4, doubt=0.05, slow=0.45, frames=1, noise=0.3),
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
    parts = list(match_blocks(Clip(Sound.of(content, SR), device=device), style, kind=kind))
    counts = [part.bands.shape[1] for part in parts]
    return Match(
        Gain(torch.cat([part.gain.log_gain for part in parts], 1)),
        torch.cat([part.bands for part in parts], 1),
        np.average([part.semitones for part in parts], axis=0, weights=counts),
        float(np.average([part.similarity for part in parts], weights=counts)),
    )


def match_blocks(content: Clip, style: np.ndarray, *, kind: str | None = None) -> Iterator[Match]:
    """Yield the match of one block of the content after the other; each gain begins where the one before ended.

    The style [shape=(n_samples,)] is at 22 050 Hz and at the level of the analysis (`to_analysis`).
    """
    check_allowed(kind in (None, *CONSTANTS), "kind", kind, f"one of {', '.join(CONSTANTS)}")
    clip = Clip(Sound.of(style, SR), device=content.device)
    k = CONSTANTS[kind or kind_of(content.steadiness, clip.steadiness)]
    A = clip.describe()
    library = Library(style, A)
    beside = k.frames // 2  # that the average over frames needs
    for first, last in content.blocks:
        begin = max(0, first - beside)
        inner = slice(first - begin, last - begin)
        C = content.describe(begin, min(content.n_frames, last + beside))
        expected, shares, similarity = expected_bands(content, C, clip.bands, library, k)
        expected = _where_it_differs(expected, C, A)[:, inner]
        log_gain = fitted_gain(C.S[:, inner], expected, content.floor)
        yield Match(Gain(log_gain.cpu(), first), expected, shares, similarity)


def to_analysis(y: np.ndarray, sr: int, name: str) -> np.ndarray:
    """Return a waveform at the rate and the level at which it is described, or say that it is silent."""
    y = set_level(y, LEVEL, name=name)
    return y if sr == SR else resample(y, sr, SR)


def kind_of(content: float, style: float) -> str:
    """Tell instruments from voices by how steady two clips are."""
    return "voice" if max(content, style) < _STEADY else "instrument"


def levels(library: Library, k: Constants) -> torch.Tensor:
    """Return the library's bands [shape=(n, 80)] with some of the untransposed frames' envelope: resonances stay."""
    bands, own = (b.clamp_min(float(library.own.max()) - k.depth) for b in (library.bands, library.own))
    wide = torch.sigmoid((torch.arange(N_BANDS, device=bands.device)[:, None] - _WIDE) / _WIDTH)
    return (bands + k.body * wide * smooth(own - bands, _COSINES)).T.contiguous()


def expected_bands(
    content: Clip, C: Description, style: torch.Tensor, library: Library, k: Constants
) -> tuple[torch.Tensor, np.ndarray, float]:
    """Return expected log energies of a part of the content [shape=(80, n_frames)], with `Match`'s other two."""
    equalised = _equalised(content.bands, C.bands, style, k.depth)
    plain_loudness = C.bands.logsumexp(0) + _level(style) - _level(content.bands)
    known, expected, similarities = levels(library, k), torch.empty_like(C.bands), []
    shares = C.bands.new_zeros(len(SEMITONES))
    for first in range(0, C.bands.shape[1], _COMPARED):
        frames = slice(first, min(first + _COMPARED, C.bands.shape[1]))
        which, weights, cosines = library.most_similar(C, frames, k[:4], _NEIGHBOURS)
        fine, loudness = ((weights * x).sum(1) for x in (cosines, library.loudness[which]))
        shape = torch.bmm(weights[:, None], known[which])[:, 0].T - loudness
        # The less alike the partials are, the more of them comes from the equalised content.
        apart = equalised[:, frames] - shape
        envelope = smooth(apart, _COSINES)
        shape += k.slow * envelope + torch.sigmoid(_STEEP * (k.doubt - fine)) * (apart - envelope)
        shape += k.peaks * (shape - shape.amax(0)).exp()
        expected[:, frames] = shape + k.loud * loudness + (1 - k.loud) * plain_loudness[frames]
        shares.index_add_(0, (library.semitones[which] - SEMITONES[0]).flatten(), weights.flatten())
        similarities.append(fine)
    around = torch.nn.functional.pad(expected[:, None], (k.frames // 2,) * 2, mode="replicate")
    expected = torch.nn.functional.avg_pool1d(around, k.frames, 1)[:, 0]
    expected = _without_noise(expected, content, C.bands, style, k)
    return expected, (shares / shares.sum()).cpu().numpy(), float(torch.cat(similarities).mean())


def _equalised(content: torch.Tensor, bands: torch.Tensor, style: torch.Tensor, depth: float) -> torch.Tensor:
    """Return what an equaliser gives of bands of the content [shape=(80, n_frames)], every frame of energy 1."""
    least = content.max() - depth
    change = style.clamp_min(style.max() - depth).mean(1) - content.clamp_min(least).mean(1)
    equalised = bands.clamp_min(least) + change[:, None]
    return equalised - equalised.logsumexp(0)


def _level(bands: torch.Tensor) -> torch.Tensor:
    """Return the median loudness of the loud frames of a clip."""
    loudness = bands.logsumexp(0)
    return loudness[loudness > loudness.max() - _LOUD].median()


def _without_noise(
    expected: torch.Tensor, content: Clip, bands: torch.Tensor, style: torch.Tensor, k: Constants
) -> torch.Tensor:
    """Lift what is noise in the content by no more than its loud frames, however loud the expectation.

    No filter makes a partial of noise: lifted, it is heard as haze.
    """
    lift = torch.minimum(expected.logsumexp(0) - bands.logsumexp(0), _level(style) - _level(content.bands))
    quietest = content.quietest.clamp_max(content.bands.max() - _NOISE)
    free = ((bands - quietest) / k.noise - 1).clamp(0, 1)
    more = expected - bands - lift
    return torch.where(more > 0, bands + lift + free * more, expected)


def _where_it_differs(expected: torch.Tensor, C: Description, A: Description) -> torch.Tensor:
    """Expect of a frame that the style holds itself, to within half a decibel in all bands, what it holds."""
    same = A.bands[:, alike(C, A)]
    apart = (C.bands - same).square().mean(0).sqrt()
    return torch.lerp(expected, same, torch.exp(-(apart / _SAME).square()))
