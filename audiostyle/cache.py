"""One cache of arrays that can be computed again: a ``.npz`` file for each set of settings, and nothing pickled."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from audiostyle import __version__
from audiostyle.system import whole_file

# Raise it whenever code computes other numbers than before: whatever was stored is then computed again.
VERSION = 4


def cache_key(name: str, **settings: object) -> str:
    """Return 32 hexadecimal digits that change with the settings (of JSON, or dataclasses) and the version.

    Examples
    --------
    >>> cache_key("loss", balance=0.5) == cache_key("loss", balance=0.6)
    False
    """
    text = json.dumps([VERSION, __version__, name, settings], sort_keys=True, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_arrays(file: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of a file, or None where it is absent or damaged."""
    try:
        with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as stored:
            return dict(stored)
    # numpy evaluates headers and allocates what they announce, so that a damaged file raises nearly anything.
    except Exception:
        return None


def write_arrays(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays into a file, whole or not at all, and make its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as temporary, open(temporary, "wb") as opened:
        np.savez(opened, **arrays)


def cached(
    compute: Callable[[], dict[str, np.ndarray]], folder: str | os.PathLike | None, name: str, **settings
) -> dict[str, np.ndarray]:
    """Return arrays that were computed before with the same settings, or compute and keep them.

    They are kept in a folder, under the `cache_key` of name and settings; without a folder nothing is kept.
    """
    if folder is None:
        return compute()
    file = Path(folder) / f"{cache_key(name, **settings)}.npz"
    arrays = read_arrays(file)
    if arrays is None:
        arrays = compute()
        write_arrays(file, arrays)
    return arrays
