"""Table 1 on every corpus at hand: ``python -m experiments.table1`` writes ``results/paper/recorded/table1.csv``.

``channels.csv`` beside it has the same designs with the test side through another channel, ``few_shot.csv`` one, two
and four utterances that train, and ``sketch.csv`` what `best` names rightly exactly and by sketches. Corpora are looked
for in the mirror and in the folder of downloads; one that is absent is named and left out.

The functions are those of notebooks 06 and 12: how the accuracy depends on speakers, utterances, seconds, filters and
numbers of a sketch, and whether level, duration, silence, channel or text could be what gives a speaker away.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import torch
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import SAMPLE_RATE, Corpus, Recordings, load_recordings
from audiostyle.sound.levels import rms, set_level
from audiostyle.speakers.classifiers import classify
from audiostyle.speakers.methods import TELEPHONE_BAND, get_method
from audiostyle.speakers.sketch import Sketcher
from audiostyle.speakers.table import SPLITS, count_right, predict, score_methods, speaker_table, split_items
from experiments.results import Results

# Table 1 as printed: speakers, utterances of each, test items, accuracy.
PAPER_TABLE = ((4, 40, 80, 0.925), (10, 16, 80, 0.485))
ROWS = ("paper", "nearest", "ridge", "floored", "best", "linear", "spectrum", "mfcc", "gmm", "chance")
# Folder, speakers, utterances of each, banks of 4096 filters. The designs of 4 × 40 and 10 × 16 are the paper's; the
# four speakers of LibriSpeech are those with 40 utterances at hand. `best` was chosen on its first ten speakers; the
# last ten confirm it.
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
SIZES = (128, 512, 2048)
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
    """Return a `speaker_table` of ever more ``"speakers"``, ``"utterances"`` or ``"seconds"`` (see `take`).

    Columns ``what`` and ``value`` come first; `options` are those of `speaker_table`.
    """
    return _named(what, {value: speaker_table(take(items, **{what: value}), **options) for value in values})


def vary_filters(items: Recordings, values: Sequence[int], **options) -> pd.DataFrame:
    """Score the paper's distance with ever more random filters; columns as in `vary`, ``what`` being filters."""
    return _named("filters", {n: speaker_table(items, methods=(f"paper-{n}",), **options) for n in values})


def _named(what: str, tables: dict[float, pd.DataFrame]) -> pd.DataFrame:
    made = pd.concat(tables, names=["value", None]).reset_index("value")
    made.insert(0, "what", what)
    return made.astype({"value": float}).reset_index(drop=True)


def vary_pairs(
    items: Recordings, values: Sequence[int] = SIZES, *, splits: Sequence[str] = ("halves",), n_seeds: int = 3
) -> pd.DataFrame:
    """Score `best` by sketches of ever more numbers: a row for each number, draw of the filters and split.

    Returns ``value, seed, split, cpu_ms_each, bytes_each`` and the columns of `count_right`.
    """
    rows = []
    for n_pairs, seed in product(values, range(n_seeds)):
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

    A row for each change, with what it was done to, and for each method the share of test items named rightly. Levels
    change by up to `gain_db` either way, at random. "Crossed" exchanges the sides of every second speaker: where all
    read the same sentences in the same order, each test sentence was then heard in training from others only.
    """
    gains = 10 ** (np.random.default_rng(seed).uniform(-gain_db, gain_db, len(items)) / 20)
    train, test = split_items(items)
    crossed = np.isin(np.arange(len(items)), train) ^ np.isin(items.speakers, np.unique(items.speakers)[1::2])
    shortest = max(min(items.seconds()), SHORTEST)

    def changed(change: Callable[[np.ndarray, int], np.ndarray], which: Sequence[int]) -> Recordings:
        ys = (change(y, i).astype(np.float32) if i in which else y for i, y in enumerate(items.ys))
        return replace(items, ys=tuple(ys))

    def through(channel: str, which: Sequence[int]) -> Recordings:
        return changed(lambda y, i: set_level(CHANNELS[channel](y, np.random.default_rng([seed, i]))), which)

    everything = range(len(items))
    rows = [
        ("none", "–", items),
        (f"level: ±{gain_db:g} dB at random", "all", changed(lambda y, i: y * gains[i], everything)),
        (f"duration: first {shortest:.1f} s", "all", take(items, seconds=shortest)),
        ("silence: cut at both ends", "all", changed(lambda y, _: _without_ends(y), everything)),
        ("channel: telephone band", "all", through("telephone band", everything)),
        ("channel: telephone band", "test", through("telephone band", test)),
        ("channel: random tilt", "all", through("random tilt", everything)),
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
    """Identify speakers by ``cue``, the duration of a recording alone or how much of it is silence (`count_right`)."""
    train, test = split_items(items)
    ends = [len(y) - len(_without_ends(y)) for y in items.ys]
    cues = {"duration": items.seconds(), "silence at the ends": np.array(ends) / SAMPLE_RATE}
    rows = []
    for cue, values in cues.items():
        nearest = np.abs(values[test, None] - values[train]).argmin(axis=1)
        rows.append({"cue": cue} | count_right(items.speakers[train][nearest], items.speakers[test]))
    return pd.DataFrame(rows)


def channels(
    items: Recordings, *, methods: Sequence[str] = ("paper", "ridge", "best"), seed: int = 0
) -> pd.DataFrame:
    """Identify speakers, by sketches, when the test side alone comes through another channel.

    Returns ``corpus, channel, method, split`` and the columns of `count_right`, a row for each of `CHANNELS`, method
    and split. `seed` is of tilts, rooms and noise, of which each utterance has its own.
    """
    rows = []
    for name in methods:
        method = get_method(name)
        sketcher = Sketcher(method)
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
    """Identify speakers from the first 1, 2, 4 utterances of each, ``value``; the second half of each is tested.

    Returns ``value, method`` and the columns of `count_right`; `how` is passed to `predict`.
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


def _telephone(y: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return sosfilt(butter(6, TELEPHONE_BAND, "bandpass", fs=SAMPLE_RATE, output="sos"), y)


def _tilt(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Filter with 1 + c z⁻¹, which raises or lowers high frequencies against low ones by up to 12 dB."""
    return lfilter([1, generator.uniform(-0.6, 0.6)], 1, y)


def _room(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add reverberation: noise that decays by 60 dB in 0.4 s, 5 dB below the direct sound."""
    t = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal(len(t)) * 10 ** (-3 * t / 0.4)
    return y + fftconvolve(y, tail / np.linalg.norm(tail) * 10 ** (-5 / 20))[: len(y)]


def _noise(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add white noise 20 dB below the speech."""
    return y + generator.standard_normal(len(y)) * rms(y) / 10


CHANNELS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "as recorded": lambda y, _: y,
    "telephone band": _telephone,
    "random tilt": _tilt,
    "room": _room,
    "noise at 20 dB": _noise,
}


def sketches(items: Recordings, **how) -> pd.DataFrame:
    """Return `vary_pairs` on both splits, the exact kernel's items first (``n_pairs`` 0)."""
    exact = score_methods(items, ("best",), sketch_from=np.inf, **how).assign(value=0, seed=0)
    rows = pd.concat([exact, vary_pairs(items, splits=SPLITS)], ignore_index=True)
    columns = ["split", "value", "seed", "n_test", "n_correct", "cpu_ms_each", "bytes_each"]
    return rows[columns].rename(columns={"value": "n_pairs"}).assign(n_items=len(items))


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
    torch.set_num_threads(1)
    results, how = Results("paper", "recorded"), {"cache": paths.cache_dir() / "speakers"}
    exact, tables = how | {"sketch_from": np.inf}, defaultdict(list)
    for design, items, seeds in loaded():
        scores = [score_methods(items, ROWS, **exact)]
        if seeds:
            scores.append(score_methods(items, ("paper-4096",), n_seeds=seeds, **exact))
        tables["table1"].append(pd.concat(scores))
        tables["channels"].append(channels(items).assign(design=design))
        tables["few_shot"].append(few_shot(items, **how).assign(design=design))
        tables["sketch"].append(sketches(items, **how).assign(design=design))
        for name, parts in tables.items():
            results.save_table(pd.concat(parts, ignore_index=True), name)
        sys.stdout.write(f"{design}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
