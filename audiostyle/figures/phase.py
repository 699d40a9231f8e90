"""Figure of notebook 01_spectrogram_and_phase.ipynb: phase methods compared."""

import math

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from audiostyle.figures.charts import LINE_COLOURS, MARKERS


def show_phase_study(curves, *, x: str = "iteration", title: str = "") -> Figure:
    """Draw `audiostyle.studies.phase.convergence_curves`: a panel for each signal and hop.

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
                color=LINE_COLOURS[i],
                marker=MARKERS[i],
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
