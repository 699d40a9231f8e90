"""Figures of notebook 07_infinite_width.ipynb; axes in, axes out."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from audiostyle.encoders.base import Encoder
from audiostyle.figures.charts import show_lines
from audiostyle.figures.kernels import show_kernel

# One look for each form of the losses in every figure.
_FORMS = {
    "explicit Gram": {"color": "#c8553d", "marker": "s"},
    "frame kernel": {"color": "#1b6ca8", "marker": "o"},
    "infinite width": {"color": "#3d7a4b", "marker": "^", "ls": "--"},
}
_SCORES = {
    "own": ("the bank optimised", {"color": "#1b6ca8", "marker": "o"}),
    "fresh": ("fresh banks", {"color": "#c8553d", "marker": "s"}),
    "limit": ("infinitely many filters", {"color": "#3d7a4b", "marker": "^", "ls": ":"}),
}


def _label(ax: Axes, ticks: Iterable[float]) -> None:
    """Label the points of a logarithmic axis with their own values."""
    ticks = list(ticks)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())


def show_estimates(
    encoders: dict[str, Encoder], X: torch.Tensor, Y: torch.Tensor, *, names: tuple[str, str], title: str = ""
) -> Figure:
    """Draw the frame kernel of two clips under several encoders on one scale from zero.

    Parameters
    ----------
    encoders : dict of str to Encoder
        Panel title and encoder.
    X, Y : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes of the clips along the vertical and the horizontal axis.
    names : tuple of str
        What they are.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    kernels = {name: encoder.kernel(X, Y).numpy() for name, encoder in encoders.items()}
    top = max(float(K.max()) for K in kernels.values())
    fig, axes = plt.subplots(1, len(kernels), figsize=(4.3 * len(kernels), 3.7), layout="constrained")
    for ax, (name, K) in zip(axes, kernels.items(), strict=True):
        show_kernel(K, ax=ax, title=name, xlabel=f"{names[1]} (s)", ylabel=f"{names[0]} (s)", vmax=top)
        ax.images[0].set_clim(0, top)
    fig.suptitle(title, fontsize=11)
    return fig


def draw_convergence(table: pd.DataFrame, *, ax: Axes, title: str = "") -> Axes:
    """Draw root-mean-square errors of kernel, loss and gradient against N, with lines of slope −1/2.

    Parameters
    ----------
    table : pd.DataFrame
        As `audiostyle.studies.width.errors_of_width` makes it.
    ax : matplotlib.axes.Axes
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    columns = ["kernel", "loss", "gradient"]
    rms = np.sqrt(table[columns].pow(2).groupby(table["n_filters"]).mean())
    curves = {name: rms[name].tolist() for name in columns}
    show_lines(list(rms.index), curves, ax=ax, xlabel="filters N", ylabel="relative error", title=title)
    for name in columns:
        # The dotted line has the points' geometric mean: only the slope is compared.
        scale = np.exp(np.mean(np.log(rms[name] * np.sqrt(rms.index))))
        ax.plot(rms.index, scale / np.sqrt(rms.index), ":", color="#777777", zorder=0)
    ax.plot([], [], ":", color="#777777", label="slope −1/2")
    ax.set(xscale="log", yscale="log")
    _label(ax, rms.index)
    ax.legend()
    return ax


def draw_overfitting(table: pd.DataFrame, balance: float, *, ax: Axes) -> Axes:
    """Draw the style loss of spectrograms optimised with N filters, as three judges see it, at one balance.

    Parameters
    ----------
    table : pd.DataFrame
        As `audiostyle.studies.width.overfitting` makes it; the rows with ``n_filters`` 0 become a level line.
    balance : float
        One of the table.
    ax : matplotlib.axes.Axes

    Returns
    -------
    matplotlib.axes.Axes
    """
    at = table[np.isclose(table["balance"], balance)].sort_values("n_filters")
    random, infinite = at[at["n_filters"] > 0], at[at["n_filters"] == 0]
    for column, (label, look) in _SCORES.items():
        ax.plot(random["n_filters"], random[column], label=label, **look)
    ax.axhline(
        float(infinite["fresh"].iloc[0]), color="#3a3a3a", ls="--", label="optimised at infinite width"
    )
    ax.set(xscale="log", yscale="log", xlabel="filters N", title=f"balance {balance:g}")
    _label(ax, random["n_filters"])
    ax.grid(alpha=0.3)
    return ax


def show_overfitting(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw `draw_overfitting` for every balance of a table side by side.

    Returns
    -------
    matplotlib.figure.Figure
    """
    balances = sorted(table["balance"].unique())
    width = 3.4 * len(balances) + 1
    fig, axes = plt.subplots(
        1, len(balances), figsize=(width, 3.7), sharey=True, layout="constrained", squeeze=False
    )
    for ax, balance in zip(axes[0], balances, strict=True):
        draw_overfitting(table, balance, ax=ax)
    axes[0, 0].set_ylabel("style loss / that of the content")
    axes[0, 0].legend(fontsize=8)
    fig.suptitle(title, fontsize=11)
    return fig


def draw_timings(table: pd.DataFrame, *, ax: Axes, x: str, xlabel: str, title: str = "") -> Axes:
    """Draw milliseconds per loss and gradient of each form; a form measured once becomes a level line.

    Parameters
    ----------
    table : pd.DataFrame
        Columns ``form, seconds`` and the one that `x` names.
    ax : matplotlib.axes.Axes
    x : str
        Column of the horizontal axis.
    xlabel, title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    for form, look in _FORMS.items():
        at = table[table["form"] == form].sort_values(x)
        if len(at) == 1:
            ax.axhline(1000 * at["seconds"].iloc[0], color=look["color"], ls=look.get("ls", "-"), label=form)
        elif len(at):
            ax.plot(at[x], 1000 * at["seconds"], label=form, **look)
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="ms per loss and gradient", title=title)
    _label(ax, sorted(value for value in set(table[x]) if value > 0))
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def draw_memory(table: pd.DataFrame, *, ax: Axes, title: str = "") -> Axes:
    """Draw the counted megabytes of each form against N.

    Parameters
    ----------
    table : pd.DataFrame
        As `audiostyle.studies.width.memory` makes it.
    ax : matplotlib.axes.Axes
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    shared = table["filters"] + table["features"]
    sums = {
        "explicit Gram": shared + table["gram"],
        "frame kernel": shared + table["kernel"],
        "infinite width": table["kernel"],
    }
    for form, megabytes in sums.items():
        look = _FORMS[form] | ({"marker": ""} if form == "infinite width" else {})
        ax.plot(table["n_filters"], megabytes, label=form, **look)
    ax.set(xscale="log", yscale="log", xlabel="filters N", ylabel="matrices (MB)", title=title)
    _label(ax, table["n_filters"][::2])
    ax.grid(alpha=0.3)
    ax.legend()
    return ax
