import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from audiostyle import TransferConfig, transfer_style
from audiostyle.datasets import clips
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import style_loss
from audiostyle.matching import match_timbre
from audiostyle.phase.griffin_lim import griffin_lim
from audiostyle.sound.levels import rms, set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import make_sound, optimise
from experiments.own_rate import loudness_difference
from tests.signals import SR, tone

FAST = {"n_iter": 12, "phase": "griffin_lim"}
SMALL = {
    "random": TransferConfig(encoder="random", n_filters=64, **FAST),
    "infinite": TransferConfig(encoder="infinite", method="gram", **FAST),
}
# And without an optimisation, and with one from the matched sound.
ALL = SMALL | {"filtered": TransferConfig(), "optimised": TransferConfig(balance=0.8, **FAST)}
every = pytest.mark.parametrize("config", ALL.values(), ids=ALL)


def run(content, style, config, **kwargs):
    return transfer_style(content, style, SR, config, progress=False, **kwargs)


@pytest.fixture(params=["random", "infinite"])
def config(request):
    return SMALL[request.param]


@every
def test_result_has_the_contents_length_and_level(content, style, config):
    result = run(content, style, config)
    assert result.y.shape == content.shape
    assert result.y.dtype == np.float32
    assert result.sr == SR
    assert result.S.shape == (1025, 1 + -(-len(content) // 1024))
    assert (result.S >= 0).all()
    assert abs(loudness_difference(result.y, content, SR)) < 0.1
    np.testing.assert_allclose(result.y_computed * result.gain, result.y, rtol=1e-6)


@pytest.mark.parametrize("phase", ["polish", "griffin_lim"])
def test_a_transfer_is_its_steps(content, style, phase):
    config = TransferConfig(balance=0.8, method="gram", phase=phase, n_iter=5)
    result, optimum = run(content, style, config), optimise(content, style, config)
    y, _ = make_sound(optimum, content, config)
    np.testing.assert_array_equal(optimum.S, result.S)
    np.testing.assert_allclose(y, result.y_computed, rtol=1e-5)
    # and log magnitudes are optimised as they are
    spectra = [log_magnitude(set_level(y)) for y in (content, style)]
    np.testing.assert_array_equal(optimise(*spectra, config).S, optimum.S)
    assert optimise(*spectra, config, encoder=InfiniteEncoder(3)).loss.encoder.kernel_size == 3


def test_loss_decreases_and_is_that_of_every_iteration(content, style, config):
    losses = run(content, np.resize(style, int(1.7 * len(content))), config).losses
    assert list(losses.columns) == ["iteration", "content", "style", "total"]
    assert losses["iteration"].tolist() == list(range(len(losses)))
    assert (np.diff(losses["total"]) <= 0).all()
    assert losses["content"].iloc[0] == 0
    assert losses["style"].iloc[-1] < 0.5 * losses["style"].iloc[0]


def test_balance_0_returns_the_content(content, style, config):
    kept = run(content, style, replace(config, balance=0.0))
    S = torch.expm1(log_magnitude(set_level(content))).numpy()
    np.testing.assert_allclose(kept.S, S, rtol=1e-5, atol=1e-5)


def test_balance_1_matches_the_style():
    # On clips of a second or two the overlapping patches are too few to imitate every statistic.
    audio = clips.load_pair(clips.get_pair("instrument-1", "bundled"))
    taken = optimise(audio.content, audio.style, TransferConfig(balance=1.0, method="gram"))
    assert taken.value.style < 1e-3 * taken.loss.style_unit


def test_global_random_states_are_left_alone(content, style, config):
    def states():
        return random.getstate(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = states()
    run(content, style, config)
    assert states() == before


@every
def test_how_the_caller_keeps_numbers_changes_nothing(content, style, config):
    """Arrays that run backwards or may not be written, and another default type of torch."""
    expected = run(content, style, config).y
    backwards, frozen, before = content[::-1].copy()[::-1], style.copy(), torch.get_default_dtype()
    frozen.flags.writeable = False
    torch.set_default_dtype(torch.float64)
    try:
        found = run(backwards, frozen, config).y
    finally:
        torch.set_default_dtype(before)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_an_optimisation_starts_where_it_is_told_to(content, style):
    start = torch.rand(log_magnitude(content).shape)
    config = TransferConfig(method="gram", n_iter=0)
    assert torch.equal(optimise(content, style, config, start=start).x, start)


@pytest.mark.parametrize("kind", ["random", "infinite"])
def test_settings_of_the_encoder_reach_the_losses(content, style, kind):
    settings = {"kernel_size": 4, "activation": "leaky_relu"}
    made = RandomEncoder(32, seed=3, **settings) if kind == "random" else InfiniteEncoder(**settings)
    config = replace(SMALL[kind], n_filters=32, seed=3, n_iter=0, **settings)
    C, A = (log_magnitude(set_level(y)) for y in (content, style))
    unit = run(content, style, config).optimum.loss.style_unit
    assert unit == pytest.approx(float(style_loss(made, C, A)), rel=1e-4)


def test_the_seed_reaches_griffin_lim_and_fixes_the_samples(content, style, config):
    result, again = (run(content, style, replace(config, seed=3)) for _ in range(2))
    expected, other = (griffin_lim(result.S, seed=seed, length=len(content)) for seed in (3, 4))
    np.testing.assert_allclose(result.y_computed, expected, atol=1e-6)
    assert not np.allclose(expected, other, atol=1e-3)
    np.testing.assert_array_equal(result.y, again.y)


@pytest.mark.parametrize(("balance", "of"), [(0.0, "content"), (1.0, "style")])
def test_resampling_keeps_the_pitch_of_both_clips(balance, of):
    """Tones in the middle of their bins, brought from 16 kHz: a wrong ratio moves them by half or by a third."""
    pitches = {"content": 40 * SR / 2048, "style": 70 * SR / 2048}
    content, style = (tone(hz, level=0.1, sr=16000) for hz in pitches.values())
    config = TransferConfig(balance=balance, method="gram", kernel_size=1, n_iter=60, phase="griffin_lim")
    result = transfer_style(content, style, 16000, config, progress=False)
    assert (result.sr, result.y.shape) == (SR, (SR,))
    loudest = np.argmax(np.abs(np.fft.rfft(result.y)))
    assert loudest == pytest.approx(pitches[of], abs=SR / 2048)


@pytest.mark.parametrize("last", [3, 14])
def test_callback_sees_losses_and_stops_the_optimisation_and_the_polish(content, style, last):
    """After 12 iterations of the optimisation the polish goes on counting."""
    config, seen = replace(SMALL["infinite"], phase="polish"), []
    full = run(content, style, config)

    def callback(iteration, losses, S):
        assert S.shape == full.S.shape
        assert S.min() >= 0
        seen.append((iteration, losses["total"]))
        return iteration >= last

    result = run(content, style, config, callback=callback)
    n_polished = 1 if last == 3 else 2
    assert "callback" in (result.optimum.reason, result.polished.reason)
    assert [row[0] for row in seen] == list(range(len(seen)))
    assert len(result.losses) == min(last, 12) + 1
    assert result.polished.n_iter == n_polished
    assert result.losses["total"].tolist() == [row[1] for row in seen[: len(result.losses)]]
    assert seen[-1][1] == result.polished.value.total


def test_style_removed_is_of_the_sound_where_it_is_polished(content, style):
    config = replace(SMALL["infinite"], phase="polish")
    for phase in ("polish", "griffin_lim"):
        result = run(content, style, replace(config, phase=phase))
        last = result.polished.value.style if phase == "polish" else result.losses["style"].iloc[-1]
        assert result.style_removed == 1 - last / result.optimum.loss.style_unit
    assert run(content, style, replace(config, balance=0.0)).style_removed == pytest.approx(0, abs=1e-6)
    assert np.isnan(run(content, style, TransferConfig()).style_removed)


def test_progress_bar_names_both_losses(content, style, capsys):
    transfer_style(content, style, SR, SMALL["infinite"])
    assert "content=" in (printed := capsys.readouterr().err)
    assert "style=" in printed


@pytest.mark.parametrize("which", ["content", "style"])
@pytest.mark.parametrize(
    ("spoil", "quoted"),
    [
        (lambda y: 0 * y, "silent"),
        (lambda y: np.where(np.arange(len(y)) == 5, np.nan, y), "NaN"),
        (lambda y: np.where(np.arange(len(y)) == 5, np.inf, y), "infinite"),
        (lambda y: y[:9000], r"0\.408 s.*kernel_size=11"),
        (lambda y: y[:0], "no samples"),
        (lambda y: y[None, None], r"shape \(1, 1, \d+\)"),
    ],
)
def test_bad_input_is_named(content, style, which, spoil, quoted):
    clips = {"content": content, "style": style}
    clips[which] = spoil(clips[which])
    with pytest.raises(ValueError, match=f"{which}.*{quoted}"):
        run(clips["content"], clips["style"], SMALL["infinite"])


BAD_SETTINGS = {
    "method": "noise", "phase": "wavenet", "activation": "tanh", "encoder": "trained", "balance": -0.1, "n_filters": 0,
    "kernel_size": 0, "n_iter": -1, "hop_length": 4096, "level": 0.0, "sr": 999, "n_fft": 2047, "seed": 2**64,
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [*BAD_SETTINGS.items(), ("balance", 1.1), ("sr", 22050.5)])
def test_bad_settings_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r} is not allowed"):
        TransferConfig(**{name: value})


def test_balance_to_one_half_filters(content, style):
    """In proportion in decibels, from the content to the matched timbre."""
    match = match_timbre(content, style, sr=SR)
    for balance in (0.0, 0.2, 0.5):
        result = run(content, style, TransferConfig(balance=balance))
        filtered = set_level(match.gain.apply(content, SR, strength=2 * balance), result.config.level)
        np.testing.assert_allclose(result.y_computed, filtered, atol=1e-5)


def test_balance_0_of_the_default_is_the_content_with_its_offset(content, style):
    for y in (content, content + np.float32(0.2)):
        np.testing.assert_array_equal(run(y, style, TransferConfig(balance=0.0)).y, y)


def test_what_was_filtered_has_no_losses(content, style):
    result = run(content, style, TransferConfig())
    X = log_magnitude(set_level(result.y))
    np.testing.assert_allclose(result.S, torch.expm1(X).numpy(), rtol=1e-3, atol=1e-4)
    assert (len(result.losses), result.n_iter, result.optimum, result.polished) == (0, 0, None, None)


def test_above_one_half_the_optimisation_starts_from_the_matched_sound(content, style):
    result = run(content, style, ALL["optimised"])
    assert result.losses["content"].iloc[0] == pytest.approx(0, abs=1e-9)
    assert result.losses["style"].iloc[0] == pytest.approx(result.optimum.loss.style_unit, rel=1e-4)
    assert result.losses["style"].iloc[-1] < 0.5 * result.losses["style"].iloc[0]


def test_balance_has_no_jump_at_the_matched_timbre(content, style):
    spectra = [
        log_magnitude(set_level(run(content, style, TransferConfig(balance=b, n_iter=60)).y))
        for b in (0.0, 0.499, 0.5, 0.501, 1.0)
    ]
    kept, below, matched, above, full = spectra
    # A 500th of the way: in decibels of the gain, of which log1p and the level leave up to three times that.
    assert torch.linalg.norm(below - matched) < 0.006 * torch.linalg.norm(kept - matched)
    assert torch.linalg.norm(above - matched) < 0.01 * torch.linalg.norm(full - matched)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@every
def test_cuda_agrees_with_cpu(content, style, config):
    on_gpu = run(content, style, replace(config, device="cuda"))
    on_cpu = run(content, style, config)
    assert on_gpu.losses["total"].iloc[-1] == pytest.approx(on_cpu.losses["total"].iloc[-1], rel=1e-2)


@pytest.mark.parametrize("config", [TransferConfig(), TransferConfig(method="gram", n_iter=3)], ids=str)
@pytest.mark.parametrize("where", ["content", "style"])
def test_a_constant_offset_is_taken_for_no_sound(content, style, where, config):
    """As of a sound card; it would be the loudest of the lowest band."""
    sounds = {"content": content - content.mean(), "style": style - style.mean()}
    clean = run(**sounds, config=config).y
    sounds[where] = sounds[where] + np.float32(0.2)
    found = run(**sounds, config=config).y
    assert abs(found.mean()) < 2e-3
    if config.filters:  # an optimisation goes other ways by roundings
        np.testing.assert_allclose(found, clean, atol=0.02 * np.abs(clean).max())


def test_channels_keep_their_balance_where_their_spectra_differ(content, style):
    dark = np.convolve(content, np.ones(40) / 40, mode="same")
    both = np.stack([content - dark, dark * rms(content - dark) / rms(dark)]).astype(np.float32)
    y = run(both, style, TransferConfig()).y
    assert abs(20 * np.log10(rms(y[0]) / rms(y[1]))) < 1.01
