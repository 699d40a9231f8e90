"""Spectrograms side by side on one scale."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.spectrogram import frequencies, magnitudes, times

# Signed differences: white at zero.
DIFFERENCE = "RdBu_r"
_DETAIL_HOP = 512
# Decibels under 0 at which pictures end.
RANGE_DB = 80.0


def to_decibels(S: np.ndarray, reference: float) -> np.ndarray:
    """Return magnitudes in dB relative to `reference`, floored 80 dB below it."""
    return 20 * np.log10(np.maximum(S / reference, 10 ** (-RANGE_DB / 20)))


def show_spectrogram(
    S: np.ndarray,
    *,
    ax: Axes,
    sr: int = 22050,
    hop_length: int = 1024,
    reference: float | None = None,
    max_hz: float = 8000.0,
    min_hz: float | None = None,
    begin: float = 0.0,
    title: str = "",
):
    """Draw linear magnitudes [shape=(n_bins, n_frames)] in dB over seconds and kilohertz; returns the mesh.

    Time starts at `begin` seconds. 0 dB is `reference`, else the largest of S: give one value to all panels that are
    compared. The axis from `min_hz` to `max_hz` is logarithmic and names octaves of 1 kHz, but linear from 0 where
    `min_hz` is None.
    """
    hz = frequencies(sr, 2 * (S.shape[0] - 1))
    shown = (hz <= max_hz) & (hz >= (min_hz or 0.0))
    decibels = to_decibels(S[shown], reference or float(S.max()) or 1.0)
    look = {"vmin": -RANGE_DB, "vmax": 0, "cmap": "magma", "rasterized": True}
    mesh = ax.pcolormesh(begin + times(S.shape[1], sr, hop_length), hz[shown] / 1000, decibels, **look)
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
    size = (5.4 * columns + 0.8, 4.8) if rows == 1 else (6.0 * columns + 0.8, 4.2 * rows)
    fig, axes = _panels(len(spectra), columns, size)
    for ax, (name, S) in zip(axes, spectra.items(), strict=True):
        mesh = show_spectrogram(S, ax=ax, sr=sr, reference=reference, title=name, **kwargs)
        ax.label_outer()
    fig.colorbar(mesh, ax=fig.axes, label="level (dB)", pad=0.01)
    fig.suptitle(title, fontsize=11)
    return fig


def show_triptych(sounds: dict[str, np.ndarray], *, marks: Sequence[tuple] = (), **kwargs) -> Figure:
    """Draw waveforms [shape=(n_samples,)] by title as `show_spectrograms`: three in a row, other numbers two in a row.

    The axis has octaves from 60 Hz on. `marks` are arrows: title of the panel, second and kilohertz of the point, the
    same of the text, and the text.
    """
    spectra = {name: magnitudes(y, hop_length=_DETAIL_HOP) for name, y in sounds.items()}
    look = {"hop_length": _DETAIL_HOP, "min_hz": 60.0, "columns": 3 if len(sounds) == 3 else 2}
    fig = show_spectrograms(spectra, **look | kwargs)
    for title, second, kilohertz, *place, text in marks:
        look = {
            "color": "white",
            "fontsize": 11,
            "bbox": {"fc": "black", "ec": "none", "alpha": 0.7, "pad": 2},
        }
        arrow = {"arrowstyle": "->", "color": "white", "lw": 2}
        ax = fig.axes[list(sounds).index(title)]
        ax.annotate(text, (second, kilohertz), place, arrowprops=arrow, ha="center", **look)
    return fig


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


def show_closely(
    content: np.ndarray,
    style: np.ndarray,
    result: np.ndarray,
    *,
    begins: tuple[float, float] | None = None,
    seconds: float = 2.0,
    sr: int = 22050,
    title: str = "",
) -> Figure:
    """Draw two seconds of a content, a style and a result, and what the result has that the content has not, in dB.

    Waveforms [shape=(n_samples,)] of one level. `begins` are the seconds at which content and style begin, by default
    where each is loudest. Below −80 dB under the loudest cell nothing is told apart. From 120 Hz to 8 kHz.
    """
    at, other = begins or (loudest_part(content, sr, seconds), loudest_part(style, sr, seconds))
    sounds = {"content": (content, at), "style": (style, other), "result": (result, at)}
    spectra = {
        name: magnitudes(y[round(begin * sr) : round((begin + seconds) * sr)], hop_length=_DETAIL_HOP // 2)
        for name, (y, begin) in sounds.items()
    }
    reference = max(float(S.max()) for S in spectra.values())
    axis = {"sr": sr, "hop_length": _DETAIL_HOP // 2, "reference": reference, "min_hz": 120.0}
    fig, axes = plt.subplots(2, 2, figsize=(12.8, 8.4), sharey=True, layout="constrained")
    for ax, (name, (_, begin)) in zip(axes.flat, sounds.items(), strict=False):
        mesh = show_spectrogram(spectra[name], ax=ax, begin=begin, title=name, **axis)
    fig.colorbar(mesh, ax=axes[:, 0], label="level (dB)", pad=0.01, location="left")
    mesh = show_spectrogram(spectra["result"], ax=axes[1, 1], begin=at, title="result − content", **axis)
    hz = frequencies(sr, 2 * (spectra["result"].shape[0] - 1))
    change = to_decibels(spectra["result"], reference) - to_decibels(spectra["content"], reference)
    mesh.set_array(change[(hz >= 120.0) & (hz <= 8000.0)])
    mesh.set(cmap=DIFFERENCE, clim=(-30, 30))
    fig.colorbar(mesh, ax=axes[:, 1], label="dB: − taken away, + added", pad=0.01)
    for ax in axes[:, 0]:
        ax.set_ylabel("frequency (kHz)")
    fig.suptitle(title, fontsize=11)
    return fig
