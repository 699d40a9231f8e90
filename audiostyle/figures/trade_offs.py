"""Figures of notebook 11_trade_offs.ipynb; axes in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.figures.labels import separate_labels
from audiostyle.studies import trade_offs
from experiments import pairs

LABELS = {
    "chroma_similarity": "notes kept: chroma cosine to the content →",
    "mfcc_frechet": "← timbre: MFCC Fréchet distance to the style",
    "texture_distance": "← texture distance to the style",
    "style_share_limit": "← style loss of the sound / content's",
    "pitch_agreement": "pitch kept: share of voiced frames →",
    "onset_f": "onsets kept: F-measure →",
}
_LINES = {
    trade_offs.PAPER: {"color": "#7b4fa3", "marker": "D", "ls": ":"},
    trade_offs.PLAIN: {"color": "#c8553d", "marker": "s", "ls": "-."},
    trade_offs.POLISH: {"color": "#1b6ca8", "marker": "o", "ls": "-"},
    trade_offs.WAVEFORM: {"color": "#3d7a4b", "marker": "^", "ls": "--"},
    pairs.MATCHED: {"color": "#8a5a00", "marker": "p", "ls": (0, (5, 1))},
}
_POINTS = {
    pairs.COPY_CONTENT: "P",
    pairs.COPY_STYLE: "X",
    pairs.EQUALISER: "d",
    trade_offs.MUSAICING: "*",
    trade_offs.CROSS: "v",
}


def draw_curves(
    table: pd.DataFrame, *, ax: Axes, x: str = "chroma_similarity", y: str = "mfcc_frechet", title: str = ""
) -> Axes:
    """Draw a line over the balance for every method and a point for every reference.

    Parameters
    ----------
    table : pd.DataFrame
        Rows of one pair, from `audiostyle.studies.trade_offs`. Rows that differ in the seed alone are drawn
        as their mean with bars from the least to the largest.
    ax : matplotlib.axes.Axes
    x, y : str
        Columns of the axes.
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    for method, look in _LINES.items():
        own = table[table["method"] == method]
        if own.empty:
            continue
        by_balance = own.groupby("balance")[[x, y]]
        mean, low, high = by_balance.mean(), by_balance.min(), by_balance.max()
        bars = {
            f"{axis}err": np.stack([mean[column] - low[column], high[column] - mean[column]])
            for axis, column in (("x", x), ("y", y))
        }
        ax.errorbar(mean[x], mean[y], **bars, ms=5, capsize=2, label=method, **look)
        if method in (trade_offs.POLISH, pairs.MATCHED):
            for balance, point in mean.iterrows():
                own_colour = {"color": look["color"], "ha": "center", "va": "center"}
                ax.text(point[x], point[y], f"{balance:g}", fontsize=7, **own_colour)
    for method, marker in _POINTS.items():
        own = table[table["method"] == method]
        if own.empty:
            continue
        ax.plot(own[x], own[y], marker, color="#3a3a3a", ms=8, ls="none", label=method)
    ax.set_title(title, fontsize=10)
    ax.grid(alpha=0.3)
    return ax


def show_curves(
    table: pd.DataFrame, *, x: str = "chroma_similarity", y: str = "mfcc_frechet", title: str = ""
) -> Figure:
    """Draw `draw_curves` for every pair of a table, three in a row.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = dict(list(table.groupby("pair", sort=False)))
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    size = (4.4 * columns + (2.5 if columns == 1 else 0), 3.5 * rows + 0.8)
    fig, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for ax, (pair, group) in zip(axes.flat, groups.items(), strict=False):
        draw_curves(group, ax=ax, x=x, y=y, title=pair)
    for ax in axes.flat[len(groups) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set_xlabel(LABELS.get(x, x), fontsize=8)
    fig.supylabel(LABELS.get(y, y), fontsize=9)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    if title:
        fig.suptitle(title, fontsize=11)
    for ax, group in zip(axes.flat, groups.values(), strict=False):
        separate_labels(ax, group[[x, y]].to_numpy())
    return fig


def show_polish(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw the style loss of the sound over that of the magnitudes, by pair and phase method, for each balance.

    Parameters
    ----------
    table : pd.DataFrame
        Rows of `audiostyle.studies.trade_offs.polish_rows`.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    balances = sorted(table["balance"].unique())
    fig, axes = plt.subplots(
        1, len(balances), figsize=(4.6 * len(balances) + 2.2, 3.8), layout="constrained", squeeze=False
    )
    for ax, balance in zip(axes.flat, balances, strict=True):
        at = table[(table["balance"] == balance) & (table["method"] != "magnitudes")]
        wide = at.pivot(index="pair", columns="method", values="over_optimum_fresh")
        for method, marker in zip([*trade_offs.PHASES, trade_offs.POLISH], "sv^DXo", strict=True):
            label = method.removeprefix("infinite, ")
            ax.plot(wide.index, wide[method], marker, ls="none", label=label, alpha=0.85)
        ax.axhline(1.0, color="k", lw=0.8)
        ax.axhline(1.1, color="k", lw=0.8, ls=":")
        ax.set(yscale="log", title=f"balance {balance:g}")
        ax.set_yticks(ticks := [1, 1.5, 2, 3, 4, 5], [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        ax.tick_params(axis="x", rotation=25)
        ax.grid(alpha=0.3)
    axes.flat[0].set_ylabel("style loss, sound / magnitudes")
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def show_ablations(
    table: pd.DataFrame, *, x="chroma_similarity", y="mfcc_frechet", title: str = ""
) -> Figure:
    """Draw a panel for each choice: mean over pairs, a line over the balance for each value.

    Parameters
    ----------
    table : pd.DataFrame
        Rows of ``benchmarks/ablations.py``.
    x, y : str
        Columns of the axes.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    choices = list(table["choice"].unique())
    fig, axes = plt.subplots(
        2, -(-len(choices) // 2), figsize=(13, 6.5), layout="constrained", sharex=True, sharey=True
    )
    for ax, choice in zip(axes.flat, choices, strict=False):
        group = table[table["choice"] == choice]
        for (value, own), marker in zip(group.groupby("value", sort=False), "osD^vP", strict=False):
            mean = own.groupby("balance")[[x, y]].mean()
            ax.plot(mean[x], mean[y], marker=marker, label=str(value))
        ax.set_title(choice, fontsize=10)
        ax.legend(fontsize=7)
        ax.grid(alpha=0.3)
    for ax in axes.flat[len(choices) :]:
        ax.axis("off")
    fig.supxlabel(LABELS.get(x, x), fontsize=9)
    fig.supylabel(LABELS.get(y, y), fontsize=9)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def show_instruments(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw heat maps, content by style: share of the timbre distance removed, and notes kept.

    Parameters
    ----------
    table : pd.DataFrame
        ``content, style, mfcc_frechet_before, mfcc_frechet, chroma_similarity``.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = table.assign(removed=1 - table["mfcc_frechet"] / table["mfcc_frechet_before"])
    panels = {
        "removed": "share of timbre distance removed",
        "chroma_similarity": "notes kept (chroma cosine)",
    }
    fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    order = list(dict.fromkeys(table["content"]))
    for ax, (column, label) in zip(axes, panels.items(), strict=True):
        wide = table.pivot(index="content", columns="style", values=column).loc[order, order]
        image = ax.imshow(wide, cmap="cividis", vmin=0, vmax=1)
        for (i, j), value in np.ndenumerate(wide.to_numpy()):
            if np.isfinite(value):
                ax.text(
                    j,
                    i,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="w" if value < 0.5 else "k",
                )
        ax.set_xticks(range(len(order)), order, rotation=25)
        ax.set_yticks(range(len(order)), order)
        ax.set(title=label, xlabel="style", ylabel="content")
        fig.colorbar(image, ax=ax, shrink=0.85)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig
