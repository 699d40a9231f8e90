"""Figures of notebook 12_many_speakers.ipynb; axes in, axes out."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from audiostyle.figures.labels import separate_labels
from audiostyle.speakers.gram_distance import speaker_map

_LOOKS = dict(paper=("#c8553d", "s"), best=("#1b6ca8", "o"), ridge=("#8a5aa8", "D"), gmm=("#3d7a4b", "^"))
_SPLITS = {"alternate": ("#1b6ca8", "o", -0.12), "halves": ("#c8553d", "s", 0.12)}
_VARIED = {
    "speakers": "speakers",
    "utterances": "utterances of each, half of them train",
    "seconds": "longest duration (s)",
}
_OTHER = ("#3d7a4b", "^")


def _spread(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracies and their distances to both ends of the interval [shape=(2, n)]."""
    accuracy = table["accuracy"].to_numpy(float)
    # Rounding leaves an end of the interval a hair on the wrong side of 0 or 1.
    ends = np.stack([accuracy - table["ci_low"], table["ci_high"] - accuracy])
    return accuracy, np.maximum(ends, 0.0)


def _finish(ax: Axes, *, chance: float | None, xlabel: str, title: str) -> Axes:
    if chance is not None:
        ax.axhline(chance, color="0.4", ls=":", label="chance")
    ax.set(xlabel=xlabel, ylabel="accuracy", title=title, ylim=(0, 1.03))
    ax.grid(alpha=0.3)
    return ax


def show_curves(table: pd.DataFrame, *, ax: Axes, xlabel: str, title: str) -> Axes:
    """Draw accuracy with its Wilson interval against the column ``value``, a line for each method, and chance."""
    methods, step = table["method"].unique(), np.ptp(table["value"]) / 60
    aside = dict(zip(methods, step * (np.arange(len(methods)) - (len(methods) - 1) / 2), strict=True))
    for method, part in table.groupby("method", sort=False):
        colour, marker = _LOOKS.get(method, _OTHER)
        accuracy, ends = _spread(part)
        # Side by side, or the last of equal ones hides the others.
        place = part["value"] + aside[method]
        ax.errorbar(place, accuracy, ends, label=method, color=colour, marker=marker, capsize=3)
    chance = table.groupby("value")["n_speakers"].first()
    ax.plot(chance.index, 1 / chance, color="0.4", ls=":", label="chance")
    ax.set_xticks(chance.index, [f"{value:g}" for value in chance.index])
    return _finish(ax, chance=None, xlabel=xlabel, title=title)


def show_widths(
    table: pd.DataFrame, limit: float, *, ax: Axes, title: str, method: str = "paper", xlabel: str = "filters"
) -> Axes:
    """Draw the accuracy of each draw against its number of filters or pairs, their mean, and the limit."""
    colour, marker = _LOOKS[method]
    ax.plot(table["value"], table["accuracy"], ".", color=colour, alpha=0.5, label="a seed")
    mean = table.groupby("value")["accuracy"].mean()
    ax.plot(mean.index, mean, color=colour, marker=marker, label=f"{method}, mean")
    ax.axhline(limit, color=colour, ls="--", label=f"{method}, in the limit")
    ax.set_xscale("log")
    ax.set_xticks(mean.index, [f"{value:g}" for value in mean.index])
    ax.xaxis.set_minor_locator(NullLocator())
    return _finish(ax, chance=1 / table["n_speakers"].iloc[0], xlabel=xlabel, title=title)


def show_grid(table: pd.DataFrame, limit: float, *, title: str) -> Figure:
    """Draw the rows of `experiments.table1.vary` and `vary_filters` on one scale; `limit` is that of many filters."""
    fig, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained", sharey=True)
    show_widths(table[table["what"] == "filters"], limit, ax=axes[0, 0], title="Filters")
    for ax, (what, xlabel) in zip(axes.flat[1:], _VARIED.items(), strict=True):
        show_curves(table[table["what"] == what], ax=ax, xlabel=xlabel, title=what.capitalize())
    axes[0, 0].legend(loc="lower right")
    axes[0, 1].legend(loc="lower left")
    fig.suptitle(title, fontsize=11)
    return fig


def show_sketches(table: pd.DataFrame, limit: float, shots: pd.DataFrame, *, title: str) -> Figure:
    """Draw `experiments.table1.vary_pairs` with its limit, whole Gram matrices, beside `few_shot`."""
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
    label = "numbers of a sketch, D"
    show_widths(table, limit, ax=axes[0], title="Sketches", method="best", xlabel=label)
    show_curves(shots, ax=axes[1], xlabel="utterances that train", title="Few utterances")
    for ax in axes:
        ax.legend(loc="lower right")
    fig.suptitle(title, fontsize=11)
    return fig


def show_methods(table: pd.DataFrame, *, ax: Axes, title: str) -> Axes:
    """Draw the accuracy of each method on both splits with its Wilson interval, the first on top, and chance."""
    names = list(dict.fromkeys(table["method"]))
    for split, part in table.groupby("split", sort=False):
        colour, marker, shift = _SPLITS[split]
        accuracy, ends = _spread(part)
        height = [names.index(method) + shift for method in part["method"]]
        ax.errorbar(accuracy, height, xerr=ends, fmt=marker, color=colour, capsize=3, label=split)
    ax.axvline(1 / table["n_speakers"].iloc[0], color="0.4", ls=":", label="chance")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xlabel="accuracy, with 95 % interval", title=title, xlim=(0, 1.03))
    ax.grid(alpha=0.3, axis="x")
    ax.legend(loc=(0.22, 0.4))
    return ax


def show_confusion(truth: Sequence[str], named: Sequence[str], *, ax: Axes, title: str) -> Axes:
    """Draw how often each speaker is taken for each, with the count in every cell that is not empty."""
    names = np.unique([*truth, *named])
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (np.searchsorted(names, truth), np.searchsorted(names, named)), 1)
    ax.imshow(counts, cmap="Blues", vmin=0)
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = counts[row, column] > counts.max() / 2
        ax.text(column, row, counts[row, column], ha="center", va="center", color="w" if dark else "k")
    ax.set_xticks(range(len(names)), names, rotation=90)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="named", ylabel="speaks", title=title)
    return ax


def show_map(
    place: np.ndarray, speakers: np.ndarray, test: np.ndarray, wrong: np.ndarray, *, ax: Axes, title: str
) -> Axes:
    """Draw utterances on a plane [shape=(n_items, 2)]: dots train, rings are tested, crosses were named wrongly.

    `test` and `wrong` number the items that are tested, and those of them with a neighbour who is another speaker.
    """
    tested = np.isin(np.arange(len(place)), test)
    for k, name in enumerate(np.unique(speakers)):
        own, colour = speakers == name, f"C{k % 10}"
        ax.plot(*place[own & ~tested].T, "o", ms=4, color=colour)
        ax.plot(*place[own & tested].T, "o", ms=6, mfc="none", color=colour)
    ax.plot(*place[wrong].T, "kx", ms=8)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[])
    box = {"boxstyle": "round,pad=0.15", "fc": "w", "ec": "none", "alpha": 0.8}
    for k, name in enumerate(np.unique(speakers)):
        centre = place[speakers == name].mean(axis=0)
        ax.text(*centre, name, weight="bold", color=f"C{k % 10}", ha="center", va="center", bbox=box)
    separate_labels(ax, place)
    return ax


def show_named(
    speakers: np.ndarray,
    sides: tuple[np.ndarray, np.ndarray],
    named: dict,
    squared: np.ndarray,
    *,
    title: str,
) -> Figure:
    """Draw the confusions of two methods, and a map of the distances.

    Who speaks in each item; items that train, and that are tested; by method whom it names for each test item; squared
    distances [shape=(n_items, n_items)].
    """
    train, test = sides
    fig, axes = plt.subplots(1, 3, figsize=(13.5, 4.6), layout="constrained", width_ratios=(1, 1, 1.3))
    for ax, (method, names) in zip(axes[:2], named.items(), strict=True):
        show_confusion(speakers[test], names, ax=ax, title=method)
    nearest = train[np.argmin(squared[np.ix_(test, train)], axis=1)]
    wrong = test[speakers[nearest] != speakers[test]]
    show_map(speaker_map(squared), speakers, test, wrong, ax=axes[2], title=title)
    return fig
