"""Several processes at once."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import librosa
import numpy as np
from filelock import FileLock
from joblib import Parallel
from joblib.externals.loky import get_reusable_executor

_COMPILED_ON_IMPORT = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch", "librosa.beat")


@contextmanager
def processes(n_jobs: int, **options: object) -> Iterator[Parallel]:
    """Give joblib's processes, which end with the block.

    joblib keeps them for the next call; one that came as they ended for want of work waited for ever.

    Parameters
    ----------
    n_jobs : int
        As for `joblib.Parallel`, which gets the options too.

    Yields
    ------
    joblib.Parallel
    """
    if n_jobs != 1:
        compile_librosa()
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
    # Where anybody can write; a file of one user cannot be opened by another.
    own = str(os.getuid()) if hasattr(os, "getuid") else ""
    with FileLock(Path(tempfile.gettempdir()) / f"audiostyle-librosa-{own}.lock"):
        for module in _COMPILED_ON_IMPORT:
            import_module(module)
        # Compiled when called, for each type anew. The others are called with one type, and cannot be confused.
        for dtype in (np.float32, np.float64):
            librosa.istft(librosa.stft(np.zeros(4096, dtype)))
