"""From magnitudes to sound, every way: Griffin-Lim, local weights, phase-gradient integration.

``python -m experiments.phase`` writes ``phase_study.csv`` and its figure into ``results/paper/recorded``: decibels and
seconds after 60 iterations, at hop n/2 (the paper's) and n/8, on speech, music and a transferred spectrogram.
"""

import heapq
import time
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

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
from audiostyle.spectrogram import istft, magnitudes, n_samples_for
from audiostyle.transfer import optimise
from experiments.presets import GRAM
from experiments.results import Results

# The Gaussian closest to a Hann window of n_fft samples has the time-frequency ratio _HANN · n_fft² (the table of
# windows of Průša, Balazs & Søndergaard 2017).
_HANN = 0.25645
_LEAST = 1e-30
LOCAL = "local weights, random"
# Method and start of each line; "content" is a phase handed in.
CURVES = {
    "Griffin-Lim, random": ("griffin_lim", "random"),
    "fast Griffin-Lim, random": ("fast_griffin_lim", "random"),
    "fast Griffin-Lim, PGHI": ("fast_griffin_lim", "pghi"),
    LOCAL: ("local_weights", "random"),
    "fast Griffin-Lim, content's phase": ("fast_griffin_lim", "content"),
}
HOPS = (1024, 256)


def phase_gradient(S: np.ndarray, hop_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the phase steps along time and frequency that a Gaussian window would give these magnitudes.

    There the phase's partial derivatives are derivatives of the log magnitude (Průša, Balazs & Søndergaard 2017, "A
    noniterative method for reconstruction of phase from STFT magnitude"). In radians from one frame, and from one bin,
    to the next [shape=(n_bins, n_frames)], with the phase counted from the start of each window as `stft` does.
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
    loud = floor * S.max() < S
    random = np.random.default_rng(seed).uniform(0, 2 * np.pi, S.shape)
    # The loop runs once for every bin: plain lists, flat indices, and a quiet border instead of a test for the edge.
    n_across = S.shape[1] + 2
    pending, phase, level, along_time, along_frequency = (
        np.pad(values, 1).ravel().tolist()
        for values in (
            loud,
            np.where(loud, 0.0, random),
            -S.astype(np.float64),
            *phase_gradient(S, hop_length),
        )
    )
    for start in np.argsort(level, kind="stable").tolist():
        if not pending[start]:
            continue
        pending[start] = False
        heap = [(level[start], start)]
        while heap:
            _, here = heapq.heappop(heap)
            for there, gradient, half in (
                (here + 1, along_time, 0.5),
                (here - 1, along_time, -0.5),
                (here + n_across, along_frequency, 0.5),
                (here - n_across, along_frequency, -0.5),
            ):
                if pending[there]:
                    phase[there] = phase[here] + half * (gradient[here] + gradient[there])
                    pending[there] = False
                    heapq.heappush(heap, (level[there], there))
    return np.array(phase).reshape(-1, n_across)[1:-1, 1:-1]


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
        product = w * torch.roll(synthesis, q * hop_length) * ((keep >= 0) & (keep < n_fft))
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
    S, *, n_iter=200, hop_length=1024, width=2, init="random", seed=0, length=None, return_convergence=False
):
    """Reconstruct a waveform from magnitudes by truncated local weights; arguments and results as of `griffin_lim`.

    Every iteration gives each bin the phase of the weighted sum of its neighbours, `width` on each side in frequency.
    All are updated at once; the authors' faster variants visit loud bins more often.
    """
    length = n_samples_for(S.shape[1], hop_length) if length is None else length
    target, unit = target_and_phase(S, init, seed, "cpu")
    n_fft = 2 * (target.shape[0] - 1)
    weights = consistency_weights(n_fft, hop_length, width, target)
    # Without a bin's own term the phase moves further in each iteration (some 2 dB after 50). With two overlapping
    # windows that term is half of the whole, and without it the iteration does not settle (-7 dB against -21 dB).
    with_centre = n_fft < 4 * hop_length
    convergence = []
    for i in range(n_iter + 1):
        if return_convergence or i == n_iter:
            y = istft(target * unit, hop_length=hop_length, length=length)
            convergence.append(spectral_convergence(target, y, hop_length=hop_length))
        if i < n_iter:
            unit = torch.sgn(weighted_neighbours(target * unit, weights, hop_length, with_centre=with_centre))
    return (y.numpy(), np.array(convergence)) if return_convergence else y.numpy()


def reconstruct_phase(
    S: np.ndarray, *, method: str = "griffin_lim", init="random", hop_length=1024, **options
):
    """Turn magnitudes into a waveform by ``"griffin_lim"``, ``"fast_griffin_lim"`` (momentum) or ``"local_weights"``.

    `init` may be "pghi" (`phase_gradient_heap`) too; all else as of `griffin_lim`.
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
    """Reconstruct a phase by each of `CURVES`, local weights at the paper's hop alone, beyond which they take too long.

    `content_phase`, in radians [shape as S], is one more start, for magnitudes that were transferred. Returns ``method,
    iteration, seconds, spectral_convergence_db``; seconds are those of the start and of iterations that do not measure.
    """
    tables = []
    for name, (method, init) in CURVES.items():
        if (init == "content" and content_phase is None) or (name == LOCAL and hop_length < len(S) // 2):
            continue
        run = partial(reconstruct_phase, S, method=method, hop_length=hop_length, length=length)
        run = partial(run, init=content_phase if init == "content" else init)
        before, after = _seconds(run, 0), _seconds(run, n_iter)
        _, curve = run(n_iter=n_iter, return_convergence=True)
        row = {"method": name, "iteration": np.arange(n_iter + 1), "spectral_convergence_db": curve}
        row["seconds"] = np.linspace(before, max(after, before), n_iter + 1)
        tables.append(pd.DataFrame(row))
    return pd.concat(tables, ignore_index=True)


def _seconds(run, n_iter: int) -> float:
    started = time.perf_counter()
    run(n_iter=n_iter)
    return time.perf_counter() - started


def study(
    sounds: dict[str, np.ndarray], transferred: np.ndarray, content: np.ndarray, *, n_iter: int
) -> pd.DataFrame:
    """Return `convergence_curves` with ``signal`` and ``hop``: of sounds at every hop, of a transfer at the first.

    `sounds` are waveforms by name, `transferred` magnitudes that were optimised, `content` the waveform whose phase is
    one more start for these.
    """
    own = {"hop_length": HOPS[0], "length": len(content), "n_iter": n_iter}
    made = convergence_curves(transferred, content_phase=phase_of(content), **own)
    tables = [made.assign(signal="transferred", hop=HOPS[0])]
    for signal, y in sounds.items():
        for hop in HOPS:
            S = magnitudes(y, hop_length=hop)
            made = convergence_curves(S, hop_length=hop, length=len(y), n_iter=n_iter)
            tables.append(made.assign(signal=signal, hop=hop))
    return pd.concat(tables, ignore_index=True)


def at_iteration(curves: pd.DataFrame, iteration: int) -> pd.DataFrame:
    """Return decibels and seconds of a `study` at one iteration, by signal and method, columns for each hop."""
    at = curves[curves["iteration"] == iteration]
    columns = {"dB": "spectral_convergence_db", "s": "seconds"}
    wide = at.pivot_table(
        index=["signal", "method"], columns="hop", values=list(columns.values()), sort=False
    )
    hops = [hop for hop in HOPS if hop in set(at["hop"])]
    return pd.DataFrame(
        {f"{unit} at hop {hop}": wide[name, hop] for hop in hops for unit, name in columns.items()}
    )


def show_phase_study(curves: pd.DataFrame, *, x: str = "iteration", title: str = "") -> Figure:
    """Draw a `study` against ``"iteration"`` or ``"seconds"``, a panel for each signal and hop."""
    panels = list(curves.groupby(["signal", "hop"], sort=False))
    size = (2.8 * len(panels), 3.6)
    fig, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, layout="constrained", squeeze=False)
    names = list(curves["method"].unique())
    looks = dict(zip(names, zip(LINE_COLOURS, MARKERS, strict=True), strict=False))
    for ax, ((signal, hop), panel) in zip(axes.flat, panels, strict=True):
        for name, line in panel.groupby("method", sort=False):
            colour, marker = looks[name]
            look = {"color": colour, "marker": marker, "ms": 4, "markevery": max(1, len(line) // 8)}
            ax.plot(line[x], line["spectral_convergence_db"], label=name, **look)
        ax.set_title(f"{signal}, hop {hop}", fontsize=10)
        ax.set_xscale("log" if x == "seconds" else "linear")
        ax.grid(alpha=0.3)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    fig.supxlabel("seconds" if x == "seconds" else "iteration", fontsize=10)
    fig.supylabel("spectral convergence (dB)", fontsize=10)
    fig.suptitle(title, fontsize=11)
    return fig


def main() -> None:
    """Study 60 iterations on the recorded clips."""
    speech, music = (clips.load_pair(clips.get_pair(n, "recorded")) for n in ("speech-2", "instrument-1"))
    transferred = optimise(music.content, music.style, GRAM).S
    sounds = {"music": set_level(music.content), "speech": set_level(speech.content)}
    curves = study(sounds, transferred, sounds["music"], n_iter=60)
    results = Results("paper", "recorded")
    results.save_table(at_iteration(curves, 60).reset_index(), "phase_study")
    figure = show_phase_study(curves, title="Phase by every method · recorded clips")
    results.save_figure(figure, "phase_study")


if __name__ == "__main__":
    main()
