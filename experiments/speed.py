"""Speed and memory of the objective's three forms and of Griffin-Lim against librosa: ``python -m experiments.speed``.

Writes ``results/paper/benchmarks.csv``. Methods of a benchmark take turns, so that a busy moment of the machine hits
all alike; ``times_faster`` compares the fastest call of each with the fastest of the first.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import librosa
import pandas as pd
import torch

from audiostyle.datasets import clips
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import Evaluation, TransferLoss, paper_content_loss, paper_style_loss
from audiostyle.phase.griffin_lim import FAST_MOMENTUM, griffin_lim
from audiostyle.spectrogram import magnitudes
from experiments.results import Results

N_FILTERS, N_BINS = 4096, 1025
FORMS = ("explicit Gram", "frame kernel", "infinite width")
LENGTHS = (5, 10, 30, 60)  # seconds
HOPS = (1024, 512, 256)


def interleaved(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time every function once a round; returns the seconds of each repeat.

    Each counted call follows uncounted ones of the same function, for 50 ms or one: in an optimisation, too, a
    function finds caches and memory as its own last calls left them.
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


def compared(seconds: dict[str, list[float]], **about: object) -> list[dict]:
    """Return a row for each method, with how many times faster than the first it is."""
    first = min(next(iter(seconds.values())))
    return [
        about
        | {"method": method, "min_s": min(taken), "median_s": statistics.median(taken)}
        | {"repeats": len(taken), "times_faster": first / min(taken)}
        for method, taken in seconds.items()
    ]


def spectrum(seconds: float, seed: int = 0) -> torch.Tensor:
    """Return a log magnitude spectrogram of decaying bands that come and go [shape=(1025, n_frames)]."""
    n_frames = 1 + -(-int(seconds * 22050) // 1024)
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


def make_loss(form: str, content: torch.Tensor, style: torch.Tensor) -> Callable:
    """Return the objective in one of `FORMS`, at balance 0.5, as a function of X."""
    if form == "infinite width":
        return TransferLoss(InfiniteEncoder(), content, style)
    return (TransferLoss if form == "frame kernel" else ExplicitLoss)(
        RandomEncoder(N_FILTERS), content, style
    )


def evaluations() -> list[dict]:
    """Time loss and gradient against the length of content and style."""
    rows = []
    for seconds in LENGTHS:
        content, style = spectrum(seconds), spectrum(seconds, seed=1)
        functions = {form: partial(make_loss(form, content, style), content) for form in FORMS}
        taken = interleaved(functions, max(2, min(12, 120 // seconds)))
        rows += compared(taken, benchmark="loss and gradient by length", content_s=seconds, hop=1024)
    return rows


def phases() -> list[dict]:
    """Time 50 iterations of Griffin-Lim on 10 s of bundled speech, from zero phase, and those of librosa."""
    content, rows = clips.load_pair(clips.get_pair("speech-2", "bundled")).content, []
    content = content[: len(content) // 1024 * 1024]  # whole hops, as librosa needs them
    for hop in HOPS:
        S = magnitudes(content, hop_length=hop)
        for momentum in (0.0, FAST_MOMENTUM):
            how = {"n_iter": 50, "hop_length": hop, "momentum": momentum, "length": len(content)}
            theirs = partial(librosa.griffinlim, S, n_fft=2048, init=None, **how)
            functions = {"librosa": theirs, "audiostyle": partial(griffin_lim, S, init=0 * S, **how)}
            name = f"Griffin-Lim of 50 iterations, momentum {momentum:g}"
            rows += compared(interleaved(functions, 5), benchmark=name, content_s=10, hop=hop)
    return rows


def main() -> None:
    """Measure and write the table."""
    table = pd.DataFrame([*evaluations(), *phases()]).assign(threads=torch.get_num_threads())
    Results("paper").save_table(table, "benchmarks")
    sys.stdout.write(table.to_string() + "\n")


if __name__ == "__main__":
    main()
