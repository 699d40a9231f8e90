"""Losses of a transfer and convergence of its phase against iterations; axes in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.figures.charts import COLOURS, LINE_COLOURS, MARKERS


def show_losses(
    losses: pd.DataFrame, *, ax: Axes, content_unit: float = 1.0, style_unit: float = 1.0, label: str = ""
) -> Axes:
    """Draw both losses against the iteration, each in its own unit.

    Parameters
    ----------
    losses : pd.DataFrame
        ``iteration, content, style`` as in `TransferResult.losses`.
    ax : matplotlib.axes.Axes
    content_unit, style_unit : float
        E and s0; 1 draws the raw losses.
    label : str
        Method, for the legend, where several share the axes.

    Returns
    -------
    matplotlib.axes.Axes
    """
    dashed = len(ax.lines) > 0
    for name, unit, text, marker in (
        ("content", content_unit, "content / E", "o"),
        ("style", style_unit, "style / s0", "s"),
    ):
        value = losses[name] / unit
        shown = value > 0
        ax.semilogy(
            losses["iteration"][shown],
            value[shown],
            color=COLOURS[name],
            ls="--" if dashed else "-",
            marker=marker,
            ms=4,
            markevery=max(1, len(losses) // 12),
            label=f"{text}, {label}" if label else text,
        )
    ax.set(xlabel="iteration", ylabel="loss, in units of E and s0", title="Optimisation")
    ax.legend()
    ax.grid(alpha=0.3)
    return ax


def show_convergence(curves: dict[str, np.ndarray], *, ax: Axes) -> Axes:
    """Draw spectral convergence in dB against the iteration, a line for each method."""
    for (name, values), marker, colour in zip(curves.items(), MARKERS, LINE_COLOURS, strict=False):
        ax.plot(values, label=name, marker=marker, ms=4, color=colour, markevery=max(1, len(values) // 10))
    ax.set(xlabel="Griffin-Lim iteration", ylabel="spectral convergence (dB)", title="Phase")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def show_optimisation(results: dict, *, title: str = "") -> Figure:
    """Draw the losses of one or more transfers beside the convergence of their phases.

    Parameters
    ----------
    results : dict of str to TransferResult
        Name of the method and its result.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
    for name, result in results.items():
        show_losses(
            result.losses,
            ax=left,
            content_unit=result.content_unit,
            style_unit=result.style_unit,
            label=name if len(results) > 1 else "",
        )
    show_convergence({name: result.convergence for name, result in results.items()}, ax=right)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig
