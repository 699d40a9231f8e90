"""The closed form against integrals, finite differences, autograd, float64 and the random layer."""

import math

import numpy as np
import pytest
import torch

from audiostyle.encoders.infinite import CLOSED_FORMS, FusedLosses, InfiniteEncoder, sine_minus_theta_cosine
from audiostyle.encoders.patches import box_sum, box_sum_transposed
from audiostyle.encoders.random import RandomEncoder

DOUBLE = torch.float64


def clip(seed, n_frames, n_bins=6, dtype=DOUBLE):
    return torch.rand(n_bins, n_frames, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE).to(dtype)


def test_arc_cosine_kernel_at_known_angles():
    encoder = InfiniteEncoder(1, dtype=DOUBLE)
    X = torch.tensor([[1.0, 0.0, -1.0, 2.0], [0.0, 1.0, 0.0, 0.0]], dtype=DOUBLE)
    # θ = 0: ½ ‖p‖ ‖q‖; θ = π/2: ‖p‖ ‖q‖ / 2π; θ = π: 0
    expected = [[0.5, 1 / (2 * math.pi), 0.0, 1.0]]
    assert encoder.kernel(X[:, :1], X).numpy() == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_kernel_is_the_expectation_over_filters(activation):
    # In polar coordinates E[φ(u) φ(v)] is smooth between kinks, and a fine trapezoid is exact enough.
    p, q = np.array([1.0, 2.0]), np.array([3.0, -0.5])
    angle = np.linspace(0, 2 * np.pi, 400_000, endpoint=False)
    direction = np.stack([np.cos(angle), np.sin(angle)])
    phi = {
        "relu": lambda u: np.maximum(u, 0),
        "leaky_relu": lambda u: np.where(u > 0, u, 0.2 * u),
        "none": lambda u: u,
    }
    integrand = phi[activation](p @ direction) * phi[activation](q @ direction)
    expected = 2 * integrand.mean()  # E[r²] = 2 for two normal components
    K = InfiniteEncoder(1, activation, dtype=DOUBLE).kernel(p[:, None], q[:, None])
    assert K.item() == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_box_sum_and_its_transpose():
    P, G = clip(0, 9, 8), clip(1, 7, 6)
    loops = torch.stack(
        [torch.stack([P[s : s + 3, t : t + 3].diagonal().sum() for t in range(7)]) for s in range(6)]
    )
    assert torch.allclose(box_sum(P, 3), loops, rtol=1e-14)
    assert float((box_sum(P, 3) * G).sum()) == pytest.approx(
        float((P * box_sum_transposed(G, 3)).sum()), rel=1e-14
    )


def test_sine_minus_theta_cosine_is_accurate_in_float32():
    theta = torch.logspace(-4, math.log10(math.pi), 3000, dtype=DOUBLE)
    with_series = sine_minus_theta_cosine(theta.float()).double()
    t = theta.float().double()
    # the reference is itself a series below 1e-2, where float64 cancels too
    exact = torch.where(t < 1e-2, t**3 / 3 - t**5 / 30 + t**7 / 840, torch.sin(t) - t * torch.cos(t))
    error = ((with_series - exact) / exact).abs()
    # a dozen roundings in the series, the last added term under 1e-7
    assert float(error[t < 0.3].max()) < 12 * 2**-24 + 1e-7
    # from 0.3 on sin θ exceeds the difference at most 33-fold; two rounded terms
    assert float(error[t >= 0.3].max()) < 2 * 33 * 2**-23


@pytest.mark.parametrize(
    "other",
    [lambda X: X[:, :4], lambda X: X[:, 2:], lambda X: X.T, lambda X: X.clone(), lambda X: X.detach()],
    ids=["beginning", "end", "transpose", "copy", "constant"],
)
def test_gradient_of_a_clip_with_a_view_of_itself(other):
    """One storage does not make one clip: the gradient is that of two clips with the same numbers."""
    encoder = InfiniteEncoder(2, dtype=DOUBLE)
    found = []
    for more in (
        0.0,
        1e-9,
    ):  # nothing the encoder could take for one clip: the other's numbers are changed first
        X = clip(0, 6).requires_grad_(True)
        value = encoder.gram_inner(X, other(X).contiguous() + more if more else other(X))
        found.append((value, *torch.autograd.grad(value, X)))
    (value, gradient), (apart, expected) = found
    assert value.item() == pytest.approx(apart.item(), rel=1e-7)
    assert torch.allclose(gradient, expected, rtol=1e-6, atol=1e-6)


def test_a_clip_given_twice_is_encoded_once():
    """In float64 for a float32 encoder: the angle of a patch with itself stays exactly 0."""
    X = clip(0, 9)
    norms2 = X.float().square().sum(0).unfold(0, 2, 1).sum(1)
    assert torch.allclose(InfiniteEncoder(2).kernel(X, X).diagonal(), 0.5 * norms2, rtol=2e-7)


def test_finite_at_identical_patches_and_in_digital_silence():
    encoder = InfiniteEncoder(2)
    X = torch.cat([torch.zeros(5, 4), torch.ones(5, 6), torch.zeros(5, 3)], dim=1)
    for C in (X, torch.zeros_like(X), torch.ones_like(X)):
        content, style, gradient = FusedLosses(encoder, C, X)(X, 0.5, 0.5)
        assert np.isfinite([content, style, *gradient.flatten()]).all()
    assert FusedLosses(encoder, X, X)(X, 0.5, 0.5)[0] == 0.0


@pytest.mark.parametrize("distance", [1e-4, 1e-2, 1.0])
def test_float32_is_accurate(distance):
    """Relative to float64 on the same numbers, at the sizes of a real clip, near the content and far from it."""
    C, A = clip(1, 216, 1025, torch.float32) * 2, clip(2, 216, 1025, torch.float32) ** 2
    X = C + distance * clip(3, 216, 1025, torch.float32)
    single = FusedLosses(InfiniteEncoder(), C, A)(X, 0.5, 0.5)
    exact = FusedLosses(InfiniteEncoder(dtype=DOUBLE), C.double(), A.double())(X.double(), 0.5, 0.5)
    assert single[:2] == pytest.approx(exact[:2], rel=1e-6)
    assert float((single[2] - exact[2]).norm() / exact[2].norm()) < 1e-5


def test_random_layer_converges_to_the_limit():
    """Each entry of K_N is a mean of N products f_i(p) f_i(q): its error falls as 1/√N with a known constant."""
    X, Y = clip(0, 8), clip(1, 7)
    limit = InfiniteEncoder(3, dtype=DOUBLE).kernel(X, Y)
    # The variance of one product is at most E[f(p)² f(q)²] ≤ √(E f(p)⁴ E f(q)⁴) = (3/2) ‖p‖² ‖q‖² for ReLU of a
    # normal variable (E max(u, 0)⁴ = 3σ⁴/2).
    norms2 = [2 * InfiniteEncoder(3, dtype=DOUBLE).kernel(Z, Z).diagonal() for Z in (X, Y)]
    bound = (1.5 * norms2[0][:, None] * norms2[1]).sum()
    errors, sizes, n_seeds = [], (64, 256, 1024, 4096), 20
    for n in sizes:
        layers = (RandomEncoder(n, kernel_size=3, seed=seed, dtype=DOUBLE) for seed in range(n_seeds))
        errors.append(np.mean([float((layer.kernel(X, Y) - limit).square().sum()) for layer in layers]))
        # the mean over seeds may exceed its expectation; it stays under twice the bound
        assert errors[-1] < 2 * float(bound) / n
    slope = np.polyfit(np.log(sizes), 0.5 * np.log(errors), 1)[0]
    # Entries of one bank are correlated: take each mean square error as known to √(2/20) ≈ 32 %, that is 16 % of
    # its root; the slope of a fit over ln 64 then has a standard error near 0.16 / 3.1 ≈ 0.05. Three of them.
    assert slope == pytest.approx(-0.5, abs=0.15)
