"""The paper's results of a pair, and their numbers."""

from dataclasses import replace

import numpy as np

from audiostyle.datasets.clips import get_pair
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER
from experiments import pairs
from experiments.presets import get_preset

SMOKE = get_preset("smoke")
FEW = SMOKE._replace(config=replace(SMOKE.config, n_iter=3))


def test_judged_has_the_controls_that_its_columns_need():
    sounds = pairs.by_the_paper(get_pair("instrument-1", "bundled"), FEW)
    table = pairs.judged(sounds, FEW)
    assert table.index.tolist() == [COPY_CONTENT, COPY_STYLE, EQUALISER, "result"]
    assert table.loc[COPY_CONTENT].tolist()[:5] == [0, 1, 1, 1, 1]
    assert table.loc[COPY_STYLE, "style loss left"] == 0
    assert table.loc[COPY_STYLE, ["like the style", "average from the style (dB)"]].tolist() == [1, 0]
    kept = table[["notes kept", "attacks kept", "like the content"]]
    assert (kept.loc[COPY_STYLE] < kept.loc[EQUALISER]).all(), "one filter keeps more than another piece has"
    assert table.loc[COPY_CONTENT, "in the gaps (dB)"] <= -60


def test_what_fills_the_gaps_is_heard_there():
    t = np.arange(3 * 22050) / 22050
    tone, high = (0.05 * np.sqrt(2) * np.sin(2 * np.pi * f * t).astype(np.float32) for f in (440, 3000))
    levels = [
        pairs.judged({"content": tone, "style": high, "result": y}, FEW).loc["result", "in the gaps (dB)"]
        for y in (tone, tone + 1e-3 * np.random.default_rng(0).normal(size=len(t)).astype(np.float32))
    ]
    assert levels[0] == -80
    assert levels[1] > -70


def test_a_result_is_kept_and_not_made_again(monkeypatch):
    pair = get_pair("instrument-1", "bundled")
    first = pairs.by_the_paper(pair, FEW)
    monkeypatch.setattr(pairs, "transfer_style", None)
    assert all(np.array_equal(y, first[name]) for name, y in pairs.by_the_paper(pair, FEW).items())
