from dataclasses import replace

import numpy as np
import pytest
import torch

from audiostyle import TransferConfig, transfer_style
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.losses import TransferLoss, style_loss
from audiostyle.phase.griffin_lim import griffin_lim, phase_of
from audiostyle.phase.polish import WaveformLoss, polish
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import make_sound, optimise

STFT = {"n_fft": 256, "hop_length": 128}
SMALL = TransferConfig(method="gram", kernel_size=3, balance=0.7, n_iter=200, **STFT)


@pytest.fixture
def pair(content, style):
    return content[:8000], style[:7000]


@pytest.fixture
def loss(pair):
    C, A = (log_magnitude(y, **STFT) for y in pair)
    return TransferLoss(InfiniteEncoder(3), C, A, balance=0.7)


def transferred(content, style, **settings):
    config = TransferConfig(**{"method": "gram", "n_iter": 40} | settings)
    return transfer_style(content, style, config=config, progress=False)


def share_of_style(result, style):
    """Style loss of the sound itself over that of the content."""
    X, A = log_magnitude(result.y_computed), log_magnitude(set_level(style))
    return float(style_loss(InfiniteEncoder(), X, A)) / result.style_unit


@pytest.mark.parametrize("n_samples", [6016, 6143])
def test_gradient_of_the_waveform_loss_is_the_slope(rng, n_samples):
    c, a, y, v = rng.normal(size=(4, n_samples))
    C, A = (log_magnitude(0.05 * x, **STFT) for x in (c, a))
    objective = WaveformLoss(TransferLoss(InfiniteEncoder(3, dtype=torch.float64), C, A, balance=0.5), **STFT)
    y, v = torch.as_tensor(0.05 * y), torch.as_tensor(v)
    step = 1e-6
    slope = (objective(y + step * v).total - objective(y - step * v).total) / (2 * step)
    assert float(objective(y).gradient @ v) == pytest.approx(slope, rel=1e-6)


def test_gradient_is_finite_in_silence(pair, loss):
    y = torch.as_tensor(pair[0]).clone()
    y[2000:4000] = 0
    assert torch.isfinite(WaveformLoss(loss, **STFT)(y).gradient).all()
    assert torch.isfinite(WaveformLoss(loss, **STFT)(torch.zeros_like(y)).gradient).all()


def test_polish_beats_griffin_lim_on_the_sound(pair):
    content, style = pair
    optimum = optimise(content, style, SMALL)
    A = log_magnitude(set_level(style), **STFT)
    fresh = InfiniteEncoder(3)

    def of_sound(y):
        return float(style_loss(fresh, log_magnitude(y, **STFT), A))

    options = {"hop_length": 128, "length": len(content)}
    others = [
        of_sound(griffin_lim(optimum.S, momentum=momentum, init=init, n_iter=100, **options))
        for momentum in (0, 0.99)
        for init in ("random", phase_of(content, **STFT))
    ]
    y, convergence, _ = make_sound(optimum, content, SMALL)
    assert of_sound(y) < min(others)
    assert len(convergence) == 32


def test_polish_begins_with_the_phase_of_the_content(pair):
    content, style = pair
    start = replace(SMALL, n_iter=0)
    optimum = optimise(content, style, start)
    options = {"n_iter": 0, "hop_length": 128, "length": len(content), "return_convergence": True}
    _, (expected,) = griffin_lim(optimum.S, init=phase_of(content, **STFT), **options)
    _, (chance,) = griffin_lim(optimum.S, init="random", **options)
    _, convergence, _ = make_sound(optimum, content, start)
    assert convergence[0] == expected < chance - 20


def test_polish_only_lowers_its_loss(pair, loss):
    totals = []

    def record(iteration, value, y):
        totals.append(value.total)

    minimum = polish(loss, pair[0], n_iter=15, callback=record, **STFT)
    assert np.all(np.diff(totals) <= 0)
    assert minimum.value.total == totals[-1] < totals[0]
    assert minimum.x.shape == pair[0].shape


def test_polished_sound_is_nearer_to_the_style_than_after_griffin_lim(content, style):
    polished = transferred(content, style)
    assert np.array_equal(polished.y, transferred(content, style, seed=1).y), "it needs no seed"
    assert len(polished.convergence) == 32
    assert 2 < len(polished.polish_losses) <= 81
    plain = transferred(content, style, phase="griffin_lim")
    assert np.array_equal(polished.S, plain.S)
    of_polished, of_plain = (share_of_style(result, style) for result in (polished, plain))
    assert of_polished < of_plain
    assert of_polished == pytest.approx(
        polished.polish_losses["style"].iloc[-1] / polished.style_unit, rel=1e-3
    )


@pytest.mark.parametrize("start", ["content", "noise"])
def test_samples_as_unknowns_optimise_the_sound_itself(content, style, start):
    config, seen = TransferConfig(method="gram", n_iter=40), []
    record = {"callback": lambda i, value, y: seen.append(value.total)}
    found = optimise(content, style, config, start=start, samples=True, **record)
    np.testing.assert_array_equal(make_sound(found, content, config)[0], found.x)
    assert found.x.shape == content.shape
    assert seen[-1] < 0.9 * seen[0]
    X, A = log_magnitude(found.x), log_magnitude(set_level(style))
    assert float(style_loss(InfiniteEncoder(), X, A)) == pytest.approx(found.value.style, rel=1e-3)


def test_who_stops_stops_the_polish_too(content, style):
    config = TransferConfig(method="gram")
    result = transfer_style(
        content, style, config=config, progress=False, callback=lambda iteration, losses, S: iteration >= 2
    )
    assert result.losses["iteration"].iloc[-1] == 2
    assert len(result.polish_losses) == 2
    assert result.reason == "callback"
