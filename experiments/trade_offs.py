"""What balance, phase and kernel length buy: timbre taken against content kept, by method, with reference points.

``python -m experiments.trade_offs`` writes ``trade_offs.csv`` and ``kernels.csv`` into ``results/paper/recorded``; with
``--pairs speech-1,speech-2`` it makes the rows of these pairs and keeps the others.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.config import TransferConfig
from audiostyle.datasets import clips
from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.figures.charts import LINE_COLOURS, MARKERS
from audiostyle.losses import style_loss
from audiostyle.measures.table import (
    COPY_CONTENT,
    COPY_STYLE,
    EQUALISER,
    MATCHED,
    evaluate_sound,
    fresh_encoder,
)
from audiostyle.optimize import Optimum
from audiostyle.phase.griffin_lim import FAST_MOMENTUM, griffin_lim, phase_of
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import make_sound, optimise, transfer_style
from experiments.drawings import separate_labels
from experiments.pairs import PLAIN, POLISH, by_the_paper
from experiments.presets import GRAM, get_preset
from experiments.results import Results
from experiments.truth import CROSS, METHODS, MUSAICING, names_of, told

PAPER, FAST = "the paper", "infinite, fast Griffin-Lim"
REFERENCES = (COPY_CONTENT, COPY_STYLE, EQUALISER, MUSAICING, CROSS)
PHASES = (PLAIN, FAST, POLISH)
BALANCES, MATCHED_BALANCES = (0.3, 0.5, 0.8), (0.25, 0.5, 0.75)
KERNELS, KERNEL_BALANCE = (1, 3, 11, 21), 0.8
# One of each genre.
KERNEL_PAIRS = ("instrument-1", "symphonic-1", "speech-2")
# By measure: what an axis says.
LABELS = {
    "chroma_similarity": "notes kept (chroma cosine to the content) →",
    "style_distance": "← style_distance to the style (notebook 08)",
    "mfcc_frechet": "← MFCC Fréchet distance to the style",
}


def phase_sounds(optimum: Optimum, content: np.ndarray, config: TransferConfig) -> dict[str, np.ndarray]:
    """Return the sounds of an optimum by each of `PHASES`, at the level of the computation."""
    made = {
        name: make_sound(optimum, content, replace(config, phase=phase))[0]
        for name, phase in ((PLAIN, "griffin_lim"), (POLISH, "polish"))
    }
    start = phase_of(set_level(content, config.level))
    made[FAST] = griffin_lim(optimum.S, momentum=FAST_MOMENTUM, init=start, length=len(content))
    return {name: made[name] for name in PHASES}


def curve_rows(
    pair: Pair, audio: PairAudio, *, balances: Sequence[float] = BALANCES, config: TransferConfig = GRAM
) -> Iterator[dict]:
    """Yield a row at every balance for each of `PHASES`, of the same magnitudes.

    ``over_magnitudes`` is the style loss of the sound over that of the magnitudes, under filters never optimised.
    """
    judge = fresh_encoder(config.n_filters)
    A = judge.encode(log_magnitude(set_level(audio.style)))
    for balance in balances:
        at = replace(config, balance=balance)
        optimum = optimise(audio.content, audio.style, at)
        before = float(style_loss(judge, optimum.x, A))
        for method, y in phase_sounds(optimum, audio.content, at).items():
            left = float(style_loss(judge, log_magnitude(y), A)) / before
            yield _row(pair, audio, method, y, balance) | {"over_magnitudes": left}


def matched_rows(
    pair: Pair, audio: PairAudio, *, balances: Sequence[float] = MATCHED_BALANCES
) -> Iterator[dict]:
    """Yield a row for matched timbre at every balance: up to 0.5 a filter, above that with texture."""
    for balance in balances:
        config = TransferConfig(balance=balance)
        result = transfer_style(audio.content, audio.style, audio.sr, config, progress=False)
        yield _row(pair, audio, MATCHED, result.y_computed, balance)


def reference_rows(pair: Pair, audio: PairAudio) -> Iterator[dict]:
    """Yield a row for each of the two copies, the equaliser, NMF musaicing and cross-synthesis."""
    clips_ = set_level(audio.content), set_level(audio.style)
    for method in REFERENCES:
        # A reference's own gain means nothing: all are compared at the content's level.
        yield _row(pair, audio, method, set_level(METHODS[method](*clips_, audio.sr)))


def paper_rows(pair: Pair, audio: PairAudio, *, preset: str = "paper") -> Iterator[dict]:
    """Yield the row of the paper's own setting at balance 0.5, whose sound notebooks 03 to 05 play."""
    yield _row(pair, audio, PAPER, by_the_paper(pair, get_preset(preset))["result"], 0.5)


def kernel_rows(
    pair: Pair, audio: PairAudio, *, kernels: Sequence[int] = KERNELS, config: TransferConfig = GRAM
) -> Iterator[dict]:
    """Yield a row for every kernel length in frames, at balance 0.8 and infinite width, with the polish."""
    for kernel_size in kernels:
        at = replace(config, kernel_size=kernel_size, balance=KERNEL_BALANCE)
        result = transfer_style(audio.content, audio.style, audio.sr, at, progress=False)
        yield _row(pair, audio, POLISH, result.y_computed, KERNEL_BALANCE) | {"kernel_size": kernel_size}


def _row(pair: Pair, audio: PairAudio, method: str, y: np.ndarray, balance: float = float("nan")) -> dict:
    numbers = evaluate_sound(y, set_level(audio.content), set_level(audio.style))
    del numbers["target_distance_db"]
    return {"pair": pair.pair, "method": method, "balance": balance} | numbers


def show_balance(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw the means over pairs: a curve over the balance for each method, a point for each reference."""
    mean = table.groupby(["method", "balance"], dropna=False)[list(LABELS)].mean().reset_index("balance")
    x, *measures = LABELS
    fig, axes = plt.subplots(1, 2, figsize=(10.5, 5.2), layout="constrained")
    looks = {PAPER: ("*", LINE_COLOURS[1]), POLISH: ("o-", LINE_COLOURS[0]), MATCHED: ("s-", LINE_COLOURS[2])}
    looks |= {name: (marker, LINE_COLOURS[5]) for name, marker in zip(REFERENCES, "PX^vd", strict=True)}
    for ax, y in zip(axes, measures, strict=True):
        for method, (form, colour) in looks.items():
            at = mean.loc[[method]]
            ax.plot(at[x], at[y], form, color=colour, ms=12 if form == "*" else 8, label=method)
            for balance, kept, taken in at[["balance", x, y]].dropna().to_numpy():
                ax.text(kept, taken, f"{balance:g}", color=colour, ha="center", va="center", fontsize=9)
        ax.set(xlabel=LABELS[x], ylabel=LABELS[y])
        ax.margins(0.08)
        ax.grid(alpha=0.3)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    fig.suptitle(title)
    for ax, y in zip(axes, measures, strict=True):
        separate_labels(ax, mean[[x, y]].to_numpy())
    return fig


def show_phases(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw what each of `PHASES` leaves of the optimised style, a point for each pair and balance."""
    fig, ax = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
    curves = table[table["method"].isin(PHASES)]
    for i, (balance, own) in enumerate(curves.groupby("balance")):
        places = own["method"].map(PHASES.index) + 0.2 * (i - 1)
        ax.plot(
            places,
            own["over_magnitudes"],
            MARKERS[i],
            color=LINE_COLOURS[i],
            alpha=0.8,
            label=f"balance {balance:g}",
        )
    ax.axhline(1, color="k", lw=0.8)
    ax.set(yscale="log", ylabel="style loss, sound / magnitudes", title=title)
    ax.set_yticks(ticks := [1, 1.5, 2, 3, 4, 5], ticks)
    ax.minorticks_off()
    ax.set_xticks(range(len(PHASES)), [name.removeprefix("infinite, ") for name in PHASES])
    ax.grid(alpha=0.3)
    ax.legend()
    return fig


def show_kernels(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw timbre and notes over the length of the kernel, a line for each pair."""
    fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    shown = {name: LABELS[name] for name in ("mfcc_frechet", "chroma_similarity")}
    sizes = sorted(table["kernel_size"].unique())
    ticks = [f"{n}\n{1000 * (2048 + 1024 * (n - 1)) / 22050:.0f} ms" for n in sizes]
    for ax, (measure, label) in zip(axes, shown.items(), strict=True):
        for (pair, own), marker, colour in zip(table.groupby("pair"), MARKERS, LINE_COLOURS, strict=False):
            ax.plot(own["kernel_size"].map(sizes.index), own[measure], marker + "-", color=colour, label=pair)
        ax.set_xticks(range(len(sizes)), ticks)
        ax.set(xlabel="kernel (frames)", ylabel=label, ylim=(0, None))
        ax.grid(alpha=0.3)
    axes[0].legend()
    fig.suptitle(title)
    return fig


def main(argv: list[str] | None = None) -> None:
    """Fill both tables, pair by pair; rows that are not made now are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = tuple(pair.pair for pair in clips.pairs("recorded"))
    parser.add_argument("--pairs", type=names_of, default=names, help=f"any of {', '.join(names)}")
    results, keys = Results("paper", "recorded"), ["pair", "method", "balance"]
    for name in parser.parse_args(argv).pairs:
        pair = clips.get_pair(name, "recorded")
        audio = clips.load_pair(pair)
        for rows_of in (reference_rows, curve_rows, matched_rows, paper_rows):
            results.update_table(pd.DataFrame(told(rows_of(pair, audio))), "trade_offs", keys=keys)
        if name in KERNEL_PAIRS:
            made = pd.DataFrame(told(kernel_rows(pair, audio)))
            results.update_table(made, "kernels", keys=["pair", "kernel_size"])


if __name__ == "__main__":
    main()
