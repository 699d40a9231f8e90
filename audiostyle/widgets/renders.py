"""Transfers for the widgets: computed while one waits, or kept from an earlier run, with their numbers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from audiostyle.config import ENCODERS, TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import Pair, made_of
from audiostyle.datasets.keys import cache_key
from audiostyle.files.presets import Preset
from audiostyle.measures.table import sound_numbers
from audiostyle.sound.audio import load_audio, save_audio
from audiostyle.sound.files import whole_file
from audiostyle.transfer import TransferResult, transfer_style

METHODS = ("matched", *ENCODERS)


@dataclass(frozen=True)
class Rendered:
    """A result to listen to.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
        The sound, at the content's loudness.
    sr : int
        Sample rate in Hz.
    config : TransferConfig
        Settings that give it again; after a stop, ``n_iter`` are the iterations made.
    numbers : dict of str to float
        See `sound_numbers`; also ``iterations`` and ``seconds``.
    gain : float
        As `TransferResult.gain`; NaN where it was read from the store, with the numbers of the sound.
    stored : bool
        Whether it was read from the store.
    """

    y: np.ndarray
    sr: int
    config: TransferConfig
    numbers: dict[str, float]
    gain: float = float("nan")
    stored: bool = False


def method_config(method: str, balance: float, preset: Preset) -> TransferConfig:
    """Return the settings of a method at a balance: matched timbre, or the Gram matrix alone, as the paper has it.

    ``"infinite"`` is the limit of infinite width made quick, ``"random"`` the preset's filters.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not allowed; it must be one of {', '.join(METHODS)}")
    if method == "random":
        return replace(preset.config, encoder="random", balance=balance)
    named = "matched" if method == "matched" else "gram"
    return TransferConfig(named, balance, n_iter=preset.config.n_iter, phase="griffin_lim")


def render(
    content: np.ndarray,
    style: np.ndarray,
    sr: int,
    config: TransferConfig,
    *,
    callback: Callable[[int, dict, torch.Tensor], bool] | None = None,
) -> tuple[Rendered, TransferResult]:
    """Transfer and return the sound without its numbers, which `add_numbers` computes when the sound is out.

    Raises
    ------
    ValueError
        As `audiostyle.transfer.transfer_style`.
    """
    result = transfer_style(content, style, sr, config, progress=False, callback=callback)
    if result.reason == "callback":
        config = replace(config, n_iter=result.n_iter)  # what a stopped run did
    return replace(rendered(result), config=config), result


def rendered(result: TransferResult) -> Rendered:
    """Return the sound of a transfer, with what it took."""
    taken = {"iterations": float(result.n_iter), "seconds": float(sum(result.seconds.values()))}
    return Rendered(result.y, result.sr, result.config, taken, result.gain)


def add_numbers(given: Rendered, content: np.ndarray, style: np.ndarray) -> Rendered:
    """Return the same with `sound_numbers` added."""
    found = sound_numbers(given.y / np.float32(given.gain), content, style, given.config)
    return replace(given, numbers=given.numbers | found)


def _store_path(pair: Pair, duration: float, config: TransferConfig) -> Path:
    """Name a result after everything that makes it, the code included, so that a stale one is never found."""
    key = cache_key(__name__, sources=made_of(pair, duration), config=config)
    name = f"{pair.pair}-{config.encoder}-{config.balance:.2f}-{key}.flac"
    return paths.cache_dir() / "grid" / pair.edition / name


def load_stored(pair: Pair, duration: float, config: TransferConfig) -> Rendered | None:
    """Return a stored result of a pair, or None."""
    path = _store_path(pair, duration, config)
    numbers = path.with_suffix(".json")
    if not (path.is_file() and numbers.is_file()):
        return None
    y, sr = load_audio(path, sr=config.sr)
    return Rendered(y, sr, config, json.loads(numbers.read_text()), stored=True)


def store(pair: Pair, duration: float, given: Rendered) -> Path:
    """Keep a result under ``results/cache/grid``; returns the file of its sound.

    The sound goes first and the numbers last, so that a result without numbers is never taken for whole.
    """
    path = _store_path(pair, duration, given.config)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_audio(path, given.y, given.sr)
    with whole_file(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(given.numbers, indent=1, sort_keys=True) + "\n")
    return path
