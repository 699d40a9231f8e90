"""Transfers for the widgets: computed while one waits, or kept from an earlier run, with their numbers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from audiostyle.config import ENCODERS, TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import Pair, PairAudio, load_pair, made_of
from audiostyle.datasets.keys import cache_key
from audiostyle.measures.table import sound_numbers
from audiostyle.phase.griffin_lim import FAST_ITER, FAST_MOMENTUM
from audiostyle.sound.audio import load_audio, save_audio
from audiostyle.sound.files import whole_file
from audiostyle.studies.presets import Preset
from audiostyle.transfer import TransferResult, transfer_style

# What the polish starts from, and nothing more.
QUICK_PHASE = {"phase": "griffin_lim", "griffin_lim_iter": FAST_ITER, "momentum": FAST_MOMENTUM}
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
        Settings that give it again; after a stop, ``n_iter`` and ``polish_iter`` are the iterations made.
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
    start = "matched" if method == "matched" else "content"
    return TransferConfig(balance=balance, start=start, n_iter=preset.config.n_iter, **QUICK_PHASE)


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
        # what a stopped run did
        polished = 0 if result.polish_losses is None else len(result.polish_losses) - 1
        config = replace(config, n_iter=result.n_iter, polish_iter=polished)
    return _rendered(result, config), result


def _rendered(result: TransferResult, config: TransferConfig) -> Rendered:
    taken = {"iterations": float(result.n_iter), "seconds": float(sum(result.seconds.values()))}
    return Rendered(result.y, result.sr, config, taken, result.gain)


def add_numbers(rendered: Rendered, content: np.ndarray, style: np.ndarray) -> Rendered:
    """Return the same with `sound_numbers` added."""
    found = sound_numbers(rendered.y / np.float32(rendered.gain), content, style, rendered.config)
    return replace(rendered, numbers=rendered.numbers | found)


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


def store(pair: Pair, duration: float, rendered: Rendered) -> Path:
    """Keep a result under ``results/cache/grid``; returns the file of its sound.

    The sound goes first and the numbers last, so that a result without numbers is never taken for whole.
    """
    path = _store_path(pair, duration, rendered.config)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_audio(path, rendered.y, rendered.sr)
    with whole_file(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(rendered.numbers, indent=1, sort_keys=True) + "\n")
    return path


def store_run(pair: Pair, audio: PairAudio, result: TransferResult) -> Path:
    """Keep the result of a transfer of a whole pair, with its numbers, as `store` does."""
    numbered = add_numbers(_rendered(result, result.config), audio.content, audio.style)
    return store(pair, len(audio.content) / audio.sr, numbered)


def fill_grid(
    pair: Pair, preset: Preset, balances: list[float], *, methods: tuple[str, ...] = METHODS
) -> dict[tuple[str, float], Rendered]:
    """Make sure that results of a pair are stored, and return them by method and balance.

    Parameters
    ----------
    pair : Pair
    preset : Preset
        Gives the duration and the random method.
    balances : list of float
    methods : tuple of {"matched", "infinite", "random"}

    Returns
    -------
    dict of (method, balance) to Rendered

    Notebook: 09_compare_pairs.ipynb
    """
    found = {}
    audio = load_pair(pair, duration=preset.duration)
    for method in methods:
        for balance in balances:
            config = method_config(method, balance, preset)
            kept = load_stored(pair, preset.duration, config)
            if kept is None:
                rendered, _ = render(audio.content, audio.style, audio.sr, config)
                kept = add_numbers(rendered, audio.content, audio.style)
                store(pair, preset.duration, kept)
            found[method, balance] = kept
    return found
