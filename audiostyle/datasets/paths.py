"""Where things lie, and the environment variables that move them.

In a checkout everything lies in the repository, from wherever it is called; an installed package writes results into
the working directory, and keeps downloads and what can be computed again in the user's cache. A relative value of an
environment variable is relative to the repository, because notebooks run with their own folder as the working
directory, or to the working directory where there is none.
"""

import os
from importlib import resources
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parents[1]


def checkout() -> Path | None:
    """Return the repository that holds this package, or None where it is installed without one."""
    parent = _PACKAGE.parent
    return parent if (parent / "pyproject.toml").is_file() else None


def root() -> Path:
    """Return the repository root, or raise a FileNotFoundError where the package is installed without one."""
    found = checkout()
    if found is None:
        raise FileNotFoundError(f"{_PACKAGE} lies in no checkout of audiostyle; run this from one")
    return found


def registry_dir() -> Path:
    """Return the folder of the registry and of the bundled sounds, which come with the package."""
    return Path(str(resources.files("audiostyle") / "datasets" / "bundled"))


def data_dir() -> Path:
    """Return the folder of downloads: ``AUDIOSTYLE_DATA_DIR``, ``data/recorded`` of a checkout, or the user's cache."""
    repository = checkout()
    default = repository / "data" / "recorded" if repository else _user_cache() / "recorded"
    return _existing("AUDIOSTYLE_DATA_DIR") or default


def mirror_dir() -> Path | None:
    """Return the folder of already downloaded recordings, ``AUDIOSTYLE_MIRROR``, or None when unset."""
    return _existing("AUDIOSTYLE_MIRROR")


def results_root() -> Path:
    """Return the folder of results: ``AUDIOSTYLE_RESULTS_DIR``, else ``results`` of a checkout or here."""
    return _existing("AUDIOSTYLE_RESULTS_DIR") or _here() / "results"


def cache_dir() -> Path:
    """Return the folder of what can be computed again: among the results of a checkout, or the user's cache."""
    return results_root() / "cache" if checkout() else _user_cache() / "computed"


def _here() -> Path:
    return checkout() or Path.cwd()


def _user_cache() -> Path:
    return platformdirs.user_cache_path("audiostyle", appauthor=False)


def _existing(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    folder = (_here() / Path(value).expanduser()).resolve()
    if not folder.is_dir():
        raise ValueError(f"{variable}={os.environ[variable]!r} names no folder: {folder} does not exist")
    return folder
