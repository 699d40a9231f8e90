"""Measure speed and memory: ``make bench`` writes ``results/paper/benchmarks.csv``.

Every ratio compares numbers of one run on one machine; the methods take turns.
"""

import argparse
import os
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pandas as pd
import torch
from scipy import optimize as scipy_optimize

from audiostyle.datasets import paths
from audiostyle.optimize import minimize
from audiostyle.phase.griffin_lim import FAST_MOMENTUM, griffin_lim
from audiostyle.sound.files import whole_file
from benchmarks.methods import FORMS, N_BINS, N_FILTERS, make_loss, spectrum
from benchmarks.timing import in_fresh_process, interleaved, matrix_rate, summary

REPEATS = 20
ITERATIONS = 30


def evaluation(rows: list, hops=(1024, 512)) -> None:
    """Loss and gradient at 10 s, the three methods in turn."""
    for hop in hops:
        content, style = spectrum(10, hop), spectrum(10, hop, seed=1)
        losses = {method: make_loss(method, content, style) for method in FORMS}
        functions = {method: partial(loss, content) for method, loss in losses.items()}
        functions["its matrix products"] = _products(content, style)
        seconds = interleaved(functions, REPEATS)
        base = np.median(seconds["explicit Gram"])
        for method, values in seconds.items():
            rows.append(
                {
                    "benchmark": "loss and gradient",
                    "method": method,
                    "content_s": 10,
                    "hop": hop,
                    **summary(values),
                }
                | {"ratio_to_explicit": base / np.median(values)}
            )


def _products(content, style):
    both = torch.cat([content, style], dim=1)
    return lambda: both @ (content.T @ both).T


def lower_bound(rows: list) -> None:
    """Operations of both matrix products over the measured rate of a large product."""
    rate = matrix_rate()
    t = spectrum(10).shape[1]
    operations = 2 * (2 * N_BINS * t * 2 * t)
    rows.append(
        {"benchmark": "lower bound", "method": "infinite width", "content_s": 10, "hop": 1024}
        | {
            "median_s": operations / rate,
            "note": f"{operations / 1e9:.2f} G operations at {rate / 1e9:.0f} G/s",
        }
    )


def whole_transfer(method: str, iterations: int) -> int:
    """Optimise 10 s for exactly `iterations` iterations, then 60 iterations of fast Griffin-Lim."""
    content, style = spectrum(10), spectrum(10, seed=1)
    found = minimize(make_loss(method, content, style), content, n_iter=iterations, tolerance=0.0)
    griffin_lim(torch.expm1(found.x).numpy(), n_iter=60, momentum=FAST_MOMENTUM)
    return found.n_iter


def transfers(rows: list, repeats: int = 3) -> None:
    """Whole transfers of 10 s in fresh processes: wall time without imports, and peak memory."""
    seconds = {method: [] for method in FORMS}
    memory = dict.fromkeys(FORMS, 0.0)
    for _ in range(repeats):
        for method in FORMS:
            taken, peak = in_fresh_process(whole_transfer, method, ITERATIONS)
            seconds[method].append(taken)
            memory[method] = max(memory[method], peak)
    base = np.median(seconds["explicit Gram"])
    for method in FORMS:
        rows.append(
            {
                "benchmark": f"transfer of {ITERATIONS} iterations with phase",
                "method": method,
                "content_s": 10,
            }
            | {"hop": 1024, **summary(seconds[method]), "peak_mb": memory[method]}
            | {"ratio_to_explicit": base / np.median(seconds[method])}
        )


def one_evaluation(method: str, content_s: float, style_s: float) -> None:
    """Prepare and evaluate once, for the memory that takes."""
    content, style = spectrum(content_s), spectrum(style_s, seed=1)
    make_loss(method, content, style)(content)


def growth(rows: list, lengths=(5, 10, 30, 60, 180, 600)) -> None:
    """Loss and gradient against the length of content and style, the latter at most 3 minutes."""
    for seconds in lengths:
        style_s = min(seconds, 180)
        content, style = spectrum(seconds), spectrum(style_s, seed=1)
        repeats = max(1, min(REPEATS, int(60 / seconds)))
        losses = {method: make_loss(method, content, style) for method in FORMS}
        taken = interleaved({method: partial(loss, content) for method, loss in losses.items()}, repeats)
        base = np.median(taken["explicit Gram"])
        for method in FORMS:
            rows.append(
                {
                    "benchmark": "loss and gradient by length",
                    "method": method,
                    "content_s": seconds,
                    "style_s": style_s,
                    "hop": 1024,
                }
                | summary(taken[method])
                | {"ratio_to_explicit": base / np.median(taken[method])}
            )
    taken, peak = in_fresh_process(one_evaluation, "infinite width", 600, 180)
    rows.append(
        {
            "benchmark": "preparation and one evaluation, 10 min with 3 min",
            "method": "infinite width",
            "content_s": 600,
        }
        | {"style_s": 180, "hop": 1024, "median_s": taken, "peak_mb": peak, "repeats": 1}
    )


def long_run(iterations: int) -> None:
    """Optimise a 10-minute content with a 3-minute style."""
    content, style = spectrum(600), spectrum(180, seed=1)
    minimize(make_loss("infinite width", content, style), content, n_iter=iterations, tolerance=0.0)


def long_transfer(rows: list, iterations: int = 30) -> None:
    """Measure `long_run` in a fresh process."""
    taken, peak = in_fresh_process(long_run, iterations)
    rows.append(
        {"benchmark": f"{iterations} iterations, 10 min with 3 min", "method": "infinite width"}
        | {"content_s": 600, "style_s": 180, "hop": 1024, "median_s": taken, "peak_mb": peak, "repeats": 1}
    )


def optimisers(rows: list) -> None:
    """Count evaluations and seconds until each optimiser is within 1 % of the best loss, infinite width."""
    content, style = spectrum(10), spectrum(10, seed=1)
    loss = make_loss("infinite width", content, style)
    best = minimize(loss, content, n_iter=400, tolerance=1e-8).value.total
    target = 1.01 * best
    for name, run in (("projected L-BFGS", _ours), ("SciPy L-BFGS-B", _scipy), ("Adam, clamped", _adam)):
        started = time.perf_counter()
        reached, evaluations = run(loss, content, target)
        rows.append(
            {
                "benchmark": "optimiser to within 1 % of the best loss",
                "method": name,
                "content_s": 10,
                "hop": 1024,
            }
            | {"median_s": time.perf_counter() - started, "repeats": 1}
            | {"note": f"{evaluations} evaluations, ended at {reached / best:.3f} of the best"}
        )


def _ours(loss, content, target):
    found = minimize(
        loss, content, n_iter=400, tolerance=0.0, callback=lambda iteration, value, x: value.total <= target
    )
    return found.value.total, found.n_evaluations


def _scipy(loss, content, target):
    best = [np.inf, 0]

    def function(x):
        value = loss(torch.from_numpy(x.reshape(content.shape).astype(np.float32)))
        best[0], best[1] = min(best[0], value.total), best[1] + 1
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


def _adam(loss, content, target, limit=2000):
    x = content.clone()
    optimiser = torch.optim.Adam([x], lr=0.03)
    total, evaluations = np.inf, 0
    while total > target and evaluations < limit:
        value = loss(x)
        total, evaluations = min(total, value.total), evaluations + 1
        x.grad = value.gradient
        optimiser.step()
        x.clamp_min_(0)
    return total, evaluations


_SPIN = """
import sys, torch
from benchmarks.methods import make_loss, spectrum
from benchmarks.timing import interleaved, summary
torch.set_num_threads(int(sys.argv[1]))
content = spectrum(10)
loss = make_loss("infinite width", content, spectrum(10, seed=1))
print(summary(interleaved({"x": lambda: loss(content)}, 20)["x"])["median_s"])
"""


def shared_machine(rows: list) -> None:
    """Loss and gradient beside a busy process, with waiting threads active and passive, and with one thread."""
    busy = "while True: pass"
    for threads, policy in ((2, "ACTIVE"), (2, "PASSIVE"), (1, "PASSIVE")):
        environment = os.environ | {"OMP_WAIT_POLICY": policy}
        with subprocess.Popen([sys.executable, "-c", busy]) as neighbour:
            try:
                out = subprocess.run(
                    [sys.executable, "-c", _SPIN, str(threads)],
                    env=environment,
                    cwd=paths.root(),
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            finally:
                neighbour.kill()
        rows.append(
            {"benchmark": "beside a busy process", "method": "infinite width", "content_s": 10, "hop": 1024}
            | {
                "median_s": float(out),
                "repeats": REPEATS,
                "threads": threads,
                "note": f"{threads} {'thread' if threads == 1 else 'threads'}, OMP_WAIT_POLICY={policy}",
            }
        )


PARTS = {
    "evaluation": evaluation,
    "bound": lower_bound,
    "transfers": transfers,
    "optimisers": optimisers,
    "shared": shared_machine,
    "growth": growth,
    "long": long_transfer,
}


def main(argv: list[str] | None = None) -> None:
    """Run the parts named on the command line, by default all, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"any of {', '.join(PARTS)}")
    parts = parser.parse_args(argv).parts
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    rows: list[dict] = []
    for part in parts:
        started = time.perf_counter()
        PARTS[part](rows)
        sys.stdout.write(f"{part}: {time.perf_counter() - started:.0f} s\n")
    table = pd.DataFrame(rows)
    if "threads" not in table:
        table["threads"] = pd.NA
    table["threads"] = table["threads"].fillna(torch.get_num_threads())
    table["filters"] = np.where(table["method"].isin(FORMS[:2]), N_FILTERS, None)
    path = paths.results_root() / "paper" / "benchmarks.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():  # parts that did not run now keep their rows
        old = pd.read_csv(path)
        table = pd.concat([old[~old["benchmark"].isin(table["benchmark"])], table], ignore_index=True)
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    sys.stdout.write(table.to_string() + "\n")


if __name__ == "__main__":
    main()
