"""Drawings of the method, this project's own Figures 3 and 4."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from audiostyle.spectrogram import to_decibels

_BLUE, _RED, _GREY, _GREEN = "#1b6ca8", "#c8553d", "#555555", "#3d7a4b"
_FILL = {_BLUE: "#e3eef7", _RED: "#f9e6e1", _GREY: "#f1f1f1", _GREEN: "#e4f1e6"}


def _box(
    ax: Axes, x: float, y: float, text: str, colour: str, *, width: float = 1.7, height: float = 0.62
) -> None:
    """Draw a labelled box centred at (x, y)."""
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            fc=_FILL[colour],
            ec=colour,
            lw=1.3,
        )
    )
    ax.text(x, y, text, ha="center", va="center", fontsize=10, linespacing=1.15)


def _arrow(ax: Axes, *points: tuple[float, float], colour: str = _GREY, dashed: bool = False) -> None:
    """Draw straight lines through the points, the last with an arrow head."""
    line = {"color": colour, "lw": 1.5, "ls": (0, (4, 2)) if dashed else "-"}
    if len(points) > 2:
        ax.plot(*zip(*points[:-1], strict=True), **line, solid_capstyle="butt")
    ax.add_patch(
        FancyArrowPatch(
            points[-2], points[-1], arrowstyle="-|>", mutation_scale=13, shrinkA=0, shrinkB=0, **line
        )
    )


def _image(ax: Axes, M: np.ndarray, left: float, bottom: float, width: float, height: float, **kwargs):
    """Draw a matrix into a rectangle, first row at the bottom."""
    image = ax.imshow(
        M,
        extent=(left, left + width, bottom, bottom + height),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        **kwargs,
    )
    ax.add_patch(Rectangle((left, bottom), width, height, fill=False, ec=_GREY, lw=0.8))
    return image


def thumbnail(S: np.ndarray, *, n_bins: int = 60, n_frames: int = 120, sr: int = 22050) -> np.ndarray:
    """Return a small picture of magnitudes for drawings, over five octaves from 180 Hz on.

    Parameters
    ----------
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Linear magnitudes.
    n_bins, n_frames : int
        Size of the picture.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    np.ndarray [shape=(n_bins, n_frames), range 0 to 1]
        The loudest cell is 1, everything 60 dB under it 0.
    """
    edges = np.geomspace(180, 5760, n_bins + 1) / (sr / 2) * (S.shape[0] - 1)
    columns = np.linspace(0, S.shape[1], n_frames + 1).astype(int)
    rows = [S[int(low) : int(low) + max(1, round(high - low))].max(axis=0) for low, high in pairwise(edges)]
    cells = np.array([[row[a : max(b, a + 1)].max() for a, b in pairwise(columns)] for row in rows])
    return np.clip(1 + to_decibels(cells, float(cells.max())) / 60, 0, 1)


def draw_method(ax: Axes, spectra: dict[str, np.ndarray]) -> Axes:
    """Draw the method: what the paper shows in its Figure 3, with the path of the gradient.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Some 12 × 5 inches.
    spectra : dict of str to np.ndarray [shape=(n_bins, n_frames), non-negative]
        Magnitudes of ``content``, ``style`` and ``result``, of a length.

    Returns
    -------
    matplotlib.axes.Axes

    Notebook: 00_overview.ipynb
    """
    top, middle, bottom = 4.0, 2.3, 0.6
    rows = ((top, "content", _BLUE), (middle, "result", _GREY), (bottom, "style", _RED))
    for y, kind, colour in rows:
        _image(ax, thumbnail(spectra[kind]), 2.6, y - 0.5, 1.9, 1.0, cmap="magma", vmin=0, vmax=1)
        _box(ax, 6.15, y, "random filters\n+ ReLU", colour, width=1.6)
    _labels(ax, top, middle, bottom)

    for y, colour in ((top, _BLUE), (bottom, _RED)):
        _arrow(ax, (1.65, y), (2.55, y), colour=colour)
        ax.text(2.1, y + 0.08, "|STFT|\nlog1p", ha="center", va="bottom", fontsize=8, color=colour)
        _arrow(ax, (4.55, y), (5.32, y), colour=colour)
    _arrow(ax, (4.55, middle + 0.12), (5.32, middle + 0.12))
    _arrow(ax, (3.55, top - 0.55), (3.55, middle + 0.82), colour=_BLUE)
    ax.text(3.63, (top + middle) / 2 + 0.22, "start", fontsize=9, color=_BLUE, va="center")

    _box(ax, 8.5, 1.35, "Gram matrix", _GREY, width=1.35)
    _box(ax, 8.5, bottom, "Gram matrix", _RED, width=1.35)
    _box(ax, 10.6, 3.3, "content loss\n(eq. 1)", _BLUE, width=1.5)
    _box(ax, 10.6, 0.98, "style loss\n(eq. 6)", _RED, width=1.5)
    _box(ax, 12.6, middle, "weighted\nsum", _GREY, width=1.2)
    _arrow(ax, (7.0, top), (8.5, top), (9.8, 3.5), colour=_BLUE)
    _arrow(ax, (7.0, middle + 0.2), (8.5, middle + 0.75), (9.8, 3.2))
    _arrow(ax, (7.0, middle - 0.2), (7.78, 1.42))
    _arrow(ax, (7.0, bottom), (7.78, bottom), colour=_RED)
    _arrow(ax, (9.22, 1.3), (9.8, 1.1))
    _arrow(ax, (9.22, bottom), (9.8, 0.85), colour=_RED)
    _arrow(ax, (11.4, 3.15), (12.35, middle + 0.37), colour=_BLUE)
    _arrow(ax, (11.4, 1.13), (12.35, middle - 0.37), colour=_RED)

    _arrow(ax, (11.95, middle), (7.0, middle), colour=_GREEN, dashed=True)
    _arrow(ax, (5.32, middle - 0.12), (4.55, middle - 0.12), colour=_GREEN, dashed=True)
    ax.text(9.6, middle + 0.07, "gradient: only X changes, X ≥ 0", ha="center", fontsize=9, color=_GREEN)
    ax.set(xlim=(-0.1, 13.3), ylim=(-0.15, 4.85), aspect="auto")
    ax.axis("off")
    return ax


def _labels(ax: Axes, top: float, middle: float, bottom: float) -> None:
    """Name the rows of `draw_method`, and draw the way from X to sound."""
    _box(ax, 0.85, top, "content\nsound", _BLUE, width=1.5)
    _box(ax, 0.85, bottom, "style\nsound", _RED, width=1.5)
    _box(ax, 0.85, middle, "result\nsound", _GREEN, width=1.5)
    _arrow(ax, (2.55, middle), (1.65, middle), colour=_GREEN)
    ax.text(
        2.1, middle + 0.08, "Griffin-Lim,\nat the end", ha="center", va="bottom", fontsize=8, color=_GREEN
    )
    ax.text(3.55, middle + 0.55, "spectrogram X", ha="center", va="bottom", fontsize=9)
    ax.text(6.15, top + 0.42, "one frozen bank for all three", ha="center", fontsize=8, color=_GREY)


def draw_gram(ax: Axes, S: np.ndarray, F: np.ndarray, *, kernel_size: int = 11) -> Axes:
    """Draw how a Gram matrix comes about: what the paper shows in its Figure 4.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Some 12 × 4 inches.
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Linear magnitudes.
    F : np.ndarray [shape=(n_filters, n_patches), non-negative]
        Answers of some filters, at least 6, to the patches of S.
    kernel_size : int
        Frames in a patch.

    Returns
    -------
    matplotlib.axes.Axes

    Notebook: 02_random_features_and_gram.ipynb
    """
    G = F @ F.T
    n_filters, n_patches = F.shape
    i, j, patch = 2, 5, n_patches // 3
    frame = 3.0 / S.shape[1]
    _image(ax, thumbnail(S), 0.0, 0.3, 3.0, 2.4, cmap="magma", vmin=0, vmax=1)
    ax.add_patch(Rectangle((patch * frame, 0.3), kernel_size * frame, 2.4, fill=False, ec="white", lw=2))
    _arrow(ax, (3.1, 1.5), (4.35, 1.5))
    ax.text(3.72, 1.6, "N filters,\nReLU", ha="center", va="bottom", fontsize=9)

    _image(ax, F, 4.45, 0.3, 4.0, 2.4, cmap="Greys", vmin=0, vmax=1.2 * F.max())
    row, column = 2.4 / n_filters, 4.0 / n_patches
    for index, colour in ((i, _BLUE), (j, _RED)):
        ax.add_patch(Rectangle((4.45, 0.3 + index * row), 4.0, row, fc=colour, alpha=0.18))
        ax.add_patch(Rectangle((4.45, 0.3 + index * row), 4.0, row, fill=False, ec=colour, lw=2))
        ax.text(4.4, 0.3 + (index + 0.5) * row, "ij"[index == j], ha="right", va="center", color=colour)
    ax.plot(2 * [4.45 + (patch + 0.5) * column], (0.3, 2.7), "k", lw=1.5)
    ax.text(4.45 + (patch + 0.5) * column, 0.22, "patch k", ha="center", va="top", fontsize=9)
    _arrow(ax, (8.55, 1.5), (9.8, 1.5))
    ax.text(9.17, 1.6, "sum over\npatches", ha="center", va="bottom", fontsize=9)

    _image(ax, G, 9.95, 0.3, 2.4, 2.4, cmap="Greys", vmin=0, vmax=1.1 * G.max())
    for a, b in ((i, j), (j, i)):
        ax.add_patch(Rectangle((9.95 + b * row, 0.3 + a * row), row, row, fill=False, ec=_GREEN, lw=2.2))
    for index, colour in ((i, _BLUE), (j, _RED)):
        ax.text(9.9, 0.3 + (index + 0.5) * row, "ij"[index == j], ha="right", va="center", color=colour)
        ax.text(9.95 + (index + 0.5) * row, 0.22, "ij"[index == j], ha="center", va="top", color=colour)
    for x, text in (
        (1.5, "spectrogram X\nn_bins × n_frames, a patch marked"),
        (6.45, "features F\nN filters × M patches"),
        (11.15, "Gram matrix G\nN × N, symmetric"),
    ):
        ax.text(x, 2.8, text, ha="center", va="bottom", fontsize=10)
    ax.text(11.15, -0.25, r"$G_{ij} = \sum_k F_{ik}\,F_{jk}$", ha="center", va="top", fontsize=12)
    ax.set(xlim=(-0.2, 12.7), ylim=(-0.75, 3.55), aspect="auto")
    ax.axis("off")
    return ax
