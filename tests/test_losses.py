import pytest
import torch

from audiostyle.encoders import RandomEncoder
from audiostyle.infinite import InfiniteEncoder
from audiostyle.losses import (
    TransferLoss,
    content_loss,
    paper_content_loss,
    paper_style_loss,
    patch_energy,
    style_loss,
)

DOUBLE = torch.float64


def clip(seed, n_frames, n_bins=6):
    return torch.rand(n_bins, n_frames, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


@pytest.fixture
def encoder():
    return RandomEncoder(n_filters=10, kernel_size=3, dtype=DOUBLE)


def two_filters():
    """Features are the spectrogram itself."""
    encoder = RandomEncoder(n_filters=2, kernel_size=1, activation="none")
    encoder._filters = torch.eye(2)[:, :, None]
    return encoder


def test_eq_1_by_hand():
    X, P = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [1.0, 1.0]])
    assert paper_content_loss(two_filters(), X, P).item() == pytest.approx(0.5 * (1 + 0 + 4 + 9))


def test_eq_6_by_hand():
    X, A = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [1.0, 1.0]])
    # G_x = [[5, 11], [11, 25]], G_a = [[4, 2], [2, 2]]; N = M = 2
    assert paper_style_loss(two_filters(), X, A).item() == pytest.approx((1 + 81 + 81 + 529) / (4 * 4 * 4))


def test_content_gradient_by_hand():
    X = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    P = torch.tensor([[0.0, 2.0], [1.0, 1.0]])
    paper_content_loss(two_filters(), X, P).backward()
    assert X.grad.tolist() == (X - P).tolist()


def test_kernel_form_equals_eq_1(encoder):
    X, P = clip(0, 9), clip(1, 9)
    n_patches = encoder.n_patches(9)
    expected = encoder.n_filters * n_patches * content_loss(encoder, X, P)
    assert float(paper_content_loss(encoder, X, P)) == pytest.approx(float(expected), rel=1e-12)


def test_kernel_form_equals_eq_6(encoder):
    X, A = clip(0, 9), clip(1, 9)
    assert float(paper_style_loss(encoder, X, A)) == pytest.approx(
        float(style_loss(encoder, X, A)) / 4, rel=1e-11
    )


def test_unequal_lengths_divide_each_gram_by_its_own_patches(encoder):
    X, A = clip(0, 9), clip(1, 14)
    G_x, G_a = encoder.gram_matrix(X) / 7, encoder.gram_matrix(A) / 12
    expected = (G_x - G_a).square().sum() / encoder.n_filters**2
    assert float(style_loss(encoder, X, A)) == pytest.approx(float(expected), rel=1e-11)
    assert float(paper_style_loss(encoder, X, A)) == pytest.approx(float(expected) / 4, rel=1e-12)


def test_gradient_of_the_kernel_form_equals_that_of_the_explicit_form(encoder):
    X, C, A = clip(0, 9).requires_grad_(True), clip(1, 9), clip(2, 12)
    loss = TransferLoss(encoder, C, A, balance=0.5)
    n, m = encoder.n_filters, encoder.n_patches(9)
    explicit = loss.content_weight * paper_content_loss(encoder, X, C) / (n * m)
    explicit = explicit + loss.style_weight * 4 * paper_style_loss(encoder, X, A)
    (gradient,) = torch.autograd.grad(explicit, X)
    value = loss(X.detach())
    assert value.total == pytest.approx(explicit.item(), rel=1e-11)
    assert torch.allclose(value.gradient, gradient, rtol=1e-9, atol=1e-12)


def test_patch_energy_by_hand():
    X = torch.tensor([[1.0, 2.0, 3.0]])
    assert patch_energy(RandomEncoder(2, kernel_size=2), X) == pytest.approx(0.5 * ((1 + 4) + (4 + 9)) / 2)


@pytest.mark.parametrize("make", [lambda: RandomEncoder(8, kernel_size=3), lambda: InfiniteEncoder(3)])
def test_balance_weighs_both_terms_in_their_own_units(make):
    encoder, C, A = make(), clip(1, 9), clip(2, 12)
    loss = TransferLoss(encoder, C, A, balance=0.25)
    assert loss.content_weight == pytest.approx(0.75**2 / patch_energy(encoder, C))
    assert loss.style_weight == pytest.approx(0.25**2 / float(style_loss(encoder, C, A)), rel=1e-4)


def test_a_content_that_has_the_style_does_not_divide_by_zero():
    C = clip(1, 9)
    value = TransferLoss(InfiniteEncoder(3, dtype=DOUBLE), C, C, balance=0.5)(C)
    assert value.total == pytest.approx(0, abs=1e-6)
    assert bool(torch.isfinite(value.gradient).all())
