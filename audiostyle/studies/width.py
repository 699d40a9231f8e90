"""How many filters are enough: random layers of growing width against their limit.

Notebook: 07_infinite_width.ipynb. The long runs are ``python -m benchmarks.width``.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from scipy.special import polygamma

from audiostyle.config import ACTIVATIONS
from audiostyle.datasets.clips import PairAudio
from audiostyle.encoders.base import Encoder
from audiostyle.encoders.infinite import CLOSED_FORMS, InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import TransferLoss, content_loss, paper_content_loss, paper_style_loss, style_loss
from audiostyle.sound.audio import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import optimise
from experiments.presets import GRAM

# Filters that no optimisation here uses.
FIRST_BANK = 20_000


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
            # Same units as the limit: s0 of the bank would hide part of the error.
            found = TransferLoss(encoder, given.content, given.style, balance=balance, units=exact.units)(X)
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


def convergence(
    given: Problem, X: torch.Tensor, sizes: Sequence[int], n_banks: int, *, balance: float = 0.5
) -> pd.DataFrame:
    """Collect `errors_of_width` from banks none of which is used twice, as `slope_error` supposes.

    Banks of one seed share their first filters, so every number of filters has seeds of its own.
    """
    parts = [
        errors_of_width(given, X, [n], range(i * n_banks, (i + 1) * n_banks), balance=balance)
        for i, n in enumerate(sizes)
    ]
    return pd.concat(parts, ignore_index=True)


def slope(table: pd.DataFrame, column: str) -> float:
    """Fit log(error) against log(n_filters); −0.5 is what averaging independent filters gives."""
    mean = np.sqrt((table[column] ** 2).groupby(table["n_filters"]).mean())
    return float(np.polyfit(np.log(mean.index), np.log(mean), 1)[0])


def slope_error(table: pd.DataFrame) -> float:
    """Bound the standard error of `slope` from above, for banks that are independent of each other.

    The root mean square of m independent normal errors has a logarithm of standard deviation
    ``½ √ψ′(m/2)``, with ψ′ the trigamma function; an error of many parts, such as a kernel's, varies less.
    The fit over x = log(n_filters) divides that by ``√Σ(x − x̄)²``.

    Parameters
    ----------
    table : pd.DataFrame
        As `errors_of_width` makes it, with the same number of banks for each number of filters.

    Raises
    ------
    ValueError
        If there are fewer than two numbers of filters.
    """
    counts = table.groupby("n_filters").size()
    if len(counts) < 2:
        raise ValueError(f"a slope needs at least two numbers of filters, not {len(counts)}")
    x = np.log(counts.index.to_numpy(dtype=float))
    deviation = 0.5 * math.sqrt(polygamma(1, counts.min() / 2))
    return float(deviation / np.linalg.norm(x - x.mean()))


def minimum_under(given: Problem, encoder: Encoder, balance: float, *, n_iter: int) -> torch.Tensor:
    """Return the log magnitudes that minimise the objective under an encoder."""
    config = replace(GRAM, balance=balance, n_iter=n_iter)
    return optimise(given.content, given.style, config, encoder=encoder).x


def overfitting(
    given: Problem,
    sizes: Sequence[int],
    balances: Sequence[float],
    *,
    n_fresh: int = 2,
    n_iter: int = 60,
    seed: int = 0,
    n_scoring: int = 4096,
) -> pd.DataFrame:
    """Optimise with N filters, then score on the same bank, on fresh banks and in the limit.

    Parameters
    ----------
    given : Problem
    sizes : sequence of int
        Numbers of filters to optimise with.
    balances : sequence of float in [0, 1]
    n_fresh : int
        Fresh banks, over which the score is averaged.
    n_iter : int
        Most iterations of each optimisation.
    seed : int
        Seed of the filters optimised.
    n_scoring : int
        Filters in each fresh bank.

    Returns
    -------
    pd.DataFrame
        ``n_filters, balance, own, fresh, limit``: the style loss over that of the content, each under its own
        encoder; ``n_filters`` 0 is infinite width, whose own score is that of the limit.
    """
    limit = InfiniteEncoder()
    fresh = [RandomEncoder(n_scoring, seed=FIRST_BANK + i) for i in range(n_fresh)]
    styles = [bank.encode(given.style) for bank in fresh]
    before = [float(style_loss(bank, given.content, a)) for bank, a in zip(fresh, styles, strict=True)]
    rows = []
    for n in [*sizes, 0]:
        encoder = RandomEncoder(n, seed=seed) if n else limit
        at_start = float(style_loss(encoder, given.content, given.style))
        for balance in balances:
            X = minimum_under(given, encoder, balance, n_iter=n_iter)
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


def forms(given: Problem, n_filters: int, *, seed: int = 0) -> pd.DataFrame:
    """Compute both losses between content and style from features, from their kernel and in the limit.

    Returns
    -------
    pd.DataFrame
        ``content`` and ``style`` (rows): the content loss of the style, and the style loss of the content, as
        eq. 1 / (N · n_patches) and 4 × eq. 6, as functions of the frame kernel, and at infinite width (columns).

    Raises
    ------
    ValueError
        If the clips differ in length.
    """
    bank, C, A = RandomEncoder(n_filters, seed=seed), given.content, given.style
    terms = n_filters * bank.n_patches(C.shape[1])
    losses = {
        f"features of {n_filters} filters": (
            paper_content_loss(bank, A, C) / terms,
            4 * paper_style_loss(bank, C, A),
        )
    }
    for name, encoder in {"kernel of the same filters": bank, "infinite width": InfiniteEncoder()}.items():
        losses[name] = content_loss(encoder, A, C), style_loss(encoder, C, A)
    return pd.DataFrame(losses, index=["content", "style"]).astype(float)


def activations(given: Problem, n_filters: int, *, seed: int = 0) -> pd.DataFrame:
    """Compare the frame kernel of a random layer with the limit, for every activation.

    Returns
    -------
    pd.DataFrame
        ``activation, closed_form, error``: the relative difference of the kernels of content and style in the
        Frobenius norm; missing where there is no closed form.
    """
    rows = []
    for activation in ACTIVATIONS:
        closed, error = activation in CLOSED_FORMS, math.nan
        if closed:
            K = InfiniteEncoder(activation=activation).kernel(given.content, given.style)
            bank = RandomEncoder(n_filters, activation=activation, seed=seed)
            error = float((bank.kernel(given.content, given.style) - K).norm() / K.norm())
        rows.append({"activation": activation, "closed_form": closed, "error": error})
    return pd.DataFrame(rows)


def float32_errors(given: Problem, X: torch.Tensor, *, balance: float = 0.5) -> pd.DataFrame:
    """Compare losses and gradient of the limit in float32 with float64, at the same X.

    Returns
    -------
    pd.DataFrame
        ``quantity, error``: relative errors, for the gradient of 2-norms. The row "content loss, as printed" is
        ½ (K_xx + K_pp − 2 K_xp) taken literally from float32 kernels, which cancels where X is near the content.
    """
    single, double = (InfiniteEncoder(dtype=dtype) for dtype in (torch.float32, torch.float64))
    found, exact = (
        TransferLoss(encoder, given.content, given.style, balance=balance)(X.to(encoder.dtype))
        for encoder in (single, double)
    )
    P = given.content
    terms = [single.kernel(A, B).diagonal() for A, B in ((X, X), (P, P), (X, P))]
    printed = float((0.5 * (terms[0] + terms[1]) - terms[2]).mean())
    difference = (found.gradient - exact.gradient).norm() / exact.gradient.norm()
    errors = {
        "content loss, as printed": abs(printed / exact.content - 1),
        "content loss": abs(found.content / exact.content - 1),
        "style loss": abs(found.style / exact.style - 1),
        "gradient": float(difference),
    }
    return pd.DataFrame({"quantity": list(errors), "error": list(errors.values())})


def timings(
    given: Problem, sizes: Sequence[int], *, explicit_to: int = 1024, repeats: int = 3
) -> pd.DataFrame:
    """Time one evaluation of loss and gradient in the three forms, which take turns.

    The measurements worth quoting are those of ``make bench``; these show the trend on the machine at hand.

    Parameters
    ----------
    given : Problem
    sizes : sequence of int
        Numbers of filters.
    explicit_to : int
        Largest number of filters for which the N × N Gram matrices are formed.
    repeats : int > 0

    Returns
    -------
    pd.DataFrame
        ``form, n_filters, seconds``: medians; `n_filters` is 0 for infinite width.
    """
    limit = TransferLoss(InfiniteEncoder(), given.content, given.style)
    functions = {("infinite width", 0): lambda: limit(given.content)}
    for n in sizes:
        encoder = RandomEncoder(n)
        loss = TransferLoss(encoder, given.content, given.style)
        functions["frame kernel", n] = lambda loss=loss: loss(given.content)
        if n <= explicit_to:
            functions["explicit Gram", n] = _explicit(encoder, given)
    for function in functions.values():
        function()
    seconds: dict[tuple[str, int], list[float]] = {key: [] for key in functions}
    for _ in range(repeats):
        for key, function in functions.items():
            started = time.perf_counter()
            function()
            seconds[key].append(time.perf_counter() - started)
    rows = [(*key, statistics.median(values)) for key, values in seconds.items()]
    return pd.DataFrame(rows, columns=["form", "n_filters", "seconds"])


def _explicit(encoder: RandomEncoder, given: Problem) -> Callable[[], torch.Tensor]:
    """Return the gradient of eq. 1 + eq. 6, by autograd through explicit Gram matrices, as a function."""

    def gradient() -> torch.Tensor:
        X = given.content.clone().requires_grad_(True)
        total = paper_content_loss(encoder, X, given.content) + paper_style_loss(encoder, X, given.style)
        return torch.autograd.grad(total, X)[0]

    return gradient


def memory(
    sizes: Sequence[int], *, n_bins: int = 1025, n_frames: int = 216, kernel_size: int = 11
) -> pd.DataFrame:
    """Count the float32 megabytes that the matrices of each form take, for two clips of `n_frames`.

    Counted, not measured: ``filters`` and ``features`` belong to both random forms, ``gram`` is the pair of N × N
    matrices of the explicit one, ``kernel`` the frame kernels xx, xa and aa of the other, which at infinite width
    is all.

    Returns
    -------
    pd.DataFrame
        ``n_filters, filters, features, gram, kernel``, in MB.
    """
    patches = n_frames - kernel_size + 1
    rows = [
        {
            "n_filters": n,
            "filters": n * n_bins * kernel_size,
            "features": 2 * n * patches,
            "gram": 2 * n * n,
            "kernel": 3 * patches**2,
        }
        for n in sizes
    ]
    table = pd.DataFrame(rows).set_index("n_filters")
    return (table * 4 / 1e6).reset_index()
