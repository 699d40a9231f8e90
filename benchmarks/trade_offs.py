"""Fill the tables of notebook 11: ``python -m benchmarks.trade_offs EXPERIMENT [--edition E] [--pairs a,b]``."""

import argparse
import inspect
import logging

import pandas as pd

from audiostyle.datasets import clips
from audiostyle.studies import trade_offs
from experiments.results import Results

EXPERIMENTS = {
    "references": ("trade_offs", trade_offs.reference_rows),
    "curves": ("trade_offs_curves", trade_offs.curve_rows),
    "paper": ("trade_offs_paper", trade_offs.paper_rows),
    "polish": ("trade_offs_polish", trade_offs.polish_rows),
}


def _list_of(kind: type):
    """Return a reader of values separated by commas."""

    def values(text: str) -> tuple:
        return tuple(kind(value) for value in text.split(","))

    return values


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--edition", choices=clips.EDITIONS, default=clips.current_edition())
    parser.add_argument("--pairs", type=_list_of(str), help="names, separated by commas; all six by default")
    parser.add_argument("--balances", type=_list_of(float), help="numbers, separated by commas")
    parser.add_argument(
        "--seeds", type=_list_of(int), help="whole numbers, separated by commas; of the paper's way only"
    )
    arguments = parser.parse_args(argv)
    table, rows_of = EXPERIMENTS[arguments.experiment]
    options = {}
    if arguments.balances:
        options["balances"] = arguments.balances
    if arguments.seeds:
        options["seeds"] = arguments.seeds
    for name in options:
        if name not in inspect.signature(rows_of).parameters:
            parser.error(f"--{name} means nothing for {arguments.experiment}")
    known = [pair.pair for pair in clips.pairs(arguments.edition)]
    if unknown := set(arguments.pairs or ()) - set(known):
        parser.error(f"no pair is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    results = Results("paper", arguments.edition)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for pair in clips.pairs(arguments.edition):
        if arguments.pairs and pair.pair not in arguments.pairs:
            continue
        audio = clips.load_pair(pair)
        for row in rows_of(pair, audio, **options):
            results.update_table(pd.DataFrame([row]), table, keys=trade_offs.KEYS)
            logging.info("%s %s %s", pair.pair, row["method"], row["balance"])


if __name__ == "__main__":
    main()
