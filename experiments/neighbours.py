"""The paper's two neighbours measured: their own settings, each of their ideas in the limit, and combinations.

``python -m experiments.neighbours`` writes ``results/paper/neighbours.csv``: a row for each pair and method, on the
repository's triples, whose truth is known (sets ``choose`` and ``confirm``), and on the six pairs (set ``pairs``). Rows
that are not made now are kept, and so are sounds, in ``results/cache/truth``. The neighbours' own settings are run with
a sixteenth of their filters; with all of them a pair takes hours.

    python -m experiments.neighbours --set choose --methods "linear,three,three + rhythm"
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.datasets import clips
from audiostyle.datasets.clips import PairAudio
from audiostyle.datasets.triples import SPLITS, load_triple, triples
from audiostyle.figures.charts import LINE_COLOURS, MARKERS
from audiostyle.measures import style_distance
from audiostyle.measures.content import chroma_similarity, note_similarity, onset_f_measure
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED, judge_losses
from audiostyle.measures.truth import truth_numbers
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from experiments import truth
from experiments.front_ends import CQT, LINEAR, MEL, NEIGHBOURS, RhythmLoss, Way, transfer
from experiments.presets import GRAM
from experiments.results import Results

FRONT_ENDS = {
    "linear": (LINEAR,),
    "mel": (MEL,),
    "constant-Q": (CQT,),
    "pooled constant-Q": (CQT._replace(pooled=True),),
    "three": (LINEAR, MEL, CQT),
    "three pooled": (LINEAR, MEL, CQT._replace(pooled=True)),
}
RHYTHM, THEN = "rhythm", "matched then"
REFERENCES = (COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED)
# Iterations, and how many times fewer filters than the papers have, so that a table takes hours and not days. With so
# few of both, noise would stay noise: the random ones start from the content, their limits from noise as the papers do.
WORK, LIMIT_ITER, FEWER = 40, 100, 16
# Of the result against the target; against the style; against the content.
TRUTH_MEASURES = ("lsd", "mcd", "chroma", "target_onset_f", "target_style_distance")
STYLE_MEASURES = ("style_share_limit", "style_distance", "style_notes", "style_rhythm")
CONTENT_MEASURES = ("chroma_similarity", "onset_f", "content_rhythm")


def with_fewer_filters(way: Way, times: int = FEWER) -> Way:
    """Return a setting with fewer filters in every front end."""
    few = [b._replace(n_filters=b.n_filters and b.n_filters // times) for b in way.front_ends]
    config = replace(way.config, n_filters=way.config.n_filters // times)
    return replace(way, config=config, front_ends=tuple(few))


def both_systems(n_iter: int, times: int, limit_iter: int | None = None) -> dict[str, Way]:
    """Return both neighbours with fewer filters, from the content on, and their limits: ReLU, infinitely many filters.

    The limits start from noise if they have iterations of their own, else from the content too.
    """
    found = {}
    for name, way in NEIGHBOURS.items():
        short = replace(way, start="content", config=replace(way.config, n_iter=n_iter))
        limit = replace(way.config, encoder="infinite", activation="relu", n_iter=limit_iter or n_iter)
        start = way.start if limit_iter else "content"
        found[name] = with_fewer_filters(short, times)
        found[f"{name} limit"] = replace(way, config=limit, start=start)
    return found


def settings(n_iter: int = WORK, limit_iter: int = LIMIT_ITER) -> dict[str, Way]:
    """Return what is compared, by name, with the most iterations of each and those of the neighbours' limits."""
    base = Way(replace(GRAM, n_iter=n_iter))
    # Texture on top of the matched timbre: balance 0.6 is 0.2 of the optimisation's.
    after = replace(base, start="matched", config=replace(base.config, balance=0.6))
    found = {name: replace(base, front_ends=front_ends) for name, front_ends in FRONT_ENDS.items()}
    for name in ("linear", "three"):
        found[f"{name} + {RHYTHM}"] = replace(found[name], rhythm="content")
        found[f"{name} + balanced gradients"] = replace(found[name], units="gradients")
    found["linear + rhythm of the style"] = replace(base, rhythm="style")
    found |= both_systems(n_iter, FEWER, limit_iter)
    return found | {f"{THEN} {n}": replace(after, front_ends=FRONT_ENDS[n]) for n in ("linear", "three")}


NAMES = (*REFERENCES, *settings())


def rows(
    which: str, pair: str, audio: PairAudio, names: Iterable[str] = NAMES, **work: int
) -> Iterator[dict]:
    """Yield a row for each method of `NAMES`: ``set, pair, method`` and `sound_numbers`; `work` is for `settings`.

    Sounds that were made before are read from the cache.
    """
    ways = settings(**work)
    for name in names:
        method = truth.Method(transfer, {"way": ways[name]}) if name in ways else None
        y = truth.make_sound(name, audio.content, audio.style, audio.sr, method)
        yield {"set": which, "pair": pair, "method": name, **sound_numbers(y, audio)}


def sound_numbers(y: np.ndarray, audio: PairAudio) -> dict[str, float]:
    """Put numbers to a result at any level: `TRUTH_MEASURES` (NaN without a target), style, content.

    ``style_rhythm`` and ``content_rhythm`` are cosines of onset strengths, ``style_notes`` a likeness of notes,
    ``style_share_limit`` the style loss over that of the content.
    """
    content, style, sr = audio.content, audio.style, audio.sr
    y = set_level(y)
    of_truth = dict.fromkeys(TRUTH_MEASURES, float("nan"))
    if audio.target is not None:
        found = truth_numbers(y, audio.target, sr)
        of_truth = dict(zip(TRUTH_MEASURES, (found[m] for m in truth.MEASURES), strict=True))
    X, C, A = (log_magnitude(set_level(x)) for x in (y, content, style))
    of_content, of_style = (1 - float(RhythmLoss(clip, X.shape[1]).distance(X)) for clip in (C, A))
    return {
        **of_truth,
        "style_share_limit": judge_losses(y, content, style)["style_share_limit"],
        "style_distance": style_distance(y, style, sr),
        "style_notes": note_similarity(y, style, sr),
        "style_rhythm": of_style,
        "chroma_similarity": chroma_similarity(y, content, sr),
        "onset_f": onset_f_measure(y, content, sr),
        "content_rhythm": of_content,
    }


def mean_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average `rows` over pairs: for each set and method ``pairs``, their number, and the means."""
    # Of tables made before a measure was added only the others are averaged.
    measures = [m for m in (*TRUTH_MEASURES, *STYLE_MEASURES, *CONTENT_MEASURES) if m in table]
    grouped = table.groupby(["set", "method"], sort=False)
    means = grouped[measures].mean()
    means.insert(0, "pairs", grouped.size())
    return truth.in_order(means.reset_index(), NAMES)


def show_means(means: pd.DataFrame, measure: str, *, label: str) -> Figure:
    """Draw a column of `mean_table` for every method, a marker for each set."""
    methods = list(dict.fromkeys(means["method"]))
    fig, ax = plt.subplots(figsize=(8.5, 0.27 * len(methods) + 1.4), layout="constrained")
    sets = means.groupby("set", sort=False)
    for (which, own), marker, colour in zip(sets, MARKERS, LINE_COLOURS, strict=False):
        heights = [methods.index(method) for method in own["method"]]
        ax.plot(own[measure], heights, marker, color=colour, ls="none", ms=7, alpha=0.85, label=which)
    ax.set(yticks=range(len(methods)), yticklabels=methods, xlabel=label)
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    ax.legend()
    return fig


def sounds(which: str) -> Iterator[tuple[str, PairAudio]]:
    """Yield the name and the sounds of every pair of a set."""
    if which == "pairs":
        for pair in clips.pairs(clips.current_edition()):
            yield pair.pair, clips.load_pair(pair)
    else:
        for triple in triples(which):
            yield triple.name, load_triple(triple)


def main(argv: list[str] | None = None) -> None:
    """Make rows and print the means."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sets = (*SPLITS, "pairs")
    parser.add_argument("--set", choices=sets, action="append", help="all by default")
    parser.add_argument("--methods", type=truth.names_of, default=NAMES, help=f"any of {', '.join(NAMES)}")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.methods) - set(NAMES):
        parser.error(f"no method is called {', '.join(sorted(unknown))}")
    results = Results("paper")
    for which in arguments.set or sets:
        for pair, audio in sounds(which):
            made = pd.DataFrame(truth.told(rows(which, pair, audio, arguments.methods)))
            results.update_table(made, "neighbours", keys=["set", "pair", "method"])
    means = mean_table(results.load_table("neighbours"))
    sys.stdout.write(means.to_string(index=False, float_format="%.3f") + "\n")


if __name__ == "__main__":
    main()
