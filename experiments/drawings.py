"""Drawings of the method: how a Gram matrix comes about (notebook 02), and the steps of matched timbre (09)."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from audiostyle.figures.charts import COLOURS, show_matrix
from audiostyle.figures.spectrograms import DIFFERENCE
from audiostyle.matching import HOP, N_BANDS, SEMITONES, SR, Description, Match
from audiostyle.spectrogram import to_decibels

_BLUE, _RED, _GREY, _GREEN = "#1b6ca8", "#c8553d", "#555555", "#3d7a4b"
_DB = 20 / np.log(10)


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


def draw_gram(ax: Axes, S: np.ndarray, F: np.ndarray, *, kernel_size: int = 11) -> Axes:
    """Draw how a Gram matrix comes about, as in the paper's Figure 4, on some 12 × 4 inches.

    S are magnitudes [shape=(n_bins, n_frames)], F the answers of at least six filters [shape=(n_filters, n_patches)].
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
        ax.annotate("", (end, 1.5), (start, 1.5), arrowprops={"arrowstyle": "-|>", "color": _GREY, "lw": 1.5})
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
    """Draw levels of content and style, how alike their frames are, the pitches used, expected levels and gain."""
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
