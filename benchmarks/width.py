"""Random filters against their limit on the six pairs: ``python -m benchmarks.width``.

Writes into ``results/paper/<edition>/``:

* ``width_totals.csv``: for each pair, balance and fresh bank the objective of the spectrogram optimised with 4096
  filters and of the one optimised in the limit;
* ``width_curves.csv``: the style loss of both at equal content loss, interpolated along the balance curve of the
  limit;
* ``width_overfitting.csv``: style loss on the bank optimised, on fresh banks and in the limit, against N.

A run that was stopped continues: optimised spectra are kept in ``results/cache``.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from audiostyle.datasets import clips, paths
from audiostyle.datasets.keys import cache_key
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.sound.files import whole_file
from audiostyle.studies import width
from experiments.results import Results

N_FILTERS = 4096
SEED = 0  # of the filters optimised
N_ITER = 300
DURATION = 10.0  # seconds of each clip
BALANCES = (0.3, 0.5, 0.8)
CURVE = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
N_FRESH = 10
KEYS = ("encoder", "balance")


def optimised(pair: clips.Pair, given: width.Problem, balances: tuple[float, ...]) -> dict:
    """Return the spectra of a pair by (encoder, balance): random ones from the cache where they are."""
    spectra = {
        ("infinite", b): width.minimum_under(given, InfiniteEncoder(), b, n_iter=N_ITER) for b in CURVE
    }
    bank = RandomEncoder(N_FILTERS, seed=SEED)
    for balance in balances:
        path = _stored(pair, balance)
        if path.exists():
            X = torch.from_numpy(np.load(path, allow_pickle=False))
        else:
            started = time.perf_counter()
            X = width.minimum_under(given, bank, balance, n_iter=N_ITER)
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary:
                np.save(temporary, X.numpy())
            sys.stdout.write(f"{pair.pair} at {balance}: {time.perf_counter() - started:.0f} s\n")
            sys.stdout.flush()
        spectra[("random-4096", balance)] = X
    return spectra


def _stored(pair: clips.Pair, balance: float) -> Path:
    """Name a spectrum after everything that makes it, the code included, so that a stale one is never found."""
    how = {"n_filters": N_FILTERS, "seed": SEED, "n_iter": N_ITER, "balance": balance}
    key = cache_key(width.__name__, sources=clips.made_of(pair, DURATION), **how)
    return paths.cache_dir() / "width" / f"{pair.edition}-{pair.pair}-{balance}-{key}.npy"


def duel(edition: str, balances: tuple[float, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables of the comparison under fresh banks."""
    pairs = {pair.pair: pair for pair in clips.pairs(edition)}
    problems = {name: width.problem(clips.load_pair(pair, duration=DURATION)) for name, pair in pairs.items()}
    spectra = {name: optimised(pairs[name], given, balances) for name, given in problems.items()}
    totals, curves = [], []
    for i in range(N_FRESH):
        bank = RandomEncoder(N_FILTERS, seed=width.FIRST_BANK + i)
        for name, given in problems.items():
            scores = width.score_on_bank(given, bank, spectra[name], keys=KEYS)
            totals += _totals(name, i, given, scores)
            curves += _curves(name, i, scores)
    return pd.DataFrame(totals), pd.DataFrame(curves)


def _totals(name: str, bank: int, given: width.Problem, scores: pd.DataFrame) -> list[dict]:
    rows = []
    for balance in scores.loc[scores["encoder"] == "random-4096", "balance"]:
        at = scores[scores["balance"] == balance].set_index("encoder")
        total = (1 - balance) ** 2 * at["content"] + balance**2 * at["style"]
        rows.append(
            {"pair": name, "balance": balance, "fresh_bank": width.FIRST_BANK + bank}
            | {"random_4096": total["random-4096"], "infinite": total["infinite"]}
            | {"ratio": total["infinite"] / total["random-4096"]}
        )
    return rows


def _curves(name: str, bank: int, scores: pd.DataFrame) -> list[dict]:
    """Style loss of the limit where its balance curve has the content loss of the random result."""
    curve = scores[scores["encoder"] == "infinite"].sort_values("content")
    rows = []
    for _, at in scores[scores["encoder"] == "random-4096"].iterrows():
        style = np.exp(np.interp(np.log(at["content"]), np.log(curve["content"]), np.log(curve["style"])))
        rows.append(
            {"pair": name, "balance": at["balance"], "fresh_bank": width.FIRST_BANK + bank}
            | {"content": at["content"], "style_random_4096": at["style"], "style_infinite": style}
            | {"ratio": style / at["style"]}
        )
    return rows


def main(argv: list[str] | None = None) -> None:
    """Compute and write the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edition", choices=clips.EDITIONS, default=clips.current_edition())
    # The limit has to be known at the balance of every random result.
    parser.add_argument("--balances", type=float, nargs="+", choices=CURVE, default=BALANCES)
    arguments = parser.parse_args(argv)
    edition = arguments.edition
    results = Results("paper", edition)
    totals, curves = duel(edition, tuple(arguments.balances))
    results.save_table(totals, "width_totals")
    results.save_table(curves, "width_curves")
    for name, table in (("total objective", totals), ("style at equal content", curves)):
        worst = table.groupby(["pair", "balance"])["ratio"].agg(["mean", "std", "max"])
        sys.stdout.write(f"{name}, infinite / 4096 filters\n{worst.to_string()}\n")
    given = width.problem(clips.load_pair(clips.get_pair("instrument-1", edition), duration=5.0))
    table = width.overfitting(given, (128, 512, 2048, 4096, 8192), (0.3, 0.5, 0.8, 0.95), n_iter=100)
    results.save_table(table, "width_overfitting")
    sys.stdout.write(table.to_string() + "\n")


if __name__ == "__main__":
    main()
