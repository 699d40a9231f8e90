"""Fill the tables of notebook 11: ``python -m benchmarks.trade_offs EXPERIMENT [--edition E] [--pairs a,b]``."""

import argparse
import logging

import pandas as pd

from audiostyle import clips, tradeoffs
from audiostyle.results import Results

EXPERIMENTS = {
    "references": ("trade_offs", tradeoffs.reference_rows),
    "curves": ("trade_offs_curves", tradeoffs.curve_rows),
    "paper": ("trade_offs_paper", tradeoffs.paper_rows),
    "polish": ("trade_offs_polish", tradeoffs.polish_rows),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--edition", choices=clips.EDITIONS, default=clips.current_edition())
    parser.add_argument("--pairs", help="names, separated by commas; all six by default")
    parser.add_argument("--balances", help="numbers, separated by commas")
    parser.add_argument("--seeds", help="whole numbers, separated by commas; of the paper's way only")
    arguments = parser.parse_args()
    table, rows_of = EXPERIMENTS[arguments.experiment]
    options = {}
    if arguments.balances:
        options["balances"] = tuple(float(b) for b in arguments.balances.split(","))
    if arguments.seeds:
        options["seeds"] = tuple(int(seed) for seed in arguments.seeds.split(","))
    results = Results("paper", arguments.edition)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    wanted = arguments.pairs.split(",") if arguments.pairs else None
    for pair in clips.pairs(arguments.edition):
        if wanted and pair.pair not in wanted:
            continue
        audio = clips.load_pair(pair)
        for row in rows_of(pair, audio, **options):
            results.update_table(pd.DataFrame([row]), table, keys=tradeoffs.KEYS)
            logging.info("%s %s %s", pair.pair, row["method"], row["balance"])


if __name__ == "__main__":
    main()
