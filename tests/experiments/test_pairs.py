"""Numbers of a pair by several methods, and what is said of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audiostyle.datasets.clips import get_pair
from audiostyle.sound.levels import rms
from audiostyle.sound.samples import Sound
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
    assert (copy.chroma_similarity, copy.onset_f) == pytest.approx((1, 1))
    assert style.onset_f < 1
    assert style.style_distance == pytest.approx(0, abs=1e-6)
    assert 0.001 < style.style_floor < 1
    assert style.mfcc_frechet == pytest.approx(0, abs=1e-3)


def test_findings_say_nearer_only_where_it_is(runs):
    said = pairs.findings(*runs).splitlines()
    before = runs[0].row(COPY_CONTENT)
    for run, line in zip(runs, said[1:5], strict=True):
        timbre, target = line.split("; ")[2:4]
        assert timbre.endswith("nearer") == (run.row().mfcc_frechet < before.mfcc_frechet)
        assert ("nearer" in target) == (run.row().target_distance_db < before.target_distance_db)
    assert said[-1].endswith(f"highest in *{pairs.gaps(*runs).idxmax()}*.")
    assert pairs.against_equaliser(runs[-1]) in "\n".join(said)


@pytest.mark.parametrize(("change", "count"), [(1, "in 7 of 7"), (-1, "in 0 of 7 columns: none")])
def test_the_equaliser_is_compared_column_by_column(runs, change, count):
    matched = runs[-1]
    table = matched.table.set_index("method").astype(object)
    for name in table.columns.intersection(["chroma_similarity", "onset_f"]):
        table.loc[MATCHED, name] = table.loc[EQUALISER, name] + change
    for name in (
        "content_share_fresh",
        "style_share_fresh",
        "style_distance",
        "mfcc_frechet",
        "target_distance_db",
    ):
        table.loc[MATCHED, name] = table.loc[EQUALISER, name] - change
    said = pairs.against_equaliser(matched._replace(table=table.reset_index()))
    assert said.startswith(f"Against the equaliser *{MATCHED}* is better {count}")


def test_left_by_floor_is_the_ratio_of_the_table_at_its_floor(runs):
    left = pairs.left_by_floor(*runs)
    assert left.index.tolist() == [EQUALISER, *(run.method for run in runs)]
    for run in runs:
        ratio = run.row().mfcc_frechet / run.row(COPY_CONTENT).mfcc_frechet
        assert left.loc[run.method, 60] == pytest.approx(ratio)
        assert left.loc[run.method, 80] != pytest.approx(ratio)


def test_gaps_are_filled_by_what_is_added_to_them(runs):
    levels = pairs.gaps(*runs)
    assert list(levels.index) == ["content", *(run.method for run in runs)]
    assert -80 <= levels["content"] <= -60
    result = runs[0].result
    noise = 0.01 * np.random.default_rng(0).normal(size=result.y.shape).astype(np.float32)
    noisy = runs[0]._replace(result=replace(result, sound=Sound.of(result.y + noise, result.sr)))
    assert pairs.gaps(noisy).iloc[1] > levels.iloc[1] + 5


@pytest.mark.parametrize("edition", ["bundled", "recorded"])
def test_sound_made_from_recordings_stays_out_of_the_results(runs, edition):
    run = runs[1]._replace(pair=runs[1].pair._replace(edition=edition))
    results = Results("smoke", edition)
    pairs.write_runs([run], results)
    assert (results.folder / "figures" / "instrument-1.png").is_file()
    sounds = [path.suffix for path in results.folder.rglob("*") if path.parent.name == "audio"]
    assert sounds == ([".ogg"] if edition == "bundled" else [])
