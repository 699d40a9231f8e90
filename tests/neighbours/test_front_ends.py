"""Front ends: what a band hears, gradients through the maps, and style that is pooled over frequency."""

import numpy as np
import pytest
import torch

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import TransferLoss, style_loss
from audiostyle.neighbours.front_ends import (
    LOWEST,
    FrontEnd,
    FrontEndEncoder,
    Patches,
    constant_q_bands,
    mel_bands,
)
from audiostyle.neighbours.layered import LayeredEncoder
from audiostyle.phase.polish import WaveformLoss
from audiostyle.spectrogram import log_magnitude

DOUBLE = torch.float64
SR = 8000
STFT = {"n_fft": 256, "hop_length": 128}
LIMIT = {"dtype": DOUBLE}


def clip(seed, n_frames, n_bins=129):
    return torch.rand(n_bins, n_frames, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


MEL, CQT = mel_bands(SR, 256, 20), constant_q_bands(SR, 256)
FRONT_ENDS = {
    "mel": FrontEndEncoder(InfiniteEncoder(3, **LIMIT), MEL),
    "constant-Q": FrontEndEncoder(InfiniteEncoder(3, **LIMIT), CQT),
    "pooled constant-Q": FrontEndEncoder(InfiniteEncoder(1, **LIMIT), Patches(CQT, 3, stride=2)),
    "pooled linear": FrontEndEncoder(InfiniteEncoder(1, **LIMIT), Patches(FrontEnd(129), 3, stride=2)),
    "random mel": FrontEndEncoder(RandomEncoder(16, kernel_size=3, **LIMIT), MEL),
}
FRONT_ENDS["all as layers"] = LayeredEncoder(
    [InfiniteEncoder(3, **LIMIT), *FRONT_ENDS.values()],
    [1, 2, 3, 4, 5, 6],
    content_weights=[6, 5, 4, 3, 2, 1],
)
every = pytest.mark.parametrize("encoder", FRONT_ENDS.values(), ids=FRONT_ENDS)


@every
def test_gradients_match_finite_differences(encoder):
    """Central differences along random directions: their error is h² of a third derivative, and rounding / h."""
    X, C, A = clip(0, 9), clip(1, 9), clip(2, 7)
    loss = TransferLoss(encoder, C, A, balance=0.6)
    gradient = loss(X).gradient
    step = 1e-5
    for seed in range(3, 9):
        v = clip(seed, 9) - 0.5
        slope = (loss(X + step * v).total - loss(X - step * v).total) / (2 * step)
        assert float((gradient * v).sum()) == pytest.approx(slope, rel=1e-6)


@every
def test_gradients_in_the_samples_match_finite_differences(encoder, rng):
    c, a, y, v = rng.normal(size=(4, 2000))
    C, A = (log_magnitude(0.05 * x, **STFT) for x in (c, a))
    objective = WaveformLoss(TransferLoss(encoder, C, A, balance=0.5), **STFT)
    y, v = torch.as_tensor(0.05 * y), torch.as_tensor(v)
    step = 1e-6
    slope = (objective(y + step * v).total - objective(y - step * v).total) / (2 * step)
    assert float(objective(y).gradient @ v) == pytest.approx(slope, rel=1e-6)


def tone(frequency, sr=22050):
    return 0.05 * np.sin(2 * np.pi * frequency * np.arange(sr) / sr).astype(np.float32)


@pytest.mark.parametrize("semitone", [36, 48, 60, 71])
def test_a_tone_is_loudest_in_its_semitone(semitone):
    frequency = LOWEST * 2 ** (semitone / 12)
    heard = constant_q_bands(22050, 2048)(log_magnitude(tone(frequency)))[:, 5:-5].mean(dim=1)
    assert int(heard.argmax()) == semitone


def test_mel_bands_hear_a_tone_where_their_triangle_stands():
    import librosa

    centres = librosa.mel_frequencies(n_mels=130, fmax=11025)[1:-1]
    heard = mel_bands(22050, 2048)(log_magnitude(tone(centres[90])))[:, 5:-5].mean(dim=1)
    assert int(heard.argmax()) == 90


def test_bands_are_of_unit_norm_and_never_negative():
    for bands in (mel_bands(22050, 2048), constant_q_bands(22050, 2048)):
        assert float(bands.matrix.min()) >= 0
        assert torch.allclose(bands.matrix.norm(dim=1), torch.ones(bands.n_bins))


def test_bands_refuse_another_spectrogram():
    with pytest.raises(ValueError, match="has 1025 bins and the front end is made for 129"):
        MEL(torch.ones(1025, 3))


def test_a_band_of_no_bin_is_silent():
    with pytest.warns(UserWarning, match="Empty filters"):
        narrow = mel_bands(SR, 64, 40)
    assert bool((narrow(torch.rand(33, 4))[narrow.matrix.sum(dim=1) == 0] == 0).all())


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
    for n in (1, 3, 5):
        before, after = (float(style_loss(pooled, X, style)) for style in (A, moved(A, n)))
        assert after == pytest.approx(before, rel=1e-12)
        assert float(style_loss(pooled, A, moved(A, n))) < 1e-12 * float(pooled.gram_inner(A, A))
        assert float(style_loss(plain, X, moved(A, n))) != pytest.approx(
            float(style_loss(plain, X, A)), rel=1e-3
        )


def test_patches_by_hand():
    X = torch.arange(12.0).reshape(3, 4)
    patches = Patches(FrontEnd(3), 2, n_bands=2, stride=2)(X)
    assert patches.T.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [4, 5, 8, 9], [6, 7, 10, 11]]


@pytest.mark.parametrize("n_frames", range(3, 12))
def test_every_frame_is_in_a_patch(n_frames):
    X = torch.rand(6, n_frames, requires_grad=True)
    patches = Patches(FrontEnd(6), 3, n_bands=2, stride=2)
    cut = patches(X)
    assert cut.shape[1] == patches.n_columns(n_frames)
    cut.sum().backward()
    assert bool((X.grad > 0).all())


def test_pooled_random_filters_are_a_convolution_over_both_axes():
    X = clip(0, 9, 7)
    encoder = RandomEncoder(5, kernel_size=1, **LIMIT)
    pooled = FrontEndEncoder(encoder, Patches(FrontEnd(7), 3, n_bands=4))
    filters = encoder.filters(12).reshape(5, 1, 4, 3)
    features = torch.relu(torch.nn.functional.conv2d(X[None, None], filters)).reshape(5, -1)
    gram = features @ features.T / 5
    assert float(pooled.gram_inner(X, X)) == pytest.approx(float(gram.square().sum()), rel=1e-12)


def test_pooled_random_filters_converge_to_the_pooled_limit():
    """The error of ‖K_N‖ falls as 1/√N: |‖K_N‖ − ‖K‖| ≤ ‖K_N − K‖, whose mean square is at most 3/2 Σ ‖p‖² ‖q‖² / N.

    The bound of one entry is that of `test_random_layer_converges_to_the_limit`.
    """
    front_end = Patches(FrontEnd(7), 3, n_bands=4, stride=2)
    X, Y = clip(0, 9, 7), clip(1, 7, 7)
    limit = FrontEndEncoder(InfiniteEncoder(1, **LIMIT), front_end)
    K, exact = limit.kernel(X, Y), float(limit.gram_inner(X, Y)) ** 0.5
    norms2 = [front_end(Z).square().sum(dim=0) for Z in (X, Y)]
    bound = float((1.5 * norms2[0][:, None] * norms2[1]).sum())
    sizes, errors = (64, 256, 1024, 4096), []
    for n in sizes:
        squared = []
        for seed in range(20):
            random = FrontEndEncoder(RandomEncoder(n, kernel_size=1, seed=seed, **LIMIT), front_end)
            squared.append(float((random.kernel(X, Y) - K).square().sum()))
            off = float(random.gram_inner(X, Y)) ** 0.5 - exact
            assert off**2 <= squared[-1] * (1 + 1e-9)
        errors.append(np.mean(squared))
        assert errors[-1] < 2 * bound / n
    slope = np.polyfit(np.log(sizes), 0.5 * np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.15)


def test_an_encoder_behind_a_front_end_has_one_layer_and_patches_are_its_frames():
    with pytest.raises(ValueError, match="one layer"):
        FrontEndEncoder(LayeredEncoder([InfiniteEncoder(1)]), FrontEnd(3))
    with pytest.raises(ValueError, match="kernel_size=1, not 3"):
        FrontEndEncoder(InfiniteEncoder(3), Patches(FrontEnd(3), 3))


def test_fused_evaluation_serves_every_closed_form(monkeypatch):
    """Each layer behind a front end is evaluated in one pass, not by autograd through its losses."""
    made = []
    from audiostyle import losses

    fused = losses.FusedLosses
    monkeypatch.setattr(losses, "FusedLosses", lambda *given: made.append(given) or fused(*given))
    layers = [FRONT_ENDS[name] for name in ("mel", "constant-Q", "pooled constant-Q")]
    TransferLoss(LayeredEncoder([InfiniteEncoder(3, **LIMIT), *layers]), clip(0, 9), clip(1, 7))
    assert [len(content) for _, content, _ in made] == [129, 20, CQT.n_bins, 33]
