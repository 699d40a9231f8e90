import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiostyle.encoders.infinite import CLOSED_FORMS, FusedLosses, InfiniteEncoder, sine_minus_theta_cosine
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import style_loss
from tests.signals import DOUBLE, clip


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
    below = {"relu": 0.0, "leaky_relu": 0.2, "none": 1.0}[activation]  # slope of negative answers
    u, v = (np.maximum(x, 0) + below * np.minimum(x, 0) for x in (p @ direction, q @ direction))
    expected = 2 * (u * v).mean()  # E[r²] = 2 for two normal components
    K = InfiniteEncoder(1, activation, dtype=DOUBLE).kernel(p[:, None], q[:, None])
    assert K.item() == pytest.approx(expected, rel=1e-8, abs=1e-8)


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
    X = clip(0, 6).requires_grad_(True)
    # The second has other numbers than the clip: nothing that the encoder could take for it.
    value, apart = (encoder.gram_inner(X, Y) for Y in (other(X), other(X).contiguous() + 1e-9))
    gradient, expected = (torch.autograd.grad(loss, X)[0] for loss in (value, apart))
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
    C, A, X = (clip(seed, 216, 1025).float() for seed in (1, 2, 3))
    C, A, X = 2 * C, A**2, 2 * C + distance * X
    single = FusedLosses(InfiniteEncoder(), C, A)(X, 0.5, 0.5)
    exact = FusedLosses(InfiniteEncoder(dtype=DOUBLE), C.double(), A.double())(X.double(), 0.5, 0.5)
    assert single[:2] == pytest.approx(exact[:2], rel=1e-6)
    assert float((single[2] - exact[2]).norm() / exact[2].norm()) < 1e-5


def random_encoder(**kwargs):
    return RandomEncoder(**({"n_filters": 12, "kernel_size": 3, "dtype": DOUBLE} | kwargs))


def with_filters(filters, **settings):
    filters = torch.as_tensor(filters)
    encoder = RandomEncoder(n_filters=len(filters), kernel_size=filters.shape[2], **settings)
    encoder._filters = filters
    return encoder


def test_features_and_gram_matrix_by_hand():
    X = torch.tensor([[1.0, 0.0, 2.0], [2.0, 4.0, 0.0]])
    # 1·1 − 2·0 + ½·2 + 0·4 = 2;  1·0 − 2·2 + ½·4 + 0·0 = −2, cut off by ReLU
    assert with_filters([[[1.0, -2.0], [0.5, 0.0]]]).features(X).tolist() == [[2.0, 0.0]]
    X = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]])
    same = with_filters(torch.eye(2)[:, :, None], activation="none")
    assert same.gram_matrix(X).tolist() == [[14.0, -1.0], [-1.0, 2.0]]


def test_activations():
    at_minus_one = {"relu": 0, "leaky_relu": -0.2, "none": -1, "selu": -1.1113307}
    for activation, expected in at_minus_one.items():
        encoder = with_filters([[[1.0]]], activation=activation)
        assert encoder.features(torch.tensor([[-1.0]])).item() == pytest.approx(expected, rel=1e-6)


def test_filters_have_unit_variance_and_follow_the_seed():
    W, again, other = (RandomEncoder(n_filters=200, seed=seed).filters(50) for seed in (3, 3, 4))
    n = W.numel()
    assert abs(float(W.mean())) < 5 / n**0.5
    assert abs(float(W.var()) - 1) < 5 * (2 / n) ** 0.5
    assert torch.equal(W, again)
    assert not torch.equal(W, other)
    assert not W.requires_grad


@given(seed=st.integers(0, 1000), n_frames=st.integers(3, 12))
def test_gram_matrix_is_symmetric_and_positive_semidefinite(seed, n_frames):
    G = random_encoder(seed=seed).gram_matrix(clip(seed, n_frames))
    assert torch.allclose(G, G.T, rtol=0, atol=1e-12 * float(G.abs().max()))
    assert float(torch.linalg.eigvalsh(G).min()) >= -1e-12 * float(G.diagonal().sum())


@given(seed=st.integers(0, 100), infinite=st.booleans())
def test_style_loss_is_a_distance_of_statistics(seed, infinite):
    encoder = InfiniteEncoder(1, dtype=DOUBLE) if infinite else random_encoder(kernel_size=1, seed=seed)
    X, Y = clip(seed, 8), clip(seed + 1, 11)
    there, back = float(style_loss(encoder, X, Y)), float(style_loss(encoder, Y, X))
    scale = float(encoder.gram_inner(X, X))
    assert there == pytest.approx(back, abs=1e-12 * scale)
    assert there >= -1e-12 * scale
    assert float(style_loss(encoder, X, X)) == pytest.approx(0, abs=1e-12 * scale)
    # kernel_size 1: repeating the clip repeats exactly its patches
    assert float(style_loss(encoder, torch.cat([X, X], dim=1), Y)) == pytest.approx(there, abs=1e-12 * scale)


@pytest.mark.parametrize(
    ("make", "quoted"),
    [
        (lambda: RandomEncoder(n_filters=0), "n_filters=0"),
        (lambda: RandomEncoder(kernel_size=0), "kernel_size=0"),
        (lambda: RandomEncoder(seed=-1), "seed=-1"),
        (lambda: RandomEncoder(activation="tanh"), "activation='tanh'.*relu"),
        (lambda: InfiniteEncoder(0), "kernel_size=0"),
        (lambda: InfiniteEncoder(activation="selu"), "activation='selu'.*RandomEncoder"),
        (lambda: RandomEncoder(2).features(torch.ones(3)), r"\(3,\)"),
        (lambda: random_encoder().patch_distance(clip(0, 5), clip(0, 6)), "3 and 4 patches"),
    ],
)
def test_bad_input_is_named(make, quoted):
    with pytest.raises(ValueError, match=quoted):
        make()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", [RandomEncoder, InfiniteEncoder])
def test_cuda_agrees_with_cpu(kind):
    X, Y = clip(0, 30).float(), clip(1, 40).float()
    on_gpu, on_cpu = kind(kernel_size=3, device="cuda"), kind(kernel_size=3)
    assert float(on_gpu.gram_inner(X, Y)) == pytest.approx(float(on_cpu.gram_inner(X, Y)), rel=1e-5)
