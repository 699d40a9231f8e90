import numpy as np
import pytest

from audiostyle import TransferConfig, transfer_style
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.losses import TransferLoss
from audiostyle.measures.fresh import fresh_encoder
from audiostyle.measures.table import evaluate_sound, judge_losses, sound_numbers
from audiostyle.measures.texture import MODULATION_EDGES, band_envelopes, texture, texture_distance
from audiostyle.sound.audio import set_level
from audiostyle.spectrogram import log_magnitude

SR = 22050
SCALE = [220, 247, 277, 294, 330, 370, 415, 440]


def noise(rng, seconds=2.0):
    return rng.normal(size=int(seconds * SR)).astype(np.float32) * 0.1


def test_texture_finds_the_rate_of_modulation(rng):
    t = np.arange(8 * SR) / SR
    for rate in (3.0, 12.0):
        y = noise(rng, 8) * (1 + np.sin(2 * np.pi * rate * t))
        shares = texture(y, SR).modulation.reshape(32, -1).mean(axis=0)
        expected = np.searchsorted(MODULATION_EDGES, rate) - 1
        assert shares.argmax() == expected


def test_texture_statistics_of_noise_and_of_one_common_envelope(rng):
    still = texture(noise(rng, 8), SR)
    assert abs(still.correlation).mean() < 0.1
    t = np.arange(8 * SR) / SR
    together = texture(noise(rng, 8) * (1 + 0.95 * np.sin(2 * np.pi * 2 * t)), SR)
    assert together.correlation.min() > 0.5
    assert together.variation.min() > still.variation.max()


def test_texture_distance_ignores_time_and_level(rng, make_melody):
    a, b = noise(rng, 8), noise(rng, 8)
    tone = make_melody(SCALE * 4, harmonics=[1, 0.5])
    assert texture_distance(a, a, SR) == 0
    assert texture_distance(0.2 * a, a, SR) == pytest.approx(0, abs=1e-6)
    assert texture_distance(np.roll(tone, 2 * SR), tone, SR) < 0.1
    assert texture_distance(b, a, SR) < 0.2 < 0.6 < texture_distance(tone, a, SR)


def test_band_envelopes_compress_power(rng):
    y = noise(rng, 2)
    assert np.allclose(band_envelopes(2 * y, SR), 4**0.3 * band_envelopes(y, SR))


@pytest.mark.parametrize("judge", ["limit", "fresh"])
def test_shares_are_those_of_the_objective(content, style, judge):
    """One unit everywhere: at the balance 0.5 the objective is a quarter of the sum of both shares."""
    encoder = InfiniteEncoder() if judge == "limit" else fresh_encoder(64)
    C, A, X = (log_magnitude(set_level(y)) for y in (content, style, content[::-1].copy()))
    value = TransferLoss(encoder, C, A)(X)
    y = set_level(content[::-1].copy())
    judged = judge_losses(y, 0.3 * content, 4 * style, judge=judge, n_filters=64)
    shares = judged[f"content_share_{judge}"] + judged[f"style_share_{judge}"]
    assert value.total == pytest.approx(shares / 4, rel=1e-4)
    assert judged[f"content_loss_{judge}"] == pytest.approx(value.content, rel=1e-4)
    assert judged[f"style_loss_{judge}"] == pytest.approx(value.style, rel=1e-4)


def test_judge_does_not_ask_what_was_optimised(content, style):
    y = set_level(content)[::-1].copy()
    odd = TransferConfig(kernel_size=3, activation="none", n_filters=7, encoder="random", seed=5)
    assert judge_losses(y, content, style) == judge_losses(y, content, style, config=odd)


def test_content_of_another_length_is_not_judged(content, style):
    judged = judge_losses(set_level(content)[:-5000], content, style)
    assert np.isnan(judged["content_share_limit"])
    assert judged["style_share_limit"] > 0


def test_unknown_judge_is_named(content, style):
    with pytest.raises(ValueError, match="judge='jury' is not allowed"):
        judge_losses(content, content, style, judge="jury")


def test_all_tables_of_one_transfer_agree(content, style):
    """The lab, the measures and the trade-offs give the style that is left of a sound by one number."""
    config = TransferConfig(kernel_size=3, n_iter=4, polish_iter=4)
    result = transfer_style(content, style, config=config, progress=False)
    judged = judge_losses(result.y_computed, content, style)
    row = evaluate_sound(result.y_computed, content, style, config=config, pitch=False)
    of_lab = sound_numbers(result.y_computed, content, style, config)
    assert row["style_share_limit"] == of_lab["style_share_limit"] == judged["style_share_limit"]
    assert row["content_share_limit"] == judged["content_share_limit"]
