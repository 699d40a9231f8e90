"""Trade-off curves: how much timbre for how much of the content, by method, with reference points; notebook 11.

``python -m experiments.trade_offs {references,curves,paper,polish}`` fills the tables that the notebook shows.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from librosa.util import fix_length
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiostyle.baselines.cross_synthesis import cross_synthesis
from audiostyle.baselines.equaliser import equaliser
from audiostyle.baselines.musaicing import nmf_musaicing
from audiostyle.config import TransferConfig
from audiostyle.datasets import clips
from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.encoders.infinite import InfiniteEncoder
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
from audiostyle.phase.griffin_lim import phase_of, spectral_convergence
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import make_sound, optimise, transfer_style
from experiments.pairs import PLAIN, POLISH
from experiments.phase import reconstruct_phase
from experiments.presets import GRAM
from experiments.results import Results
from experiments.truth import CROSS, MUSAICING

PAPER = "4096 filters, Griffin-Lim"
WAVEFORM = "waveform"
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
KEYS = ["pair", "method", "balance", "seed"]
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


def sounds(
    audio: PairAudio, optimum: Optimum, config: TransferConfig, *, methods: Sequence[str] = tuple(PHASES)
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Turn the magnitudes of an optimum into sound by some of `PHASES` and by the polish: name, waveform, seconds."""
    content = set_level(audio.content)
    for name in methods:
        method, init = PHASES[name]
        started = time.perf_counter()
        start = phase_of(content) if init == "content" else init
        y = reconstruct_phase(optimum.S, method=method, init=start, length=len(content))
        yield name, y, time.perf_counter() - started
    started = time.perf_counter()
    y, *_ = make_sound(optimum, content, replace(config, phase="polish"))
    yield POLISH, y, time.perf_counter() - started


def curve_rows(
    pair: Pair,
    audio: PairAudio,
    *,
    balances: Sequence[float] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.9),
    methods: Sequence[str] = (PLAIN,),
    config: TransferConfig = GRAM,
) -> Iterator[dict]:
    """Yield a row for the infinite encoder with each phase method and for the waveform, at every balance.

    The two losses are under the infinite encoder, the mean over all banks of filters; every number but
    ``style_share_optimised`` is of the sound.
    """
    for balance in balances:
        at = replace(config, balance=balance)
        started = time.perf_counter()
        optimum = optimise(audio.content, audio.style, at)
        seconds = time.perf_counter() - started
        for method, y, more in sounds(audio, optimum, at, methods=methods):
            row = _row(pair, audio, method, y, balance=balance, seconds=seconds + more)
            row["style_share_optimised"] = optimum.value.style / optimum.loss.style_unit
            yield row | {"spectral_convergence_db": spectral_convergence(optimum.S, y)}
        started = time.perf_counter()
        y = waveform(audio, at)
        took = time.perf_counter() - started
        yield _row(pair, audio, WAVEFORM, y, balance=balance, seconds=took)


def waveform(audio: PairAudio, config: TransferConfig) -> np.ndarray:
    """Optimise the samples themselves, from the content; at the level of the computation."""
    found = optimise(audio.content, audio.style, config, samples=True)
    return make_sound(found, audio.content, config)[0]


def paper_rows(
    pair: Pair,
    audio: PairAudio,
    *,
    balances: Sequence[float] = (0.3, 0.5, 0.8),
    seeds: Sequence[int] = (0, 1),
    config: TransferConfig | None = None,
) -> Iterator[dict]:
    """Yield rows for the paper's way: random filters, Griffin-Lim from a random phase, a row for every seed."""
    config = config or TransferConfig.paper(n_iter=40)
    for balance in balances:
        for seed in seeds:
            at = replace(config, balance=balance, seed=seed)
            result = transfer_style(audio.content, audio.style, audio.sr, at, progress=False)
            took = sum(result.seconds.values())
            row = _row(pair, audio, PAPER, result.y_computed, balance=balance, seconds=took, seed=seed)
            row["style_share_optimised"] = float(result.losses["style"].iloc[-1] / result.style_unit)
            yield row | {"spectral_convergence_db": float(result.convergence[-1])}


def matched_rows(
    pair: Pair, audio: PairAudio, *, balances: Sequence[float], config: TransferConfig
) -> Iterator[dict]:
    """Yield a row for matched timbre at every balance: up to 0.5 a filter, above that with texture."""
    for balance in balances:
        at = replace(config, method="matched", balance=balance)
        result = transfer_style(audio.content, audio.style, audio.sr, at, progress=False)
        took = sum(result.seconds.values())
        yield _row(pair, audio, MATCHED, result.y_computed, balance=balance, seconds=took)


def _reference(method: str, content: np.ndarray, style: np.ndarray) -> np.ndarray:
    others = {EQUALISER: equaliser, MUSAICING: nmf_musaicing, CROSS: cross_synthesis}
    if method in others:
        return others[method](content, style)
    return content if method == COPY_CONTENT else fix_length(style, size=len(content))


def reference_rows(pair: Pair, audio: PairAudio) -> Iterator[dict]:
    """Yield a row for each of the two copies, the equaliser, NMF musaicing and cross-synthesis."""
    for method in REFERENCES:
        started = time.perf_counter()
        y = _reference(method, *levelled(audio))
        took = time.perf_counter() - started
        # A reference's own gain means nothing: all are compared at the content's level.
        yield _row(pair, audio, method, set_level(y), balance=float("nan"), seconds=took)


def _row(
    pair: Pair, audio: PairAudio, method: str, y: np.ndarray, *, balance: float, seconds: float, seed: int = 0
) -> dict:
    key = {"pair": pair.pair, "edition": pair.edition, "method": method, "balance": balance, "seed": seed}
    numbers = evaluate_sound(y, *levelled(audio), target=audio.target)
    of_magnitudes = {"spectral_convergence_db": float("nan"), "style_share_optimised": float("nan")}
    return key | numbers | of_magnitudes | {"seconds": seconds}


def polish_rows(
    pair: Pair, audio: PairAudio, *, balances: Sequence[float] = (0.5, 0.8), config: TransferConfig = GRAM
) -> Iterator[dict]:
    """Yield the style loss of the sound over that of the magnitudes, under a bank never optimised, by method.

    ``style_share_fresh`` is relative to the content's style loss, ``over_optimum_fresh`` to that of the magnitudes
    before any phase was found; both under fresh filters, ``over_optimum_limit`` under the infinite encoder.
    """
    encoders = fresh_encoder(config.n_filters), InfiniteEncoder()
    C, A = (log_magnitude(y) for y in levelled(audio))
    styles = [encoder.encode(A) for encoder in encoders]
    _, before = loss_units(encoders[0], C, A)
    for balance in balances:
        started = time.perf_counter()
        optimum = optimise(audio.content, audio.style, replace(config, balance=balance))
        took = time.perf_counter() - started
        spectra = [("magnitudes", optimum.x, took)]
        spectra += [(method, log_magnitude(y), s) for method, y, s in sounds(audio, optimum, config)]
        least = None
        for method, X, seconds in spectra:
            found = [float(style_loss(e, X, a)) for e, a in zip(encoders, styles, strict=True)]
            least = least or found
            key = {"pair": pair.pair, "edition": pair.edition, "balance": balance, "seed": 0}
            yield key | {
                "method": method,
                "style_share_fresh": found[0] / before,
                "over_optimum_fresh": found[0] / least[0],
                "over_optimum_limit": found[1] / least[1],
                "seconds": seconds,
            }


def target_rows(pair: Pair, audio: PairAudio, *, config: TransferConfig = GRAM) -> Iterator[dict]:
    """Yield the log-spectral distance to a known target, in dB, of the references and of some settings."""
    made = {method: _reference(method, *levelled(audio)) for method in REFERENCES}
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
    table: pd.DataFrame,
    method: str,
    reference: str,
    *,
    balance: float = 0.5,
    timbre: str = "mfcc_frechet",
    content: str = "chroma_similarity",
    margin: float = 0.0,
) -> pd.Series:
    """Return, pair by pair, whether a method's curve beats a reference point on one timbre and one content measure.

    Some point of the curve, those interpolated between its balances and its begin, "copy the content", included, is
    better in one by more than the share `margin` and no worse in the other. Lower `timbre` and higher `content` are
    better; of several seeds the mean is taken. One of `REFERENCES` is no curve but a point.
    """
    found = {}
    for pair, group in table.groupby("pair", sort=False):
        own = group[group["method"].isin([method] if method in REFERENCES else [method, COPY_CONTENT])]
        point = group[group["method"] == reference]
        if reference not in REFERENCES:
            point = point[np.isclose(point["balance"], balance)]
        x0, y0 = float(point[content].mean()), float(point[timbre].mean())
        # Along the curve in the order of its balance, which "copy the content" (no balance) begins.
        points = own.fillna({"balance": 0.0}).groupby("balance")[[content, timbre]].mean().to_numpy()
        at = np.linspace(0, max(len(points) - 1, 0), 400)
        kept, taken = (np.interp(at, np.arange(len(points)), points[:, i]) for i in range(2))
        gained = (kept > x0 * (1 + margin)) | (taken < y0 * (1 - margin))
        found[pair] = bool(((kept >= x0) & (taken <= y0) & gained).any())
    return pd.Series(found)


def scoreboard(
    table: pd.DataFrame, contests: list[tuple[str, str]], *, balance: float = 0.5, margin: float = 0.0
) -> pd.DataFrame:
    """Count the pairs on which a method's curve beats a point (`better`), for every timbre and content measure.

    Rows are the contests, curve and point; columns content and timbre measure; entries such as ``"5 of 6"``.
    """
    counts = {}
    for contest in contests:
        row = {}
        for content in CONTENT_MEASURES:
            for timbre in TIMBRE_MEASURES:
                measures = {"timbre": timbre, "content": content, "balance": balance, "margin": margin}
                won = better(table, *contest, **measures)
                row[content, timbre] = f"{won.sum()} of {len(won)}"
        counts[contest] = row
    board = pd.DataFrame(counts).T
    return board.rename_axis(index=["curve", "point"], columns=["content kept", "timbre"])


def draw_curves(table: pd.DataFrame, *, ax: Axes, x: str, y: str, title: str = "") -> None:
    """Draw a line over the balance for every method and a point for every reference, of one pair.

    Rows that differ in the seed alone are drawn as their mean with bars from the least to the largest.
    """
    for method, look in _LINES.items():
        own = table[table["method"] == method]
        if own.empty:
            continue
        by_balance = own.groupby("balance")[[x, y]]
        mean, low, high = by_balance.mean(), by_balance.min(), by_balance.max()
        bars = [np.stack([mean[c] - low[c], high[c] - mean[c]]) for c in (x, y)]
        ax.errorbar(mean[x], mean[y], bars[1], bars[0], ms=5, capsize=2, label=method, **look)
        if method in (POLISH, MATCHED):
            for balance, point in mean.iterrows():
                own_colour = {"color": look["color"], "ha": "center", "va": "center"}
                ax.text(point[x], point[y], f"{balance:g}", fontsize=7, **own_colour)
    for method, marker in _POINTS.items():
        own = table[table["method"] == method]
        if not own.empty:
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
    for ax, (pair, group) in zip(axes.flat, groups.items(), strict=False):
        draw_curves(group, ax=ax, x=x, y=y, title=pair)
    for ax in axes.flat[len(groups) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set_xlabel(_LABELS.get(x, x), fontsize=8)
    fig.supylabel(_LABELS.get(y, y), fontsize=9)
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    fig.suptitle(title, fontsize=11)
    for ax, group in zip(axes.flat, groups.values(), strict=False):
        separate_labels(ax, group[[x, y]].to_numpy())
    return fig


def show_polish(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw rows of `polish_rows`: style loss of sound over magnitudes, by pair and phase method, for each balance."""
    balances = sorted(table["balance"].unique())
    size = (4.6 * len(balances) + 2.2, 3.8)
    fig, axes = plt.subplots(1, len(balances), figsize=size, layout="constrained", squeeze=False)
    for ax, balance in zip(axes.flat, balances, strict=True):
        at = table[(table["balance"] == balance) & (table["method"] != "magnitudes")]
        wide = at.pivot(index="pair", columns="method", values="over_optimum_fresh")
        for method, marker in zip([*PHASES, POLISH], "sv^DXo", strict=True):
            label = method.removeprefix("infinite, ")
            ax.plot(wide.index, wide[method], marker, ls="none", label=label, alpha=0.85)
        ax.axhline(1.0, color="k", lw=0.8)
        ax.axhline(1.1, color="k", lw=0.8, ls=":")
        ax.set(yscale="log", title=f"balance {balance:g}")
        ax.set_yticks(ticks := [1, 1.5, 2, 3, 4, 5], [f"{t:g}" for t in ticks])
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
    """Fill a table, row by row; rows of pairs and methods that are not made now are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--edition", choices=clips.EDITIONS, default=clips.current_edition())
    arguments = parser.parse_args(argv)
    table, rows_of = EXPERIMENTS[arguments.experiment]
    results = Results("paper", arguments.edition)
    for pair in clips.pairs(arguments.edition):
        for row in rows_of(pair, clips.load_pair(pair)):
            results.update_table(pd.DataFrame([row]), table, keys=KEYS)
            sys.stdout.write(f"{pair.pair} {row['method']} {row['balance']}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
