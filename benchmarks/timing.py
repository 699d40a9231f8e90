"""Repeat, interleave and summarise measurements."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable

import torch

_WARM_S = 0.05


def interleaved(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time every function once per round, so that a busy moment of the machine hits all alike.

    Each counted call follows uncounted ones of the same function, for 50 ms or one: in an optimisation, too, a
    function finds caches and memory as its own last calls left them.

    Returns
    -------
    dict of str to list of float
        Seconds of each repeat.
    """
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            warm_until = time.perf_counter() + _WARM_S
            function()
            while time.perf_counter() < warm_until:
                function()
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    """Return median and quartiles; of fewer than four values, the extremes instead of quartiles."""
    if len(seconds) < 4:
        low, high = min(seconds), max(seconds)
    else:
        low, _, high = statistics.quantiles(seconds, n=4)
    return {"median_s": statistics.median(seconds), "low_s": low, "high_s": high, "repeats": len(seconds)}


def matrix_rate(n: int = 2048, repeats: int = 20) -> float:
    """Return the operations per second of a float32 matrix product on this machine, the best of `repeats`."""
    A = torch.rand(n, n)
    best = min(interleaved({"product": lambda: A @ A}, repeats)["product"])
    return 2 * n**3 / best


def _measured(queue, function, arguments) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    function(*arguments)
    seconds = time.perf_counter() - started
    queue.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, before / 1024))


def in_fresh_process(function: Callable, *arguments: object) -> tuple[float, float]:
    """Call a module-level function in a new process.

    Returns
    -------
    seconds : float
        Wall time of the call.
    peak_mb : float
        Largest resident memory of that process in MiB, its libraries included.
    """
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_measured, args=(queue, function, arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__}{arguments} ended with exit code {process.exitcode}")
    seconds, peak, _ = queue.get()
    return seconds, peak
