"""Collections of speech sorted by speaker: VCTK, LibriSpeech, TIMIT, VoxCeleb, and folders of speakers.

Order is part of the definition of an experiment: speakers are sorted as strings, utterances by file name, and
"the first n" always means in that order.
"""

import os
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiostyle.sound.channels import mid_signal
from audiostyle.sound.levels import set_level
from audiostyle.sound.read import load_audio

SAMPLE_RATE = 16000  # of every comparison of speakers: the lowest rate of the usual corpora
SOUND_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus", ".m4a"}

# A folder of one of these names is a part of a corpus, and never a speaker.
_PART = (
    r"(?:(?:train(?:ing)?|test(?:ing)?|dev|val(?:id(?:ation)?)?|eval(?:uation)?)(?:[-_\d][^/]*)?"
    r"|wavs?|flac|audio|clips|data)/"
)
# Layout, and the path of an utterance from the folder of the corpus on; for `folders` without the name of that.
_LAYOUTS = (
    ("vctk", r"(?:.*/)?wav48_silence_trimmed/(?P<speaker>[^/]+)/[^/]+(?<!_mic2)\.\w+"),
    ("vctk", r"(?:.*/)?wav48/(?P<speaker>[^/]+)/[^/]+"),
    ("timit", r"(?:.*/)?(?:train|test)/dr\d/(?P<speaker>[^/]+)/[^/]+"),
    ("librispeech", r"(?:.*/)?(?P<speaker>\d+)/\d+/(?P=speaker)[-_][^/]+"),
    ("voxceleb", r"(?:.*/)?(?P<speaker>id\d{5})/[^/]+/[^/]+"),
    ("folders", rf"(?:{_PART})*(?P<speaker>(?!{_PART})[^/]+)/(?:{_PART})?[^/]+"),
)
KNOWN_LAYOUTS = (
    "<speaker>/<file>, also below folders such as train and test; VCTK: wav48/<speaker>/<file>; LibriSpeech: "
    "<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac; TIMIT: TRAIN/DR1/<speaker>/<file>; VoxCeleb: "
    "id<number>/<video>/<file>"
)
_VCTK_NAME = re.compile(r"^[ps]\d+_(\d+)(?:_mic\d)?$")
_DIGIT_NAME = re.compile(r"^(\d)_(.+)_\d+$")


@dataclass(frozen=True)
class Utterance:
    """One recording of a corpus; `text` names its sentence, and is None where the name of the file does not."""

    speaker: str
    path: Path
    text: str | None = None


@dataclass(frozen=True)
class Corpus:
    """The utterances of a folder, listed but not read: speakers sorted as strings, files of each by name."""

    name: str
    layout: str
    utterances: dict[str, tuple[Utterance, ...]]

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of the speakers in order."""
        return tuple(self.utterances)

    def counts(self) -> dict[str, int]:
        """Return the number of utterances of each speaker."""
        return {speaker: len(items) for speaker, items in self.utterances.items()}

    def __str__(self) -> str:
        counts = sorted(self.counts().values())
        each = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
        return (
            f"{self.name} ({self.layout}): {len(counts)} speakers of {each} utterances, {sum(counts)} in all"
        )


@dataclass(frozen=True)
class Recordings:
    """Utterances that were read, all at 16 kHz and at the same level, speaker after speaker."""

    name: str
    ys: tuple[np.ndarray, ...]  # [shape=(n_samples,), dtype=float32]; none where only sketches were kept
    speakers: np.ndarray  # [shape=(n_items,)] of str
    texts: tuple[str | None, ...]
    paths: tuple[Path, ...]
    skipped: tuple[Path, ...] = ()  # files that could not be read or are silent

    def __len__(self) -> int:
        return len(self.speakers)

    def seconds(self) -> np.ndarray:
        """Return the duration of each utterance in seconds [shape=(n_items,)]."""
        return np.array([len(y) for y in self.ys]) / SAMPLE_RATE


def find_corpus(path: str | os.PathLike) -> Corpus:
    """List the utterances below a folder in one of the layouts that are known.

    Hidden files and folders, VCTK's second microphone, and a second copy of a recording under the same name
    (``SA1.WAV.wav`` beside ``SA1.WAV``) are left out. Another layout is a ValueError: it is not clear who speaks.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(
            f"{root} does not exist; `python -m audiostyle fetch vctk` or `fetch librispeech` downloads a corpus"
        )
    if not root.is_dir():
        raise ValueError(f"{root} is a file; a folder with one folder for each speaker is needed")
    files = _sound_files(root)
    for layout, pattern in _LAYOUTS:
        anywhere = f"{root.resolve().name}/" if layout != "folders" else ""
        found = {file: re.fullmatch(pattern, anywhere + name, re.IGNORECASE) for file, name in files.items()}
        # Beside the first microphone VCTK has the second, and people keep copies at other rates.
        if any(found.values()) and (layout == "vctk" or all(found.values())):
            return Corpus(root.resolve().name, layout, _by_speaker(found))
    others = [name for file, name in files.items() if not found[file]]
    what = f"who speaks in {others[0]} is not clear" if others else "there are no sound files in folders"
    raise ValueError(f"{root} holds no corpus in a layout that is known: {what}. Known are {KNOWN_LAYOUTS}")


def _sound_files(root: Path) -> dict[Path, str]:
    """Return the sound files below the folders of a corpus, each with its path from there."""
    files, broken = {}, []
    for folder, folders, names in os.walk(root, followlinks=True):
        circles = {folder.resolve() for folder in (Path(folder), *Path(folder).resolve().parents)}
        visible = (name for name in folders if not name.startswith((".", "__MACOSX")))
        folders[:] = sorted(name for name in visible if Path(folder, name).resolve() not in circles)
        for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            if file.suffix.lower() in SOUND_SUFFIXES and Path(folder) != root:
                files[file] = file.relative_to(root).as_posix()
            elif file.is_symlink() and not file.exists():
                broken.append(file)
    if broken:
        listed = ", ".join(map(str, broken))
        warnings.warn(f"{root}: left out {len(broken)} links that lead nowhere: {listed}", stacklevel=3)
    return files


def _by_speaker(found: dict[Path, re.Match | None]) -> dict[str, tuple[Utterance, ...]]:
    owned: dict[str, dict[Path, Path]] = {}
    for file, match in found.items():
        if match:
            owned.setdefault(match["speaker"], {}).setdefault(_without_suffixes(file), file)
    return {
        speaker: tuple(
            Utterance(speaker, file, _text_of(stem.name, speaker))
            for stem, file in sorted(owned[speaker].items(), key=lambda own: (own[1].name, own[1]))
        )
        for speaker in sorted(owned)
    }


def _without_suffixes(file: Path) -> Path:
    while file.suffix.lower() in SOUND_SUFFIXES:
        file = file.with_suffix("")
    return file


def _text_of(stem: str, speaker: str) -> str | None:
    """Return the sentence that a file name tells, None where it tells none.

    VCTK numbers its sentences, ARCTIC and TIMIT name them, the digits carry the digit; LibriSpeech repeats none.
    """
    if match := _VCTK_NAME.match(stem):
        return match[1]
    if (match := _DIGIT_NAME.match(stem)) and match[2] == speaker:
        return match[1]
    return None if speaker in stem else stem


def load_recordings(
    corpus: Corpus | str | os.PathLike,
    *,
    speakers: Sequence[str] | int | None = None,
    per_speaker: int | None = None,
) -> Recordings:
    """Read utterances (`read_utterance`); arguments, errors and warnings are those of `collect`."""
    part = {"speakers": speakers, "per_speaker": per_speaker}
    items, ys = collect(corpus, lambda items: map(read_utterance, items), **part)
    return Recordings(items.name, tuple(ys), items.speakers, items.texts, items.paths, items.skipped)


def collect(
    corpus: Corpus | str | os.PathLike,
    compute: Callable,
    *,
    speakers: Sequence[str] | int | None = None,
    per_speaker: int | None = None,
) -> tuple[Recordings, list]:
    """Compute something of the first utterances of each speaker that can be read; others are skipped and named.

    Parameters
    ----------
    compute : callable
        From a list of `Utterance` to as many values, None where one cannot be read.
    speakers : sequence of str, int or None
        Their names, or the number of speakers to take from the first on; None takes all.
    per_speaker : int >= 2 or None
        Utterances of each speaker, the first ones by file name; None takes all.

    Returns
    -------
    items, values : Recordings, list
        What was kept, without waveforms, and what was computed of each.
    """
    corpus = corpus if isinstance(corpus, Corpus) else find_corpus(corpus)
    chosen = choose_speakers(corpus, speakers, per_speaker)
    waiting = {speaker: list(corpus.utterances[speaker]) for speaker in chosen}
    kept: dict[str, list[tuple[Utterance, object]]] = {speaker: [] for speaker in chosen}
    skipped: list[Path] = []
    while batch := _next(waiting, kept, per_speaker):
        for item, value in zip(batch, compute(batch), strict=True):
            if value is None:
                skipped.append(item.path)
            else:
                kept[item.speaker].append((item, value))
    if skipped:
        listed = ", ".join(map(str, skipped))
        warnings.warn(
            f"{corpus.name}: skipped {len(skipped)} files that are silent or cannot be read: {listed}",
            stacklevel=3,
        )
    _check_counts(corpus.name, {speaker: len(kept[speaker]) for speaker in chosen}, per_speaker)
    items = [item for speaker in chosen for item, _ in kept[speaker]]
    names, texts, files = zip(*((item.speaker, item.text, item.path) for item in items), strict=True)
    about = Recordings(corpus.name, (), np.array(names), texts, files, tuple(skipped))
    return about, [value for speaker in chosen for _, value in kept[speaker]]


def _next(waiting: dict[str, list], kept: dict[str, list], per_speaker: int | None) -> list[Utterance]:
    """Take from those that wait as many as each speaker lacks."""
    batch = []
    for speaker, items in waiting.items():
        n = len(items) if per_speaker is None else per_speaker - len(kept[speaker])
        batch += items[:n]
        del items[:n]
    return batch


def choose_speakers(
    corpus: Corpus, speakers: Sequence[str] | int | None = None, per_speaker: int | None = None
) -> tuple[str, ...]:
    """Return the names of the speakers to take; arguments and errors are those of `collect`."""
    if isinstance(speakers, str):
        raise TypeError(f"speakers={speakers!r} must be a list of names or a number of speakers")
    if per_speaker is not None and per_speaker < 2:
        raise ValueError(
            f"per_speaker={per_speaker} is not allowed; training and test need one utterance each"
        )
    if isinstance(speakers, int):
        if not 2 <= speakers <= len(corpus.speakers):
            raise ValueError(
                f"speakers={speakers}: {corpus.name} has {len(corpus.speakers)}; 2 or more are needed"
            )
        speakers = corpus.speakers[:speakers]
    chosen = tuple(sorted(set(corpus.speakers if speakers is None else speakers)))
    if unknown := sorted(set(chosen) - set(corpus.speakers)):
        raise ValueError(
            f"{corpus.name} has no speaker {', '.join(unknown)}; it has {', '.join(corpus.speakers)}"
        )
    if len(chosen) < 2:
        raise ValueError(f"two or more speakers are needed; {corpus.name} has {', '.join(chosen) or 'none'}")
    _check_counts(corpus.name, {speaker: len(corpus.utterances[speaker]) for speaker in chosen}, per_speaker)
    return chosen


def _check_counts(name: str, counts: dict[str, int], per_speaker: int | None) -> None:
    needed = per_speaker or 2
    if min(counts.values()) < needed:
        listed = ", ".join(f"{speaker}: {count}" for speaker, count in counts.items())
        raise ValueError(f"{name}: every speaker needs {needed} or more utterances, and there are {listed}")


def read_utterance(item: Utterance) -> np.ndarray | None:
    """Read an utterance at 16 kHz, its channels mixed, at a root mean square of 0.05; None without any sound."""
    try:
        y, _ = load_audio(item.path, sr=SAMPLE_RATE, mono=False)
        return set_level(mid_signal(y), name=str(item.path))
    except (ValueError, OSError):
        return None
