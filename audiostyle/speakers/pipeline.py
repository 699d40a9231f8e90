"""From the files of a corpus of any size to sketches, on one core, on several, or on a cluster.

Utterances are read, sketched and forgotten a few at a time, so that memory does not grow with the corpus.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from tqdm import tqdm

from audiostyle.datasets.corpora import (
    SAMPLE_RATE,
    Corpus,
    Utterance,
    check_counts,
    choose_part,
    read_utterance,
    warn_skipped,
)
from audiostyle.sound.processes import compile_librosa, processes
from audiostyle.speakers.sketch import Sketcher
from audiostyle.speakers.store import Entry, SketchStore

# Utterances of a task: a second's work, and what a stopped run repeats.
CHUNK = 32
# Tasks that wait for each worker of a cluster.
_AHEAD = 4

Read = Callable[[Utterance], np.ndarray | None]
Chunk = tuple[np.ndarray, list[int]]


@dataclass(frozen=True)
class SketchedCorpus:
    """Sketches of the utterances of a corpus, in the order of `audiostyle.datasets.corpora.Recordings`.

    Parameters
    ----------
    name : str
        Name of the corpus.
    speakers : np.ndarray [shape=(n_items,)] of str
        Who speaks in each.
    texts : tuple of str or None
        Sentence of each, where known.
    n_samples : np.ndarray [shape=(n_items,)] of int
        Length of each at 16 kHz.
    rows : np.ndarray [shape=(n_items, width)]
        The sketches, mapped from the disk where the order allows.
    skipped : tuple of pathlib.Path
        Files that could not be read or are silent.
    """

    name: str
    speakers: np.ndarray
    texts: tuple[str | None, ...]
    n_samples: np.ndarray
    rows: np.ndarray
    skipped: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.speakers)

    def seconds(self) -> np.ndarray:
        """Return the duration of each utterance in seconds [shape=(n_items,)]."""
        return self.n_samples / SAMPLE_RATE


def sketch_corpus(
    corpus: Corpus | str | os.PathLike,
    sketcher: Sketcher,
    *,
    store: str | os.PathLike | None = None,
    speakers: Sequence[str] | int | None = None,
    per_speaker: int | None = None,
    n_jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = False,
) -> SketchedCorpus:
    """Sketch the utterances of a corpus that a store does not hold yet.

    Parameters
    ----------
    corpus, speakers, per_speaker
        As in `audiostyle.datasets.corpora.load_recordings`, with the same errors and warnings.
    sketcher : Sketcher
        Settings of the sketches.
    store : path or None
        Folder of a `SketchStore`; None keeps them in memory.
    n_jobs, scheduler, progress
        As in `sketch_utterances`.

    Returns
    -------
    SketchedCorpus

    Notebook: 08_vctk_speakers.ipynb
    """
    corpus, chosen = choose_part(corpus, speakers=speakers, per_speaker=per_speaker)
    with tempfile.TemporaryDirectory() as passing:
        kept = SketchStore(store or passing, sketcher)
        options = {"n_jobs": n_jobs, "scheduler": scheduler, "progress": progress}
        items, skipped = _readable(corpus, chosen, per_speaker, kept, options)
        warn_skipped(corpus.name, skipped)
        owners = [item.speaker for item in items]
        check_counts(corpus.name, chosen, owners, per_speaker)
        places = np.array([kept.find(*_identity(item)) for item in items])
        rows = kept.rows()
        if store is None or not np.array_equal(places, np.arange(len(rows))):
            rows = rows[places]
        n_samples = np.array([kept.entries[i].n_samples for i in places])
    return SketchedCorpus(
        corpus.name, np.array(owners), tuple(item.text for item in items), n_samples, rows, tuple(skipped)
    )


def stored_corpus(store: SketchStore) -> SketchedCorpus:
    """Return all utterances of a store, in the order of their rows; of a file that was changed the last.

    Notebook: 08_vctk_speakers.ipynb
    """
    places = store.current()
    entries, rows = [store.entries[i] for i in places], store.rows()
    return SketchedCorpus(
        store.folder.name,
        np.array([entry.speaker for entry in entries]),
        tuple(entry.text or None for entry in entries),
        np.array([entry.n_samples for entry in entries]),
        rows if len(places) == len(rows) else rows[places],
    )


def _readable(corpus, chosen, per_speaker, store, options) -> tuple[list[Utterance], list[Path]]:
    """Sketch utterances until every speaker has enough of them; the next one takes the place of an unreadable one."""
    waiting = {s: list(corpus.utterances[s]) for s in chosen}
    kept: dict[str, list[Utterance]] = {s: [] for s in chosen}
    skipped: list[Path] = []
    while True:
        wanted = {
            s: waiting[s] if per_speaker is None else waiting[s][: per_speaker - len(kept[s])] for s in chosen
        }
        items = [item for part in wanted.values() for item in part]
        if not items:
            return [item for part in kept.values() for item in part], skipped
        unread = set(sketch_utterances(items, store, **options))
        for s, part in wanted.items():
            waiting[s] = waiting[s][len(part) :]
            kept[s] += [item for item in part if item not in unread]
            skipped += [item.path for item in part if item in unread]


def sketch_utterances(
    items: Iterable[Utterance],
    store: SketchStore,
    *,
    read: Read = read_utterance,
    n_jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = False,
) -> list[Utterance]:
    """Add the sketches of utterances that a store does not hold, in order, and return those that cannot be read.

    Every task works on one thread, so that the rows are the same however the work is spread.

    Parameters
    ----------
    items : iterable of Utterance
        The utterances.
    store : SketchStore
        Where the sketches go, every `CHUNK` utterances: a stopped run goes on from there.
    read : callable
        From an utterance to its waveform at 16 kHz, or None where there is none.
    n_jobs : int
        Processes on this machine, as in joblib.
    scheduler : str or None
        Address of a Dask scheduler, ``tcp://HOST:8786``, whose workers do the work in place of processes here. They
        need this package and must see the files under the same paths. What a lost worker had not finished is done by
        another.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of Utterance
    """
    new = [item for item in items if store.find(*_identity(item)) is None]
    chunks = [new[first : first + CHUNK] for first in range(0, len(new), CHUNK)]
    tasks = ((store.sketcher, read, chunk) for chunk in chunks)
    done = _over_cluster(tasks, scheduler) if scheduler else _over_processes(tasks, n_jobs)
    unread = []
    with tqdm(total=len(new), desc="sketches", disable=not progress, leave=False) as bar:
        for chunk, (rows, n_samples) in zip(chunks, done, strict=True):
            entries = [
                Entry(item.speaker, item.text or "", *_identity(item), n)
                for item, n in zip(chunk, n_samples, strict=True)
                if n
            ]
            store.append(entries, rows)
            unread += [item for item, n in zip(chunk, n_samples, strict=True) if not n]
            bar.update(len(chunk))
    return unread


def sketch_chunk(sketcher: Sketcher, read: Read, chunk: Sequence[Utterance]) -> Chunk:
    """Read and sketch a few utterances; returns rows of those that can be read, and samples of all, 0 for none."""
    rows, n_samples = [], []
    with _one_thread():
        for item in chunk:
            y = read(item)
            n_samples.append(0 if y is None else len(y))
            if y is not None:
                rows.append(sketcher(y))
    return np.array(rows, dtype=sketcher.dtype).reshape(-1, sketcher.width), n_samples


def _over_processes(tasks: Iterable[tuple], n_jobs: int) -> Iterator[Chunk]:
    with processes(n_jobs, return_as="generator") as workers:
        yield from workers(joblib.delayed(sketch_chunk)(*task) for task in tasks)


def _over_cluster(tasks: Iterable[tuple], scheduler: str) -> Iterator[Chunk]:
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ValueError(
            "a scheduler needs dask.distributed; `pip install 'audiostyle[dask]'` installs it"
        ) from error
    with Client(scheduler) as client:
        client.run(compile_librosa)
        waiting: deque = deque()
        for task in tasks:
            waiting.append(client.submit(sketch_chunk, *task, pure=False))
            if len(waiting) > _AHEAD * max(1, len(client.scheduler_info()["workers"])):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _one_thread() -> Iterator[None]:
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n)


def _identity(item: Utterance) -> tuple[str, str]:
    """Return the path of an utterance and a stamp that tells whether the file was changed."""
    try:
        about = item.path.stat()
    except OSError:  # no file: made on the fly, or gone, which reading will tell
        return str(item.path), ""
    return str(item.path.resolve()), f"{about.st_size}-{about.st_mtime_ns}"
