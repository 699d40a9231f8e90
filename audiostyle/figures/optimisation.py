"""Losses of a transfer and convergence of its phase against iterations; axes in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

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
    _iterations(ax, len(losses))
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    ax.grid(alpha=0.3)
    return ax


def show_convergence(curves: dict[str, np.ndarray], *, ax: Axes) -> Axes:
    """Draw spectral convergence in dB against the iteration, a line for each method."""
    for (name, values), marker, colour in zip(curves.items(), MARKERS, LINE_COLOURS, strict=False):
        ax.plot(values, label=name, marker=marker, ms=4, color=colour, markevery=max(1, len(values) // 10))
    ax.set(xlabel="Griffin-Lim iteration", ylabel="spectral convergence (dB)", title="Phase")
    _iterations(ax, max(map(len, curves.values())))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return ax


def _iterations(ax: Axes, n: int) -> None:
    """Make the iterations 1, 10, 100 equally far apart, with a place for 0."""
    ax.set_xscale("symlog", linthresh=1)
    ticks = [0, *(10**k for k in range(5) if 10**k < max(n, ax.get_xlim()[1]))]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())


def show_optimisation(results: dict, *, title: str = "") -> Figure:
    """Draw the losses of one or more transfers, the losses of the polish, and the convergence of phases.

    Parameters
    ----------
    results : dict of str to TransferResult
        Name of the method and its result.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left the losses of the magnitudes; in the middle those of the sound as it is polished, where one is; right
        spectral convergence against Griffin-Lim's iterations, without the polished sound.
    """
    polished = {name: result for name, result in results.items() if result.polish_losses is not None}
    fig, axes = plt.subplots(
        1, 3 if polished else 2, figsize=(13 if polished else 11, 4.0), layout="constrained"
    )
    for name, result in results.items():
        show_losses(result.losses, ax=axes[0], label=name if len(results) > 1 else "", **_units(result))
    for name, result in polished.items():
        show_losses(
            result.polish_losses, ax=axes[1], label=name if len(polished) > 1 else "", **_units(result)
        )
        axes[1].set_title("Polish of the sound")
    # With a polish the last entry is the polished sound's, which is no iteration of Griffin-Lim.
    curves = {name: r.convergence for name, r in results.items() if name not in polished}
    curves |= {f"{name}: before the polish": r.convergence[:-1] for name, r in polished.items()}
    show_convergence(curves, ax=axes[-1])
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def _units(result) -> dict[str, float]:
    return {"content_unit": result.content_unit, "style_unit": result.style_unit}
