"""The paper's two neighbours, and what of them helps: ``python -m benchmarks.neighbours``.

Writes ``results/paper/neighbours.csv``: a row for each pair, method and seed, on the repository's triples, whose truth
is known (sets ``choose`` and ``confirm``), and on the six pairs (set ``pairs``). Rows of pairs and methods that are
not named are kept, and sounds are kept in ``results/cache/truth``, so that it can be stopped and started again.
The neighbours' own settings are run with a sixteenth of their filters; with all of them a pair takes hours.

    python -m benchmarks.neighbours --set choose --methods "linear,three,three + rhythm"
"""

import argparse
import sys

import pandas as pd

from audiostyle.datasets import clips
from audiostyle.datasets.triples import SPLITS, load_triple, triples
from audiostyle.studies import neighbours
from benchmarks.truth import names_of, told
from experiments.results import Results

PAIRS = "pairs"


def sounds(which: str):
    """Yield the name and the sounds of every pair of a set."""
    if which == PAIRS:
        for pair in clips.pairs(clips.current_edition()):
            yield pair.pair, clips.load_pair(pair)
    else:
        for triple in triples(which):
            yield triple.name, load_triple(triple)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sets = (*SPLITS, PAIRS)
    parser.add_argument("--set", choices=sets, action="append", help="all by default")
    parser.add_argument("--methods", type=names_of, help=f"any of {', '.join(neighbours.NAMES)}")
    arguments = parser.parse_args(argv)
    names = arguments.methods or neighbours.NAMES
    if unknown := set(names) - set(neighbours.NAMES):
        parser.error(f"no method is called {', '.join(sorted(unknown))}")
    results = Results("paper")
    for which in arguments.set or sets:
        for pair, audio in sounds(which):
            made = pd.DataFrame(told(neighbours.rows(which, pair, audio, names)))
            results.update_table(made, "neighbours", keys=neighbours.KEYS)
    means = neighbours.mean_table(results.load_table("neighbours"))
    sys.stdout.write(means.to_string(index=False, float_format="%.3f") + "\n")


if __name__ == "__main__":
    main()
