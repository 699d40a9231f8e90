"""What the paper's two neighbours buy: holding on to a rhythm (its reference [2]), several representations ([4]).

``python -m experiments.neighbours`` writes ``rhythm.csv``, a row for each recorded pair and rhythm that is held, into
``results/paper/recorded``, and ``representations.csv``, a row for each known target and method, into ``results/paper``.
All with infinitely many filters and the polish. Sounds are kept in ``results/cache/truth``.
"""

from collections.abc import Iterator
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.datasets import clips
from audiostyle.datasets.clips import PairAudio
from audiostyle.datasets.triples import load_triple, triples
from audiostyle.figures.charts import LINE_COLOURS, MARKERS
from audiostyle.measures.content import note_similarity, onset_f_measure
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED, judge_losses
from audiostyle.measures.truth import truth_numbers
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from experiments import truth
from experiments.front_ends import RhythmLoss, transfer
from experiments.presets import GRAM
from experiments.results import Results

RHYTHMS = ("none", "content", "style")
# At a strong balance: at 0.5 the content's rhythm stays by itself.
RHYTHM_CONFIG = replace(GRAM, balance=0.8)
VIEWS = {
    "linear": ("linear",),
    "mel": ("mel",),
    "constant-Q": ("cqt",),
    "three": ("linear", "mel", "cqt"),
    "three, one pooled": ("linear", "mel", "pooled"),
}
NAMES = (COPY_CONTENT, EQUALISER, *VIEWS, MATCHED)
SET = "confirm"


def rhythm_numbers(y: np.ndarray, audio: PairAudio) -> dict[str, float]:
    """Return how alike the onset strengths of a sound are to both clips' (cosines), onsets kept and style left."""
    content, style, sr = audio.content, audio.style, audio.sr
    y = set_level(y)
    X, C, A = (log_magnitude(set_level(x)) for x in (y, content, style))
    like_content, like_style = (1 - float(RhythmLoss(clip, X.shape[1]).distance(X)) for clip in (C, A))
    return {
        "like_content": like_content,
        "like_style": like_style,
        "onset_f": onset_f_measure(y, content, sr),
        "style_share_limit": judge_losses(y, content, style)["style_share_limit"],
    }


def rhythm_rows(pair: str, audio: PairAudio, config=RHYTHM_CONFIG) -> Iterator[dict]:
    """Yield `rhythm_numbers` of the two copies and of a transfer that holds on to each of `RHYTHMS`."""
    made = {
        name: truth.METHODS[name](audio.content, audio.style, audio.sr) for name in (COPY_CONTENT, COPY_STYLE)
    }
    for rhythm in RHYTHMS:
        made[rhythm] = _made("rhythm", audio, {"config": config, "rhythm": rhythm})
    for name, y in made.items():
        yield {"pair": pair, "rhythm": name} | rhythm_numbers(y, audio)


def representation_rows(pair: str, audio: PairAudio, names=NAMES, config=GRAM) -> Iterator[dict]:
    """Yield the distances to the known target, and what is shared with the style, for each of `NAMES`."""
    for name in names:
        settings = {"config": config, "front_ends": VIEWS[name]} if name in VIEWS else None
        y = set_level(_made(name, audio, settings))
        of_style = {
            "style_share_limit": judge_losses(y, audio.content, audio.style)["style_share_limit"],
            "style_notes": note_similarity(y, audio.style, audio.sr),
        }
        yield {"set": SET, "pair": pair, "method": name} | truth_numbers(y, audio.target, audio.sr) | of_style


def _made(name: str, audio: PairAudio, settings: dict | None) -> np.ndarray:
    method = truth.Method(transfer, settings) if settings else None
    return truth.make_sound(name, audio.content, audio.style, audio.sr, method)


def nearer(table: pd.DataFrame) -> pd.DataFrame:
    """Return by how many dB each method is nearer to the target than the content is: pairs by methods."""
    wide = table.pivot(index="pair", columns="method", values="lsd")
    return wide.rsub(wide[COPY_CONTENT], axis=0)[list(NAMES[1:])]


def show_nearer(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw `nearer`: a dot for each pair, a bar for the mean."""
    gain = nearer(table)
    fig, ax = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
    places = np.arange(gain.shape[1])
    ax.barh(places, gain.mean(), color="#cfd8e3", label="mean")
    for (pair, values), marker, colour in zip(gain.iterrows(), MARKERS, LINE_COLOURS, strict=False):
        ax.plot(values, places, marker, color=colour, label=pair.replace("_", " → "))
    ax.axvline(0, color="k", lw=0.8)
    ax.set_yticks(places, gain.columns)
    ax.invert_yaxis()
    ax.set(xlabel="nearer to the right answer than the content (dB of log-spectral distance) →", title=title)
    ax.grid(alpha=0.3, axis="x")
    fig.legend(loc="outside right center", fontsize=9)
    return fig


def main() -> None:
    """Write both tables."""
    rows = [
        row
        for pair in clips.pairs("recorded")
        for row in truth.told(rhythm_rows(pair.pair, clips.load_pair(pair)))
    ]
    Results("paper", "recorded").save_table(pd.DataFrame(rows), "rhythm")
    rows = [
        row
        for triple in triples(SET)
        for row in truth.told(representation_rows(triple.name, load_triple(triple)))
    ]
    Results("paper").save_table(pd.DataFrame(rows), "representations")


if __name__ == "__main__":
    main()
