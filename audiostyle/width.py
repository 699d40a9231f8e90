"""How many filters are enough: random layers of growing width against their limit.

Notebook: 07_infinite_width.ipynb. The long runs are ``python -m benchmarks.width``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from audiostyle.audio import set_level
from audiostyle.clips import PairAudio
from audiostyle.encoders import Encoder, RandomEncoder
from audiostyle.infinite import InfiniteEncoder
from audiostyle.losses import TransferLoss, content_loss, style_loss
from audiostyle.optimize import minimize
from audiostyle.spectrogram import log_magnitude

# Filters that no optimisation here uses.
FRESH_SEED = 20_000


@dataclass(frozen=True)
class Problem:
    """Log magnitudes of a content and a style, and the units of the two losses in the limit.

    Parameters
    ----------
    content, style : torch.Tensor [shape=(n_bins, n_frames)]
    content_unit, style_unit : float
        E and s0 of the balance, in the limit of infinite width.
    """

    content: torch.Tensor
    style: torch.Tensor
    content_unit: float
    style_unit: float

    def total(self, content: float, style: float, balance: float) -> float:
        """Return the objective of a transfer from its two losses."""
        return (1 - balance) ** 2 * content / self.content_unit + balance**2 * style / self.style_unit


def problem(audio: PairAudio) -> Problem:
    """Return the spectrograms of a pair, levelled, with the units of its losses."""
    content, style = (log_magnitude(set_level(y)) for y in (audio.content, audio.style))
    loss = TransferLoss(InfiniteEncoder(), content, style)
    return Problem(content, style, loss.content_unit, loss.style_unit)


def errors_of_width(
    given: Problem, X: torch.Tensor, sizes: Sequence[int], seeds: Iterable[int], *, balance: float = 0.5
) -> pd.DataFrame:
    """Compare kernel, loss and gradient of random layers with the limit.

    Parameters
    ----------
    given : Problem
    X : torch.Tensor [shape=(n_bins, n_frames)]
        Where to compare, for example the optimum of a transfer.
    sizes : sequence of int
        Numbers of filters.
    seeds : iterable of int
        One bank each.
    balance : float in [0, 1]

    Returns
    -------
    pd.DataFrame
        ``n_filters, seed, kernel, loss, gradient``: relative errors (Frobenius norm, absolute value, 2-norm).
    """
    limit = InfiniteEncoder()
    K = limit.kernel(X, given.style)
    exact = TransferLoss(limit, given.content, given.style, balance=balance)
    value = exact(X)
    rows = []
    for seed in seeds:
        for n in sizes:
            encoder = RandomEncoder(n, seed=seed)
            loss = TransferLoss(encoder, given.content, given.style, balance=balance)
            # Same weights as the limit: s0 of the bank would hide part of the error.
            loss.content_weight, loss.style_weight = exact.content_weight, exact.style_weight
            found = loss(X)
            rows.append(
                {
                    "n_filters": n,
                    "seed": seed,
                    "kernel": float((encoder.kernel(X, given.style) - K).norm() / K.norm()),
                    "loss": abs(found.total - value.total) / value.total,
                    "gradient": float((found.gradient - value.gradient).norm() / value.gradient.norm()),
                }
            )
    return pd.DataFrame(rows)


def slope(table: pd.DataFrame, column: str) -> float:
    """Fit log(error) against log(n_filters); −0.5 is what averaging independent filters gives."""
    mean = np.sqrt((table[column] ** 2).groupby(table["n_filters"]).mean())
    return float(np.polyfit(np.log(mean.index), np.log(mean), 1)[0])


def optimise(given: Problem, encoder: Encoder, balance: float, *, n_iter: int = 300) -> torch.Tensor:
    """Return the log magnitudes that minimise the objective under an encoder."""
    loss = TransferLoss(encoder, given.content, given.style, balance=balance)
    return minimize(loss, given.content, n_iter=n_iter).x


def overfitting(
    given: Problem,
    sizes: Sequence[int],
    balances: Sequence[float],
    *,
    n_fresh: int = 2,
    n_iter: int = 60,
    seed: int = 0,
) -> pd.DataFrame:
    """Optimise with N filters, then score on the same bank, on fresh banks of 4096 and in the limit.

    Returns
    -------
    pd.DataFrame
        ``n_filters, balance, own, fresh, limit``: the style loss over that of the content, each under its own
        encoder; ``n_filters`` 0 is infinite width, whose own score is that of the limit.
    """
    limit = InfiniteEncoder()
    fresh = [RandomEncoder(4096, seed=FRESH_SEED + i) for i in range(n_fresh)]
    styles = [bank.encode(given.style) for bank in fresh]
    before = [float(style_loss(bank, given.content, a)) for bank, a in zip(fresh, styles, strict=True)]
    rows = []
    for n in [*sizes, 0]:
        encoder = RandomEncoder(n, seed=seed) if n else limit
        at_start = float(style_loss(encoder, given.content, given.style))
        for balance in balances:
            X = optimise(given, encoder, balance, n_iter=n_iter)
            scores = [
                float(style_loss(bank, X, a)) / s for bank, a, s in zip(fresh, styles, before, strict=True)
            ]
            rows.append(
                {
                    "n_filters": n,
                    "balance": balance,
                    "own": float(style_loss(encoder, X, given.style)) / at_start,
                    "fresh": float(np.mean(scores)),
                    "limit": float(style_loss(limit, X, given.style)) / given.style_unit,
                }
            )
    return pd.DataFrame(rows)


def score_on_bank(given: Problem, bank: Encoder, spectra: dict, *, keys: Sequence[str]) -> pd.DataFrame:
    """Score several spectrograms under one bank.

    Parameters
    ----------
    given : Problem
    bank : Encoder
        A bank that none of them was optimised with.
    spectra : dict of tuple to torch.Tensor
        Log magnitudes under keys whose entries become the columns `keys`.
    keys : sequence of str

    Returns
    -------
    pd.DataFrame
        `keys`, ``content, style``: the losses over their units in the limit.
    """
    content, style = bank.encode(given.content), bank.encode(given.style)
    rows = []
    for key, X in spectra.items():
        x = bank.encode(X)
        rows.append(
            dict(zip(keys, key, strict=True))
            | {
                "content": float(content_loss(bank, x, content)) / given.content_unit,
                "style": float(style_loss(bank, x, style)) / given.style_unit,
            }
        )
    return pd.DataFrame(rows)
