"""Phase reconstruction compared: spectral convergence against iterations and against seconds."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from audiostyle.phase.griffin_lim import phase_of
from audiostyle.phase.pghi import phase_gradient_heap
from audiostyle.spectrogram import stft
from audiostyle.studies.reconstruct import reconstruct_phase

LOCAL = "local weights, random"
# Method and start of each line; "content" is a phase handed in.
CURVES = {
    "Griffin-Lim, random": ("griffin_lim", "random"),
    "Griffin-Lim, zero": ("griffin_lim", "zero"),
    "Griffin-Lim, PGHI": ("griffin_lim", "pghi"),
    "fast Griffin-Lim, random": ("fast_griffin_lim", "random"),
    "fast Griffin-Lim, PGHI": ("fast_griffin_lim", "pghi"),
    LOCAL: ("local_weights", "random"),
    "fast Griffin-Lim, content's phase": ("fast_griffin_lim", "content"),
}


def convergence_curves(
    S: np.ndarray,
    *,
    hop_length: int,
    length: int,
    n_iter: int,
    content_phase: np.ndarray | None = None,
    leave_out: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Reconstruct a phase by each of `CURVES`.

    Parameters
    ----------
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Magnitudes.
    hop_length : int > 0
        Samples between frames.
    length : int
        Samples of the sound.
    n_iter : int > 0
        Iterations of every method.
    content_phase : np.ndarray [shape=(n_bins, n_frames)] or None
        Phase of the content in radians, for magnitudes that were transferred; None leaves that method out.
    leave_out : tuple of str
        Methods to leave out.

    Returns
    -------
    pd.DataFrame
        ``method, iteration, seconds, spectral_convergence_db``. Seconds are those of the start and then of ten
        iterations that do not measure, continued.

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    options = {"hop_length": hop_length, "length": length}
    starts = {"random": ("random", 0.0), "zero": ("zero", 0.0), "content": (content_phase, 0.0)}
    seconds, phase = _timed(lambda: phase_gradient_heap(S, hop_length))
    starts["pghi"] = (phase, seconds)
    tables = []
    for name, (method, init) in CURVES.items():
        phase, waited = starts[init]
        if phase is None or name in leave_out:
            continue
        run = partial(reconstruct_phase, S, method=method, init=phase, **options)
        few = min(n_iter, 10)
        inverse, (some, _) = _timed(partial(run, n_iter=0))[0], _timed(partial(run, n_iter=few))
        _, curve = run(n_iter=n_iter, return_convergence=True)
        row = {"method": name, "iteration": np.arange(n_iter + 1), "spectral_convergence_db": curve}
        row["seconds"] = waited + inverse + np.arange(n_iter + 1) * max(some - inverse, 0.0) / few
        tables.append(pd.DataFrame(row))
    return pd.concat(tables, ignore_index=True)


def left_out(n_fft: int, hop_length: int) -> tuple[str, ...]:
    """Return methods not worth their time: local weights below a quarter of a window, ten times Griffin-Lim's."""
    return (LOCAL,) if 4 * hop_length < n_fft else ()


def study(
    sounds: dict[str, np.ndarray],
    transferred: np.ndarray,
    content: np.ndarray,
    *,
    n_iter: int,
    hops: tuple[int, ...] = (1024, 512, 256),
) -> pd.DataFrame:
    """Compare the methods on sounds at several hops, and on the magnitudes of a transfer at the first hop.

    Parameters
    ----------
    sounds : dict of str to np.ndarray [shape=(n_samples,)]
        Name and waveform.
    transferred : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Magnitudes that were optimised.
    content : np.ndarray [shape=(n_samples,)]
        The content of that transfer, whose phase is one more start.
    n_iter : int > 0
        Iterations of every method.
    hops : tuple of int
        Hops of the sounds; see `left_out`.

    Returns
    -------
    pd.DataFrame
        As `convergence_curves`, with ``signal`` and ``hop``.

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    tables = []
    for signal, y in sounds.items():
        for hop in hops:
            S = stft(y, hop_length=hop).abs().numpy()
            skip = left_out(2 * (len(S) - 1), hop)
            curves = convergence_curves(S, hop_length=hop, length=len(y), n_iter=n_iter, leave_out=skip)
            tables.append(curves.assign(signal=signal, hop=hop))
    curves = convergence_curves(
        transferred,
        hop_length=hops[0],
        length=len(content),
        n_iter=n_iter,
        content_phase=phase_of(content, hop_length=hops[0]),
    )
    tables.insert(len(hops), curves.assign(signal="transferred", hop=hops[0]))
    return pd.concat(tables, ignore_index=True)


def at_iteration(curves: pd.DataFrame, iteration: int) -> pd.DataFrame:
    """Return decibels and seconds at one iteration, a row for each signal and method, a column for each hop.

    `curves` are those of `convergence_curves` with columns ``signal`` and ``hop``.
    """
    at = curves[curves["iteration"] == iteration]
    columns = {"spectral_convergence_db": "dB", "seconds": "s"}
    table = at.pivot_table(index=["signal", "method"], columns="hop", values=list(columns), sort=False)
    table.columns = [f"{columns[value]} at hop {hop}" for value, hop in table.columns]
    return table.sort_index(axis=1, key=lambda names: [(-int(n.split()[-1]), n[0] != "d") for n in names])


def _timed(function: Callable) -> tuple[float, object]:
    started = time.perf_counter()
    found = function()
    return time.perf_counter() - started, found
