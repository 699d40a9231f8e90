"""Drawings of the method: this project's own Figures 3 and 4, and the steps of matched timbre; notebooks 00, 02, 03."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from audiostyle.figures.charts import COLOURS, show_matrix
from audiostyle.figures.spectrograms import DIFFERENCE
from audiostyle.matching import HOP, N_BANDS, SEMITONES, SR, Description, Match
from audiostyle.spectrogram import to_decibels

_BLUE, _RED, _GREY, _GREEN = "#1b6ca8", "#c8553d", "#555555", "#3d7a4b"
_FILL = {_BLUE: "#e3eef7", _RED: "#f9e6e1", _GREY: "#f1f1f1", _GREEN: "#e4f1e6"}
_DB = 20 / np.log(10)


def _box(ax: Axes, x: float, y: float, text: str, colour: str, width: float) -> None:
    """Draw a labelled box centred at (x, y)."""
    corner, style = (x - width / 2, y - 0.31), "round,pad=0,rounding_size=0.08"
    ax.add_patch(FancyBboxPatch(corner, width, 0.62, boxstyle=style, fc=_FILL[colour], ec=colour, lw=1.3))
    ax.text(x, y, text, ha="center", va="center", fontsize=10, linespacing=1.15)


def _arrow(ax: Axes, colour: str, *points: tuple[float, float], dashed: bool = False) -> None:
    """Draw straight lines through the points, the last with an arrow head."""
    line = {"color": colour, "lw": 1.5, "ls": (0, (4, 2)) if dashed else "-"}
    if len(points) > 2:
        ax.plot(*zip(*points[:-1], strict=True), **line, solid_capstyle="butt")
    head = {"arrowstyle": "-|>", "mutation_scale": 13, "shrinkA": 0, "shrinkB": 0}
    ax.add_patch(FancyArrowPatch(points[-2], points[-1], **head, **line))


def _image(ax: Axes, M: np.ndarray, left: float, bottom: float, width: float, height: float, **colours):
    """Draw a matrix into a rectangle, first row at the bottom."""
    extent = (left, left + width, bottom, bottom + height)
    ax.imshow(M, extent=extent, origin="lower", aspect="auto", interpolation="nearest", **colours)
    ax.add_patch(Rectangle((left, bottom), width, height, fill=False, ec=_GREY, lw=0.8))


def thumbnail(S: np.ndarray, *, n_bins: int = 60, n_frames: int = 120, sr: int = 22050) -> np.ndarray:
    """Return a small picture of magnitudes for drawings, over five octaves from 180 Hz on.

    [shape=(n_bins, n_frames), range 0 to 1]: the loudest cell is 1, everything 60 dB under it 0.
    """
    edges = np.geomspace(180, 5760, n_bins + 1) / (sr / 2) * (S.shape[0] - 1)
    columns = np.linspace(0, S.shape[1], n_frames + 1).astype(int)
    rows = [S[int(low) : int(low) + max(1, round(high - low))].max(axis=0) for low, high in pairwise(edges)]
    cells = np.array([[row[a : max(b, a + 1)].max() for a, b in pairwise(columns)] for row in rows])
    return np.clip(1 + to_decibels(cells, float(cells.max())) / 60, 0, 1)


def draw_method(ax: Axes, spectra: dict[str, np.ndarray]) -> Axes:
    """Draw the method: what the paper shows in its Figure 3, with the path of the gradient.

    `ax` has some 12 × 5 inches; `spectra` are magnitudes of ``content``, ``style`` and ``result``, of a length.
    """
    top, middle, bottom = 4.0, 2.3, 0.6
    rows = ((top, "content", _BLUE), (middle, "result", _GREY), (bottom, "style", _RED))
    for y, kind, colour in rows:
        _image(ax, thumbnail(spectra[kind]), 2.6, y - 0.5, 1.9, 1.0, cmap="magma", vmin=0, vmax=1)
        _box(ax, 6.15, y, "random filters\n+ ReLU", colour, 1.6)
        _box(ax, 0.85, y, f"{kind}\nsound", _GREEN if kind == "result" else colour, 1.5)
    for x, y, text, colour, width in (
        (8.5, 1.35, "Gram matrix", _GREY, 1.35),
        (8.5, bottom, "Gram matrix", _RED, 1.35),
        (10.6, 3.3, "content loss\n(eq. 1)", _BLUE, 1.5),
        (10.6, 0.98, "style loss\n(eq. 6)", _RED, 1.5),
        (12.6, middle, "weighted\nsum", _GREY, 1.2),
    ):
        _box(ax, x, y, text, colour, width)
    for y, colour in ((top, _BLUE), (bottom, _RED)):
        _arrow(ax, colour, (1.65, y), (2.55, y))
        _arrow(ax, colour, (4.55, y), (5.32, y))
        ax.text(2.1, y + 0.08, "|STFT|\nlog1p", ha="center", va="bottom", fontsize=8, color=colour)
    for colour, *points in (
        (_GREY, (4.55, middle + 0.12), (5.32, middle + 0.12)),
        (_BLUE, (3.55, top - 0.55), (3.55, middle + 0.82)),
        (_BLUE, (7.0, top), (8.5, top), (9.8, 3.5)),
        (_GREY, (7.0, middle + 0.2), (8.5, middle + 0.75), (9.8, 3.2)),
        (_GREY, (7.0, middle - 0.2), (7.78, 1.42)),
        (_RED, (7.0, bottom), (7.78, bottom)),
        (_GREY, (9.22, 1.3), (9.8, 1.1)),
        (_RED, (9.22, bottom), (9.8, 0.85)),
        (_BLUE, (11.4, 3.15), (12.35, middle + 0.37)),
        (_RED, (11.4, 1.13), (12.35, middle - 0.37)),
        (_GREEN, (2.55, middle), (1.65, middle)),
    ):
        _arrow(ax, colour, *points)
    _arrow(ax, _GREEN, (11.95, middle), (7.0, middle), dashed=True)
    _arrow(ax, _GREEN, (5.32, middle - 0.12), (4.55, middle - 0.12), dashed=True)
    for x, y, text, colour, size in (
        (3.85, (top + middle) / 2 + 0.16, "start", _BLUE, 9),
        (2.1, middle + 0.08, "Griffin-Lim,\nat the end", _GREEN, 8),
        (3.55, middle + 0.55, "spectrogram X", "k", 9),
        (6.15, top + 0.42, "one frozen bank for all three", _GREY, 8),
        (9.6, middle + 0.07, "gradient: only X changes, X ≥ 0", _GREEN, 9),
    ):
        ax.text(x, y, text, ha="center", va="bottom", fontsize=size, color=colour)
    ax.set(xlim=(-0.1, 13.3), ylim=(-0.15, 4.85), aspect="auto")
    ax.axis("off")
    return ax


def draw_gram(ax: Axes, S: np.ndarray, F: np.ndarray, *, kernel_size: int = 11) -> Axes:
    """Draw how a Gram matrix comes about: what the paper shows in its Figure 4.

    `ax` has some 12 × 4 inches; S are linear magnitudes [shape=(n_bins, n_frames)], F the answers of at least six
    filters to their patches [shape=(n_filters, n_patches)].
    """
    G = F @ F.T
    n_filters, n_patches = F.shape
    i, j, patch = 2, 5, n_patches // 3
    frame, row, column = 3.0 / S.shape[1], 2.4 / n_filters, 4.0 / n_patches
    _image(ax, thumbnail(S), 0.0, 0.3, 3.0, 2.4, cmap="magma", vmin=0, vmax=1)
    ax.add_patch(Rectangle((patch * frame, 0.3), kernel_size * frame, 2.4, fill=False, ec="white", lw=2))
    _image(ax, F, 4.45, 0.3, 4.0, 2.4, cmap="Greys", vmin=0, vmax=1.2 * F.max())
    _image(ax, G, 9.95, 0.3, 2.4, 2.4, cmap="Greys", vmin=0, vmax=1.1 * G.max())
    for index, name, colour in ((i, "i", _BLUE), (j, "j", _RED)):
        height = 0.3 + index * row
        ax.add_patch(Rectangle((4.45, height), 4.0, row, fc=colour, alpha=0.18))
        ax.add_patch(Rectangle((4.45, height), 4.0, row, fill=False, ec=colour, lw=2))
        for x in (4.4, 9.9):
            ax.text(x, height + 0.5 * row, name, ha="right", va="center", color=colour)
        ax.text(9.95 + (index + 0.5) * row, 0.22, name, ha="center", va="top", color=colour)
    for a, b in ((i, j), (j, i)):
        ax.add_patch(Rectangle((9.95 + b * row, 0.3 + a * row), row, row, fill=False, ec=_GREEN, lw=2.2))
    ax.plot(2 * [4.45 + (patch + 0.5) * column], (0.3, 2.7), "k", lw=1.5)
    ax.text(4.45 + (patch + 0.5) * column, 0.22, "patch k", ha="center", va="top", fontsize=9)
    for start, end, text in ((3.1, 4.35, "N filters,\nReLU"), (8.55, 9.8, "sum over\npatches")):
        _arrow(ax, _GREY, (start, 1.5), (end, 1.5))
        ax.text((start + end) / 2, 1.6, text, ha="center", va="bottom", fontsize=9)
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


def show_match(match: Match, *, content: Description, style: Description, title: str = "") -> Figure:
    """Draw what was described, what was matched, the levels expected, and the gain.

    Above: levels of content and style in mel bands, and the cosine of the fine structures of all their frames. Below:
    the share of every transposition, the expected levels, and the gain in dB on them. Levels are in dB under the
    loudest band of each.
    """
    fig, axes = plt.subplots(2, 3, figsize=(14, 6.4), layout="constrained")
    levels = {"content": content.bands, "style": style.bands, "expected": match.bands}
    for ax, (name, bands) in zip((axes[0, 0], axes[0, 1], axes[1, 1]), levels.items(), strict=True):
        decibels = (bands - bands.max()).cpu().numpy() * _DB / 2  # of power
        shown = {"xlabel": "time (s)", "ylabel": "mel band", "cmap": "magma", "vmin": -60, "vmax": 0}
        extent = (0, _seconds(bands), 0, N_BANDS)
        show_matrix(decibels, ax=ax, title=f"levels, {name}", extent=extent, label="dB", **shown)
    cosines = (content.fine.T @ style.fine).cpu().numpy()
    axis = {"xlabel": "time in the style (s)", "ylabel": "time in the content (s)", "vmin": 0, "vmax": 1}
    axis |= {"extent": (0, _seconds(style.fine), 0, _seconds(content.fine)), "label": "cosine"}
    show_matrix(cosines, ax=axes[0, 2], title="alike in fine structure", **axis)
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
