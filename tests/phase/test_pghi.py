import numpy as np
import pytest

from audiostyle.config import TransferConfig
from audiostyle.phase.griffin_lim import griffin_lim, spectral_convergence
from audiostyle.phase.pghi import phase_gradient, phase_gradient_heap
from audiostyle.phase.polish import polish
from audiostyle.spectrogram import stft
from audiostyle.studies.reconstruct import METHODS, reconstruct_phase
from audiostyle.transfer import make_sound, optimise

STFT = {"n_fft": 256, "hop_length": 128}


HOP = 32
SMALL = {"n_fft": 2 * HOP, "hop_length": HOP}
EVERY_REMAINDER = range(40 * HOP, 41 * HOP + 1)


def decibels_over_the_body(y, edge=2 * HOP):
    """Peak of the whole over that without the first and last `edge` samples, in dB."""
    return 20 * np.log10(np.abs(y).max() / np.abs(y[edge:-edge]).max())


def inconsistent(rng, n_samples):
    """Magnitudes of no signal, with the frames of a signal of that length."""
    S = stft(rng.normal(size=n_samples), **SMALL).abs().numpy()
    return S * rng.uniform(0.2, 1.8, S.shape)


def test_phase_gradient_of_a_tone_and_of_a_click_under_a_gaussian_window():
    """Closed forms: the phase of a tone turns by its frequency in every bin, that of a click by its delay."""
    n_fft, hop = 512, 64
    spread = 0.25645 * n_fft**2  # the window exp(−π t² / spread)
    bins, frames = np.arange(63.0, 78.0)[:, None], np.arange(9.0)
    f0, t0 = 70.3 / n_fft, 250.0
    tone = np.exp(-np.pi * spread * (bins / n_fft - f0) ** 2) * np.ones(9)
    click = np.exp(-np.pi * (frames * hop - t0) ** 2 / spread) * np.ones((n_fft // 2 + 1, 1))
    S = np.zeros((n_fft // 2 + 1, 9))
    S[63:78] = tone
    along_time, _ = phase_gradient(S, hop)
    assert np.allclose(along_time[64:77], 2 * np.pi * hop * f0, rtol=1e-9)
    _, along_frequency = phase_gradient(click, hop)
    assert np.allclose(
        along_frequency[:, 1:-1], -2 * np.pi * (t0 - frames[1:-1] * hop) / n_fft - np.pi, rtol=1e-9
    )


def test_phase_gradient_heap_rebuilds_a_chirp_without_iterating():
    t = np.arange(22050) / 22050
    y = np.sin(2 * np.pi * (300 * t + 1500 * t**2))
    S = stft(y, n_fft=1024, hop_length=128).abs().numpy()
    options = {"method": "initial", "hop_length": 128, "length": len(y)}
    heap = spectral_convergence(S, reconstruct_phase(S, init="pghi", **options), hop_length=128)
    chance = spectral_convergence(S, reconstruct_phase(S, init="random", **options), hop_length=128)
    assert heap < -25
    assert chance > -10


def test_heap_gives_quiet_bins_a_random_phase_from_the_seed(content):
    S = stft(content, **STFT).abs().numpy()
    S[100:] = 0
    first, again, other = (phase_gradient_heap(S, 128, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    loudest = np.unravel_index(S.argmax(), S.shape)
    assert first[loudest] == other[loudest] == 0
    assert not np.array_equal(first[100:], other[100:])


def test_griffin_lim_accepts_the_heap(content):
    S = stft(content, **STFT).abs().numpy()
    y, convergence = griffin_lim(S, init="pghi", n_iter=3, hop_length=128, return_convergence=True)
    assert np.isfinite(y).all()
    assert convergence[-1] < convergence[0]


def test_heap_does_not_depend_on_the_level(content):
    S = stft(content.astype(np.float64), **STFT).abs().numpy()
    S[100:] = 1e-7 * S.max()
    phase = phase_gradient_heap(S, 128)
    for level in (1e-9, 1e6):
        # some thousand turns are added up, each from logarithms rounded to 2⁻⁵³ of their size
        assert np.allclose(phase_gradient_heap(level * S, 128), phase, rtol=0, atol=1e-8)


def test_seed_reaches_the_quiet_bins_of_the_heap(content):
    S = stft(content.astype(np.float64), **STFT).abs().numpy()
    S[100:] = 1e-7 * S.max()  # below the floor, so that their phase is random
    first, again, other = (
        griffin_lim(S, init="pghi", n_iter=1, hop_length=128, seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, rtol=0, atol=1e-9 * np.abs(first).max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("init", ["random", "zero", "pghi"])
def test_no_peak_at_the_end_of_any_length(rng, method, init):
    for n_samples in EVERY_REMAINDER:
        S = inconsistent(rng, n_samples)
        y = reconstruct_phase(S, method=method, init=init, hop_length=HOP, n_iter=8, length=n_samples)
        assert y.shape == (n_samples,)
        assert decibels_over_the_body(y) < 6


@pytest.mark.parametrize("method", METHODS)
def test_length_beyond_the_frames_fades_out(rng, method):
    covered = 40 * HOP
    S = inconsistent(rng, covered)
    for more in (1, HOP // 2, HOP - 1, HOP, HOP + 1, 4 * HOP):
        y = reconstruct_phase(S, method=method, hop_length=HOP, n_iter=8, length=covered + more)
        assert y.shape == (covered + more,)
        assert decibels_over_the_body(y, edge=2 * HOP + more) < 6
        assert not y[covered + HOP :].any()


@pytest.mark.parametrize("start", ["magnitudes", "content"])
def test_no_peak_at_the_end_of_a_polished_sound(rng, start):
    for n_samples in EVERY_REMAINDER:
        content, style = 0.05 * rng.normal(size=(2, n_samples)).astype(np.float32)
        style = np.convolve(style, [1, 1, 1, 1], mode="same").astype(np.float32)
        config = TransferConfig(kernel_size=3, balance=0.9, n_iter=8, **SMALL)
        optimum = optimise(content, style, config)
        if start == "content":
            y = polish(optimum.loss, content, n_iter=8, **SMALL).x.numpy()
        else:
            y = make_sound(optimum, content, config).y
        assert y.shape == (n_samples,)
        assert decibels_over_the_body(y) < 6
