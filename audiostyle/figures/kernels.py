"""Frame kernels over seconds; axes in, axes out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.figures.charts import show_matrix


def show_kernel(
    K: np.ndarray,
    *,
    ax: Axes,
    title: str,
    xlabel: str,
    ylabel: str,
    vmax: float | None = None,
    sr: int = 22050,
    hop_length: int = 1024,
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
