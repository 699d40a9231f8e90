"""Content and style losses: the paper's equations as printed, and the kernel form that everything else uses."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from audiostyle.config import TransferConfig
from audiostyle.encoders.base import Clip, Encoder, Spectrogram
from audiostyle.encoders.infinite import CHUNK, FusedLosses, InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.spectrogram import as_tensor
from audiostyle.system import free_memory

# The style loss of the content divides the style term; a content that already has the style must not divide by 0.
_LEAST_STYLE = 1e-6


def paper_content_loss(encoder: RandomEncoder, X: Clip, content: Clip) -> torch.Tensor:
    """Compute ``½ Σ_ij (F_ij − P_ij)²``, eq. 1 of the paper, from the features: N · n_patches · `content_loss`.

    Clips X and content are log magnitudes [shape=(n_bins, n_frames)] of equal length, or encoded.

    Notebook: 02_random_features_and_gram.ipynb
    """
    return 0.5 * (encoder.features(X) - encoder.features(content)).square().sum()


def paper_style_loss(encoder: RandomEncoder, X: Clip, style: Clip) -> torch.Tensor:
    """Compute ``Σ_ij (X_ij − A_ij)² / (4 N² M²)``, eq. 6 of the paper, from explicit N × N Gram matrices.

    Equals `style_loss` / 4. The paper has one M, clips of one length; for unequal lengths each Gram matrix is
    divided by its own number of patches, which is eq. 6 when they agree.

    Notebook: 02_random_features_and_gram.ipynb
    """
    x, a = encoder.encode(X), encoder.encode(style)
    difference = encoder.gram_matrix(x) / x.n_patches - encoder.gram_matrix(a) / a.n_patches
    return difference.square().sum() / (4 * encoder.n_filters**2)


def content_loss(encoder: Encoder, X: Clip, content: Clip) -> torch.Tensor:
    """Compute the mean over patches of ½ (K_xx + K_pp − 2 K_xp) on the diagonal, for clips of equal length."""
    return encoder.patch_distance(X, content).mean(dtype=torch.float64)


def style_loss(encoder: Encoder, X: Clip, style: Clip) -> torch.Tensor:
    """Compute mean(K_xx²) + mean(K_aa²) − 2 mean(K_xa²) = ‖G_x/n_patches_x − G_a/n_patches_a‖²_F / N² [dtype=float64].

    At any lengths. In a loop over X give ``encoder.encode(style)``, which keeps the term of the style alone.
    """
    x, a = encoder.encode(X), encoder.encode(style)
    return mean_square(encoder, x, x) + mean_square(encoder, a, a) - 2 * mean_square(encoder, x, a)


def mean_square(encoder: Encoder, X: Clip, Y: Clip) -> torch.Tensor:
    """Compute mean(K_xy²), the inner product of two Gram matrices each divided by N and its number of patches."""
    x = encoder.encode(X)
    y = x if Y is X else encoder.encode(Y)
    return encoder.gram_inner(x, y) / (x.n_patches * y.n_patches)


def loss_units(encoder: Encoder, content: Spectrogram, style: Spectrogram) -> tuple[float, float]:
    """Compute E and s0, by which both losses of a pair are divided wherever they are compared with another's.

    E is `Encoder.patch_energy` of the content, s0 its style loss, at least a millionth of the style's own energy.
    """
    a = encoder.encode(style)
    least = _LEAST_STYLE * float(mean_square(encoder, a, a))
    return encoder.patch_energy(content), max(float(style_loss(encoder, content, a)), least)


class Evaluation(NamedTuple):
    """`content_loss`, `style_loss`, their weighted sum with a further term if any, and the gradient of that sum."""

    content: float
    style: float
    total: float
    gradient: torch.Tensor


class TransferLoss:
    """The objective of a transfer, ``(1 − b)² L_content / E + b² L_style / s0``, with its gradient.

    E is `Encoder.patch_energy` of the content and s0 its style loss, so that the balance b means the same for
    every pair: 0 returns the content, 1 matches the style alone, 0.5 weighs both alike.

    Parameters
    ----------
    encoder : Encoder
    content, style : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes; the lengths may differ.
    balance : float in [0, 1]
    units : tuple of float or None
        E and s0, where they are another encoder's; None measures them (`loss_units`).
    extra : callable or None
        A further term: ``extra(X) -> value, gradient``, added to the total at every balance.

    Notes
    -----
    An evaluation writes into memory that is kept: a loss serves one thread at a time.

    Notebook: 09_matched_timbre.ipynb
    """

    def __init__(
        self,
        encoder: Encoder,
        content: Spectrogram,
        style: Spectrogram,
        *,
        balance: float = 0.5,
        units: tuple[float, float] | None = None,
        extra: Callable[[torch.Tensor], tuple[float, torch.Tensor]] | None = None,
    ) -> None:
        self.encoder, self.extra = encoder, extra
        content, style = (as_tensor(x, device=encoder.device).to(encoder.dtype) for x in (content, style))
        fused = isinstance(encoder, InfiniteEncoder)
        self._losses = (FusedLosses if fused else _autograd_losses)(encoder, content, style)
        self.units = self.content_unit, self.style_unit = units or loss_units(encoder, content, style)
        self.balance = balance
        # Losses are squared distances, so b² weighs as b does a distance. The content's own loss is 0: E is the unit.
        self.content_weight = (1 - balance) ** 2 / self.content_unit
        self.style_weight = balance**2 / self.style_unit

    def __call__(self, X: torch.Tensor) -> Evaluation:
        """Evaluate the losses and the gradient of their weighted sum at X [shape=(n_bins, n_frames)]."""
        content, style, gradient = self._losses(X, self.content_weight, self.style_weight)
        total = self.content_weight * content + self.style_weight * style
        if self.extra is not None:
            value, of_extra = self.extra(X)
            total, gradient = total + value, gradient + of_extra
        return Evaluation(content, style, total, gradient)


def check_memory(config: TransferConfig, n_content: int, n_style: int) -> None:
    """Raise a MemoryError if an optimisation of so many samples needs more memory than its device has free."""
    n_bins = 1 + config.n_fft // 2
    content, style = (1 + n // config.hop_length for n in (n_content, n_style))
    # Arrays held at once, measured on 10 s to 3 min; then a chunk of the frame kernel, or the filters and features.
    numbers = n_bins * (40 * content + 12 * style)
    if config.encoder == "infinite":
        numbers += 24 * max(min(CHUNK, content * (content + style)), config.kernel_size * (content + style))
    else:
        numbers += config.n_filters * (2 * n_bins * config.kernel_size + 12 * (content + style))
    needed, free = 4e-9 * numbers, 1e-9 * free_memory(config.device)
    if needed > free:
        raise MemoryError(
            f"n_fft={config.n_fft}, hop_length={config.hop_length} and clips of {n_content / config.sr:.1f} and "
            f"{n_style / config.sr:.1f} s need about {needed:.1f} GB of memory and {free:.1f} GB are free; take a "
            "longer hop_length, a shorter n_fft, fewer filters or shorter clips"
        )


def _autograd_losses(encoder: Encoder, content: torch.Tensor, style: torch.Tensor) -> Callable:
    """Return content loss, style loss and gradient as a function of X and both weights, as `FusedLosses` does."""
    p, a = encoder.encode(content), encoder.encode(style)

    def evaluate(X: torch.Tensor, content_weight: float, style_weight: float):
        X = X.detach().requires_grad_(True)
        x = encoder.encode(X)
        of_content, of_style = content_loss(encoder, x, p), style_loss(encoder, x, a)
        (gradient,) = torch.autograd.grad(content_weight * of_content + style_weight * of_style, X)
        return float(of_content.detach()), float(of_style.detach()), gradient

    return evaluate
