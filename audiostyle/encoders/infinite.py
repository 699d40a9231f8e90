"""The limit of the random layer for infinitely many filters, in closed form.

For filters w with independent standard normal entries the frame kernel of `audiostyle.encoders.random.RandomEncoder`
tends, as the number of filters grows, to ``K(p, q) = E_w[φ(⟨w, p⟩) φ(⟨w, q⟩)]`` for patches p and q. For ReLU this
is the arc-cosine kernel of order 1 (Cho & Saul 2009),

    K(p, q) = ½ ‖p‖ ‖q‖ (sin θ + (π − θ) cos θ) / π,   θ the angle between p and q,

for LeakyReLU with slope a it is ``(1 − a)² K_relu + a ⟨p, q⟩``, and without activation ``⟨p, q⟩``. Inner products
of patches are box sums along the diagonals of the frame Gram matrix, so that neither filters nor features appear.
"""

import math

import torch

from audiostyle.config import check_positive
from audiostyle.encoders.base import (
    LEAKY_SLOPE,
    Encoded,
    Encoder,
    check_activation,
    same_numbers,
)
from audiostyle.encoders.fused import squared_sums, squared_sums_with_gradient
from audiostyle.encoders.patches import (
    box_1d,
    box_1d_transposed,
    box_sum,
    frame_products,
    patch_norms,
)

# Share of the arc-cosine part and of the inner product in K = r · K_relu + a · ⟨p, q⟩, for each activation.
_SHARES = {
    "relu": (1.0, 0.0),
    "leaky_relu": ((1 - LEAKY_SLOPE) ** 2, LEAKY_SLOPE),
    "none": (0.0, 1.0),
}
CLOSED_FORMS = tuple(_SHARES)


class InfiniteEncoder(Encoder):
    """The random layer with infinitely many filters: no filters, no seed, no sampling noise.

    Parameters
    ----------
    kernel_size : int > 0
        Width of the filters in frames.
    activation : {"relu", "leaky_relu", "none"}
        Nonlinearity; the slope of ``leaky_relu`` is 0.2.
    device : str
        Torch device.
    dtype : torch.dtype
        ``torch.float32`` or ``torch.float64``.

    Raises
    ------
    ValueError
        If `kernel_size` is below 1, or the activation is unknown or has no closed form (SELU: it is not
        homogeneous; use `audiostyle.encoders.random.RandomEncoder`).

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
        if activation == "selu":
            raise ValueError(
                "activation='selu' has no closed form; take encoder='random' (RandomEncoder), or one of "
                f"{', '.join(CLOSED_FORMS)}"
            )
        check_activation(activation, CLOSED_FORMS)
        self.kernel_size = self.receptive_field = kernel_size
        self.activation = activation
        self.device = torch.device(device)
        self.dtype = dtype
        self._relu_share, self._linear_share = _SHARES[activation]

    def _encode(self, X: torch.Tensor) -> Encoded:
        return Encoded(X, X.shape[1] - self.kernel_size + 1)

    def _kernel(self, x: Encoded, y: Encoded) -> torch.Tensor:
        inner = box_sum(x.features.T @ y.features, self.kernel_size)
        if same_numbers(x.features, y.features):
            norms = patch_norms(x.features, self.kernel_size)
            K, _, _ = self._activate(inner, norms, norms)
            # θ = 0 exactly: rounding would leave it some 1e-4 off.
            K.diagonal().copy_((0.5 * self._relu_share + self._linear_share) * norms.square())
            return K
        K, _, _ = self._activate(
            inner, patch_norms(x.features, self.kernel_size), patch_norms(y.features, self.kernel_size)
        )
        return K

    def _gram_inner(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return _GramInner.apply(x.features, y.features, self)

    def _patch_distance(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return _PatchDistance.apply(x.features, y.features, self)

    def _activate(self, inner: torch.Tensor, row_norms: torch.Tensor, column_norms: torch.Tensor):
        """Turn patch inner products into (K, ∂K/∂inner, ∂K/∂(‖p‖ ‖q‖)); `inner` may be overwritten."""
        if not self._relu_share:
            return (
                inner * self._linear_share,
                torch.full_like(inner, self._linear_share),
                torch.zeros_like(inner),
            )
        norms = row_norms[:, None] * column_norms
        cosine = torch.div(inner, norms).clamp_(-1, 1)
        slope = torch.acos(cosine).sub_(math.pi).mul_(-self._relu_share / (2 * math.pi))
        sine = cosine.square_().neg_().add_(1).sqrt_().mul_(self._relu_share / (2 * math.pi))
        K = torch.addcmul(sine * norms, slope, inner)
        if self._linear_share:
            K.add_(inner, alpha=self._linear_share)
            slope += self._linear_share
        return K, slope, sine

    def _distance_terms(self, difference, y, nx, ny, scratch: torch.Tensor | None = None):
        """Compute patch distances between x = y + difference and y without cancellation, and the angles θ.

        ½ (K_xx + K_yy − 2 K_xy) = (r/2 + a) ½ ‖p − q‖² − r ‖p‖ ‖q‖ (sin θ − θ cos θ) / 2π, with θ from the chord
        between the unit vectors, which is accurate where the patches are close.
        """
        k = self.kernel_size
        gap2 = box_1d(frame_products(difference, difference, scratch), k)
        # ‖p‖ − ‖q‖ = ⟨p − q, p + q⟩ / (‖p‖ + ‖q‖), and p + q = (p − q) + 2 q.
        delta = (gap2 + 2 * box_1d(frame_products(difference, y, scratch), k)) / (nx + ny)
        chord2 = ((gap2 - delta.square()) / (nx * ny)).clamp(0, 4)
        theta = 2 * torch.asin((0.5 * chord2.sqrt()).clamp_max(1))
        distance = (0.5 * self._relu_share + self._linear_share) * 0.5 * gap2
        if self._relu_share:
            distance = distance - self._relu_share * nx * ny * sine_minus_theta_cosine(theta) / (2 * math.pi)
        return distance.clamp_min(0), theta

    def _add_distance_gradient(self, gradient, weights, difference, y, theta, nx, ny) -> torch.Tensor:
        """Add to `gradient` that of Σ_t weights_t · distance_t in x = y + difference."""
        k, r = self.kernel_size, self._relu_share
        near = (0.5 * r + self._linear_share) * weights
        turn = weights * theta * (r / (2 * math.pi))
        pull = weights * torch.sin(theta) * ny / nx * (r / (2 * math.pi))
        gradient.addcmul_(difference, box_1d_transposed(near - pull, k))
        return gradient.addcmul_(y, box_1d_transposed(turn - pull, k))


def sine_minus_theta_cosine(theta: torch.Tensor) -> torch.Tensor:
    """Compute sin θ − θ cos θ to 1e-7 relative for every θ in [0, π]; the difference cancels below 0.3."""
    t2 = theta.square()
    series = theta * t2 / 3 * (1 - t2 / 10 * (1 - t2 / 28 * (1 - t2 / 54)))
    return torch.where(theta < 0.3, series, torch.sin(theta) - theta * torch.cos(theta))


class _GramInner(torch.autograd.Function):
    """‖K_xy‖²_F for the infinite encoder with its analytic gradient.

    The gradient comes out of the same pass over the kernel as the value: it is computed with it where it is needed.
    """

    @staticmethod
    def forward(ctx, X, Y, encoder):
        norms = [patch_norms(clip, encoder.kernel_size) for clip in (X, Y)]
        same = same_numbers(X, Y)
        halves, value = [None, None], None
        for i, (rows, columns) in enumerate(((0, 1), (1, 0))):
            if not ctx.needs_input_grad[i]:
                continue
            if i == 1 and same and halves[0] is not None:
                halves[1] = halves[0]
                continue
            A, B = ((X, Y)[j] for j in (rows, columns))
            ones = torch.ones_like(norms[columns])
            value, gradient = squared_sums_with_gradient(
                encoder, A, norms[rows], B, norms[columns], ones, diagonal=same
            )
            # With rows equal to columns the analytic gradient counts both roles: one half belongs to each.
            halves[i] = 0.5 * gradient if same else gradient
        if value is None:
            value = squared_sums(encoder, X, norms[0], Y, norms[1], torch.ones_like(norms[1]), diagonal=same)
        ctx.save_for_backward(*halves)
        return value

    @staticmethod
    def backward(ctx, grad):
        return *(None if half is None else grad.to(half.dtype) * half for half in ctx.saved_tensors), None


class _PatchDistance(torch.autograd.Function):
    """Patch distances of the infinite encoder with their analytic gradient, finite where the patches agree."""

    @staticmethod
    def forward(ctx, X, Y, encoder):
        nx, ny = (patch_norms(clip, encoder.kernel_size) for clip in (X, Y))
        distance, theta = encoder._distance_terms(X - Y, Y, nx, ny)
        ctx.save_for_backward(X, Y, theta, nx, ny)
        ctx.encoder = encoder
        return distance

    @staticmethod
    def backward(ctx, grad):
        X, Y, theta, nx, ny = ctx.saved_tensors
        halves = [None, None]
        for i, (a, b, na, nb) in enumerate(((X, Y, nx, ny), (Y, X, ny, nx))):
            if ctx.needs_input_grad[i]:
                zero = torch.zeros_like(a)
                halves[i] = ctx.encoder._add_distance_gradient(zero, grad, a - b, b, theta, na, nb)
        return halves[0], halves[1], None
