from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.measures.table import MATCHED, MEASURES
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from experiments import trade_offs
from experiments.presets import GRAM
from experiments.results import Results
from experiments.trade_offs import PAPER, PHASES, POLISH, REFERENCES
from tests.signals import SR

OF_SOUND = {measure.name for measure in MEASURES} - {"target_distance_db"}


@pytest.fixture
def pair_audio(content, style):
    pair = Pair("toy", "bundled", "toy", "toy", "", 0.0, "", 0.0, "", 0.0, "", 0)
    return pair, PairAudio(content, style, None, SR)


def test_of_the_same_magnitudes_the_polish_leaves_the_least_style_loss(pair_audio):
    config = replace(GRAM, n_iter=5, n_filters=64)
    rows = list(trade_offs.curve_rows(*pair_audio, balances=(0.5,), config=config))
    assert tuple(row["method"] for row in rows) == PHASES
    assert all(row.keys() >= OF_SOUND for row in rows)
    left = {row["method"]: row["over_magnitudes"] for row in rows}
    assert min(left, key=left.get) == POLISH


def test_a_sound_with_the_magnitudes_that_were_optimised_loses_nothing(pair_audio, monkeypatch):
    pair, audio = pair_audio
    y, half = set_level(audio.content), SimpleNamespace(x=log_magnitude(0.5 * set_level(audio.content)))
    monkeypatch.setattr(trade_offs, "phase_sounds", lambda *_: {"as it is": 0.5 * y, "louder": y})
    monkeypatch.setattr(trade_offs, "optimise", lambda *_: half)
    rows = list(trade_offs.curve_rows(pair, audio, balances=(0.5,), config=replace(GRAM, n_filters=64)))
    assert rows[0]["over_magnitudes"] == pytest.approx(1, rel=1e-6)
    assert rows[1]["over_magnitudes"] != pytest.approx(1, rel=0.01)


def test_matched_rows_move_away_from_the_content_up_to_the_filter_alone(pair_audio):
    rows = list(trade_offs.matched_rows(*pair_audio, balances=(0.0, 0.25, 0.5)))
    assert {row["method"] for row in rows} == {MATCHED}
    moved = [row["content_share_limit"] for row in rows]
    assert moved[0] < 0.01 * moved[1], "but for what the round trip of the transform rounds"
    assert moved == sorted(moved)


def test_kernels_are_those_asked_for_and_the_command_keeps_other_rows(pair_audio, monkeypatch):
    pair, audio = pair_audio
    small = replace(GRAM, n_iter=2)
    rows = list(trade_offs.kernel_rows(pair, audio, kernels=(1, 3), config=small))
    assert [row["kernel_size"] for row in rows] == [1, 3]
    assert rows[0]["style_share_limit"] != rows[1]["style_share_limit"]
    assert {row["balance"] for row in rows} == {trade_offs.KERNEL_BALANCE}
    results = Results("paper", "recorded")
    results.save_table(pd.DataFrame(rows).assign(pair="other"), "kernels")
    monkeypatch.setattr(trade_offs.clips, "load_pair", lambda pair: audio)
    monkeypatch.setattr(trade_offs, "KERNEL_PAIRS", ("speech-1",))
    monkeypatch.setattr(trade_offs, "kernel_rows", lambda pair, audio: iter([rows[0] | {"pair": pair.pair}]))
    for name in ("curve_rows", "matched_rows", "paper_rows"):
        monkeypatch.setattr(trade_offs, name, lambda pair, audio: iter([rows[0] | {"pair": pair.pair}]))
    trade_offs.main(["--pairs", "speech-1"])
    assert results.load_table("kernels")["pair"].tolist() == ["other", "other", "speech-1"]
    assert set(results.load_table("trade_offs")["method"]) == {POLISH, *REFERENCES}


def test_the_figure_of_the_balance_has_the_means_over_pairs():
    curve = [["ab"[i % 2], POLISH, b, x, 0.1, 30.0, 1.1] for i, (b, x) in enumerate([(0.3, 0.8), (0.3, 0.6)])]
    others = [["a", method, np.nan, 0.5, 0.2, 40.0, np.nan] for method in (PAPER, MATCHED, *REFERENCES)]
    columns = ["pair", "method", "balance", *trade_offs.LABELS, "over_magnitudes"]
    ax = trade_offs.show_balance(pd.DataFrame([*curve, *others], columns=columns)).axes[0]
    line = next(line for line in ax.get_lines() if line.get_label() == POLISH)
    assert line.get_xdata() == pytest.approx([0.7])
    assert [text.get_text() for text in ax.texts] == ["0.3"]
