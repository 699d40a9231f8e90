"""Table 1 at the size of VCTK: ``python -m benchmarks.scale`` writes ``results/paper/recorded/scale*.csv``.

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
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings, Utterance, find_corpus, load_recordings
from audiostyle.speakers.methods import SPEAKER_METHODS
from audiostyle.speakers.pipeline import SketchedCorpus, sketch_utterances
from audiostyle.speakers.probes import take
from audiostyle.speakers.sketch import Sketcher, sketch_classify
from audiostyle.speakers.store import SketchStore
from audiostyle.speakers.table import SPLITS, split_items, wilson_interval
from benchmarks.made_speech import make, prepare, utterances
from benchmarks.table1 import find
from experiments.results import Results

SIZES = (100, 300, 1000, 3000, 10_000, 44_000)
SKETCHER = Sketcher(SPEAKER_METHODS["best"])


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


def named(items: list[Utterance], store: SketchStore, split: str) -> tuple[int, int]:
    """Return how many test items are named rightly, and how many there are."""
    places = np.array([store.find(str(item.path), "") for item in items])
    owners = np.array([item.speaker for item in items])
    about = SketchedCorpus("made", owners, (None,) * len(items), places, store.rows())
    train, test = split_items(about, split)
    found = sketch_classify(SKETCHER, about.rows, owners[train], places[train], places[test])
    return int(np.sum(found == owners[test])), len(test)


def growth(folder: Path, most: int, jobs: int) -> Iterator[dict]:
    """Yield a row for each size."""
    read, spent = partial(make, folder), 0.0
    with tempfile.TemporaryDirectory() as kept:
        store = SketchStore(kept, SKETCHER)
        for n in (size for size in SIZES if size <= most):
            items = utterances(n)
            with peak_memory() as memory:
                started, before = time.perf_counter(), len(store)
                sketch_utterances(items, store, read=read, n_jobs=jobs)
                taken = time.perf_counter() - started
                spent += taken
                started = time.perf_counter()
                n_correct, n_test = named(items, store, "alternate")
                classified = time.perf_counter() - started
            yield {
                "n_utterances": n, "n_speakers": len({i.speaker for i in items}), "jobs": jobs,
                "made_and_sketched_s": round(spent, 2), "ms_each": round(1000 * taken / (n - before), 2),
                "classified_s": round(classified, 2), "peak_mb": round(memory[0]),
                "bytes_each": SKETCHER.width * SKETCHER.dtype.itemsize, "n_test": n_test, "n_correct": n_correct,
                "accuracy": n_correct / n_test, "load": round(os.getloadavg()[0], 1),
            }  # fmt: skip


def parts(folder: Path, n: int = 200) -> dict:
    """Return the processor milliseconds of making and of sketching an utterance, on one thread."""
    items, spent = utterances(n), []
    started = time.process_time()
    ys = [make(folder, item) for item in items]
    spent.append(time.process_time() - started)
    SKETCHER(ys[0])
    started = time.process_time()
    for y in ys:
        SKETCHER(y)
    spent.append(time.process_time() - started)
    seconds = float(np.mean([len(y) for y in ys])) / SAMPLE_RATE
    made, sketched = (round(1000 * s / n, 2) for s in spent)
    return {"mean_seconds": round(seconds, 2), "cpu_ms_made": made, "cpu_ms_sketched": sketched}


def workers(folder: Path, n: int = 1000) -> Iterator[dict]:
    """Yield the seconds of one and two processes, and of one and two Dask workers, and whether rows are equal."""
    from distributed import LocalCluster

    items, read, first = utterances(n), partial(make, folder), None
    for how in ("processes", "dask"):
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as kept:
                store = SketchStore(kept, SKETCHER)
                if how == "dask":
                    options = {"n_workers": count, "threads_per_worker": 1, "host": "127.0.0.1"}
                    with LocalCluster(**options, dashboard_address=None) as cluster:
                        started = time.perf_counter()
                        sketch_utterances(items, store, read=read, scheduler=cluster.scheduler_address)
                        taken = time.perf_counter() - started
                else:
                    started = time.perf_counter()
                    sketch_utterances(items, store, read=read, n_jobs=count)
                    taken = time.perf_counter() - started
                rows = np.array(store.rows())
            first = rows if first is None else first
            yield {
                "how": how, "workers": count, "n_utterances": n, "seconds": round(taken, 2),
                "rows_equal": bool(np.array_equal(rows, first)), "load": round(os.getloadavg()[0], 1),
            }  # fmt: skip


def speakers() -> Iterator[dict]:
    """Yield the accuracy of `best` by sketches for ever more real speakers, LibriSpeech's and then all at hand."""
    names = ("librispeech", "arctic", "vctk4", "vctk_rest")
    found = [
        load_recordings(_without_doubles(name), per_speaker=4 if name == "vctk_rest" else 10)
        for name in names
    ]
    joined = Recordings(
        "all",
        tuple(y for items in found for y in items.ys),
        np.concatenate([np.char.add(f"{items.name}-", items.speakers) for items in found]),
        tuple(text for items in found for text in items.texts),
        tuple(path for items in found for path in items.paths),
    )
    for items in (*(take(found[0], speakers=n) for n in (2, 5, 10, 15)), found[0], joined):
        rows = np.stack([SKETCHER(y) for y in items.ys])
        for split in SPLITS:
            train, test = split_items(items, split)
            right = (
                sketch_classify(SKETCHER, rows, items.speakers[train], train, test) == items.speakers[test]
            )
            low, high = wilson_interval(int(right.sum()), len(test))
            yield {
                "corpus": items.name, "split": split, "n_speakers": len(np.unique(items.speakers)),
                "n_test": len(test), "n_correct": int(right.sum()), "accuracy": float(right.mean()),
                "ci_low": low, "ci_high": high,
            }  # fmt: skip


def _without_doubles(name: str):
    """Return a corpus without the speakers of `vctk4` where it is the rest of VCTK, and without those with too few."""
    corpus = find_corpus(find(name))
    if name != "vctk_rest":
        return corpus
    kept = {
        s: u
        for s, u in corpus.utterances.items()
        if s not in ("p225", "p226", "p227", "p228") and len(u) >= 4
    }
    return type(corpus)(corpus.name, corpus.layout, kept)


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
            results.save_table(pd.DataFrame(workers(Path(folder))), "scale_workers")
        if "growth" in args.what:
            each, rows = parts(Path(folder)), []
            for row in growth(Path(folder), args.most, args.jobs):
                rows.append(row | each)
                results.save_table(pd.DataFrame(rows), "scale")
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
