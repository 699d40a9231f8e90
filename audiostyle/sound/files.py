"""Files: written whole or not at all, and their checksums."""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Begins the names of files that are being written; so many seconds without a change, and a kill has left one.
_TEMPORARY = ".audiostyle-"
_ABANDONED = 3600


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its name on success and is removed on failure.

    The file has the permissions of the one it replaces, else those that the umask gives new files. Temporaries that
    a killed process left in that folder are removed once they are an hour old.

    Parameters
    ----------
    path : str or path
        The file to write whole or not at all.

    Raises
    ------
    ValueError
        If the path names something that is no regular file, such as a device.
    OSError
        If the folder does not exist or cannot be written.
    """
    path = Path(path)
    refuse_irregular(path)
    _remove_abandoned(path.parent)
    # A short name, whatever the length of the file's own; numpy appends a suffix that is not there.
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}{path.suffix[:20]}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_irregular(path: Path) -> None:
    """Raise a ValueError where a path names a pipe, a device or a folder."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} cannot be written: it is no regular file; nothing is replaced but files")


def _remove_abandoned(folder: Path) -> None:
    for left in folder.glob(f"{_TEMPORARY}*"):
        with suppress(FileNotFoundError):  # another process may be cleaning up as well
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def sha256(path: str | os.PathLike) -> str:
    """Return the sha256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
