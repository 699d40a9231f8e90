"""Figures of the pairs, and their files written with tables, sound and settings."""

from collections.abc import Sequence
from dataclasses import asdict

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.datasets.clips import Pair
from audiostyle.figures.spectrograms import show_triptych
from audiostyle.studies.pairs import PairRun, methods, panels, run_pair
from audiostyle.studies.presets import Preset
from audiostyle.studies.renders import store_run
from audiostyle.studies.results import Results


def write_pair(pair: Pair, preset: Preset, results: Results) -> list[PairRun]:
    """Run a pair by all `methods` and write its numbers, figures and sound, as its notebook does."""
    runs = [run_pair(pair, preset, config) for config in methods(preset).values()]
    write_runs(runs, results)
    return runs


def write_runs(runs: Sequence[PairRun], results: Results) -> None:
    """Write the runs of one pair: rows into ``pairs.csv``, one figure, sound, and settings into the manifest.

    A result of random filters, which takes minutes, is kept for `audiostyle.widgets.pair_explorer.PairExplorer` too.
    """
    pair = runs[0].pair
    table = pd.concat([run.table for run in runs]).drop_duplicates("method")
    results.update_table(table, "pairs", keys=["pair", "method"])
    figure = triptych(*runs)
    results.save_figure(figure, pair.pair)
    plt.close(figure)  # or a notebook would show it a second time
    for run in runs:
        if run.result.config.encoder == "random":
            store_run(pair, run.audio, run.result)
        name = f"{pair.pair}-{run.method.replace(' ', '-')}"
        if pair.edition == "bundled":  # sound made from recordings stays out of the results
            results.save_sound(run.result.y, run.result.sr, name)
        settings = {"config": asdict(run.result.config), "seconds": run.result.seconds}
        results.save_manifest(**{name: settings})


def triptych(*runs: PairRun) -> Figure:
    """Draw content, style and the results of one pair on one scale; the title names the pair and the edition."""
    return show_triptych(panels(*runs), sr=runs[0].result.sr, title=runs[0].caption)
