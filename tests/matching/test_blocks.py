import numpy as np
import pytest
import torch

from audiostyle.matching import SR, blocks, describe, match_timbre
from audiostyle.matching.match import analysed


@pytest.fixture
def long(make_melody, rng):
    notes = [220, 330, 247, 262, 294, 440, 294, 262, 196, 247, 330, 349]
    y = make_melody(notes, harmonics=[1, 0.5, 0.25, 0.3])
    y[SR : SR + 9000] = 0
    return y + 1e-4 * rng.normal(size=len(y)).astype(np.float32)


def gains(y, style):
    mid = analysed(y, SR, "content")
    found = blocks.survey(lambda a, b: mid[a:b], len(mid))
    parts = list(blocks.match_blocks(lambda a, b: mid[a:b], len(mid), found, analysed(style, SR, "style")))
    assert [p.first for p in parts] == np.cumsum([0, *(p.log_gain.shape[1] for p in parts[:-1])]).tolist()
    return found, torch.cat([part.log_gain for part in parts], 1)


@pytest.mark.parametrize("block", [64, 10_000])
def test_blocks_give_the_filter_of_the_whole(long, style, monkeypatch, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    match = match_timbre(long, style)
    found, log_gain = gains(long, style)
    # a hundredth of a decibel: sums of float32 in another order
    assert torch.abs(log_gain - match.filter.log_gain).max() < 0.01 * np.log(10) / 20
    assert found.steadiness == pytest.approx(describe(analysed(long, SR, "content")).steadiness, abs=1e-5)


def test_means_over_notes_from_some_places_change_little(long, style, monkeypatch):
    monkeypatch.setattr(blocks, "_PLACES", 3)
    monkeypatch.setattr(blocks, "_FRAMES", 40)
    _, log_gain = gains(long, style)
    apart = (log_gain - match_timbre(long, style).filter.log_gain) * 20 / np.log(10)
    assert apart.square().mean().sqrt() < 0.5


@pytest.mark.parametrize("extra", [0, 511])
def test_any_length(long, style, extra):
    y = long[: 40 * 512 + extra]
    _, log_gain = gains(y, style)
    assert log_gain.shape == match_timbre(y, style).filter.log_gain.shape
