"""Transfers for the widgets: computed while one waits, or kept from an earlier run, with their numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.cache import cache_key, read_arrays, write_arrays
from audiostyle.datasets.clips import Pair, made_of
from audiostyle.files.presets import Preset
from audiostyle.measures.table import sound_numbers
from audiostyle.transfer import TransferResult, transfer_style
from audiostyle.widgets.player import analysed

METHODS = ("matched", "infinite", "random")
# Rows of a table of numbers: key, words, format.
_ROWS = (
    ("style_share_limit", "style loss left (1 = content)", "{:.3f}"),
    ("chroma_similarity", "chroma similarity to the content", "{:.2f}"),
    ("mfcc_distance", "MFCC distance to the style", "{:.1f}"),
    ("seconds", "seconds of computing", "{:.1f}"),
)


class Rendered(NamedTuple):
    """A result to listen to.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]
        The sound at the content's loudness, and its sample rate `sr` in Hz.
    config : TransferConfig
        Settings that give it again; after a stop, ``n_iter`` is the number of iterations made.
    numbers : dict of str to float
        ``seconds``, and those of `add_numbers`.
    gain : float
        As of `TransferResult`; 1 where it was read from the store.
    """

    y: np.ndarray
    sr: int
    config: TransferConfig
    numbers: dict[str, float]
    gain: float = 1.0


def method_config(method: str, balance: float, preset: Preset) -> TransferConfig:
    """Return the settings of one of `METHODS`: matched timbre, or the Gram matrix of the limit or of random filters."""
    if method == "random":
        return replace(preset.config, balance=balance)
    name = "matched" if method == "matched" else "gram"
    return TransferConfig(name, balance=balance, n_iter=preset.config.n_iter)


def render(
    content: np.ndarray,
    style: np.ndarray,
    sr: int,
    config: TransferConfig,
    callback: Callable[..., bool] | None = None,
) -> tuple[Rendered, TransferResult]:
    """Transfer; return the sound without the numbers of `add_numbers`, and everything about it."""
    result = transfer_style(content, style, sr, config, progress=False, callback=callback)
    return rendered(result), result


def rendered(result: TransferResult) -> Rendered:
    """Return the sound of a transfer, with the time it took."""
    config = result.config
    if result.stopped:
        config = replace(config, n_iter=result.n_iter)
    return Rendered(
        result.y, result.sr, config, {"seconds": float(sum(result.seconds.values()))}, result.gain
    )


def add_numbers(made: Rendered, content: np.ndarray, style: np.ndarray, sr: int) -> Rendered:
    """Return the same with `audiostyle.measures.table.sound_numbers` of one channel at the configuration's rate."""
    rate = made.config.sr
    heard = analysed(made.y, made.sr, rate) / np.float32(made.gain)
    found = sound_numbers(heard, analysed(content, sr, rate), analysed(style, sr, rate), made.config)
    return made._replace(numbers=made.numbers | found)


def number_table(results: dict[str, Rendered | None] | None = None) -> str:
    """Return the numbers of results by heading as an HTML table; a dash stands where there is none."""
    results = results or {"result": None}
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Numbers of the sound", *results))
    columns = [result.numbers if result else {} for result in results.values()]
    body = "".join(
        f'<tr><th scope="row">{words}</th>'
        + "".join(f"<td>{form.format(numbers[key]) if key in numbers else '–'}</td>" for numbers in columns)
        + "</tr>"
        for key, words, form in _ROWS
    )
    return (
        '<div class="as-table" tabindex="0" role="region" aria-label="Numbers">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


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
