"""Table 1 at the size of VCTK: ``python -m experiments.scale`` writes ``results/paper/recorded/scale.csv``.

VCTK is not needed: up to 44,000 utterances of 109 made speakers are cut, shifted and filtered on the fly from the
recordings at hand. They are no voices of their own, and what is named rightly among them says nothing about people;
time, memory and bytes are what they stand for. Each size goes on from the one before.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from scipy.signal import lfilter, resample_poly

from audiostyle.datasets.corpora import SAMPLE_RATE, Recordings, Utterance, load_recordings
from audiostyle.sound.levels import set_level
from audiostyle.speakers.classifiers import classify
from audiostyle.speakers.methods import get_method
from audiostyle.speakers.sketch import Sketcher, sketch_utterances, workers
from audiostyle.speakers.table import count_right, split_items
from experiments.results import Results
from experiments.table1 import find

SIZES = (100, 300, 1000, 3000, 10_000, 44_000)
SKETCHER = Sketcher(get_method("best"))
# As VCTK has them: 44 hours in 44,242 files.
SPEAKERS, SECONDS = 109, 3.6
SOURCES = (("librispeech", 20), ("arctic", 3), ("vctk4", 4))
RECORDINGS = 8  # of each source speaker
# Speeds at which a source is played, as fractions; each shifts pitch and formants alike.
SPEEDS = ((8, 9), (14, 15), (1, 1), (16, 15), (9, 8))


def prepare(folder: Path) -> None:
    """Write the speech of each source speaker as one array."""
    for name, n in SOURCES:
        items = load_recordings(find(name), speakers=n, per_speaker=RECORDINGS)
        for speaker in np.unique(items.speakers):
            speech = np.concatenate([items.ys[i] for i in np.flatnonzero(items.speakers == speaker)])
            np.save(folder / f"{name}-{speaker}.npy", speech)


@lru_cache(maxsize=1)
def sources(folder: Path) -> list[np.ndarray]:
    """Return the speech of all source speakers, mapped from the disk."""
    return [np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))]


def make(folder: Path, item: Utterance) -> np.ndarray:
    """Make an utterance: a piece of a source speaker's speech at the speed and through the filter of the made one."""
    speaker, number, speech = int(item.speaker), int(item.path.name), sources(folder)
    own, generator = np.random.default_rng(speaker), np.random.default_rng([speaker, number])
    up, down = SPEEDS[speaker // len(speech) % len(SPEEDS)]
    n = int(SECONDS * generator.uniform(0.5, 1.5) * SAMPLE_RATE)
    source = speech[speaker % len(speech)]
    first = generator.integers(len(source) - n * down // up)
    y = resample_poly(source[first : first + n * down // up], up, down)
    # Two resonances and a tilt of the made speaker.
    poles = own.uniform(0.3, 0.6, 2) * np.exp(1j * np.pi * own.uniform(0.05, 0.7, 2))
    return set_level(lfilter([1, own.uniform(-0.3, 0.3)], np.poly([*poles, *poles.conj()]).real, y))


def utterances(n: int) -> list[Utterance]:
    """Return `n` utterances, four or more of each of at most 109 speakers; fewer are a part of more."""
    n_speakers = min(SPEAKERS, n // 4)
    counts = [n // n_speakers + (speaker < n % n_speakers) for speaker in range(n_speakers)]
    return [
        Utterance(f"{speaker:03d}", Path("made") / f"{speaker:03d}" / f"{i:04d}")
        for speaker, count in enumerate(counts)
        for i in range(count)
    ]


def memory() -> float:
    """Return in MB the most that this process held, and what those below it hold."""
    below = sum(process.memory_info().rss for process in psutil.Process().children(recursive=True))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + below / 2**20


def sketch(items: Sequence[Utterance], folder: Path, cache: Path) -> np.ndarray:
    """Make and sketch utterances [shape=(n, width)]."""
    made = sketch_utterances(items, SKETCHER, read=partial(make, folder), cache=cache)
    width = len(SKETCHER(np.zeros(1, np.float32)))
    return np.fromiter((row for row, _ in made), dtype=np.dtype((np.float16, width)), count=len(items))


def growth(folder: Path, most: int, jobs: int) -> Iterator[dict]:
    """Yield a row for each size."""
    spent = 0.0
    with tempfile.TemporaryDirectory() as cache, workers(jobs):
        for n in (size for size in SIZES if size <= most):
            items = utterances(n)
            speakers = np.array([item.speaker for item in items])
            started = time.perf_counter()
            rows = sketch(items, folder, Path(cache))
            spent += time.perf_counter() - started
            started = time.perf_counter()
            train, test = split_items(Recordings("made", (), speakers, (None,) * n, ()))
            named = classify(SKETCHER.views(rows), speakers, train, test, "ridge")
            classified = time.perf_counter() - started
            yield {
                "n_utterances": n, "jobs": jobs, "made_and_sketched_s": round(spent, 2),
                "classified_s": round(classified, 2), "peak_mb": round(memory()), "bytes_each": rows[0].nbytes,
                **count_right(named, speakers[test]),
            }  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=SIZES[-1], help="utterances (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    arguments = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for row in growth(Path(folder), arguments.most, arguments.jobs):
            rows.append(row)
            Results("paper", "recorded").save_table(pd.DataFrame(rows), "scale")
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
