"""Lines and matrices that the other figures are made of; axes in, axes out."""

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


def show_matrix(
    M: np.ndarray, *, ax: Axes, title: str, xlabel: str, ylabel: str, label: str = "", **look
) -> Axes:
    """Draw a matrix with a colour bar called `label`, its first row at the bottom; returns the axes.

    `look` is of matplotlib's ``imshow``: ``cmap``; ``extent``, left, right, bottom and top of the axes, else rows and
    columns are counted; ``vmin`` and ``vmax``, of which matrices that are compared get one value.
    """
    image = ax.imshow(M, **{"aspect": "auto", "origin": "lower", "interpolation": "nearest"} | look)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.figure.colorbar(image, ax=ax, label=label)
    return ax
