"""Table 1 on every corpus at hand, and what goes beyond it: ``python -m experiments.table1``; notebooks 06 and 12.

Writes into ``results/paper/recorded``: ``table1.csv``, every design and split; and of the largest, 20 speakers of
LibriSpeech, ``channels.csv``, the test side through another channel; ``few_shot.csv``, one, two and four utterances
that train; ``sketch.csv``, `best` by sketches. A corpus that is absent from the mirror and the folder of downloads is
named and left out.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.signal import butter, fftconvolve, sosfilt

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings, load_recordings
from audiostyle.sound.levels import rms, set_level
from audiostyle.speakers.classifiers import classify
from audiostyle.speakers.methods import BASELINES, TELEPHONE_BAND, get_method
from audiostyle.speakers.sketch import N_PAIRS, Sketcher
from audiostyle.speakers.table import SPLITS, gram_views, predict, split_items
from experiments.results import Results

# Table 1 as printed: speakers, utterances of each, test items, accuracy.
PAPER_TABLE = ((4, 40, 80, 0.925), (10, 16, 80, 0.485))
ROWS = ("paper", "linear", "ridge", "best", "spectrum", "mfcc", "gmm", "chance")
# What is compared where the test side changes and where little trains.
COMPARED = ("paper", "linear", "ridge", "best")
# Folder, speakers, utterances of each, banks of 4096 filters. The four of LibriSpeech are those with 40 utterances.
DESIGNS = (
    ("vctk4", 4, 10, 5),
    ("librispeech", ("61", "121", "237", "260"), 40, 5),
    ("librispeech", 20, 20, 0),
    ("fsdd", 6, 40, 0),
)
# Parts of the 20 × 20, whose kernels it has: the paper's 10 × 16, and the ten speakers that no choice of `best` had
# seen. First and last speaker, utterances of each, banks.
LARGE, PARTS = ("librispeech", 20, 20), ((0, 10, 16, 5), (10, 20, 20, 0))
# Kernels of 400 utterances take minutes; where each channel needs its own, so many of each speaker are compared.
N_CHANNELS = 8
SIZES, N_SEEDS = (128, 512, 2048), 3

# Changes a waveform; what is random in it comes from the generator.
Channel = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def find(folder: str) -> Path | None:
    """Return where a corpus lies, or None."""
    for top in (paths.mirror_dir(), paths.data_dir()):
        if top is not None and (top / folder).is_dir():
            return top / folder
    return None


def count(named: np.ndarray, truth: np.ndarray) -> dict:
    """Return how many test items were named rightly, the share, and its 95 % interval by a bootstrap over speakers.

    Items of one speaker are not independent: a speaker who is hard to tell is missed many times. So whole speakers are
    drawn, with replacement. Of few speakers the interval says little, and where all are alike it has no width.
    """
    names, right = np.unique(truth), named == truth
    shares = np.array([right[truth == name].mean() for name in names])
    drawn = np.random.default_rng(0).choice(shares, size=(4000, len(names))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    about = {"n_speakers": len(names), "n_test": len(truth), "n_correct": int(right.sum())}
    return about | {"accuracy": right.mean(), "ci_low": low, "ci_high": high}


def views_of(items: Recordings, methods: Sequence[str], **how) -> dict[str, list[np.ndarray] | None]:
    """Return by method the features that it compares, None for those without Gram matrices; `how` is of `gram_views`.

    Those that compare by the cosine have sketches, which take a fraction of the time.
    """
    found = {}
    for name in methods:
        if name in set(BASELINES) - {"linear"}:
            found[name] = None
        elif get_method(name).cosine:
            sketcher = Sketcher(get_method(name))
            found[name] = sketcher.views(np.stack([sketcher(y) for y in items.ys]))
        else:
            found[name] = gram_views(items, get_method(name), **how)
    return found


def part(items: Recordings, views: dict, first: int, last: int, per_speaker: int) -> tuple[Recordings, dict]:
    """Return some speakers and their first utterances, with the features that they have among all."""
    names = np.unique(items.speakers)[first:last]
    kept = np.concatenate([np.flatnonzero(items.speakers == name)[:per_speaker] for name in names])
    lists = {key: tuple(getattr(items, key)[i] for i in kept) for key in ("ys", "texts", "paths")}
    chosen = {name: own and [view[kept] for view in own] for name, own in views.items()}
    return replace(items, speakers=items.speakers[kept], **lists), chosen


def score(items: Recordings, views: dict, **about) -> pd.DataFrame:
    """Identify speakers by every method of `views_of` and on both splits; `about` fills further columns."""
    rows = []
    for (name, own), split in product(views.items(), SPLITS):
        train, test = split_items(items, split)
        counted = count(predict(items, name, train, test, views=own), items.speakers[test])
        known, _, width = name.partition("-")
        kind = (
            f"random-{width}" if width else f"sketch-{N_PAIRS}" if name in ("ridge", "best") else "infinite"
        )
        row = {"corpus": items.name, "method": known, "encoder": None if name in BASELINES else kind}
        rows.append(row | {"split": split, "n_train": len(train)} | counted | about)
    return pd.DataFrame(rows)


def few_shot(items: Recordings, views: dict, n_train: Sequence[int] = (1, 2, 4)) -> pd.DataFrame:
    """Identify speakers from the first 1, 2, 4 utterances of each, ``value``; the second half of each is tested."""
    first, test = split_items(items, "halves")
    rows = []
    for n, (method, own) in product(n_train, views.items()):
        train = np.concatenate([first[items.speakers[first] == s][:n] for s in np.unique(items.speakers)])
        named = predict(items, method, train, test, views=own)
        rows.append({"value": n, "method": method} | count(named, items.speakers[test]))
    return pd.DataFrame(rows)


def channels(items: Recordings, methods: Sequence[str] = COMPARED, *, split: str = "halves") -> pd.DataFrame:
    """Identify speakers when the test side alone comes through another channel (`CHANNELS`)."""
    train, test = split_items(items, split)
    rows = []
    for channel, change in CHANNELS.items():
        # Each utterance has a room and a noise of its own.
        drawn = (np.random.default_rng([0, i]) for i in range(len(items)))
        changed = [set_level(change(y, g)).astype(np.float32) for y, g in zip(items.ys, drawn, strict=True)]
        heard = replace(items, ys=tuple(changed[i] if i in test else y for i, y in enumerate(items.ys)))
        for method, views in views_of(heard, methods).items():
            named = predict(heard, method, train, test, views=views)
            about = {"corpus": items.name, "channel": channel, "method": method, "split": split}
            rows.append(about | count(named, items.speakers[test]))
    return pd.DataFrame(rows)


def sketches(
    items: Recordings, sizes: Sequence[int] = SIZES, *, n_seeds: int = N_SEEDS, split: str = "halves"
) -> pd.DataFrame:
    """Identify speakers by `best` from sketches of ever more numbers, ``value``, with several draws of the filters."""
    train, test = split_items(items, split)
    rows = []
    for n_pairs, seed in product(sizes, range(n_seeds)):
        sketcher = Sketcher(get_method("best"), n_pairs, seed=seed)
        sketcher(items.ys[0])  # draws the filters
        started = time.process_time()
        sketched = np.stack([sketcher(y) for y in items.ys])
        each = round(1000 * (time.process_time() - started) / len(items), 2)
        about = {"value": n_pairs, "seed": seed, "cpu_ms_each": each, "bytes_each": sketched[0].nbytes}
        named = classify(sketcher.views(sketched), items.speakers, train, test, "ridge")
        rows.append(about | {"split": split} | count(named, items.speakers[test]))
    return pd.DataFrame(rows)


def _telephone(y: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return sosfilt(butter(6, TELEPHONE_BAND, "bandpass", fs=SAMPLE_RATE, output="sos"), y)


def _room(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add reverberation: noise that decays by 60 dB in 0.4 s, 5 dB below the direct sound."""
    t = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal(len(t)) * 10 ** (-3 * t / 0.4)
    return y + fftconvolve(y, tail / np.linalg.norm(tail) * 10 ** (-5 / 20))[: len(y)]


def _noise(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add white noise 20 dB below the speech."""
    return y + generator.standard_normal(len(y)) * rms(y) / 10


CHANNELS: dict[str, Channel] = {
    "as recorded": lambda y, _: y,
    "telephone band": _telephone,
    "room": _room,
    "noise at 20 dB": _noise,
}


def main() -> None:
    """Score every design and write the tables."""
    torch.set_num_threads(1)
    results, cache, tables = Results("paper", "recorded"), paths.cache_dir() / "speakers", []
    for folder, speakers, per_speaker, n_seeds in DESIGNS:
        corpus = find(folder)
        if corpus is None:
            sys.stderr.write(f"{folder} is not at hand and left out\n")
            continue
        items = load_recordings(corpus, speakers=speakers, per_speaker=per_speaker)
        views = views_of(items, ROWS, cache=cache)
        scored = [(items, views, n_seeds)]
        if (folder, speakers, per_speaker) == LARGE:
            scored += [(*part(items, views, *which), n) for *which, n in PARTS]
            compared = {name: views[name] for name in (*COMPARED, "gmm")}
            results.save_table(few_shot(items, compared), "few_shot")
            results.save_table(sketches(items), "sketch")
            results.save_table(channels(part(items, {}, 0, 20, N_CHANNELS)[0]), "channels")
        for chosen, own, banks in scored:
            tables.append(score(chosen, own))
            for seed in range(banks):
                bank = views_of(chosen, ["paper-4096"], seed=seed, cache=cache)
                tables.append(score(chosen, bank, seed=seed))
        results.save_table(pd.concat(tables, ignore_index=True).astype({"seed": "Int64"}), "table1")
        sys.stdout.write(f"{folder}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
