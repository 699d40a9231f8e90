"""Numbers of a pair by several methods, and what is said of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED
from audiostyle.sound.levels import rms
from experiments import pairs
from experiments.pairs import PLAIN, POLISH
from experiments.presets import get_preset

SMOKE = get_preset("smoke")
FEW = SMOKE._replace(config=replace(SMOKE.config, n_iter=3))


@pytest.fixture(scope="module")
def runs():
    pair = get_pair("instrument-1", "bundled")
    few = [replace(config, n_iter=3) for config in SMOKE.methods().values()]
    return [pairs.run_pair(pair, SMOKE, config, progress=False) for config in few]


def test_every_table_has_the_references_and_its_own_method(runs):
    assert [run.method for run in runs] == ["256 filters, Griffin-Lim", PLAIN, POLISH, MATCHED]
    for run in runs:
        assert run.table["method"].tolist() == [COPY_CONTENT, COPY_STYLE, EQUALISER, run.method]
    assert [run.row().phase for run in runs] == ["griffin_lim", "griffin_lim", "polish", None]
    assert pd.isna(runs[-1].row().spectral_convergence_db)
    assert rms(runs[-1].result.y_computed) == pytest.approx(runs[-1].result.config.level, rel=0.02)


def test_content_is_kept_by_the_content_alone(runs):
    copy, style = runs[0].row(COPY_CONTENT), runs[0].row(COPY_STYLE)
    assert (copy.chroma_similarity, copy.onset_f) == pytest.approx((1, 1))
    assert style.onset_f < 1
    assert style.style_distance == pytest.approx(0, abs=1e-6)
    assert 0.001 < style.style_floor < 1
    assert style.mfcc_frechet == pytest.approx(0, abs=1e-3)


def test_references_are_shown_once(runs):
    shown = pairs.numbers(*(run.table for run in runs))
    assert shown.index.tolist() == [COPY_CONTENT, COPY_STYLE, EQUALISER, *(run.method for run in runs)]
    assert shown.loc[MATCHED, "spectral convergence (dB)"] == "–"


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


def test_a_stored_result_is_not_made_again(monkeypatch):
    pair = get_pair("instrument-1", "bundled")
    first = pairs.by_the_paper(pair, FEW)
    monkeypatch.setattr(pairs.renders, "render", None)
    assert all(np.array_equal(y, first[name]) for name, y in pairs.by_the_paper(pair, FEW).items())
