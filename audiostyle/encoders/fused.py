"""Both losses at infinite width and their gradient in one pass over the spectrogram."""

import torch

from audiostyle.encoders.base import Encoder, Spectrogram
from audiostyle.encoders.patches import (
    box_1d_transposed,
    box_sum,
    box_sum_transposed,
    patch_norms,
)
from audiostyle.spectrogram import as_tensor

# Most entries of the frame kernel held at once; bounds the memory whatever the clips' lengths. Fewer, which stay in the
# processor's cache, take half the time, as long as the k − 1 frames that two chunks share are few among their rows.
_CHUNK, _CACHED, _FEW = 4_000_000, 250_000, 40


def squared_sums(encoder: Encoder, X, norms, Y, column_norms, weights, *, diagonal: bool):
    """Sum weights · K² over rows of X and columns of Y, in row chunks.

    `weights` [shape=(n_columns,)] multiply columns. With `diagonal` the first columns are the rows themselves, and
    their θ is exactly 0.
    """
    total = torch.zeros((), dtype=torch.float64, device=X.device)
    for _, _, K, _, _ in _kernel_rows(encoder, X, norms, Y, column_norms, diagonal=diagonal):
        total += (K.square().sum(dim=0, dtype=torch.float64) * weights).sum()
    return total


def squared_sums_with_gradient(
    encoder: Encoder, X, norms, Y, column_norms, weights, *, diagonal: bool, scale: float = 1.0
):
    """Return `squared_sums` and `scale` times its gradient in X.

    With `diagonal` the gradient counts the first columns twice, once as row and once as column. It treats the other
    columns as constants.
    """
    k, n_rows = encoder.kernel_size, len(norms)
    total = torch.zeros((), dtype=torch.float64, device=X.device)
    gradient = torch.zeros_like(X)
    doubled = 2 * scale * weights
    if diagonal:
        doubled[:n_rows] *= 2
    for first, columns, K, slope, sine in _kernel_rows(encoder, X, norms, Y, column_norms, diagonal=diagonal):
        total += (K.square().sum(dim=0, dtype=torch.float64) * weights).sum()
        K.mul_(doubled)
        # The norms are functions of X too: ‖p‖² is the diagonal of the patch inner products.
        by_norm = (sine.mul_(K) @ column_norms).div_(norms[first : first + len(K)])
        G = slope.mul_(K)
        if diagonal:  # the columns of X are among those of Y: ∂‖p‖² = 2 ⟨p, ∂p⟩ goes onto the diagonal
            G.diagonal(first).add_(by_norm)
        spread = box_sum_transposed(G, k)
        gradient[:, columns].addmm_(Y, spread.T)
        if not diagonal:
            gradient[:, columns].addcmul_(X[:, columns], box_1d_transposed(by_norm, k))
    return total, gradient


def _kernel_rows(encoder: Encoder, X, norms, Y, column_norms, *, diagonal: bool):
    """Yield first row, frames, K, ∂K/∂inner and ∂K/∂(‖p‖ ‖q‖) of one row chunk after another."""
    k, n_rows, n_columns = encoder.kernel_size, len(norms), len(column_norms)
    step = max(1, min(_CHUNK, max(_CACHED, _FEW * (k - 1) * n_columns)) // n_columns)
    on_diagonal = 0.5 * encoder._relu_share + encoder._linear_share
    for first in range(0, n_rows, step):
        rows = slice(first, min(first + step, n_rows))
        columns = slice(first, rows.stop + k - 1)
        products = X[:, columns].T @ Y
        K, slope, sine = encoder._activate(box_sum(products, k), norms[rows], column_norms)
        if diagonal:
            K.diagonal(first).copy_(on_diagonal * norms[rows].square())
            slope.diagonal(first).fill_(on_diagonal)
            sine.diagonal(first).fill_(0.0)
        yield first, columns, K, slope, sine


class FusedLosses:
    """Both losses of a transfer and their gradient in one pass, for `InfiniteEncoder`.

    One product ``Xᵀ[X A]`` holds the inner products of all patch pairs that the style loss needs; weights on its
    columns turn the sum of K² into ``mean(K_xx²) − 2 mean(K_xa²)``. Beside the two matrix products the passes over
    arrays of the spectrogram's size cost most, so these are few, and write into memory that is kept: one object
    serves one thread at a time.

    Parameters
    ----------
    encoder : InfiniteEncoder
    content, style : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes; the lengths may differ.
    """

    def __init__(self, encoder: Encoder, content: Spectrogram, style: Spectrogram) -> None:
        k = encoder.kernel_size
        self.encoder = encoder
        self.content = as_tensor(content, device=encoder.device).to(encoder.dtype)
        style = as_tensor(style, device=encoder.device).to(encoder.dtype)
        n_x, n_a = (encoder.n_patches(clip.shape[1]) for clip in (self.content, style))
        self.content_norms, style_norms = patch_norms(self.content, k), patch_norms(style, k)
        self.style_self = float(encoder.gram_inner(style, style)) / n_a**2
        self.weights = torch.cat(
            [
                style_norms.new_full((n_x,), 1 / n_x**2),
                style_norms.new_zeros(k - 1),
                style_norms.new_full((n_a,), -2 / (n_x * n_a)),
            ]
        )
        # The first n_x entries or columns of these are X's, filled at every evaluation.
        self._norms = torch.cat([style_norms.new_ones(n_x + k - 1), style_norms])
        self._both = torch.cat([self.content, style], dim=1)
        self._difference, self._scratch = (torch.empty_like(self.content) for _ in range(2))

    def __call__(self, X: torch.Tensor, content_weight: float, style_weight: float):
        """Return content loss, style loss and the gradient of their weighted sum at X.

        Returns
        -------
        content, style : float
        gradient : torch.Tensor [shape=(n_bins, n_frames)]

        Raises
        ------
        ValueError
            If X has not the content's shape.
        """
        if X.shape != self.content.shape:
            raise ValueError(f"X has shape {tuple(X.shape)}; the content has {tuple(self.content.shape)}")
        encoder, k, n_x = self.encoder, self.encoder.kernel_size, len(self.content_norms)
        norms = patch_norms(X, k, self._scratch)
        self._norms[:n_x] = norms
        self._both[:, : X.shape[1]] = X
        cross, gradient = squared_sums_with_gradient(
            encoder, X, norms, self._both, self._norms, self.weights, diagonal=True, scale=style_weight
        )
        difference = torch.sub(X, self.content, out=self._difference)
        distance, theta = encoder._distance_terms(
            difference, self.content, norms, self.content_norms, self._scratch
        )
        weights = torch.full_like(distance, content_weight / n_x)
        encoder._add_distance_gradient(
            gradient, weights, difference, self.content, theta, norms, self.content_norms
        )
        return float(distance.mean(dtype=torch.float64)), float(cross) + self.style_self, gradient
