"""Who is speaking, by the distance between Gram matrices (section 3.3 of the paper), and as well as it goes.

The paper takes the nearest neighbour under ‖G_a − G_b‖². Divided by ‖K_aa‖ ‖K_bb‖, the inner product ‖K_ab‖² is a
kernel between utterances, on which any kernel classifier works.
"""

import os
import time
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import Corpus, Recordings, choose_speakers, find_corpus, load_recordings
from audiostyle.speakers.classifiers import classify, classify_baseline, kernel_features
from audiostyle.speakers.methods import BASELINES, SpeakerMethod, get_method, similarity
from audiostyle.speakers.sketch import N_PAIRS, Sketcher, sketch_corpus
from audiostyle.system import single_precision

COLUMNS = (
    "corpus", "method", "encoder", "split", "text", "n_speakers", "n_train", "n_test", "n_correct", "accuracy",
    "ci_low", "ci_high", "seed", "seconds",
)  # fmt: skip
SPLITS = ("alternate", "halves")
TEXTS = ("any", "disjoint")
# Utterances from which sketches are compared: above, all pairs take longer by more than a factor of ten.
SKETCH_FROM = 500
_WITHOUT_GRAM = set(BASELINES) - {"linear"}


@single_precision()
def speaker_table(
    corpus: Corpus | Recordings | str | os.PathLike,
    *,
    speakers: Sequence[str] | int | None = None,
    per_speaker: int | None = None,
    methods: Sequence[str] = ("paper", "best"),
    n_seeds: int = 1,
    split: str | Sequence[str] = "alternate",
) -> pd.DataFrame:
    """Identify speakers by every method and return one row for each method, split and seed (Table 1).

    From `SKETCH_FROM` utterances on, Gram matrices in the limit of infinitely many filters are compared by their
    sketches (`audiostyle.speakers.sketch`), and a corpus of any size is read a few utterances at a time.
    `score_methods` takes more arguments.

    Parameters
    ----------
    corpus : path, Corpus or Recordings
        Where the speech is; see `audiostyle.datasets.corpora.find_corpus`.
    speakers, per_speaker
        Which part of it; see `audiostyle.datasets.corpora.collect`.
    methods : sequence of str
        ``"paper"``: nearest neighbour under the paper's distance; ``"paper-4096"``: the same with so many random
        filters. ``"best"``: the recommended one. Others: ``"cosine"``, the paper's divided by both norms, ``"ridge"``,
        and the baselines ``"chance"``, ``"spectrum"`` (long-term average), ``"mfcc"`` (mean and deviation), both
        nearest neighbour, ``"gmm"`` (a mixture of MFCC for each speaker) and ``"linear"`` (the paper's without its
        activation).
    n_seeds : int >= 1
        Banks of random filters, seeds 0, 1, ...
    split : {"alternate", "halves"} or both of them
        Of each speaker's utterances, items 0, 2, 4, ... or the first half train.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`. ``ci_low`` and ``ci_high`` are the Wilson 95 % interval. ``encoder`` is ``"sketch-2048"``
        where so many pairs were compared, None for baselines; ``seed`` is missing where no filters were drawn for it.
        ``seconds`` is the time for the distances, which both splits share, and the classification; and for reading
        where sketches are made. ``attrs["padded"]`` counts, by method, the utterances padded to one patch.

    Notebook: 06_vctk_speakers.ipynb
    """
    part = {"speakers": speakers, "per_speaker": per_speaker, "cache": paths.cache_dir() / "speakers"}
    return score_methods(corpus, methods, n_seeds=n_seeds, split=split, **part)


def score_methods(
    corpus: Corpus | Recordings | str | os.PathLike,
    methods: Sequence[str],
    *,
    n_seeds: int = 1,
    split: str | Sequence[str] = SPLITS,
    text: str = "any",
    sketch_from: float = SKETCH_FROM,
    n_pairs: int = N_PAIRS,
    device: str = "cpu",
    cache: str | os.PathLike | None = None,
    progress: bool = False,
    **part,
) -> pd.DataFrame:
    """Return a `speaker_table`; work is spread as `audiostyle.speakers.sketch.workers` says.

    Parameters
    ----------
    corpus, methods, n_seeds, split, **part
        As in `speaker_table`.
    text : {"any", "disjoint"}
        ``"disjoint"`` has no sentence on both sides: sentences, not utterances, are split.
    sketch_from : float
        Utterances from which sketches are compared.
    n_pairs : int
        Numbers of a sketch; see `audiostyle.speakers.sketch.gram_sketch`.
    cache : path or None
        Folder that keeps finished blocks of distances and sketches: a stopped run goes on from there.
    """
    splits = (split,) if isinstance(split, str) else tuple(split)
    check_arguments(methods, splits, text, n_seeds)
    corpus = corpus if isinstance(corpus, Corpus | Recordings) else find_corpus(corpus)
    how = {"device": device, "cache": cache, "progress": progress}
    many, rows, padded, held = _size(corpus, **part) >= sketch_from, [], {}, None
    for name in methods:
        method = None if name in _WITHOUT_GRAM else get_method(name)
        sketched = many and method is not None and method.width is None
        for seed in range(n_seeds) if method and method.width else [None]:
            started = time.perf_counter()
            if sketched:
                items, views, n_samples = _sketch(corpus, Sketcher(method, n_pairs, device=device), how, part)
            else:
                held = held or (corpus if isinstance(corpus, Recordings) else load_recordings(corpus, **part))
                items, n_samples = held, np.array([len(y) for y in held.ys])
                views = gram_views(items, method, seed=seed or 0, **how) if method else None
            known, _, n_filters = name.partition("-")
            encoder = f"random-{n_filters}" if n_filters else None if name in BASELINES else "infinite"
            encoder = f"sketch-{n_pairs}" if sketched else encoder
            about = {"corpus": items.name, "method": known, "encoder": encoder, "text": text}
            about |= {"seed": seed, "seconds": time.perf_counter() - started}
            rows += [about | _score(items, name, views, how_split, about) for how_split in splits]
        if method:
            padded[name] = int(np.sum(n_samples < method.shortest))
    if any(padded.values()):
        counted = ", ".join(f"{name}: {count}" for name, count in padded.items() if count)
        warnings.warn(
            f"{items.name}: of {len(items)} utterances some are shorter than one patch and were zero-padded "
            f"({counted})",
            stacklevel=3,
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "Int64"})
    # A column of names and None would be inferred as text, with NaN for None.
    table["encoder"] = pd.Series([row["encoder"] for row in rows], dtype=object)
    table.attrs["padded"] = padded
    return table


def _score(items: Recordings, name: str, views, split: str, about: dict) -> dict:
    started = time.perf_counter()
    train, test = split_items(items, split, text=about["text"])
    right = count_right(predict(items, name, train, test, views=views), items.speakers[test])
    seconds = about["seconds"] + time.perf_counter() - started
    return right | {"split": split, "n_train": len(train), "seconds": round(seconds, 3)}


def check_arguments(
    methods: Sequence[str], splits: Sequence[str] = SPLITS, text: str = "any", n_seeds: int = 1
) -> None:
    """Raise a ValueError for a method, split or text that is not known, and for less than one seed."""
    for name in methods:
        if name not in _WITHOUT_GRAM:
            get_method(name)
    for name, value, allowed in (*(("split", split, SPLITS) for split in splits), ("text", text, TEXTS)):
        if value not in allowed:
            raise ValueError(f"{name}={value!r} is not allowed; it must be one of {', '.join(allowed)}")
    if n_seeds < 1:
        raise ValueError(f"n_seeds={n_seeds} is not allowed; it must be at least 1")


def _size(corpus: Corpus | Recordings, speakers=None, per_speaker: int | None = None) -> int:
    if isinstance(corpus, Recordings):
        return len(corpus)
    chosen = choose_speakers(corpus, speakers, per_speaker)
    return sum(len(corpus.utterances[speaker][:per_speaker]) for speaker in chosen)


def _sketch(corpus: Corpus | Recordings, sketcher: Sketcher, how: dict, part: dict) -> tuple:
    """Return the utterances, the sketches of each view, and the length of each utterance in samples."""
    if isinstance(corpus, Recordings):
        items, rows = corpus, np.stack([sketcher(y) for y in corpus.ys])
        n_samples = np.array([len(y) for y in corpus.ys])
    else:
        spread = {name: how[name] for name in ("cache", "progress")}
        items, rows, n_samples = sketch_corpus(corpus, sketcher, **spread, **part)
    return items, sketcher.views(rows), n_samples


def gram_views(items: Recordings, method: SpeakerMethod, **how) -> list[np.ndarray]:
    """Return features of each view, whose inner products are `audiostyle.speakers.methods.similarity`."""
    return [kernel_features(similarity(items.ys, view, **how)) for view in method.views]


def predict(
    items: Recordings,
    name: str,
    train: np.ndarray,
    test: np.ndarray,
    *,
    views: Sequence[np.ndarray] | None = None,
    **how,
) -> np.ndarray:
    """Return the speaker that a method of `speaker_table` names for each test item [shape=(n_test,)].

    Parameters
    ----------
    items, train, test
        The utterances, and `split_items` of them.
    views : sequence of np.ndarray or None
        Features of the method's views; None computes `gram_views`, to which `how` is passed.
    """
    if name in _WITHOUT_GRAM:
        return classify_baseline(name, items.ys, items.speakers, train, test)
    method = get_method(name)
    views = gram_views(items, method, **how) if views is None else views
    return classify(views, items.speakers, train, test, method.classifier)


def count_right(named: np.ndarray, truth: np.ndarray) -> dict:
    """Return how many of the test items were named rightly, the share of them, and its Wilson 95 % interval."""
    n_correct = int(np.sum(named == truth))
    low, high = binomtest(n_correct, len(truth)).proportion_ci(method="wilson")
    return {
        "n_speakers": len(np.unique(truth)), "n_test": len(truth), "n_correct": n_correct,
        "accuracy": n_correct / len(truth), "ci_low": float(low), "ci_high": float(high),
    }  # fmt: skip


def split_items(
    items: Recordings, how: str = "alternate", *, text: str = "any"
) -> tuple[np.ndarray, np.ndarray]:
    """Split 1 : 1 for each speaker into items that train and that are tested, two disjoint arrays of int.

    Parameters
    ----------
    how : {"alternate", "halves"}
        Items 0, 2, 4, ... of each speaker train, or the first half does.
    text : {"any", "disjoint"}
        ``"disjoint"`` orders the sentences by name and splits those, over all speakers; utterances whose names tell
        no sentence are split as with ``"any"``.
    """
    in_training, names = np.zeros(len(items), dtype=bool), np.unique(items.speakers)
    for speaker in names:
        own = np.flatnonzero(items.speakers == speaker)
        in_training[own] = _first_of_two(len(own), how)
    if text == "disjoint":
        sentences = sorted({sentence for sentence in items.texts if sentence is not None})
        side = dict(zip(sentences, _first_of_two(len(sentences), how), strict=True))
        in_training = np.array([side.get(t, d) for t, d in zip(items.texts, in_training, strict=True)])
    for speaker in names:
        own = in_training[items.speakers == speaker]
        if own.all() or not own.any():
            raise ValueError(
                f"{items.name}: split={how!r}, text={text!r} leaves speaker {speaker} with {own.sum()} utterances for "
                f"training and {(~own).sum()} for testing; take more utterances or text='any'"
            )
    return np.flatnonzero(in_training), np.flatnonzero(~in_training)


def _first_of_two(n: int, how: str) -> np.ndarray:
    order = np.arange(n)
    return order % 2 == 0 if how == "alternate" else order < (n + 1) // 2
