"""Figures that one or two notebooks use: the steps of matched timbre (09), accuracies of speakers (06, 12)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from audiostyle.figures.charts import COLOURS, show_matrix
from audiostyle.figures.labels import place_labels
from audiostyle.figures.spectrograms import DIFFERENCE
from audiostyle.matching import HOP, N_BANDS, SEMITONES, SR, Description, Match
from audiostyle.matching.describe import FINE, cosines

_DB = 20 / np.log(10)
# Methods, and splits.
_LOOKS = {
    "paper": ("#c8553d", "s"),
    "linear": ("#d18f00", "v"),
    "best": ("#1b6ca8", "o"),
    "ridge": ("#8a5aa8", "D"),
    "gmm": ("#3d7a4b", "^"),
    "alternate": ("#1b6ca8", "o"),
    "halves": ("#c8553d", "s"),
    "4096 filters": ("#c8553d", "s"),
    "infinitely many": ("#1b6ca8", "o"),
    "average spectrum": ("#3d7a4b", "^"),
}
_OTHER = ("#3a3a3a", "x")


def show_match(match: Match, *, content: Description, style: Description, title: str = "") -> Figure:
    """Draw levels of content and style, how alike their frames are, the pitches used, expected levels and gain."""
    fig, axes = plt.subplots(2, 3, figsize=(14, 6.4), layout="constrained")
    levels = {"content": content.bands, "style": style.bands, "expected": match.bands}
    for ax, (name, bands) in zip((axes[0, 0], axes[0, 1], axes[1, 1]), levels.items(), strict=True):
        decibels = (bands - bands.max()).cpu().numpy() * _DB / 2  # of power
        shown = {"xlabel": "time (s)", "ylabel": "mel band", "cmap": "magma", "vmin": -60, "vmax": 0}
        extent = (0, _seconds(bands), 0, N_BANDS)
        show_matrix(decibels, ax=ax, title=f"levels, {name}", extent=extent, label="dB", **shown)
    alike = cosines(content.fine, style.fine, FINE).cpu().numpy()
    axis = {"xlabel": "time in the style (s)", "ylabel": "time in the content (s)", "vmin": 0, "vmax": 1}
    axis |= {"extent": (0, _seconds(style.bands), 0, _seconds(content.bands)), "label": "cosine"}
    show_matrix(alike, ax=axes[0, 2], title="alike in fine structure", **axis)
    axes[1, 0].bar(list(SEMITONES), match.semitones, color=COLOURS["style"])
    axis = {"xlabel": "transposition of the style (semitones)", "ylabel": "share of the weights"}
    axes[1, 0].set(title="pitches of the style that were used", **axis)
    gain = match.gain.log_gain.cpu().numpy() * _DB
    axis = {"xlabel": "time (s)", "ylabel": "frequency (kHz)", "cmap": DIFFERENCE, "vmin": -30, "vmax": 30}
    axis |= {"extent": (0, _seconds(gain), 0, SR / 2000), "label": "dB: − softer, + louder"}
    show_matrix(gain, ax=axes[1, 2], title="gain on the content", **axis)
    fig.suptitle(title, fontsize=11)
    return fig


def _seconds(frames) -> float:
    return frames.shape[1] * HOP / SR


def _spread(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracies and their distances to both ends of the interval [shape=(2, n)]."""
    accuracy = table["accuracy"].to_numpy(float)
    # Rounding leaves an end of the interval a hair on the wrong side.
    ends = np.stack([accuracy - table["ci_low"], table["ci_high"] - accuracy])
    return accuracy, np.maximum(ends, 0.0)


def show_curves(table: pd.DataFrame, *, ax: Axes, xlabel: str, title: str) -> Axes:
    """Draw accuracy with its interval against the column ``value``, a line for each method, and chance."""
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
    ax.set(xlabel=xlabel, ylabel="share named correctly", title=title, ylim=(0, 1.03))
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def show_sketches(table: pd.DataFrame, *, ax: Axes, title: str) -> Axes:
    """Draw each accuracy against the numbers of a sketch, ``value``, and their mean."""
    colour, marker = _LOOKS["best"]
    ax.plot(table["value"], table["accuracy"], ".", color=colour, alpha=0.5, label="a draw")
    mean = table.groupby("value")["accuracy"].mean()
    ax.plot(mean.index, mean, color=colour, marker=marker, label="mean of the draws")
    ax.set_xscale("log")
    ax.set_xticks(mean.index, [f"{value:g}" for value in mean.index])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="numbers of a sketch, D", ylabel="share named correctly", title=title, ylim=(0.9, 1))
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def show_shares(table: pd.DataFrame, *, ax: Axes, rows: str, series: str, title: str) -> Axes:
    """Draw accuracies with their intervals: `rows` from top to bottom and `series` by colour, both names of columns."""
    names, others = (list(dict.fromkeys(table[column])) for column in (rows, series))
    for k, name in enumerate(others):
        part, (colour, marker) = table[table[series] == name], _LOOKS.get(name, _OTHER)
        accuracy, ends = _spread(part)
        height = [names.index(row) + 0.16 * (k - (len(others) - 1) / 2) for row in part[rows]]
        ax.errorbar(accuracy, height, xerr=ends, fmt=marker, color=colour, capsize=3, label=name)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xlabel="share named correctly, with 95 % interval", title=title)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def separate_labels(ax: Axes, points: np.ndarray) -> None:
    """Move the texts of some axes apart, into the axes, and beside points [shape=(n_points, 2)].

    Texts and points have data coordinates. To be called when the figure is complete: what matters is where texts
    stand in pixels.
    """
    ax.figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in ax.texts]
    anchors = ax.transData.transform([text.get_position() for text in ax.texts])
    sizes = np.array([extent.size for extent in extents]) + 4
    marks = np.pad(ax.transData.transform(points), ((0, 0), (0, 2)), constant_values=8 * ax.figure.dpi / 72)
    centres = place_labels(anchors, sizes, bounds=ax.get_window_extent().extents, taken=marks)
    for text, position in zip(ax.texts, ax.transData.inverted().transform(centres), strict=True):
        text.set_position(position)
