"""Table 1 on every corpus at hand: ``python -m experiments.table1`` writes ``results/paper/recorded/table1.csv``.

``channels.csv`` beside it has the same designs with the test side through another channel, ``few_shot.csv`` one, two
and four utterances that train, and ``sketch.csv`` the items that `best` names rightly exactly and by sketches of D
numbers, with the processor time of a sketch. Corpora are looked for in the mirror and in the folder of downloads; one
that is absent is named and left out.

The functions are those of notebooks 06 and 12: how the accuracy depends on speakers, utterances, seconds, filters and
numbers of a sketch, and whether level, duration, silence, channel or text could be what gives a speaker away.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import torch
from scipy.signal import butter, fftconvolve, sosfilt

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import SAMPLE_RATE, Corpus, Recordings, load_recordings
from audiostyle.sound.levels import set_level
from audiostyle.speakers.classifiers import classify
from audiostyle.speakers.methods import TELEPHONE_BAND, get_method
from audiostyle.speakers.sketch import N_PAIRS, Sketcher
from audiostyle.speakers.table import SPLITS, count_right, predict, score_methods, speaker_table, split_items
from experiments.results import Results

# Table 1 as printed: speakers, utterances of each, test items, accuracy.
PAPER_TABLE = ((4, 40, 80, 0.925), (10, 16, 80, 0.485))
ROWS = ("paper", "nearest", "ridge", "floored", "best", "linear", "spectrum", "mfcc", "gmm", "chance")
# Folder, speakers, utterances of each, filter seeds of the paper's distance with 4096 filters. The designs of 4 × 40
# and 10 × 16 are the paper's; the four speakers of LibriSpeech are those with 40 utterances at hand. `best` was chosen
# on LibriSpeech's first ten speakers; the last ten confirm it.
_LAST_TEN = ("3575", "4446", "4507", "4970", "5105", "61", "672", "7021", "7127", "908")
DESIGNS = (
    ("vctk4", 4, 10, 10),
    ("librispeech", ("61", "121", "237", "260"), 40, 10),
    ("librispeech", 10, 16, 10),
    ("librispeech", _LAST_TEN, 20, 0),
    ("librispeech", 20, 20, 0),
    ("arctic", 3, 30, 0),
    ("fsdd", 6, 40, 0),
    ("vctk_rest", ("p225", "p229", "p232", "p234", "p239", "p257"), 8, 0),
)
SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
_MOST_TILT = 0.6  # of the coefficient of `_tilt`: ±12 dB between the ends of the spectrum
SHORTEST = 0.25  # seconds; below this an utterance has no voice left to compare


def find(folder: str) -> Path | None:
    """Return where a corpus lies, or None."""
    for top in (paths.mirror_dir(), paths.data_dir()):
        if top is not None and (top / folder).is_dir():
            return top / folder
    return None


def speech_at_hand() -> tuple[Path, str]:
    """Return the folder of VCTK and ``"recorded"``, or the bundled synthetic corpus and ``"bundled"``."""
    places = (paths.data_dir() / "vctk", find("vctk4"), find("vctk"))
    place = next((place for place in places if place is not None and place.is_dir()), None)
    return (place, "recorded") if place else (paths.registry_dir() / "mini_corpus", "bundled")


def designs(
    corpus: Corpus, *, most_speakers: int | None = None, most_utterances: int | None = None
) -> list[tuple[int, int]]:
    """Return the paper's designs as (speakers, utterances of each), cut down to what a corpus holds and to limits."""
    fitted = []
    for n_speakers, per_speaker, _, _ in PAPER_TABLE:
        n_speakers = min(n_speakers, len(corpus.speakers), most_speakers or n_speakers)
        counts = [len(corpus.utterances[s]) for s in corpus.speakers[:n_speakers]]
        fitted.append((n_speakers, min(per_speaker, *counts, most_utterances or per_speaker)))
    return list(dict.fromkeys(fitted))


def load_part(corpus: Corpus, designs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Recordings]:
    """Read the utterances of several designs, each given as (speakers, utterances of each)."""
    return {(n, per): load_recordings(corpus, speakers=n, per_speaker=per) for n, per in designs}


def take(
    items: Recordings,
    *,
    speakers: int | None = None,
    utterances: int | None = None,
    seconds: float | None = None,
) -> Recordings:
    """Return the first speakers, their first utterances, or the first seconds of each utterance; None keeps all."""
    names = np.unique(items.speakers)[:speakers]
    kept = [i for name in names for i in np.flatnonzero(items.speakers == name)[:utterances]]
    n = None if seconds is None else round(seconds * SAMPLE_RATE)
    return replace(
        items,
        ys=tuple(items.ys[i][:n] for i in kept),
        speakers=items.speakers[kept],
        texts=tuple(items.texts[i] for i in kept),
        paths=tuple(items.paths[i] for i in kept),
    )


def steps(items: Recordings) -> dict[str, list[int]]:
    """Return two, half of all and all speakers, and as many utterances of each, for `vary`."""
    names, counts = np.unique(items.speakers, return_counts=True)
    ends = {"speakers": len(names), "utterances": int(counts.min())}
    return {what: sorted({2, (n + 2) // 2, n}) for what, n in ends.items()}


def vary(items: Recordings, what: str, values: Sequence[float], **options) -> pd.DataFrame:
    """Score methods on ever larger parts of a corpus.

    Parameters
    ----------
    items : Recordings
        The whole.
    what : {"speakers", "utterances", "seconds"}
        Which argument of `take` to vary.
    values : sequence of float
        Its values.
    **options
        Passed to `audiostyle.speakers.table.speaker_table`.

    Returns
    -------
    pandas.DataFrame
        The rows of `speaker_table` with the columns ``what`` and ``value`` in front.
    """
    tables = {value: speaker_table(take(items, **{what: value}), **options) for value in values}
    return _named(what, tables)


def vary_filters(items: Recordings, values: Sequence[int], **options) -> pd.DataFrame:
    """Score the paper's distance with ever more random filters; columns as in `vary`, ``what`` being filters."""
    return _named("filters", {n: speaker_table(items, methods=(f"paper-{n}",), **options) for n in values})


def _named(what: str, tables: dict[float, pd.DataFrame]) -> pd.DataFrame:
    for value, table in tables.items():
        table.insert(0, "value", float(value))
        table.insert(0, "what", what)
    return pd.concat(tables.values(), ignore_index=True)


def vary_pairs(
    items: Recordings,
    values: Sequence[int] = SIZES,
    *,
    splits: Sequence[str] = ("halves",),
    n_seeds: int = 3,
) -> pd.DataFrame:
    """Score `best` by sketches of ever more numbers.

    Returns
    -------
    pandas.DataFrame
        Columns ``value, seed, split, cpu_ms_each, bytes_each`` and those of `count_right`, a row for each number of a
        sketch, draw of the filters and split.
    """
    rows = []
    for n_pairs in values:
        for seed in range(n_seeds):
            sketcher = Sketcher(get_method("best"), n_pairs, seed=seed)
            sketcher(items.ys[0])  # draws the filters
            started = time.process_time()
            sketched = np.stack([sketcher(y) for y in items.ys])
            each = round(1000 * (time.process_time() - started) / len(items), 2)
            about = {"value": n_pairs, "seed": seed, "cpu_ms_each": each, "bytes_each": sketched[0].nbytes}
            for split in splits:
                train, test = split_items(items, split)
                named = classify(sketcher.views(sketched), items.speakers, train, test, "ridge")
                rows.append(about | {"split": split} | count_right(named, items.speakers[test]))
    return pd.DataFrame(rows)


def confounds(
    items: Recordings, *, methods: Sequence[str] = ("paper", "best"), gain_db: float = 10.0, seed: int = 0
) -> pd.DataFrame:
    """Identify speakers when one thing that could give them away is removed or changed.

    Parameters
    ----------
    items : Recordings
        The utterances.
    methods : sequence of str
        As in `audiostyle.speakers.table.speaker_table`.
    gain_db : float >= 0
        Each utterance is made louder or softer by up to so many decibels, at random.
    seed : int
        Of the gains and channels.

    Returns
    -------
    pandas.DataFrame
        A row for each change, with what it was done to, and for each method the share of test items named rightly.

    Notes
    -----
    "Crossed" exchanges the sides of every second speaker. Where all speakers read the same sentences in the same
    order, each test sentence was then heard in training from other speakers only, so that the text misleads.

    Notebook: 12_many_speakers.ipynb
    """
    generator = np.random.default_rng(seed)
    gains = 10 ** (generator.uniform(-gain_db, gain_db, len(items)) / 20)
    tilts = generator.uniform(-_MOST_TILT, _MOST_TILT, len(items))
    train, test = split_items(items)
    crossed = np.isin(np.arange(len(items)), train) ^ np.isin(items.speakers, np.unique(items.speakers)[1::2])
    shortest = max(min(items.seconds()), SHORTEST)

    def changed(
        change: Callable[[np.ndarray, int], np.ndarray], which: Sequence[int] = range(len(items))
    ) -> Recordings:
        heard = set(which)
        ys = (change(y, i).astype(np.float32) if i in heard else y for i, y in enumerate(items.ys))
        return replace(items, ys=tuple(ys))

    rows = [
        ("none", "–", items),
        (f"level: ±{gain_db:g} dB at random", "all", changed(lambda y, i: y * gains[i])),
        (f"duration: first {shortest:.1f} s", "all", take(items, seconds=shortest)),
        ("silence: cut at both ends", "all", changed(lambda y, _: _without_ends(y))),
        ("channel: 3.4 kHz low-pass", "all", changed(lambda y, _: _low_pass(y))),
        ("channel: 3.4 kHz low-pass", "test", changed(lambda y, _: _low_pass(y), test)),
        ("channel: telephone band", "test", changed(lambda y, _: set_level(_telephone(y, generator)), test)),
        ("channel: random tilt", "all", changed(lambda y, i: _tilt(y, tilts[i]))),
        ("text: disjoint", "split", items, *split_items(items, text="disjoint")),
        ("text: crossed", "split", items, np.flatnonzero(crossed), np.flatnonzero(~crossed)),
    ]
    table = []
    for change, of, heard, *sides in rows:
        known, new = sides or (train, test)
        named = {method: predict(heard, method, known, new) for method in methods}
        shares = {method: float(np.mean(found == items.speakers[new])) for method, found in named.items()}
        table.append({"change": change, "of": of} | shares)
    return pd.DataFrame(table)


def single_cues(items: Recordings) -> pd.DataFrame:
    """Identify speakers by the duration of a recording alone, or by how much of it is silence.

    Returns
    -------
    pandas.DataFrame
        Column ``cue`` and those of `count_right`.
    """
    train, test = split_items(items)
    ends = [len(y) - len(_without_ends(y)) for y in items.ys]
    cues = {"duration": items.seconds(), "silence at the ends": np.array(ends) / SAMPLE_RATE}
    rows = []
    for cue, values in cues.items():
        nearest = np.abs(values[test, None] - values[train]).argmin(axis=1)
        rows.append({"cue": cue} | count_right(items.speakers[train][nearest], items.speakers[test]))
    return pd.DataFrame(rows)


def channels(
    items: Recordings,
    *,
    methods: Sequence[str] = ("paper", "ridge", "best"),
    seed: int = 0,
    n_pairs: int = N_PAIRS,
) -> pd.DataFrame:
    """Identify speakers, by sketches, when the test side alone comes through another channel.

    Parameters
    ----------
    items : Recordings
        The utterances.
    methods : sequence of str
        As in `audiostyle.speakers.methods.get_method`.
    seed : int
        Of the tilts, rooms and noise; each utterance has its own.
    n_pairs : int
        Numbers of a sketch.

    Returns
    -------
    pandas.DataFrame
        Columns ``corpus, channel, method, split`` and those of `count_right`, a row for each of `CHANNELS`, method and
        split.

    Notebook: 12_many_speakers.ipynb
    """
    rows = []
    for name in methods:
        method = get_method(name)
        sketcher = Sketcher(method, n_pairs)
        known = np.stack([sketcher(y) for y in items.ys])
        for channel, change in CHANNELS.items():
            through = (change(y, np.random.default_rng([seed, i])) for i, y in enumerate(items.ys))
            heard = np.stack([sketcher(set_level(y)) for y in through])
            for split in SPLITS:
                train, test = split_items(items, split)
                both = known.copy()
                both[test] = heard[test]
                named = classify(sketcher.views(both), items.speakers, train, test, method.classifier)
                about = {"corpus": items.name, "channel": channel, "method": name, "split": split}
                rows.append(about | count_right(named, items.speakers[test]))
    return pd.DataFrame(rows)


def few_shot(
    items: Recordings,
    n_train: Sequence[int] = (1, 2, 4),
    *,
    methods: Sequence[str] = ("paper", "ridge", "best", "gmm"),
    **how,
) -> pd.DataFrame:
    """Identify speakers from the first 1, 2, 4 utterances of each; the second half of each is tested.

    Returns
    -------
    pandas.DataFrame
        Columns ``value, method``, ``value`` being the utterances that train, and those of `count_right`; `how` is
        passed to `audiostyle.speakers.table.predict`.
    """
    first, test = split_items(items, "halves")
    rows = []
    for n in n_train:
        train = np.concatenate([first[items.speakers[first] == s][:n] for s in np.unique(items.speakers)])
        for method in methods:
            named = predict(items, method, train, test, **how)
            rows.append({"value": n, "method": method} | count_right(named, items.speakers[test]))
    return pd.DataFrame(rows)


def _without_ends(y: np.ndarray) -> np.ndarray:
    return librosa.effects.trim(y, top_db=35, frame_length=512, hop_length=128)[0]


def _low_pass(y: np.ndarray) -> np.ndarray:
    return sosfilt(butter(6, TELEPHONE_BAND[1], fs=SAMPLE_RATE, output="sos"), y)


def _tilt(y: np.ndarray, coefficient: float) -> np.ndarray:
    """Filter with 1 + c z⁻¹, which raises or lowers high frequencies against low ones, and keep the level."""
    filtered = y + coefficient * np.concatenate([[0.0], y[:-1]])
    return filtered * np.linalg.norm(y) / np.linalg.norm(filtered)


def _telephone(y: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return sosfilt(butter(6, TELEPHONE_BAND, "bandpass", fs=SAMPLE_RATE, output="sos"), y)


def _room(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add reverberation: noise that decays by 60 dB in 0.4 s, 5 dB below the direct sound."""
    t = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal(len(t)) * 10 ** (-3 * t / 0.4)
    return y + fftconvolve(y, tail / np.linalg.norm(tail) * 10 ** (-5 / 20))[: len(y)]


def _noise(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add white noise 20 dB below the speech."""
    return y + generator.standard_normal(len(y)) * np.sqrt(np.mean(np.square(y))) * 10 ** (-20 / 20)


CHANNELS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "as recorded": lambda y, _: y,
    "telephone band": _telephone,
    "random tilt": lambda y, generator: _tilt(y, generator.uniform(-_MOST_TILT, _MOST_TILT)),
    "room": _room,
    "noise at 20 dB": _noise,
}


def sketches(name: str, items: Recordings, **how) -> pd.DataFrame:
    """Return `vary_pairs` on both splits, the exact kernel's items first (``n_pairs`` 0)."""
    exact = score_methods(items, ("best",), sketch_from=np.inf, **how).assign(value=0, seed=0)
    rows = pd.concat([exact, vary_pairs(items, splits=SPLITS)], ignore_index=True).assign(
        design=name, n_items=len(items)
    )
    columns = [
        "design",
        "n_items",
        "split",
        "value",
        "seed",
        "n_test",
        "n_correct",
        "cpu_ms_each",
        "bytes_each",
    ]
    return rows[columns].rename(columns={"value": "n_pairs"})


def loaded() -> Iterator[tuple[str, Recordings, int]]:
    """Yield the name, the recordings and the filter seeds of every design at hand."""
    for folder, speakers, per_speaker, seeds in DESIGNS:
        corpus = find(folder)
        if corpus is None:
            sys.stderr.write(f"{folder} is not at hand and left out\n")
            continue
        n_speakers = speakers if isinstance(speakers, int) else len(speakers)
        items = load_recordings(corpus, speakers=speakers, per_speaker=per_speaker)
        yield f"{folder}, {n_speakers} × {per_speaker}", items, seeds


def main() -> None:
    """Score every design and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("table1", "channels", "few_shot", "sketch")
    parser.add_argument("what", nargs="*", default=parts, help=f"{', '.join(parts)} (all)")
    parser.add_argument("--seeds", type=int, help="most filter seeds of each design")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results, cache = Results("paper", "recorded"), paths.cache_dir() / "speakers"
    how, tables = {"sketch_from": np.inf, "cache": cache}, {name: [] for name in args.what}
    for design, items, seeds in loaded():
        seeds = seeds if args.seeds is None else min(seeds, args.seeds)
        for name, rows in tables.items():
            if name == "table1":
                rows.append(score_methods(items, ROWS, **how))
                if seeds:
                    rows.append(score_methods(items, ("paper-4096",), n_seeds=seeds, **how))
            elif name == "channels":
                rows.append(channels(items).assign(design=design))
            elif name == "few_shot":
                rows.append(few_shot(items, cache=cache).assign(design=design))
            else:
                rows.append(sketches(design, items, cache=cache))
            results.save_table(pd.concat(rows, ignore_index=True), name)
        sys.stdout.write(f"{design}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
