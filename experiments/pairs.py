"""The six pairs by every method: transferred, scored, put into words, drawn and written; notebooks 00, 03 to 06, 09.

``audiostyle pairs`` writes the same table without notebooks.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.config import TransferConfig
from audiostyle.datasets.clips import Pair, PairAudio, load_pair
from audiostyle.figures.optimisation import show_optimisation
from audiostyle.figures.spectrograms import show_differences, show_triptych
from audiostyle.measures import table as measures
from audiostyle.measures.table import (
    COPY_CONTENT,
    COPY_STYLE,
    EQUALISER,
    MATCHED,
    method_name,
    references_and_result,
)
from audiostyle.measures.timbre import mfcc_frechet_distance
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import RANGE_DB, magnitudes, to_decibels
from audiostyle.transfer import TransferResult, transfer_style
from audiostyle.widgets import renders
from experiments.presets import Preset
from experiments.results import Results

# The Gram matrix at infinite width: the phase found by Algorithm 1 from a random start, or the sound polished.
PLAIN, POLISH = "infinite, Griffin-Lim", "infinite, polish"
# Columns in which a result can be better, what a sentence calls them, and whether more or less is better.
_BETTER = {
    "content_share_fresh": ("content loss", -1),
    "style_share_fresh": ("style loss", -1),
    "chroma_similarity": ("chroma", 1),
    "onset_f": ("onset F", 1),
    "style_distance": ("style distance", -1),
    "mfcc_frechet": ("MFCC Fréchet distance", -1),
    "target_distance_db": ("distance to the known target", -1),
}
# Column, heading and format of the table that a notebook shows.
_SHOWN = (
    ("content_share_fresh", "content loss / E", "{:z.3f}"),
    ("style_share_fresh", "style loss / content's own", "{:z.3f}"),
    ("spectral_convergence_db", "spectral convergence (dB)", "{:.1f}"),
    ("chroma_similarity", "chroma to content", "{:.3f}"),
    ("onset_f", "onset F to content", "{:.2f}"),
    ("style_distance", "distance to style", "{:.3f}"),
    ("mfcc_frechet", "MFCC Fréchet distance to style", "{:.1f}"),
    ("target_distance_db", "distance to target (dB)", "{:.1f}"),
)
# Cells of the content so far under its loudest are its gaps.
_GAP_DB = -60.0


class PairRun(NamedTuple):
    """A pair as loaded, its transfer, and rows for the result, the two copies and the equaliser (`score`)."""

    pair: Pair
    audio: PairAudio
    result: TransferResult
    table: pd.DataFrame

    @property
    def method(self) -> str:
        """What tables and figures call the method of this run."""
        return method_name(self.result.config)

    @property
    def caption(self) -> str:
        """The pair and the edition, for the title of a figure or a row of players."""
        return f"{self.pair.title} · {self.pair.edition} clips"

    def row(self, method: str | None = None) -> pd.Series:
        """Return the numbers of one row of the table, by default those of the result."""
        return self.table.set_index("method").loc[method or self.method]


def run_pair(
    pair: Pair, preset: Preset, config: TransferConfig | None = None, *, progress: bool = True
) -> PairRun:
    """Load, transfer and score a pair, by the preset's settings unless others are given."""
    config = config or preset.config
    audio = load_pair(pair, duration=preset.duration, sr=config.sr)
    result = transfer_style(audio.content, audio.style, audio.sr, config, progress=progress)
    return PairRun(pair, audio, result, score(pair, audio, result, n_fresh=preset.config.n_filters))


def score(pair: Pair, audio: PairAudio, result: TransferResult, *, n_fresh: int = 4096) -> pd.DataFrame:
    """Score a transfer of a pair (`audiostyle.measures.table.score`), with columns ``pair`` and ``edition``."""
    table = measures.score(result, audio.content, audio.style, audio.target, n_fresh=n_fresh)
    table.insert(0, "pair", pair.pair)
    table.insert(1, "edition", pair.edition)
    return table


def by_balance(pair: Pair, preset: Preset, balances: Sequence[float]) -> pd.DataFrame:
    """Transfer a pair at several balances, by matched timbre and by the Gram matrix (``"plain"`` of the preset).

    What is optimised gets its phase from Griffin-Lim, above balance 0.5 after matched timbre too: a polish would take
    most of the time. ``mfcc_frechet_ratio`` is the distance to the style over the content's own.
    """
    rows = []
    work = {name: getattr(preset.config, name) for name in ("n_iter", "phase")}
    for balance in balances:
        for name in ("plain", "matched"):
            run = run_pair(pair, preset, replace(preset.methods(balance)[name], **work), progress=False)
            row = run.row()
            kept = row[["chroma_similarity", "onset_f"]]
            ratio = row.mfcc_frechet / run.row(COPY_CONTENT).mfcc_frechet
            rows.append({"method": run.method, "balance": balance, **kept, "mfcc_frechet_ratio": ratio})
    return pd.DataFrame(rows).set_index(["method", "balance"]).sort_index()


def panels(*runs: PairRun, target: bool = True) -> dict[str, np.ndarray]:
    """Return what is shown and heard side by side: content, style, the known target if any, and each result.

    Titles and waveforms [shape=(n_samples,)], at the level of the computation.
    """
    first = runs[0]
    sounds = references_and_result(first.audio.content, first.audio.style, first.result)
    shown = {"content": sounds[COPY_CONTENT], "style": sounds[COPY_STYLE]}
    if target and first.audio.target is not None:
        shown["known target"] = set_level(first.audio.target, first.result.config.level)
    return shown | {f"result, {run.method}": run.result.y_computed for run in runs}


def findings(*runs: PairRun) -> str:
    """Return the numbers of one pair in words: a list in Markdown, an item for each method and the equaliser."""
    before, other = runs[0].row(COPY_CONTENT), runs[0].row(COPY_STYLE)
    items = [finding(EQUALISER, runs[0].row(EQUALISER), before)]
    for run in runs:
        item = finding(run.method, run.row(), before)
        if len(run.result.convergence):  # magnitudes were optimised
            own = run.row().style_share_optimised
            item += f" Of the magnitudes optimised, under the filters optimised, {own:.1%} remained."
        items.append(item)
    items.append(f"The style itself, put in the content's place: {_kept(other)}.")
    items += [against_equaliser(run) for run in runs if run.method == MATCHED]
    between = gaps(*runs)
    levels = ", ".join(
        f"{level:.0f} dB{' or less' if level <= -RANGE_DB else ''} in *{name}*"
        for name, level in between.items()
    )
    items.append(
        f"Where the content is {-_GAP_DB:.0f} dB or more under its loudest cell, the median level is {levels}: "
        f"highest in *{between.idxmax()}*."
    )
    return "\n".join(f"* {item}" for item in items)


def finding(method: str, row: pd.Series, before: pd.Series) -> str:
    """Return one row of a table (`score`) in words, beside the row of the content, `before`."""
    ratio = row.mfcc_frechet / before.mfcc_frechet
    item = (
        f"*{method[0].upper()}{method[1:]}*: {row.style_share_fresh:.0%} of the content's style loss remains; "
        f"{_kept(row)}; the MFCC Fréchet distance to the style is {ratio:.2f} times the content's, "
        f"{'nearer' if ratio < 1 else 'farther away'}"
    )
    if pd.isna(row.target_distance_db):
        return f"{item}."
    nearer = "nearer" if row.target_distance_db < before.target_distance_db else "farther away"
    return (
        f"{item}; the distance to the known target goes from {before.target_distance_db:.1f} to "
        f"{row.target_distance_db:.1f} dB, {nearer}."
    )


def _kept(row: pd.Series) -> str:
    return f"chroma {row.chroma_similarity:.2f}, onset F {row.onset_f:.2f}"


def against_equaliser(run: PairRun) -> str:
    """Say in which columns of the table a result is better than the content through one fixed filter."""
    own, other = run.row(), run.row(EQUALISER)
    compared = {heading: sign * (own[name] - other[name]) for name, (heading, sign) in _BETTER.items()}
    compared = {heading: gain for heading, gain in compared.items() if not pd.isna(gain)}
    better = [heading for heading, gain in compared.items() if gain > 0]
    return (
        f"Against the equaliser *{run.method}* is better in {len(better)} of {len(compared)} columns: "
        f"{', '.join(better) or 'none'}."
    )


def gaps(*runs: PairRun) -> pd.Series:
    """Return what fills the gaps of the content: the median level in dB of cells 60 dB under its loudest or more."""
    spectra = {name: magnitudes(y) for name, y in panels(*runs, target=False).items() if name != "style"}
    reference = spectra["content"].max()
    levels = {name: to_decibels(S, reference) for name, S in spectra.items()}
    empty = levels["content"] <= _GAP_DB
    medians = {name: float(np.median(level[empty])) for name, level in levels.items()}
    return pd.Series(medians).rename(lambda name: name.removeprefix("result, "))


def left_by_floor(*runs: PairRun, floors: tuple[float, ...] = (60.0, 80.0)) -> pd.DataFrame:
    """Return the MFCC Fréchet distance to the style over the content's own, for floors in dB under each clip's peak.

    A row for the equaliser and each method of one pair, a column for each floor.
    """
    first = runs[0]
    sounds = references_and_result(first.audio.content, first.audio.style, first.result)
    sounds |= {run.method: run.result.y_computed for run in runs}
    style, sr = sounds.pop(COPY_STYLE), first.result.config.sr
    distances = pd.DataFrame(
        {
            floor: {name: mfcc_frechet_distance(y, style, sr, range_db=floor) for name, y in sounds.items()}
            for floor in floors
        }
    )
    return distances.drop(index=COPY_CONTENT) / distances.loc[COPY_CONTENT]


def numbers(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return tables of `score`, of one edition, as a notebook shows them: text, a dash where nothing applies.

    Every number is of the final sound, both losses under a bank of filters that was never optimised; the rows of the
    references are shown once for each pair. The corner names the edition.
    """
    table = pd.concat(tables).drop_duplicates(["pair", "method"])
    table = table.set_index(["pair", "method"]).sort_index(level="pair", sort_remaining=False, kind="stable")
    shown = {
        heading: ["–" if pd.isna(value) else form.format(value) for value in table[column]]
        for column, heading, form in _SHOWN
        if column in table and table[column].notna().any()
    }
    frame = pd.DataFrame(shown, index=table.index.set_names([None, None]))
    if table.index.get_level_values("pair").nunique() == 1:
        frame = frame.droplevel(0)
    return frame.rename_axis(columns=f"{table['edition'].iloc[0]} clips")


def overview(runs: dict[str, PairRun]) -> Figure:
    """Draw content, style, the paper's way and matched timbre on one scale; `runs` as by `Preset.methods`."""
    return _triptych(runs["paper"], runs["matched"], target=False)


def detail(runs: dict[str, PairRun]) -> Figure:
    """Draw two seconds of the content, and what the paper's way, its limit and matched timbre changed there."""
    chosen = [runs[name] for name in ("paper", "infinite", "matched")]
    sounds = panels(*chosen, target=False)
    content, _ = sounds.pop("content"), sounds.pop("style")
    short = {name.removeprefix("result, "): y for name, y in sounds.items()}
    return show_differences(content, short, sr=chosen[0].result.sr, title=chosen[0].caption)


def curves(runs: dict[str, PairRun]) -> Figure:
    """Draw losses and phase of the paper's way and of its limit, with the polish."""
    own = {runs[name].method: runs[name].result for name in ("paper", "infinite")}
    return show_optimisation(own, title=runs["paper"].caption)


def _triptych(*runs: PairRun, target: bool = True) -> Figure:
    return show_triptych(panels(*runs, target=target), sr=runs[0].result.sr, title=runs[0].caption)


def write_runs(runs: Sequence[PairRun], results: Results) -> None:
    """Write the runs of one pair: rows into ``pairs.csv``, one figure, sound, and settings into the manifest.

    A result of random filters, which takes minutes, is kept for `audiostyle.widgets.pair_explorer.PairExplorer` too.
    """
    pair = runs[0].pair
    table = pd.concat([run.table for run in runs]).drop_duplicates("method")
    results.update_table(table, "pairs", keys=["pair", "method"])
    figure = _triptych(*runs)
    results.save_figure(figure, pair.pair)
    plt.close(figure)  # or a notebook would show it a second time
    for run in runs:
        if run.result.config.encoder == "random":
            store_run(run)
        name = f"{pair.pair}-{run.method.replace(',', '').replace(' ', '-')}"
        if pair.edition == "bundled":  # sound made from recordings stays out of the results
            results.save_sound(run.result.y, run.result.sr, name)
        settings = {"config": asdict(run.result.config), "seconds": run.result.seconds}
        results.save_manifest(**{name: settings})


def store_run(run: PairRun) -> None:
    """Keep the result of a whole pair, with its numbers, for the pair explorer."""
    content, style, sr = run.audio.content, run.audio.style, run.audio.sr
    rendered = renders.rendered(run.result, content, style, sr)
    renders.store(run.pair, len(content) / sr, rendered)


def fill_grid(
    pair: Pair, preset: Preset, balances: Sequence[float], *, methods: Sequence[str] = renders.METHODS
) -> dict[tuple[str, float], renders.Rendered]:
    """Make sure that results of a pair are stored for the pair explorer; returns them by method and balance."""
    found, audio = {}, load_pair(pair, duration=preset.duration)
    for method in methods:
        for balance in balances:
            config = renders.method_config(method, balance, preset)
            kept = renders.load_stored(pair, preset.duration, config)
            if kept is None:
                kept, _ = renders.render(audio.content, audio.style, audio.sr, config)
                renders.store(pair, preset.duration, kept)
            found[method, balance] = kept
    return found


def levelled(audio: PairAudio, level: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return content and style at one level."""
    return set_level(audio.content, level), set_level(audio.style, level)
