"""Collections of speech sorted by speaker: VCTK 0.80 and 0.92, LibriSpeech, and any ``<speaker>/<file>`` folder.

Order is part of the definition of an experiment: speakers are sorted as strings, utterances by file name, and
"the first n" always means in that order.
"""

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiostyle.sound.audio import load_audio, set_level

SAMPLE_RATE = 16000  # of every comparison of speakers: the lowest rate of the usual corpora
SOUND_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus", ".m4a"}

_VCTK_FOLDERS = ("wav48_silence_trimmed", "wav48")
_VCTK_NAME = re.compile(r"^[ps]\d+_(\d+)(?:_mic\d)?$")
_DIGIT_NAME = re.compile(r"^(\d)_(.+)_\d+$")
_CHAPTER_NAME = re.compile(r"^\d+-\d+-\d+$")


@dataclass(frozen=True)
class Utterance:
    """One recording of a corpus.

    Parameters
    ----------
    speaker : str
        Who speaks.
    path : pathlib.Path
        The sound file.
    text : str or None
        Name of the sentence, equal for two recordings of the same sentence; None where file names do not tell.
    """

    speaker: str
    path: Path
    text: str | None = None


@dataclass(frozen=True)
class Corpus:
    """The utterances of a folder, listed but not read.

    Parameters
    ----------
    name : str
        Name of the folder.
    layout : {"vctk", "librispeech", "folders"}
        How the folder is organised.
    utterances : dict
        Speaker, sorted as a string, to a tuple of `Utterance`, sorted by file name.
    """

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


@dataclass(frozen=True)
class Recordings:
    """Utterances that were read, all at 16 kHz and at the same level.

    Every method is scored on the same `Recordings`.

    Parameters
    ----------
    name : str
        Name of the corpus.
    ys : tuple of np.ndarray [shape=(n_samples,), dtype=float32]
        Waveforms, speaker after speaker.
    speakers : np.ndarray [shape=(n_items,)] of str
        Who speaks in each.
    texts : tuple of str or None
        Sentence of each, where known.
    paths : tuple of pathlib.Path
        File of each.
    skipped : tuple of pathlib.Path
        Files that could not be read or are silent.
    """

    name: str
    ys: tuple[np.ndarray, ...]
    speakers: np.ndarray
    texts: tuple[str | None, ...]
    paths: tuple[Path, ...]
    skipped: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.ys)

    def seconds(self) -> np.ndarray:
        """Return the duration of each utterance in seconds [shape=(n_items,)]."""
        return self.n_samples / SAMPLE_RATE

    @property
    def n_samples(self) -> np.ndarray:
        """Length of each utterance at 16 kHz [shape=(n_items,)]."""
        return np.array([len(y) for y in self.ys])


def find_corpus(path: str | os.PathLike) -> Corpus:
    """List the utterances below a folder, whatever its layout.

    Recognised are VCTK 0.80 (``wav48/p225/*.wav``), VCTK 0.92 (``wav48_silence_trimmed/p225/*_mic1.flac``; the
    second microphone is left out), LibriSpeech (``<speaker>/<chapter>/*.flac``, also one or two folders further
    down) and ``<speaker>/<file>``. A link in place of a speaker that leads nowhere is left out with a warning.

    Parameters
    ----------
    path : str or path
        The corpus, or the folder of its speakers.

    Returns
    -------
    Corpus

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it is no folder or holds no sound in a known layout.

    Notebook: 08_vctk_speakers.ipynb
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(
            f"{root} does not exist; `python -m audiostyle fetch vctk` or `fetch librispeech` downloads a corpus"
        )
    if not root.is_dir():
        raise ValueError(f"{root} is a file; a folder with one folder for each speaker is needed")
    name = root.resolve().name
    for layout, top in _layouts(root):
        utterances = _list_speakers(top, layout)
        if utterances:
            _warn_of_broken_links(top)
            return Corpus(name, layout, utterances)
    raise ValueError(
        f"{root} holds no corpus: sound files are looked for in <speaker>/<file>, <speaker>/<chapter>/<file>, "
        f"{' or '.join(f'{folder}/<speaker>/<file>' for folder in _VCTK_FOLDERS)}"
    )


def _warn_of_broken_links(top: Path) -> None:
    broken = sorted(str(f) for f in top.iterdir() if f.is_symlink() and not f.exists())
    if broken:
        warnings.warn(
            f"{top}: left out {len(broken)} links that lead nowhere: {', '.join(broken)}", stacklevel=3
        )


def _layouts(root: Path) -> Iterator[tuple[str, Path]]:
    for folder in _VCTK_FOLDERS:
        if root.name == folder:
            yield "vctk", root
        for below in (root / folder, root / "VCTK-Corpus-0.92" / folder, root / "VCTK-Corpus" / folder):
            if below.is_dir():
                yield "vctk", below
    yield "folders", root
    yield "librispeech", root
    for below in (root / "LibriSpeech", root):
        if below.is_dir():
            yield from (("librispeech", subset) for subset in sorted(below.iterdir()) if subset.is_dir())


def _list_speakers(top: Path, layout: str) -> dict[str, tuple[Utterance, ...]]:
    pattern = "*/*" if layout == "librispeech" else "*"
    found = {}
    for folder in sorted((f for f in top.iterdir() if f.is_dir()), key=lambda f: f.name):
        files = (f for f in folder.glob(pattern) if f.suffix.lower() in SOUND_SUFFIXES)
        files = sorted((f for f in files if not _is_left_out(f, layout)), key=lambda f: f.name)
        if files:
            found[folder.name] = tuple(Utterance(folder.name, f, _text_of(f, folder.name)) for f in files)
    return found


def _is_left_out(path: Path, layout: str) -> bool:
    return path.name.startswith(".") or (layout == "vctk" and path.stem.endswith("_mic2"))


def _text_of(path: Path, speaker: str) -> str | None:
    """Return the sentence that a file name tells, None where it tells none.

    VCTK numbers its sentences (001 to 024 are the same text for nearly every speaker), ARCTIC names them, the
    digits carry the digit. In LibriSpeech no sentence is read twice.
    """
    stem = path.stem
    if match := _VCTK_NAME.match(stem):
        return match[1]
    if (match := _DIGIT_NAME.match(stem)) and match[2] == speaker:
        return match[1]
    if _CHAPTER_NAME.match(stem) or speaker in stem:
        return None
    return stem


def load_recordings(
    corpus: Corpus | str | os.PathLike,
    *,
    speakers: Sequence[str] | int | None = None,
    per_speaker: int | None = None,
) -> Recordings:
    """Read utterances at 16 kHz and bring each to a root mean square of 0.05.

    A file that cannot be read, holds no sound or is silent, and a link that leads nowhere, is skipped with a warning
    that names it, and the next one of that speaker takes its place.

    Parameters
    ----------
    corpus : Corpus or path
        The corpus, or its folder.
    speakers : sequence of str, int or None
        Their names, or the number of speakers to take from the first on; None takes all.
    per_speaker : int >= 2 or None
        Utterances of each speaker, the first ones by file name; None takes all.

    Returns
    -------
    Recordings

    Raises
    ------
    ValueError
        If a speaker is unknown, fewer than two are left, or one has fewer than `per_speaker` (or two) utterances
        that can be read; the message lists the counts.
    """
    corpus, chosen = choose_part(corpus, speakers=speakers, per_speaker=per_speaker)
    kept: list[tuple[Utterance, np.ndarray]] = []
    skipped: list[Path] = []
    for speaker in chosen:
        kept += _read_first(corpus.utterances[speaker], per_speaker, skipped)
    warn_skipped(corpus.name, skipped)
    owners = [item.speaker for item, _ in kept]
    check_counts(corpus.name, chosen, owners, per_speaker)
    return Recordings(
        corpus.name,
        tuple(y for _, y in kept),
        np.array(owners),
        tuple(item.text for item, _ in kept),
        tuple(item.path for item, _ in kept),
        tuple(skipped),
    )


def choose_part(
    corpus: Corpus | str | os.PathLike,
    *,
    speakers: Sequence[str] | int | None = None,
    per_speaker: int | None = None,
) -> tuple[Corpus, tuple[str, ...]]:
    """Return a corpus and the names of the speakers to take; arguments and errors are those of `load_recordings`."""
    if not isinstance(corpus, Corpus):
        corpus = find_corpus(corpus)
    if per_speaker is not None and per_speaker < 2:
        raise ValueError(
            f"per_speaker={per_speaker} is not allowed; training and test need one utterance each"
        )
    chosen = _choose_speakers(corpus, speakers)
    owners = [item.speaker for speaker in chosen for item in corpus.utterances[speaker]]
    check_counts(corpus.name, chosen, owners, per_speaker)
    return corpus, chosen


def check_counts(name: str, chosen: Sequence[str], owners: Sequence[str], per_speaker: int | None) -> None:
    """Raise a ValueError that lists the counts unless each speaker has enough utterances.

    Parameters
    ----------
    name : str
        Of the corpus.
    chosen : sequence of str
        The speakers.
    owners : sequence of str
        The speaker of each utterance.
    per_speaker : int or None
        Utterances that each needs; None means two.
    """
    counts, needed = Counter(owners), per_speaker or 2
    if any(counts[speaker] < needed for speaker in chosen):
        listed = ", ".join(f"{speaker}: {counts[speaker]}" for speaker in chosen)
        raise ValueError(f"{name}: every speaker needs {needed} or more utterances, and there are {listed}")


def _choose_speakers(corpus: Corpus, speakers: Sequence[str] | int | None) -> tuple[str, ...]:
    if speakers is None:
        chosen = corpus.speakers
    elif isinstance(speakers, int):
        if not 2 <= speakers <= len(corpus.speakers):
            raise ValueError(
                f"speakers={speakers}: {corpus.name} has {len(corpus.speakers)}; 2 or more are needed"
            )
        chosen = corpus.speakers[:speakers]
    else:
        if isinstance(speakers, str):
            raise TypeError(f"speakers={speakers!r} must be a list of names or a number of speakers")
        unknown = sorted(set(speakers) - set(corpus.speakers))
        if unknown:
            raise ValueError(
                f"{corpus.name} has no speaker {', '.join(unknown)}; it has {', '.join(corpus.speakers)}"
            )
        chosen = tuple(sorted(set(speakers)))
    if len(chosen) < 2:
        raise ValueError(
            f"two or more speakers are needed; {corpus.name} gives {', '.join(chosen) or 'none'}"
        )
    return chosen


def _read_first(
    items: Sequence[Utterance], wanted: int | None, skipped: list[Path]
) -> list[tuple[Utterance, np.ndarray]]:
    kept: list[tuple[Utterance, np.ndarray]] = []
    for item in items:
        if len(kept) == wanted:
            break
        y = read_utterance(item)
        if y is None:
            skipped.append(item.path)
        else:
            kept.append((item, y))
    return kept


def read_utterance(item: Utterance) -> np.ndarray | None:
    """Read an utterance at 16 kHz and bring it to a root mean square of 0.05.

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32] or None
        None where the file cannot be read, holds no sound or is silent, or a link leads nowhere: whoever asks names
        it in a warning.
    """
    try:
        y, _ = load_audio(item.path, sr=SAMPLE_RATE)
        return set_level(y, name=str(item.path))
    except (ValueError, OSError):
        return None


def warn_skipped(name: str, skipped: Sequence[Path], *, stacklevel: int = 2) -> None:
    """Name the files of a corpus that were skipped in a warning, if there are any."""
    if skipped:
        warnings.warn(
            f"{name}: skipped {len(skipped)} files that are silent or cannot be read: "
            + ", ".join(str(path) for path in skipped),
            stacklevel=stacklevel + 1,
        )
