"""Trade-off curves: how much timbre for how much of the content, by method, with reference points.

``python -m benchmarks.trade_offs`` fills the tables that notebook 11 shows.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from audiostyle.baselines.cross_synthesis import cross_synthesis
from audiostyle.baselines.equaliser import equaliser
from audiostyle.baselines.musaicing import nmf_musaicing
from audiostyle.config import TransferConfig
from audiostyle.datasets.clips import Pair, PairAudio
from audiostyle.encoders.base import Spectrogram
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.losses import loss_units, style_loss
from audiostyle.measures.table import evaluate_sound, fresh_encoder
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.phase.griffin_lim import phase_of, spectral_convergence
from audiostyle.sound.audio import fix_length, set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.studies.reconstruct import reconstruct_phase
from audiostyle.transfer import Optimum, make_sound, optimise, transfer_style
from experiments.pairs import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED, PLAIN, POLISH, levelled
from experiments.presets import GRAM

BALANCES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.9)
PAPER = "4096 filters, Griffin-Lim"
WAVEFORM = "waveform"
MUSAICING, CROSS = "NMF musaicing", "cross-synthesis"
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
CONTENT_MEASURES = ("chroma_similarity", "pitch_agreement", "onset_f")
KEYS = ["pair", "method", "balance", "seed"]


def sounds(
    audio: PairAudio,
    optimum: Optimum,
    config: TransferConfig,
    *,
    methods: tuple[str, ...] = tuple(PHASES),
    seed: int = 0,
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Turn the magnitudes of an optimum into sound by some of `PHASES` and by the polish.

    Yields name, waveform at level 0.05 and seconds.
    """
    content = set_level(audio.content)
    options = {"n_iter": 200, "seed": seed, "length": len(content)}
    for name in methods:
        method, init = PHASES[name]
        started = time.perf_counter()
        start = phase_of(content) if init == "content" else init
        y = reconstruct_phase(optimum.S, method=method, init=start, **options)
        yield name, y, time.perf_counter() - started
    started = time.perf_counter()
    y = make_sound(optimum, content, replace(config, phase="polish"))[0]
    yield POLISH, y, time.perf_counter() - started


def curve_rows(
    pair: Pair,
    audio: PairAudio,
    *,
    balances: tuple[float, ...] = BALANCES,
    methods: tuple[str, ...] = (PLAIN,),
    config: TransferConfig | None = None,
) -> Iterator[dict]:
    """Yield a row for the infinite encoder with each phase method and for the waveform, at every balance.

    The two losses are under the infinite encoder, the mean over all banks of filters; every number but
    ``style_share_optimised`` is of the sound.
    """
    config = config or GRAM
    for balance in balances:
        at = replace(config, balance=balance)
        started = time.perf_counter()
        optimum = optimise(audio.content, audio.style, at)
        seconds = time.perf_counter() - started
        for method, y, more in sounds(audio, optimum, at, methods=methods):
            row = _row(pair, audio, method, y, balance=balance, seconds=seconds + more)
            yield row | {
                "style_share_optimised": optimum.value.style / optimum.loss.style_unit,
                "spectral_convergence_db": spectral_convergence(optimum.S, y),
            }
        started = time.perf_counter()
        y = optimise(audio.content, audio.style, at, samples=True).x.numpy()
        took = time.perf_counter() - started
        yield _row(pair, audio, WAVEFORM, y, balance=balance, seconds=took)


def paper_rows(
    pair: Pair,
    audio: PairAudio,
    *,
    balances=(0.3, 0.5, 0.8),
    seeds=(0, 1),
    config: TransferConfig | None = None,
) -> Iterator[dict]:
    """Yield rows for the paper's way: random filters, Griffin-Lim from a random phase, a row for every seed."""
    config = config or TransferConfig(encoder="random", phase="griffin_lim", n_iter=40)
    for balance in balances:
        for seed in seeds:
            at = replace(config, balance=balance, seed=seed)
            result = transfer_style(audio.content, audio.style, audio.sr, at, progress=False)
            row = _row(
                pair,
                audio,
                PAPER,
                result.y_computed,
                balance=balance,
                seed=seed,
                seconds=sum(result.seconds.values()),
            )
            yield row | {
                "style_share_optimised": float(result.losses["style"].iloc[-1] / result.style_unit),
                "spectral_convergence_db": float(result.convergence[-1]),
            }


def matched_rows(
    pair: Pair,
    audio: PairAudio,
    *,
    balances: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0),
    config: TransferConfig | None = None,
) -> Iterator[dict]:
    """Yield a row for matched timbre at every balance: up to 0.5 a filter, above that with texture."""
    config = replace(config or TransferConfig(), method="matched")
    for balance in balances:
        at = replace(config, balance=balance)
        result = transfer_style(audio.content, audio.style, audio.sr, at, progress=False)
        took = sum(result.seconds.values())
        yield _row(pair, audio, MATCHED, result.y_computed, balance=balance, seconds=took)


def reference_rows(pair: Pair, audio: PairAudio) -> Iterator[dict]:
    """Yield a row for each of the two copies, the equaliser, NMF musaicing and cross-synthesis."""
    content, style = levelled(audio)
    for method, make in (
        (COPY_CONTENT, lambda: content),
        (COPY_STYLE, lambda: fix_length(style, len(content))),
        (EQUALISER, lambda: equaliser(content, style)),
        (MUSAICING, lambda: nmf_musaicing(content, style)),
        (CROSS, lambda: cross_synthesis(content, style)),
    ):
        started = time.perf_counter()
        y = make()
        took = time.perf_counter() - started
        # A reference's own gain means nothing: all are compared at the content's level.
        yield _row(pair, audio, method, set_level(y), balance=float("nan"), seconds=took)


def _row(
    pair: Pair, audio: PairAudio, method: str, y: np.ndarray, *, balance: float, seconds: float, seed: int = 0
) -> dict:
    content, style = levelled(audio)
    numbers = evaluate_sound(y, content, style, target=audio.target)
    return {
        "pair": pair.pair,
        "edition": pair.edition,
        "method": method,
        "balance": balance,
        "seed": seed,
        **numbers,
        "spectral_convergence_db": float("nan"),
        "style_share_optimised": float("nan"),
        "seconds": seconds,
    }


def polish_rows(
    pair: Pair, audio: PairAudio, *, balances=(0.5, 0.8), config: TransferConfig | None = None
) -> Iterator[dict]:
    """Yield the style loss of the sound over that of the magnitudes, under a bank never optimised, by method.

    ``style_share_fresh`` is relative to the content's style loss, ``over_optimum_fresh`` to that of the magnitudes
    before any phase was found; both under fresh filters (``config.n_filters``, 4096 by default),
    ``over_optimum_limit`` under the infinite encoder.
    """
    config = config or GRAM
    content, style = levelled(audio)
    fresh, limit = fresh_encoder(config.n_filters), InfiniteEncoder()
    spectra = [log_magnitude(y) for y in (content, style)]
    encoded = [encoder.encode(spectra[1]) for encoder in (fresh, limit)]
    _, before = loss_units(fresh, *spectra)

    def losses(X: Spectrogram) -> tuple[float, float]:
        return tuple(
            float(style_loss(encoder, X, a)) for encoder, a in zip((fresh, limit), encoded, strict=True)
        )

    for balance in balances:
        started = time.perf_counter()
        optimum = optimise(audio.content, audio.style, replace(config, balance=balance))
        took = time.perf_counter() - started
        least_fresh, least_limit = losses(optimum.x)
        shared = {"pair": pair.pair, "edition": pair.edition, "balance": balance, "seed": 0}
        yield shared | {
            "method": "magnitudes",
            "style_share_fresh": least_fresh / before,
            "over_optimum_fresh": 1.0,
            "over_optimum_limit": 1.0,
            "seconds": took,
        }
        for method, y, seconds in sounds(audio, optimum, config):
            fresh_loss, limit_loss = losses(log_magnitude(y))
            yield shared | {
                "method": method,
                "style_share_fresh": fresh_loss / before,
                "over_optimum_fresh": fresh_loss / least_fresh,
                "over_optimum_limit": limit_loss / least_limit,
                "seconds": seconds,
            }


def target_rows(pair: Pair, audio: PairAudio, *, config: TransferConfig | None = None) -> Iterator[dict]:
    """Yield the log-spectral distance to a known target, in dB, of the references and of some settings.

    Raises
    ------
    ValueError
        If the pair has no known target.
    """
    if audio.target is None:
        raise ValueError(f"pair={pair.pair!r} of the {pair.edition} clips has no known target")
    config = config or GRAM
    content, style = levelled(audio, config.level)
    sounds_of = {
        COPY_CONTENT: content,
        COPY_STYLE: style,
        EQUALISER: equaliser(content, style),
        MUSAICING: nmf_musaicing(content, style),
        CROSS: cross_synthesis(content, style),
    }
    for balance, kernel_size in ((0.3, 11), (0.5, 11), (0.5, 3)):
        at = replace(config, balance=balance, kernel_size=kernel_size)
        result = transfer_style(audio.content, audio.style, audio.sr, at, progress=False)
        sounds_of[f"{at.phase}, balance {balance:g}, kernel {kernel_size}"] = result.y
    matched = replace(config, method="matched", balance=0.5)
    sounds_of[MATCHED] = transfer_style(audio.content, audio.style, audio.sr, matched, progress=False).y
    for method, y in sounds_of.items():
        distance = log_spectral_distance(y, audio.target, audio.sr)
        yield {"pair": pair.pair, "method": method, "target_distance_db": distance}


def at_equal(curve: pd.DataFrame, x: str, y: str, value: float) -> float:
    """Read a curve's `y` where its `x` equals a value, linearly between its points.

    Parameters
    ----------
    curve : pd.DataFrame
        Rows of one pair and method.
    x, y : str
        Columns.
    value : float

    Returns
    -------
    float
        NaN outside the curve's range.

    Examples
    --------
    >>> at_equal(pd.DataFrame({"a": [2.0, 0.0], "b": [20.0, 0.0]}), "a", "b", 1.5)
    15.0
    """
    ordered = curve[[x, y]].dropna().sort_values(x).to_numpy()
    if not len(ordered) or not ordered[0, 0] <= value <= ordered[-1, 0]:
        return float("nan")
    return float(np.interp(value, ordered[:, 0], ordered[:, 1]))


def dominance(
    table: pd.DataFrame,
    *,
    method: str = POLISH,
    reference: str = PAPER,
    balance: float = 0.5,
    timbre: str = "mfcc_frechet",
    content: str = "chroma_similarity",
    margin: float = 0.0,
) -> pd.DataFrame:
    """Compare a method's curve with a reference point, pair by pair, on one timbre and one content measure.

    Parameters
    ----------
    table : pd.DataFrame
        Rows of `curve_rows`, `paper_rows` and `reference_rows`.
    method, reference : str
        The curve, and the method of the point; of several seeds the mean is taken. One of `REFERENCES` is no curve
        but a point.
    balance : float
        Balance of the reference point; ignored for `REFERENCES`.
    timbre : str
        Column in which lower is better.
    content : str
        Column in which higher is better.
    margin : float
        Share by which the better number has to be better; less is a tie.

    Returns
    -------
    pd.DataFrame
        By pair: both numbers of the point; ``timbre_at_equal_content`` and ``content_at_equal_timbre`` read from the
        curve (`at_equal`, the curve extended by "copy the content"); ``better``, whether some point of the curve,
        those interpolated between its balances included, is better in one and no worse in the other.
    """
    rows = []
    for pair, group in table.groupby("pair", sort=False):
        own = group[group["method"].isin([method] if method in REFERENCES else [method, COPY_CONTENT])]
        point = group[group["method"] == reference]
        if reference not in REFERENCES:
            point = point[np.isclose(point["balance"], balance)]
        x0, y0 = float(point[content].mean()), float(point[timbre].mean())
        kept, taken = _densely(own, content, timbre)
        gained = (kept > x0 * (1 + margin)) | (taken < y0 * (1 - margin))
        rows.append(
            {
                "pair": pair,
                content: x0,
                timbre: y0,
                "timbre_at_equal_content": at_equal(own, content, timbre, x0),
                "content_at_equal_timbre": at_equal(own, timbre, content, y0),
                "better": bool(((kept >= x0) & (taken <= y0) & gained).any()),
            }
        )
    return pd.DataFrame(rows)


def scoreboard(
    table: pd.DataFrame, contests: list[tuple[str, str]], *, balance: float = 0.5, margin: float = 0.0
) -> pd.DataFrame:
    """Count the pairs on which a method's curve beats a point, for every timbre and content measure.

    Parameters
    ----------
    table : pd.DataFrame
        As for `dominance`.
    contests : list of (str, str)
        Method of the curve and method of the point.
    balance : float
        Balance of the point.
    margin : float
        As for `dominance`.

    Returns
    -------
    pd.DataFrame
        Rows curve and point, columns content and timbre measure, entries such as ``"5 of 6"``.
    """
    counts, options = {}, {"balance": balance, "margin": margin}
    for method, reference in contests:
        row = {}
        for content in CONTENT_MEASURES:
            for timbre in TIMBRE_MEASURES:
                measures = {"timbre": timbre, "content": content}
                better = dominance(table, method=method, reference=reference, **measures, **options)["better"]
                row[content, timbre] = f"{better.sum()} of {len(better)}"
        counts[method, reference] = row
    board = pd.DataFrame(counts).T
    return board.rename_axis(index=["curve", "point"], columns=["content kept", "timbre"])


def _densely(curve: pd.DataFrame, x: str, y: str, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Points along a curve in the order of its balance, which "copy the content" (no balance) begins."""
    points = curve.fillna({"balance": 0.0}).groupby("balance")[[x, y]].mean().to_numpy()
    at = np.linspace(0, max(len(points) - 1, 0), n)
    return tuple(np.interp(at, np.arange(len(points)), points[:, i]) for i in range(2))
