"""Lines, bars and matrices that the other figures are made of; axes in, axes out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

COLOURS = {"content": "#1b6ca8", "style": "#c8553d", "total": "#3a3a3a"}
# Lines differ by marker as well as by colour, so that they can be told apart in grey.
MARKERS = "os^Dvx*"
LINE_COLOURS = ("#1b6ca8", "#c8553d", "#3d7a4b", "#7b5ea7", "#8c6d31", "#3a3a3a", "#d18f00")


def show_lines(
    x: Sequence[float], curves: dict[str, Sequence[float]], *, ax: Axes, xlabel: str, ylabel: str, title: str
) -> Axes:
    """Draw lines over common points, told apart by colour and marker; returns the axes."""
    for (name, values), marker, colour in zip(curves.items(), MARKERS, LINE_COLOURS, strict=False):
        ax.plot(x, values, label=name, marker=marker, color=colour)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def show_bars(values: dict[str, float], *, ax: Axes, xlabel: str, title: str) -> Axes:
    """Draw labelled horizontal bars, the first on top, each with its number; returns the axes."""
    bars = ax.barh(list(values), list(values.values()), color=COLOURS["content"], height=0.6)
    ax.bar_label(bars, fmt="%.3g", padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set(xlabel=xlabel, title=title)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def show_matrix(
    M: np.ndarray,
    *,
    ax: Axes,
    title: str,
    xlabel: str,
    ylabel: str,
    cmap: str = "viridis",
    extent: tuple[float, float, float, float] | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    label: str = "",
) -> Axes:
    """Draw a matrix with a colour bar, its first row at the bottom.

    Parameters
    ----------
    M : np.ndarray [shape=(n_rows, n_columns)]
    ax : matplotlib.axes.Axes
    title, xlabel, ylabel : str
    cmap : str
        Name of the colour map.
    extent : tuple of float or None
        Left, right, bottom and top of the axes; None counts rows and columns.
    vmin, vmax : float or None
        Ends of the colours; give one value to matrices that are compared.
    label : str
        What the colour bar shows.

    Returns
    -------
    matplotlib.axes.Axes
    """
    image = ax.imshow(
        M,
        aspect="auto",
        origin="lower",
        cmap=cmap,
        interpolation="nearest",
        extent=extent,
        vmin=vmin,
        vmax=vmax,
    )
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.figure.colorbar(image, ax=ax, label=label)
    return ax
