"""The ends of a sound: whatever its length, no peak where windows end, and silence where no frame reaches."""

import numpy as np
import pytest

from audiostyle.config import TransferConfig
from audiostyle.phase.griffin_lim import griffin_lim
from audiostyle.phase.polish import polish
from audiostyle.spectrogram import stft
from audiostyle.transfer import make_sound, optimise

HOP = 32
SMALL = {"n_fft": 2 * HOP, "hop_length": HOP}
EVERY_REMAINDER = range(40 * HOP, 41 * HOP + 1)


def over_the_body(y, edge=2 * HOP):
    """Peak of the whole over that without the first and last `edge` samples, in dB."""
    return 20 * np.log10(np.abs(y).max() / np.abs(y[edge:-edge]).max())


def inconsistent(rng, n_samples):
    """Magnitudes of no signal, with the frames of a signal of that length."""
    S = stft(rng.normal(size=n_samples), **SMALL).abs().numpy()
    return S * rng.uniform(0.2, 1.8, S.shape)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_no_peak_at_the_end_of_any_length(rng, momentum):
    for n_samples in EVERY_REMAINDER:
        S = inconsistent(rng, n_samples)
        y = griffin_lim(S, momentum=momentum, hop_length=HOP, n_iter=8, length=n_samples)
        assert y.shape == (n_samples,)
        assert over_the_body(y) < 6


def test_length_beyond_the_frames_fades_out(rng):
    covered = 40 * HOP
    for more in (1, HOP // 2, HOP - 1, HOP, HOP + 1, 4 * HOP):
        y = griffin_lim(inconsistent(rng, covered), hop_length=HOP, n_iter=8, length=covered + more)
        assert over_the_body(y, edge=2 * HOP + more) < 6
        assert not y[covered + HOP :].any()


@pytest.mark.parametrize("start", ["magnitudes", "content"])
def test_no_peak_at_the_end_of_a_polished_sound(rng, start):
    for n_samples in EVERY_REMAINDER[::4]:
        content, style = 0.05 * rng.normal(size=(2, n_samples)).astype(np.float32)
        style = np.convolve(style, [1, 1, 1, 1], mode="same").astype(np.float32)
        config = TransferConfig(method="gram", kernel_size=3, balance=0.9, n_iter=8, **SMALL)
        optimum = optimise(content, style, config)
        if start == "content":
            y = polish(optimum.loss, content, n_iter=8, **SMALL).x.numpy()
        else:
            y, *_ = make_sound(optimum, content, config)
        assert y.shape == (n_samples,)
        assert over_the_body(y) < 6
