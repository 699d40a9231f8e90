"""Numbers of a pair by several methods, and what is said of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.sound.levels import rms
from audiostyle.studies import pairs
from audiostyle.studies.pairs import (
    COPY_CONTENT,
    COPY_STYLE,
    EQUALISER,
    MATCHED,
    PLAIN,
    POLISH,
    by_balance,
    findings,
    gaps,
    methods,
    numbers,
    panels,
    run_pair,
)
from audiostyle.studies.presets import get_preset

SMOKE = get_preset("smoke")


@pytest.fixture(scope="module")
def runs():
    pair = get_pair("instrument-1", "bundled")
    few = {
        name: replace(config, n_iter=3, polish_iter=2, griffin_lim_iter=3)
        for name, config in methods(SMOKE).items()
    }
    return [run_pair(pair, SMOKE, config, progress=False) for config in few.values()]


def test_every_table_has_the_references_and_its_own_method(runs):
    assert [run.method for run in runs] == ["256 filters, Griffin-Lim", PLAIN, POLISH, MATCHED]
    for run in runs:
        assert run.table["method"].tolist() == [COPY_CONTENT, COPY_STYLE, EQUALISER, run.method]
    assert 0 < runs[0].row(EQUALISER).content_share_fresh < 1


def test_matched_timbre_needs_no_phase(runs):
    row = runs[-1].row()
    assert pd.isna(row.spectral_convergence_db)
    assert pd.isna(row.phase)
    assert runs[0].row().phase == "griffin_lim"
    assert [run.row().phase for run in runs[1:3]] == ["griffin_lim", "polish"]


def test_references_are_shown_once(runs):
    shown = numbers(*(run.table for run in runs))
    assert shown.index.tolist() == [COPY_CONTENT, COPY_STYLE, EQUALISER, *(run.method for run in runs)]
    assert shown.loc[MATCHED, "spectral convergence (dB)"] == "–"
    assert list(panels(*runs))[-1] == f"result, {MATCHED}"


def test_findings_say_nearer_only_where_it_is(runs):
    said = findings(*runs).splitlines()
    assert [line.split("*: ")[0] for line in said[:-3]] == [
        "* *Equaliser",
        "* *256 filters, Griffin-Lim",
        "* *Infinite, Griffin-Lim",
        "* *Infinite, polish",
        "* *Matched timbre",
    ]
    assert "magnitudes optimised" in said[1]
    assert "magnitudes optimised" not in said[4]
    before = runs[0].row(COPY_CONTENT)
    for run, line in zip(runs, said[1:5], strict=True):
        timbre, target = line.split("; ")[2:4]
        assert timbre.endswith("nearer") == (run.row().mfcc_frechet < before.mfcc_frechet)
        assert ("nearer" in target) == (run.row().target_distance_db < before.target_distance_db)


def test_the_equaliser_is_compared_column_by_column(runs):
    matched = runs[-1]
    for change, count in ((1, "in 7 of 7"), (-1, "in 0 of 7 columns: none")):
        table = matched.table.set_index("method").astype(object)
        for name, (_, sign) in pairs._BETTER.items():
            table.loc[MATCHED, name] = table.loc[EQUALISER, name] + change * sign
        said = pairs.against_equaliser(replace(matched, table=table.reset_index()))
        assert said.startswith(f"Against the equaliser *{MATCHED}* is better {count}")
    assert pairs.against_equaliser(matched) in findings(*runs)


def test_left_by_floor_is_the_ratio_of_the_table_at_its_floor(runs):
    left = pairs.left_by_floor(*runs)
    assert left.index.tolist() == [EQUALISER, *(run.method for run in runs)]
    for run in runs:
        ratio = run.row().mfcc_frechet / run.row(COPY_CONTENT).mfcc_frechet
        assert left.loc[run.method, 60] == pytest.approx(ratio)
        assert left.loc[run.method, 80] != pytest.approx(ratio)


def test_levels_at_the_floor_of_the_decibels_are_said_to_be_so(runs, monkeypatch):
    monkeypatch.setattr(pairs, "gaps", lambda *_: pd.Series({"content": -79.0, MATCHED: -80.0}))
    assert f"-79 dB in *content*, -80 dB or less in *{MATCHED}*" in findings(*runs)


def test_every_result_is_judged_at_the_level_of_the_computation(runs):
    matched = runs[-1].result
    assert rms(matched.y_computed) == pytest.approx(matched.config.level, rel=0.02)


def test_notes_onsets_and_pitch_are_kept_by_the_content_alone(runs):
    copy, style = runs[0].row(COPY_CONTENT), runs[0].row(COPY_STYLE)
    assert (copy.chroma_similarity, copy.onset_f, copy.pitch_agreement) == pytest.approx((1, 1, 1))
    assert style.onset_f < 1
    assert style.pitch_agreement < 1
    assert style.mfcc_frechet == pytest.approx(0, abs=1e-3)


def test_references_are_measured_once(runs, monkeypatch):
    asked = []
    monkeypatch.setattr(pairs, "_MEASURED", {})
    monkeypatch.setattr(pairs, "pitch_agreement", lambda y, *_: asked.append(y) or 0.5)
    for run in runs[:2]:
        pairs.score(run.pair, run.audio, run.result, n_fresh=16)
    assert len(asked) == 3 + 2, "the two copies, the equaliser, and two results"
    other = pairs.score(runs[0].pair, runs[0].audio, runs[0].result, n_fresh=32)
    assert len(asked) == 3 + 2 + 4, "another judge measures anew"
    assert other["style_loss_fresh"][1] == pytest.approx(0, abs=1e-3), "the style under its own judge"


def test_less_of_the_filter_keeps_more_of_the_content():
    pair = get_pair("instrument-1", "bundled")
    preset = replace(SMOKE, config=replace(SMOKE.config, griffin_lim_iter=2))
    table = by_balance(pair, preset, (0.1, 0.5))
    assert table.index.tolist() == [(PLAIN, 0.1), (PLAIN, 0.5), (MATCHED, 0.1), (MATCHED, 0.5)]
    ratio = table["mfcc_frechet_ratio"]
    assert ratio[MATCHED, 0.5] < ratio[MATCHED, 0.1] < 1
    assert (table.loc[MATCHED, "chroma_similarity"] > 0.5).all()


def test_gaps_are_filled_by_what_is_added_to_them(runs):
    levels = gaps(*runs)
    assert list(levels.index) == ["content", *(run.method for run in runs)]
    assert -80 <= levels["content"] <= -60
    noise = 0.01 * np.random.default_rng(0).normal(size=runs[0].result.y.shape).astype(np.float32)
    noisy = replace(runs[0], result=replace(runs[0].result, y=runs[0].result.y + noise))
    assert gaps(noisy).iloc[1] > gaps(runs[0]).iloc[1] + 5
    assert findings(*runs).endswith(f"highest in *{levels.idxmax()}*.")
