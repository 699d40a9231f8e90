from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from audiostyle.config import TransferConfig
from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.measures.table import COPY_CONTENT, MATCHED, MEASURES
from experiments import trade_offs, truth
from experiments.presets import GRAM
from experiments.trade_offs import PAPER, POLISH, better, scoreboard

SR = 22050
OF_SOUND = {measure.name for measure in MEASURES} - {"spectral_convergence_db"}
LEVEL = {"style_share_limit": 1, "texture_distance": 1}
MEASURED = {"timbre": "mfcc_frechet", "content": "chroma_similarity"}


@pytest.fixture
def pair_audio(content, style):
    pair = Pair("toy", "bundled", "toy", "toy", "", 0.0, "", 0.0, "", 0.0, "", 0)
    return pair, PairAudio(content, style, None, SR)


def _table(*rows):
    return pd.DataFrame(rows, columns=["pair", "method", "balance", "chroma_similarity", "mfcc_frechet"])


def test_a_better_and_a_worse_curve():
    point = (["a", PAPER, 0.5, 0.7, 40.0], ["a", PAPER, 0.5, 0.7, 44.0])
    other = (["a", PAPER, 0.8, 0.1, 1.0], ["a", COPY_CONTENT, np.nan, 1.0, 100.0])
    for curve, wins in (([[0.9, 50.0], [0.6, 20.0]], True), ([[0.9, 90.0], [0.6, 60.0]], False)):
        table = _table(*point, *other, *(["a", POLISH, 0.5, x, y] for x, y in curve))
        assert better(table, POLISH, PAPER, **MEASURED)["a"] == wins
        board = scoreboard(table.assign(onset_f=0, **LEVEL), [(POLISH, PAPER)])
        assert board.shape == (1, len(trade_offs.CONTENT_MEASURES) * len(trade_offs.TIMBRE_MEASURES))
        assert board["chroma_similarity", "mfcc_frechet"].item() == f"{int(wins)} of 1"


def test_less_than_the_margin_is_a_tie_and_a_reference_is_a_point():
    table = _table(
        ["a", POLISH, 0.5, 0.505, 40.0],
        ["a", trade_offs.CROSS, np.nan, 0.5, 40.0],
        ["a", COPY_CONTENT, np.nan, 1.0, 99.0],
    )
    won = [better(table, POLISH, trade_offs.CROSS, margin=m, **MEASURED)["a"] for m in (0.0, 0.02)]
    assert won == [True, False]
    back = better(table, trade_offs.CROSS, POLISH, **MEASURED)["a"]
    assert not back, "the copy of the content is no part of a point"


def test_curves_have_a_row_for_every_method_and_all_measures(pair_audio):
    rows = list(trade_offs.curve_rows(*pair_audio, balances=(0.5,), config=replace(GRAM, n_iter=5)))
    assert [row["method"] for row in rows] == [trade_offs.PLAIN, POLISH, trade_offs.WAVEFORM]
    for row in rows:
        assert row.keys() >= OF_SOUND
    left = {row["method"]: row["style_share_limit"] for row in rows[:-1]}
    assert min(left, key=left.get) == POLISH


def test_matched_rows_move_away_from_the_content_up_to_the_filter_alone(pair_audio):
    config = TransferConfig()
    rows = list(trade_offs.matched_rows(*pair_audio, balances=(0.0, 0.25, 0.5), config=config))
    assert {row["method"] for row in rows} == {MATCHED}
    moved = [row["content_share_limit"] for row in rows]
    assert moved[0] < 0.01 * moved[1], "but for what the round trip of the transform rounds"
    assert moved == sorted(moved)


def test_gain_of_a_reference_does_not_matter(pair_audio, monkeypatch):
    for method, gain in ((trade_offs.MUSAICING, 1), (trade_offs.CROSS, 3)):
        made = truth.Method(lambda content, style, sr, gain=gain: gain * content)
        monkeypatch.setitem(truth.METHODS, method, made)
    pair, audio = pair_audio
    rows = {row["method"]: row for row in trade_offs.reference_rows(pair, audio)}
    assert tuple(rows) == trade_offs.REFERENCES
    assert rows[COPY_CONTENT]["style_share_limit"] == pytest.approx(1)
    assert rows[COPY_CONTENT]["content_share_limit"] == 0
    for name in OF_SOUND:
        same = pytest.approx(rows[trade_offs.MUSAICING][name], rel=1e-4, abs=1e-5, nan_ok=True)
        assert rows[trade_offs.CROSS][name] == same


def test_polish_is_measured_against_the_magnitudes(pair_audio):
    config = replace(GRAM, n_iter=3, n_filters=16)
    rows = list(trade_offs.polish_rows(*pair_audio, balances=(0.5,), config=config))
    assert [row["method"] for row in rows] == ["magnitudes", *trade_offs.PHASES, POLISH]
    assert rows[0]["over_optimum_fresh"] == 1
    share = {row["method"]: row["style_share_fresh"] / row["over_optimum_fresh"] for row in rows}
    assert list(share.values()) == pytest.approx([rows[0]["style_share_fresh"]] * len(rows))


def test_bars_reach_from_the_least_seed_to_the_largest():
    table = _table(*(["a", PAPER, 0.5, x, y] for x, y in ((0.4, 10.0), (0.5, 10.0), (0.9, 40.0))))
    ax = plt.figure().subplots()
    trade_offs.draw_curves(table, ax=ax, x="chroma_similarity", y="mfcc_frechet")
    horizontal, vertical = (bar.get_segments()[0] for bar in ax.containers[0][2])
    assert horizontal == pytest.approx(np.array([[0.4, 20.0], [0.9, 20.0]]))
    assert vertical == pytest.approx(np.array([[0.6, 10.0], [0.6, 40.0]]))
