"""Trade-off curves: how much timbre for how much of the content, by method, with reference points.

``python -m experiments.trade_offs {references,curves,paper,polish}`` fills ``results/paper/recorded/trade_offs*.csv``.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.config import TransferConfig
from audiostyle.datasets import clips
from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.figures.labels import separate_labels
from audiostyle.losses import loss_units, style_loss
from audiostyle.measures.table import (
    COPY_CONTENT,
    COPY_STYLE,
    EQUALISER,
    MATCHED,
    evaluate_sound,
    fresh_encoder,
)
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.optimize import Optimum
from audiostyle.phase.griffin_lim import phase_of
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import make_sound, optimise, transfer_style
from experiments.pairs import PLAIN, POLISH
from experiments.phase import reconstruct_phase
from experiments.presets import GRAM
from experiments.results import Results
from experiments.truth import CROSS, METHODS, MUSAICING

PAPER = "4096 filters, Griffin-Lim"
WAVEFORM = "waveform"
_SHORT = TransferConfig.paper(n_iter=40)
REFERENCES = (COPY_CONTENT, COPY_STYLE, EQUALISER, MUSAICING, CROSS)
# Name in the tables, method and start of each way from magnitudes to sound; "content" is the content's phase.
PHASES = {
    PLAIN: ("griffin_lim", "random"),
    "infinite, Griffin-Lim from the content": ("griffin_lim", "content"),
    "infinite, fast Griffin-Lim": ("fast_griffin_lim", "content"),
    "infinite, PGHI, fast Griffin-Lim": ("fast_griffin_lim", "pghi"),
    "infinite, local weights": ("local_weights", "content"),
}
TIMBRE_MEASURES = ("style_share_limit", "mfcc_frechet", "texture_distance")
CONTENT_MEASURES = ("chroma_similarity", "onset_f")
_LABELS = {
    "chroma_similarity": "notes kept: chroma cosine to the content →",
    "mfcc_frechet": "← timbre: MFCC Fréchet distance to the style",
    "texture_distance": "← texture distance to the style",
    "style_share_limit": "← style loss of the sound / content's",
    "style_distance": "← distance to the style, as listeners hear",
    "onset_f": "onsets kept: F-measure →",
}
_LINES = {
    PAPER: {"color": "#7b4fa3", "marker": "D", "ls": ":"},
    PLAIN: {"color": "#c8553d", "marker": "s", "ls": "-."},
    POLISH: {"color": "#1b6ca8", "marker": "o", "ls": "-"},
    WAVEFORM: {"color": "#3d7a4b", "marker": "^", "ls": "--"},
    MATCHED: {"color": "#8a5a00", "marker": "p", "ls": (0, (5, 1))},
}
_POINTS = dict(zip(REFERENCES, "PXd*v", strict=True))


def levelled(audio: PairAudio) -> tuple[np.ndarray, np.ndarray]:
    """Return content and style at the level of the computation."""
    return set_level(audio.content), set_level(audio.style)


def _timed(make: Callable, *arguments, **options) -> tuple:
    started = time.perf_counter()
    return make(*arguments, **options), time.perf_counter() - started


def sounds(
    audio: PairAudio, optimum: Optimum, config: TransferConfig, methods: Sequence[str] = tuple(PHASES)
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield name, waveform and seconds of some of `PHASES`, and of the polish, from the magnitudes of an optimum."""
    content = set_level(audio.content)
    for name in methods:
        method, start = PHASES[name]
        how = {"method": method, "init": phase_of(content) if start == "content" else start}
        yield name, *_timed(reconstruct_phase, optimum.S, length=len(content), **how)
    (y, *_), took = _timed(make_sound, optimum, content, replace(config, phase="polish"))
    yield POLISH, y, took


def curve_rows(
    pair: Pair, audio: PairAudio, *, balances: Sequence[float] = (0.3, 0.5, 0.7, 0.9), config=GRAM
) -> Iterator[dict]:
    """Yield a row for the infinite encoder with Griffin-Lim and polish, and for the waveform, at every balance."""
    for balance in balances:
        at = replace(config, balance=balance)
        optimum, seconds = _timed(optimise, audio.content, audio.style, at)
        for method, y, more in sounds(audio, optimum, at, [PLAIN]):
            yield _row(pair, audio, method, y, seconds + more, balance)
        yield _row(pair, audio, WAVEFORM, *_timed(waveform, audio, at), balance)


def waveform(audio: PairAudio, config: TransferConfig) -> np.ndarray:
    """Optimise the samples themselves, from the content; at the level of the computation."""
    found = optimise(audio.content, audio.style, config, samples=True)
    return make_sound(found, audio.content, config)[0]


def paper_rows(
    pair: Pair,
    audio: PairAudio,
    *,
    balances=(0.3, 0.5, 0.8),
    seeds=(0,),
    config=_SHORT,
) -> Iterator[dict]:
    """Yield rows for the paper's way: random filters, Griffin-Lim from a random phase, a row for every seed."""
    for balance, seed in product(balances, seeds):
        yield _transferred(pair, audio, PAPER, replace(config, balance=balance, seed=seed))


def matched_rows(
    pair: Pair, audio: PairAudio, *, balances: Sequence[float], config: TransferConfig
) -> Iterator[dict]:
    """Yield a row for matched timbre at every balance: up to 0.5 a filter, above that with texture."""
    for balance in balances:
        yield _transferred(pair, audio, MATCHED, replace(config, method="matched", balance=balance))


def _transferred(pair: Pair, audio: PairAudio, method: str, config: TransferConfig) -> dict:
    result = transfer_style(audio.content, audio.style, audio.sr, config, progress=False)
    took = sum(result.seconds.values())
    return _row(pair, audio, method, result.y_computed, took, config.balance, config.seed)


def reference_rows(pair: Pair, audio: PairAudio) -> Iterator[dict]:
    """Yield a row for each of the two copies, the equaliser, NMF musaicing and cross-synthesis."""
    for method in REFERENCES:
        y, took = _timed(METHODS[method], *levelled(audio), audio.sr)
        # A reference's own gain means nothing: all are compared at the content's level.
        yield _row(pair, audio, method, set_level(y), took)


def _row(
    pair: Pair, audio: PairAudio, method: str, y: np.ndarray, seconds: float, balance=float("nan"), seed=0
) -> dict:
    key = {"pair": pair.pair, "edition": pair.edition, "method": method, "balance": balance, "seed": seed}
    return key | evaluate_sound(y, *levelled(audio), target=audio.target) | {"seconds": seconds}


def polish_rows(
    pair: Pair, audio: PairAudio, *, balances: Sequence[float] = (0.5, 0.8), config: TransferConfig = GRAM
) -> Iterator[dict]:
    """Yield the style loss of the sound, by phase method, under a bank of filters that was never optimised.

    ``style_share_fresh`` is relative to the content's style loss, ``over_optimum_fresh`` to that of the magnitudes
    before any phase was found.
    """
    judge = fresh_encoder(config.n_filters)
    C, A = (log_magnitude(y) for y in levelled(audio))
    style, (_, before) = judge.encode(A), loss_units(judge, C, A)
    for balance in balances:
        optimum, took = _timed(optimise, audio.content, audio.style, replace(config, balance=balance))
        spectra = [("magnitudes", optimum.x, took)]
        spectra += [(method, log_magnitude(y), s) for method, y, s in sounds(audio, optimum, config)]
        left = [float(style_loss(judge, X, style)) for _, X, _ in spectra]
        for (method, _, seconds), loss in zip(spectra, left, strict=True):
            key = {
                "pair": pair.pair,
                "edition": pair.edition,
                "balance": balance,
                "seed": 0,
                "method": method,
            }
            of = {"style_share_fresh": loss / before, "over_optimum_fresh": loss / left[0]}
            yield key | of | {"seconds": seconds}


def target_rows(pair: Pair, audio: PairAudio, *, config: TransferConfig = GRAM) -> Iterator[dict]:
    """Yield the log-spectral distance to a known target, in dB, of the references and of some settings."""
    made = {method: METHODS[method](*levelled(audio), audio.sr) for method in REFERENCES}
    settings = {
        f"{config.phase}, balance {b:g}, kernel {k}": replace(config, balance=b, kernel_size=k)
        for b, k in ((0.3, 11), (0.5, 11), (0.5, 3))
    }
    settings[MATCHED] = replace(config, method="matched", balance=0.5)
    for name, at in settings.items():
        made[name] = transfer_style(audio.content, audio.style, audio.sr, at, progress=False).y
    for method, y in made.items():
        distance = log_spectral_distance(y, audio.target, audio.sr)
        yield {"pair": pair.pair, "method": method, "target_distance_db": distance}


def better(
    table: pd.DataFrame, method: str, reference: str, *, timbre: str, content: str, margin: float = 0.0
) -> pd.Series:
    """Return, pair by pair, whether a method's curve beats a reference, at balance 0.5, on two measures.

    Some point of the curve, those interpolated between its balances and its begin, "copy the content", included, is
    better in one by more than the share `margin` and no worse in the other. Lower `timbre` and higher `content` are
    better; of several seeds the mean is taken. One of `REFERENCES` is no curve but a point.
    """
    found = {}
    for pair, group in table.groupby("pair", sort=False):
        own = group[group["method"].isin([method] if method in REFERENCES else [method, COPY_CONTENT])]
        at = group["balance"].isna() | np.isclose(group["balance"], 0.5)
        x0, y0 = group[at & (group["method"] == reference)][[content, timbre]].mean()
        # Along the curve in the order of its balance, which "copy the content" (no balance) begins.
        points = own.fillna({"balance": 0.0}).groupby("balance")[[content, timbre]].mean().to_numpy()
        at = np.linspace(0, max(len(points) - 1, 0), 400)
        kept, taken = (np.interp(at, np.arange(len(points)), points[:, i]) for i in range(2))
        gained = (kept > x0 * (1 + margin)) | (taken < y0 * (1 - margin))
        found[pair] = bool(((kept >= x0) & (taken <= y0) & gained).any())
    return pd.Series(found)


def scoreboard(table: pd.DataFrame, contests: list[tuple[str, str]], *, margin: float = 0.0) -> pd.DataFrame:
    """Count the pairs on which a method's curve beats a point (`better`), for every timbre and content measure.

    Rows are the contests, curve and point; columns content and timbre measure; entries such as ``"5 of 6"``.
    """
    board = {}
    for content, timbre in product(CONTENT_MEASURES, TIMBRE_MEASURES):
        how = {"timbre": timbre, "content": content, "margin": margin}
        won = [better(table, *contest, **how) for contest in contests]
        board[content, timbre] = [f"{pairs.sum()} of {len(pairs)}" for pairs in won]
    index = pd.MultiIndex.from_tuples(contests, names=["curve", "point"])
    return pd.DataFrame(board, index=index).rename_axis(columns=["content kept", "timbre"])


def draw_curves(table: pd.DataFrame, *, ax: Axes, x: str, y: str, title: str = "") -> None:
    """Draw a line over the balance for every method and a point for every reference, of one pair.

    Rows that differ in the seed alone are drawn as their mean with bars from the least to the largest.
    """
    for method, look in _LINES.items():
        by_balance = table[table["method"] == method].groupby("balance")[[x, y]]
        mean, low, high = by_balance.mean(), by_balance.min(), by_balance.max()
        if len(mean):
            bars = [np.stack([mean[c] - low[c], high[c] - mean[c]]) for c in (x, y)]
            ax.errorbar(mean[x], mean[y], bars[1], bars[0], ms=5, capsize=2, label=method, **look)
        if method in (POLISH, MATCHED):
            for balance, point in mean.iterrows():
                at = {"color": look["color"], "ha": "center", "va": "center", "fontsize": 7}
                ax.text(point[x], point[y], f"{balance:g}", **at)
    for method, marker in _POINTS.items():
        own = table[table["method"] == method]
        if len(own):
            ax.plot(own[x], own[y], marker, color="#3a3a3a", ms=8, ls="none", label=method)
    ax.set_title(title, fontsize=10)
    ax.grid(alpha=0.3)


def show_curves(
    table: pd.DataFrame, *, x: str = "chroma_similarity", y: str = "mfcc_frechet", title: str = ""
) -> Figure:
    """Draw `draw_curves` for every pair of a table, three in a row."""
    groups = dict(list(table.groupby("pair", sort=False)))
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    size = (4.4 * columns + (2.5 if columns == 1 else 0), 3.5 * rows + 0.8)
    fig, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for ax in axes.flat[len(groups) :]:
        ax.axis("off")
    for ax, (pair, group) in zip(axes.flat, groups.items(), strict=False):
        draw_curves(group, ax=ax, x=x, y=y, title=pair)
    fig.supxlabel(_LABELS.get(x, x), fontsize=9)
    fig.supylabel(_LABELS.get(y, y), fontsize=9)
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    fig.suptitle(title, fontsize=11)
    for ax, group in zip(axes.flat, groups.values(), strict=False):
        separate_labels(ax, group[[x, y]].to_numpy())
    return fig


def show_polish(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw rows of `polish_rows`, by pair and phase method, a panel for each balance."""
    balances, methods = sorted(table["balance"].unique()), [*PHASES, POLISH]
    size = (4.6 * len(balances) + 2.2, 3.8)
    fig, axes = plt.subplots(1, len(balances), figsize=size, layout="constrained", squeeze=False)
    for ax, balance in zip(axes.flat, balances, strict=True):
        at = table[table["balance"] == balance]
        wide = at.pivot(index="pair", columns="method", values="over_optimum_fresh")[methods]
        for (method, values), marker in zip(wide.items(), "sv^DXo", strict=True):
            ax.plot(values, marker, label=method.removeprefix("infinite, "), alpha=0.85)
        ax.axhline(1.0, color="k", lw=0.8)
        ax.set(yscale="log", title=f"balance {balance:g}")
        ax.set_yticks(ticks := [1, 1.5, 2, 3, 4, 5], ticks)
        ax.minorticks_off()
        ax.tick_params(axis="x", rotation=25)
        ax.grid(alpha=0.3)
    axes.flat[0].set_ylabel("style loss, sound / magnitudes")
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    fig.suptitle(title, fontsize=11)
    return fig


EXPERIMENTS = {
    "references": ("trade_offs", reference_rows),
    "curves": ("trade_offs_curves", curve_rows),
    "paper": ("trade_offs_paper", paper_rows),
    "polish": ("trade_offs_polish", polish_rows),
}


def main(argv: list[str] | None = None) -> None:
    """Fill a table, row by row; rows that are not made now are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", choices=EXPERIMENTS)
    table, rows_of = EXPERIMENTS[parser.parse_args(argv).experiment]
    for pair in clips.pairs("recorded"):
        for row in rows_of(pair, clips.load_pair(pair)):
            keys = ["pair", "method", "balance", "seed"]
            Results("paper", "recorded").update_table(pd.DataFrame([row]), table, keys=keys)
            sys.stdout.write(f"{pair.pair} {row['method']} {row['balance']}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
