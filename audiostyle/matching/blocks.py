"""Matched timbre of a sound of any length, some half a minute at a time.

What a frame's description and its expected bands take from the whole content is found in a first pass: mean bands,
the largest magnitude, steadiness, onsets. Two means over notes, which take long, come from at most two hundred frames
in each of forty places. A frame then depends on few frames beside it, and blocks join to what `match_timbre` gives.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from audiostyle.matching.describe import (
    HOP,
    N_FFT,
    SR,
    Description,
    Whole,
    activations,
    age,
    describe,
    fine_and_course,
    lagged_cosines,
    log_bands,
    magnitudes,
    mean_steadiness,
    note_peaks,
    note_powers,
    rise,
)
from audiostyle.matching.filter import Filter, gain_on
from audiostyle.matching.match import (
    FLOOR,
    SETTINGS,
    Library,
    Overall,
    expected_bands,
    kind_of,
    overall,
)

# Frames of a block, and frames beside it that reach into it: windows of 4096 samples, eleven stacked frames.
BLOCK, BESIDE = 1536, 16
# Places and frames at each that means over notes are taken from.
_PLACES, _FRAMES = 40, 200
# Reads samples from one to before another of the content's mid signal at 22 050 Hz.
Read = Callable[[int, int], np.ndarray]


class Survey(NamedTuple):
    """What a first pass found.

    Parameters
    ----------
    whole : Whole
        For `describe`.
    overall : Overall
        For the expected bands.
    steadiness : float
        As `Description.steadiness`.
    age : torch.Tensor [shape=(n_frames,)]
        As in `Description`.
    """

    whole: Whole
    overall: Overall
    steadiness: float
    age: torch.Tensor


def n_frames_of(n_samples: int) -> int:
    """Return the frames of a content of so many samples."""
    return 1 + -(-n_samples // HOP)


def survey(read: Read, n_samples: int, *, device: str | torch.device = "cpu") -> Survey:
    """Find what the frames of a content have together.

    Memory grows by 14 kB for each second, the levels of its bands.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns samples of the mid signal [shape=(stop - start,)] at 22 050 Hz, brought to the
        level of the analysis.
    n_samples : int
        Its length.
    device : str

    Returns
    -------
    Survey
    """
    bands, cosines, risen, loudest, roots, powers = [], [], [], [], [], []
    for block in _blocks(n_samples):
        y = block.read(read)
        near, long = (magnitudes(y, block.n_frames, n, 1.0, device) for n in (N_FFT, 2 * N_FFT))
        long = block.cut(long)
        bands.append(block.cut(log_bands(near)))
        cosines.append(block.cut(lagged_cosines(fine_and_course(near)[0])))
        risen.append(block.cut(rise(near)))
        loudest.append(float(long.max()))
        roots.append(float(long.sqrt().sum(dtype=torch.float64)))
        powers.append(float(note_powers(long).sum(dtype=torch.float64)))
        sizes = len(long), len(note_powers(long[:, :1]))
    bands = torch.cat(bands, 1)
    n_frames, most = bands.shape[1], max(max(loudest), 1e-9)
    whole = Whole(
        bands.mean(1, keepdim=True),
        bands.std(1, keepdim=True),
        most,
        sum(roots) / most**0.5 / (sizes[0] * n_frames),
        sum(powers) / (sizes[1] * n_frames),
    )
    steadiness = mean_steadiness(torch.cat(cosines), bands.logsumexp(0))
    whole = _with_notes(whole, read, n_samples, device)
    return Survey(whole, overall(bands), steadiness, age(torch.cat(risen)))


def _with_notes(whole: Whole, read: Read, n_samples: int, device) -> Whole:
    """Add the means over notes: of all frames, or of so many places of a longer content."""
    n_frames = n_frames_of(n_samples)
    size = _FRAMES if n_frames > _PLACES * _FRAMES else BLOCK
    places = list(_blocks(n_samples, size))
    if size == _FRAMES:
        places = [places[i] for i in np.linspace(0, len(places) - 1, _PLACES).round().astype(int)]
    found = [
        note_peaks(p.cut(magnitudes(p.read(read), p.n_frames, 2 * N_FFT, 1.0, device)), whole) for p in places
    ]
    counts = [peaks.shape[1] for peaks in found]
    mean = float(np.average([float(peaks.mean()) for peaks in found], weights=counts))
    loudest = [float(activations(peaks, mean).max(0).values.mean()) for peaks in found]
    return whole._replace(peaks=mean, notes=float(np.average(loudest, weights=counts)))


def match_blocks(
    read: Read,
    n_samples: int,
    found: Survey,
    style: np.ndarray,
    *,
    kind: str | None = None,
    device: str | torch.device = "cpu",
) -> Iterator[Filter]:
    """Yield the filter of `match_timbre` a block at a time.

    Parameters
    ----------
    read, n_samples
        As for `survey`.
    found : Survey
        What it returned.
    style : np.ndarray [shape=(n_samples,)]
        The style at 22 050 Hz, at the level of the analysis.
    kind : {"instrument", "voice"} or None
        As for `match_timbre`.
    device : str

    Yields
    ------
    Filter
        Each begins where the one before ended.
    """
    A = describe(style, device=device)
    settings = SETTINGS[kind or kind_of(found.steadiness, A.steadiness)]
    library = Library(style, A, settings.depth, device)
    floor = found.overall.loudest - FLOOR
    for block in _blocks(n_samples):
        y = block.read(read)
        C = _cut(describe(y, whole=found.whole, device=device), block, found.age)
        bands, _, _ = expected_bands(C, A, library, settings, found.overall)
        S = block.cut(magnitudes(y, block.n_frames, N_FFT, 1.0, device))
        yield Filter(gain_on(S, SR, bands, floor, settings.harmony), block.first)


def _cut(C: Description, block: "_Block", ages: torch.Tensor) -> Description:
    parts = {name: block.cut(getattr(C, name)) for name in ("fine", "course", "pitch", "notes", "bands")}
    return replace(C, age=ages[block.first : block.last], **parts)


class _Block(NamedTuple):
    """Frames `first` to before `last`, and those from `begin` to before `end` that reach into them."""

    first: int
    last: int
    begin: int
    end: int
    n_samples: int

    @property
    def n_frames(self) -> int:
        return self.end - self.begin

    def read(self, read: Read) -> np.ndarray:
        return read(self.begin * HOP, min(self.n_samples, self.end * HOP))

    def cut(self, F: torch.Tensor) -> torch.Tensor:
        """Leave out what only reaches into the block, along the last axis."""
        return F[..., self.first - self.begin : self.last - self.begin]


def _blocks(n_samples: int, size: int = BLOCK) -> Iterator[_Block]:
    n_frames = n_frames_of(n_samples)
    for first in range(0, n_frames, size):
        last = min(first + size, n_frames)
        yield _Block(first, last, max(0, first - BESIDE), min(n_frames, last + BESIDE), n_samples)
