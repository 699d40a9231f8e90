"""Settings of the speaker identification, from the paper's distance to the recommended one, and their kernels.

The inner product of two Gram matrices, ‖K_ab‖² with each divided by its number of patches, is a kernel between
utterances; the distance of the paper is ‖K_aa‖² + ‖K_bb‖² − 2 ‖K_ab‖².
"""

import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from audiostyle.config import check_positive
from audiostyle.datasets.corpora import SAMPLE_RATE
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.sound.samples import of_length
from audiostyle.speakers.gram_distance import pairwise_gram_inner
from audiostyle.spectrogram import n_samples_for, stft

# Share of the norm of a frame that its roundings may leave when the mean is subtracted.
_ROUNDINGS = 1e-5


@dataclass(frozen=True)
class FrontEnd:
    """From a waveform to the frames that an encoder sees."""

    n_fft: int = 2048  # window and hop of the STFT, in samples at 16 kHz
    hop_length: int = 1024
    exponent: float | None = None  # magnitudes are raised to this power; None takes log1p, as the paper
    pool: int = 1  # so many successive frames are averaged into one
    centre: bool = False  # subtract from each frame its mean over frequency
    unit: bool = False  # bring each frame to unit norm, so that loud and quiet frames count alike
    band: tuple[float, float] | None = None  # lowest and highest frequency in Hz that are kept
    # A constant is added to all powers, so many decibels from their mean over the band and the utterance: what lies
    # below it, noise or nothing, is nearly alike in all recordings.
    floor_db: float | None = None

    def shortest(self, kernel_size: int) -> int:
        """Return the fewest samples that give one patch of so many frames."""
        return n_samples_for((kernel_size - 1) * self.pool + 1, self.hop_length)

    def __call__(self, y: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return the frames of a waveform [shape=(n_bins, n_frames)]."""
        return self.frames(self.magnitudes(y))

    def magnitudes(self, y: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return the magnitudes [shape=(1 + n_fft // 2, n_frames)], which front ends of several bands share."""
        # A frame centred after the end holds little of the sound; with `unit` it would count as much as any other.
        return stft(y, n_fft=self.n_fft, hop_length=self.hop_length, cover=False).abs()

    def frames(self, S: torch.Tensor) -> torch.Tensor:
        """Turn magnitudes into frames [shape=(n_bins, n_frames)]."""
        if self.band is not None:
            low, high = (frequency * self.n_fft / SAMPLE_RATE for frequency in self.band)
            S = S[math.ceil(low) : math.floor(high) + 1]
        if self.floor_db is not None:
            P = S.square()
            S = (P + P.mean() * 10 ** (self.floor_db / 10)).sqrt()
        X = torch.log1p(S) if self.exponent is None else S.pow(self.exponent)
        if self.pool > 1:
            X = torch.nn.functional.pad(X, (0, -X.shape[1] % self.pool))
            X = X.unflatten(1, (-1, self.pool)).mean(dim=2)
        size = X.norm(dim=0)
        if self.centre:
            X = X - X.mean(dim=0)
        if self.unit:
            # A frame of digital silence is zero and takes part in nothing; on a floor only roundings are left of it.
            own = X.norm(dim=0)
            X = torch.where(own > _ROUNDINGS * size, X / own, 0.0)
        return X


@dataclass(frozen=True)
class SpeakerMethod:
    """A way to tell speakers apart by Gram matrices."""

    front_ends: tuple[FrontEnd, ...] = (
        FrontEnd(),
    )  # the kernels of several are averaged (only with `cosine`)
    kernel_size: int = 11  # frames of a patch
    activation: str = "relu"
    cosine: bool = False  # compare Gram matrices by the cosine between them, not by their Euclidean distance
    classifier: str = "nearest"  # or "ridge", which needs `cosine`
    # Front ends of a second ridge regression. An utterance counts with it the more, the rarer it is to the first: see
    # `audiostyle.speakers.classifiers.weigh`.
    second: tuple[FrontEnd, ...] = ()
    width: int | None = None  # random filters; None is the limit of infinitely many

    @property
    def views(self) -> tuple["SpeakerMethod", ...]:
        """The method with the first front ends alone and, where there are any, with the second."""
        ends = (self.front_ends, self.second) if self.second else (self.front_ends,)
        return tuple(replace(self, front_ends=own, second=()) for own in ends)

    @property
    def shortest(self) -> int:
        """Fewest samples that give one patch of every front end; shorter utterances are padded to it."""
        return max(end.shortest(self.kernel_size) for end in self.front_ends)


# What a telephone passes: ITU-T recommendation G.712.
TELEPHONE_BAND = (300.0, 3400.0)
_LONG = FrontEnd(exponent=0.1, unit=True, centre=True)
_SHORT = FrontEnd(n_fft=512, hop_length=256, exponent=0.1, pool=4, unit=True, centre=True)
_FLOORED = tuple(replace(end, floor_db=-20.0) for end in (_LONG, _SHORT))
_TELEPHONE = tuple(replace(end, band=TELEPHONE_BAND) for end in (_LONG, _SHORT))
_RIDGE = SpeakerMethod(front_ends=(_LONG, _SHORT), kernel_size=1, cosine=True, classifier="ridge")
SPEAKER_METHODS = {
    "paper": SpeakerMethod(),
    "cosine": SpeakerMethod(cosine=True),
    "linear": SpeakerMethod(activation="none"),
    "ridge": _RIDGE,
    "best": replace(_RIDGE, front_ends=_FLOORED, second=_TELEPHONE),
}
BASELINES = ("chance", "spectrum", "mfcc", "gmm", "linear")


def get_method(name: str) -> SpeakerMethod:
    """Return a method by name; of ``"paper-4096"`` with so many random filters in place of the limit."""
    known, hyphen, n_filters = name.partition("-")
    if known not in SPEAKER_METHODS or (hyphen and not n_filters.lstrip("-").isdigit()):
        allowed = ", ".join(SPEAKER_METHODS | dict.fromkeys(BASELINES))
        raise ValueError(
            f"method={name!r} is not allowed; it must be one of {allowed}, or such as paper-4096"
        )
    if hyphen:
        check_positive(n_filters=int(n_filters))
    return replace(SPEAKER_METHODS[known], width=int(n_filters) if hyphen else None)


def similarity(
    ys: Iterable[np.ndarray],
    method: str | SpeakerMethod,
    *,
    seed: int = 0,
    device: str = "cpu",
    cache: str | os.PathLike | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Compute the inner products of Gram matrices between all utterances.

    Parameters
    ----------
    ys : iterable of np.ndarray [shape=(n_samples,)]
        Waveforms at 16 kHz.
    method : str or SpeakerMethod
        Of a method with a second classifier the kernel of the first; `SpeakerMethod.views` gives both.

    Returns
    -------
    np.ndarray [shape=(n_items, n_items)]
        ‖K_ab‖² per pair of patches; with `SpeakerMethod.cosine` divided by ‖K_aa‖ ‖K_bb‖, within [−1, 1].
    """
    method = get_method(method) if isinstance(method, str) else method
    if len(method.front_ends) > 1 and not method.cosine:
        raise ValueError("the kernels of several front ends can be averaged only with cosine=True")
    options = {"kernel_size": method.kernel_size, "activation": method.activation, "device": device}
    if method.width is None:
        encoder = InfiniteEncoder(**options)
    else:
        encoder = RandomEncoder(method.width, seed=seed, **options)
    ys, kernels = list(ys), []
    for end in method.front_ends:
        frames = (end(of_length(y, max(len(y), end.shortest(method.kernel_size)))) for y in ys)
        settings = {"method": asdict(replace(method, front_ends=(end,))), "seed": seed}
        inner = pairwise_gram_inner(encoder, frames, cache=cache, settings=settings, progress=progress)
        kernels.append(cosine(inner) if method.cosine else inner)
    return np.mean(kernels, axis=0)


def cosine(inner: np.ndarray) -> np.ndarray:
    """Divide inner products by both norms; a clip without any energy is orthogonal to all."""
    norms = np.sqrt(np.maximum(np.diag(inner), np.finfo(float).tiny))
    return inner / norms / norms[:, None]


def squared_distances(inner: np.ndarray) -> np.ndarray:
    """Turn inner products into squared distances ‖G_a − G_b‖² [shape=(n, n), non-negative]."""
    squares = np.diag(inner)
    return np.maximum(squares + squares[:, None] - 2 * inner, 0.0)
