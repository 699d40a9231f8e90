"""Sketches beside the exact kernel: ``python -m benchmarks.sketch`` writes ``results/paper/recorded/sketch*.csv``.

``sketch.csv``: test items that `best` names rightly on the designs of `benchmarks.table1`, exactly and by sketches of
D numbers, and the processor time of a sketch. ``sketch_draws.csv``: error of the kernel for several ways to draw the
pairs of filters (``--draws``).
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm, qmc

from audiostyle.datasets.corpora import Recordings
from audiostyle.speakers.methods import SPEAKER_METHODS, similarity
from audiostyle.speakers.sketch import DRAWS, GramSketch, Sketcher, sketch_classify
from audiostyle.speakers.table import SPLITS, predict, split_items
from benchmarks.table1 import loaded
from experiments.results import Results

SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
BEST = SPEAKER_METHODS["best"]


class LowDiscrepancy(GramSketch):
    """Pairs from a scrambled Sobol sequence, both filters of a pair from one point."""

    def filters(self, n_channels: int) -> torch.Tensor:
        """Return the first filters of all pairs, then the second."""
        if n_channels not in self._drawn:
            points = qmc.Sobol(2 * n_channels, scramble=True, rng=self.seed).random(self.n_pairs)
            drawn = norm.ppf(np.clip(points, 1e-9, 1 - 1e-9)).reshape(-1, 2, n_channels).transpose(1, 0, 2)
            self._drawn[n_channels] = torch.tensor(drawn.reshape(-1, n_channels, 1), dtype=torch.float32)
        return self._drawn[n_channels]


def agreement(name: str, items: Recordings, sizes: Sequence[int], n_seeds: int) -> Iterator[dict]:
    """Yield a row for each size, seed and split, the exact kernel's first (size 0)."""
    sides = {how: split_items(items, how) for how in SPLITS}
    truth = {how: items.speakers[test] for how, (_, test) in sides.items()}
    about = {"design": name, "n_items": len(items)}
    for how, (train, test) in sides.items():
        n_correct = int((predict(items, "best", train, test, cache=True) == truth[how]).sum())
        yield about | {"split": how, "n_pairs": 0, "seed": 0, "n_test": len(test), "n_correct": n_correct}
    for n_pairs in sizes:
        for seed in range(n_seeds):
            sketcher = Sketcher(BEST, n_pairs, seed=seed)
            sketcher(items.ys[0])  # draws the filters
            started = time.process_time()
            rows = np.stack([sketcher(y) for y in items.ys])
            each = 1000 * (time.process_time() - started) / len(items)
            for how, (train, test) in sides.items():
                named = sketch_classify(sketcher, rows, items.speakers[train], train, test)
                yield about | {
                    "split": how, "n_pairs": n_pairs, "seed": seed, "n_test": len(test),
                    "n_correct": int((named == truth[how]).sum()), "cpu_ms_each": round(each, 2),
                    "bytes_each": rows[0].nbytes,
                }  # fmt: skip


def errors(items: Recordings, sizes: Sequence[int], n_seeds: int) -> Iterator[dict]:
    """Yield the error of the cosine between Gram matrices for each draw, size and seed, for both windows of `best`."""
    draws: dict[str, Callable[..., GramSketch]] = {draw: partial(GramSketch, draw=draw) for draw in DRAWS}
    # As plain pairs: with the signs each point would give four numbers of the sketch, and not one.
    draws["sobol"] = partial(LowDiscrepancy, draw="gaussian")
    pairs = np.triu_indices(len(items), 1)
    for front_end in BEST.front_ends:
        alone = replace(SPEAKER_METHODS["windows"], front_ends=(front_end,))
        exact = similarity(items, alone, cache=True)[pairs]
        frames = [front_end(y) for y in items.ys]
        for draw, made in draws.items():
            for n_pairs in sizes:
                found, spent = [], 0.0
                for seed in range(n_seeds):
                    sketch = made(n_pairs, kernel_size=1, seed=seed)
                    sketch(frames[0])
                    started = time.process_time()
                    Z = torch.stack([sketch(X) for X in frames]).double().numpy()
                    spent += time.process_time() - started
                    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
                    found.append((Z @ Z.T)[pairs] - exact)
                yield {
                    "n_fft": front_end.n_fft, "draw": draw, "n_pairs": n_pairs, "seeds": n_seeds,
                    "rms_error": float(np.sqrt(np.mean(np.square(found)))), "spread": float(exact.std()),
                    "cpu_ms_each": round(1000 * spent / len(items) / n_seeds, 2),
                }  # fmt: skip


def main() -> None:
    """Measure and write both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=SIZES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--draws", action="store_true", help="only the comparison of draws, which wants many seeds"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    results, rows = Results("paper", "recorded"), []
    for name, items, _ in loaded():
        if not args.draws:
            rows += agreement(name, items, args.sizes, args.seeds)
            results.save_table(pd.DataFrame(rows), "sketch")
        elif name == "librispeech, 10 × 16":
            results.save_table(pd.DataFrame(errors(items, args.sizes, args.seeds)), "sketch_draws")
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
