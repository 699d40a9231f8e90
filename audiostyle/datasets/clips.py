"""Registry of clips and pairs: where they come from, whether they are whole, and how to get them.

``bundled/registry.csv`` lists every clip with its licence, attribution and sha256, ``bundled/pairs.csv`` the six
pairs in both editions: *bundled* (rendered, part of the package) and *recorded* (real recordings, fetched on request).
"""

import os
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pooch
import requests
from pandas.api.types import is_numeric_dtype

from audiostyle.datasets import paths
from audiostyle.sound.read import load_audio
from audiostyle.system import sha256

EDITIONS = ("bundled", "recorded")
_TIMEOUT = 60  # seconds without a byte
_NAMED = 3  # recordings that a message names


# One row of the registry: a file, its usable part in seconds, and whose it is. `path` is relative to the registry
# (bundled) or to the folder of recordings; `required` is "pair" where one of the six pairs needs it, else "extra".
Clip = namedtuple(
    "Clip", "clip edition title genre path url start_s duration_s sha256 licence attribution required"
)
# One content/style pair: names of clips, and where in each the cut begins, in seconds. `target_clip` is the content
# played by the style's instrument, or empty; `figure` is the one of the paper that the pair stands for.
Pair = namedtuple(
    "Pair",
    "pair edition title genre content_clip content_start_s style_clip style_start_s target_clip target_start_s "
    "notebook figure",
)


@dataclass(frozen=True)
class PairAudio:
    """The waveforms of a pair [shape=(n_samples,), dtype=float32] at `sr` Hz.

    The target is the content as the style's instrument plays it, None where that is not known.
    """

    content: np.ndarray
    style: np.ndarray
    target: np.ndarray | None
    sr: int


def _rows(name: str, kind: type) -> list:
    """Read a table of the registry; an empty text is empty, an empty number 0."""
    table = pd.read_csv(paths.registry_dir() / name)[list(kind._fields)]
    table = table.fillna({column: 0.0 if is_numeric_dtype(table[column]) else "" for column in table})
    return [kind(*row) for row in table.itertuples(index=False)]


@cache
def _registry() -> dict[str, Clip]:
    return {row.clip: row for row in _rows("registry.csv", Clip)}


@cache
def _pairs() -> tuple[Pair, ...]:
    return tuple(_rows("pairs.csv", Pair))


def clips(edition: str | None = None) -> list[Clip]:
    """Return the clips of an edition, or all."""
    return [clip for clip in _registry().values() if edition in (None, clip.edition)]


def get_clip(name: str) -> Clip:
    """Return a clip by name."""
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
    """Return a pair by name."""
    found = {pair.pair: pair for pair in pairs(edition)}
    if name not in found:
        raise ValueError(f"pair={name!r} does not exist; there are {', '.join(found)}")
    return found[name]


def locate(clip: Clip) -> Path:
    """Return where the file of a clip lies, or would lie once fetched: recordings in the mirror before others."""
    if clip.edition == "bundled":
        return paths.registry_dir() / clip.path
    mirror = paths.mirror_dir()
    if mirror is not None and (mirror / clip.path).is_file():
        return mirror / clip.path
    return paths.data_dir() / clip.path


def load_clip(
    name: str, *, sr: int = 22050, start: float | None = None, duration: float | None = None
) -> tuple[np.ndarray, int]:
    """Read a clip of the registry, as `audiostyle.load_audio`; a cut of None, in seconds, is the registry's."""
    clip = get_clip(name)
    path = locate(clip)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; run: python -m audiostyle fetch clips")
    start = clip.start_s if start is None else start
    return load_audio(path, sr=sr, start=start, duration=clip.duration_s if duration is None else duration)


def load_pair(pair: Pair, *, duration: float = 10.0, sr: int = 22050) -> PairAudio:
    """Read both clips of a pair, and its target where there is one, `duration` seconds of each."""
    cuts = (
        (pair.content_clip, pair.content_start_s),
        (pair.style_clip, pair.style_start_s),
        (pair.target_clip, pair.target_start_s),
    )
    ys = (load_clip(clip, sr=sr, start=start, duration=duration)[0] if clip else None for clip, start in cuts)
    return PairAudio(*ys, sr)


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


def fetch_clips(
    to: str | os.PathLike | None = None, *, recorded: list[Clip] | None = None, progress: bool = True
) -> list[Path]:
    """Download recordings, by default those of the pairs, that are not whole in a folder, in the mirror or here.

    Returns the files. A RuntimeError names the first that could not be fetched and the reason, and says what to do.
    """
    recorded = clips("recorded") if recorded is None else recorded
    folder = Path(to) if to is not None else paths.data_dir()
    registry = pooch.create(
        path=folder,
        base_url="",
        registry={clip.path: clip.sha256 for clip in recorded},
        urls={clip.path: clip.url for clip in recorded},
        retry_if_failed=1,
    )
    fetched: list[Path] = []
    failed: dict[str, str] = {}
    for clip in recorded:
        present = locate(clip)
        if to is None and present.is_file() and sha256(present) == clip.sha256:
            fetched.append(present)
        elif unreachable(clip.url) in failed.values():  # a server that did not answer is not waited for again
            failed[clip.clip] = unreachable(clip.url)
        else:
            try:
                fetched.append(Path(registry.fetch(clip.path, downloader=downloader(progress))))
            except (requests.ConnectionError, requests.Timeout):
                failed[clip.clip] = unreachable(clip.url)
            except (OSError, ValueError) as error:  # requests' other errors are OSErrors
                failed[clip.clip] = str(error)
    if failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise RuntimeError(
            f"{len(failed)} of {len(recorded)} recordings could not be fetched "
            f"({', '.join(list(failed)[:_NAMED])}{more}): {next(iter(failed.values()))}. Run the same command again, "
            f"or set AUDIOSTYLE_MIRROR to a folder that holds the files"
        )
    return fetched


def downloader(progress: bool = True) -> Callable[..., None]:
    """Return what pooch downloads with: the files get the permissions that the umask gives, not the owner's alone."""
    receive = pooch.HTTPDownloader(progressbar=progress, timeout=_TIMEOUT)

    def download(url: str, temporary: str, registry: object) -> None:
        os.unlink(temporary)  # of a mode that only its owner reads; opened again it is a new file
        receive(url, temporary, registry)

    return download


def unreachable(url: str) -> str:
    """Return a sentence for a server that does not answer."""
    return (
        f"{urlsplit(url).hostname} cannot be reached: the network is not there, or the server does not answer"
    )
