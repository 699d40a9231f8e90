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


def style_of(y, style, encoder=None, **stft):
    """Style loss of a sound at the level of the computation."""
    spectra = (log_magnitude(x, **stft) for x in (y, set_level(style)))
    return float(style_loss(encoder or InfiniteEncoder(), *spectra))


@pytest.mark.parametrize("n_samples", [6016, 6143])
def test_gradient_of_the_waveform_loss_is_the_slope_and_finite_in_silence(rng, n_samples):
    c, a, y, v = 0.05 * rng.normal(size=(4, n_samples))
    C, A = (log_magnitude(x, **STFT) for x in (c, a))
    objective = WaveformLoss(TransferLoss(InfiniteEncoder(3, dtype=torch.float64), C, A, balance=0.5), **STFT)
    y, v = torch.as_tensor(y), torch.as_tensor(20 * v)
    step = 1e-6
    slope = (objective(y + step * v).total - objective(y - step * v).total) / (2 * step)
    assert float(objective(y).gradient @ v) == pytest.approx(slope, rel=1e-6)
    for silent in (slice(2000, 4000), slice(None)):
        y[silent] = 0
        assert torch.isfinite(objective(y).gradient).all()


def test_polish_beats_griffin_lim_on_the_sound(pair):
    content, style = pair
    optimum = optimise(content, style, SMALL)

    def of_sound(y):
        return style_of(y, style, InfiniteEncoder(3), **STFT)

    options = {"hop_length": 128, "length": len(content), "n_iter": 100}
    others = [
        of_sound(griffin_lim(optimum.S, momentum=momentum, init=init, **options))
        for momentum in (0, 0.99)
        for init in ("random", phase_of(content, **STFT))
    ]
    y, convergence, polished = make_sound(optimum, content, SMALL)
    assert of_sound(y) < min(others)
    assert len(convergence) == 32
    assert 2 < polished.n_iter <= 80


def test_polish_begins_with_the_phase_of_the_content(pair):
    content, style = pair
    start = replace(SMALL, n_iter=0)
    optimum = optimise(content, style, start)
    options = {"n_iter": 0, "hop_length": 128, "length": len(content), "return_convergence": True}
    _, (expected,) = griffin_lim(optimum.S, init=phase_of(content, **STFT), **options)
    _, (chance,) = griffin_lim(optimum.S, init="random", **options)
    _, convergence, _ = make_sound(optimum, content, start)
    assert convergence[0] == expected < chance - 20


def test_the_polish_needs_no_seed_and_reports_the_style_of_the_sound(content, style):
    config = TransferConfig(method="gram", n_iter=40)
    result, again = (
        transfer_style(content, style, config=replace(config, seed=seed), progress=False) for seed in (0, 1)
    )
    assert np.array_equal(result.y, again.y)
    last = result.polish_losses["style"].iloc[-1]
    assert style_of(result.y_computed, style) == pytest.approx(last, rel=1e-3)


@pytest.mark.parametrize("start", ["content", "noise"])
def test_samples_as_unknowns_optimise_the_sound_itself(content, style, start):
    config, seen = TransferConfig(method="gram", n_iter=40), []
    record = {"callback": lambda i, value, y: seen.append(value.total)}
    found = optimise(content, style, config, start=start, samples=True, **record)
    np.testing.assert_array_equal(make_sound(found, content, config)[0], found.x)
    assert found.x.shape == content.shape
    assert seen[-1] < 0.9 * seen[0]
    assert style_of(found.x, style) == pytest.approx(found.value.style, rel=1e-3)


@pytest.mark.parametrize("start", ["magnitudes", "content"])
def test_no_peak_at_the_end_of_a_polished_sound(rng, start):
    frames = {"n_fft": 64, "hop_length": 32}
    for n_samples in range(40 * 32, 41 * 32 + 1, 4):
        content, style = 0.05 * rng.normal(size=(2, n_samples)).astype(np.float32)
        style = np.convolve(style, [1, 1, 1, 1], mode="same").astype(np.float32)
        config = TransferConfig(method="gram", kernel_size=3, balance=0.9, n_iter=8, **frames)
        optimum = optimise(content, style, config)
        if start == "content":
            y = polish(optimum.loss, content, n_iter=8, **frames).x.numpy()
        else:
            y, *_ = make_sound(optimum, content, config)
        assert y.shape == (n_samples,)
        assert np.abs(y).max() < 2 * np.abs(y[64:-64]).max()
