from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audiostyle.config import TransferConfig
from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.measures.table import MEASURES
from audiostyle.studies import trade_offs
from audiostyle.studies.trade_offs import POLISH, at_equal, dominance
from experiments.pairs import COPY_CONTENT, MATCHED
from experiments.presets import GRAM

SR = 22050


@pytest.fixture
def pair_audio(content, style):
    pair = Pair("toy", "bundled", "toy", "toy", "", 0.0, "", 0.0, "", 0.0, "", 0)
    return pair, PairAudio(content, style, None, SR)


def test_at_equal_interpolates_and_refuses_to_extrapolate():
    curve = pd.DataFrame({"x": [0.2, 0.8, 0.4], "y": [2.0, 8.0, 4.0]})
    assert at_equal(curve, "x", "y", 0.5) == pytest.approx(5)
    assert np.isnan(at_equal(curve, "x", "y", 0.9))
    assert np.isnan(at_equal(curve.iloc[:0], "x", "y", 0.5))


def test_dominance_of_a_better_and_of_a_worse_curve():
    columns = ["pair", "method", "balance", "chroma_similarity", "mfcc_frechet"]
    point = [["a", trade_offs.PAPER, 0.5, 0.7, 40.0], ["a", trade_offs.PAPER, 0.5, 0.7, 44.0]]
    other = [["a", trade_offs.PAPER, 0.8, 0.1, 1.0], ["a", COPY_CONTENT, np.nan, 1.0, 100.0]]
    for curve, better in (([[0.9, 50.0], [0.6, 20.0]], True), ([[0.9, 90.0], [0.6, 60.0]], False)):
        rows = [["a", POLISH, 0.5, x, y] for x, y in curve]
        table = pd.DataFrame(point + other + rows, columns=columns)
        (row,) = dominance(table).to_dict("records")
        assert row["mfcc_frechet"] == 42
        assert row["better"] is better
        assert row["timbre_at_equal_content"] == pytest.approx(curve[1][1] + 10.0)


def test_less_than_the_margin_is_a_tie_and_a_reference_is_a_point():
    columns = ["pair", "method", "balance", "chroma_similarity", "mfcc_frechet"]
    rows = [
        ["a", POLISH, 0.5, 0.505, 40.0],
        ["a", trade_offs.CROSS, np.nan, 0.5, 40.0],
        ["a", COPY_CONTENT, np.nan, 1.0, 99.0],
    ]
    table = pd.DataFrame(rows, columns=columns)
    for margin, better in ((0.0, True), (0.02, False)):
        (row,) = dominance(table, reference=trade_offs.CROSS, margin=margin).to_dict("records")
        assert row["better"] is better
    (row,) = dominance(table, method=trade_offs.CROSS, reference=POLISH).to_dict("records")
    assert row["better"] is False, "the copy of the content is no part of a point"


def test_curves_have_a_row_for_every_method_and_all_measures(pair_audio):
    config = replace(GRAM, n_iter=5)
    rows = list(
        trade_offs.curve_rows(*pair_audio, balances=(0.5,), methods=tuple(trade_offs.PHASES), config=config)
    )
    assert [row["method"] for row in rows] == [*trade_offs.PHASES, POLISH, trade_offs.WAVEFORM]
    for row in rows:
        assert {measure.name for measure in MEASURES} <= row.keys()
    polish = next(row for row in rows if row["method"] == POLISH)
    assert polish["style_share_limit"] == min(
        row["style_share_limit"] for row in rows if row["method"] != trade_offs.WAVEFORM
    )


def test_paper_rows_have_a_row_for_every_seed(pair_audio):
    config = TransferConfig(encoder="random", n_filters=32, phase="griffin_lim", n_iter=3)
    rows = list(trade_offs.paper_rows(*pair_audio, balances=(0.5,), seeds=(0, 1, 2), config=config))
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert len({row["style_share_limit"] for row in rows}) == 3


def test_matched_rows_move_away_from_the_content_up_to_the_filter_alone(pair_audio):
    rows = list(trade_offs.matched_rows(*pair_audio, balances=(0.0, 0.25, 0.5)))
    assert {row["method"] for row in rows} == {MATCHED}
    moved = [row["content_share_limit"] for row in rows]
    assert moved[0] < 0.01 * moved[1], "but for what the round trip of the transform rounds"
    assert moved == sorted(moved)
    assert moved[2] > moved[1] > 0


def test_references_are_the_copies_the_equaliser_and_two_systems(pair_audio):
    rows = {row["method"]: row for row in trade_offs.reference_rows(*pair_audio)}
    assert tuple(rows) == trade_offs.REFERENCES
    assert rows[COPY_CONTENT]["style_share_limit"] == pytest.approx(1)
    assert rows[COPY_CONTENT]["content_share_limit"] == 0


def test_gain_of_a_reference_does_not_matter(pair_audio, monkeypatch):
    monkeypatch.setattr(trade_offs, "nmf_musaicing", lambda content, style: content)
    monkeypatch.setattr(trade_offs, "cross_synthesis", lambda content, style: 3 * content)
    pair, audio = pair_audio
    short = PairAudio(audio.content[:14000], audio.style[:14000], None, SR)
    rows = {row["method"]: row for row in trade_offs.reference_rows(pair, short)}
    for measure in MEASURES:
        value = rows[trade_offs.CROSS][measure.name]
        assert value == pytest.approx(
            rows[trade_offs.MUSAICING][measure.name], rel=1e-4, abs=1e-6, nan_ok=True
        )


def test_scoreboard_counts_pairs():
    rows = []
    for pair, gain in (("a", 0.1), ("b", -0.1)):
        for method, balance, shift in (
            (trade_offs.PAPER, 0.5, 0.0),
            (POLISH, 0.5, gain),
            (COPY_CONTENT, np.nan, 0),
        ):
            measures = dict.fromkeys(trade_offs.CONTENT_MEASURES, 0.5 + shift)
            measures |= dict.fromkeys(trade_offs.TIMBRE_MEASURES, 0.5 - shift)
            if method == COPY_CONTENT:
                measures = {name: 1.0 for name in measures}
            rows.append({"pair": pair, "method": method, "balance": balance, **measures})
    board = trade_offs.scoreboard(pd.DataFrame(rows), [(POLISH, trade_offs.PAPER)])
    assert board.shape == (1, 9)
    assert (board == "1 of 2").all(axis=None)


def test_target_rows_need_a_target(pair_audio, content):
    pair, audio = pair_audio
    with pytest.raises(ValueError, match="no known target"):
        list(trade_offs.target_rows(pair, audio))
    known = PairAudio(audio.content, audio.style, content, SR)
    config = TransferConfig(n_iter=5)
    rows = {
        row["method"]: row["target_distance_db"] for row in trade_offs.target_rows(pair, known, config=config)
    }
    assert rows[COPY_CONTENT] == pytest.approx(0, abs=1e-3)
    assert rows["polish, balance 0.3, kernel 11"] > 0.1
