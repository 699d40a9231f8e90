"""The steps of matched timbre, drawn for notebook 09."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from audiostyle.figures.charts import COLOURS, show_matrix
from audiostyle.figures.spectrograms import DIFFERENCE
from audiostyle.matching import HOP, N_BANDS, SEMITONES, SR, Description, Match
from audiostyle.matching.describe import FINE, cosines

_DB = 20 / np.log(10)


def show_match(match: Match, *, content: Description, style: Description, title: str = "") -> Figure:
    """Draw levels of content and style, how alike their frames are, the pitches used, expected levels and gain."""
    fig, axes = plt.subplots(2, 3, figsize=(14, 6.4), layout="constrained")
    levels = {"content": content.bands, "style": style.bands, "expected": match.bands}
    for ax, (name, bands) in zip((axes[0, 0], axes[0, 1], axes[1, 1]), levels.items(), strict=True):
        decibels = (bands - bands.max()).cpu().numpy() * _DB / 2  # of power
        shown = {"xlabel": "time (s)", "ylabel": "mel band", "cmap": "magma", "vmin": -60, "vmax": 0}
        extent = (0, _seconds(bands), 0, N_BANDS)
        show_matrix(decibels, ax=ax, title=f"levels, {name}", extent=extent, label="dB", **shown)
    alike = cosines(content.fine, style.fine, FINE).cpu().numpy()
    axis = {"xlabel": "time in the style (s)", "ylabel": "time in the content (s)", "vmin": 0, "vmax": 1}
    axis |= {"extent": (0, _seconds(style.bands), 0, _seconds(content.bands)), "label": "cosine"}
    show_matrix(alike, ax=axes[0, 2], title="alike in fine structure", **axis)
    axes[1, 0].bar(list(SEMITONES), match.semitones, color=COLOURS["style"])
    axis = {"xlabel": "transposition of the style (semitones)", "ylabel": "share of the weights"}
    axes[1, 0].set(title="pitches of the style that were used", **axis)
    gain = match.gain.log_gain.cpu().numpy() * _DB
    axis = {"xlabel": "time (s)", "ylabel": "frequency (kHz)", "cmap": DIFFERENCE, "vmin": -30, "vmax": 30}
    axis |= {"extent": (0, _seconds(gain), 0, SR / 2000), "label": "dB: − softer, + louder"}
    show_matrix(gain, ax=axes[1, 2], title="gain on the content", **axis)
    fig.suptitle(title, fontsize=11)
    return fig


def _seconds(frames) -> float:
    return frames.shape[1] * HOP / SR
