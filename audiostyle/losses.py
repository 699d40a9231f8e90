"""Content and style losses: the paper's equations as printed, and the kernel form that everything else uses."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import torch

from audiostyle.encoders.base import Encoded, Encoder, Spectrogram
from audiostyle.encoders.fused import FusedLosses
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.spectrogram import as_tensor

# The style loss of the content divides the style term; a content that already has the style must not divide by 0.
_LEAST_STYLE = 1e-6


def paper_content_loss(
    encoder: RandomEncoder, X: Spectrogram | Encoded, content: Spectrogram | Encoded
) -> torch.Tensor:
    """Compute ``½ Σ_ij (F_ij − P_ij)²``, eq. 1 of the paper, from the features.

    Equals N · n_patches · `content_loss`.

    Parameters
    ----------
    encoder : RandomEncoder
    X, content : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes of the generated clip and of the content.

    Returns
    -------
    torch.Tensor, scalar

    Notebook: 02_random_features_and_gram.ipynb
    """
    return 0.5 * (encoder.features(X) - encoder.features(content)).square().sum()


def paper_style_loss(
    encoder: RandomEncoder, X: Spectrogram | Encoded, style: Spectrogram | Encoded
) -> torch.Tensor:
    """Compute ``Σ_ij (X_ij − A_ij)² / (4 N² M²)``, eq. 6 of the paper, from explicit N × N Gram matrices.

    Equals `style_loss` / 4. The paper has one M, clips of one length; for unequal lengths each Gram matrix is
    divided by its own number of patches, which is eq. 6 when they agree.

    Parameters
    ----------
    encoder : RandomEncoder
    X, style : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes of the generated clip and of the style.

    Returns
    -------
    torch.Tensor, scalar

    Raises
    ------
    MemoryError
        If the Gram matrices do not fit into memory.

    Notebook: 02_random_features_and_gram.ipynb
    """
    x, a = encoder.encode(X), encoder.encode(style)
    difference = encoder.gram_matrix(x) / x.n_patches - encoder.gram_matrix(a) / a.n_patches
    return difference.square().sum() / (4 * encoder.n_filters**2)


def content_loss(encoder: Encoder, X: Spectrogram | Encoded, content: Spectrogram | Encoded) -> torch.Tensor:
    """Compute the mean over patches of ½ (K_xx + K_pp − 2 K_xp) on the diagonal.

    Parameters
    ----------
    encoder : Encoder
    X, content : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes of equal length.

    Returns
    -------
    torch.Tensor, scalar, non-negative

    Raises
    ------
    ValueError
        If the clips differ in length or are shorter than one patch.

    Examples
    --------
    >>> X = torch.ones(4, 6)
    >>> float(content_loss(RandomEncoder(16, kernel_size=2), X, X))
    0.0
    """
    return _sum_over_layers(encoder, mean_distance, X, content, weights=encoder.content_weights)


def style_loss(encoder: Encoder, X: Spectrogram | Encoded, style: Spectrogram | Encoded) -> torch.Tensor:
    """Compute mean(K_xx²) + mean(K_aa²) − 2 mean(K_xa²).

    It is ‖G_x/n_patches_x − G_a/n_patches_a‖²_F / N² for the Gram matrices G, at any lengths.

    Parameters
    ----------
    encoder : Encoder
    X, style : array or tensor [shape=(n_bins, n_frames)], or Encoded
        Log magnitudes; the lengths may differ. In a loop over X give ``encoder.encode(style)``, which keeps the term
        of the style alone.

    Returns
    -------
    torch.Tensor, scalar, float64; non-negative up to rounding

    Raises
    ------
    ValueError
        If a clip is shorter than one patch.

    Examples
    --------
    >>> X = torch.ones(4, 6)
    >>> round(float(style_loss(RandomEncoder(16, kernel_size=2), X, X)), 6)
    0.0
    """

    def of_layer(layer: Encoder, x: Encoded, a: Encoded) -> torch.Tensor:
        return mean_square(layer, x, x) + mean_square(layer, a, a) - 2 * mean_square(layer, x, a)

    return _sum_over_layers(encoder, of_layer, X, style)


def mean_distance(encoder: Encoder, x: Encoded, y: Encoded) -> torch.Tensor:
    """Compute the mean of `Encoder.patch_distance` in float64."""
    return encoder.patch_distance(x, y).mean(dtype=torch.float64)


def mean_square(encoder: Encoder, x: Spectrogram | Encoded, y: Spectrogram | Encoded) -> torch.Tensor:
    """Compute mean(K_xy²), the inner product of two Gram matrices each divided by N and its number of patches."""
    x, y = encoder.encode(x), encoder.encode(y)
    return encoder.gram_inner(x, y) / (x.n_patches * y.n_patches)


def patch_energy(encoder: Encoder, X: Spectrogram) -> float:
    """Compute the mean of ½ ‖patch‖² over the patches of a clip, the unit of the content loss."""
    X = as_tensor(X)

    def of_layer(layer: Encoder) -> torch.Tensor:
        power = layer.view(X).square().sum(dim=0, dtype=torch.float64)
        return 0.5 * power.unfold(0, layer.inner.receptive_field, 1).sum(dim=1).mean()

    return float(_sum_over_layers(encoder, of_layer, weights=encoder.content_weights))


def loss_units(encoder: Encoder, content: Spectrogram, style: Spectrogram) -> tuple[float, float]:
    """Compute E and s0, by which both losses of a pair are divided wherever they are compared with another's.

    Parameters
    ----------
    encoder : Encoder
    content, style : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes.

    Returns
    -------
    E : float
        `patch_energy` of the content.
    s0 : float
        Style loss of the content, at least a millionth of the style's own energy.
    """
    least = _LEAST_STYLE * float(_sum_over_layers(encoder, lambda layer, a: mean_square(layer, a, a), style))
    return patch_energy(encoder, content), max(float(style_loss(encoder, content, style)), least)


def _sum_over_layers(
    encoder: Encoder, term: Callable[..., torch.Tensor], *clips, weights: tuple[float, ...] | None = None
) -> torch.Tensor:
    """Add up a term of each layer and of clips as it sees them, eq. 4; with w_l, or other weights."""
    seen = [encoder.encode(clip).layers for clip in clips]
    parts = zip(weights or encoder.layer_weights, encoder.layers, *seen, strict=True)
    return sum(w * term(layer, *clips) for w, layer, *clips in parts)


@dataclass(frozen=True)
class Evaluation:
    """Losses and gradient at one spectrogram.

    Parameters
    ----------
    content, style : float
        `content_loss` and `style_loss`.
    total : float
        Their weighted sum, and a further term where there is one.
    gradient : torch.Tensor [shape=(n_bins, n_frames)]
        Gradient of the total.
    """

    content: float
    style: float
    total: float
    gradient: torch.Tensor


class TransferLoss:
    """The objective of a transfer, ``(1 − b)² L_content / E + b² L_style / s0``, with its gradient.

    E is `patch_energy` of the content and s0 the style loss of the content, so that the balance b means the same
    for every pair: 0 returns the content, 1 matches the style alone, 0.5 weighs both alike.

    Parameters
    ----------
    encoder : Encoder
    content, style : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes; the lengths may differ.
    balance : float in [0, 1]
    units : tuple of float or None
        E and s0, where they are another encoder's; None measures them.
    extra : callable or None
        A further term: ``extra(X) -> value, gradient``, added to the total at every balance.

    Attributes
    ----------
    balance : float
        The balance in use; `at` gives another one.
    content_unit, style_unit : float
        E and s0.
    units : tuple of float
        Both.
    content_weight, style_weight : float
        Factors of the two losses in the total.

    Notes
    -----
    An evaluation writes into memory that is kept, also by what `at` returns: they serve one thread at a time.

    Notebook: 03_transfer_one_pair.ipynb
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
        self._losses = _evaluator(encoder, content, style)
        self.units = self.content_unit, self.style_unit = units or loss_units(encoder, content, style)
        self._weigh(balance)

    def at(self, balance: float) -> "TransferLoss":
        """Return the objective of the same clips at another balance in [0, 1]."""
        other = copy(self)
        other._weigh(balance)
        return other

    def _weigh(self, balance: float) -> None:
        self.balance = balance
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


def _evaluator(encoder: Encoder, content: torch.Tensor, style: torch.Tensor) -> Callable:
    """Return content loss, style loss and gradient as a function of X and both weights, the fastest there is."""
    if encoder.layers != (encoder,):
        return _layer_sum(encoder, content, style)
    if encoder.inner is not encoder:
        return _behind_front_end(encoder, content, style)
    if isinstance(encoder, InfiniteEncoder):
        return FusedLosses(encoder, content, style)
    return _autograd_losses(encoder, content, style)


def _layer_sum(encoder: Encoder, content: torch.Tensor, style: torch.Tensor) -> Callable:
    parts = [_evaluator(layer, content, style) for layer in encoder.layers]

    def evaluate(X: torch.Tensor, content_weight: float, style_weight: float):
        weights = list(zip(encoder.content_weights, encoder.layer_weights, strict=True))
        found = [f(X, c * content_weight, s * style_weight) for f, (c, s) in zip(parts, weights, strict=True)]
        of_content = sum(c * value for (c, _), (value, _, _) in zip(weights, found, strict=True))
        of_style = sum(s * value for (_, s), (_, value, _) in zip(weights, found, strict=True))
        return of_content, of_style, sum(gradient for _, _, gradient in found)

    return evaluate


def _behind_front_end(encoder: Encoder, content: torch.Tensor, style: torch.Tensor) -> Callable:
    losses = _evaluator(encoder.inner, encoder.view(content), encoder.view(style))

    def evaluate(X: torch.Tensor, content_weight: float, style_weight: float):
        X = X.detach().requires_grad_(True)
        seen = encoder.view(X)
        *values, of_seen = losses(seen.detach(), content_weight, style_weight)
        return *values, *torch.autograd.grad(seen, X, of_seen)

    return evaluate


def _autograd_losses(encoder: Encoder, content: torch.Tensor, style: torch.Tensor) -> Callable:
    p, a = encoder.encode(content), encoder.encode(style)
    style_self = float(mean_square(encoder, a, a))

    def evaluate(X: torch.Tensor, content_weight: float, style_weight: float):
        X = X.detach().requires_grad_(True)
        x = encoder.encode(X)
        of_content = mean_distance(encoder, x, p)
        of_style = mean_square(encoder, x, x) + style_self - 2 * mean_square(encoder, x, a)
        (gradient,) = torch.autograd.grad(content_weight * of_content + style_weight * of_style, X)
        return float(of_content.detach()), float(of_style.detach()), gradient

    return evaluate
