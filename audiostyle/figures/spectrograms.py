"""Spectrograms side by side on one scale; axes in, axes out."""

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
    """Draw magnitudes in dB over seconds and kilohertz.

    Parameters
    ----------
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Linear magnitudes.
    ax : matplotlib.axes.Axes
    sr, hop_length : int
        Hz and samples.
    reference : float or None
        Magnitude of 0 dB; None takes the largest of S. Give one value to all panels that are compared.
    max_hz : float
        Upper end of the axis.
    min_hz : float > 0 or None
        Lower end of a logarithmic axis; with None the axis is linear and begins at 0.
    title : str

    Returns
    -------
    matplotlib.collections.QuadMesh
        For a colour bar.
    """
    reference = reference or float(S.max()) or 1.0
    hz = frequencies(sr, 2 * (S.shape[0] - 1))
    shown = (hz <= max_hz) & (hz >= (min_hz or 0.0))
    mesh = ax.pcolormesh(
        times(S.shape[1], sr, hop_length),
        hz[shown] / 1000,
        to_decibels(S[shown], reference),
        vmin=-RANGE_DB,
        vmax=0,
        cmap="magma",
        rasterized=True,
    )
    if min_hz is not None:
        _octaves(ax, min_hz, max_hz)
    ax.set(title=title, xlabel="time (s)")
    return mesh


def _octaves(ax: Axes, min_hz: float, max_hz: float) -> None:
    """Make the vertical axis logarithmic, with a tick at every octave of 1 kHz."""
    ax.set_yscale("log")
    octaves = 2.0 ** np.arange(np.ceil(np.log2(min_hz / 1000)), np.log2(max_hz / 1000) + 1e-9)
    ax.set_yticks(octaves, [f"{kilohertz:.3g}" for kilohertz in octaves])
    ax.minorticks_off()


def show_spectrograms(
    spectra: dict[str, np.ndarray], *, sr: int = 22050, title: str = "", columns: int | None = None, **kwargs
) -> Figure:
    """Draw several magnitude spectrograms side by side on one scale.

    Parameters
    ----------
    spectra : dict of str to np.ndarray [shape=(n_bins, n_frames), non-negative]
        Panel title and linear magnitudes.
    sr : int
        Sample rate in Hz.
    title : str
        Title of the figure.
    columns : int > 0 or None
        Panels in a row; None puts all into one.
    **kwargs
        For `show_spectrogram`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    reference = max(float(S.max()) for S in spectra.values())
    columns = columns or len(spectra)
    rows = -(-len(spectra) // columns)
    size = (min(4.0 * columns + 0.8, 13.0), 3.3) if rows == 1 else (6.0 * columns + 0.8, 4.2 * rows)
    fig, axes = plt.subplots(
        rows, columns, figsize=size, sharex=True, sharey=True, layout="constrained", squeeze=False
    )
    for ax, (name, S) in zip(axes.flat, spectra.items(), strict=False):
        mesh = show_spectrogram(S, ax=ax, sr=sr, reference=reference, title=name, **kwargs)
        ax.label_outer()
    for ax in axes.flat[len(spectra) :]:
        ax.axis("off")
    for ax in axes[:, 0]:
        ax.set_ylabel("frequency (kHz)")
    fig.colorbar(mesh, ax=axes, label="level (dB)", pad=0.01)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def show_triptych(sounds: dict[str, np.ndarray], **kwargs) -> Figure:
    """Draw several waveforms' spectrograms on one scale, two in a row, over octaves from 60 Hz on.

    Parameters
    ----------
    sounds : dict of str to np.ndarray [shape=(n_samples,)]
        Panel title and waveform.
    **kwargs
        For `show_spectrograms`, in place of these defaults.

    Returns
    -------
    matplotlib.figure.Figure
    """
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
    min_hz: float = 120.0,
    max_hz: float = 8000.0,
    title: str = "",
) -> Figure:
    """Draw the loudest seconds of a content, and what each result has there that the content has not, in dB.

    Parameters
    ----------
    content : np.ndarray [shape=(n_samples,)]
    sounds : dict of str to np.ndarray [shape=(n_samples,)]
        Name and waveform of the results, at the content's level.
    sr : int
        Hz.
    seconds : float
        Length of the detail.
    min_hz, max_hz : float
        Ends of the logarithmic axis.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Bright cells have more than the content and dark ones less; below −80 dB under the content's loudest cell
        nothing is told apart.
    """
    spectra = {"content": _detail(content, content, sr, seconds)}
    spectra |= {name: _detail(y, content, sr, seconds) for name, y in sounds.items()}
    reference, rows = float(spectra["content"].max()), -(-len(spectra) // 2)
    fig, axes = plt.subplots(
        rows, 2, figsize=(12.8, 4.0 * rows), sharex=True, sharey=True, layout="constrained", squeeze=False
    )
    axis = {"sr": sr, "hop_length": _DETAIL_HOP, "reference": reference, "min_hz": min_hz, "max_hz": max_hz}
    level = show_spectrogram(spectra["content"], ax=axes.flat[0], title="content", **axis)
    fig.colorbar(level, ax=axes.flat[0], label="level (dB)", pad=0.01)
    before = to_decibels(spectra.pop("content"), reference)
    for ax, (name, S) in zip(axes.flat[1:], spectra.items(), strict=False):
        mesh = show_spectrogram(S, ax=ax, title=f"{name} − content", **axis)
        shown = frequencies(sr, 2 * (S.shape[0] - 1))
        shown = (shown >= min_hz) & (shown <= max_hz)
        mesh.set_array((to_decibels(S, reference) - before)[shown])
        mesh.set(cmap=DIFFERENCE, clim=(-30, 30))
        fig.colorbar(mesh, ax=ax, label="dB: − taken away, + added", pad=0.01)
    for ax in axes.flat[: 1 + len(spectra)]:
        ax.label_outer()
    for ax in axes.flat[1 + len(spectra) :]:
        ax.axis("off")
    for ax in axes[:, 0]:
        ax.set_ylabel("frequency (kHz)")
    begin = loudest_part(content, sr, seconds)
    fig.suptitle(f"{title} · {begin:g} to {begin + seconds:g} s".removeprefix(" · "), fontsize=11)
    return fig


def _detail(y: np.ndarray, content: np.ndarray, sr: int, seconds: float) -> np.ndarray:
    start = round(loudest_part(content, sr, seconds) * sr)
    return magnitudes(y[start : start + round(seconds * sr)], hop_length=_DETAIL_HOP)
