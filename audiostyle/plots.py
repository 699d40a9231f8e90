"""Every figure of the notebooks: axes in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from audiostyle.config import TransferConfig
from audiostyle.spectrogram import frequencies, stft, times

_DEFAULT = TransferConfig()
_RANGE_DB = 80.0
COLOURS = {"content": "#1b6ca8", "style": "#c8553d", "total": "#3a3a3a"}
MARKERS = {"content": "o", "style": "s", "total": "^"}


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
    t = times(S.shape[1], sr, hop_length)
    mesh = ax.pcolormesh(
        t,
        hz[shown] / 1000,
        to_decibels(S[shown], reference),
        vmin=-_RANGE_DB,
        vmax=0,
        cmap="magma",
        rasterized=True,
    )
    ax.set(title=title, xlabel="time (s)")
    return mesh


def show_triptych(
    sounds: dict[str, np.ndarray], *, sr: int = _DEFAULT.sr, title: str = "", **kwargs
) -> Figure:
    """Draw several waveforms' spectrograms side by side on one scale.

    Parameters
    ----------
    sounds : dict of str to np.ndarray
        Panel title and waveform.
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
    spectra = {name: magnitudes(y) for name, y in sounds.items()}
    reference = max(float(S.max()) for S in spectra.values())
    fig, axes = plt.subplots(
        1, len(spectra), figsize=(4.2 * len(spectra), 3.2), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (name, S) in zip(axes, spectra.items(), strict=True):
        mesh = show_spectrogram(S, ax=ax, sr=sr, reference=reference, title=name, **kwargs)
    axes[0].set_ylabel("frequency (kHz)")
    fig.colorbar(mesh, ax=axes, label="level (dB)", pad=0.01)
    if title:
        fig.suptitle(title)
    return fig


def show_losses(
    losses: pd.DataFrame, *, ax: Axes, content_unit: float = 1.0, style_unit: float = 1.0
) -> Axes:
    """Draw both losses against the iteration, each in its own unit.

    Parameters
    ----------
    losses : pd.DataFrame
        ``iteration, content, style`` as in `TransferResult.losses`.
    ax : matplotlib.axes.Axes
    content_unit, style_unit : float
        E and s0; 1 draws the raw losses.

    Returns
    -------
    matplotlib.axes.Axes
    """
    for name, unit, label in (("content", content_unit, "content / E"), ("style", style_unit, "style / s0")):
        value = losses[name] / unit
        shown = value > 0
        every = max(1, len(losses) // 12)
        ax.semilogy(
            losses["iteration"][shown],
            value[shown],
            color=COLOURS[name],
            marker=MARKERS[name],
            markevery=every,
            label=label,
        )
    ax.set(xlabel="iteration", ylabel="loss", title="Loss")
    ax.legend()
    ax.grid(alpha=0.3)
    return ax


def show_convergence(curves: dict[str, np.ndarray], *, ax: Axes) -> Axes:
    """Draw spectral convergence in dB against the iteration, a line for each method."""
    for (name, values), marker in zip(curves.items(), "os^Dvx*", strict=False):
        ax.plot(values, label=name, marker=marker, markevery=max(1, len(values) // 10))
    ax.set(xlabel="iteration", ylabel="spectral convergence (dB)")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def show_matrix(M: np.ndarray, *, ax: Axes, title: str, xlabel: str, ylabel: str, cmap: str = "viridis"):
    """Draw a matrix with a colour bar; returns the axes."""
    image = ax.imshow(M, aspect="auto", origin="lower", cmap=cmap, interpolation="nearest")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.figure.colorbar(image, ax=ax)
    return ax


def _box(ax: Axes, x: float, y: float, text: str, *, colour: str = "#e8eef4", width: float = 1.7) -> None:
    ax.add_patch(
        FancyBboxPatch((x - width / 2, y - 0.33), width, 0.66, boxstyle="round,pad=0.05", fc=colour, ec="k")
    )
    ax.text(x, y, text, ha="center", va="center", fontsize=9)


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], *, style: str = "-", bend: float = 0
) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=12,
            ls=style,
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=0,
        )
    )


def draw_method(ax: Axes) -> Axes:
    """Draw the method as blocks, the paper's Figure 3 in our own words."""
    rows = {"content": 3.0, "generated": 1.8, "style": 0.6}
    colours = {"content": "#d6e6f2", "generated": "#eeeeee", "style": "#f4dcd6"}
    for name, y in rows.items():
        _box(ax, 1.0, y, name, colour=colours[name])
        _box(
            ax, 3.3, y, "STFT, log1p" if name != "generated" else "log magnitude X ≥ 0", colour=colours[name]
        )
        _box(ax, 5.6, y, "random filters,\nReLU", colour=colours[name])
        _arrow(ax, (1.9, y), (2.4, y))
        _arrow(ax, (4.2, y), (4.7, y))
    _box(ax, 8.1, 2.4, "content loss\n(eq. 1)", colour=colours["content"])
    _box(ax, 8.1, 1.2, "style loss\n(eq. 5–6, Gram)", colour=colours["style"])
    for source, target in (("content", 2.4), ("generated", 2.4), ("generated", 1.2), ("style", 1.2)):
        _arrow(ax, (6.5, rows[source]), (7.2, target))
    _box(ax, 10.5, 1.8, "weighted sum", colour="#eeeeee")
    _arrow(ax, (9.0, 2.4), (9.6, 1.9))
    _arrow(ax, (9.0, 1.2), (9.6, 1.7))
    _box(ax, 3.3, -0.7, "projected L-BFGS\nchanges X only", colour="#fff3cd", width=2.2)
    _arrow(ax, (10.5, 1.4), (4.5, -0.75), style="--", bend=-0.25)
    _arrow(ax, (2.6, -0.3), (2.55, 1.4), style="--", bend=-0.2)
    _box(ax, 8.1, 3.6, "Griffin-Lim → sound", colour="#e3f1e0", width=2.2)
    _arrow(ax, (3.9, 2.2), (7.0, 3.6), bend=-0.25)
    ax.set(xlim=(0, 11.6), ylim=(-1.3, 4.2))
    ax.axis("off")
    return ax


def draw_gram(ax: Axes, *, n_filters: int = 5, n_patches: int = 9) -> Axes:
    """Draw how a Gram matrix comes about, the paper's Figure 4 in our own words."""
    rng = np.random.default_rng(0)
    F = np.maximum(rng.normal(size=(n_filters, n_patches)), 0)
    G = F @ F.T
    ax.imshow(F, extent=(0, 4.5, 0, 2.5), cmap="Blues", origin="lower")
    ax.imshow(F.T, extent=(5.3, 7.8, -1.0, 3.5), cmap="Blues", origin="lower")
    ax.imshow(G, extent=(8.9, 11.4, 0, 2.5), cmap="Oranges", origin="lower")
    ax.text(2.25, 2.75, "features F: one row a filter,\none column a patch", ha="center", fontsize=9)
    ax.text(6.55, 3.7, "Fᵀ", ha="center", fontsize=9)
    ax.text(10.15, 2.75, "Gram matrix G = F Fᵀ:\nwhich filters answer together", ha="center", fontsize=9)
    ax.text(4.9, 1.25, "·", ha="center", va="center", fontsize=20)
    ax.text(8.35, 1.25, "=", ha="center", va="center", fontsize=16)
    ax.text(10.15, -0.5, "the sum over patches forgets when", ha="center", fontsize=9)
    ax.set(xlim=(-0.3, 12.2), ylim=(-1.3, 4.2))
    ax.axis("off")
    return ax
