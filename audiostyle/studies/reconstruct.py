"""Every way from magnitudes to a waveform, by name."""

import numpy as np

from audiostyle.phase.griffin_lim import FAST_MOMENTUM, griffin_lim
from audiostyle.studies.local_weights import local_weights

METHODS = ("griffin_lim", "fast_griffin_lim", "local_weights", "initial")


def reconstruct_phase(
    S: np.ndarray, *, method: str = "griffin_lim", **options
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Turn magnitudes into a waveform by any of the methods of this module.

    Parameters
    ----------
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Magnitudes with n_fft = 2 (n_bins - 1).
    method : {"griffin_lim", "fast_griffin_lim", "local_weights", "initial"}
        `griffin_lim` without and with momentum 0.99, `local_weights`, or the initial phase as it is.
    **options
        Of the method: ``init``, ``n_iter``, ``hop_length``, ``seed``, ``length``, ``return_convergence``,
        ``device``. With ``init`` "random", "zero", "pghi" or a phase array such as `phase_of` the content.

    Returns
    -------
    y, convergence
        As for `griffin_lim`.

    Raises
    ------
    ValueError
        If the method is unknown, or as `griffin_lim`.

    Notebook: 01_spectrogram_and_phase.ipynb

    Examples
    --------
    >>> reconstruct_phase(np.ones((5, 4)), method="initial", init="zero", hop_length=2).shape
    (6,)
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not allowed; it must be one of {', '.join(METHODS)}")
    if method == "local_weights":
        return local_weights(S, **options)
    if method == "fast_griffin_lim":
        return griffin_lim(S, momentum=FAST_MOMENTUM, **options)
    if method == "initial":
        options["n_iter"] = 0
    return griffin_lim(S, **options)
