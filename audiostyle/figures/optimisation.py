"""Losses of a transfer and convergence of its phase against iterations."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from audiostyle.figures.charts import COLOURS, LINE_COLOURS, MARKERS
from audiostyle.transfer import TransferResult


def show_losses(
    losses: pd.DataFrame, *, ax: Axes, content_unit: float = 1.0, style_unit: float = 1.0, label: str = ""
) -> Axes:
    """Draw both losses against the iteration, each in its own unit; returns the axes.

    `losses` as `TransferResult.losses`; the units E and s0, where 1 draws the raw losses; `label` names the method
    where several share the axes.
    """
    dashed = len(ax.lines) > 0
    for name, unit, text, marker in (
        ("content", content_unit, "content / E", "o"),
        ("style", style_unit, "style / s0", "s"),
    ):
        value = losses[name] / unit
        shown = value > 0
        look = {"color": COLOURS[name], "ls": "--" if dashed else "-", "marker": marker, "ms": 4}
        look |= {"markevery": max(1, len(losses) // 12), "label": f"{text}, {label}" if label else text}
        ax.semilogy(losses["iteration"][shown], value[shown], **look)
    ax.set(xlabel="iteration", ylabel="loss, in units of E and s0", title="Optimisation")
    _iterations(ax, len(losses))
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return ax


def show_convergence(curves: dict[str, np.ndarray], *, ax: Axes) -> Axes:
    """Draw spectral convergence in dB against the iteration, a line for each method; returns the axes."""
    for (name, values), marker, colour in zip(curves.items(), MARKERS, LINE_COLOURS, strict=False):
        ax.plot(values, label=name, marker=marker, ms=4, color=colour, markevery=max(1, len(values) // 10))
    ax.set(xlabel="Griffin-Lim iteration", ylabel="spectral convergence (dB)", title="Phase")
    _iterations(ax, max(map(len, curves.values())))
    ax.legend(fontsize=8)
    return ax


def _iterations(ax: Axes, n: int) -> None:
    """Make the iterations 1, 10, 100 equally far apart, with a place for 0."""
    ax.set_xscale("symlog", linthresh=1)
    ticks = [0, *(10**k for k in range(5) if 10**k < max(n, ax.get_xlim()[1]))]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(alpha=0.3)


def show_optimisation(results: dict[str, TransferResult], *, title: str = "") -> Figure:
    """Draw one or more transfers by name: losses, losses of the sound as it is polished, convergence of the phase."""
    polished = {name: result for name, result in results.items() if result.polish_losses is not None}
    size = {"ncols": 3, "figsize": (13, 4.0)} if polished else {"ncols": 2, "figsize": (11, 4.0)}
    fig, axes = plt.subplots(**size, layout="constrained")
    for name, result in results.items():
        units = {"content_unit": result.content_unit, "style_unit": result.style_unit}
        show_losses(result.losses, ax=axes[0], label=name if len(results) > 1 else "", **units)
        if name in polished:
            label = name if len(polished) > 1 else ""
            show_losses(result.polish_losses, ax=axes[1], label=label, **units)
            axes[1].set_title("Polish of the sound")
    # With a polish the last entry is the polished sound's, which is no iteration of Griffin-Lim.
    curves = {name: r.convergence for name, r in results.items() if name not in polished}
    curves |= {f"{name}: before the polish": r.convergence[:-1] for name, r in polished.items()}
    show_convergence(curves, ax=axes[-1])
    fig.suptitle(title, fontsize=11)
    return fig
