"""Spectrograms side by side on one scale."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.spectrogram import RANGE_DB, frequencies, magnitudes, times, to_decibels

# Signed differences: its lightness grows throughout, so that − and + differ in grey too.
DIFFERENCE = "cividis"
_DETAIL_HOP = 512


def show_spectrogram(
    S: np.ndarray,
    *,
    ax: Axes,
    sr: int = 22050,
    hop_length: int = 1024,
    reference: float | None = None,
    max_hz: float = 8000.0,
    min_hz: float | None = None,
    title: str = "",
):
    """Draw linear magnitudes [shape=(n_bins, n_frames)] in dB over seconds and kilohertz; returns the mesh.

    0 dB is `reference`, else the largest of S: give one value to all panels that are compared. The axis from `min_hz`
    to `max_hz` is logarithmic and names octaves of 1 kHz, but linear from 0 where `min_hz` is None.
    """
    hz = frequencies(sr, 2 * (S.shape[0] - 1))
    shown = (hz <= max_hz) & (hz >= (min_hz or 0.0))
    decibels = to_decibels(S[shown], reference or float(S.max()) or 1.0)
    look = {"vmin": -RANGE_DB, "vmax": 0, "cmap": "magma", "rasterized": True}
    mesh = ax.pcolormesh(times(S.shape[1], sr, hop_length), hz[shown] / 1000, decibels, **look)
    if min_hz is not None:
        ax.set_yscale("log")
        octaves = 2.0 ** np.arange(np.ceil(np.log2(min_hz / 1000)), np.log2(max_hz / 1000) + 1e-9)
        ax.set_yticks(octaves, [f"{kilohertz:.3g}" for kilohertz in octaves])
        ax.minorticks_off()
    ax.set(title=title, xlabel="time (s)")
    return mesh


def _panels(n: int, columns: int, size: tuple[float, float]):
    """Return a figure with so many panels, `columns` in a row, on common axes, and the axes of the panels."""
    rows = -(-n // columns)
    shared = {"sharex": True, "sharey": True, "layout": "constrained", "squeeze": False}
    fig, axes = plt.subplots(rows, columns, figsize=size, **shared)
    for ax in axes.flat[n:]:
        ax.axis("off")
    for ax in axes[:, 0]:
        ax.set_ylabel("frequency (kHz)")
    return fig, axes.flat[:n]


def show_spectrograms(
    spectra: dict[str, np.ndarray], *, sr: int = 22050, title: str = "", columns: int | None = None, **kwargs
) -> Figure:
    """Draw several magnitude spectrograms on one scale, by title; all in one row unless `columns` are given.

    All else as for `show_spectrogram`.
    """
    reference = max(float(S.max()) for S in spectra.values())
    columns = columns or len(spectra)
    rows = -(-len(spectra) // columns)
    size = (min(4.0 * columns + 0.8, 13.0), 3.3) if rows == 1 else (6.0 * columns + 0.8, 4.2 * rows)
    fig, axes = _panels(len(spectra), columns, size)
    for ax, (name, S) in zip(axes, spectra.items(), strict=True):
        mesh = show_spectrogram(S, ax=ax, sr=sr, reference=reference, title=name, **kwargs)
        ax.label_outer()
    fig.colorbar(mesh, ax=fig.axes, label="level (dB)", pad=0.01)
    fig.suptitle(title, fontsize=11)
    return fig


def show_triptych(sounds: dict[str, np.ndarray], **kwargs) -> Figure:
    """Draw waveforms [shape=(n_samples,)] by title as `show_spectrograms`, two in a row, over octaves from 60 Hz on."""
    spectra = {name: magnitudes(y) for name, y in sounds.items()}
    return show_spectrograms(spectra, **{"columns": 2, "min_hz": 60.0} | kwargs)


def loudest_part(y: np.ndarray, sr: int, seconds: float) -> float:
    """Return the second at which the loudest stretch of a length begins, in steps of a quarter of a second.

    Examples
    --------
    >>> loudest_part(np.r_[np.zeros(300), np.ones(200), np.zeros(100)], 100, 2.0)
    3.0
    """
    step = sr // 4
    energy = np.add.reduceat(y.astype(np.float64) ** 2, np.arange(0, len(y), step))
    width = min(round(4 * seconds), len(energy))
    return float(np.convolve(energy, np.ones(width), mode="valid").argmax()) / 4


def show_differences(
    content: np.ndarray,
    sounds: dict[str, np.ndarray],
    *,
    sr: int = 22050,
    seconds: float = 2.0,
    title: str = "",
) -> Figure:
    """Draw the loudest seconds of a content, and what each result has there that the content has not, in dB.

    Bright cells have more than the content and dark ones less; below −80 dB under the content's loudest cell nothing
    is told apart. Waveforms [shape=(n_samples,)], the results by name and at the content's level; the axis is
    logarithmic from 120 Hz to 8 kHz.
    """
    begin = loudest_part(content, sr, seconds)
    part = slice(round(begin * sr), round((begin + seconds) * sr))
    before = magnitudes(content[part], hop_length=_DETAIL_HOP)
    axis = {"sr": sr, "hop_length": _DETAIL_HOP, "reference": float(before.max()), "min_hz": 120.0}
    fig, axes = _panels(1 + len(sounds), 2, (12.8, 4.0 * -(-(1 + len(sounds)) // 2)))
    level = show_spectrogram(before, ax=axes[0], title="content", **axis)
    fig.colorbar(level, ax=axes[0], label="level (dB)", pad=0.01)
    hz = frequencies(sr, 2 * (before.shape[0] - 1))
    shown = (hz >= 120.0) & (hz <= 8000.0)
    for ax, (name, y) in zip(axes[1:], sounds.items(), strict=True):
        S = magnitudes(y[part], hop_length=_DETAIL_HOP)
        mesh = show_spectrogram(S, ax=ax, title=f"{name} − content", **axis)
        change = to_decibels(S, axis["reference"]) - to_decibels(before, axis["reference"])
        mesh.set_array(change[shown])
        mesh.set(cmap=DIFFERENCE, clim=(-30, 30))
        fig.colorbar(mesh, ax=ax, label="dB: − taken away, + added", pad=0.01)
    for ax in axes:
        ax.label_outer()
    fig.suptitle(f"{title} · {begin:g} to {begin + seconds:g} s".removeprefix(" · "), fontsize=11)
    return fig
