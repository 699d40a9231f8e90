"""Numbers of a pair by several methods, and what is said of them."""

from dataclasses import replace

import pandas as pd
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.sound.levels import rms
from audiostyle.studies.pairs import (
    COPY_CONTENT,
    COPY_STYLE,
    EQUALISER,
    MATCHED,
    findings,
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
    assert [run.method for run in runs] == ["256 filters", "infinite width", MATCHED]
    for run in runs:
        assert run.table["method"].tolist() == [COPY_CONTENT, COPY_STYLE, EQUALISER, run.method]
    assert 0 < runs[0].row(EQUALISER).content_share_fresh < 1


def test_matched_timbre_needs_no_phase(runs):
    row = runs[-1].row()
    assert pd.isna(row.spectral_convergence_db)
    assert pd.isna(row.phase)
    assert runs[0].row().phase == "griffin_lim"
    assert runs[1].row().phase == "polish"


def test_references_are_shown_once(runs):
    shown = numbers(*(run.table for run in runs))
    assert shown.index.tolist() == [COPY_CONTENT, COPY_STYLE, EQUALISER, *(run.method for run in runs)]
    assert shown.loc[MATCHED, "spectral convergence (dB)"] == "–"
    assert list(panels(*runs))[-1] == f"result, {MATCHED}"


def test_findings_say_nearer_only_where_it_is(runs):
    said = findings(*runs).splitlines()
    assert [line.split("*: ")[0] for line in said[:-1]] == [
        "* *Equaliser",
        "* *256 filters",
        "* *Infinite width",
        "* *Matched timbre",
    ]
    assert "magnitudes optimised" in said[1]
    assert "magnitudes optimised" not in said[3]
    before = runs[0].row(COPY_CONTENT)
    for run, line in zip(runs, said[1:4], strict=True):
        timbre, target = line.split("; ")[2:4]
        assert timbre.endswith("nearer") == (run.row().mfcc_distance < before.mfcc_distance)
        assert ("nearer" in target) == (run.row().target_distance_db < before.target_distance_db)


def test_every_result_is_judged_at_the_level_of_the_computation(runs):
    matched = runs[-1].result
    assert rms(matched.y_computed) == pytest.approx(matched.config.level, rel=0.02)
