"""Spectrograms side by side on one scale; axes in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.spectrogram import RANGE_DB, frequencies, magnitudes, times, to_decibels


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
        ax.set_yscale("log")
        octaves = 2.0 ** np.arange(np.ceil(np.log2(min_hz / 1000)), np.log2(max_hz / 1000) + 1e-9)
        ax.set_yticks(octaves, [f"{kilohertz:.3g}" for kilohertz in octaves])
        ax.minorticks_off()
    ax.set(title=title, xlabel="time (s)")
    return mesh


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
    size = (min(4.0 * columns + 0.8, 13.0), 3.3) if rows == 1 else (5.4 * columns + 0.8, 4.2 * rows)
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
    """Draw several waveforms' spectrograms side by side on one scale; see `show_spectrograms`."""
    return show_spectrograms({name: magnitudes(y) for name, y in sounds.items()}, **kwargs)
