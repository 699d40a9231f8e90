"""What every encoder keeps to, as `audiostyle.encoders.base.Encoder` says it."""

import pytest
import torch

from audiostyle.encoders.infinite import CLOSED_FORMS, InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import TransferLoss, content_loss, loss_units, style_loss
from tests.signals import DOUBLE, clip

SMALL = {"kernel_size": 3, "dtype": DOUBLE}
ENCODERS = {f"random {name}": RandomEncoder(12, activation=name, **SMALL) for name in ("relu", "selu")}
ENCODERS |= {f"infinite {name}": InfiniteEncoder(activation=name, **SMALL) for name in CLOSED_FORMS}
every = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)


@every
def test_kernels_have_a_row_for_every_patch_and_are_symmetric(encoder):
    X, Y = clip(0, 9), clip(1, 7)
    K = encoder.kernel(X, Y)
    assert K.shape == (encoder.n_patches(9), encoder.n_patches(7)) == (7, 5)
    assert torch.allclose(encoder.kernel(Y, X), K.T, rtol=1e-12)
    own = encoder.kernel(X, X)
    assert torch.allclose(own, own.T, rtol=1e-12)
    assert float(torch.linalg.eigvalsh(own).min()) >= -1e-12 * float(own.diagonal().sum())


@every
def test_gram_inner_is_the_kernels_squared_norm(encoder):
    X, Y = clip(0, 9), clip(1, 7)
    for A, B in ((X, Y), (X, X)):
        found = encoder.gram_inner(A, B)
        expected = encoder.kernel(A, B).square().sum()
        assert (found.shape, found.dtype) == ((), DOUBLE)
        assert float(found) == pytest.approx(float(expected), rel=1e-12)
        assert float(encoder.gram_inner(B, A)) == pytest.approx(float(found), rel=1e-12)


@every
def test_patch_distance_is_the_kernel_distance_on_the_diagonal(encoder):
    X, Y = clip(0, 9), clip(1, 9)
    K = [encoder.kernel(a, b).diagonal() for a, b in ((X, X), (Y, Y), (X, Y))]
    found = encoder.patch_distance(X, Y)
    assert torch.allclose(found, 0.5 * (K[0] + K[1] - 2 * K[2]), rtol=1e-10)
    assert torch.allclose(encoder.patch_distance(Y, X), found, rtol=1e-10)
    assert torch.equal(encoder.patch_distance(X, X.clone()), torch.zeros(7, dtype=DOUBLE))


@every
def test_gradients_are_those_of_the_values(encoder):
    X, Y, Z = (clip(seed, n).requires_grad_(True) for seed, n in enumerate((7, 6, 7)))
    check = torch.autograd.gradcheck
    assert check(encoder.gram_inner, (X, Y))
    assert check(encoder.gram_inner, (X.detach(), Y))
    assert check(lambda X: encoder.gram_inner(X, X), X)
    assert check(lambda X, Z: content_loss(encoder, X, Z), (X, Z))


@every
def test_chunks_change_nothing(encoder, monkeypatch):
    X, Y = clip(0, 30).requires_grad_(True), clip(1, 20)
    whole = [encoder.gram_inner(X, Z) for Z in (Y, X)]
    gradients = [torch.autograd.grad(value, X)[0] for value in whole]
    monkeypatch.setattr("audiostyle.encoders.random._ROWS", 5)
    monkeypatch.setattr("audiostyle.encoders.infinite.CHUNK", 100)
    for value, gradient, Z in zip(whole, gradients, (Y, X), strict=True):
        chunked = encoder.gram_inner(X, Z)
        assert chunked.item() == pytest.approx(value.item(), rel=1e-12)
        assert torch.allclose(torch.autograd.grad(chunked, X)[0], gradient, rtol=1e-10)


@every
def test_clips_are_encoded_once_and_left_as_they_are(encoder):
    X, Y = clip(0, 9), clip(1, 9)
    kept = X.clone(), Y.clone()
    x, y = encoder.encode(X), encoder.encode(Y)
    assert encoder.encode(x) is x
    plain = [encoder.gram_inner(X, Y), encoder.gram_inner(X, X), style_loss(encoder, X, Y)]
    for _ in range(2):
        assert [encoder.gram_inner(x, y), encoder.gram_inner(x, x), style_loss(encoder, x, y)] == plain
    assert content_loss(encoder, x, y) == content_loss(encoder, X.numpy(), Y.numpy())
    assert torch.equal(X, kept[0])
    assert torch.equal(Y, kept[1])


@every
def test_objective_and_its_gradient_are_those_of_the_losses(encoder):
    X, C, A = clip(0, 9).requires_grad_(True), clip(1, 9), clip(2, 14)
    loss = TransferLoss(encoder, C, A, balance=0.6)
    E, s0 = loss_units(encoder, C, A)
    content, style = content_loss(encoder, X, C), style_loss(encoder, X, A)
    total = 0.16 * content / E + 0.36 * style / s0
    (gradient,) = torch.autograd.grad(total, X)
    value = loss(X.detach())
    assert value.content == pytest.approx(content.item(), rel=1e-11)
    assert value.style == pytest.approx(style.item(), rel=1e-11)
    assert value.total == pytest.approx(total.item(), rel=1e-11)
    assert torch.allclose(value.gradient, gradient, rtol=1e-9, atol=1e-12)


@every
def test_the_shortest_clip_is_one_patch(encoder):
    n = encoder.kernel_size
    X, Y = clip(0, n), clip(1, n)
    assert encoder.encode(X).n_patches == encoder.n_patches(n) == 1
    assert float(content_loss(encoder, X, Y)) > 0
    with pytest.raises(ValueError, match=f"{n - 1} frames.*kernel_size={n}"):
        encoder.encode(X[:, 1:])
