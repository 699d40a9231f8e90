import librosa
import numpy as np
import pytest
import torch

from audiostyle import TransferConfig, transfer_style
from audiostyle.audio import set_level
from audiostyle.consistency import consistency_weights, weighted_neighbours
from audiostyle.infinite import InfiniteEncoder
from audiostyle.losses import TransferLoss, style_loss
from audiostyle.optimize import minimize
from audiostyle.pghi import phase_gradient, phase_gradient_heap
from audiostyle.phase import METHODS, griffin_lim, phase_of, reconstruct_phase, spectral_convergence
from audiostyle.polish import WaveformLoss, polish, polished_phase
from audiostyle.spectrogram import istft, log_magnitude, overlap_add, stft

STFT = {"n_fft": 256, "hop_length": 128}


@pytest.fixture
def pair(content, style):
    return content[:8000], style[:7000]


@pytest.fixture
def loss(pair):
    C, A = (log_magnitude(y, **STFT) for y in pair)
    return TransferLoss(InfiniteEncoder(3), C, A, balance=0.7)


def test_overlap_add_by_blocks_equals_sample_by_sample(rng):
    frames = rng.normal(size=(7, 12))
    for hop in (3, 4, 5, 6, 12):
        expected = np.zeros(12 + hop * 6)
        for i, frame in enumerate(frames):
            expected[i * hop : i * hop + 12] += frame
        assert np.allclose(overlap_add(torch.as_tensor(frames), hop).numpy(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("n_fft", "hop"), [(16, 8), (16, 4), (32, 4)])
def test_all_local_weights_make_the_exact_projection(rng, n_fft, hop):
    H = rng.normal(size=(n_fft // 2 + 1, 30)) + 1j * rng.normal(size=(n_fft // 2 + 1, 30))
    H[[0, -1]] = H[[0, -1]].real
    H = torch.as_tensor(H)
    weights = consistency_weights(n_fft, hop, n_fft // 2, H.real)
    ours = weighted_neighbours(H, weights, hop, with_centre=True)
    exact = stft(istft(H, hop_length=hop, length=29 * hop), n_fft=n_fft, hop_length=hop)
    inner = slice(n_fft // hop, -n_fft // hop)
    assert torch.allclose(ours[:, inner], exact[:, inner], rtol=0, atol=1e-13)


def test_truncated_weights_keep_a_consistent_spectrogram_nearly(content):
    H = stft(content.astype(np.float64), **STFT)
    gap = {}
    for width in (1, 2, 8, 128):
        kept = weighted_neighbours(H, consistency_weights(256, 128, width, H.real), 128, with_centre=True)
        gap[width] = float((kept - H)[:, 2:-2].norm() / H[:, 2:-2].norm())
    assert gap[1] > gap[2] > gap[8] > gap[128]
    assert gap[128] < 1e-13


def test_local_weights_approach_griffin_lim(content):
    S = stft(content, n_fft=512, hop_length=128).abs().numpy()
    options = {"n_iter": 40, "hop_length": 128, "return_convergence": True}
    _, local = reconstruct_phase(S, method="local_weights", **options)
    _, exact = reconstruct_phase(S, method="griffin_lim", **options)
    assert local[0] == exact[0]
    assert local[-1] < local[0] - 10
    assert abs(local[-1] - exact[-1]) < 3


def test_a_bin_follows_its_neighbours_alone_unless_its_own_term_is_asked_for(rng):
    H = torch.as_tensor(rng.normal(size=(9, 20)) + 1j * rng.normal(size=(9, 20)))
    weights = consistency_weights(16, 4, 2, H.real)
    without, with_own = (weighted_neighbours(H, weights, 4, with_centre=own) for own in (False, True))
    assert torch.allclose(with_own - without, weights[3, 2] * H, rtol=0, atol=1e-13)


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


def test_true_phase_needs_no_iteration(content):
    S = stft(content).abs().numpy()
    y = reconstruct_phase(S, method="initial", init=phase_of(content), length=len(content))
    assert np.max(np.abs(y - content)) < 1e-5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("init", ["zero", "random", "pghi"])
def test_every_method_keeps_the_length_and_is_deterministic(content, method, init):
    S = stft(content[:5001], **STFT).abs().numpy()
    options = {"method": method, "init": init, "hop_length": 128, "length": 5001, "n_iter": 2}
    y = reconstruct_phase(S, **options)
    assert y.shape == (5001,)
    assert np.array_equal(y, reconstruct_phase(S, **options))


def test_fast_griffin_lim_is_librosas(content):
    S = stft(content).abs().numpy()
    ours = reconstruct_phase(S, method="fast_griffin_lim", init="zero", n_iter=20)
    theirs = librosa.griffinlim(S, n_iter=20, hop_length=1024, n_fft=2048, momentum=0.99, init=None)
    ours, theirs = (spectral_convergence(S, y) for y in (ours, theirs))
    assert ours == pytest.approx(theirs, abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "wavenet"}, "method='wavenet'"),
        ({"init": "content"}, "init='content'"),
        ({"method": "local_weights", "hop_length": 100}, "hop_length=100 must divide"),
        ({"method": "local_weights", "hop_length": 64, "width": 4000}, "width=4000"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        reconstruct_phase(np.ones((129, 9)), **options)


@pytest.mark.parametrize("n_samples", [6000, 6016, 6143])
def test_gradient_of_the_waveform_loss_is_the_slope(rng, n_samples):
    c, a, y, v = rng.normal(size=(4, n_samples))
    C, A = (log_magnitude(0.05 * x, **STFT) for x in (c, a))
    objective = WaveformLoss(TransferLoss(InfiniteEncoder(3, dtype=torch.float64), C, A, balance=0.5), **STFT)
    y, v = torch.as_tensor(0.05 * y), torch.as_tensor(v)
    step = 1e-6
    slope = (objective(y + step * v).total - objective(y - step * v).total) / (2 * step)
    assert float(objective(y).gradient @ v) == pytest.approx(slope, rel=1e-6)


def test_gradient_of_the_waveform_loss_is_autograds(pair, loss):
    y = torch.as_tensor(pair[0]).clone().requires_grad_(True)
    X = log_magnitude(y, **STFT)
    X.backward(loss(X.detach()).gradient)
    ours = WaveformLoss(loss, **STFT)(y.detach()).gradient
    assert float((ours - y.grad).norm() / y.grad.norm()) < 1e-5


def test_gradient_is_finite_in_silence(pair, loss):
    y = torch.as_tensor(pair[0]).clone()
    y[2000:4000] = 0
    assert torch.isfinite(WaveformLoss(loss, **STFT)(y).gradient).all()
    assert torch.isfinite(WaveformLoss(loss, **STFT)(torch.zeros_like(y)).gradient).all()


def test_polish_beats_every_phase_method_on_the_sound(pair, loss):
    content, style = pair
    S = torch.expm1(minimize(loss, log_magnitude(content, **STFT), n_iter=200).x).numpy()
    A = log_magnitude(style, **STFT)
    fresh = InfiniteEncoder(3)

    def of_sound(y):
        return float(style_loss(fresh, log_magnitude(y, **STFT), A))

    options = {"hop_length": 128, "length": len(content)}
    others = [
        of_sound(reconstruct_phase(S, method=method, init=init, n_iter=100, **options))
        for method in ("griffin_lim", "fast_griffin_lim", "local_weights")
        for init in ("random", "zero", "pghi", phase_of(content, **STFT))
    ]
    minimum, convergence = polished_phase(loss, S, content, hop_length=128)
    assert of_sound(minimum.x) < min(others)
    assert len(convergence) == 31


def test_polish_begins_with_the_phase_of_the_content(pair, loss):
    content, _ = pair
    S = stft(content, **STFT).abs().numpy()
    options = {"n_iter": 0, "hop_length": 128, "length": len(content), "return_convergence": True}
    _, (expected,) = griffin_lim(S, init=phase_of(content, **STFT), **options)
    _, (chance,) = griffin_lim(S, init="random", **options)
    _, convergence = polished_phase(loss, S, content, n_iter=0, hop_length=128)
    assert convergence[0] == expected < chance - 20


def test_polish_only_lowers_its_loss(pair, loss):
    totals = []

    def record(step):
        totals.append(step.value.total)
        return False

    minimum = polish(loss, pair[0], n_iter=15, callback=record, **STFT)
    assert np.all(np.diff(totals) <= 0)
    assert minimum.total == totals[-1] < totals[0]
    assert minimum.x.shape == pair[0].shape


def test_content_alone_leaves_the_content(pair):
    content, _ = pair
    C, A = (log_magnitude(y, **STFT) for y in pair)
    only = TransferLoss(InfiniteEncoder(3), C, A, balance=0.0)
    minimum = polish(only, content, n_iter=20, **STFT)
    assert np.array_equal(minimum.x.numpy(), content)


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


@pytest.mark.parametrize("start", ["polished_phase", "polish"])
def test_no_peak_at_the_end_of_a_polished_sound(rng, start):
    for n_samples in EVERY_REMAINDER:
        content, style = 0.05 * rng.normal(size=(2, n_samples)).astype(np.float32)
        style = np.convolve(style, [1, 1, 1, 1], mode="same").astype(np.float32)
        C, A = (log_magnitude(y, **SMALL) for y in (content, style))
        loss = TransferLoss(InfiniteEncoder(3), C, A, balance=0.9)
        if start == "polish":
            y = polish(loss, content, n_iter=8, **SMALL).x.numpy()
        else:
            S = torch.expm1(minimize(loss, C, n_iter=8).x).numpy()
            y = polished_phase(loss, S, content, n_iter=8, hop_length=HOP)[0].x.numpy()
        assert y.shape == (n_samples,)
        assert decibels_over_the_body(y) < 6


def transferred(content, style, **settings):
    return transfer_style(content, style, config=TransferConfig(n_iter=40, **settings), progress=False)


def share_of_style(result, style):
    """Style loss of the sound itself over that of the content."""
    X, A = log_magnitude(result.y_computed), log_magnitude(set_level(style))
    return float(style_loss(InfiniteEncoder(), X, A)) / result.style_unit


def test_polish_is_the_default_and_needs_no_seed(content, style):
    assert TransferConfig().phase == "polish"
    first, second = (transferred(content, style, polish_iter=5, seed=seed) for seed in (0, 1))
    assert np.array_equal(first.y, second.y)
    assert len(first.convergence) == 32
    assert len(first.polish_losses) == 6
    assert first.polish_losses["total"].is_monotonic_decreasing


def test_polished_sound_is_nearer_to_the_style_than_after_griffin_lim(content, style):
    polished = transferred(content, style, polish_iter=40)
    plain = transferred(content, style, phase="griffin_lim")
    assert np.array_equal(polished.S, plain.S)
    of_polished, of_plain = (share_of_style(result, style) for result in (polished, plain))
    assert of_polished < of_plain
    assert of_polished == pytest.approx(
        polished.polish_losses["style"].iloc[-1] / polished.style_unit, rel=1e-3
    )


@pytest.mark.parametrize("start", ["content", "noise"])
def test_waveform_phase_optimises_the_sound_itself(content, style, start):
    result = transferred(content, style, phase="waveform", start=start)
    assert result.y.shape == content.shape
    assert result.convergence.size == 0
    assert result.losses["total"].iloc[-1] < result.losses["total"].iloc[0]
    of_sound = share_of_style(result, style)
    assert of_sound == pytest.approx(result.losses["style"].iloc[-1] / result.style_unit, rel=1e-3)


def test_match_holds_for_the_waveform(content, style):
    config = TransferConfig(phase="waveform", match=0.4, n_iter=100)
    result = transfer_style(content, style, config=config, progress=False)
    assert 1 - share_of_style(result, style) ** 0.5 == pytest.approx(0.4, abs=0.02)


def test_who_stops_the_optimiser_waits_for_no_polish(content, style):
    result = transfer_style(
        content, style, progress=False, callback=lambda iteration, losses, S: iteration == 2
    )
    assert result.losses["iteration"].iloc[-1] == 2
    assert len(result.polish_losses) == 1


def test_callback_sees_the_magnitudes_of_the_sound(content, style):
    seen = []

    def callback(iteration, losses, S):
        seen.append(S)
        return False

    config = TransferConfig(phase="waveform", n_iter=2)
    transfer_style(content, style, config=config, progress=False, callback=callback)
    assert np.allclose(seen[0].numpy(), stft(set_level(content)).abs().numpy())


def test_unknown_phase_is_named():
    with pytest.raises(ValueError, match="phase='wavenet'"):
        TransferConfig(phase="wavenet")
