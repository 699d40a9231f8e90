"""Figures of the study of truth: spectrograms beside the truth, and distances pair by pair; figures out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.datasets.clips import PairAudio
from audiostyle.figures.charts import LINE_COLOURS, MARKERS
from audiostyle.figures.spectrograms import show_spectrograms
from audiostyle.sound.audio import set_level
from audiostyle.spectrogram import magnitudes
from audiostyle.studies import truth
from audiostyle.studies.trade_offs import CROSS
from experiments.pairs import COPY_CONTENT

_HOP = 512
# Methods of the dot plot, as many as there are markers.
_SHOWN = (
    truth.MATCHED,
    truth.EQUALISER,
    CROSS,
    truth.TRANSPOSED,
    truth.PAPER,
    truth.FIRST,
    COPY_CONTENT,
)


def show_truth(audio: PairAudio, y: np.ndarray, *, method: str, title: str = "") -> Figure:
    """Draw content, style, result and truth on one scale, at one level, over a logarithmic axis of frequency.

    Parameters
    ----------
    audio : PairAudio
        With a target.
    y : np.ndarray [shape=(n_samples,)]
        The result.
    method : str
        What made it.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    sounds = {
        "content": audio.content,
        "style": audio.style,
        f"result: {method}": y,
        "truth": audio.target,
    }
    spectra = {
        name: magnitudes(set_level(x, name=name), n_fft=4096, hop_length=_HOP) for name, x in sounds.items()
    }
    return show_spectrograms(
        spectra, sr=audio.sr, title=title, columns=2, hop_length=_HOP, min_hz=60.0, max_hz=10_000.0
    )


def show_pairs(table: pd.DataFrame) -> Figure:
    """Draw the log-spectral distance to the target of every pair, a marker for each method.

    Parameters
    ----------
    table : pd.DataFrame
        Rows of `audiostyle.studies.truth.triple_rows`; a panel for each set, the pairs in the order of the content's
        distance.

    Returns
    -------
    matplotlib.figure.Figure
    """
    sets = list(dict.fromkeys(table["set"]))
    fig, axes = plt.subplots(
        1, len(sets), figsize=(5.5 * len(sets) + 0.6, 5), sharex=True, layout="constrained", squeeze=False
    )
    for ax, which in zip(axes.flat, sets, strict=True):
        wide = table[table["set"] == which].pivot(index="pair", columns="method", values="lsd")
        wide = wide.sort_values(COPY_CONTENT)
        names = [pair.replace("_", " → ") for pair in wide.index]
        for method, marker, colour in zip(_SHOWN, MARKERS, LINE_COLOURS, strict=True):
            if method in wide:
                ax.plot(wide[method], names, marker, color=colour, ls="none", ms=8, alpha=0.85, label=method)
        ax.set(title=which, xlabel="← log-spectral distance to the truth (dB)")
        ax.grid(alpha=0.3)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    return fig
