"""How many filters are enough: random layers of growing width against their limit; notebook 07.

``python -m experiments.width`` writes three tables into ``results/paper/recorded``. ``width_totals.csv``: for each
pair, balance and fresh bank the objective of the spectrogram optimised with 4096 filters and in the limit.
``width_curves.csv``: the style loss of both at equal content loss, read from the limit's curve over the balance.
``width_overfitting.csv``: style loss on the bank optimised, on fresh banks and in the limit, against N. A run that was
stopped continues: optimised spectra are kept in ``results/cache``.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from scipy.special import polygamma

from audiostyle.cache import cached
from audiostyle.datasets import clips, paths
from audiostyle.datasets.clips import PairAudio
from audiostyle.encoders.base import Encoder
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.figures.charts import show_lines, show_matrix
from audiostyle.losses import TransferLoss, content_loss, style_loss
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import optimise
from experiments.presets import GRAM
from experiments.results import Results

# Filters that no optimisation here uses; so many of these banks judge.
FIRST_BANK, N_FRESH = 20_000, 10
BALANCES = (0.5, 0.8)
CURVE = tuple(round(0.05 * i, 2) for i in range(2, 20))
# One look for each judge.
_SCORES = {
    "own": ("the bank optimised", {"color": "#1b6ca8", "marker": "o"}),
    "fresh": ("fresh banks", {"color": "#c8553d", "marker": "s"}),
    "limit": ("infinitely many filters", {"color": "#3d7a4b", "marker": "^", "ls": ":"}),
}


class Problem(NamedTuple):
    """Log magnitudes of a content and a style [shape=(n_bins, n_frames)], and E and s0 of the balance in the limit."""

    content: torch.Tensor
    style: torch.Tensor
    content_unit: float
    style_unit: float


def problem(audio: PairAudio) -> Problem:
    """Return the spectrograms of a pair, levelled, with the units of its losses."""
    content, style = (log_magnitude(set_level(y)) for y in (audio.content, audio.style))
    loss = TransferLoss(InfiniteEncoder(), content, style)
    return Problem(content, style, loss.content_unit, loss.style_unit)


def convergence(
    pair: Problem, X: torch.Tensor, sizes: Sequence[int], n_banks: int, *, balance: float = 0.5
) -> pd.DataFrame:
    """Compare kernel, loss and gradient of random layers with the limit at X, with `n_banks` of each size.

    Returns ``n_filters, seed, kernel, loss, gradient``: relative errors (Frobenius norm, absolute value, 2-norm).
    """
    limit = InfiniteEncoder()
    K = limit.kernel(X, pair.style)
    exact = TransferLoss(limit, pair.content, pair.style, balance=balance)
    value, rows = exact(X), []
    # Banks of one seed share their first filters: every size has seeds of its own, as `slope_error` supposes.
    for seed, n in enumerate(np.repeat(sizes, n_banks).tolist()):
        encoder = RandomEncoder(n, seed=seed)
        # Same units as the limit: s0 of the bank would hide part of the error.
        found = TransferLoss(encoder, pair.content, pair.style, balance=balance, units=exact.units)(X)
        errors = {
            "kernel": float((encoder.kernel(X, pair.style) - K).norm() / K.norm()),
            "loss": abs(found.total - value.total) / value.total,
            "gradient": float((found.gradient - value.gradient).norm() / value.gradient.norm()),
        }
        rows.append({"n_filters": n, "seed": seed} | errors)
    return pd.DataFrame(rows)


def slope(table: pd.DataFrame, column: str) -> float:
    """Fit log(error) against log(n_filters); −0.5 is what averaging independent filters gives."""
    mean = np.sqrt((table[column] ** 2).groupby(table["n_filters"]).mean())
    return float(np.polyfit(np.log(mean.index), np.log(mean), 1)[0])


def slope_error(table: pd.DataFrame) -> float:
    """Bound the standard error of `slope` from above, for banks that are independent of each other.

    The root mean square of m independent normal errors has a logarithm of standard deviation
    ``½ √ψ′(m/2)``, with ψ′ the trigamma function; an error of many parts, such as a kernel's, varies less.
    The fit over x = log(n_filters) divides that by ``√Σ(x − x̄)²``.
    """
    counts = table.groupby("n_filters").size()
    x = np.log(counts.index.to_numpy(dtype=float))
    deviation = 0.5 * math.sqrt(polygamma(1, counts.min() / 2))
    return float(deviation / np.linalg.norm(x - x.mean()))


def minimum_under(pair: Problem, encoder: Encoder, balance: float, *, n_iter: int) -> torch.Tensor:
    config = replace(GRAM, balance=balance, n_iter=n_iter)
    return optimise(pair.content, pair.style, config, encoder=encoder).x


def overfitting(
    pair: Problem,
    sizes: Sequence[int],
    balances: Sequence[float],
    *,
    n_fresh: int = 2,
    n_iter: int = 60,
    n_scoring: int = 4096,
) -> pd.DataFrame:
    """Optimise with N filters (0: infinitely many), then score on the same bank, on fresh banks and in the limit.

    Returns ``n_filters, balance, own, fresh, limit``: the style loss over that of the content, each under its encoder.
    """
    limit = InfiniteEncoder()
    fresh = [RandomEncoder(n_scoring, seed=FIRST_BANK + i) for i in range(n_fresh)]
    judges = [(bank, bank.encode(pair.style)) for bank in fresh]
    before = [float(style_loss(bank, pair.content, A)) for bank, A in judges]
    rows = []
    for n in [*sizes, 0]:
        encoder = RandomEncoder(n) if n else limit
        at_start = float(style_loss(encoder, pair.content, pair.style))
        for balance in balances:
            X = minimum_under(pair, encoder, balance, n_iter=n_iter)
            scores = [float(style_loss(bank, X, A)) / s for (bank, A), s in zip(judges, before, strict=True)]
            own = float(style_loss(encoder, X, pair.style)) / at_start
            in_limit = float(style_loss(limit, X, pair.style)) / pair.style_unit
            row = {"n_filters": n, "balance": balance}
            rows.append(row | {"own": own, "fresh": float(np.mean(scores)), "limit": in_limit})
    return pd.DataFrame(rows)


def score_on_bank(pair: Problem, bank: Encoder, spectra: dict, *, keys: Sequence[str]) -> pd.DataFrame:
    """Score log magnitudes by a bank none was optimised with: ``content, style``, in their units in the limit.

    The entries of each key of `spectra` become the columns `keys`.
    """
    content, style = bank.encode(pair.content), bank.encode(pair.style)
    rows = []
    for key, X in spectra.items():
        x = bank.encode(X)
        of_content = float(content_loss(bank, x, content)) / pair.content_unit
        of_style = float(style_loss(bank, x, style)) / pair.style_unit
        rows.append([*key, of_content, of_style])
    return pd.DataFrame(rows, columns=[*keys, "content", "style"])


def show_kernels(encoder: Encoder, spectra: dict[str, torch.Tensor], *, title: str = "") -> Figure:
    """Draw the frame kernels of two clips (log magnitudes by name), each with itself and with the other."""
    (a, X), (b, Y) = spectra.items()
    pairs = ((a, X, a, X), (a, X, b, Y), (b, Y, b, Y))
    return _kernels([(f"{r} × {c}", encoder.kernel(P, Q), r, c) for r, P, c, Q in pairs], title)


def show_estimates(
    encoders: dict[str, Encoder], X: torch.Tensor, Y: torch.Tensor, *, names: tuple[str, str], title: str = ""
) -> Figure:
    """Draw the frame kernel of two clips (log magnitudes) under several encoders."""
    return _kernels([(name, encoder.kernel(X, Y), *names) for name, encoder in encoders.items()], title)


def _kernels(kernels: list[tuple[str, torch.Tensor, str, str]], title: str) -> Figure:
    """Draw frame kernels over the seconds at which patches begin, on one scale from zero: title, K, rows, columns."""
    top, hop = max(float(K.max()) for _, K, _, _ in kernels), 1024 / 22050
    size = (4.3 * len(kernels), 3.7)
    fig, axes = plt.subplots(1, len(kernels), figsize=size, layout="constrained")
    for ax, (name, K, row, column) in zip(axes, kernels, strict=True):
        axis = {"xlabel": f"{column} (s)", "ylabel": f"{row} (s)", "cmap": "cividis", "vmin": 0, "vmax": top}
        extent = (0, K.shape[1] * hop, 0, K.shape[0] * hop)
        show_matrix(K.numpy(), ax=ax, title=name, extent=extent, **axis)
    fig.suptitle(title, fontsize=11)
    return fig


def _logarithmic(ax: Axes, ticks: Sequence[int]) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(ticks, ticks)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(alpha=0.3)


def draw_convergence(table: pd.DataFrame, *, ax: Axes, title: str = "") -> Axes:
    """Draw root-mean-square errors of `convergence` against N, with lines of slope −1/2."""
    columns = ["kernel", "loss", "gradient"]
    rms = np.sqrt(table[columns].pow(2).groupby(table["n_filters"]).mean())
    show_lines(rms.index, dict(rms), ax=ax, xlabel="filters N", ylabel="relative error", title=title)
    for name in columns:
        # The dotted line has the points' geometric mean: only the slope is compared.
        scale = np.exp(np.mean(np.log(rms[name] * np.sqrt(rms.index))))
        ax.plot(rms.index, scale / np.sqrt(rms.index), ":", color="#777777", zorder=0)
    ax.plot([], [], ":", color="#777777", label="slope −1/2")
    _logarithmic(ax, rms.index)
    ax.legend()
    return ax


def show_overfitting(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw `overfitting` as three judges see it, a panel for each balance; infinite width becomes a level line."""
    balances = sorted(table["balance"].unique())
    size = (3.4 * len(balances) + 1, 3.7)
    fig, axes = plt.subplots(1, len(balances), figsize=size, sharey=True, layout="constrained", squeeze=False)
    for ax, balance in zip(axes[0], balances, strict=True):
        at = table[np.isclose(table["balance"], balance)].sort_values("n_filters")
        random, infinite = at[at["n_filters"] > 0], at[at["n_filters"] == 0]
        for column, (label, look) in _SCORES.items():
            ax.plot(random["n_filters"], random[column], label=label, **look)
        level = float(infinite["fresh"].iloc[0])
        ax.axhline(level, color="#3a3a3a", ls="--", label="optimised at infinite width")
        _logarithmic(ax, random["n_filters"])
        ax.set(xlabel="filters N", title=f"balance {balance:g}")
    axes[0, 0].set_ylabel("style loss / that of the content")
    axes[0, 0].legend(fontsize=8)
    fig.suptitle(title, fontsize=11)
    return fig


def optimised(pair: clips.Pair, given: Problem) -> dict[tuple[str, float], torch.Tensor]:
    """Return the spectra of a pair by encoder and balance, those of 4096 filters from the cache where they are."""
    spectra = {("infinite", b): minimum_under(given, InfiniteEncoder(), b, n_iter=300) for b in CURVE}
    bank = RandomEncoder(4096)
    for b in BALANCES:

        def compute(b=b):
            return {"X": minimum_under(given, bank, b, n_iter=300).numpy()}

        how = {"sources": clips.made_of(pair, 10.0), "balance": b}
        found = cached(compute, paths.cache_dir() / "width", "width", **how)
        spectra["random-4096", b] = torch.from_numpy(found["X"])
    return spectra


def duel(pair: clips.Pair) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the total objective of both, and the style loss of both at equal content, under fresh banks."""
    given = problem(clips.load_pair(pair, duration=10.0))
    spectra, totals, curves = optimised(pair, given), [], []
    for seed in range(FIRST_BANK, FIRST_BANK + N_FRESH):
        scores = score_on_bank(given, RandomEncoder(4096, seed=seed), spectra, keys=("encoder", "balance"))
        curve = scores[scores["encoder"] == "infinite"].sort_values("content")
        for at in scores[scores["encoder"] == "random-4096"].itertuples():
            key = {"pair": pair.pair, "balance": at.balance, "fresh_bank": seed}
            limit = curve[curve["balance"] == at.balance].iloc[0]
            few, many = ((1 - at.balance) ** 2 * s.content + at.balance**2 * s.style for s in (at, limit))
            totals.append({**key, "random_4096": few, "infinite": many, "ratio": many / few})
            known = np.log(curve["content"]), np.log(curve["style"])
            style = float(np.exp(np.interp(np.log(at.content), *known)))
            losses = {"content": at.content, "style_random_4096": at.style, "style_infinite": style}
            curves.append({**key, **losses, "ratio": style / at.style})
    return pd.DataFrame(totals), pd.DataFrame(curves)


def main() -> None:
    """Compute and write the three tables."""
    results, made = Results("paper", "recorded"), []
    for pair in clips.pairs("recorded"):
        made.append(duel(pair))
        for name, tables in zip(("width_totals", "width_curves"), zip(*made, strict=True), strict=True):
            results.save_table(pd.concat(tables), name)
        sys.stdout.write(f"{made[-1][0].to_string()}\n")
        sys.stdout.flush()
    given = problem(clips.load_pair(clips.get_pair("instrument-1", "recorded"), duration=5.0))
    table = overfitting(given, (128, 512, 2048, 4096, 8192), (0.3, *BALANCES, 0.95), n_iter=100)
    results.save_table(table, "width_overfitting")
    sys.stdout.write(table.to_string() + "\n")


if __name__ == "__main__":
    main()
