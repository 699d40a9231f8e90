"""The steps of matched timbre in one figure; descriptions in, figure out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from audiostyle.figures.charts import COLOURS, show_matrix
from audiostyle.figures.spectrograms import DIFFERENCE
from audiostyle.matching import HOP, N_BANDS, SEMITONES, SR, Description, Match

_DB = 20 / np.log(10)


def show_match(match: Match, *, content: Description, style: Description, title: str = "") -> Figure:
    """Draw what was described, what was matched, the levels expected, and the gain.

    Parameters
    ----------
    match : Match
        What `audiostyle.matching.match_timbre` returned.
    content, style : Description
        Of the two clips.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Above: levels of content and style in mel bands, and the cosine of the fine structures of all their frames.
        Below: the share of every transposition, the expected levels, and the gain in dB on them. Levels are in dB
        under the loudest band of each.
    """
    fig, axes = plt.subplots(2, 3, figsize=(14, 6.4), layout="constrained")
    levels = {"content": content.bands, "style": style.bands, "expected": match.bands}
    for ax, (name, bands) in zip((axes[0, 0], axes[0, 1], axes[1, 1]), levels.items(), strict=True):
        decibels = (bands - bands.max()).cpu().numpy() * _DB / 2  # of power
        shown = {"xlabel": "time (s)", "ylabel": "mel band", "cmap": "magma", "vmin": -60, "vmax": 0}
        extent = (0, _seconds(bands), 0, N_BANDS)
        show_matrix(decibels, ax=ax, title=f"levels, {name}", extent=extent, label="dB", **shown)
    cosines = (content.fine.T @ style.fine).cpu().numpy()
    extent = (0, _seconds(style.fine), 0, _seconds(content.fine))
    axis = {"xlabel": "time in the style (s)", "ylabel": "time in the content (s)", "vmin": 0, "vmax": 1}
    show_matrix(
        cosines, ax=axes[0, 2], title="alike in fine structure", extent=extent, label="cosine", **axis
    )
    axes[1, 0].bar(list(SEMITONES), match.semitones, color=COLOURS["style"])
    axes[1, 0].set(
        xlabel="transposition of the style (semitones)",
        ylabel="share of the weights",
        title="pitches of the style that were used",
    )
    gain = match.filter.log_gain.cpu().numpy() * _DB
    extent = (0, _seconds(gain), 0, SR / 2000)
    axis = {"xlabel": "time (s)", "ylabel": "frequency (kHz)", "cmap": DIFFERENCE, "vmin": -30, "vmax": 30}
    label = "dB: − softer, + louder"
    show_matrix(gain, ax=axes[1, 2], title="gain on the content", extent=extent, label=label, **axis)
    fig.suptitle(title, fontsize=11)
    return fig


def _seconds(frames) -> float:
    return frames.shape[1] * HOP / SR
