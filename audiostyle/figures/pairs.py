"""Figures of the pairs, and their files written with tables, sound and settings."""

from collections.abc import Sequence
from dataclasses import asdict

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.datasets.clips import Pair
from audiostyle.figures.optimisation import show_optimisation
from audiostyle.figures.spectrograms import show_differences, show_triptych
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
        name = f"{pair.pair}-{run.method.replace(',', '').replace(' ', '-')}"
        if pair.edition == "bundled":  # sound made from recordings stays out of the results
            results.save_sound(run.result.y, run.result.sr, name)
        settings = {"config": asdict(run.result.config), "seconds": run.result.seconds}
        results.save_manifest(**{name: settings})


def triptych(*runs: PairRun, target: bool = True) -> Figure:
    """Draw content, style, the known target if any and wanted, and the results on one scale."""
    return show_triptych(panels(*runs, target=target), sr=runs[0].result.sr, title=runs[0].caption)


def overview(runs: dict[str, PairRun]) -> Figure:
    """Draw content, style, the paper's way and matched timbre on one scale; `runs` as by `methods`."""
    return triptych(runs["paper"], runs["matched"], target=False)


def detail(runs: dict[str, PairRun]) -> Figure:
    """Draw two seconds of the content, and what the paper's way, its limit and matched timbre changed there."""
    chosen = [runs[name] for name in ("paper", "infinite", "matched")]
    sounds = panels(*chosen, target=False)
    content = sounds.pop("content")
    del sounds["style"]
    short = {name.removeprefix("result, "): y for name, y in sounds.items()}
    return show_differences(content, short, sr=chosen[0].result.sr, title=chosen[0].caption)


def curves(runs: dict[str, PairRun]) -> Figure:
    """Draw losses and phase of the paper's way and of its limit, with the polish."""
    own = {runs[name].method: runs[name].result for name in ("paper", "infinite")}
    return show_optimisation(own, title=runs["paper"].caption)
