"""Tables of measures: one number for one thing, whatever was optimised, beside copies whose answer is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from audiostyle import RandomEncoder, TransferConfig
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.files.presets import get_preset
from audiostyle.losses import TransferLoss
from audiostyle.measures import table
from audiostyle.measures.table import artefacts, evaluate_sound, fresh_encoder, judge_losses, sound_numbers
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import transfer_style
from tests.signals import melody


def test_evaluate_sound_of_the_two_copies(content, style):
    content = content[: len(style)]
    clips = {"content": content, "style": style, "target": content}
    of_content, of_style = (evaluate_sound(set_level(y), **clips) for y in (content, style))
    for name in ("style_share_limit", "chroma_similarity", "onset_f"):
        assert of_content[name] == pytest.approx(1, abs=1e-5), name
    for name in ("content_share_limit", "haze_db", "dropout", "target_distance_db"):
        assert of_content[name] == pytest.approx(0, abs=1e-5), name
    for name in ("style_share_limit", "style_distance", "mfcc_frechet"):
        assert of_style[name] < 0.05 * of_content[name], name


def test_artefacts_are_lifted_noise_and_missing_frames(rng):
    y = melody([440, 660], harmonics=[1], seconds_each=1.0)
    noise = (1e-5 * rng.standard_normal(len(y))).astype(np.float32)
    found = artefacts(y + noise, y + noise, 22050)
    assert found == {"haze_db": 0, "dropout": 0}
    # Noise comes out 20 dB over the tones' gain; soft cells that the tones' window leaks into do not.
    assert 15 < artefacts(2 * y + 20 * noise, y + noise, 22050)["haze_db"] <= 20.1
    gap = y + noise
    gap[: len(y) // 5] *= 0.1  # 20 dB softer
    assert 0.1 < artefacts(gap, y + noise, 22050)["dropout"] < 0.4


def test_gain_of_the_sound_counts_and_that_of_the_clips_does_not(content, style):
    def shares(of_sound, of_content=1, of_style=1):
        y, c, s = of_sound * set_level(content), of_content * content, of_style * style
        judged = judge_losses(y, c, s)
        assert sound_numbers(y, c, s, TransferConfig())["style_share_limit"] == judged["style_share_limit"]
        return judged["style_share_limit"], judged["content_share_limit"]

    assert shares(1) == pytest.approx((1, 0), abs=1e-5)
    assert shares(1, 2, 8) == pytest.approx((1, 0), abs=1e-5)
    assert shares(0.5)[1] > 0.01
    assert shares(0.5) == pytest.approx(shares(0.5, 2, 0.25), rel=1e-4)


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
    ours = fresh_encoder(8).filters(4)
    assert not any(torch.equal(ours, RandomEncoder(8, seed=seed).filters(4)) for seed in range(20))


def test_every_score_has_the_references_and_its_own_method(content, style):
    """Of a transfer by every method of a preset, as `audiostyle pairs` makes them."""
    configs = [replace(config, n_iter=3) for config in get_preset("smoke").methods().values()]
    clips = content, style[: len(content)]
    results = (transfer_style(*clips, config=config, progress=False) for config in configs)
    scored = [table.score(result, *clips, n_fresh=64) for result in results]
    references = [table.COPY_CONTENT, table.COPY_STYLE, table.EQUALISER]
    assert all(rows["method"].tolist()[:3] == references for rows in scored)
    own = [rows.iloc[-1] for rows in scored]
    assert [row.method for row in own[1:]] == ["infinite, Griffin-Lim", "infinite, polish", table.MATCHED]
    assert pd.isna(own[-1].style_share_optimised)
    assert own[0].style_share_optimised < 1
    assert 0 < scored[0].set_index("method").loc[table.COPY_STYLE, "style_floor"] < 1
