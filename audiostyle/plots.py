"""Every figure of the notebooks: axes in, axes out. The drawings of the method are in `audiostyle.drawings`."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.config import TransferConfig
from audiostyle.spectrogram import frequencies, stft, times

_DEFAULT = TransferConfig()
_RANGE_DB = 80.0
COLOURS = {"content": "#1b6ca8", "style": "#c8553d", "total": "#3a3a3a"}
# Lines differ by marker as well as by colour, so that they can be told apart in grey.
_MARKERS = "os^Dvx*"
_LINES = ("#1b6ca8", "#c8553d", "#3d7a4b", "#7b5ea7", "#8c6d31", "#3a3a3a", "#d18f00")


def to_decibels(S: np.ndarray, reference: float) -> np.ndarray:
    """Return magnitudes in dB relative to `reference`, floored 80 dB below it."""
    return 20 * np.log10(np.maximum(S / reference, 10 ** (-_RANGE_DB / 20)))


def magnitudes(
    y: np.ndarray, *, n_fft: int = _DEFAULT.n_fft, hop_length: int = _DEFAULT.hop_length
) -> np.ndarray:
    """Return the magnitude spectrogram of a waveform as an array [shape=(n_bins, n_frames)]."""
    return stft(y, n_fft=n_fft, hop_length=hop_length).abs().numpy()


def show_spectrogram(
    S: np.ndarray,
    *,
    ax: Axes,
    sr: int = _DEFAULT.sr,
    hop_length: int = _DEFAULT.hop_length,
    reference: float | None = None,
    max_hz: float = 8000.0,
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
    title : str

    Returns
    -------
    matplotlib.collections.QuadMesh
        For a colour bar.
    """
    reference = reference or float(S.max()) or 1.0
    hz = frequencies(sr, 2 * (S.shape[0] - 1))
    shown = hz <= max_hz
    mesh = ax.pcolormesh(
        times(S.shape[1], sr, hop_length),
        hz[shown] / 1000,
        to_decibels(S[shown], reference),
        vmin=-_RANGE_DB,
        vmax=0,
        cmap="magma",
        rasterized=True,
    )
    ax.set(title=title, xlabel="time (s)")
    return mesh


def show_spectrograms(
    spectra: dict[str, np.ndarray], *, sr: int = _DEFAULT.sr, title: str = "", **kwargs
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
    **kwargs
        For `show_spectrogram`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    reference = max(float(S.max()) for S in spectra.values())
    width = min(4.0 * len(spectra) + 0.8, 13.0)
    fig, axes = plt.subplots(
        1, len(spectra), figsize=(width, 3.3), sharex=True, sharey=True, layout="constrained", squeeze=False
    )
    for ax, (name, S) in zip(axes[0], spectra.items(), strict=True):
        mesh = show_spectrogram(S, ax=ax, sr=sr, reference=reference, title=name, **kwargs)
    axes[0, 0].set_ylabel("frequency (kHz)")
    fig.colorbar(mesh, ax=axes, label="level (dB)", pad=0.01)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def show_triptych(sounds: dict[str, np.ndarray], **kwargs) -> Figure:
    """Draw several waveforms' spectrograms side by side on one scale; see `show_spectrograms`."""
    return show_spectrograms({name: magnitudes(y) for name, y in sounds.items()}, **kwargs)


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
    ax.legend()
    ax.grid(alpha=0.3)
    return ax


def show_convergence(curves: dict[str, np.ndarray], *, ax: Axes) -> Axes:
    """Draw spectral convergence in dB against the iteration, a line for each method."""
    for (name, values), marker, colour in zip(curves.items(), _MARKERS, _LINES, strict=False):
        ax.plot(values, label=name, marker=marker, ms=4, color=colour, markevery=max(1, len(values) // 10))
    ax.set(xlabel="Griffin-Lim iteration", ylabel="spectral convergence (dB)", title="Phase")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def show_phase_study(curves, *, x: str = "iteration", title: str = "") -> Figure:
    """Draw `audiostyle.phase_study.convergence_curves`: a panel for each signal and hop.

    Parameters
    ----------
    curves : pd.DataFrame
        With columns ``signal`` and ``hop`` beside those of the function.
    x : {"iteration", "seconds"}
        What to draw spectral convergence against; seconds on a logarithmic axis.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = list(curves.groupby(["signal", "hop"], sort=False))
    rows = math.ceil((len(panels) + 1) / 4)
    fig, axes = plt.subplots(rows, 4, figsize=(13, 2.9 * rows), sharey=True, layout="constrained")
    names = list(curves["method"].unique())
    for ax, ((signal, hop), panel) in zip(axes.flat, panels, strict=False):
        for name, line in panel.groupby("method", sort=False):
            i = names.index(name)
            ax.plot(
                line[x],
                line["spectral_convergence_db"],
                label=name,
                color=_LINES[i],
                marker=_MARKERS[i],
                ms=4,
                markevery=max(1, len(line) // 8),
            )
        ax.set_title(f"{signal}, hop {hop}", fontsize=10)
        ax.set_xscale("log" if x == "seconds" else "linear")
        ax.grid(alpha=0.3)
    handles = {h.get_label(): h for ax in axes.flat for h in ax.get_lines()}
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    axes.flat[-1].legend(handles=[handles[name] for name in names], loc="center", fontsize=8)
    fig.supxlabel("seconds" if x == "seconds" else "iteration", fontsize=10)
    fig.supylabel("spectral convergence (dB)", fontsize=10)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def show_optimisation(results: dict, *, title: str = "") -> Figure:
    """Draw the losses of one or more transfers beside the convergence of their phases.

    Parameters
    ----------
    results : dict of str to TransferResult
        Name of the method and its result.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
    for name, result in results.items():
        show_losses(
            result.losses,
            ax=left,
            content_unit=result.content_unit,
            style_unit=result.style_unit,
            label=name if len(results) > 1 else "",
        )
    show_convergence({name: result.convergence for name, result in results.items()}, ax=right)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def show_lines(
    x: Sequence[float], curves: dict[str, Sequence[float]], *, ax: Axes, xlabel: str, ylabel: str, title: str
) -> Axes:
    """Draw lines over common points, told apart by colour and marker; returns the axes."""
    for (name, values), marker, colour in zip(curves.items(), _MARKERS, _LINES, strict=False):
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


def show_kernel(
    K: np.ndarray,
    *,
    ax: Axes,
    title: str,
    xlabel: str,
    ylabel: str,
    vmax: float | None = None,
    sr: int = _DEFAULT.sr,
    hop_length: int = _DEFAULT.hop_length,
) -> Axes:
    """Draw a frame kernel [shape=(n_patches_y, n_patches_x)] over the seconds at which its patches begin."""
    seconds = hop_length / sr
    extent = (0, K.shape[1] * seconds, 0, K.shape[0] * seconds)
    return show_matrix(
        K, ax=ax, title=title, xlabel=xlabel, ylabel=ylabel, cmap="cividis", extent=extent, vmax=vmax
    )


def show_kernels(encoder, spectra: dict[str, np.ndarray], *, title: str = "") -> Figure:
    """Draw the frame kernels of two clips, each with itself and with the other, on one scale.

    Parameters
    ----------
    encoder : Encoder
    spectra : dict of str to array or tensor [shape=(n_bins, n_frames)]
        Name and log magnitudes of the two clips.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    (a, X), (b, Y) = spectra.items()
    kernels = {
        (row, column): encoder.kernel(P, Q).numpy()
        for row, P, column, Q in ((a, X, a, X), (a, X, b, Y), (b, Y, b, Y))
    }
    top = max(float(K.max()) for K in kernels.values())
    fig, axes = plt.subplots(1, 3, figsize=(13, 3.7), layout="constrained")
    for ax, ((row, column), K) in zip(axes, kernels.items(), strict=True):
        show_kernel(
            K, ax=ax, title=f"{row} × {column}", xlabel=f"{column} (s)", ylabel=f"{row} (s)", vmax=top
        )
    if title:
        fig.suptitle(title, fontsize=11)
    return fig
