"""Transfers for the widgets: computed while one waits, or kept from an earlier run, with their numbers."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audiostyle.cache import cache_key, read_arrays, write_arrays
from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import Pair, made_of
from audiostyle.files.presets import Preset
from audiostyle.measures.table import sound_numbers
from audiostyle.transfer import TransferResult, transfer_style
from audiostyle.widgets.player import analysed

METHODS = ("matched", "infinite", "random")


class Rendered(NamedTuple):
    """A result to listen to.

    The sound and its rate; the settings that give it again (after a stop, ``n_iter`` is the number of iterations made);
    the numbers of `audiostyle.measures.table.sound_numbers`, and ``seconds``.
    """

    y: np.ndarray
    sr: int
    config: TransferConfig
    numbers: dict[str, float]


def method_config(method: str, balance: float, preset: Preset) -> TransferConfig:
    """Return the settings of one of `METHODS`: matched timbre, or the Gram matrix of the limit or of random filters."""
    if method == "random":
        return replace(preset.config, balance=balance)
    name = "matched" if method == "matched" else "gram"
    return TransferConfig(name, balance=balance, n_iter=preset.config.n_iter)


def render(
    content: np.ndarray, style: np.ndarray, sr: int, config: TransferConfig, callback: Callable | None = None
) -> tuple[Rendered, TransferResult]:
    """Transfer; return the sound with its numbers, and everything about it."""
    result = transfer_style(content, style, sr, config, progress=False, callback=callback)
    return rendered(result, content, style, sr), result


def rendered(result: TransferResult, content: np.ndarray, style: np.ndarray, sr: int) -> Rendered:
    """Return the sound of a transfer with its numbers, those of one channel at the configuration's rate."""
    config, rate = result.config, result.config.sr
    heard = analysed(result.y, result.sr, rate) / np.float32(result.gain)
    numbers = {"seconds": result.seconds}
    with contextlib.suppress(ValueError):  # too short for a distance of patches
        numbers |= sound_numbers(heard, analysed(content, sr, rate), analysed(style, sr, rate), config)
    if result.optimum and result.optimum.reason == "callback":
        config = replace(config, n_iter=result.n_iter)
    return Rendered(result.y, result.sr, config, numbers)


def described(made: Rendered) -> str:
    """Return, in words, the style loss left (1 is the content's own) and the chroma similarity to the content."""
    forms = {"style_share_limit": "style loss {:.3f}", "chroma_similarity": "chroma {:.2f}"}
    return " · ".join(form.format(made.numbers[key]) for key, form in forms.items() if key in made.numbers)


def _file(pair: Pair, duration: float, config: TransferConfig) -> Path:
    key = cache_key("grid", sources=made_of(pair, duration), config=config)
    return paths.cache_dir() / "grid" / pair.edition / f"{pair.pair}-{config.balance:.2f}-{key}.npz"


def load_stored(pair: Pair, duration: float, config: TransferConfig) -> Rendered | None:
    """Return a stored result of a pair, or None."""
    arrays = read_arrays(_file(pair, duration, config))
    if arrays is None:
        return None
    y, sr = arrays.pop("y"), int(arrays.pop("sr"))
    return Rendered(y, sr, config, {name: float(value) for name, value in arrays.items()})


def store(pair: Pair, duration: float, made: Rendered) -> None:
    """Keep a result under ``results/cache/grid``."""
    write_arrays(_file(pair, duration, made.config), {"y": made.y, "sr": made.sr, **made.numbers})
