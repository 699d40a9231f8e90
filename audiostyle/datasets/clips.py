"""Registry of clips and pairs: where they come from, whether they are whole, and how to get them.

``bundled/registry.csv`` lists every clip with its licence, attribution and sha256, ``bundled/pairs.csv`` the six
pairs in both editions: *bundled* (rendered, part of the package) and *recorded* (real recordings, fetched on request).
"""

import os
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pooch
import requests

from audiostyle.datasets import paths
from audiostyle.sound.audio import load_audio
from audiostyle.sound.files import sha256, whole_file

EDITIONS = ("bundled", "recorded")
MAX_MEGABYTES = 100  # of one recording; the largest of the registry is far smaller
_TIMEOUT = 60  # seconds without a byte
_NAMED = 3  # recordings that a message names


@dataclass(frozen=True)
class Clip:
    """One row of the registry.

    Parameters
    ----------
    clip : str
        Name.
    edition : {"bundled", "recorded"}
        Rendered and part of the package, or a real recording.
    title, genre, licence, attribution : str
        What it is and whose.
    path : str
        File, relative to the registry (bundled) or to the folder of recordings (recorded).
    url : str
        Source; empty for bundled clips.
    start_s, duration_s : float
        Usable part in seconds.
    sha256 : str
        Checksum of the file.
    required : {"pair", "extra"}
        Whether one of the six pairs needs it.
    """

    clip: str
    edition: str
    title: str
    genre: str
    path: str
    url: str
    start_s: float
    duration_s: float
    sha256: str
    licence: str
    attribution: str
    required: str


@dataclass(frozen=True)
class Pair:
    """One content/style pair.

    Parameters
    ----------
    pair : str
        Name, such as ``"instrument-1"``.
    edition : {"bundled", "recorded"}
    title, genre : str
        What goes into what.
    content_clip, style_clip, target_clip : str
        Names in the registry; `target_clip` is the content played by the style's instrument, or empty.
    content_start_s, style_start_s, target_start_s : float
        Where the cut begins, in seconds.
    notebook : str
        Notebook that shows it.
    figure : int
        Figure of the paper it stands for.
    """

    pair: str
    edition: str
    title: str
    genre: str
    content_clip: str
    content_start_s: float
    style_clip: str
    style_start_s: float
    target_clip: str
    target_start_s: float
    notebook: str
    figure: int


@dataclass(frozen=True)
class PairAudio:
    """The waveforms of a pair.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,), dtype=float32]
        Cuts of equal duration.
    target : np.ndarray [shape=(n_samples,)] or None
        The content as the style's instrument plays it, where that is known.
    sr : int
        Sample rate in Hz.
    """

    content: np.ndarray
    style: np.ndarray
    target: np.ndarray | None
    sr: int


def _rows(file: Path, kind: type) -> list:
    table = pd.read_csv(file, keep_default_na=False)
    types = {f.name: f.type for f in fields(kind)}
    return [
        kind(
            **{
                name: types[name](value or 0) if types[name] is not str else value
                for name, value in row.items()
            }
        )
        for row in table.to_dict("records")
    ]


@cache
def _registry() -> dict[str, Clip]:
    return {row.clip: row for row in _rows(paths.registry_dir() / "registry.csv", Clip)}


@cache
def _pairs() -> tuple[Pair, ...]:
    return tuple(_rows(paths.registry_dir() / "pairs.csv", Pair))


def clips(edition: str | None = None) -> list[Clip]:
    """Return the clips of an edition, or all."""
    return [clip for clip in _registry().values() if edition in (None, clip.edition)]


def get_clip(name: str) -> Clip:
    """Return a clip by name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in _registry():
        raise ValueError(f"clip={name!r} is not in the registry; there are {', '.join(_registry())}")
    return _registry()[name]


def pairs(edition: str | None = None) -> list[Pair]:
    """Return the six pairs of an edition, by default of the one in use (`current_edition`)."""
    edition = edition or current_edition()
    if edition not in EDITIONS:
        raise ValueError(f"edition={edition!r} is not allowed; it must be one of {', '.join(EDITIONS)}")
    return [pair for pair in _pairs() if pair.edition == edition]


def get_pair(name: str, edition: str | None = None) -> Pair:
    """Return a pair by name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    found = {pair.pair: pair for pair in pairs(edition)}
    if name not in found:
        raise ValueError(f"pair={name!r} does not exist; there are {', '.join(found)}")
    return found[name]


def locate(clip: Clip) -> Path:
    """Return where the file of a clip lies, or would lie once fetched.

    Recordings are looked for in ``AUDIOSTYLE_MIRROR``, then in the folder of downloads.
    """
    if clip.edition == "bundled":
        return paths.registry_dir() / clip.path
    mirror = paths.mirror_dir()
    if mirror is not None and (mirror / clip.path).is_file():
        return mirror / clip.path
    return paths.data_dir() / clip.path


def load_clip(name: str, *, sr: int = 22050, start: float | None = None, duration: float | None = None):
    """Read a clip of the registry.

    Parameters
    ----------
    name : str
        Name in the registry.
    sr : int
        Sample rate in Hz.
    start, duration : float or None
        Cut in seconds; None takes the registry's.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
    sr : int

    Raises
    ------
    FileNotFoundError
        If the recording has not been fetched.
    """
    clip = get_clip(name)
    path = locate(clip)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; fetch the recordings with: python -m audiostyle fetch clips"
        )
    start = clip.start_s if start is None else start
    return load_audio(path, sr=sr, start=start, duration=clip.duration_s if duration is None else duration)


def load_pair(pair: Pair, *, duration: float = 10.0, sr: int = 22050) -> PairAudio:
    """Read both clips of a pair, and its target where there is one.

    Parameters
    ----------
    pair : Pair
    duration : float > 0
        Seconds of each cut.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    PairAudio
    """

    def cut(clip: str, start: float) -> np.ndarray:
        return load_clip(clip, sr=sr, start=start, duration=duration)[0]

    target = cut(pair.target_clip, pair.target_start_s) if pair.target_clip else None
    return PairAudio(
        cut(pair.content_clip, pair.content_start_s), cut(pair.style_clip, pair.style_start_s), target, sr
    )


def made_of(pair: Pair, duration: float) -> dict:
    """Return what identifies the sound of a pair's content and style: checksums of the files and the cuts."""
    return {
        "content": [get_clip(pair.content_clip).sha256, pair.content_start_s],
        "style": [get_clip(pair.style_clip).sha256, pair.style_start_s],
        "duration": duration,
    }


def current_edition() -> str:
    """Return ``"recorded"`` if every recording the pairs need is present, else ``"bundled"``."""
    needed = [clip for clip in clips("recorded") if clip.required == "pair"]
    return "recorded" if all(locate(clip).is_file() for clip in needed) else "bundled"


def fetch_clips(to: str | os.PathLike | None = None, *, progress: bool = True) -> list[Path]:
    """Download the recordings of the registry, each checked against its sha256.

    Files that are present and whole, in the mirror or in `to`, are left alone. A download that fails, is cut
    short, goes on for more than 100 MB or has another checksum leaves no file.

    Parameters
    ----------
    to : path or None
        Folder; None takes `audiostyle.datasets.paths.data_dir`.
    progress : bool
        Show a progress bar for each download.

    Returns
    -------
    list of pathlib.Path
        The file of every recording.

    Raises
    ------
    RuntimeError
        If some could not be fetched; the message names the first of them with the reason and says what to do.
    """
    fetched: list[Path] = []
    failed: dict[str, str] = {}
    silent: set[str | None] = set()  # servers that did not answer, not to be waited for again
    for clip in clips("recorded"):
        present = Path(to) / clip.path if to is not None else locate(clip)
        if present.is_file() and sha256(present) == clip.sha256:
            fetched.append(present)
            continue
        target = (Path(to) if to is not None else paths.data_dir()) / clip.path
        try:
            if urlsplit(clip.url).hostname in silent:
                raise requests.ConnectionError
            _download(clip, target, progress)
            fetched.append(target)
        except (requests.ConnectionError, requests.Timeout):
            silent.add(urlsplit(clip.url).hostname)
            failed[clip.clip] = unreachable(clip.url)
        # requests' other errors are OSErrors.
        except (OSError, ValueError) as error:
            failed[clip.clip] = str(error)
    if failed:
        reason = next(iter(failed.values()))
        names = ", ".join(list(failed)[:_NAMED]) + (
            f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        )
        raise RuntimeError(
            f"{len(failed)} of {len(clips('recorded'))} recordings could not be fetched ({names}): {reason}. Run the "
            f"same command again, or set AUDIOSTYLE_MIRROR to a folder that holds the files"
        )
    return fetched


def _download(clip: Clip, target: Path, progress: bool) -> None:
    """Download a recording, whole and with the registry's checksum or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as temporary:
        with open(temporary, "wb") as file:
            receive = pooch.HTTPDownloader(progressbar=progress, timeout=_TIMEOUT)
            receive(clip.url, _Limited(file, MAX_MEGABYTES * 1_000_000, clip.url), None)
        if (found := sha256(temporary)) != clip.sha256:
            raise ValueError(f"{clip.url} has another checksum: sha256 {found}, not {clip.sha256}")


class _Limited:
    """A file that takes only so many bytes: a server may send without end."""

    def __init__(self, file: BinaryIO, most_bytes: int, name: str) -> None:
        self._file, self._left, self._most, self._name = file, most_bytes, most_bytes, name

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"{self._name} is longer than {self._most} bytes, more than any recording has")
        self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def unreachable(url: str) -> str:
    """Return a sentence for a server that does not answer.

    Examples
    --------
    >>> unreachable("https://openslr.org/resources/12/test-clean.tar.gz")
    'openslr.org cannot be reached: the network is not there, or the server does not answer'
    """
    return (
        f"{urlsplit(url).hostname} cannot be reached: the network is not there, or the server does not answer"
    )
