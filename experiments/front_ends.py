"""What the paper's two neighbours add to its losses: rhythm, other front ends, and style pooled over frequency.

Tomczak, Southall & Hockman 2018, reference [2] of the paper, hold on to a rhythm; Barry & Kim 2018, reference [4], look
at the sound through several time-frequency representations at once. Both stand on public hooks: an extra term of the
loss, and an encoder with a view before it.
"""

from collections.abc import Sequence
from dataclasses import replace

import librosa
import numpy as np
import torch
from librosa.util import normalize

from audiostyle.config import TransferConfig, check_allowed, check_positive
from audiostyle.encoders import make_encoder
from audiostyle.encoders.base import Encoded, Encoder
from audiostyle.losses import Evaluation, TransferLoss
from audiostyle.sound.levels import Meter, match_loudness, set_level
from audiostyle.sound.samples import Sound
from audiostyle.spectrogram import as_tensor, frequencies, log_magnitude
from audiostyle.transfer import make_sound, optimise

# Mel bands, and semitones of constant Q upwards from C1 in Hz; Barry & Kim's patches have 11 bands.
N_MELS, N_SEMITONES, N_BANDS = 128, 84, 11
LOWEST, PER_OCTAVE = 32.703, 12
FRONT_ENDS = ("linear", "mel", "cqt", "pooled")
# Onset strengths of silence are raised to this, far under those of any audible change.
_LEAST = 1e-6


class FrontEnd:
    """A fixed map of log magnitudes to `n_bins` rows; by itself the identity. A column depends on `frames` frames."""

    frames = 1

    def __init__(self, n_bins: int) -> None:
        check_positive(n_bins=n_bins)
        self.n_bins = n_bins

    def n_columns(self, n_frames: int) -> int:
        """Return the columns of the result."""
        return n_frames

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Map a clip [shape=(n_bins, n_frames)]; differentiable [shape=(n_bins, n_columns)]."""
        return X


class Bands(FrontEnd):
    """Log magnitudes of bands, ``log1p(M · S)`` for linear magnitudes S; M [shape=(n_bands, n_bins), non-negative]."""

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__(len(matrix))
        self.matrix = torch.as_tensor(matrix, dtype=torch.float32)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Map log magnitudes to those of the bands."""
        if X.shape[0] != self.matrix.shape[1]:
            raise ValueError(f"{X.shape[0]} bins: the front end is made for {self.matrix.shape[1]}")
        return torch.log1p(self.matrix.to(X) @ torch.expm1(X))


def mel_bands(sr: int, n_fft: int, n_mels: int = N_MELS) -> Bands:
    """Return the front end of triangular mel bands (librosa's, Slaney's scale), each of unit norm.

    So noise is as strong in a wide band as in a narrow one.
    """
    return Bands(normalize(librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, norm=None), norm=2, axis=1))


def constant_q_bands(sr: int, n_fft: int) -> Bands:
    """Return the front end of constant Q: 84 semitones upwards from 32.7 Hz, each of unit norm.

    A row is the magnitude response of a Hann-windowed exponential of ``Q · sr / f`` samples (Brown 1991), on the bins
    of the STFT. No row is narrower than the STFT's own resolution: below some Q · sr / n_fft (180 Hz as configured) all
    have the bandwidth of its window. Semitones above half the sample rate are left out.
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
    return Bands(normalize(response, norm=2, axis=1))


class Patches(FrontEnd):
    """Patches of `n_bands` bands and `kernel_size` frames of `below`, at every band and every `stride` frames.

    Each is a column, and those of all bands are one set: a Gram matrix of what an encoder with one frame makes of them
    is pooled over frequency as well as time, and a clip moved up by whole bands has the same one (Barry & Kim 2018,
    constant-Q branch). The pairs of patches, so the time, fall with the square of `stride`. Zeros follow up to a whole
    number of strides, so that no frame is left out.
    """

    def __init__(
        self, below: FrontEnd, kernel_size: int = 11, *, n_bands: int = N_BANDS, stride: int = 1
    ) -> None:
        check_positive(kernel_size=kernel_size, n_bands=n_bands, stride=stride)
        self.below, self.stride, self.frames = below, stride, kernel_size
        self.n_bands = min(n_bands, below.n_bins)
        super().__init__(self.n_bands * kernel_size)

    def n_columns(self, n_frames: int) -> int:
        """Return the number of patches."""
        return (self.below.n_bins - self.n_bands + 1) * (1 + -(-(n_frames - self.frames) // self.stride))

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Cut patches [shape=(n_bands · kernel_size, n_columns)]."""
        Y = self.below(X)
        Y = torch.nn.functional.pad(Y, (0, -(Y.shape[1] - self.frames) % self.stride))
        cut = Y.unfold(0, self.n_bands, 1).unfold(1, self.frames, self.stride)
        return cut.permute(2, 3, 0, 1).reshape(self.n_bins, -1)


class FrontEndEncoder(Encoder):
    """An encoder, `inner`, of what a front end returns; behind `Patches` it is one of single frames."""

    def __init__(self, inner: Encoder, front_end: FrontEnd) -> None:
        if front_end.frames > 1 and inner.kernel_size > 1:
            raise ValueError(f"behind Patches kernel_size must be 1, not {inner.kernel_size}")
        self.front_end, self.inner = front_end, inner
        self.kernel_size = front_end.frames + inner.kernel_size - 1
        self.device, self.dtype = inner.device, inner.dtype
        self._kernel, self._gram_inner = inner._kernel, inner._gram_inner
        self._patch_distance = inner._patch_distance

    def n_patches(self, n_frames: int) -> int:
        """Return the number of patches; over all bands where they are pooled."""
        super().n_patches(n_frames)
        return self.inner.n_patches(self.front_end.n_columns(n_frames))

    def patch_energy(self, X: torch.Tensor) -> float:
        """Compute the mean of ½ ‖patch‖² of what the front end returns."""
        return self.inner.patch_energy(self.front_end(as_tensor(X)))

    def _encode(self, X: torch.Tensor) -> Encoded:
        return self.inner.encode(self.front_end(X))


def onset_strength(X: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Compute how much log magnitudes rise between frames, summed over bins (spectral flux) [shape=(n_frames - 1,)]."""
    return as_tensor(X).diff(dim=1).clamp_min(0).sum(dim=0)


class RhythmLoss:
    """Cosine distance between the onset strengths of a clip and of a reference (Tomczak and others 2018).

    Of log magnitudes; those to judge have `n_frames`, to which a longer reference is cut and a shorter one repeated.
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


def make_encoder_of(name: str, config: TransferConfig) -> Encoder:
    """Return the encoder of a configuration behind a front end, one of ``linear``, ``mel``, ``cqt`` and ``pooled``.

    ``pooled`` is ``cqt`` with its style pooled over frequency.
    """
    check_allowed(name in FRONT_ENDS, "front end", name, f"one of {', '.join(FRONT_ENDS)}")
    if name == "linear":
        return make_encoder(config)
    bands = (mel_bands if name == "mel" else constant_q_bands)(config.sr, config.n_fft)
    if name != "pooled":
        return FrontEndEncoder(make_encoder(config), bands)
    # Side by side in time: with one at every frame there would be kernel_size² times the pairs to compare.
    size = config.kernel_size
    return FrontEndEncoder(make_encoder(replace(config, kernel_size=1)), Patches(bands, size, stride=size))


def make_terms(
    config: TransferConfig,
    content: torch.Tensor,
    style: torch.Tensor,
    front_ends: Sequence[str] = ("linear",),
    rhythm: str = "none",
) -> dict:
    """Return what `audiostyle.transfer.optimise` needs for log magnitudes: ``encoder`` and ``extra``.

    The objective is that of the first front end; those of the others, each with units of its own, and the rhythm are
    its extra term. `rhythm` says whose onset strengths to hold on to, at every balance: ``"none"``, ``"content"`` or
    ``"style"``.
    """
    encoders = [make_encoder_of(name, config) for name in front_ends]
    terms = [TransferLoss(encoder, content, style, balance=config.balance) for encoder in encoders[1:]]
    if rhythm != "none":
        terms.append(RhythmLoss(style if rhythm == "style" else content, content.shape[1]))

    def extra(X: torch.Tensor) -> tuple[float, torch.Tensor]:
        found = [term(X) for term in terms]
        return sum(value.total for value in found), sum(value.gradient for value in found)

    return {"encoder": encoders[0], "extra": extra if terms else None}


def transfer(
    content: np.ndarray, style: np.ndarray, sr: int, config: TransferConfig, **terms: object
) -> np.ndarray:
    """Return the content in the style of another clip, at the content's loudness; `terms` are for `make_terms`."""
    check_allowed(sr == config.sr, "sr", sr, f"{config.sr} Hz as configured")
    C, A = (
        log_magnitude(set_level(y, config.level), n_fft=config.n_fft, hop_length=config.hop_length)
        for y in (content, style)
    )
    optimum = optimise(content, style, config, **make_terms(config, C, A, **terms))
    y, _ = make_sound(optimum, content, config)
    sounds = [Sound.of(x, sr) for x in (y, content)]
    return match_loudness(sounds[0], *map(Meter, sounds))[0].waveform()
