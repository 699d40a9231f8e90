"""Every measure on signals whose answer is known."""

import pytest
import torch

from audiostyle import RandomEncoder
from audiostyle.measures.fresh import fresh_encoder
from audiostyle.measures.table import evaluate_sound
from audiostyle.sound.audio import set_level


def test_evaluate_sound_of_the_two_copies(content, style):
    style = style[: len(content)]
    of_content = evaluate_sound(set_level(content), content, style, target=content)
    short = content[: len(style)]
    of_style = evaluate_sound(set_level(style), short, style, target=content)
    for name, value in {
        "style_share_limit": 1,
        "content_share_limit": 0,
        "chroma_similarity": 1,
        "pitch_agreement": 1,
        "onset_f": 1,
        "tempo_ratio": 1,
        "target_distance_db": 0,
    }.items():
        assert of_content[name] == pytest.approx(value, abs=1e-5), name
    for name in ("style_share_limit", "mfcc_frechet", "mfcc_distance", "texture_distance"):
        assert of_style[name] < 0.05 * of_content[name], name
    assert of_style["copied_from_style"] == pytest.approx(1)


def test_gain_of_the_sound_counts_and_that_of_the_clips_does_not(content, style):
    def shares(of_sound, of_content=1, of_style=1):
        y, c, s = of_sound * set_level(content), of_content * content, of_style * style
        row = evaluate_sound(y, c, s, pitch=False)
        return row["style_share_limit"], row["content_share_limit"]

    assert shares(1) == pytest.approx((1, 0), abs=1e-5)
    assert shares(1, 2, 8) == pytest.approx((1, 0), abs=1e-5)
    assert shares(0.5)[1] > 0.01
    assert shares(0.5) == pytest.approx(shares(0.5, 2, 0.25), rel=1e-4)


def test_fresh_filters_are_none_that_was_optimised():
    ours = fresh_encoder(8).filters(4)
    for seed in range(20):
        assert not torch.equal(ours, RandomEncoder(8, seed=seed).filters(4))
