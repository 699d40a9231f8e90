"""The limit of the random layer for infinitely many filters, in closed form.

For filters w with independent standard normal entries the frame kernel of `audiostyle.encoders.random.RandomEncoder`
tends, as the number of filters grows, to ``K(p, q) = E_w[φ(⟨w, p⟩) φ(⟨w, q⟩)]`` for patches p and q. For ReLU this
is the arc-cosine kernel of order 1 (Cho & Saul 2009),

    K(p, q) = ½ ‖p‖ ‖q‖ (sin θ + (π − θ) cos θ) / π,   θ the angle between p and q,

and ``⟨p, q⟩`` without activation. LeakyReLU with slope a is ``a x + (1 − a) relu(x)``; as E[⟨w, p⟩ relu(⟨w, q⟩)] is
½ ⟨p, q⟩, its kernel is ``(1 − a)² K_relu + a ⟨p, q⟩``. Inner products of patches are box sums along the diagonals of
the frame Gram matrix, so that neither filters nor features appear.
"""

import math
from collections.abc import Iterator

import torch

from audiostyle.config import check_allowed, check_positive
from audiostyle.encoders.base import LEAKY_SLOPE, Encoded, Encoder, Spectrogram
from audiostyle.encoders.patches import (
    box_1d,
    box_1d_transposed,
    box_sum,
    box_sum_transposed,
    frame_products,
    patch_norms,
)
from audiostyle.spectrogram import as_tensor

# Share of the arc-cosine part and of the inner product in K = r · K_relu + a · ⟨p, q⟩, for each activation.
_SHARES = {
    "relu": (1.0, 0.0),
    "leaky_relu": ((1 - LEAKY_SLOPE) ** 2, LEAKY_SLOPE),
    "none": (0.0, 1.0),
}
CLOSED_FORMS = tuple(_SHARES)
# Most entries of the frame kernel held at once; bounds the memory whatever the clips' lengths. Fewer, which stay in the
# processor's cache, take half the time, as long as the k − 1 frames that two chunks share are few among their rows.
CHUNK, _CACHED, _FEW = 4_000_000, 250_000, 40


class InfiniteEncoder(Encoder):
    """The random layer with infinitely many filters: no filters, no seed, no sampling noise.

    Parameters
    ----------
    kernel_size : int > 0
        Width of the filters in frames.
    activation : {"relu", "leaky_relu", "none"}
        Nonlinearity; the slope of ``leaky_relu`` is 0.2. SELU is not homogeneous and has no closed form.
    device : str
    dtype : {torch.float32, torch.float64}

    Notebook: 07_infinite_width.ipynb

    Examples
    --------
    >>> encoder = InfiniteEncoder(kernel_size=3)
    >>> encoder.kernel(torch.ones(5, 10), torch.ones(5, 10))[0, 0].item()  # ½ ‖patch‖²
    7.5
    """

    def __init__(
        self,
        kernel_size: int = 11,
        activation: str = "relu",
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        check_positive(kernel_size=kernel_size)
        allowed = f"one of {', '.join(CLOSED_FORMS)}, which have a closed form; RandomEncoder takes any"
        check_allowed(activation in CLOSED_FORMS, "activation", activation, allowed)
        self.kernel_size, self.activation = kernel_size, activation
        self.device, self.dtype = torch.device(device), dtype
        self._relu_share, self._linear_share = _SHARES[activation]
        # K of a patch with itself, over ‖p‖²; also what ‖p − q‖² weighs in the distance.
        self._own = 0.5 * self._relu_share + self._linear_share

    def _encode(self, X: torch.Tensor) -> Encoded:
        return Encoded(X, X.shape[1] - self.kernel_size + 1)

    def _kernel(self, x: Encoded, y: Encoded) -> torch.Tensor:
        X, Y = x.features, y.features
        rows = self.kernel_rows(
            X, patch_norms(X, self.kernel_size), Y, patch_norms(Y, self.kernel_size), _same(X, Y)
        )
        return torch.cat([K for _, _, K, _, _ in rows])

    def _gram_inner(self, x: Encoded, y: Encoded) -> torch.Tensor:
        X, Y = x.features, y.features
        same = _same(X, Y)
        value = _SquaredKernel.apply(X, Y.detach(), self, same)
        if Y.requires_grad and not same:
            # ‖K_xy‖² = ‖K_yx‖²: the gradient in Y is that of the exchanged call.
            value = value + _SquaredKernel.apply(Y, X.detach(), self, False) - value.detach()
        return value

    def _patch_distance(self, x: Encoded, y: Encoded) -> torch.Tensor:
        X, Y = x.features, y.features
        norms = [patch_norms(clip, self.kernel_size) for clip in (X, Y)]
        return self.distance_terms(X - Y, Y, *norms)[0]

    def activate(self, inner: torch.Tensor, row_norms: torch.Tensor, column_norms: torch.Tensor):
        """Turn patch inner products into (K, ∂K/∂inner, ∂K/∂(‖p‖ ‖q‖)); `inner` may be overwritten.

        The derivatives of K = ‖p‖ ‖q‖ sin θ / 2π + (π − θ) ⟨p, q⟩ / 2π are (π − θ) / 2π and sin θ / 2π: those of θ
        cancel. Autograd would go through acos and √(1 − c²), whose derivatives are infinite at θ = 0.
        """
        if not self._relu_share:
            a = self._linear_share
            return a * inner, torch.full_like(inner, a), torch.zeros_like(inner)
        norms = row_norms[:, None] * column_norms
        cosine = torch.div(inner, norms).clamp_(-1, 1)
        slope = torch.acos(cosine).sub_(math.pi).mul_(-self._relu_share / (2 * math.pi))
        sine = cosine.square_().neg_().add_(1).sqrt_().mul_(self._relu_share / (2 * math.pi))
        K = torch.addcmul(sine * norms, slope, inner)
        if self._linear_share:
            K.add_(inner, alpha=self._linear_share)
            slope += self._linear_share
        return K, slope, sine

    def kernel_rows(self, X, norms, Y, column_norms, diagonal: bool) -> Iterator[tuple]:
        """Yield first row, frames, K, ∂K/∂inner and ∂K/∂(‖p‖ ‖q‖) of one row chunk after another.

        With `diagonal` the first columns are the rows themselves, and their θ is exactly 0; rounding would leave it
        some 1e-4 off.
        """
        k, n_rows, n_columns = self.kernel_size, len(norms), len(column_norms)
        step = max(1, min(CHUNK, max(_CACHED, _FEW * (k - 1) * n_columns)) // n_columns)
        for first in range(0, n_rows, step):
            rows = slice(first, min(first + step, n_rows))
            frames = slice(first, rows.stop + k - 1)
            K, slope, sine = self.activate(box_sum(X[:, frames].T @ Y, k), norms[rows], column_norms)
            if diagonal:
                K.diagonal(first).copy_(self._own * norms[rows].square())
                slope.diagonal(first).fill_(self._own)
                sine.diagonal(first).fill_(0.0)
            yield first, frames, K, slope, sine

    def squared_sums(self, X, norms, Y, column_norms, weights, *, diagonal: bool, scale: float | None = None):
        """Sum weights · K² over rows of X and columns of Y, and `scale` times its gradient in X (None without).

        `weights` [shape=(n_columns,)] multiply columns. With `diagonal` the gradient counts the first columns twice,
        once as row and once as column. It treats the other columns as constants.

        The chain rule by hand, since one pass then gives both, in memory that does not grow with n²: with
        G = ∂sum/∂⟨p, q⟩ the gradient is Y boxᵀ(G)ᵀ. K also depends on ‖p‖, and ∂‖p‖ = ⟨p, ∂p⟩ / ‖p‖ adds a multiple of
        p itself: through the diagonal of G where p is a column, else through X.
        """
        total = torch.zeros((), dtype=torch.float64, device=X.device)
        gradient = None if scale is None else torch.zeros_like(X)
        doubled = 2 * (scale or 0.0) * weights
        if diagonal:
            doubled[: len(norms)] *= 2
        for first, frames, K, slope, sine in self.kernel_rows(X, norms, Y, column_norms, diagonal):
            total += (K.square().sum(dim=0, dtype=torch.float64) * weights).sum()
            if gradient is None:
                continue
            K.mul_(doubled)
            by_norm = (sine.mul_(K) @ column_norms).div_(norms[first : first + len(K)])
            G = slope.mul_(K)
            if diagonal:
                G.diagonal(first).add_(by_norm)
            gradient[:, frames].addmm_(Y, box_sum_transposed(G, self.kernel_size).T)
            if not diagonal:
                gradient[:, frames].addcmul_(X[:, frames], box_1d_transposed(by_norm, self.kernel_size))
        return total, gradient

    def distance_terms(self, difference, y, nx, ny, scratch: torch.Tensor | None = None):
        """Compute patch distances between x = y + difference and y, and the angles θ; differentiable.

        ½ (K_xx + K_yy − 2 K_xy) = (r/2 + a) ½ ‖p − q‖² − r ‖p‖ ‖q‖ (sin θ − θ cos θ) / 2π. As it stands on the left it
        cancels: near the content, where the optimisation works, all digits of float32 are gone. On the right nothing
        does, if θ comes from the chord between the unit vectors p/‖p‖ and q/‖q‖, which is computed from p − q, and not
        from a cosine that is nearly 1.
        """
        k = self.kernel_size
        gap2 = box_1d(frame_products(difference, difference, scratch), k)
        # chord² = ‖p/‖p‖ − q/‖q‖‖² = (‖p − q‖² − (‖p‖ − ‖q‖)²) / (‖p‖ ‖q‖), and
        # ‖p‖ − ‖q‖ = ⟨p − q, p + q⟩ / (‖p‖ + ‖q‖) with p + q = (p − q) + 2 q.
        delta = (gap2 + 2 * box_1d(frame_products(difference, y, scratch), k)) / (nx + ny)
        chord2 = ((gap2 - delta.square()) / (nx * ny)).clamp(0, 4)
        apart = chord2 > 0  # where it is 0, the derivative of its root is infinite; that of the distance is 0
        theta = 2 * torch.asin((0.5 * torch.where(apart, chord2, 1.0).sqrt() * apart).clamp_max(1))
        distance = self._own * 0.5 * gap2
        if self._relu_share:
            distance = distance - self._relu_share * nx * ny * sine_minus_theta_cosine(theta) / (2 * math.pi)
        return distance.clamp_min(0), theta

    def add_distance_gradient(self, gradient, weights, difference, y, theta, nx, ny) -> torch.Tensor:
        """Add to `gradient` that of Σ_t weights_t · distance_t in x = y + difference."""
        k, share = self.kernel_size, self._relu_share / (2 * math.pi)
        # ∂/∂p = own (p − q) − pull p + turn q, where p = (p − q) + q; the derivatives of θ cancel.
        turn = weights * theta * share
        pull = weights * torch.sin(theta) * ny / nx * share
        gradient.addcmul_(difference, box_1d_transposed(self._own * weights - pull, k))
        return gradient.addcmul_(y, box_1d_transposed(turn - pull, k))


def sine_minus_theta_cosine(theta: torch.Tensor) -> torch.Tensor:
    """Compute sin θ − θ cos θ to 1e-7 relative for every θ in [0, π]; the difference cancels below 0.3."""
    t2 = theta.square()
    series = theta * t2 / 3 * (1 - t2 / 10 * (1 - t2 / 28 * (1 - t2 / 54)))
    return torch.where(theta < 0.3, series, torch.sin(theta) - theta * torch.cos(theta))


def _same(X: torch.Tensor, Y: torch.Tensor) -> bool:
    """Whether two clips are one, not a part or the transpose of it, nor a constant beside a variable."""
    of_memory = X.data_ptr() == Y.data_ptr() and X.shape == Y.shape and X.stride() == Y.stride()
    return of_memory and X.requires_grad == Y.requires_grad


class _SquaredKernel(torch.autograd.Function):
    """‖K_xy‖²_F and its gradient in X, which comes out of the same pass over the kernel."""

    @staticmethod
    def forward(ctx, X, Y, encoder, same):
        norms, column_norms = (patch_norms(clip, encoder.kernel_size) for clip in (X, Y))
        scale, ones = 1.0 if ctx.needs_input_grad[0] else None, torch.ones_like(column_norms)
        value, ctx.gradient = encoder.squared_sums(
            X, norms, Y, column_norms, ones, diagonal=same, scale=scale
        )
        return value

    @staticmethod
    def backward(ctx, grad):
        return grad.to(ctx.gradient.dtype) * ctx.gradient, None, None, None


class FusedLosses:
    """Both losses of a transfer and their gradient in one pass, for `InfiniteEncoder`.

    One product ``Xᵀ[X A]`` holds the inner products of all patch pairs that the style loss needs; weights on its
    columns turn the sum of K² into ``mean(K_xx²) − 2 mean(K_xa²)``. Between X and A lie k − 1 pairs of a patch across
    the seam, of weight 0. Beside the two matrix products the passes over arrays of the spectrogram's size cost most,
    so these are few, and write into memory that is kept: one object serves one thread at a time.
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
