"""The paper's two neighbours measured: their own settings, each of their ideas in the limit, and combinations.

``python -m experiments.neighbours`` writes ``results/paper/neighbours.csv``, which notebook 12 reads: a row for each
pair, method and seed, on the repository's triples, whose truth is known (sets ``choose`` and ``confirm``), and on the
six pairs (set ``pairs``). Rows that are not made now are kept, and so are sounds, in ``results/cache/truth``. The
neighbours' own settings are run with a sixteenth of their filters; with all of them a pair takes hours.

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
from experiments.front_ends import (
    NEIGHBOURS,
    RhythmLoss,
    Way,
    branches,
    transfer,
)
from experiments.presets import GRAM
from experiments.results import Results

FRONT_ENDS = {
    "linear": "linear",
    "mel": "mel",
    "constant-Q": "cqt",
    "pooled constant-Q": "pooled_cqt",
    "three": "linear+mel+cqt",
    "three pooled": "linear+mel+pooled_cqt",
}
LINEAR, RHYTHM, THEN = "linear", "rhythm", "matched then"
KEYS = ["set", "pair", "method", "seed"]
REFERENCES = (COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED)
# Iterations, and how many times fewer filters than the papers have, so that a table takes hours and not days. With so
# few of both, noise would stay noise: the random ones start from the content, their limits from noise as the papers do.
WORK, LIMIT_ITER, FEWER, N_SEEDS = 40, 100, 16, 2
# Of the result against the target; against the style; against the content.
TRUTH_MEASURES = ("lsd", "mcd", "chroma", "target_onset_f", "target_style_distance")
STYLE_MEASURES = ("style_share_limit", "style_distance", "style_notes", "style_rhythm")
CONTENT_MEASURES = ("chroma_similarity", "onset_f", "content_rhythm")


def with_fewer_filters(way: Way, times: int = FEWER) -> Way:
    """Return a setting with so many times fewer filters in every front end.

    Examples
    --------
    >>> with_fewer_filters(NEIGHBOURS["barry_kim"]).front_ends
    'linear:k5:n256+mel:k50:n64+pooled_cqt:k11:n16'
    """
    config = replace(way.config, n_filters=way.config.n_filters // times)
    named = branches(way.front_ends, config.kernel_size, way.config.n_filters)
    items = [
        item.replace(f":n{branch.n_filters}", f":n{branch.n_filters // times}")
        for item, branch in zip(way.front_ends.split("+"), named, strict=True)
    ]
    return replace(way, config=config, front_ends="+".join(items))


def both_systems(n_iter: int, times: int, limit_iter: int | None = None) -> dict[str, Way]:
    """Return both neighbours with fewer filters, from the content on, and their limits: ReLU, infinitely many filters.

    The limits start from noise if they have iterations of their own, else from the content too.
    """
    found = {}
    for name, way in NEIGHBOURS.items():
        short = replace(way, start="content", config=replace(way.config, n_iter=n_iter))
        whole = way if limit_iter else short
        limit = replace(
            whole.config, encoder="infinite", activation="relu", method="gram", n_iter=limit_iter or n_iter
        )
        found |= {name: with_fewer_filters(short, times), f"{name} limit": replace(whole, config=limit)}
    return found


def settings(n_iter: int = WORK, limit_iter: int = LIMIT_ITER) -> dict[str, Way]:
    """Return what is compared, by name, with the most iterations of each and those of the neighbours' limits."""
    base = Way(replace(GRAM, n_iter=n_iter))
    found = {}
    for name, front_ends in FRONT_ENDS.items():
        found[name] = replace(base, front_ends=front_ends)
        found[f"{name} + {RHYTHM}"] = replace(base, front_ends=front_ends, rhythm="content")
    found[f"{LINEAR} + rhythm of the style"] = replace(base, rhythm="style")
    for name in (LINEAR, "three"):
        found[f"{name} + balanced gradients"] = replace(base, front_ends=FRONT_ENDS[name], units="gradients")
    found |= both_systems(n_iter, FEWER, limit_iter)
    # Texture on top of the matched timbre: balance 0.6 is 0.2 of the optimisation's.
    after = replace(base, start="matched", config=replace(base.config, balance=0.6))
    found[f"{THEN} {LINEAR}"] = after
    found[f"{THEN} three"] = replace(after, front_ends=FRONT_ENDS["three"])
    found[f"{THEN} {LINEAR} + {RHYTHM}"] = replace(after, rhythm="content")
    return found


NAMES = (*REFERENCES, *settings())


def rows(
    which: str, pair: str, audio: PairAudio, names: Iterable[str] = NAMES, **work: int
) -> Iterator[dict]:
    """Yield a row for each method of `NAMES` and seed: ``set, pair, method, seed`` and `sound_numbers`.

    Sounds that were made before are read from the cache; `work` is for `settings`.
    """
    ways = settings(**work)
    for name in names:
        random = name in ways and ways[name].config.encoder == "random"
        for seed in range(N_SEEDS if random else 1):
            method = None
            if name in ways:
                way = replace(ways[name], config=replace(ways[name].config, seed=seed))
                method = truth.Method(transfer, {"way": way})
            y = truth.make_sound(name, audio.content, audio.style, audio.sr, method)
            yield {"set": which, "pair": pair, "method": name, "seed": seed, **sound_numbers(y, audio)}


def sound_numbers(y: np.ndarray, audio: PairAudio) -> dict[str, float]:
    """Put numbers to a result at any level.

    Returns
    -------
    dict of str to float
        `TRUTH_MEASURES`, against the target (`audiostyle.measures.truth.truth_numbers`); NaN where there is none.
        `STYLE_MEASURES`: style loss of the sound over that of the content (limit), `style_distance`, likeness of
        the notes (`audiostyle.measures.content.note_similarity`) and of the onset strengths, as a cosine.
        `CONTENT_MEASURES`: chroma, onsets, and the cosine of the onset strengths.
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
    """Average `rows` over seeds, then over pairs: for each set and method ``pairs``, their number, and the means."""
    # Of tables made before a measure was added only the others are averaged.
    measures = [m for m in (*TRUTH_MEASURES, *STYLE_MEASURES, *CONTENT_MEASURES) if m in table]
    of_pairs = table.groupby(["set", "pair", "method"], sort=False)[measures].mean().reset_index()
    grouped = of_pairs.groupby(["set", "method"], sort=False)
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
            results.update_table(made, "neighbours", keys=KEYS)
    means = mean_table(results.load_table("neighbours"))
    sys.stdout.write(means.to_string(index=False, float_format="%.3f") + "\n")


if __name__ == "__main__":
    main()
