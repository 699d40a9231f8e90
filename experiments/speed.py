"""Speed and memory of the objective's three forms, of whole transfers and of optimisers: ``make bench``.

``python -m experiments.speed [PART ...]`` writes ``results/paper/benchmarks.csv``; rows of parts that are not named are
kept. Every ratio compares numbers of one run on one machine; the methods take turns.
"""

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from scipy import optimize as scipy_optimize

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import Evaluation, TransferLoss, paper_content_loss, paper_style_loss
from audiostyle.optimize import minimize
from audiostyle.phase.griffin_lim import FAST_MOMENTUM, griffin_lim
from audiostyle.spectrogram import n_frames_for
from experiments.results import Results

N_FILTERS, N_BINS = 4096, 1025
FORMS = ("explicit Gram", "frame kernel", "infinite width")
INFINITE = FORMS[-1]
REPEATS = 20


def interleaved(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time every function once per round, so that a busy moment of the machine hits all alike.

    Each counted call follows uncounted ones of the same function, for 50 ms or one: in an optimisation, too, a
    function finds caches and memory as its own last calls left them. Returns the seconds of each repeat.
    """
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            warm_until = time.perf_counter() + 0.05
            function()
            while time.perf_counter() < warm_until:
                function()
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    """Return median and quartiles; of fewer than four values, the extremes instead of quartiles."""
    low, high = min(seconds), max(seconds)
    if len(seconds) >= 4:
        low, _, high = statistics.quantiles(seconds, n=4)
    return {"median_s": statistics.median(seconds), "low_s": low, "high_s": high, "repeats": len(seconds)}


def in_fresh_process(function: Callable, *arguments: object) -> tuple[float, float]:
    """Call a module-level function in a new process; returns its seconds and that process's peak memory in MiB."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_timed, args=(queue, function, arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__}{arguments} ended with exit code {process.exitcode}")
    return queue.get()


def _timed(queue, function, arguments) -> None:
    started = time.perf_counter()
    function(*arguments)
    seconds = time.perf_counter() - started
    queue.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def spectrum(seconds: float, hop_length: int = 1024, seed: int = 0) -> torch.Tensor:
    """Return a log magnitude spectrogram of decaying bands that come and go [shape=(1025, n_frames)]."""
    n_frames = n_frames_for(int(seconds * 22050), hop_length)
    generator = torch.Generator().manual_seed(seed)
    tilt = torch.exp(-torch.arange(N_BINS) / 200.0)[:, None]
    slow = torch.rand(N_BINS, n_frames // 8 + 2, generator=generator)
    slow = torch.nn.functional.interpolate(slow[None], size=n_frames, mode="linear")[0]
    return torch.log1p(30 * tilt * slow**4 + 0.01 * torch.rand(N_BINS, n_frames, generator=generator))


class ExplicitLoss:
    """Eq. 1 and eq. 6 with explicit N × N Gram matrices and autograd, as the paper and its relatives do it.

    Features of the content and Gram matrix of the style are computed once, the features of X once an evaluation.
    """

    def __init__(
        self, encoder: RandomEncoder, content: torch.Tensor, style: torch.Tensor, balance: float = 0.5
    ):
        self.encoder = encoder
        self.content, self.style = encoder.encode(content), encoder.encode(style)
        unit = TransferLoss(encoder, content, style).content_unit
        n = encoder.n_filters * encoder.n_patches(content.shape[1])
        self.content_weight = (1 - balance) ** 2 / (unit * n)
        self.style_weight = balance**2 / float(paper_style_loss(encoder, content, self.style))

    def __call__(self, X: torch.Tensor) -> Evaluation:
        """Evaluate loss and gradient."""
        X = X.detach().requires_grad_(True)
        x = self.encoder.encode(X)
        content = paper_content_loss(self.encoder, x, self.content)
        style = paper_style_loss(self.encoder, x, self.style)
        total = self.content_weight * content + self.style_weight * style
        (gradient,) = torch.autograd.grad(total, X)
        return Evaluation(content.item(), style.item(), total.item(), gradient)


def make_loss(method: str, content: torch.Tensor, style: torch.Tensor):
    """Return the objective in one of `FORMS`, at balance 0.5, as a function of X."""
    if method == INFINITE:
        return TransferLoss(InfiniteEncoder(), content, style)
    encoder = RandomEncoder(N_FILTERS)
    return (TransferLoss if method == "frame kernel" else ExplicitLoss)(encoder, content, style)


def _compared(
    seconds: dict[str, list[float]], benchmark: str, content_s: float, hop: int, **more
) -> list[dict]:
    """Rows of `summary` with the ratio to the explicit form."""
    base = np.median(seconds[FORMS[0]])
    key = {"benchmark": benchmark, "content_s": content_s, "hop": hop} | more
    return [
        key | {"method": method, **summary(values), "ratio_to_explicit": base / np.median(values)}
        for method, values in seconds.items()
    ]


def _row(benchmark: str, median_s: float, method: str = INFINITE, content_s: float = 10, **more) -> dict:
    key = {"benchmark": benchmark, "method": method, "content_s": content_s, "hop": 1024}
    return key | {"median_s": median_s} | more


def evaluation() -> list[dict]:
    """Loss and gradient at 10 s, the three forms in turn, beside the matrix products of the limit, and their bound."""
    rows = []
    for hop in (1024, 512):
        content, style = spectrum(10, hop), spectrum(10, hop, seed=1)
        both = torch.cat([content, style], dim=1)
        functions = {method: partial(make_loss(method, content, style), content) for method in FORMS}
        functions["its matrix products"] = lambda X=content, Y=both: Y @ (X.T @ Y).T
        rows += _compared(interleaved(functions, REPEATS), "loss and gradient", 10, hop)
    A = torch.rand(2048, 2048)
    rate = 2 * 2048**3 / min(interleaved({"product": lambda: A @ A}, REPEATS)["product"])
    t = spectrum(10).shape[1]
    operations = 2 * (2 * N_BINS * t * 2 * t)
    note = f"{operations / 1e9:.2f} G operations at {rate / 1e9:.0f} G/s"
    return [*rows, _row("lower bound", operations / rate, note=note)]


def whole_transfer(method: str, n_iter: int, content_s: float = 10, style_s: float = 10) -> None:
    """Optimise for exactly `n_iter` iterations; of 10 s, 60 iterations of fast Griffin-Lim follow."""
    content, style = spectrum(content_s), spectrum(style_s, seed=1)
    found = minimize(make_loss(method, content, style), content, n_iter=n_iter, tolerance=0.0)
    if content_s <= 10:
        griffin_lim(torch.expm1(found.x).numpy(), n_iter=60, momentum=FAST_MOMENTUM)


def transfers(n_iter: int = 30, repeats: int = 3) -> list[dict]:
    """Whole transfers of 10 s in fresh processes: wall time without imports, and peak memory."""
    seconds, memory = {method: [] for method in FORMS}, dict.fromkeys(FORMS, 0.0)
    for _ in range(repeats):
        for method in FORMS:
            taken, peak = in_fresh_process(whole_transfer, method, n_iter)
            seconds[method].append(taken)
            memory[method] = max(memory[method], peak)
    rows = _compared(seconds, f"transfer of {n_iter} iterations with phase", 10, 1024)
    return [row | {"peak_mb": memory[row["method"]]} for row in rows]


def growth() -> list[dict]:
    """Loss and gradient against the length of content and style, the latter at most 3 minutes; 10 minutes whole."""
    rows = []
    for seconds in (5, 10, 30, 60, 180, 600):
        style_s, repeats = min(seconds, 180), max(1, min(REPEATS, int(60 / seconds)))
        content, style = spectrum(seconds), spectrum(style_s, seed=1)
        functions = {method: partial(make_loss(method, content, style), content) for method in FORMS}
        taken = interleaved(functions, repeats)
        rows += _compared(taken, "loss and gradient by length", seconds, 1024, style_s=style_s)
    for n_iter, what in ((0, "preparation and one evaluation"), (30, "30 iterations")):
        taken, peak = in_fresh_process(whole_transfer, INFINITE, n_iter, 600, 180)
        more = {"style_s": 180, "peak_mb": peak, "repeats": 1}
        rows.append(_row(f"{what}, 10 min with 3 min", taken, content_s=600, **more))
    return rows


def optimisers() -> list[dict]:
    """Count evaluations and seconds until each optimiser is within 1 % of the best loss, infinite width."""
    content, style = spectrum(10), spectrum(10, seed=1)
    loss = make_loss(INFINITE, content, style)
    best = minimize(loss, content, n_iter=400, tolerance=1e-8).value.total
    rows = []
    for name, run in {"projected L-BFGS": _ours, "SciPy L-BFGS-B": _scipy}.items():
        started = time.perf_counter()
        reached, evaluations = run(loss, content, 1.01 * best)
        note = f"{evaluations} evaluations, ended at {reached / best:.3f} of the best"
        took = time.perf_counter() - started
        rows.append(_row("optimiser to within 1 % of the best loss", took, name, repeats=1, note=note))
    return rows


def _ours(loss, content, target):
    reached = {"callback": lambda iteration, value, x: value.total <= target}
    found = minimize(loss, content, n_iter=400, tolerance=0.0, **reached)
    return found.value.total, found.n_evaluations


def _scipy(loss, content, target):
    best = [np.inf, 0]

    def function(x):
        value = loss(torch.from_numpy(x.reshape(content.shape).astype(np.float32)))
        best[:] = min(best[0], value.total), best[1] + 1
        return value.total, value.gradient.numpy().ravel().astype(np.float64)

    def reached(_):
        if best[0] <= target:
            raise StopIteration

    scipy_optimize.minimize(
        function,
        content.numpy().ravel().astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * content.numel(),
        callback=reached,
        options={"maxiter": 400, "ftol": 0, "gtol": 0},
    )
    return best


PARTS = {part.__name__: part for part in (evaluation, transfers, optimisers, growth)}


def main(argv: list[str] | None = None) -> None:
    """Run the parts named on the command line, by default all, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"any of {', '.join(PARTS)}")
    parts = parser.parse_args(argv).parts
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    table = pd.DataFrame([row for part in parts for row in PARTS[part]()])
    if "threads" not in table:
        table["threads"] = pd.NA
    table["threads"] = table["threads"].fillna(torch.get_num_threads())
    table["filters"] = np.where(table["method"].isin(FORMS[:2]), N_FILTERS, None)
    results = Results("paper")
    if (results.folder / "benchmarks.csv").is_file():
        old = results.load_table("benchmarks")
        table = pd.concat([old[~old["benchmark"].isin(table["benchmark"])], table], ignore_index=True)
    results.save_table(table, "benchmarks")
    sys.stdout.write(table.to_string() + "\n")


if __name__ == "__main__":
    main()
