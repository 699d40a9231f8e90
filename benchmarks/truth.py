"""How near every method comes to a known truth: ``python -m benchmarks.truth``.

Writes ``truth.csv`` (a row for each pair and method) and ``truth_mean.csv`` into ``results/paper/``; rows of methods
that are not named are kept. On the repository's triples it also draws ``truth.png`` (content, style, result of
the default and truth of one pair) and ``truth_pairs.png``. Sounds
are kept in ``results/cache/truth``, so that a second run is quick; the paper's
setting takes minutes for each clip.

    python -m benchmarks.truth --methods "equaliser,default" --split choose
    python -m benchmarks.truth --folder my_triples
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator

import matplotlib.pyplot as plt
import pandas as pd

from audiostyle.datasets.triples import SPLITS, load_triple, triples
from audiostyle.figures.truth import show_pairs, show_truth
from audiostyle.studies import truth
from experiments.results import Results

# The pair of the picture; see data/README.md.
PICTURE = "flute_viola"


def names_of(text: str) -> tuple[str, ...]:
    """Read names separated by commas."""
    return tuple(name.strip() for name in text.split(","))


def told(rows: Iterable[dict]) -> Iterator[dict]:
    """Pass rows on, each with a line on standard output."""
    started = time.perf_counter()
    for row in rows:
        numbers = "  ".join(f"{k} {v:.3f}" for k, v in row.items() if isinstance(v, float))
        words = " ".join(v for v in row.values() if isinstance(v, str))
        sys.stdout.write(f"{words}: {numbers}  ({time.perf_counter() - started:.1f} s)\n")
        sys.stdout.flush()
        started = time.perf_counter()
        yield row


def score_triples(results: Results, chosen: list, names: tuple[str, ...]) -> pd.DataFrame:
    """Write the rows of some triples and return the means over them."""
    for triple in chosen:
        rows = pd.DataFrame(told(truth.triple_rows(triple, names)))
        results.update_table(rows, "truth", keys=truth.KEYS)
    table = truth.in_order(results.load_table("truth"))
    results.save_table(table, "truth")
    means = truth.mean_table(table)
    results.save_table(means, "truth_mean")
    return means[means["set"].isin({truth.set_of(triple) for triple in chosen})]


def draw(results: Results) -> None:
    """Draw both figures from the table of the repository's triples."""
    triple = next(triple for triple in triples() if triple.name == PICTURE)
    audio = load_triple(triple)
    y = truth.make_sound(truth.DEFAULT, audio.content, audio.style, audio.sr)
    title = f"{triple.content_instrument} → {triple.style_instrument}"
    results.save_figure(show_truth(audio, y, method=truth.DEFAULT, title=title), "truth", folder="")
    table = results.load_table("truth")
    results.save_figure(show_pairs(table[table["set"].isin(SPLITS)]), "truth_pairs", folder="")
    plt.close("all")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--folder", help="triples NAME_content.wav, NAME_style.wav, NAME_target.wav to score instead"
    )
    where.add_argument("--split", choices=SPLITS, help="half of the repository's triples; both by default")
    parser.add_argument("--methods", type=names_of, help=f"any of {', '.join(truth.NAMES)}; all by default")
    arguments = parser.parse_args(argv)
    names = arguments.methods or truth.NAMES
    if unknown := set(names) - set(truth.NAMES):
        parser.error(f"no method is called {', '.join(sorted(unknown))}; there are {', '.join(truth.NAMES)}")
    results = Results("paper")
    try:
        chosen = triples(arguments.split, folder=arguments.folder)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    means = score_triples(results, chosen, names)
    if not arguments.folder:
        draw(results)
    sys.stdout.write(means.to_string(index=False, float_format="%.3f") + "\n")


if __name__ == "__main__":
    main()
