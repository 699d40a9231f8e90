"""Numbers of a pair by several methods."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.sound.levels import rms
from experiments import pairs
from experiments.pairs import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED, PLAIN, POLISH
from experiments.presets import get_preset
from experiments.results import Results

SMOKE = get_preset("smoke")


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
    assert (copy.chroma_similarity, copy.onset_f, copy.pitch_agreement) == pytest.approx((1, 1, 1))
    assert style.onset_f < 1
    assert style.pitch_agreement < 1
    assert style.mfcc_frechet == pytest.approx(0, abs=1e-3)


def test_findings_give_what_is_left_of_the_content(runs):
    said = pairs.findings(*runs).splitlines()
    rows = [runs[0].row(EQUALISER), *(run.row() for run in runs)]
    before = runs[0].row(COPY_CONTENT).mfcc_frechet
    for row, line in zip(rows, said, strict=True):
        numbers = (
            f"{row.style_share_fresh:.0%}",
            f"{row.mfcc_frechet / before:.2f}",
            f"{row.chroma_similarity:.2f}",
        )
        assert line.startswith(f"* *{row.name[0].upper()}{row.name[1:]}* leaves")
        assert re.findall(r"[\d.]+\d%?", line.partition("leaves")[2]) == list(numbers)


def test_left_by_floor_is_the_ratio_of_the_table_at_its_floor(runs):
    left = pairs.left_by_floor(*runs)
    assert left.index.tolist() == [EQUALISER, *(run.method for run in runs)]
    for run in runs:
        ratio = run.row().mfcc_frechet / run.row(COPY_CONTENT).mfcc_frechet
        assert left.loc[run.method, 60] == pytest.approx(ratio)
        assert left.loc[run.method, 80] != pytest.approx(ratio)


@pytest.mark.parametrize("edition", ["bundled", "recorded"])
def test_sound_made_from_recordings_stays_out_of_the_results(runs, edition):
    run = runs[1]._replace(pair=runs[1].pair._replace(edition=edition))
    results = Results("smoke", edition)
    pairs.write_runs([run], results)
    assert (results.folder / "figures" / "instrument-1.png").is_file()
    sounds = [path.suffix for path in results.folder.rglob("*") if path.parent.name == "audio"]
    assert sounds == ([".ogg"] if edition == "bundled" else [])
