"""Both losses at infinite width and their gradient in one pass over the spectrogram."""

import torch

from audiostyle.encoders.base import Spectrogram
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.patches import patch_norms
from audiostyle.spectrogram import as_tensor


class FusedLosses:
    """Both losses of a transfer and their gradient in one pass, for `InfiniteEncoder`.

    One product ``Xᵀ[X A]`` holds the inner products of all patch pairs that the style loss needs; weights on its
    columns turn the sum of K² into ``mean(K_xx²) − 2 mean(K_xa²)``. Between X and A lie k − 1 pairs of a patch across
    the seam, of weight 0. Beside the two matrix products the passes over arrays of the spectrogram's size cost most,
    so these are few, and write into memory that is kept: one object serves one thread at a time.

    Parameters
    ----------
    encoder : InfiniteEncoder
    content, style : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes; the lengths may differ.
    """

    def __init__(self, encoder: InfiniteEncoder, content: Spectrogram, style: Spectrogram) -> None:
        k = encoder.kernel_size
        self.encoder = encoder
        self.content, style = (
            as_tensor(clip, device=encoder.device).to(encoder.dtype) for clip in (content, style)
        )
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
        """Return content loss, style loss and the gradient of their weighted sum at X [shape=(n_bins, n_frames)]."""
        if X.shape != self.content.shape:
            raise ValueError(f"X has shape {tuple(X.shape)}; the content has {tuple(self.content.shape)}")
        encoder, n_x = self.encoder, len(self.content_norms)
        norms = patch_norms(X, encoder.kernel_size, self._scratch)
        self._norms[:n_x] = norms
        self._both[:, : X.shape[1]] = X
        cross, gradient = encoder.squared_sums(
            X, norms, self._both, self._norms, self.weights, diagonal=True, scale=style_weight
        )
        difference = torch.sub(X, self.content, out=self._difference)
        both_norms = norms, self.content_norms
        distance, theta = encoder.distance_terms(difference, self.content, *both_norms, self._scratch)
        weights = torch.full_like(distance, content_weight / n_x)
        encoder.add_distance_gradient(gradient, weights, difference, self.content, theta, *both_norms)
        return float(distance.mean(dtype=torch.float64)), float(cross) + self.style_self, gradient
