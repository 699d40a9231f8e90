"""What a configuration's front ends, rhythm and units become in the objective."""

from dataclasses import replace

import pytest
import torch

from audiostyle import InfiniteEncoder, RandomEncoder, TransferConfig, transfer_style
from audiostyle.losses import TransferLoss
from audiostyle.neighbours.front_ends import FrontEndEncoder, Patches
from audiostyle.neighbours.layered import LayeredEncoder
from audiostyle.neighbours.objective import make_layers, make_loss, noise_like
from audiostyle.neighbours.rhythm import RhythmLoss
from audiostyle.spectrogram import log_magnitude

SMALL = TransferConfig(sr=8000, n_fft=256, hop_length=128, kernel_size=3, n_filters=8, start="content")
THREE = replace(SMALL, front_ends="linear:k2+mel:w2+pooled_cqt:k4")


@pytest.fixture
def clips(rng):
    return [log_magnitude(0.05 * y, n_fft=256, hop_length=128).float() for y in rng.normal(size=(2, 3000))]


def test_plain_configuration_has_a_plain_encoder():
    encoder = make_layers(SMALL)
    assert (type(encoder), encoder.kernel_size) == (InfiniteEncoder, 3)


def test_branches_become_layers_with_their_own_sizes():
    encoder = make_layers(replace(THREE, encoder="random", front_ends="linear:k2+mel:n5:w2+pooled_cqt:k4"))
    linear, mel, cqt = encoder.layers
    assert isinstance(encoder, LayeredEncoder)
    assert encoder.layer_weights == (0.25, 0.5, 0.25)
    assert (type(linear), linear.kernel_size, linear.n_filters) == (RandomEncoder, 2, 8)
    assert (type(mel), mel.kernel_size, mel.inner.n_filters) == (FrontEndEncoder, 3, 5)
    assert (type(cqt.front_end), cqt.kernel_size, cqt.inner.kernel_size) == (Patches, 4, 1)


def test_every_front_end_weighs_as_its_weight_says(clips):
    """With several front ends each has its own E and s0, so that both units of the sum are 1."""
    loss = make_loss(THREE, *clips)
    assert loss.units == pytest.approx((1.0, 1.0), rel=1e-5)
    X = clips[0] * 0.9
    expected = [TransferLoss(layer, *clips, balance=0.5) for layer in make_layers(THREE).layers]
    totals = [part(X).total for part in expected]
    assert loss(X).total == pytest.approx(totals[0] / 4 + totals[1] / 2 + totals[2] / 4, rel=1e-4)


def test_a_single_front_end_keeps_the_units_of_its_losses(clips):
    loss = make_loss(replace(SMALL, front_ends="mel"), *clips)
    assert loss.units == TransferLoss(make_layers(replace(SMALL, front_ends="mel")), *clips).units


@pytest.mark.parametrize("config", [SMALL, THREE], ids=["one", "three"])
def test_balanced_gradients_have_one_norm_at_noise(clips, config):
    """Of every loss of every front end, and of the rhythm, times its weight."""
    config = replace(config, units="gradients", rhythm="style", rhythm_weight=3.0)
    loss, X = make_loss(config, *clips), noise_like(clips[0], config.seed)
    unit = loss.units[0]
    norms = []
    for i, layer in enumerate(loss.encoder.layers):
        alone = TransferLoss(layer, *clips, units=(1.0, 1.0))
        for b, weights in ((0.0, loss.encoder.content_weights), (1.0, loss.encoder.layer_weights)):
            norms.append(weights[i] / make_layers(config).layer_weights[i] * alone.at(b)(X).gradient.norm())
    norms.append(loss.extra(X)[1].norm() * unit / 3.0)
    assert torch.stack(norms).numpy() == pytest.approx(1.0, rel=1e-3)
    assert loss.units[0] == loss.units[1]


@pytest.mark.parametrize("rhythm", ["content", "style"])
def test_rhythm_is_added_at_every_balance_with_its_gradient(clips, rhythm):
    config = replace(SMALL, rhythm=rhythm, rhythm_weight=0.7)
    loss, plain, X = make_loss(config, *clips), make_loss(SMALL, *clips), clips[0] * 0.8
    reference = clips[0] if rhythm == "content" else clips[1]
    value, gradient = RhythmLoss(reference, X.shape[1], weight=0.7)(X)
    for b in (0.0, 0.5, 1.0):
        found, base = loss.at(b)(X), plain.at(b)(X)
        assert found.total == pytest.approx(base.total + value, rel=1e-6)
        assert torch.allclose(found.gradient, base.gradient + gradient, atol=1e-9)
        assert (found.content, found.style) == (base.content, base.style)


def test_rhythm_of_the_content_is_kept_better_with_its_term(content, style):
    """What the option is for: nearer onsets at the same balance."""
    config = TransferConfig(n_iter=30, polish_iter=20, balance=0.8, start="content")
    left = {}
    for rhythm in ("none", "content", "style"):
        result = transfer_style(
            content, style, config=replace(config, rhythm=rhythm, rhythm_weight=5.0), progress=False
        )
        X, C = (log_magnitude(y) for y in (result.y, content))
        left[rhythm] = RhythmLoss(C, X.shape[1])(X)[0]
    assert left["content"] < left["none"]
    assert left["content"] < left["style"]


@pytest.mark.parametrize("settings", [{"front_ends": "linear+mel"}, {"units": "gradients"}])
def test_style_removed_is_a_share_whatever_the_units(content, style, settings):
    config = TransferConfig(n_iter=10, polish_iter=5, start="content", **settings)
    result = transfer_style(content, style, config=config, progress=False)
    assert 0.1 < result.style_removed < 1
    assert result.losses["total"].is_monotonic_decreasing
