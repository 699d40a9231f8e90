"""Directories of the repository and the environment variables that move them.

This is the only module that knows where things lie. A relative value in an environment variable is relative
to the repository root, because notebooks run with their own folder as the working directory.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    return (ROOT / Path(value).expanduser()).resolve()


def root() -> Path:
    """Return the repository root."""
    return ROOT


def registry_dir() -> Path:
    """Return the folder of the registry and of the bundled clips, ``data/`` in the repository."""
    return ROOT / "data"


def notebooks_dir() -> Path:
    """Return the folder of the notebooks."""
    return ROOT / "notebooks"


def data_dir() -> Path:
    """Return the folder for downloaded recordings: ``AUDIOSTYLE_DATA_DIR``, else ``data/recorded``.

    Raises
    ------
    ValueError
        If ``AUDIOSTYLE_DATA_DIR`` is set and names something that is not a folder.
    """
    return _existing("AUDIOSTYLE_DATA_DIR") or ROOT / "data" / "recorded"


def mirror_dir() -> Path | None:
    """Return the folder of already downloaded recordings, ``AUDIOSTYLE_MIRROR``, or None when unset.

    Raises
    ------
    ValueError
        If ``AUDIOSTYLE_MIRROR`` is set and names something that is not a folder.
    """
    return _existing("AUDIOSTYLE_MIRROR")


def results_root() -> Path:
    """Return the folder of results: ``AUDIOSTYLE_RESULTS_DIR``, else ``results``.

    Raises
    ------
    ValueError
        If ``AUDIOSTYLE_RESULTS_DIR`` is set and names something that is not a folder.
    """
    return _existing("AUDIOSTYLE_RESULTS_DIR") or ROOT / "results"


def cache_dir() -> Path:
    """Return the folder for intermediate numbers that can be computed again, ``results/cache``."""
    return results_root() / "cache"


def _existing(variable: str) -> Path | None:
    folder = _from_environment(variable)
    if folder is not None and not folder.is_dir():
        raise ValueError(f"{variable}={os.environ[variable]!r} names no folder: {folder} does not exist")
    return folder
