import librosa
import numpy as np
import pytest
import torch
from torch import cosine_similarity

from audiostyle import InfiniteEncoder, RandomEncoder, TransferConfig
from audiostyle.losses import TransferLoss, content_loss, loss_units, style_loss
from audiostyle.spectrogram import log_magnitude
from experiments import front_ends
from experiments.front_ends import FrontEnd, FrontEndEncoder, Patches, RhythmLoss, make_terms, onset_strength
from tests.signals import DOUBLE, clip, tone

SR = 8000
LIMIT = {"dtype": DOUBLE}


MEL, CQT = front_ends.mel_bands(SR, 256, 20), front_ends.constant_q_bands(SR, 256)
FRONT_ENDS = {
    "mel": FrontEndEncoder(InfiniteEncoder(3, **LIMIT), MEL),
    "pooled constant-Q": FrontEndEncoder(InfiniteEncoder(1, **LIMIT), Patches(CQT, 3, stride=2)),
    "pooled linear": FrontEndEncoder(InfiniteEncoder(1, **LIMIT), Patches(FrontEnd(129), 3, stride=2)),
    "random mel": FrontEndEncoder(RandomEncoder(16, kernel_size=3, **LIMIT), MEL),
}


def slope(function, X, v, step=1e-5):
    return (function(X + step * v).total - function(X - step * v).total) / (2 * step)


@pytest.mark.parametrize("encoder", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_an_encoder_behind_a_front_end_keeps_to_the_contract(encoder):
    """Losses are those of what the front end returns; gradients go on through it."""
    X, C, A = clip(0, 9, 129), clip(1, 9, 129), clip(2, 7, 129)
    inner, seen = encoder.inner, [encoder.front_end(Y) for Y in (X, C, A)]
    assert encoder.n_patches(9) == inner.n_patches(seen[0].shape[1])
    for loss, given, of_inner in ((content_loss, (X, C), seen[:2]), (style_loss, (X, A), seen[::2])):
        assert float(loss(encoder, *given)) == pytest.approx(float(loss(inner, *of_inner)), rel=1e-9)
    assert loss_units(encoder, C, A) == pytest.approx(loss_units(inner, *seen[1:]), rel=1e-12)
    loss = TransferLoss(encoder, C, A, balance=0.6)
    gradient = loss(X).gradient
    for seed in range(3, 6):
        v = clip(seed, 9, 129) - 0.5
        assert float((gradient * v).sum()) == pytest.approx(slope(loss, X, v), rel=1e-6)


@pytest.mark.parametrize("semitone", [36, 71])
def test_a_tone_is_loudest_in_its_band(semitone):
    pitch = front_ends.LOWEST * 2 ** (semitone / 12)
    centre = librosa.mel_frequencies(n_mels=130, fmax=11025)[1:-1][semitone]
    for bands, hz in ((front_ends.constant_q_bands, pitch), (front_ends.mel_bands, centre)):
        heard = bands(22050, 2048)(log_magnitude(tone(hz, level=0.05)))
        assert int(heard[:, 5:-5].mean(dim=1).argmax()) == semitone


def moved(X, n):
    """A clip moved up by whole bands; what is moved over the edge must be silent."""
    assert not X[len(X) - n :].any()
    return torch.nn.functional.pad(X, (0, 0, n, 0))[: len(X)]


def test_a_style_and_its_transposition_by_whole_bands_are_one_to_a_pooled_gram_matrix():
    # silence around the sound, so that patches at both edges are empty before and after
    A = torch.nn.functional.pad(clip(1, 12, 10), (0, 0, 8, 8))
    X = clip(0, 9, len(A))
    pooled = FrontEndEncoder(InfiniteEncoder(1, **LIMIT), Patches(FrontEnd(len(A)), 3, n_bands=4))
    plain = InfiniteEncoder(3, **LIMIT)
    before, after = (float(style_loss(pooled, X, style)) for style in (A, moved(A, 3)))
    assert after == pytest.approx(before, rel=1e-12)
    assert float(style_loss(pooled, A, moved(A, 3))) < 1e-12 * float(pooled.gram_inner(A, A))
    assert float(style_loss(plain, X, moved(A, 3))) != pytest.approx(float(style_loss(plain, X, A)), rel=1e-3)


def test_patches_by_hand():
    X = torch.arange(12.0).reshape(3, 4)
    patches = Patches(FrontEnd(3), 2, n_bands=2, stride=2)(X)
    assert patches.T.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [4, 5, 8, 9], [6, 7, 10, 11]]
    cut = Patches(FrontEnd(3), 2, stride=2)
    assert cut(X[:, :3]).T.tolist() == [[0, 1, 4, 5, 8, 9], [2, 0, 6, 0, 10, 0]], "the last frame counts"
    assert cut.n_columns(3) == 2


def test_rhythm_is_one_less_the_cosine_of_the_onset_strengths_with_its_gradient():
    X, R = clip(0, 9, 6), clip(1, 9, 6)
    loss, x, r = RhythmLoss(R, 9), onset_strength(X), onset_strength(R)
    assert loss(X).total == pytest.approx(1 - float(cosine_similarity(x, r, dim=0)), rel=1e-12)
    v = clip(3, 9, 6) - 0.5
    assert float((loss(X).gradient * v).sum()) == pytest.approx(slope(loss, X, v, 1e-6), rel=1e-6)
    repeated = onset_strength(R[:, :5]).repeat(2)
    assert RhythmLoss(R[:, :5], 9)(X).total == pytest.approx(1 - float(cosine_similarity(x, repeated, dim=0)))
    assert RhythmLoss(torch.cat([R, X], dim=1), 9)(X).total == loss(X).total, "a longer one is cut"
    silent = torch.zeros(6, 9, dtype=DOUBLE)
    assert loss(silent).total == pytest.approx(0.5)
    assert bool(loss(silent).gradient.isfinite().all())


SMALL = TransferConfig(method="gram", sr=SR, n_fft=256, hop_length=128, kernel_size=3)
THREE = ("linear", "mel", "pooled")


@pytest.fixture
def clips(rng):
    return [log_magnitude(0.05 * y, n_fft=256, hop_length=128).float() for y in rng.normal(size=(2, 3000))]


def objective(clips, names=("linear",), rhythm="none"):
    terms = make_terms(SMALL, *clips, names, rhythm)
    return TransferLoss(content=clips[0], style=clips[1], balance=SMALL.balance, **terms)


def test_every_front_end_weighs_alike_with_its_own_units(clips):
    X = clips[0] * 0.9
    totals = [objective(clips, (name,))(X).total for name in THREE]
    assert objective(clips, THREE)(X).total == pytest.approx(sum(totals), rel=1e-5)
    alone = objective(clips)
    assert alone.extra is None
    assert alone.units == loss_units(InfiniteEncoder(3), *clips)


@pytest.mark.parametrize("rhythm", ["content", "style"])
def test_a_rhythm_is_added_at_every_balance(clips, rhythm):
    X = clips[0] * 0.9
    plain, more = objective(clips)(X), objective(clips, rhythm=rhythm)(X)
    own = RhythmLoss(clips[rhythm == "style"], X.shape[1])(X)
    assert more.total == pytest.approx(plain.total + own.total, rel=1e-5)
    assert torch.allclose(more.gradient, plain.gradient + own.gradient, atol=1e-6)


def test_a_transfer_has_the_content_s_length_and_other_names_are_refused(content, style):
    config = TransferConfig(method="gram", n_iter=2)
    y = front_ends.transfer(content, style, 22050, config, front_ends=("mel", "linear"))
    assert y.shape == content.shape
    assert np.isfinite(y).all()
    with pytest.raises(ValueError, match="front end='bark'"):
        front_ends.transfer(content, style, 22050, config, front_ends=("bark",))
