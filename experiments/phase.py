"""From magnitudes to sound, every way: Griffin-Lim, local weights, phase-gradient integration; notebook 01.

``python -m experiments.phase`` writes ``results/paper/bench_phase.csv``: Griffin-Lim against ``librosa.griffinlim``
from the same start, in decibels at equal iterations and in seconds; every other method; the polish in seconds. At hop
n/2 (the paper's), n/4 and n/8, on speech, music and a transferred spectrogram.
"""

import argparse
import heapq
import math
import time
from functools import partial

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from audiostyle.config import check_positive
from audiostyle.datasets import clips
from audiostyle.figures.charts import LINE_COLOURS, MARKERS
from audiostyle.phase.griffin_lim import (
    FAST_MOMENTUM,
    griffin_lim,
    phase_of,
    spectral_convergence,
    target_and_phase,
)
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import istft, n_samples_for, stft
from audiostyle.transfer import make_sound, optimise
from experiments.presets import GRAM
from experiments.results import Results
from experiments.speed import interleaved, summary

# The Gaussian closest to a Hann window of n_fft samples has the time-frequency ratio _HANN · n_fft² (the table of
# windows of Průša, Balazs & Søndergaard 2017).
_HANN = 0.25645
_LEAST = 1e-30
# Overlapping windows from which on local weights leave out a bin's own term.
_DENSE = 4
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
HOPS = (1024, 512, 256)


def phase_gradient(S: np.ndarray, hop_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the phase steps along time and frequency that a Gaussian window would give these magnitudes.

    For a Gaussian window the phase's partial derivatives are derivatives of the log magnitude (Průša, Balazs &
    Søndergaard 2017, "A noniterative method for reconstruction of phase from STFT magnitude"). In radians from one
    frame, and from one bin, to the next [shape=(n_bins, n_frames), dtype=float64], with the phase counted from the
    start of each window as `audiostyle.spectrogram.stft` does.

    Examples
    --------
    >>> along_time, _ = phase_gradient(np.ones((5, 3)), hop_length=2)
    >>> (along_time[:, 0] / np.pi).tolist()  # a constant spectrogram: each bin turns at its own frequency
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    n_bins, n_frames = S.shape
    n_fft = 2 * (n_bins - 1)
    ratio = _HANN * n_fft**2
    log_S = np.log(np.maximum(S, _LEAST * max(float(S.max()), _LEAST)).astype(np.float64))
    by_frame = np.gradient(log_S, axis=1) if n_frames > 1 else np.zeros_like(log_S)
    along_time = hop_length * n_fft / ratio * np.gradient(log_S, axis=0)
    along_time += 2 * np.pi * hop_length / n_fft * np.arange(n_bins)[:, None]
    # Counted from the window's start instead of its centre, neighbouring bins differ by half a turn more.
    return along_time, -ratio / (hop_length * n_fft) * by_frame - np.pi


def phase_gradient_heap(S: np.ndarray, hop_length: int, *, seed: int = 0, floor: float = 1e-6) -> np.ndarray:
    """Integrate the phase gradient from the loudest bins outward: a phase in radians without iterating.

    Every connected loud region starts at zero; bins below `floor` of the largest magnitude get a random phase. Exact
    for dense sampling; hop n_fft / 2 is far from that.
    """
    n_bins, n_frames = S.shape
    along_time, along_frequency = (g.ravel().tolist() for g in phase_gradient(S, hop_length))
    loud = (floor * float(S.max()) < S).ravel()
    pending = loud.tolist()
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, S.size)
    phase[loud] = 0.0
    phase = phase.tolist()
    # Plain lists and flat indices: the loop runs once for every bin, and NumPy scalars would triple its time.
    level = (-S.astype(np.float64)).ravel().tolist()
    for start in np.argsort(level, kind="stable").tolist():
        if not pending[start]:
            continue
        pending[start] = False
        heap = [(level[start], start)]
        while heap:
            _, here = heapq.heappop(heap)
            frame = here % n_frames
            neighbours = []
            if frame + 1 < n_frames:
                neighbours.append((here + 1, along_time, 0.5))
            if frame > 0:
                neighbours.append((here - 1, along_time, -0.5))
            if here + n_frames < n_bins * n_frames:
                neighbours.append((here + n_frames, along_frequency, 0.5))
            if here >= n_frames:
                neighbours.append((here - n_frames, along_frequency, -0.5))
            for there, gradient, half in neighbours:
                if pending[there]:
                    phase[there] = phase[here] + half * (gradient[here] + gradient[there])
                    pending[there] = False
                    heapq.heappush(heap, (level[there], there))
    return np.array(phase).reshape(n_bins, n_frames)


def consistency_weights(n_fft: int, hop_length: int, width: int, like: torch.Tensor) -> torch.Tensor:
    """Compute the weights ``A_q[p] = (1/n_fft) Σ_l w[l] s[l − q hop] exp(−2πi p l / n_fft)`` of local consistency.

    A complex spectrogram H is that of a signal when it equals STFT(ISTFT(H)). Every bin of that projection is a
    weighted sum over neighbours, ``Σ_q Σ_p A_q[p] H[m − p, n + q] exp(−2πi (m − p) q hop / n_fft)``, whose weights
    decay quickly in frequency: a few of them stand for two Fourier transforms (Le Roux, Kameoka, Ono & Sagayama 2010,
    the paper's reference [14]). w is the Hann window and s the synthesis window, w over the sum of squares of its
    shifts; `like` gives device and precision. Rows q = 1 − n_fft / hop_length, ..., columns p = −width, ..., width.
    """
    if n_fft % hop_length:
        raise ValueError(f"hop_length={hop_length} must divide n_fft={n_fft} for local weights")
    w = torch.hann_window(n_fft, dtype=torch.float64, device=like.device)
    overlap = n_fft // hop_length
    synthesis = w / w.square().reshape(overlap, hop_length).sum(0).repeat(overlap)
    columns = torch.arange(-width, width + 1, device=w.device)
    rows = []
    for q in range(1 - overlap, overlap):
        keep = torch.arange(n_fft, device=w.device) - q * hop_length
        inside = (keep >= 0) & (keep < n_fft)
        product = torch.where(inside, w * torch.roll(synthesis, q * hop_length), torch.zeros_like(w))
        rows.append((torch.fft.fft(product) / n_fft)[columns % n_fft])
    return torch.stack(rows).to(torch.complex64 if like.dtype == torch.float32 else torch.complex128)


def weighted_neighbours(
    H: torch.Tensor, weights: torch.Tensor, hop_length: int, *, with_centre: bool = False
) -> torch.Tensor:
    """Apply the truncated projection to a spectrogram [shape=(n_bins, n_frames), complex].

    With all terms (``width = n_fft // 2``) the STFT of the inverse STFT, except in the outer frames, which lack
    neighbours. Without its own term (`with_centre`) a bin follows its neighbours alone.
    """
    n_bins, n_frames = H.shape
    n_fft = 2 * (n_bins - 1)
    reach, width = weights.shape[0] // 2, weights.shape[1] // 2
    # Bins beyond zero and the Nyquist frequency are those of a real signal: conjugates mirrored.
    whole = torch.cat([H, H[1:-1].flip(0).conj()])
    bins = torch.arange(-width, n_bins + width, device=H.device)
    extended = torch.nn.functional.pad(whole[bins % n_fft], (reach, reach))
    total = torch.zeros_like(H)
    for row in range(2 * reach + 1):
        q = row - reach
        angle = ((bins * q * hop_length) % n_fft).double() * (-2 * torch.pi / n_fft)
        turn = torch.polar(torch.ones_like(angle), angle).to(H.dtype)
        frames = extended[:, row : row + n_frames] * turn[:, None]
        # At p = ±n_fft / 2 both ends are the same bin: count it once.
        for column in range(2 * width + (0 if 2 * width == n_fft else 1)):
            p = column - width
            if with_centre or p != 0 or q != 0:
                total += weights[row, column] * frames[width - p : width - p + n_bins]
    return total


def local_weights(
    S: np.ndarray,
    *,
    n_iter: int = 200,
    hop_length: int = 1024,
    width: int = 2,
    init: str | np.ndarray = "random",
    seed: int = 0,
    length: int | None = None,
    return_convergence: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Reconstruct a waveform from magnitudes by truncated local weights; arguments and results as of `griffin_lim`.

    Every iteration gives each bin the phase of the weighted sum of its neighbours, `width` on each side in frequency,
    which approximates the projection of Griffin-Lim. All bins are updated at once; the authors' faster variants visit
    loud bins more often. A bin's own term is left out from four overlapping windows on, which lets the phase move
    further in each iteration (some 2 dB after 50); with two it is half of the whole, and without it the iteration does
    not settle (-7 dB against -21 dB on speech).
    """
    check_positive(hop_length=hop_length)
    length = n_samples_for(S.shape[1], hop_length) if length is None else length
    target, unit = target_and_phase(S, init, seed, "cpu")
    n_fft = 2 * (target.shape[0] - 1)
    weights = consistency_weights(n_fft, hop_length, width, target)
    with_centre = n_fft < _DENSE * hop_length
    convergence = []
    for i in range(n_iter + 1):
        if return_convergence:
            y = istft(target * unit, hop_length=hop_length, length=length)
            convergence.append(spectral_convergence(target, y, hop_length=hop_length))
        if i < n_iter:
            unit = torch.sgn(weighted_neighbours(target * unit, weights, hop_length, with_centre=with_centre))
    y = istft(target * unit, hop_length=hop_length, length=length).numpy()
    return (y, np.array(convergence)) if return_convergence else y


def reconstruct_phase(
    S: np.ndarray, *, method: str = "griffin_lim", init="random", hop_length=1024, **options
):
    """Turn magnitudes into a waveform by ``"griffin_lim"``, ``"fast_griffin_lim"`` (momentum) or ``"local_weights"``.

    `init` is "random", "zero", "pghi" (`phase_gradient_heap`) or a phase array; all else as of `griffin_lim`.
    """
    if isinstance(init, str) and init == "pghi":
        init = phase_gradient_heap(np.asarray(S), hop_length, seed=options.get("seed", 0))
    if method == "local_weights":
        return local_weights(S, init=init, hop_length=hop_length, **options)
    momentum = FAST_MOMENTUM if method == "fast_griffin_lim" else 0.0
    return griffin_lim(S, momentum=momentum, init=init, hop_length=hop_length, **options)


def convergence_curves(
    S: np.ndarray, *, hop_length: int, length: int, n_iter: int, content_phase: np.ndarray | None = None
) -> pd.DataFrame:
    """Reconstruct a phase by each of `CURVES`, local weights below a quarter of a window apart (ten times the time).

    S are magnitudes [shape=(n_bins, n_frames)]; `content_phase` in radians [same shape] is one more start, for
    magnitudes that were transferred. Returns ``method, iteration, seconds, spectral_convergence_db``; seconds are those
    of the start and then of ten iterations that do not measure, continued.
    """
    starts = {"random": ("random", 0.0), "zero": ("zero", 0.0), "content": (content_phase, 0.0)}
    seconds, phase = _timed(lambda: phase_gradient_heap(S, hop_length))
    starts["pghi"] = (phase, seconds)
    tables = []
    for name in methods_at(S, hop_length, content_phase):
        method, init = CURVES[name]
        phase, waited = starts[init]
        run = partial(reconstruct_phase, S, method=method, init=phase, hop_length=hop_length, length=length)
        few = min(n_iter, 10)
        inverse, (some, _) = _timed(partial(run, n_iter=0))[0], _timed(partial(run, n_iter=few))
        _, curve = run(n_iter=n_iter, return_convergence=True)
        row = {"method": name, "iteration": np.arange(n_iter + 1), "spectral_convergence_db": curve}
        row["seconds"] = waited + inverse + np.arange(n_iter + 1) * max(some - inverse, 0.0) / few
        tables.append(pd.DataFrame(row))
    return pd.concat(tables, ignore_index=True)


def methods_at(S: np.ndarray, hop_length: int, content_phase: np.ndarray | None) -> list[str]:
    """Name those of `CURVES` that are possible and worth their time."""
    dense = 4 * hop_length < 2 * (len(S) - 1)
    return [
        name
        for name, (_, init) in CURVES.items()
        if not (dense and name == LOCAL) and (init != "content" or content_phase is not None)
    ]


def study(
    sounds: dict[str, np.ndarray], transferred: np.ndarray, content: np.ndarray, *, n_iter: int
) -> pd.DataFrame:
    """Return `convergence_curves` with ``signal`` and ``hop``: of sounds at every hop, of a transfer at the first.

    `sounds` are waveforms by name, `transferred` magnitudes that were optimised [shape=(n_bins, n_frames)], `content`
    the waveform of that transfer's content, whose phase is one more start.
    """
    tables = []
    for signal, y in sounds.items():
        for hop in HOPS:
            S = stft(y, hop_length=hop).abs().numpy()
            made = convergence_curves(S, hop_length=hop, length=len(y), n_iter=n_iter)
            tables.append(made.assign(signal=signal, hop=hop))
    options = {"hop_length": HOPS[0], "length": len(content), "n_iter": n_iter}
    made = convergence_curves(transferred, content_phase=phase_of(content), **options)
    tables.insert(len(HOPS), made.assign(signal="transferred", hop=HOPS[0]))
    return pd.concat(tables, ignore_index=True)


def at_iteration(curves: pd.DataFrame, iteration: int) -> pd.DataFrame:
    """Return decibels and seconds of a `study` at one iteration, by signal and method, columns for each hop."""
    at = curves[curves["iteration"] == iteration]
    columns = {"spectral_convergence_db": "dB", "seconds": "s"}
    table = at.pivot_table(index=["signal", "method"], columns="hop", values=list(columns), sort=False)
    table.columns = [f"{columns[value]} at hop {hop}" for value, hop in table.columns]
    return table.sort_index(axis=1, key=lambda names: [(-int(n.split()[-1]), n[0] != "d") for n in names])


def _timed(function) -> tuple[float, object]:
    started = time.perf_counter()
    found = function()
    return time.perf_counter() - started, found


def show_phase_study(curves: pd.DataFrame, *, x: str = "iteration", title: str = "") -> Figure:
    """Draw a `study` against ``"iteration"`` or ``"seconds"``, a panel for each signal and hop."""
    panels = list(curves.groupby(["signal", "hop"], sort=False))
    rows = math.ceil((len(panels) + 1) / 4)
    fig, axes = plt.subplots(rows, 4, figsize=(13, 2.9 * rows), sharey=True, layout="constrained")
    names = list(curves["method"].unique())
    for ax, ((signal, hop), panel) in zip(axes.flat, panels, strict=False):
        for name, line in panel.groupby("method", sort=False):
            i = names.index(name)
            look = {"color": LINE_COLOURS[i], "marker": MARKERS[i], "ms": 4, "label": name}
            ax.plot(line[x], line["spectral_convergence_db"], markevery=max(1, len(line) // 8), **look)
        ax.set_title(f"{signal}, hop {hop}", fontsize=10)
        ax.set_xscale("log" if x == "seconds" else "linear")
        ax.grid(alpha=0.3)
    handles = {h.get_label(): h for ax in axes.flat for h in ax.get_lines()}
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    axes.flat[-1].legend(handles=[handles[name] for name in names], loc="center", fontsize=8)
    fig.supxlabel("seconds" if x == "seconds" else "iteration", fontsize=10)
    fig.supylabel("spectral convergence (dB)", fontsize=10)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def main(argv: list[str] | None = None) -> None:
    """Measure at 50 iterations and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edition", choices=clips.EDITIONS, default=clips.current_edition())
    edition = parser.parse_args(argv).edition
    torch.set_num_threads(1)
    pairs = {"speech": "speech-2", "music": "instrument-1"}
    audio = {kind: clips.load_pair(clips.get_pair(name, edition)) for kind, name in pairs.items()}
    content = {kind: set_level(clip.content) for kind, clip in audio.items()}
    optimum = optimise(audio["music"].content, audio["music"].style, GRAM)
    curves = study(content, optimum.S, content["music"], n_iter=50)
    last = curves[curves["iteration"] == 50].assign(benchmark="methods")
    rows, options = [], {"n_iter": 50, "length": len(content["speech"])}
    for hop in HOPS:
        S = stft(content["speech"], hop_length=hop).abs().numpy()
        functions = {}
        for momentum in (0.0, FAST_MOMENTUM):
            own = {"momentum": momentum, "hop_length": hop} | options
            functions[f"audiostyle, momentum {momentum:g}"] = partial(griffin_lim, S, init="zero", **own)
            theirs = partial(librosa.griffinlim, S, n_fft=2048, init=None, **own)
            functions[f"librosa, momentum {momentum:g}"] = theirs
        seconds = interleaved(functions, 3)
        for name, function in functions.items():
            fit = spectral_convergence(S, function(), hop_length=hop)
            row = {"signal": "speech", "benchmark": "against librosa", "method": name, "hop": hop}
            rows.append(row | {"spectral_convergence_db": fit} | summary(seconds[name]))
    seconds = interleaved({"polish": partial(make_sound, optimum, content["music"], GRAM)}, 3)
    rows.append({"signal": "transferred", "benchmark": "polish", "hop": 1024} | summary(seconds["polish"]))
    table = pd.concat([last.rename(columns={"seconds": "median_s"}), pd.DataFrame(rows)], ignore_index=True)
    Results("paper").save_table(table.assign(edition=edition, n_iter=50), "bench_phase")


if __name__ == "__main__":
    main()
