"""Who is speaking, by the distance between Gram matrices (section 3.3 of the paper), and as well as it goes.

The distance between two utterances is ‖G_a − G_b‖² = ‖K_aa‖² + ‖K_bb‖² − 2 ‖K_ab‖², each Gram matrix divided by its
number of patches. The paper's classifier takes the nearest neighbour under it. Divided by ‖K_aa‖ ‖K_bb‖, the inner
product ‖K_ab‖² is a kernel between utterances, on which any kernel classifier works.
"""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import Corpus, Recordings, choose_part, load_recordings
from audiostyle.datasets.keys import cache_key
from audiostyle.speakers import classifiers
from audiostyle.speakers.methods import (
    BASELINES,
    SPEAKER_METHODS,
    count_short,
    similarity,
    squared_distances,
)
from audiostyle.speakers.pipeline import SketchedCorpus, sketch_corpus
from audiostyle.speakers.sketch import N_PAIRS, Sketcher, sketch_classify

COLUMNS = (
    "corpus", "method", "encoder", "split", "text", "n_speakers", "n_train", "n_test", "n_correct", "accuracy",
    "ci_low", "ci_high", "seed", "seconds",
)  # fmt: skip
SPLITS = ("alternate", "halves")
TEXTS = ("any", "disjoint")
# Utterances from which sketches are compared: above, all pairs take longer by more than a factor of ten.
SKETCH_FROM = 500


def speaker_table(
    corpus: Corpus | Recordings | str | os.PathLike,
    *,
    speakers: Sequence[str] | int | None = None,
    per_speaker: int | None = None,
    methods: Sequence[str] = ("paper", "best"),
    n_seeds: int = 1,
    split: str | Sequence[str] | None = None,
    text: str = "any",
    encoder: str = "infinite",
    n_filters: int = 4096,
    exact: bool = False,
    n_pairs: int = N_PAIRS,
    device: str = "cpu",
    n_jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
    cache: str | os.PathLike | bool = True,
) -> pd.DataFrame:
    """Identify speakers by every method and return one row for each method, split and seed (Table 1).

    From `SKETCH_FROM` utterances on, Gram matrices in the limit of infinitely many filters are compared by their
    sketches (`audiostyle.speakers.sketch`), in a time that grows with the utterances and not with their square. If
    all methods can be sketched, a corpus of any size is read a few utterances at a time.

    Parameters
    ----------
    corpus : path, Corpus or Recordings
        Where the speech is; see `audiostyle.datasets.corpora.find_corpus`.
    speakers, per_speaker
        Which part of it; see `audiostyle.datasets.corpora.load_recordings`.
    methods : sequence of str
        ``"paper"``: nearest neighbour under the paper's distance. ``"best"``: the recommended one. Others:
        ``"nearest"``, ``"ridge"`` and the steps between (`ABLATION`), and the baselines ``"chance"``, ``"spectrum"``
        (long-term average), ``"mfcc"`` (mean and deviation), both nearest neighbour, ``"gmm"`` (a mixture of
        MFCC for each speaker) and ``"linear"`` (the paper's without its activation).
    n_seeds : int >= 1
        Filter banks of the random encoder, seeds 0, 1, ...
    split : {"alternate", "halves"}, several of them, or None
        Of each speaker's utterances, items 0, 2, 4, ... or the first half train; None reports both.
    text : {"any", "disjoint"}
        ``"disjoint"`` has no sentence on both sides: sentences, not utterances, are split.
    encoder : {"infinite", "random"}
        The exact limit of infinitely many filters, or `n_filters` random ones.
    n_filters : int
        Filters of the random encoder.
    exact : bool
        Compare all pairs of utterances, however many there are.
    n_pairs : int
        Numbers of a sketch; see `audiostyle.speakers.sketch.GramSketch`.
    device : str
        Torch device of the encoder.
    n_jobs : int
        Processes over which blocks of distances, or sketches, are spread.
    scheduler : str or None
        Address of a Dask scheduler that spreads the sketches over machines; see
        `audiostyle.speakers.pipeline.sketch_utterances`.
    progress : bool
        Show a progress bar.
    cache : path or bool
        Folder that keeps finished blocks of distances and sketches; True is the one of
        `audiostyle.datasets.paths.cache_dir`.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`. ``ci_low`` and ``ci_high`` are the Wilson 95 % interval. ``encoder`` is ``"sketch-2048"``
        where so many pairs were compared, None for baselines; ``seed`` is missing where no filters were drawn for it.
        ``seconds`` is the time for the distances, which both splits share, and the classification; reading is in it
        only where a corpus is read piece by piece. ``attrs["padded"]`` counts, by method, the utterances that were
        padded to one patch.

    Raises
    ------
    ValueError
        For an unknown method, split, text or encoder, or a corpus that is too small.

    Notebook: 08_vctk_speakers.ipynb
    """
    splits = _check_arguments(methods, split, text, encoder, n_seeds)
    part = {"speakers": speakers, "per_speaker": per_speaker}
    streamed = False
    if not isinstance(corpus, Recordings):
        corpus, chosen = choose_part(corpus, **part)
        n_items = sum(len(corpus.utterances[s][:per_speaker]) for s in chosen)
        streamed = not exact and encoder == "infinite" and n_items >= SKETCH_FROM
        streamed = streamed and set(methods) <= SPEAKER_METHODS.keys()
    items = corpus if streamed or isinstance(corpus, Recordings) else load_recordings(corpus, **part)
    spread = {"n_jobs": n_jobs, "progress": progress}
    compared = {"encoder": encoder, "n_filters": n_filters, "device": device, "cache": cache} | spread
    sketched = {"n_pairs": n_pairs, "device": device, "scheduler": scheduler, "cache": cache} | part | spread
    rows, padded = [], {}
    for method in methods:
        as_sketch = streamed or (_can_be_sketched(method, encoder, exact) and len(items) >= SKETCH_FROM)
        about = {"method": method, "text": text}
        about["encoder"] = f"sketch-{n_pairs}" if as_sketch else _encoder_name(method, encoder, n_filters)
        seeds = range(n_seeds) if encoder == "random" and not _is_baseline(method) else [None]
        for seed in seeds:
            started = time.perf_counter()
            if as_sketch:
                found, identify = _sketch(items, method, **sketched)
            else:
                found, identify = items, _prepare(items, method, seed=seed or 0, **compared)
            shared = time.perf_counter() - started
            rows += _score(found, identify, about | {"seed": seed}, splits, shared)
        if method in SPEAKER_METHODS:
            padded[method] = count_short(found.n_samples, SPEAKER_METHODS[method])
    _warn_padded(found, padded)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "Int64"})
    # A column of names and None would be inferred as text, with NaN for None.
    table["encoder"] = pd.Series([row["encoder"] for row in rows], dtype=object)
    table.attrs["padded"] = padded
    return table


def _score(items, identify: "Predictor", about: dict, splits: Sequence[str], shared: float) -> list[dict]:
    """Return one row for each split; what they share took `shared` seconds."""
    rows = []
    for how in splits:
        train, test = split_items(items, how, text=about["text"])
        started = time.perf_counter()
        n_correct = int(np.sum(identify(train, test) == items.speakers[test]))
        low, high = wilson_interval(n_correct, len(test))
        rows.append(
            about
            | {"corpus": items.name, "split": how, "n_speakers": len(np.unique(items.speakers))}
            | {"n_train": len(train), "n_test": len(test), "n_correct": n_correct}
            | {"accuracy": n_correct / len(test), "ci_low": low, "ci_high": high}
            | {"seconds": round(shared + time.perf_counter() - started, 3)}
        )
    return rows


def _can_be_sketched(method: str, encoder: str, exact: bool) -> bool:
    return method in SPEAKER_METHODS and encoder == "infinite" and not exact


def _sketch(
    items: Recordings | Corpus, method: str, *, n_pairs, device, scheduler, cache, n_jobs, progress, **part
) -> "tuple[Recordings | SketchedCorpus, Predictor]":
    """Sketch recordings or a corpus; returns what was sketched and a function of training and test items."""
    sketcher = Sketcher(SPEAKER_METHODS[method], n_pairs, device=device)
    if isinstance(items, Recordings):
        rows = np.stack(
            [sketcher(y) for y in tqdm(items.ys, desc="sketches", disable=not progress, leave=False)]
        )
    else:
        spread = {"n_jobs": n_jobs, "scheduler": scheduler, "progress": progress}
        items = sketch_corpus(items, sketcher, store=_store(cache, items.name, sketcher), **part, **spread)
        rows = items.rows
    return items, lambda train, test: sketch_classify(sketcher, rows, items.speakers[train], train, test)


def _store(cache: str | os.PathLike | bool, name: str, sketcher: Sketcher) -> Path | None:
    """Return the folder of the sketches of a corpus, named after all that makes them; None where none are kept."""
    if not cache:
        return None
    made_of = cache_key("audiostyle.speakers.sketch", sketcher=replace(sketcher, device="cpu"))
    return (paths.cache_dir() if cache is True else Path(cache)) / "sketches" / f"{name}-{made_of}"


def table_records(table: pd.DataFrame) -> list[dict]:
    """Return the rows of a `speaker_table` as dictionaries that JSON can hold, with None for what is missing."""
    return [
        {key: None if pd.isna(value) else value for key, value in row.items()}
        for row in table.astype(object).to_dict(orient="records")
    ]


def split_items(
    items: Recordings | SketchedCorpus, how: str = "alternate", *, text: str = "any"
) -> tuple[np.ndarray, np.ndarray]:
    """Split 1 : 1 for each speaker into training and test.

    Parameters
    ----------
    items : Recordings or SketchedCorpus
        The utterances.
    how : {"alternate", "halves"}
        Items 0, 2, 4, ... of each speaker train, or the first half does.
    text : {"any", "disjoint"}
        ``"disjoint"`` orders the sentences by name and splits those, over all speakers; utterances whose names tell
        no sentence are split as with ``"any"``.

    Returns
    -------
    train, test : np.ndarray of int
        Disjoint indices that together name every item.

    Raises
    ------
    ValueError
        If a speaker has nothing to train on or nothing to test.
    """
    in_training = np.zeros(len(items), dtype=bool)
    for speaker in np.unique(items.speakers):
        own = np.flatnonzero(items.speakers == speaker)
        in_training[own] = _first_of_two(len(own), how)
    if text == "disjoint":
        sentences = sorted({sentence for sentence in items.texts if sentence is not None})
        side = dict(zip(sentences, _first_of_two(len(sentences), how), strict=True))
        in_training = np.array([side.get(t, d) for t, d in zip(items.texts, in_training, strict=True)])
    for speaker in np.unique(items.speakers):
        n_train = int(in_training[items.speakers == speaker].sum())
        n_all = int(np.sum(items.speakers == speaker))
        if n_train in (0, n_all):
            raise ValueError(
                f"{items.name}: split={how!r}, text={text!r} leaves speaker {speaker} with {n_train} utterances for "
                f"training and {n_all - n_train} for testing; take more utterances or text='any'"
            )
    return np.flatnonzero(in_training), np.flatnonzero(~in_training)


def predict(items: Recordings, method: str, train: np.ndarray, test: np.ndarray, **options) -> np.ndarray:
    """Return the speaker that a method names for each test item.

    Parameters
    ----------
    items : Recordings
        The utterances.
    method : str
        As in `speaker_table`.
    train, test : np.ndarray of int
        See `split_items`.
    **options
        Passed to `similarity`.

    Returns
    -------
    np.ndarray [shape=(n_test,)] of str
    """
    return _prepare(items, method, **options)(train, test)


def wilson_interval(n_correct: int, n_test: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (Wilson 1927).

    Examples
    --------
    >>> [round(limit, 3) for limit in wilson_interval(74, 80)]
    [0.846, 0.965]
    """
    share = n_correct / n_test
    centre = share + z**2 / (2 * n_test)
    half = z * np.sqrt(share * (1 - share) / n_test + z**2 / (4 * n_test**2))
    scale = 1 + z**2 / n_test
    return float(max(0.0, (centre - half) / scale)), float(min(1.0, (centre + half) / scale))


def _warn_padded(items: Recordings, padded: dict[str, int]) -> None:
    if any(padded.values()):
        counted = ", ".join(f"{method}: {count}" for method, count in padded.items() if count)
        warnings.warn(
            f"{items.name}: of {len(items)} utterances some are shorter than one patch and were zero-padded "
            f"({counted})",
            stacklevel=3,
        )


def _check_arguments(methods, split, text, encoder, n_seeds) -> tuple[str, ...]:
    splits = SPLITS if split is None else (split,) if isinstance(split, str) else tuple(split)
    known = (*SPEAKER_METHODS, *(name for name in BASELINES if name not in SPEAKER_METHODS))
    for name, values, allowed in (
        ("method", methods, known),
        ("split", splits, SPLITS),
        ("text", (text,), TEXTS),
        ("encoder", (encoder,), ("infinite", "random")),
    ):
        for value in values:
            if value not in allowed:
                raise ValueError(f"{name}={value!r} is not allowed; it must be one of {', '.join(allowed)}")
    if n_seeds < 1:
        raise ValueError(f"n_seeds={n_seeds} is not allowed; it must be at least 1")
    return splits


def _first_of_two(n: int, how: str) -> np.ndarray:
    order = np.arange(n)
    return order % 2 == 0 if how == "alternate" else order < (n + 1) // 2


def _is_baseline(method: str) -> bool:
    return method not in SPEAKER_METHODS or SPEAKER_METHODS[method].baseline


def _encoder_name(method: str, encoder: str, n_filters: int) -> str | None:
    if _is_baseline(method):
        return None
    return "infinite" if encoder == "infinite" else f"random-{n_filters}"


Predictor = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _prepare(items: Recordings, method: str, **options) -> Predictor:
    """Compute what does not depend on the split, and return a function of training and test items."""
    if method not in SPEAKER_METHODS:
        return _baseline(method, items)
    about = SPEAKER_METHODS[method]
    kernels = [similarity(items, view, **options) for view in about.views]
    if about.classifier == "ridge":
        return lambda train, test: _vote(kernels, items.speakers[train], train, test)
    distances = squared_distances(kernels[0])
    return lambda train, test: classifiers.nearest_neighbour(
        distances[np.ix_(test, train)], items.speakers[train]
    )


def _vote(
    kernels: Sequence[np.ndarray], labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    parts = [(kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]) for kernel in kernels]
    scores = [classifiers.ridge_scores(*part, labels) for part in parts]
    return np.unique(labels)[classifiers.vote(scores, [classifiers.rarity(*part) for part in parts])]


def _baseline(method: str, items: Recordings) -> Predictor:
    if method == "chance":
        # Naming one speaker throughout: 1 / n_speakers when all have as many test items.
        return lambda train, test: np.full(len(test), items.speakers[0])
    if method == "spectrum":
        spectra = np.stack([classifiers.average_spectrum(y) for y in items.ys])
        return lambda train, test: classifiers.nearest_neighbour(
            classifiers.euclidean(spectra[test], spectra[train]), items.speakers[train]
        )
    frames = [classifiers.mfcc(y) for y in items.ys]
    if method == "gmm":
        return lambda train, test: classifiers.mixture_classify(
            [frames[i] for i in train], items.speakers[train], [frames[i] for i in test]
        )
    statistics = np.stack([classifiers.mfcc_statistics(x) for x in frames])

    def nearest(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        own, others = classifiers.standardise(statistics[train], statistics[test])
        return classifiers.nearest_neighbour(classifiers.euclidean(others, own), items.speakers[train])

    return nearest
