from dataclasses import replace

import numpy as np

from audiostyle.datasets.clips import get_pair
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER
from experiments import pairs
from experiments.presets import get_preset
from tests.signals import noise, tone

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
    low, high = (np.tile(tone(hz, level=0.0707), 3) for hz in (440, 3000))
    for y, heard in ((low, False), (low + 0.01 * noise(np.random.default_rng(0), 3), True)):
        table = pairs.judged({"content": low, "style": high, "result": y}, FEW)
        level = table.loc["result", "in the gaps (dB)"]
        assert level > -70 if heard else level == -80


def test_a_result_is_kept_and_not_made_again(monkeypatch):
    pair = get_pair("instrument-1", "bundled")
    first = pairs.by_the_paper(pair, FEW)
    monkeypatch.setattr(pairs, "transfer_style", None)
    assert all(np.array_equal(y, first[name]) for name, y in pairs.by_the_paper(pair, FEW).items())
