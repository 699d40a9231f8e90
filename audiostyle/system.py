"""The machine: files written whole, checksums, several processes, and numba's cache.

Nothing heavy is imported with it: `audiostyle` calls `find_cache` before anything else.
"""

import hashlib
import importlib.util
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

# Begins the names of files that are being written; so many seconds without a change, and a kill has left one.
_TEMPORARY = ".audiostyle-"
_ABANDONED = 3600
# Bytes of a file name, at most, on the usual file systems.
NAME_BYTES = 255
_COMPILED_ON_IMPORT = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch", "librosa.beat")


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its name on success and is removed on failure.

    The file has the permissions of the one it replaces, else those that the umask gives new files. Temporaries that
    a killed process left in that folder are removed once they are an hour old.
    """
    path = Path(path)
    _refuse_irregular(path)
    for left in path.parent.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):  # another user's, or another process is cleaning up as well
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()
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


def check_target(path: str | os.PathLike) -> Path:
    """Make sure, before the work, that a file can be written under this name; a ValueError says why not."""
    path = Path(path)
    if "\0" in str(path) or len(os.fsencode(path.name)) > NAME_BYTES:
        raise ValueError(
            f"{str(path)[:60]!r}… is not a name that a file can have: at most {NAME_BYTES} bytes"
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    _refuse_irregular(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: {path.parent} is not a folder to write in")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"{path} cannot be written: no permission in {path.parent.resolve()}")
    return path


def _refuse_irregular(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} cannot be written: it is not a regular file")


def sha256(path: str | os.PathLike) -> str:
    """Return the sha256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def processes(n_jobs: int, **options: object) -> Iterator:
    """Yield a `joblib.Parallel` of so many processes and options; they end with the block.

    joblib keeps them for the next call; one that came as they ended for want of work waited for ever.
    """
    from joblib import Parallel
    from joblib.externals.loky import get_reusable_executor

    try:
        yield Parallel(n_jobs=n_jobs, **options)
    finally:
        if n_jobs != 1:
            get_reusable_executor().shutdown(wait=True)


def compile_librosa() -> None:
    """Have librosa's functions compiled, which takes half a minute the first time and two seconds after it.

    numba keeps what it compiles on disk. Two processes that fill that cache at once can leave one function's code
    under the name of another, and every process that loads it from then on crashes. So before processes start side by
    side, one compiles, while all others wait.
    """
    import librosa
    import numpy as np
    from filelock import FileLock

    # Where anybody can write; a file of one user cannot be opened by another.
    with FileLock(Path(tempfile.gettempdir()) / f"audiostyle-librosa-{_user()}.lock"):
        for module in _COMPILED_ON_IMPORT:
            import_module(module)
        # Compiled when called, for each type anew. The others are called with one type, and cannot be confused.
        for dtype in (np.float32, np.float64):
            librosa.istft(librosa.stft(np.zeros(4096, dtype)))


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else ""


def find_cache() -> None:
    """Give numba a temporary folder for what it compiles where it finds none, as in a container without a home.

    numba writes beside librosa's modules or into the user's cache; where neither can be written, importing librosa
    fails.
    """
    librosa = importlib.util.find_spec("librosa")
    if "NUMBA_CACHE_DIR" in os.environ or librosa is None or os.name != "posix":
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    for place in (Path(librosa.origin).parent / "core" / "__pycache__", home / "numba"):
        if os.access(next(path for path in (place, *place.parents) if path.exists()), os.W_OK | os.X_OK):
            return
    folder = Path(tempfile.gettempdir()) / f"audiostyle-numba-{_user()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        folder = Path(tempfile.mkdtemp(prefix="audiostyle-numba-"))  # what lies in it is run
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


@contextmanager
def single_precision() -> Iterator[None]:
    """Have torch make numbers of 32 bits, whatever default its user has set for others."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def free_memory(device: str = "cpu") -> int:
    """Return the bytes of memory that are free on a device; of one that does not tell, those of this machine."""
    import psutil
    import torch

    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
