import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiostyle.encoders import random
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import style_loss

DOUBLE = torch.float64


def random_encoder(**kwargs):
    return RandomEncoder(**({"n_filters": 12, "kernel_size": 3, "dtype": DOUBLE} | kwargs))


def with_filters(filters, **settings):
    filters = torch.as_tensor(filters)
    encoder = RandomEncoder(n_filters=len(filters), kernel_size=filters.shape[2], **settings)
    encoder._filters = filters
    return encoder


def clip(seed, n_frames, n_bins=6):
    return torch.rand(n_bins, n_frames, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def test_features_and_gram_matrix_by_hand():
    X = torch.tensor([[1.0, 0.0, 2.0], [2.0, 4.0, 0.0]])
    # 1·1 − 2·0 + ½·2 + 0·4 = 2;  1·0 − 2·2 + ½·4 + 0·0 = −2, cut off by ReLU
    assert with_filters([[[1.0, -2.0], [0.5, 0.0]]]).features(X).tolist() == [[2.0, 0.0]]
    X = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]])
    same = with_filters(torch.eye(2)[:, :, None], activation="none")
    assert same.gram_matrix(X).tolist() == [[14.0, -1.0], [-1.0, 2.0]]


@pytest.mark.parametrize(
    ("activation", "at_minus_one"),
    [("relu", 0.0), ("leaky_relu", -0.2), ("none", -1.0), ("selu", -1.1113307)],
)
def test_activations(activation, at_minus_one):
    encoder = with_filters([[[1.0]]], activation=activation)
    assert encoder.features(torch.tensor([[-1.0]])).item() == pytest.approx(at_minus_one, rel=1e-6)


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
        (lambda: RandomEncoder(2).features(torch.ones(3, 5)), "5 frames.*kernel_size=11"),
        (lambda: InfiniteEncoder().kernel(torch.ones(3, 5), torch.ones(3, 20)), "5 frames.*kernel_size=11"),
        (lambda: RandomEncoder(2).features(torch.ones(3)), r"\(3,\)"),
        (lambda: random_encoder().patch_distance(clip(0, 5), clip(0, 6)), "3 and 4 patches"),
    ],
)
def test_bad_input_is_named(make, quoted):
    with pytest.raises(ValueError, match=quoted):
        make()


def test_gram_matrix_too_large_for_memory(monkeypatch):
    monkeypatch.setattr(random, "free_memory", lambda device: 1000)
    with pytest.raises(MemoryError, match=r"n_filters=12 .*InfiniteEncoder"):
        random_encoder().gram_matrix(clip(0, 5))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", [RandomEncoder, InfiniteEncoder])
def test_cuda_agrees_with_cpu(kind):
    X, Y = clip(0, 30).float(), clip(1, 40).float()
    on_gpu, on_cpu = kind(kernel_size=3, device="cuda"), kind(kernel_size=3)
    assert float(on_gpu.gram_inner(X, Y)) == pytest.approx(float(on_cpu.gram_inner(X, Y)), rel=1e-5)
