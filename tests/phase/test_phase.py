from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch

from audiostyle import TransferConfig, transfer_style
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.losses import TransferLoss, style_loss
from audiostyle.phase.griffin_lim import griffin_lim, phase_of, spectral_convergence
from audiostyle.phase.polish import polish
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude, stft
from audiostyle.transfer import make_sound, optimise

HOP = 32


@pytest.fixture
def S(content):
    return stft(content.astype(np.float64)).abs().numpy()


@pytest.mark.parametrize("momentum", [0.0, 0.99])
@pytest.mark.parametrize(("n_fft", "hop"), [(2048, 1024), (2048, 512), (1024, 256)])
def test_equals_librosa(content, momentum, n_fft, hop):
    S = stft(content.astype(np.float64), n_fft=n_fft, hop_length=hop).abs().numpy()
    n_iter, same = 20, {"hop_length": hop, "momentum": momentum, "length": (S.shape[1] - 1) * hop}
    ours = griffin_lim(S, n_iter=n_iter, init=np.zeros_like(S), **same)
    theirs = librosa.griffinlim(S, n_iter=n_iter, init=None, dtype=np.float64, **same)
    # Each iteration rounds to 2⁻⁵³ in n_fft sums; taking the phase of a bin divides by its magnitude, which
    # enlarges the rounding of bins 100 dB under the peak by 10⁵ and leaves it in bins that hold no energy.
    assert np.max(np.abs(ours - theirs)) < n_iter * n_fft * 2**-53 * 1e5 * np.max(np.abs(theirs))


def test_convergence_falls_with_every_iteration(S):
    """Griffin & Lim 1984: the distance to the magnitudes never grows. True for the projections at full length."""
    y, decibels = griffin_lim(S, n_iter=30, return_convergence=True)
    assert len(decibels) == 31
    assert np.all(np.diff(decibels) < 1e-9)
    assert decibels[-1] < decibels[0] - 6
    assert decibels[-1] == pytest.approx(spectral_convergence(S, y), abs=1e-6)


def test_true_phase_returns_the_signal_whose_convergence_is_known(content):
    y = content[: 7 * 1024].astype(np.float64)
    D = stft(y)
    S = D.abs().numpy()
    again = griffin_lim(S, n_iter=3, init=D.angle().numpy(), length=len(y))
    assert again == pytest.approx(y, abs=1e-9)
    assert spectral_convergence(S, y) < -200
    # half the amplitude leaves half of ‖S‖
    assert spectral_convergence(S, 0.5 * y) == pytest.approx(20 * np.log10(0.5), abs=1e-4)
    assert spectral_convergence(S, 0 * y) == pytest.approx(0, abs=1e-6)


def over_the_body(y, edge=2 * HOP):
    """Peak of the whole over that without the first and last `edge` samples, in dB."""
    return 20 * np.log10(np.abs(y).max() / np.abs(y[edge:-edge]).max())


def inconsistent(rng, n_samples):
    """Magnitudes of no signal, with the frames of a signal of that length."""
    S = stft(rng.normal(size=n_samples), n_fft=2 * HOP, hop_length=HOP).abs().numpy()
    return S * rng.uniform(0.2, 1.8, S.shape)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_no_peak_at_the_end_of_any_length(rng, momentum):
    for n_samples in range(40 * HOP, 41 * HOP + 1):
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


def test_bad_input_is_named():
    good, wrong = np.ones((5, 4)), {"momentum": 1.0, "n_iter": -1, "hop_length": 0, "init": "magic"}
    cases = [(good, {name: value}, f"{name}={value!r}") for name, value in wrong.items()]
    cases += [(good, {"init": np.zeros((4, 4))}, r"\(4, 4\)"), (np.ones(5), {}, r"\(5,\)")]
    cases += [(-good, {}, r"-1\.0"), (np.nan * good, {}, "nan")]
    for S, options, quoted in cases:
        with pytest.raises(ValueError, match=quoted):
            griffin_lim(S, **({"hop_length": 4} | options))


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
    loss = TransferLoss(InfiniteEncoder(3, dtype=torch.float64), C, A, balance=0.5)
    objective = polish(loss, y, n_iter=0, **STFT).loss
    y, v = torch.as_tensor(y), torch.as_tensor(20 * v)
    step = 1e-6
    slope = (objective(y + step * v).total - objective(y - step * v).total) / (2 * step)
    assert float(objective(y).gradient @ v) == pytest.approx(slope, rel=1e-6)
    for silent in (slice(2000, 4000), slice(None)):
        y[silent] = 0
        assert torch.isfinite(objective(y).gradient).all()


def test_polish_beats_griffin_lim_on_the_sound(pair):
    content, style = pair
    optimum, encoder = optimise(content, style, SMALL), InfiniteEncoder(3)
    options = {"hop_length": 128, "length": len(content), "n_iter": 100}
    starts = [(momentum, init) for momentum in (0, 0.99) for init in ("random", phase_of(content, **STFT))]
    others = [griffin_lim(optimum.S, momentum=momentum, init=init, **options) for momentum, init in starts]
    y, polished = make_sound(optimum, content, SMALL)
    left, *theirs = (style_of(x, style, encoder, **STFT) for x in (y, *others))
    assert left < min(theirs)
    assert 2 < polished.n_iter <= 80


def test_polish_begins_with_the_phase_of_the_content(pair):
    content, style = pair
    start = replace(SMALL, n_iter=0)
    y, polished = make_sound(optimise(content, style, start), content, start, callback=lambda *_: True)
    assert polished.n_iter == 0  # stopped before its first step, after Griffin-Lim
    np.testing.assert_allclose(y, set_level(content), atol=1e-4)


def test_the_polish_needs_no_seed_and_reports_the_style_of_the_sound(content, style):
    seeded = (TransferConfig(method="gram", n_iter=40, seed=seed) for seed in (0, 1))
    result, again = (transfer_style(content, style, config=config, progress=False) for config in seeded)
    assert np.array_equal(result.y, again.y)
    assert style_of(result.y_computed, style) == pytest.approx(result.polished.value.style, rel=1e-3)


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
            y, _ = make_sound(optimum, content, config)
        assert y.shape == (n_samples,)
        assert np.abs(y).max() < 2 * np.abs(y[64:-64]).max()
