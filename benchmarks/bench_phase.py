"""Measure phase reconstruction: ``python -m benchmarks.bench_phase`` writes ``results/paper/bench_phase.csv``.

Griffin-Lim against ``librosa.griffinlim`` from the same start, in decibels at equal iterations and in seconds; every
other method in decibels and seconds; the polish in seconds beside Griffin-Lim. At hop n/2 (the paper's), n/4 and n/8,
on speech, music and a transferred spectrogram. The methods take turns. Local weights are left out at n/8, where
one of their iterations takes as long as ten of Griffin-Lim.
"""

import argparse
from functools import partial

import librosa
import numpy as np
import pandas as pd
import torch

from audiostyle.datasets import clips, paths
from audiostyle.phase.griffin_lim import griffin_lim, phase_of, spectral_convergence
from audiostyle.sound.audio import set_level
from audiostyle.sound.files import whole_file
from audiostyle.spectrogram import stft
from audiostyle.studies.phase import CURVES, left_out
from audiostyle.studies.reconstruct import reconstruct_phase
from audiostyle.transfer import make_sound, optimise
from benchmarks.timing import interleaved, summary
from experiments.presets import GRAM

N_FFT = 2048
HOPS = (1024, 512, 256)
ITERATIONS = 50


def against_librosa(S: np.ndarray, hop: int, length: int, repeats: int) -> list[dict]:
    """Both Griffin-Lims from phase zero: decibels at equal iterations, and seconds in turn."""
    rows = []
    for momentum in (0.0, 0.99):
        ours = partial(
            griffin_lim, S, n_iter=ITERATIONS, hop_length=hop, momentum=momentum, init="zero", length=length
        )
        theirs = partial(
            librosa.griffinlim,
            S,
            n_iter=ITERATIONS,
            hop_length=hop,
            n_fft=N_FFT,
            momentum=momentum,
            init=None,
            length=length,
        )
        seconds = interleaved({"audiostyle": ours, "librosa": theirs}, repeats)
        for name, function in (("audiostyle", ours), ("librosa", theirs)):
            rows.append(
                {
                    "benchmark": "against librosa",
                    "method": f"{name}, momentum {momentum:g}",
                    "hop": hop,
                    "n_iter": ITERATIONS,
                    "spectral_convergence_db": spectral_convergence(S, function(), hop_length=hop),
                    **summary(seconds[name]),
                }
            )
    return rows


def methods(S: np.ndarray, hop: int, length: int, phase: np.ndarray | None, repeats: int) -> list[dict]:
    """Every method and start after the same number of iterations; `phase` is the content's, if there is one."""
    functions = {
        name: partial(
            reconstruct_phase,
            S,
            method=method,
            init=phase if init == "content" else init,
            n_iter=ITERATIONS,
            hop_length=hop,
            length=length,
        )
        for name, (method, init) in CURVES.items()
        if (init != "content" or phase is not None) and name not in left_out(N_FFT, hop)
    }
    seconds = interleaved(functions, repeats)
    return [
        {
            "benchmark": "methods",
            "method": name,
            "hop": hop,
            "n_iter": ITERATIONS,
            "spectral_convergence_db": spectral_convergence(S, function(), hop_length=hop),
            **summary(seconds[name]),
        }
        for name, function in functions.items()
    ]


def polish_seconds(audio, repeats: int) -> list[dict]:
    """Seconds of the default's sound stage, and of the 200 iterations of Griffin-Lim it replaces."""
    config = GRAM
    optimum = optimise(audio.content, audio.style, config)
    content = set_level(audio.content)
    functions = {
        "Griffin-Lim, 200 iterations": partial(griffin_lim, optimum.S, n_iter=200, length=len(content)),
        "30 fast iterations and polish": partial(make_sound, optimum, content, config),
    }
    return [
        {"benchmark": "polish", "method": name, "hop": 1024, **summary(values)}
        for name, values in interleaved(functions, repeats).items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edition", choices=clips.EDITIONS, default=clips.current_edition())
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    signals = {"speech": "speech-2", "music": "instrument-1"}
    for kind, name in signals.items():
        audio = clips.load_pair(clips.get_pair(name, arguments.edition))
        content = set_level(audio.content)
        for hop in HOPS:
            S = stft(content, n_fft=N_FFT, hop_length=hop).abs().numpy()
            found = methods(S, hop, len(content), None, arguments.repeats)
            if kind == "speech":
                found += against_librosa(S, hop, len(content), arguments.repeats)
            rows += [{"signal": kind} | row for row in found]
    S = optimise(audio.content, audio.style, GRAM).S
    found = methods(S, 1024, len(content), phase_of(content), arguments.repeats)
    found += polish_seconds(audio, arguments.repeats)
    rows += [{"signal": "transferred"} | row for row in found]
    table = pd.DataFrame(rows)
    table.insert(0, "edition", arguments.edition)
    path = paths.results_root() / "paper" / "bench_phase.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
