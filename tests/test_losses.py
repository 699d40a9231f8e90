import re

import pytest
import torch

from audiostyle import TransferConfig, losses
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import TransferLoss, content_loss, paper_content_loss, paper_style_loss, style_loss
from tests.signals import DOUBLE, clip


def test_the_papers_losses_by_hand():
    encoder = RandomEncoder(n_filters=2, kernel_size=1, activation="none")
    encoder._filters = torch.eye(2)[:, :, None]  # features are the spectrogram itself
    X, A = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [1.0, 1.0]])
    assert paper_content_loss(encoder, X, A).item() == pytest.approx(0.5 * (1 + 0 + 4 + 9))
    # G_x = [[5, 11], [11, 25]], G_a = [[4, 2], [2, 2]]; N = M = 2
    assert paper_style_loss(encoder, X, A).item() == pytest.approx((1 + 81 + 81 + 529) / (4 * 4 * 4))


def test_kernel_forms_equal_eq_1_and_eq_6_at_any_lengths():
    encoder = RandomEncoder(n_filters=10, kernel_size=3, dtype=DOUBLE)
    X, P, A = clip(0, 9), clip(1, 9), clip(1, 14)
    expected = 10 * 7 * float(content_loss(encoder, X, P))
    assert float(paper_content_loss(encoder, X, P)) == pytest.approx(expected, rel=1e-12)
    G_x, G_a = encoder.gram_matrix(X) / 7, encoder.gram_matrix(A) / 12
    expected = float((G_x - G_a).square().sum()) / 10**2
    assert float(style_loss(encoder, X, A)) == pytest.approx(expected, rel=1e-11)
    assert float(paper_style_loss(encoder, X, A)) == pytest.approx(expected / 4, rel=1e-12)


@pytest.mark.parametrize("encoder", [RandomEncoder(8, kernel_size=3), InfiniteEncoder(3)])
def test_constant_terms_are_computed_once_and_what_needs_a_gradient_is_never_kept(encoder):
    style, x = encoder.encode(clip(2, 12)), encoder.encode(clip(0, 9).float().requires_grad_(True))
    assert encoder.gram_inner(style, style) is encoder.gram_inner(style, style)
    assert encoder.gram_inner(x, x) is not encoder.gram_inner(x, x)
    if isinstance(encoder, RandomEncoder):
        assert encoder.gram_matrix(style) is encoder.gram_matrix(style)
        assert encoder.gram_matrix(x) is not encoder.gram_matrix(x)


@pytest.mark.parametrize("make", [lambda: RandomEncoder(8, kernel_size=3), lambda: InfiniteEncoder(3)])
def test_balance_weighs_both_terms_in_their_own_units_or_those_given(make):
    C, A, X = clip(1, 9), clip(2, 12), clip(0, 9).float()
    power = C.square().sum(0)
    energy = 0.5 * float((power[:-2] + power[1:-1] + power[2:]).mean())
    own = TransferLoss(make(), C, A, balance=0.25)
    assert own.content_weight == pytest.approx(0.75**2 / energy)
    assert own.style_weight == pytest.approx(0.25**2 / float(style_loss(make(), C, A)), rel=1e-4)
    plain = TransferLoss(make(), C, A, units=(2.0, 5.0))
    assert plain(X).total == pytest.approx(0.25 * plain(X).content / 2 + 0.25 * plain(X).style / 5)
    more = TransferLoss(make(), C, A, units=(2.0, 5.0), extra=lambda X: (3.0, 4 * X))
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
    monkeypatch.setattr(losses, "free_memory", lambda device: 0)

    def needs(**more):
        with pytest.raises(MemoryError, match=r"10\.0 and 10\.0 s") as refusal:
            losses.check_memory(TransferConfig(method="gram", **settings | more), 220500, 220500)
        return float(re.search(r"about (\S+) GB", str(refusal.value))[1])

    assert needs(hop_length=64) > needs() < needs(n_fft=2**16)
