"""Listening tests: the sounds of 21 published experiments, and how different people found them.

334 sounds and 21 matrices of mean ratings, collected by the repository timbremetrics from musical-timbre-studies
(Thoret, Caramiaux, Depalle & McAdams 2021) and timbre-dissimilarity-metrics (Hayes). It names no licence: the files
are fetched, not part of this repository. ``bundled/listening.csv`` has the sha256 of each.
"""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd

from audiostyle.datasets import paths
from audiostyle.datasets.clips import Clip, fetch_clips, locate
from audiostyle.sound.read import load_audio

COMMIT = "c611b3a6a41872e5037a9e14099d15a70407c124"
_URL = f"https://raw.githubusercontent.com/tiianhk/timbremetrics/{COMMIT}/timbremetrics/"
_TITLE = dict.fromkeys(("title", "genre", "licence", "attribution", "required"), "")


class ListeningTest(NamedTuple):
    """Sounds [each of shape=(n_samples,)] at `sr` Hz and their dissimilarities [shape=(n, n), symmetric, 0 to 1]."""

    name: str
    sounds: list[np.ndarray]
    sr: int
    dissimilarity: np.ndarray


def files() -> list[Clip]:
    """Return the 355 files, which lie in ``listening/`` of the mirror or of the downloads."""
    table = pd.read_csv(paths.registry_dir() / "listening.csv")
    fixed = _TITLE | {"edition": "listening", "start_s": 0.0, "duration_s": 0.0}
    return [
        Clip(clip=path, path=f"listening/{path}", url=_URL + quote(path), sha256=sha256, **fixed)
        for path, sha256 in table[["path", "sha256"]].itertuples(index=False)
    ]


def fetch_listening(to: str | os.PathLike | None = None, *, progress: bool = True) -> list[Path]:
    """Download the files that are not whole; arguments, result and errors are those of `fetch_clips`."""
    return fetch_clips(to, recorded=files(), progress=progress)


def scaled(distances: np.ndarray) -> np.ndarray:
    """Scale what stands above the diagonal to 0 to 1, the zeros below it included, and make it symmetric."""
    upper = np.triu(distances, 1)
    upper = (upper - upper.min()) / (upper.max() - upper.min())
    return upper + upper.T


def load_tests() -> list[ListeningTest]:
    """Read all tests, by name. A FileNotFoundError names the command that fetches them."""
    found = {file.clip: locate(file) for file in files()}
    missing = next((path for path in found.values() if not path.is_file()), None)
    if missing is not None:
        raise FileNotFoundError(f"{missing} does not exist; run: python -m audiostyle fetch listening")
    tests = []
    for ratings in sorted(name for name in found if name.startswith("true_dissim/")):
        name = Path(ratings).name.removesuffix("_dissimilarity_matrix.txt")
        read = [load_audio(found[file], sr=None) for file in sorted(found) if f"/{name}/" in file]
        apart = scaled(np.loadtxt(found[ratings]))
        tests.append(ListeningTest(name, [y for y, _ in read], read[0][1], apart))
    return tests
