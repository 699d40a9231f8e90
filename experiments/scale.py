"""Table 1 at the size of VCTK: ``python -m experiments.scale`` writes ``results/paper/recorded/scale*.csv``.

VCTK is not needed: 44,000 utterances of 109 made speakers are cut, shifted and filtered on the fly from the recordings
at hand. They are no voices of their own, and what is named rightly among them says nothing about people; time, memory
and bytes are what they stand for.

``scale.csv``: seconds, peak memory, bytes and accuracy from 100 to 44,000 utterances, of which each size goes on from
the one before. ``scale_workers.csv``: one and two processes and Dask workers. ``scale_speakers.csv``: accuracy against
the number of speakers, for real recordings.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import soundfile
from scipy.signal import lfilter, resample_poly

from audiostyle.datasets.corpora import (
    SAMPLE_RATE,
    Corpus,
    Recordings,
    Utterance,
    find_corpus,
    load_recordings,
)
from audiostyle.sound.levels import set_level
from audiostyle.speakers.classifiers import classify
from audiostyle.speakers.methods import get_method
from audiostyle.speakers.sketch import Sketcher, sketch_utterances, workers
from audiostyle.speakers.table import SPLITS, count_right, split_items
from experiments.results import Results
from experiments.table1 import find, take

SIZES = (100, 300, 1000, 3000, 10_000, 44_000)
SKETCHER = Sketcher(get_method("best"))
# The made speakers. VCTK has 44 hours in 44,242 files; of the recordings at hand most are of the first 24 sentences,
# which are longer.
SPEAKERS, VCTK_SECONDS = 109, 3.6
SOURCES = (("librispeech", 20), ("arctic", 3), ("vctk4", 4))
RECORDINGS = 8  # of each source speaker
# Speeds at which a source is played, as fractions; each shifts pitch and formants alike.
SPEEDS = ((8, 9), (14, 15), (1, 1), (16, 15), (9, 8))


def prepare(folder: Path) -> None:
    """Write the speech of each source speaker as one array, and the lengths to draw from, in seconds."""
    for name, n in SOURCES:
        items = load_recordings(find(name), speakers=n, per_speaker=RECORDINGS)
        for speaker in np.unique(items.speakers):
            speech = np.concatenate([items.ys[i] for i in np.flatnonzero(items.speakers == speaker)])
            np.save(folder / f"{name}-{speaker}.npy", speech)
    vctk = [find_corpus(find(part)).utterances.values() for part in ("vctk4", "vctk_rest")]
    seconds = np.array([soundfile.info(u.path).duration for corpus in vctk for own in corpus for u in own])
    np.save(folder / "seconds.npy", seconds * VCTK_SECONDS / seconds.mean())


@lru_cache(maxsize=1)
def sources(folder: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the speech of all source speakers, mapped from the disk, and the lengths."""
    files = sorted(file for file in folder.glob("*.npy") if file.stem != "seconds")
    return [np.load(file, mmap_mode="r") for file in files], np.load(folder / "seconds.npy")


def make(folder: Path, item: Utterance) -> np.ndarray:
    """Make an utterance: a piece of a source speaker's speech at the speed and through the filter of the made one."""
    speaker, number = int(item.speaker), int(item.path.name)
    speech, seconds = sources(folder)
    own, generator = np.random.default_rng(speaker), np.random.default_rng([speaker, number])
    up, down = SPEEDS[speaker // len(speech) % len(SPEEDS)]
    n = int(generator.choice(seconds) * generator.uniform(0.9, 1.1) * SAMPLE_RATE)
    source = speech[speaker % len(speech)]
    first = generator.integers(len(source) - n * down // up)
    y = resample_poly(source[first : first + n * down // up], up, down)
    # Two resonances and a tilt of the made speaker.
    poles = own.uniform(0.3, 0.6, 2) * np.exp(1j * np.pi * own.uniform(0.05, 0.7, 2))
    y = lfilter([1, own.uniform(-0.3, 0.3)], np.poly([*poles, *poles.conj()]).real, y)
    return set_level(y)


def utterances(n: int) -> list[Utterance]:
    """Return `n` utterances, four or more of each of at most 109 speakers; fewer are a part of more."""
    n_speakers = min(SPEAKERS, n // 4)
    counts = np.full(n_speakers, n // n_speakers) + (np.arange(n_speakers) < n % n_speakers)
    return [
        Utterance(f"{speaker:03d}", Path("made") / f"{speaker:03d}" / f"{i:04d}")
        for speaker, count in enumerate(counts)
        for i in range(count)
    ]


@contextmanager
def peak_memory(every: float = 0.2) -> Iterator[list[float]]:
    """Measure the most memory in MB of this process and those below it; pages that they share count once."""
    most, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(every):
            most[0] = max(most[0], sum(_memory(p) for p in (own, *own.children(recursive=True))) / 1e6)

    own, thread = psutil.Process(), threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


def _memory(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.NoSuchProcess:
        return 0


def sketch(items: Sequence[Utterance], folder: Path, cache: Path | None = None) -> np.ndarray:
    """Make and sketch utterances [shape=(n, width)]."""
    made = sketch_utterances(items, SKETCHER, read=partial(make, folder), cache=cache)
    rows = np.empty((len(items), len(SKETCHER(np.zeros(1, np.float32)))), np.float16)
    for place, (row, _) in zip(rows, made, strict=True):
        place[:] = row
    return rows


def named(name: str, rows: np.ndarray, speakers: np.ndarray, split: str) -> dict:
    """Return how many test items of a split are named rightly."""
    items = Recordings(name, (), speakers, (None,) * len(rows), ())
    train, test = split_items(items, split)
    return count_right(classify(SKETCHER.views(rows), speakers, train, test, "ridge"), speakers[test])


def growth(folder: Path, most: int, jobs: int) -> Iterator[dict]:
    """Yield a row for each size."""
    spent, before = 0.0, 0
    with tempfile.TemporaryDirectory() as cache, workers(jobs):
        for n in (size for size in SIZES if size <= most):
            items = utterances(n)
            with peak_memory() as memory:
                started = time.perf_counter()
                rows = sketch(items, folder, Path(cache))
                taken = time.perf_counter() - started
                spent += taken
                started = time.perf_counter()
                right = named("made", rows, np.array([item.speaker for item in items]), "alternate")
                classified = time.perf_counter() - started
            yield right | {
                "n_utterances": n, "jobs": jobs, "made_and_sketched_s": round(spent, 2),
                "ms_each": round(1000 * taken / (n - before), 2), "classified_s": round(classified, 2),
                "peak_mb": round(memory[0]), "bytes_each": rows[0].nbytes, "load": round(os.getloadavg()[0], 1),
            }  # fmt: skip
            before = n


def parts(folder: Path, n: int = 200) -> dict:
    """Return the processor milliseconds of making and of sketching an utterance, on one thread."""
    started = time.process_time()
    ys = [make(folder, item) for item in utterances(n)]
    made = time.process_time() - started
    SKETCHER(ys[0])
    started = time.process_time()
    for y in ys:
        SKETCHER(y)
    sketched = time.process_time() - started
    seconds = float(np.mean([len(y) for y in ys])) / SAMPLE_RATE
    each = {"cpu_ms_made": round(1000 * made / n, 2), "cpu_ms_sketched": round(1000 * sketched / n, 2)}
    return {"mean_seconds": round(seconds, 2)} | each


def spread(folder: Path, n: int = 1000) -> Iterator[dict]:
    """Yield the seconds of one and two processes, and of one and two Dask workers, and whether rows are equal."""
    from distributed import LocalCluster

    items, first = utterances(n), None
    for how in ("processes", "dask"):
        for count in (1, 2):
            options = {
                "n_workers": count,
                "threads_per_worker": 1,
                "host": "127.0.0.1",
                "dashboard_address": None,
            }
            with LocalCluster(**options) if how == "dask" else nullcontext() as cluster:
                started = time.perf_counter()
                with workers(count, cluster and cluster.scheduler_address):
                    rows = sketch(items, folder)
                taken = time.perf_counter() - started
            first = rows if first is None else first
            yield {
                "how": how, "workers": count, "n_utterances": n, "seconds": round(taken, 2),
                "rows_equal": bool(np.array_equal(rows, first)), "load": round(os.getloadavg()[0], 1),
            }  # fmt: skip


def speakers() -> Iterator[dict]:
    """Yield the accuracy of `best` by sketches for ever more real speakers, LibriSpeech's and then all at hand."""
    found = [load_recordings(find(name), per_speaker=10) for name in ("librispeech", "arctic", "vctk4")]
    found.append(load_recordings(_without_doubles(find_corpus(find("vctk_rest"))), per_speaker=4))
    joined = replace(
        found[0],
        name="all",
        ys=tuple(y for items in found for y in items.ys),
        speakers=np.concatenate([np.char.add(f"{items.name}-", items.speakers) for items in found]),
    )
    for items in (*(take(found[0], speakers=n) for n in (2, 5, 10, 15)), found[0], joined):
        rows = np.stack([SKETCHER(y) for y in items.ys])
        for split in SPLITS:
            yield {"corpus": items.name, "split": split} | named(items.name, rows, items.speakers, split)


def _without_doubles(rest: Corpus) -> Corpus:
    """Leave out the speakers of `vctk4`, and those with too few utterances."""
    doubles = ("p225", "p226", "p227", "p228")
    kept = {name: own for name, own in rest.utterances.items() if name not in doubles and len(own) >= 4}
    return replace(rest, utterances=kept)


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=["speakers", "workers", "growth"])
    parser.add_argument("--most", type=int, default=SIZES[-1], help="utterances (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    args = parser.parse_args()
    results = Results("paper", "recorded")
    if "speakers" in args.what:
        results.save_table(pd.DataFrame(speakers()), "scale_speakers")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        if "workers" in args.what:
            results.save_table(pd.DataFrame(spread(Path(folder))), "scale_workers")
        if "growth" in args.what:
            each, rows = parts(Path(folder)), []
            for row in growth(Path(folder), args.most, args.jobs):
                rows.append(row | each)
                results.save_table(pd.DataFrame(rows), "scale")
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
