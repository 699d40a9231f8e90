"""Several processes at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from joblib import Parallel
from joblib.externals.loky import get_reusable_executor


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
    try:
        yield Parallel(n_jobs=n_jobs, **options)
    finally:
        if n_jobs != 1:
            get_reusable_executor().shutdown(wait=True)
