"""How many filters are enough: random layers of growing width against their limit; notebook 07.

``python -m experiments.width`` writes ``width_overfitting.csv`` into ``results/paper/recorded``: spectrograms optimised
with several banks of few and of many filters and in the limit, judged by their own bank and by fresh ones.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from scipy.special import polygamma
from scipy.stats import norm

from audiostyle.datasets import clips
from audiostyle.datasets.clips import PairAudio
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.figures.charts import show_lines
from audiostyle.losses import TransferLoss, style_loss
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import optimise
from experiments.presets import GRAM
from experiments.results import Results

# Filters that no optimisation here uses; so many of these banks judge.
FIRST_BANK, N_FRESH = 20_000, 2
PAIRS, SECONDS = ("speech-1", "symphonic-1", "instrument-1"), 5.0
SIZES, N_BANKS = (64, 512, 4096), 3
ERRORS = ["kernel", "loss", "gradient"]


def spectra(audio: PairAudio) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log magnitudes of the content and the style, brought to one level [shape=(n_bins, n_frames)]."""
    return log_magnitude(set_level(audio.content)), log_magnitude(set_level(audio.style))


def convergence(
    content: torch.Tensor, style: torch.Tensor, sizes: Sequence[int], n_banks: int, *, balance: float = 0.5
) -> pd.DataFrame:
    """Compare kernel, loss and gradient of random layers with the limit where a transfer starts, at X = content.

    Returns ``n_filters, seed, kernel, loss, gradient``: relative errors (Frobenius norm, absolute value, 2-norm).
    """
    limit = InfiniteEncoder()
    K = limit.kernel(content, style)
    exact = TransferLoss(limit, content, style, balance=balance)
    value, rows = exact(content), []
    # Banks of one seed share their first filters: every size has seeds of its own, as `slope_error` supposes.
    for seed, n in enumerate(np.repeat(sizes, n_banks).tolist()):
        encoder = RandomEncoder(n, seed=seed)
        # Same units as the limit: s0 of the bank would hide part of the error.
        found = TransferLoss(encoder, content, style, balance=balance, units=exact.units)(content)
        errors = {
            "kernel": float((encoder.kernel(content, style) - K).norm() / K.norm()),
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


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the slope of each error with its standard error, and the chance ``p`` of one so far from −1/2.

    ``p of three`` is the chance that the worst of three is so far (Bonferroni's bound).
    """
    error = slope_error(table)
    found = pd.DataFrame({"slope": {name: slope(table, name) for name in ERRORS}, "error": error})
    found["p"] = 2 * norm.sf((found["slope"] + 0.5).abs() / error)
    return found.assign(**{"p of three": np.minimum(1, 3 * found["p"])})


def overfitting(
    content: torch.Tensor,
    style: torch.Tensor,
    sizes: Sequence[int],
    *,
    n_banks: int,
    balance: float = 0.8,
    n_iter: int = 50,
    n_scoring: int = 4096,
) -> Iterator[dict]:
    """Optimise with several banks of N filters and with infinitely many (0), then score under fresh banks.

    Yields ``n_filters, bank, own, fresh, objective``: the style loss over that of the content under the optimiser's own
    encoder and, a mean, under banks that it never met; and the whole objective under those, in the limit's units.
    """
    limit = InfiniteEncoder()
    how = {"balance": balance, "units": TransferLoss(limit, content, style).units}
    banks = (RandomEncoder(n_scoring, seed=FIRST_BANK + i) for i in range(N_FRESH))
    fresh = [TransferLoss(bank, content, style, **how) for bank in banks]
    before = [judge(content).style for judge in fresh]
    for n, bank in [(n, bank) for n in sizes for bank in range(n_banks)] + [(0, 0)]:
        encoder = RandomEncoder(n, seed=bank) if n else limit
        X = optimise(content, style, replace(GRAM, balance=balance, n_iter=n_iter), encoder=encoder).x
        own = float(style_loss(encoder, X, style) / style_loss(encoder, content, style))
        found = [judge(X) for judge in fresh]
        shares = [new.style / old for new, old in zip(found, before, strict=True)]
        totals = [new.total for new in found]
        yield {
            "n_filters": n,
            "bank": bank,
            "own": own,
            "fresh": np.mean(shares),
            "objective": np.mean(totals),
        }


def logarithmic(ax: Axes, ticks: Sequence[int]) -> None:
    """Make both axes logarithmic, with these ticks across."""
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(ticks, ticks)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(alpha=0.3)


def draw_convergence(table: pd.DataFrame, *, ax: Axes, title: str = "") -> Axes:
    """Draw root-mean-square errors of `convergence` against N, with lines of slope −1/2."""
    rms = np.sqrt(table[ERRORS].pow(2).groupby(table["n_filters"]).mean())
    show_lines(rms.index, dict(rms), ax=ax, xlabel="filters N", ylabel="relative error", title=title)
    for name in ERRORS:
        # The dotted line has the points' geometric mean: only the slope is compared.
        scale = np.exp(np.mean(np.log(rms[name] * np.sqrt(rms.index))))
        ax.plot(rms.index, scale / np.sqrt(rms.index), ":", color="#777777", zorder=0)
    ax.plot([], [], ":", color="#777777", label="slope −1/2")
    logarithmic(ax, rms.index)
    ax.legend()
    return ax


def show_overfitting(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw `overfitting`, a panel for each ``pair``: the bank optimised, fresh banks, and infinite width (a line)."""
    pairs, look = table["pair"].unique(), {"sharey": True, "layout": "constrained", "squeeze": False}
    fig, axes = plt.subplots(1, len(pairs), figsize=(3.1 * len(pairs) + 1, 3.7), **look)
    for ax, pair in zip(axes[0], pairs, strict=True):
        at = table[table["pair"] == pair]
        random, infinite = at[at["n_filters"] > 0], at[at["n_filters"] == 0]
        for column, label, marker in (("own", "the bank optimised", "o"), ("fresh", "fresh banks", "s")):
            (points,) = ax.plot(random["n_filters"], random[column], marker, alpha=0.6, label=label)
            ax.plot(random.groupby("n_filters")[column].mean(), color=points.get_color())
        ax.axhline(infinite["fresh"].item(), color="#3a3a3a", ls="--", label="optimised at infinite width")
        logarithmic(ax, random["n_filters"].unique())
        ax.set(xlabel="filters N", title=pair)
    axes[0, 0].set_ylabel("style loss / that of the content")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    fig.suptitle(title, fontsize=11)
    return fig


def main() -> None:
    """Compute and write the table."""
    rows = []
    for name in PAIRS:
        pair = spectra(clips.load_pair(clips.get_pair(name, "recorded"), duration=SECONDS))
        rows += [{"pair": name, **row} for row in overfitting(*pair, SIZES, n_banks=N_BANKS)]
        Results("paper", "recorded").save_table(pd.DataFrame(rows), "width_overfitting")


if __name__ == "__main__":
    main()
