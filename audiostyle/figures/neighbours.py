"""Figures of notebook 12_neighbours.ipynb; figures out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from audiostyle.figures.charts import LINE_COLOURS, MARKERS, show_lines
from audiostyle.spectrogram import times
from experiments.neighbours import FrontEnd, onset_strength


def show_front_ends(
    log_S: torch.Tensor, front_ends: dict[str, FrontEnd], *, sr: int, hop_length: int = 1024, title: str = ""
) -> Figure:
    """Draw a clip as each front end shows it to the encoder, one above the other.

    Parameters
    ----------
    log_S : torch.Tensor [shape=(n_bins, n_frames)]
        Log magnitudes.
    front_ends : dict of str to FrontEnd
    sr : int
        Sample rate in Hz.
    hop_length : int
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(
        len(front_ends), 1, figsize=(9, 2.6 * len(front_ends)), sharex=True, layout="constrained"
    )
    end = times(log_S.shape[1], sr, hop_length)[-1]
    for ax, (name, front_end) in zip(np.atleast_1d(axes), front_ends.items(), strict=True):
        seen = front_end(log_S).numpy()
        image = ax.imshow(
            seen,
            origin="lower",
            aspect="auto",
            cmap="magma",
            extent=(0, end, 0, len(seen)),
            interpolation="none",
        )
        ax.set(title=f"{name}: {len(seen)} rows", ylabel="row")
        fig.colorbar(image, ax=ax, label="log(1 + magnitude)")
    ax.set_xlabel("time (s)")
    fig.suptitle(title)
    return fig


def show_convergence(errors: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw the error of random filters against the limit, and the bound that falls as 1/√N.

    Parameters
    ----------
    errors : pd.DataFrame
        Index the number of filters; a column for each line.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    curves = {str(name): errors[name].to_numpy() for name in errors}
    show_lines(
        errors.index.to_numpy(), curves, ax=ax, xlabel="filters N", ylabel="relative error", title=title
    )
    ax.set(xscale="log", yscale="log")
    return fig


def show_onsets(
    clips: dict[str, torch.Tensor], *, sr: int, hop_length: int = 1024, title: str = ""
) -> Figure:
    """Draw the onset strengths of clips, each divided by its greatest, one above the other.

    Parameters
    ----------
    clips : dict of str to torch.Tensor [shape=(n_bins, n_frames)]
        Log magnitudes.
    sr : int
        Sample rate in Hz.
    hop_length : int
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(
        len(clips), 1, figsize=(9, 1.1 * len(clips) + 0.8), sharex=True, layout="constrained"
    )
    for ax, (name, log_S), colour in zip(axes, clips.items(), LINE_COLOURS, strict=False):
        strength = onset_strength(log_S).numpy()
        shown = strength / max(strength.max(), np.finfo(strength.dtype).tiny)
        ax.fill_between(times(len(strength) + 1, sr, hop_length)[1:], shown, color=colour)
        ax.set(ylim=(0, 1.05), yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    ax.set_xlabel("time (s)")
    fig.suptitle(title)
    return fig


def show_means(means: pd.DataFrame, measure: str, *, label: str, title: str = "") -> Figure:
    """Draw the mean of a measure for every method, a marker for each set.

    Parameters
    ----------
    means : pd.DataFrame
        Of `audiostyle.studies.neighbours.mean_table`, all rows of the sets shown.
    measure : str
        Column.
    label : str
        Of the axis.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    methods = list(dict.fromkeys(means["method"]))
    fig, ax = plt.subplots(figsize=(8.5, 0.27 * len(methods) + 1.4), layout="constrained")
    for (which, own), marker, colour in zip(
        means.groupby("set", sort=False), MARKERS, LINE_COLOURS, strict=False
    ):
        heights = [methods.index(method) for method in own["method"]]
        ax.plot(own[measure], heights, marker, color=colour, ls="none", ms=7, alpha=0.85, label=which)
    ax.set(yticks=range(len(methods)), yticklabels=methods, xlabel=label, title=title)
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    ax.legend()
    return fig
