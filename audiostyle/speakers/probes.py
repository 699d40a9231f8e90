"""What the identification of speakers rests on: smaller parts of a corpus, and recordings with one thing changed.

Notebook 08 asks how the accuracy depends on the number of speakers, utterances and seconds, and whether level,
duration, silence, channel or text could be what gives a speaker away.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from scipy.signal import butter, fftconvolve, sosfilt

from audiostyle.datasets import paths
from audiostyle.datasets.corpora import SAMPLE_RATE, Corpus, Recordings, load_recordings
from audiostyle.sound.audio import set_level
from audiostyle.speakers.methods import SPEAKER_METHODS, TELEPHONE_BAND
from audiostyle.speakers.sketch import N_PAIRS, Sketcher, sketch_classify
from audiostyle.speakers.table import SPLITS, predict, speaker_table, split_items, wilson_interval

# Table 1 as printed: speakers, utterances of each, test items, accuracy.
PAPER_TABLE = ((4, 40, 80, 0.925), (10, 16, 80, 0.485))
_MOST_TILT = 0.6  # of the coefficient of `_tilt`: ±12 dB between the ends of the spectrum
SHORTEST = 0.25  # seconds; below this an utterance has no voice left to compare


def speech_at_hand() -> tuple[Path, str]:
    """Return the folder of VCTK and ``"recorded"``, or the bundled synthetic corpus and ``"bundled"``.

    VCTK is looked for as ``vctk`` where downloads go, then as ``vctk4`` and ``vctk`` in the mirror.
    """
    mirror = paths.mirror_dir()
    places = [paths.data_dir() / "vctk"] + ([mirror / "vctk4", mirror / "vctk"] if mirror else [])
    for place in places:
        if place.is_dir():
            return place, "recorded"
    return paths.registry_dir() / "mini_corpus", "bundled"


def designs(
    corpus: Corpus, *, most_speakers: int | None = None, most_utterances: int | None = None
) -> list[tuple[int, int]]:
    """Return the paper's two designs as (speakers, utterances of each), cut down to what a corpus holds.

    Parameters
    ----------
    corpus : Corpus
        What there is.
    most_speakers, most_utterances : int or None
        Limits that save time.
    """
    fitted = []
    for n_speakers, per_speaker, _, _ in PAPER_TABLE:
        n_speakers = min(n_speakers, len(corpus.speakers), most_speakers or n_speakers)
        counts = [len(corpus.utterances[s]) for s in corpus.speakers[:n_speakers]]
        fitted.append((n_speakers, min(per_speaker, *counts, most_utterances or per_speaker)))
    return list(dict.fromkeys(fitted))


def nearest_possible(accuracy: float, n_test: int) -> tuple[float, float]:
    """Return the largest share of `n_test` items that is at most `accuracy`, and the smallest at least as large.

    Examples
    --------
    >>> nearest_possible(0.485, 80)
    (0.475, 0.4875)
    """
    count = round(accuracy * n_test, 9)
    return float(np.floor(count) / n_test), float(np.ceil(count) / n_test)


def take(
    items: Recordings,
    *,
    speakers: int | None = None,
    utterances: int | None = None,
    seconds: float | None = None,
) -> Recordings:
    """Return the first speakers, their first utterances, or the first seconds of each utterance.

    Parameters
    ----------
    items : Recordings
        Where to take from.
    speakers, utterances : int or None
        How many; None keeps all.
    seconds : float or None
        Longest duration of an utterance; None keeps all.

    Returns
    -------
    Recordings
    """
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
    tables = []
    for value in values:
        table = speaker_table(take(items, **{what: value}), **options)
        table.insert(0, "value", float(value))
        table.insert(0, "what", what)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def vary_filters(items: Recordings, values: Sequence[int], **options) -> pd.DataFrame:
    """Score the paper's distance with ever more random filters; columns as in `vary`, ``what`` being filters."""
    tables = []
    for n_filters in values:
        table = speaker_table(items, methods=("paper",), encoder="random", n_filters=n_filters, **options)
        table.insert(0, "value", float(n_filters))
        table.insert(0, "what", "filters")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def vary_pairs(
    items: Recordings,
    values: Sequence[int],
    *,
    method: str = "best",
    split: str = "halves",
    n_seeds: int = 3,
    seconds: float | None = None,
) -> pd.DataFrame:
    """Score a method by sketches of ever more numbers.

    Parameters
    ----------
    items : Recordings
        The utterances.
    values : sequence of int
        Numbers of a sketch, `n_pairs` of `audiostyle.speakers.sketch.Sketcher`.
    method, split : str
        As in `audiostyle.speakers.table.speaker_table`.
    n_seeds : int
        Draws of the filters.
    seconds : float or None
        Only so much of each utterance.

    Returns
    -------
    pandas.DataFrame
        Columns ``value, seed, n_speakers, n_test, n_correct, accuracy, ci_low, ci_high``.
    """
    items = take(items, seconds=seconds)
    train, test = split_items(items, split)
    rows = []
    for value in values:
        for seed in range(n_seeds):
            sketcher = Sketcher(SPEAKER_METHODS[method], value, seed=seed)
            sketched = np.stack([sketcher(y) for y in items.ys])
            named = sketch_classify(sketcher, sketched, items.speakers[train], train, test)
            rows.append({"value": value, "seed": seed} | _share(named, items.speakers[test]))
    return pd.DataFrame(rows)


def steps(items: Recordings) -> dict[str, list[int]]:
    """Return two, half of all and all speakers, and as many utterances of each, for `vary`."""
    names, counts = np.unique(items.speakers, return_counts=True)
    ends = {"speakers": len(names), "utterances": int(counts.min())}
    return {what: sorted({2, (n + 2) // 2, n}) for what, n in ends.items()}


def beside_paper(table: pd.DataFrame) -> pd.DataFrame:
    """Put the rows of a `speaker_table` below the paper's, filter seeds summarised.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of the method ``paper`` on one corpus, for both encoders.

    Returns
    -------
    pandas.DataFrame
        Columns ``source, n_speakers, n_test, encoder, split, mean, std, seeds``; ``std`` over filter seeds.
    """
    key = ["corpus", "n_speakers", "n_test", "encoder", "split"]
    ours = table.groupby(key)["accuracy"].agg(["mean", "std"]).reset_index()
    ours["seeds"] = table.groupby(key)["seed"].count().to_numpy()
    printed = [
        {"corpus": "the paper, as printed", "n_speakers": n, "n_test": n_test, "mean": accuracy}
        for n, _, n_test, accuracy in PAPER_TABLE
    ]
    beside = pd.concat([pd.DataFrame(printed), ours], ignore_index=True)[[*key, "mean", "std", "seeds"]]
    return beside.rename(columns={"corpus": "source"})


def confounds(
    items: Recordings, *, methods: Sequence[str] = ("paper", "best"), gain_db: float = 10.0, seed: int = 0
) -> pd.DataFrame:
    """Identify speakers when one thing that could give them away is removed or changed.

    Parameters
    ----------
    items : Recordings
        The utterances.
    methods : sequence of str
        Names of methods, as in `audiostyle.speakers.table.speaker_table`; the limit of infinitely many filters is used.
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

    Notebook: 08_vctk_speakers.ipynb
    """
    generator = np.random.default_rng(seed)
    gains = 10 ** (generator.uniform(-gain_db, gain_db, len(items)) / 20)
    tilts = generator.uniform(-_MOST_TILT, _MOST_TILT, len(items))
    train, test = split_items(items)
    shortest = max(min(items.seconds()), SHORTEST)
    heard = set(test.tolist())
    in_order = range(len(items))
    rows = [
        ("none", "–", items),
        (f"level: ±{gain_db:g} dB at random", "all", _changed(items, lambda y, i: y * gains[i], in_order)),
        (f"duration: first {shortest:.1f} s", "all", take(items, seconds=shortest)),
        ("silence: cut at both ends", "all", _changed(items, _without_ends, in_order)),
        ("channel: 3.4 kHz low-pass", "all", _changed(items, _low_pass, in_order)),
        ("channel: 3.4 kHz low-pass", "test", _changed(items, _low_pass, heard)),
        (
            "channel: telephone band",
            "test",
            _changed(items, lambda y, _: set_level(_telephone(y, generator)), heard),
        ),
        ("channel: random tilt", "all", _changed(items, lambda y, i: _tilt(y, tilts[i]), in_order)),
    ]
    table = [
        {"change": change, "of": of} | _shares(changed, methods, train, test) for change, of, changed in rows
    ]
    for change, sides in (("disjoint", split_items(items, text="disjoint")), ("crossed", _crossed(items))):
        table.append({"change": f"text: {change}", "of": "split"} | _shares(items, methods, *sides))
    return pd.DataFrame(table)


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
        Names of `audiostyle.speakers.methods.SPEAKER_METHODS`.
    seed : int
        Of the tilts, rooms and noise; each utterance has its own.
    n_pairs : int
        Numbers of a sketch.

    Returns
    -------
    pandas.DataFrame
        Columns ``corpus, channel, method, split, n_speakers, n_test, n_correct, accuracy, ci_low,
        ci_high``, a row for each of `CHANNELS`, method and split.

    Notebook: 08_vctk_speakers.ipynb
    """
    rows = []
    for method in methods:
        sketcher = Sketcher(SPEAKER_METHODS[method], n_pairs)
        known = np.stack([sketcher(y) for y in items.ys])
        for channel, change in CHANNELS.items():
            heard = np.stack([sketcher(_through(change, seed, y, i)) for i, y in enumerate(items.ys)])
            for split in SPLITS:
                train, test = split_items(items, split)
                both, place = np.concatenate([known[train], heard[test]]), np.arange(len(items))
                sides = place[: len(train)], place[len(train) :]
                named = sketch_classify(sketcher, both, items.speakers[train], *sides)
                rows.append(
                    {"corpus": items.name, "channel": channel, "method": method, "split": split}
                    | _share(named, items.speakers[test])
                )
    return pd.DataFrame(rows)


def _share(named: np.ndarray, truth: np.ndarray) -> dict:
    n_correct = int(np.sum(named == truth))
    low, high = wilson_interval(n_correct, len(truth))
    return {
        "n_speakers": len(np.unique(truth)), "n_test": len(truth), "n_correct": n_correct,
        "accuracy": n_correct / len(truth), "ci_low": low, "ci_high": high,
    }  # fmt: skip


def _through(change: "Channel", seed: int, y: np.ndarray, i: int) -> np.ndarray:
    """Change an utterance and bring it to the level at which all are read."""
    return set_level(change(y, np.random.default_rng([seed, i])))


def few_shot(
    items: Recordings,
    n_train: Sequence[int] = (1, 2, 4),
    *,
    methods: Sequence[str] = ("paper", "ridge", "best", "gmm"),
    **options,
) -> pd.DataFrame:
    """Identify speakers from the first 1, 2, 4 utterances of each; the second half of each is tested.

    Parameters
    ----------
    items : Recordings
        The utterances.
    n_train : sequence of int
        Utterances of each speaker that train.
    methods : sequence of str
        As in `audiostyle.speakers.table.speaker_table`.
    **options
        Passed to `audiostyle.speakers.table.predict`.

    Returns
    -------
    pandas.DataFrame
        Columns ``value, method, n_speakers, n_test, n_correct, accuracy, ci_low, ci_high``, ``value`` being the
        utterances that train.
    """
    first, test = split_items(items, "halves")
    rows = []
    for n in n_train:
        train = np.concatenate([first[items.speakers[first] == s][:n] for s in np.unique(items.speakers)])
        for method in methods:
            named = predict(items, method, train, test, **options)
            rows.append({"value": n, "method": method} | _share(named, items.speakers[test]))
    return pd.DataFrame(rows)


def single_cues(items: Recordings) -> pd.DataFrame:
    """Identify speakers by one number of each recording alone: its duration, or how much of it is silence.

    Parameters
    ----------
    items : Recordings
        The utterances; their level is already the same.

    Returns
    -------
    pandas.DataFrame
        Columns ``cue, accuracy, ci_low, ci_high``.
    """
    train, test = split_items(items)
    ends = [len(y) - len(_without_ends(y)) for y in items.ys]
    cues = {"duration": items.seconds(), "silence at the ends": np.array(ends) / SAMPLE_RATE}
    rows = []
    for cue, values in cues.items():
        nearest = np.abs(values[test, None] - values[train]).argmin(axis=1)
        n_correct = int(np.sum(items.speakers[train][nearest] == items.speakers[test]))
        low, high = wilson_interval(n_correct, len(test))
        rows.append({"cue": cue, "accuracy": n_correct / len(test), "ci_low": low, "ci_high": high})
    return pd.DataFrame(rows)


def load_part(corpus: Corpus, designs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Recordings]:
    """Read the utterances of several designs, each given as (speakers, utterances of each)."""
    return {(n, per): load_recordings(corpus, speakers=n, per_speaker=per) for n, per in designs}


def _changed(
    items: Recordings, change: Callable[[np.ndarray, int], np.ndarray], which: Sequence[int] | set[int]
) -> Recordings:
    ys = (change(y, i).astype(np.float32) if i in which else y for i, y in enumerate(items.ys))
    return replace(items, ys=tuple(ys))


def _shares(items: Recordings, methods: Sequence[str], train: np.ndarray, test: np.ndarray) -> dict:
    return {m: float(np.mean(predict(items, m, train, test) == items.speakers[test])) for m in methods}


def _crossed(items: Recordings) -> tuple[np.ndarray, np.ndarray]:
    train, _ = split_items(items)
    in_training = np.zeros(len(items), dtype=bool)
    in_training[train] = True
    exchanged = np.isin(items.speakers, np.unique(items.speakers)[1::2])
    in_training[exchanged] = ~in_training[exchanged]
    return np.flatnonzero(in_training), np.flatnonzero(~in_training)


def _without_ends(y: np.ndarray, _: int = 0) -> np.ndarray:
    trimmed, _ = librosa.effects.trim(y, top_db=35, frame_length=512, hop_length=128)
    return trimmed


def _low_pass(y: np.ndarray, _: int = 0) -> np.ndarray:
    return sosfilt(butter(6, TELEPHONE_BAND[1], fs=SAMPLE_RATE, output="sos"), y)


def _tilt(y: np.ndarray, coefficient: float) -> np.ndarray:
    """Filter with 1 + c z⁻¹, which raises or lowers high frequencies against low ones, and keep the level."""
    filtered = y + coefficient * np.concatenate([[0.0], y[:-1]])
    return filtered * np.linalg.norm(y) / np.linalg.norm(filtered)


Channel = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _unchanged(y: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return y


def _telephone(y: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return sosfilt(butter(6, TELEPHONE_BAND, "bandpass", fs=SAMPLE_RATE, output="sos"), y)


def _random_tilt(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return _tilt(y, generator.uniform(-_MOST_TILT, _MOST_TILT))


def _room(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add reverberation: noise that decays by 60 dB in 0.4 s, 5 dB below the direct sound."""
    t = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal(len(t)) * 10 ** (-3 * t / 0.4)
    return y + fftconvolve(y, tail / np.linalg.norm(tail) * 10 ** (-5 / 20))[: len(y)]


def _noise(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add white noise 20 dB below the speech."""
    return y + generator.standard_normal(len(y)) * np.sqrt(np.mean(np.square(y))) * 10 ** (-20 / 20)


CHANNELS: dict[str, Channel] = {
    "as recorded": _unchanged,
    "telephone band": _telephone,
    "random tilt": _random_tilt,
    "room": _room,
    "noise at 20 dB": _noise,
}
