from dataclasses import replace

import pytest
import torch

from audiostyle import TransferConfig, losses
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import (
    TransferLoss,
    check_memory,
    content_loss,
    paper_content_loss,
    paper_style_loss,
    style_loss,
)
from experiments.speed import ExplicitLoss

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


@pytest.mark.parametrize("make", [lambda: RandomEncoder(8, kernel_size=3), lambda: InfiniteEncoder(3)])
def test_a_loop_of_ones_own_computes_the_constant_terms_once(make, monkeypatch):
    encoder, X, C, A = make(), clip(0, 9).float(), clip(1, 9), clip(2, 12)
    loss = TransferLoss(make(), C, A, balance=0.5)
    content, style = encoder.encode(C), encoder.encode(A)
    asked, compute = [], encoder._gram_inner
    monkeypatch.setattr(encoder, "_gram_inner", lambda x, y: asked.append((x, y)) or compute(x, y))
    for _ in range(3):
        X = X.detach().requires_grad_(True)
        x = encoder.encode(X)
        total = loss.content_weight * content_loss(encoder, x, content)
        total = total + loss.style_weight * style_loss(encoder, x, style)
        (gradient,) = torch.autograd.grad(total, X)
        expected = loss(X.detach())
        assert total.item() == pytest.approx(expected.total, rel=1e-5)
        assert float((gradient - expected.gradient).norm() / expected.gradient.norm()) < 1e-5
        X = X + 0.1
    assert sum(x is style and y is style for x, y in asked) == 1
    assert len(asked) == 1 + 2 * 3


def test_what_needs_a_gradient_is_never_kept(encoder):
    X = clip(0, 9).requires_grad_(True)
    x = encoder.encode(X)
    assert encoder.gram_matrix(x) is not encoder.gram_matrix(x)
    limit = InfiniteEncoder(3, dtype=DOUBLE)
    x = limit.encode(X)
    for _ in range(2):  # a value that was kept would have lost its graph
        (gradient,) = torch.autograd.grad(limit.gram_inner(x, x), X)
        assert gradient.any()


def test_explicit_opponent_is_the_same_objective():
    encoder, X, C, A = RandomEncoder(10, kernel_size=3, dtype=DOUBLE), clip(0, 9), clip(1, 9), clip(2, 12)
    value, expected = ExplicitLoss(encoder, C, A)(X), TransferLoss(encoder, C, A)(X)
    assert value.total == pytest.approx(expected.total, rel=1e-10)
    assert torch.allclose(value.gradient, expected.gradient, rtol=1e-9, atol=1e-12)


def test_patch_energy_by_hand():
    X = torch.tensor([[1.0, 2.0, 3.0]])
    assert RandomEncoder(2, kernel_size=2).patch_energy(X) == pytest.approx(0.5 * ((1 + 4) + (4 + 9)) / 2)


@pytest.mark.parametrize("make", [lambda: RandomEncoder(8, kernel_size=3), lambda: InfiniteEncoder(3)])
def test_balance_weighs_both_terms_in_their_own_units(make):
    encoder, C, A = make(), clip(1, 9), clip(2, 12)
    loss = TransferLoss(encoder, C, A, balance=0.25)
    assert loss.content_weight == pytest.approx(0.75**2 / encoder.patch_energy(C))
    assert loss.style_weight == pytest.approx(0.25**2 / float(style_loss(encoder, C, A)), rel=1e-4)


@pytest.mark.parametrize("make", [lambda: RandomEncoder(8, kernel_size=3), lambda: InfiniteEncoder(3)])
def test_units_and_a_further_term_are_what_was_given(make):
    C, A, X = clip(1, 9), clip(2, 12), clip(0, 9).float()
    plain = TransferLoss(make(), C, A, units=(2.0, 5.0))
    more = TransferLoss(make(), C, A, units=(2.0, 5.0), extra=lambda X: (3.0, 4 * X))
    assert plain.units == (2.0, 5.0)
    assert plain(X).total == pytest.approx(0.25 * plain(X).content / 2 + 0.25 * plain(X).style / 5)
    assert more(X).total == pytest.approx(plain(X).total + 3)
    assert torch.allclose(more(X).gradient, plain(X).gradient + 4 * X)
    assert more(X)[:2] == plain(X)[:2]


def test_a_content_that_has_the_style_does_not_divide_by_zero():
    C = clip(1, 9)
    value = TransferLoss(InfiniteEncoder(3, dtype=DOUBLE), C, C, balance=0.5)(C)
    assert value.total == pytest.approx(0, abs=1e-6)
    assert bool(torch.isfinite(value.gradient).all())


@pytest.mark.parametrize("settings", [{}, {"encoder": "random", "n_filters": 64}], ids=str)
def test_what_does_not_fit_into_memory_is_refused(monkeypatch, settings):
    config = TransferConfig(method="gram", **settings)
    needs = []
    for more in ({}, {"hop_length": 64}, {"n_fft": 2**16}):
        free = 10**12
        while True:  # the smallest power of two that is enough
            monkeypatch.setattr(losses, "free_memory", lambda device, free=free: free)
            try:
                check_memory(replace(config, **more), 220500, 220500)
            except MemoryError as error:
                assert "clips of 10.0 and 10.0 s need about" in str(error)  # noqa: PT017
                break
            free //= 2
        needs.append(free)
    assert needs[0] < needs[1]
    assert needs[0] < needs[2]
