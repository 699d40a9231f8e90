"""What the paper's two neighbours add to its losses: other front ends, style pooled over frequency, and rhythm.

Barry & Kim 2018, reference [2] of the paper, look at the sound through several time-frequency representations at once;
Tomczak, Southall & Hockman 2018, reference [4], hold on to a rhythm. Both stand on public hooks: an encoder with a view
before it, and an extra term of the loss.
"""

import re
from dataclasses import dataclass, replace

import librosa
import numpy as np
import torch

from audiostyle.config import TransferConfig, check_allowed, check_positive
from audiostyle.encoders import make_encoder
from audiostyle.encoders.base import Encoded, Encoder
from audiostyle.losses import Evaluation, TransferLoss
from audiostyle.matching import SEMITONES, match_timbre, transposed
from audiostyle.sound.levels import match_loudness, measure, set_level
from audiostyle.sound.samples import Sound
from audiostyle.spectrogram import as_tensor, frequencies, log_magnitude
from audiostyle.transfer import make_sound, noise_like, optimise

# Mel bands, and semitones of constant Q; Barry & Kim's patches have 11 bands.
N_MELS, N_SEMITONES, N_BANDS = 128, 84, 11
FRONT_ENDS = ("linear", "mel", "cqt")
_POOLED = "pooled_"
_ITEM = re.compile(rf"(?P<name>(?:{_POOLED})?(?:{'|'.join(FRONT_ENDS)}))(?P<options>(?::[knw][0-9.]+)*)")


@dataclass(frozen=True)
class Branch:
    """A front end, and what stands behind it.

    Parameters
    ----------
    front_end : {"linear", "mel", "cqt"}
    pooled : bool
        Whether the Gram matrix is pooled over frequency as well as time.
    kernel_size, n_filters : int
        As in `audiostyle.TransferConfig`.
    weight : float > 0
        Of both its losses, relative to the other branches'.
    """

    front_end: str
    pooled: bool
    kernel_size: int
    n_filters: int
    weight: float = 1.0


def branches(text: str, kernel_size: int, n_filters: int) -> tuple[Branch, ...]:
    """Read the front ends of a configuration.

    Parameters
    ----------
    text : str
        ``NAME[:kFRAMES][:nFILTERS][:wWEIGHT]``, joined by ``+``; NAME is linear, mel or cqt, with ``pooled_`` before
        it where the style is pooled over frequency.
    kernel_size, n_filters : int
        Of front ends that name none.

    Returns
    -------
    tuple of Branch

    Raises
    ------
    ValueError
        If the text is none of these, or a number is not above 0 or not whole where it counts something.

    Examples
    --------
    >>> [(b.front_end, b.pooled, b.kernel_size, b.weight) for b in branches("linear+pooled_cqt:k5:w2", 11, 4096)]
    [('linear', False, 11, 1.0), ('cqt', True, 5, 2.0)]
    """
    return tuple(_branch(item, text, kernel_size, n_filters) for item in text.split("+"))


def _branch(item: str, text: str, kernel_size: int, n_filters: int) -> Branch:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(
            f"front_ends={text!r} is not allowed; it must be names joined by +, each of {', '.join(FRONT_ENDS)} "
            f"or {_POOLED}NAME, followed by :kFRAMES, :nFILTERS or :wWEIGHT where wanted"
        )
    given = {option[0]: option[1:] for option in match["options"].split(":")[1:]}
    try:
        counts = [
            int(given.get(letter, default)) for letter, default in (("k", kernel_size), ("n", n_filters))
        ]
        weight = float(given.get("w", 1))
    except ValueError:
        raise ValueError(f"front_ends={text!r}: {item} holds what is no number, or no whole one") from None
    if min(*counts, weight) <= 0:
        raise ValueError(f"front_ends={text!r}: the numbers of {item} must be above 0")
    name = match["name"]
    return Branch(name.removeprefix(_POOLED), name.startswith(_POOLED), *counts, weight)


# Semitones upwards from C1, in Hz.
LOWEST, PER_OCTAVE = 32.703, 12


class FrontEnd:
    """A fixed map of log magnitudes [shape=(n_bins, n_frames)]; by itself the identity.

    Parameters
    ----------
    n_bins : int > 0
        Rows of what it returns.

    Attributes
    ----------
    frames : int
        Frames that a column of the result depends on.
    """

    frames = 1

    def __init__(self, n_bins: int) -> None:
        check_positive(n_bins=n_bins)
        self.n_bins = n_bins

    def n_columns(self, n_frames: int) -> int:
        """Return the columns of the result for that many frames."""
        return n_frames

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Map a clip; differentiable.

        Returns
        -------
        torch.Tensor [shape=(n_bins, n_columns)]
        """
        return X


class Bands(FrontEnd):
    """Log magnitudes of bands, ``log1p(M · S)`` for linear magnitudes S.

    Parameters
    ----------
    matrix : np.ndarray [shape=(n_bands, n_bins), non-negative]
        Weights of the bins in each band.

    Examples
    --------
    >>> pairs = Bands(np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]))
    >>> pairs(torch.log1p(torch.tensor([[1.0], [2.0], [0.0], [0.0]]))).exp().round(decimals=4).tolist()
    [[4.0], [1.0]]
    """

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__(len(matrix))
        self.matrix = torch.as_tensor(matrix, dtype=torch.float32)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Map log magnitudes to those of the bands [shape=(n_bands, n_frames)].

        Raises
        ------
        ValueError
            If there are not as many bins as the matrix has columns.
        """
        if X.shape[0] != self.matrix.shape[1]:
            raise ValueError(
                f"the spectrogram has {X.shape[0]} bins and the front end is made for {self.matrix.shape[1]}; "
                f"make it with the n_fft of the spectrogram"
            )
        return torch.log1p(self.matrix.to(X) @ torch.expm1(X))


def _of_unit_norm(matrix: np.ndarray) -> np.ndarray:
    """Scale rows so that noise is as strong in a wide band as in a narrow one; rows of nothing stay."""
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.finfo(matrix.dtype).tiny)


def mel_bands(sr: int, n_fft: int, n_mels: int = N_MELS) -> Bands:
    """Return the front end of triangular mel bands (librosa's, Slaney's scale), each of unit norm."""
    return Bands(_of_unit_norm(librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, norm=None)))


def constant_q_bands(sr: int, n_fft: int) -> Bands:
    """Return the front end of constant Q: 84 semitones upwards from 32.7 Hz, each of unit norm.

    A row is the magnitude response of a Hann-windowed exponential of ``Q · sr / f`` samples (Brown 1991), on the bins
    of the STFT. No row is narrower than the STFT's own resolution: below some Q · sr / n_fft (180 Hz as configured) all
    have the bandwidth of its window. Semitones above half the sample rate are left out.

    Parameters
    ----------
    sr : int
        Sample rate in Hz.
    n_fft : int > 0

    Returns
    -------
    Bands
    """
    centres = LOWEST * 2.0 ** (np.arange(N_SEMITONES) / PER_OCTAVE)
    centres = centres[centres < sr / 2]
    q = 1 / (2 ** (1 / PER_OCTAVE) - 1)
    lengths = np.minimum(q * sr / centres, n_fft)
    time = np.arange(n_fft) - n_fft // 2
    inside = np.abs(time) < lengths[:, None] / 2
    windows = inside * (0.5 + 0.5 * np.cos(2 * np.pi * time / lengths[:, None]))
    atoms = windows * np.exp(2j * np.pi * centres[:, None] / sr * time)
    response = np.abs(np.fft.fft(atoms, axis=1))[:, : len(frequencies(sr, n_fft))]
    # Side lobes of the Hann window, 31 dB down and lower, would let every row see every bin.
    response[response < 0.02 * response.max(axis=1, keepdims=True)] = 0
    return Bands(_of_unit_norm(response))


class Patches(FrontEnd):
    """Patches of a few bands and frames, at every band and every few frames, each a column.

    The patches of all bands are one set, so that a Gram matrix of what an encoder with one frame makes of them is
    pooled over frequency as well as time, and a clip moved up by whole bands has the same one (Barry & Kim 2018,
    constant-Q branch): the frame kernel compares the patch at each band with those at all others.

    Parameters
    ----------
    below : FrontEnd
        Gives the bands.
    kernel_size : int > 0
        Frames of a patch.
    n_bands : int > 0
        Bands of a patch; there are as many as `below` has at most.
    stride : int > 0
        Frames between patches. The pairs of patches, and so the time, fall with its square.

    Notes
    -----
    Zeros follow up to a whole number of strides, so that no frame is left out.

    Examples
    --------
    >>> Patches(FrontEnd(5), kernel_size=2, n_bands=3)(torch.ones(5, 4)).shape  # 3 bands × 3 times
    torch.Size([6, 9])
    """

    def __init__(
        self, below: FrontEnd, kernel_size: int = 11, *, n_bands: int = N_BANDS, stride: int = 1
    ) -> None:
        check_positive(kernel_size=kernel_size, n_bands=n_bands, stride=stride)
        self.below, self.stride, self.frames = below, stride, kernel_size
        self.n_bands = min(n_bands, below.n_bins)
        super().__init__(self.n_bands * kernel_size)

    def n_columns(self, n_frames: int) -> int:
        """Return the number of patches in that many frames."""
        return (self.below.n_bins - self.n_bands + 1) * (1 + -(-(n_frames - self.frames) // self.stride))

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Cut patches [shape=(n_bands · kernel_size, n_columns)]."""
        Y = self.below(X)
        Y = torch.nn.functional.pad(Y, (0, -(Y.shape[1] - self.frames) % self.stride))
        cut = Y.unfold(0, self.n_bands, 1).unfold(1, self.frames, self.stride)
        return cut.permute(2, 3, 0, 1).reshape(self.n_bins, -1)


class FrontEndEncoder(Encoder):
    """An encoder behind a front end.

    Parameters
    ----------
    inner : Encoder
        Encoder of what the front end returns.
    front_end : FrontEnd

    Raises
    ------
    ValueError
        If a patch of `Patches` is not one frame of the encoder.

    Notebook: 14_neighbours.ipynb

    Examples
    --------
    >>> from audiostyle import InfiniteEncoder
    >>> pooled = FrontEndEncoder(InfiniteEncoder(1), Patches(FrontEnd(4), kernel_size=1, n_bands=2))
    >>> X = torch.tensor([[0.0, 1.0, 2.0, 0.0]]).T
    >>> pooled.n_patches(1), bool(pooled.gram_inner(X, X) == pooled.gram_inner(X, X.roll(1, 0)))
    (3, False)
    """

    def __init__(self, inner: Encoder, front_end: FrontEnd) -> None:
        if front_end.frames > 1 and inner.kernel_size > 1:
            raise ValueError(
                f"an encoder of patches has kernel_size=1, not {inner.kernel_size}: Patches cut the frames"
            )
        self.front_end, self.inner = front_end, inner
        self.kernel_size = front_end.frames + inner.kernel_size - 1
        self.device, self.dtype = inner.device, inner.dtype
        self._kernel, self._gram_inner = inner._kernel, inner._gram_inner
        self._patch_distance = inner._patch_distance

    def n_patches(self, n_frames: int) -> int:
        """Return the number of patches in a clip of `n_frames` frames; over all bands where they are pooled."""
        super().n_patches(n_frames)
        return self.inner.n_patches(self.front_end.n_columns(n_frames))

    def patch_energy(self, X: torch.Tensor) -> float:
        """Compute the mean of ½ ‖patch‖² of what the front end returns."""
        return self.inner.patch_energy(self.front_end(as_tensor(X)))

    def _encode(self, X: torch.Tensor) -> Encoded:
        return self.inner.encode(self.front_end(X))


# Onset strengths of silence are raised to this, far under those of any audible change.
_LEAST = 1e-6


def onset_strength(X: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Compute how much the log magnitudes rise from each frame to the next, summed over bins (spectral flux).

    Parameters
    ----------
    X : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes.

    Returns
    -------
    torch.Tensor [shape=(n_frames - 1,), non-negative]

    Examples
    --------
    >>> onset_strength(torch.tensor([[0.0, 2.0, 1.0], [0.0, 1.0, 4.0]])).tolist()
    [3.0, 3.0]
    """
    return as_tensor(X).diff(dim=1).clamp_min(0).sum(dim=0)


class RhythmLoss:
    """Cosine distance between the onset strengths of a clip and of a reference (Tomczak and others 2018).

    Parameters
    ----------
    reference : array or tensor [shape=(n_bins, n_frames_reference)]
        Log magnitudes of the clip whose rhythm is wanted.
    n_frames : int > 1
        Frames of the clips to judge. A longer reference is cut, a shorter one repeated.

    Raises
    ------
    ValueError
        If there are fewer than two frames.

    Notebook: 14_neighbours.ipynb

    Examples
    --------
    >>> X = torch.rand(5, 8)
    >>> RhythmLoss(X, 8)(2 * X).total  # louder is no other rhythm
    0.0
    """

    def __init__(self, reference: np.ndarray | torch.Tensor, n_frames: int) -> None:
        strength = onset_strength(reference)
        if min(n_frames - 1, len(strength)) < 1:
            raise ValueError("a rhythm needs clips of two frames at least; take longer ones")
        wanted = strength.repeat(-(-(n_frames - 1) // len(strength)))[: n_frames - 1]
        self._wanted = wanted / wanted.norm().clamp_min(_LEAST)

    def distance(self, X: torch.Tensor) -> torch.Tensor:
        """Compute 1 − cosine, 0 to 1 [shape=()]; as half the squared chord, which does not cancel."""
        strength = onset_strength(X)
        return 0.5 * (strength / strength.norm().clamp_min(_LEAST) - self._wanted.to(X)).square().sum()

    def __call__(self, X: torch.Tensor) -> Evaluation:
        """Evaluate the distance and its gradient in X [shape=(n_bins, n_frames)]."""
        X = X.detach().requires_grad_(True)
        value = self.distance(X)
        (gradient,) = torch.autograd.grad(value, X)
        return Evaluation(0.0, 0.0, float(value.detach()), gradient)


@dataclass(frozen=True)
class Way:
    """Settings of a transfer that takes up the neighbours' ideas.

    Parameters
    ----------
    config : TransferConfig
        Everything else.
    front_ends : str
        As `branches` reads them.
    rhythm : {"none", "content", "style"}
        Whose onset strengths to hold on to, by a term of its own.
    rhythm_weight : float >= 0
        Weight of that term: of the cosine distance, at every balance.
    units : {"losses", "gradients"}
        What both losses of each front end are divided by: E and s0, or, as Barry & Kim balance theirs, the norms of
        their gradients at noise. The rhythm is divided by the norm of its gradient too.
    start : {"content", "noise", "matched"}
        What the optimisation starts from; ``"matched"`` adds texture to the matched timbre, which it holds on to.
    samples : bool
        Optimise the samples of the sound, as both papers do.
    """

    config: TransferConfig
    front_ends: str = "linear"
    rhythm: str = "none"
    rhythm_weight: float = 1.0
    units: str = "losses"
    start: str = "content"
    samples: bool = False


_SAMPLES = Way(TransferConfig(encoder="random", activation="selu"), start="noise", samples=True)
# Systems that the paper builds on, as close as their texts give (notebook 14 has what differs).
NEIGHBOURS = {
    # Tomczak, Southall & Hockman 2018: filters of 16 frames, rhythm held by the onset strengths.
    "tomczak": replace(
        _SAMPLES, config=replace(_SAMPLES.config, kernel_size=16, balance=0.8), rhythm="content"
    ),
    # Barry & Kim 2018: three front ends, style of the third pooled over frequency, gradients balanced.
    "barry_kim": replace(
        _SAMPLES, front_ends="linear:k5:n4096+mel:k50:n1024+pooled_cqt:k11:n256", units="gradients"
    ),
}


def make_encoders(way: Way) -> tuple[list[Encoder], list[float]]:
    """Return the encoder behind each front end, and the weight of each beside the first's."""
    named = branches(way.front_ends, way.config.kernel_size, way.config.n_filters)
    return [_encoder(branch, way.config) for branch in named], [b.weight / named[0].weight for b in named]


def _encoder(branch: Branch, config: TransferConfig) -> Encoder:
    pooled = branch.pooled
    own = {"kernel_size": 1 if pooled else branch.kernel_size, "n_filters": branch.n_filters}
    encoder = make_encoder(replace(config, **own))
    if branch.front_end == "linear" and not pooled:
        return encoder
    if branch.front_end == "linear":
        bands = FrontEnd(1 + config.n_fft // 2)
    else:
        bands = {"mel": mel_bands, "cqt": constant_q_bands}[branch.front_end](config.sr, config.n_fft)
    # Side by side in time: with one at every frame there would be kernel_size² times the pairs to compare.
    stride = branch.kernel_size
    return FrontEndEncoder(encoder, Patches(bands, branch.kernel_size, stride=stride) if pooled else bands)


def make_terms(way: Way, content: torch.Tensor, style: torch.Tensor) -> dict:
    """Return what `audiostyle.transfer.optimise` needs for log magnitudes: ``encoder``, ``units`` and ``extra``.

    The objective is that of the first front end; those of the others and the rhythm are its extra term. Each front end
    has units of its own, so that it weighs as its weight says.
    """
    encoders, weights = make_encoders(way)
    balance, share = way.config.balance, sum(weights)
    at_noise = noise_like(content, way.config.seed) if way.units == "gradients" else None
    units = [None if at_noise is None else _gradient_units(e, content, style, at_noise) for e in encoders]
    terms = [
        (weight, TransferLoss(encoder, content, style, balance=balance, units=unit))
        for encoder, weight, unit in zip(encoders[1:], weights[1:], units[1:], strict=True)
    ]
    if way.rhythm != "none":
        rhythm = RhythmLoss(style if way.rhythm == "style" else content, content.shape[1])
        norm = 1.0 if at_noise is None else float(rhythm(at_noise).gradient.norm())
        terms.append((way.rhythm_weight * share / norm, rhythm))

    def extra(X: torch.Tensor) -> tuple[float, torch.Tensor]:
        found = [(weight, term(X)) for weight, term in terms]
        return sum(w * value.total for w, value in found), sum(w * value.gradient for w, value in found)

    return {"encoder": encoders[0], "units": units[0], "extra": extra if terms else None}


def _gradient_units(encoder: Encoder, content, style, at_noise: torch.Tensor) -> tuple[float, float]:
    """Return the norms of the gradients of content and style loss at noise."""
    return tuple(
        float(TransferLoss(encoder, content, style, units=(1.0, 1.0), balance=b)(at_noise).gradient.norm())
        for b in (0.0, 1.0)
    )


def transfer(content: np.ndarray, style: np.ndarray, sr: int, way: Way) -> np.ndarray:
    """Return the content in the style of another clip, at the content's loudness.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)]
        Waveforms at ``way.config.sr``.
    sr : int
        That rate in Hz.
    way : Way
    """
    config = way.config
    check_allowed(sr == config.sr, "sr", sr, f"{config.sr} Hz as configured")
    loudness, start = content, way.start
    if start == "matched":
        match = match_timbre(content, style, sr=sr, device=config.device)
        # Transpositions of the style with at least this share of the most used one's weight take part.
        least = 0.3 * match.semitones.max()
        used = [s for s, share in zip(SEMITONES, match.semitones, strict=True) if share > least]
        content = match.gain.apply(content, sr)
        style = np.concatenate([transposed(style, s, sr=sr) for s in used])
        config, start = replace(config, balance=2 * config.balance - 1), "content"
    frames = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    C, A = (
        log_magnitude(as_tensor(set_level(y, config.level), device=config.device), **frames)
        for y in (content, style)
    )
    terms = make_terms(replace(way, config=config), C, A)
    optimum = optimise(content, style, config, start=start, samples=way.samples, **terms)
    y, *_ = make_sound(optimum, content, config)
    return match_loudness(Sound.of(y, sr), measure(Sound.of(loudness, sr))).sound.waveform()
