"""Vary one choice at a time, and instruments against each other, for notebook 11.

``python -m benchmarks.ablations {ablations,instruments,voices}`` writes ``trade_offs_<name>.csv``. Everything is
scored by `audiostyle.measures.table.evaluate_sound` at the default settings, whatever was varied; the sound
comes from 200 iterations of fast Griffin-Lim from the content's phase, because the polish is written for
log1p and would hide what the magnitudes lost.
"""

import argparse
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import torch

from audiostyle.config import TransferConfig
from audiostyle.datasets import clips, paths
from audiostyle.datasets.clips import PairAudio
from audiostyle.datasets.corpora import SAMPLE_RATE, load_recordings
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.losses import TransferLoss, loss_units
from audiostyle.measures.table import evaluate_sound
from audiostyle.phase.griffin_lim import FAST_MOMENTUM, griffin_lim, phase_of
from audiostyle.sound.audio import fix_length, set_level
from audiostyle.spectrogram import log_magnitude, stft
from audiostyle.transfer import optimise, transfer_style
from experiments.pairs import levelled
from experiments.presets import GRAM
from experiments.results import Results

BALANCES = (0.5, 0.8)
PAIRS = ("instrument-1", "speech-2")
DEFAULT = GRAM
# Forward and inverse of each compression of the magnitudes.
COMPRESSIONS: dict[str, tuple[Callable, Callable]] = {
    "log1p": (torch.log1p, torch.expm1),
    "power 0.3": (lambda S: S.pow(0.3), lambda X: X.pow(1 / 0.3)),
    "power 0.5": (torch.sqrt, torch.square),
    "linear": (lambda S: S, lambda X: X),
}
INSTRUMENTS = {
    "violin": "telmanyi_bach_bwv1001_violin",
    "piano": "freesound_piano",
    "guitar": "freesound_jazz_guitar",
    "trumpet": "solo_trumpet",
    "cello": "cello_phrase",
    "voice": "vocadito_14",
}
# Where a clip begins later than the registry says: the trumpet's first seconds, the violin as in pair instrument-1.
STARTS = {"violin": 3.0, "trumpet": 2.0}


def settings() -> Iterator[tuple[str, str, TransferConfig, dict]]:
    """Yield the choice, its value, the configuration and what is not in a configuration."""
    for k in (1, 3, 5, 11, 21):
        yield "kernel size", str(k), replace(DEFAULT, kernel_size=k), {}
    yield "kernel size", "1 + 3 + 11 + 21", DEFAULT, {"widths": (1, 3, 11, 21)}
    for activation in ("relu", "leaky_relu", "none"):
        yield "activation", activation, replace(DEFAULT, activation=activation), {}
    for name in COMPRESSIONS:
        yield "compression", name, DEFAULT, {"compression": name}
    for hop in (1024, 512):
        yield "hop", str(hop), replace(DEFAULT, hop_length=hop), {}
    for start in ("content", "noise"):
        yield "start", start, DEFAULT, {"start": start}
    for n in (64, 256, 1024):
        for seed in (0, 1):
            yield "filters", str(n), replace(DEFAULT, encoder="random", n_filters=n, seed=seed), {}


def ablated_sound(
    audio: PairAudio, config: TransferConfig, *, compression="log1p", widths=(), start="content"
) -> np.ndarray:
    """Optimise compressed magnitudes and make the sound, at level 0.05; `widths` add the losses of several layers."""
    content, style = levelled(audio, config.level)
    compress, expand = COMPRESSIONS[compression]
    C, A = (
        compress(stft(y, n_fft=config.n_fft, hop_length=config.hop_length).abs()) for y in (content, style)
    )
    terms = _layers([InfiniteEncoder(k) for k in widths], C, A, config.balance) if widths else {}
    found = optimise(C, A, config, start=start, tolerance=1e-5, **terms)
    return griffin_lim(
        expand(found.x).numpy(),
        n_iter=200,
        hop_length=config.hop_length,
        momentum=FAST_MOMENTUM,
        init=phase_of(content, n_fft=config.n_fft, hop_length=config.hop_length),
        length=len(content),
    )


def _layers(encoders: list, C: torch.Tensor, A: torch.Tensor, balance: float) -> dict:
    """Return what `optimise` needs to add the losses of several encoders, eq. 4; all are divided by the mean units."""
    units = tuple(np.mean([loss_units(encoder, C, A) for encoder in encoders], axis=0))
    others = [TransferLoss(encoder, C, A, balance=balance, units=units) for encoder in encoders[1:]]

    def extra(X: torch.Tensor) -> tuple[float, torch.Tensor]:
        found = [loss(X) for loss in others]
        return sum(value.total for value in found), sum(value.gradient for value in found)

    return {"encoder": encoders[0], "units": units, "extra": extra}


def ablations(edition: str) -> Iterator[dict]:
    """Vary one choice at a time on two pairs."""
    for name in PAIRS:
        pair = clips.get_pair(name, edition)
        audio = clips.load_pair(pair)
        content, style = levelled(audio, DEFAULT.level)
        for choice, value, config, extra in settings():
            for balance in BALANCES:
                y = ablated_sound(audio, replace(config, balance=balance), **extra)
                numbers = evaluate_sound(y, content, style, pitch=False)
                row = {"pair": name, "edition": edition, "choice": choice, "value": value}
                yield row | {"balance": balance, "seed": config.seed} | numbers


def instruments(edition: str) -> Iterator[dict]:
    """Give every instrument the sound of every other at the default settings."""
    sounds = {}
    for name, clip in INSTRUMENTS.items():
        y, _ = clips.load_clip(clip, start=STARTS.get(name), duration=8.0)
        sounds[name] = set_level(fix_length(y, 8 * DEFAULT.sr))
    for content_name, content in sounds.items():
        for style_name, style in sounds.items():
            if content_name == style_name:
                continue
            result = transfer_style(content, style, config=DEFAULT, progress=False)
            before = evaluate_sound(content, content, style, pitch=False)
            after = evaluate_sound(result.y_computed, content, style)
            row = {"content": content_name, "style": style_name, "edition": edition, "seed": 0}
            yield row | {"mfcc_frechet_before": before["mfcc_frechet"]} | after


def voices(_edition: str) -> Iterator[dict]:
    """Ask the paper's classifier whose voice it hears in a converted one.

    Each of four VCTK speakers reads another's sentence: the first utterance of one is the content, the second of the
    other the style. The classifier is the nearest neighbour under the cosine of the Gram matrices, among
    eight further utterances of each speaker. ``margin`` is the similarity to the style's speaker less that to
    the content's.
    """
    mirror = paths.mirror_dir() or paths.data_dir()
    items = load_recordings(mirror / "vctk4", per_speaker=10)
    encoder = InfiniteEncoder()
    by_speaker = {
        name: [items.ys[i] for i in np.flatnonzero(items.speakers == name)]
        for name in np.unique(items.speakers)
    }
    known = {name: [_encoded(encoder, y) for y in ys[2:]] for name, ys in by_speaker.items()}
    ways = {
        "content": None,
        "4096 filters, Griffin-Lim": TransferConfig.paper(n_iter=40),
        "polish": DEFAULT,
        "waveform": DEFAULT,
    }
    for content_name, style_name in permutations(by_speaker, 2):
        content, style = by_speaker[content_name][0], by_speaker[style_name][1]
        for method, config in ways.items():
            for balance in BALANCES if config else (float("nan"),):
                y = content
                if config:
                    at = replace(config, sr=SAMPLE_RATE, balance=balance)
                    if method == "waveform":
                        y = optimise(content, style, at, samples=True).x.numpy()
                    else:
                        y = transfer_style(content, style, SAMPLE_RATE, at, progress=False).y
                like = {
                    name: _likeness(encoder, _encoded(encoder, y), others) for name, others in known.items()
                }
                yield {
                    "content": content_name,
                    "style": style_name,
                    "method": method,
                    "balance": balance,
                    "seed": 0,
                    "heard": max(like, key=like.get),
                    "margin": like[style_name] - like[content_name],
                }


def _encoded(encoder: InfiniteEncoder, y: np.ndarray):
    x = encoder.encode(log_magnitude(set_level(y)))
    return x, float(encoder.gram_inner(x, x))


def _likeness(encoder: InfiniteEncoder, one, others) -> float:
    x, length = one
    return max(float(encoder.gram_inner(x, other)) / (length * own) ** 0.5 for other, own in others)


EXPERIMENTS = {"ablations": ablations, "instruments": instruments, "voices": voices}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--edition", choices=clips.EDITIONS, default="recorded")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    results = Results("paper", arguments.edition)
    rows = []
    for row in EXPERIMENTS[arguments.experiment](arguments.edition):
        rows.append(row)
        results.save_table(pd.DataFrame(rows), f"trade_offs_{arguments.experiment}")
        logging.info("%s", list(row.values())[:5])


if __name__ == "__main__":
    main()
