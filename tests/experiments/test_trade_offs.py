from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from audiostyle.config import TransferConfig
from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.measures.table import COPY_CONTENT, MATCHED, MEASURES
from experiments import trade_offs
from experiments.presets import GRAM
from experiments.trade_offs import PAPER, POLISH, better

SR = 22050


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
        assert better(table, POLISH, PAPER)["a"] == wins


def test_less_than_the_margin_is_a_tie_and_a_reference_is_a_point():
    table = _table(
        ["a", POLISH, 0.5, 0.505, 40.0],
        ["a", trade_offs.CROSS, np.nan, 0.5, 40.0],
        ["a", COPY_CONTENT, np.nan, 1.0, 99.0],
    )
    assert [better(table, POLISH, trade_offs.CROSS, margin=m)["a"] for m in (0.0, 0.02)] == [True, False]
    assert not better(table, trade_offs.CROSS, POLISH)["a"], "the copy of the content is no part of a point"


def test_curves_have_a_row_for_every_method_and_all_measures(pair_audio):
    config, methods = replace(GRAM, n_iter=5), tuple(trade_offs.PHASES)
    rows = list(trade_offs.curve_rows(*pair_audio, balances=(0.5,), methods=methods, config=config))
    assert [row["method"] for row in rows] == [*methods, POLISH, trade_offs.WAVEFORM]
    for row in rows:
        assert {measure.name for measure in MEASURES} <= row.keys()
    left = {row["method"]: row["style_share_limit"] for row in rows[:-1]}
    assert min(left, key=left.get) == POLISH


def test_paper_rows_have_a_row_for_every_seed(pair_audio):
    config = TransferConfig.paper(n_filters=32, n_iter=3)
    rows = list(trade_offs.paper_rows(*pair_audio, balances=(0.5,), seeds=(0, 1, 2), config=config))
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert len({row["style_share_limit"] for row in rows}) == 3


def test_matched_rows_move_away_from_the_content_up_to_the_filter_alone(pair_audio):
    config = TransferConfig()
    rows = list(trade_offs.matched_rows(*pair_audio, balances=(0.0, 0.25, 0.5), config=config))
    assert {row["method"] for row in rows} == {MATCHED}
    moved = [row["content_share_limit"] for row in rows]
    assert moved[0] < 0.01 * moved[1], "but for what the round trip of the transform rounds"
    assert moved == sorted(moved)


def test_gain_of_a_reference_does_not_matter(pair_audio, monkeypatch):
    monkeypatch.setattr(trade_offs, "nmf_musaicing", lambda content, style: content)
    monkeypatch.setattr(trade_offs, "cross_synthesis", lambda content, style: 3 * content)
    pair, audio = pair_audio
    rows = {row["method"]: row for row in trade_offs.reference_rows(pair, audio)}
    assert tuple(rows) == trade_offs.REFERENCES
    assert rows[COPY_CONTENT]["style_share_limit"] == pytest.approx(1)
    assert rows[COPY_CONTENT]["content_share_limit"] == 0
    for measure in MEASURES:
        same = pytest.approx(rows[trade_offs.MUSAICING][measure.name], rel=1e-4, abs=1e-5, nan_ok=True)
        assert rows[trade_offs.CROSS][measure.name] == same


def test_polish_is_measured_against_the_magnitudes(pair_audio):
    config = replace(GRAM, n_iter=3, n_filters=16)
    rows = list(trade_offs.polish_rows(*pair_audio, balances=(0.5,), config=config))
    assert [row["method"] for row in rows] == ["magnitudes", *trade_offs.PHASES, POLISH]
    assert rows[0]["over_optimum_fresh"] == rows[0]["over_optimum_limit"] == 1
    share = {row["method"]: row["style_share_fresh"] / row["over_optimum_fresh"] for row in rows}
    assert list(share.values()) == pytest.approx([rows[0]["style_share_fresh"]] * len(rows))


def test_scoreboard_counts_pairs():
    rows = []
    for pair, gain in (("a", 0.1), ("b", -0.1)):
        for method, balance, shift in ((PAPER, 0.5, 0.0), (POLISH, 0.5, gain), (COPY_CONTENT, np.nan, 0)):
            measures = dict.fromkeys(trade_offs.CONTENT_MEASURES, 0.5 + shift)
            measures |= dict.fromkeys(trade_offs.TIMBRE_MEASURES, 0.5 - shift)
            if method == COPY_CONTENT:
                measures = dict.fromkeys(measures, 1.0)
            rows.append({"pair": pair, "method": method, "balance": balance, **measures})
    board = trade_offs.scoreboard(pd.DataFrame(rows), [(POLISH, PAPER)])
    assert board.shape == (1, len(trade_offs.CONTENT_MEASURES) * len(trade_offs.TIMBRE_MEASURES))
    assert (board == "1 of 2").all(axis=None)


def test_distance_to_a_target_is_none_for_the_target(pair_audio, content):
    pair, audio = pair_audio
    known = PairAudio(audio.content, audio.style, content, SR)
    rows = list(trade_offs.target_rows(pair, known, config=replace(GRAM, n_iter=2)))
    found = {row["method"]: row["target_distance_db"] for row in rows}
    assert found[COPY_CONTENT] == pytest.approx(0, abs=1e-3)
    assert found["polish, balance 0.3, kernel 11"] > 0.1


def test_bars_reach_from_the_least_seed_to_the_largest():
    table = _table(*(["a", PAPER, 0.5, x, y] for x, y in ((0.4, 10.0), (0.5, 10.0), (0.9, 40.0))))
    ax = plt.figure().subplots()
    trade_offs.draw_curves(table, ax=ax, x="chroma_similarity", y="mfcc_frechet")
    horizontal, vertical = (bar.get_segments()[0] for bar in ax.containers[0][2])
    assert horizontal == pytest.approx(np.array([[0.4, 20.0], [0.9, 20.0]]))
    assert vertical == pytest.approx(np.array([[0.6, 10.0], [0.6, 40.0]]))
