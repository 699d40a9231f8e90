"""The paper's two neighbours measured: their own settings, each of their ideas in the limit, and combinations.

``python -m benchmarks.neighbours`` writes ``results/paper/neighbours.csv``, which notebook 12 reads.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from audiostyle.datasets.clips import PairAudio
from audiostyle.encoders.base import Encoder
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import TransferLoss, mean_square, style_loss
from audiostyle.measures.content import (
    beat_agreement,
    chroma_similarity,
    note_similarity,
    onset_f_measure,
    tempo_ratio,
)
from audiostyle.measures.table import judge_losses
from audiostyle.measures.timbre import mfcc_distance
from audiostyle.measures.truth import truth_numbers
from audiostyle.sound.audio import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.studies import truth
from experiments.neighbours import NEIGHBOURS, FrontEndEncoder, Patches, RhythmLoss, Way, branches, transfer
from experiments.pairs import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED
from experiments.presets import GRAM

FRONT_ENDS = {
    "linear": "linear",
    "mel": "mel",
    "constant-Q": "cqt",
    "pooled constant-Q": "pooled_cqt",
    "three": "linear+mel+cqt",
    "three pooled": "linear+mel+pooled_cqt",
}
RHYTHM, OF_STYLE, BALANCED, THEN = "rhythm", "rhythm of the style", "balanced gradients", "matched then"
LINEAR = "linear"
KEYS = ["set", "pair", "method", "seed"]
# Iterations, and how many times fewer filters than the papers have, so that a table takes hours and not days. With so
# few of both, noise would stay noise: the random ones start from the content, their limits from noise as the papers do.
WORK, LIMIT_ITER, FEWER = 40, 100, 16
N_SEEDS = 2
# Of the result against the target; against the style; against the content.
TRUTH_MEASURES = ("lsd", "mcd", "chroma", "target_onset_f")
STYLE_MEASURES = ("style_share_limit", "mfcc_distance", "style_notes", "style_rhythm")
CONTENT_MEASURES = ("chroma_similarity", "onset_f", "tempo_ratio", "beat_f", "content_rhythm")


def limit_of(way: Way) -> Way:
    """Return a neighbour's setting with infinitely many filters, and ReLU, which has a closed form there."""
    return replace(way, config=replace(way.config, encoder="infinite", activation="relu"))


def with_fewer_filters(way: Way, times: int = FEWER) -> Way:
    """Return a setting with so many times fewer filters in every front end.

    Examples
    --------
    >>> with_fewer_filters(NEIGHBOURS["barry_kim"]).front_ends
    'linear:k5:n256+mel:k50:n64+pooled_cqt:k11:n16'
    """
    config = replace(way.config, n_filters=way.config.n_filters // times)
    named = branches(way.front_ends, config.kernel_size, way.config.n_filters)
    items = [
        item.replace(f":n{branch.n_filters}", f":n{branch.n_filters // times}")
        for item, branch in zip(way.front_ends.split("+"), named, strict=True)
    ]
    return replace(way, config=config, front_ends="+".join(items))


def settings(n_iter: int = WORK, limit_iter: int = LIMIT_ITER) -> dict[str, Way]:
    """Return what is compared, by name.

    Parameters
    ----------
    n_iter, limit_iter : int
        Most iterations, and those of the neighbours' limits, which start from noise.

    Returns
    -------
    dict of str to Way
    """
    base = Way(replace(GRAM, n_iter=n_iter))
    found = {}
    for name, front_ends in FRONT_ENDS.items():
        found[name] = replace(base, front_ends=front_ends)
        found[f"{name} + {RHYTHM}"] = replace(base, front_ends=front_ends, rhythm="content")
    found[f"{LINEAR} + {OF_STYLE}"] = replace(base, rhythm="style")
    for name in (LINEAR, "three"):
        found[f"{name} + {BALANCED}"] = replace(base, front_ends=FRONT_ENDS[name], units="gradients")
    for name, way in NEIGHBOURS.items():
        found[name] = _from_content(with_fewer_filters(way), n_iter)
        limit = limit_of(way)
        found[f"{name} limit"] = replace(limit, config=replace(limit.config, n_iter=limit_iter))
    # Texture on top of the matched timbre: balance 0.6 is 0.2 of the optimisation's.
    after = replace(base, start="matched", config=replace(base.config, balance=0.6))
    found[f"{THEN} {LINEAR}"] = after
    found[f"{THEN} three"] = replace(after, front_ends=FRONT_ENDS["three"])
    found[f"{THEN} {LINEAR} + {RHYTHM}"] = replace(after, rhythm="content")
    return found


def _from_content(way: Way, n_iter: int) -> Way:
    return replace(way, start="content", config=replace(way.config, n_iter=n_iter))


REFERENCES = (COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED)
NAMES = (*REFERENCES, *settings())


def rows(
    which: str,
    pair: str,
    audio: PairAudio,
    names: Iterable[str] = NAMES,
    **work: int,
) -> Iterator[dict]:
    """Yield a row for each method and seed; sounds that were made before are read from the cache.

    Parameters
    ----------
    which, pair : str
        Names of the set and of the pair.
    audio : PairAudio
        With a target, or none.
    names : iterable of str
        Of `NAMES`.
    **work
        As for `settings`.

    Yields
    ------
    dict
        ``set, pair, method, seed`` and `sound_numbers`.
    """
    ways = settings(**work)
    for name in names:
        for seed in _seeds(ways.get(name)):
            method = None
            if name in ways:
                way = replace(ways[name], config=replace(ways[name].config, seed=seed))
                method = truth.Method(transfer, "audiostyle.transfer", {"way": way})
            y = truth.make_sound(name, audio.content, audio.style, audio.sr, method)
            yield {"set": which, "pair": pair, "method": name, "seed": seed, **sound_numbers(y, audio)}


def _seeds(way: Way | None) -> range:
    random = way is not None and way.config.encoder == "random"
    return range(N_SEEDS if random else 1)


def sound_numbers(y: np.ndarray, audio: PairAudio) -> dict[str, float]:
    """Put numbers to a result.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
        At any level.
    audio : PairAudio

    Returns
    -------
    dict of str to float
        `TRUTH_MEASURES`, against the target (`audiostyle.measures.truth.truth_numbers`); NaN where there is none.
        `STYLE_MEASURES`: style loss of the sound over that of the content (limit), distance of mean MFCCs, likeness of
        the notes (`audiostyle.measures.content.note_similarity`) and of the onset strengths, as a cosine.
        `CONTENT_MEASURES`: chroma, onsets, tempo, beats, and the cosine of the onset strengths.
    """
    content, style, sr = audio.content, audio.style, audio.sr
    y = set_level(y)
    of_truth = dict.fromkeys(TRUTH_MEASURES, float("nan"))
    if audio.target is not None:
        found = truth_numbers(y, audio.target, sr)
        of_truth = dict(zip(TRUTH_MEASURES, (found[m] for m in truth.MEASURES), strict=True))
    X, C, A = (log_magnitude(set_level(x)) for x in (y, content, style))
    cosine = {
        name: 1 - float(RhythmLoss(clip, X.shape[1]).distance(X)) for name, clip in (("c", C), ("s", A))
    }
    return {
        **of_truth,
        "style_share_limit": judge_losses(y, content, style)["style_share_limit"],
        "mfcc_distance": mfcc_distance(y, style, sr),
        "style_notes": note_similarity(y, style, sr),
        "style_rhythm": cosine["s"],
        "chroma_similarity": chroma_similarity(y, content, sr),
        "onset_f": onset_f_measure(y, content, sr),
        "tempo_ratio": tempo_ratio(y, content, sr),
        "beat_f": beat_agreement(y, content, sr),
        "content_rhythm": cosine["c"],
    }


def mean_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of `rows` over seeds, then over pairs.

    Parameters
    ----------
    table : pd.DataFrame

    Returns
    -------
    pd.DataFrame
        For each set and method, in the order of `NAMES`: ``pairs``, their number, and the mean of each measure.
    """
    measures = [*TRUTH_MEASURES, *STYLE_MEASURES, *CONTENT_MEASURES]
    of_pairs = table.groupby(["set", "pair", "method"], sort=False)[measures].mean().reset_index()
    grouped = of_pairs.groupby(["set", "method"], sort=False)
    means = grouped[measures].mean()
    means.insert(0, "pairs", grouped.size())
    means = means.reset_index()
    order = {name: i for i, name in enumerate(NAMES)}
    places = list(dict.fromkeys(table["set"]))
    return means.sort_values(
        ["set", "method"],
        key=lambda values: values.map(order if values.name == "method" else places.index),
        ignore_index=True,
    )


def best(table: pd.DataFrame, measure: str, *, higher: bool = False) -> pd.Series:
    """Return the row of `mean_table` that is best by a measure, copies apart.

    Parameters
    ----------
    table : pd.DataFrame
    measure : str
    higher : bool
        Whether higher is better.

    Returns
    -------
    pd.Series
    """
    made = table[~table["method"].isin([COPY_CONTENT, COPY_STYLE])]
    return made.loc[made[measure].idxmax() if higher else made[measure].idxmin()]


def slope_error(encoder: Encoder, content: torch.Tensor, style: torch.Tensor, *, step: float = 1e-6) -> float:
    """Return how far the gradient of the objective is from a difference quotient, relative.

    Half the direction is random; the other half is the gradient, so that the slope is large beside the rounding.

    Parameters
    ----------
    encoder : Encoder
        Of dtype float64.
    content, style : torch.Tensor [shape=(n_bins, n_frames)]
        Log magnitudes; the slope is taken at 0.9 of the content.
    step : float > 0

    Returns
    -------
    float
    """
    loss, X = TransferLoss(encoder, content.double(), style), 0.9 * content.double()
    noise, gradient = torch.randn(X.shape, generator=torch.Generator().manual_seed(0)).to(X), loss(X).gradient
    v = noise / noise.norm() + gradient / gradient.norm()
    slope = (loss(X + step * v).total - loss(X - step * v).total) / (2 * step)
    return abs(float((gradient * v).sum()) / slope - 1)


def apart(encoder: Encoder, X: torch.Tensor, Y: torch.Tensor) -> float:
    """Return the style loss of X against Y as a share of that of silence, mean(K_yy²)."""
    return float(style_loss(encoder, X, Y) / mean_square(encoder, Y, Y))


def convergence(X: torch.Tensor, front_end: Patches, sizes: Sequence[int], n_banks: int) -> pd.DataFrame:
    """Compare the pooled kernel of N random filters with its limit.

    Parameters
    ----------
    X : torch.Tensor [shape=(n_bins, n_frames), dtype=float64]
        What the front end takes.
    front_end : Patches
    sizes : sequence of int
        Numbers of filters.
    n_banks : int > 0
        Banks of each size.

    Returns
    -------
    pd.DataFrame
        By N, as shares of ‖K‖: ``random filters``, the root mean square of ‖K_N − K‖ over the banks, and ``bound``, its
        expectation's at most: the variance of an entry is at most 3/2 ‖p‖² ‖q‖² / N, since E max(u, 0)⁴ = 3σ⁴/2.
    """
    one_frame = {"kernel_size": 1, "dtype": X.dtype}
    K = FrontEndEncoder(InfiniteEncoder(**one_frame), front_end).kernel(X, X)
    rows = {}
    for n in sizes:
        banks = [
            FrontEndEncoder(RandomEncoder(n, seed=seed, **one_frame), front_end) for seed in range(n_banks)
        ]
        squared = np.mean([float((bank.kernel(X, X) - K).square().sum()) for bank in banks])
        # K of a patch with itself is ½ ‖p‖².
        bound = 1.5 / n * float((2 * K.diagonal()).sum()) ** 2
        rows[n] = {"random filters": squared**0.5, "bound": bound**0.5}
    return pd.DataFrame(rows).T / float(K.norm())


def live_settings(n_iter: int, times: int) -> dict[str, Way]:
    """Return both neighbours' settings and their limits, from the content on, for a notebook that runs them.

    Parameters
    ----------
    n_iter : int
        Iterations.
    times : int
        How many times fewer filters.
    """
    found = {}
    for name, way in NEIGHBOURS.items():
        way = _from_content(way, n_iter)
        found |= {name: with_fewer_filters(way, times), f"{name} limit": limit_of(way)}
    return found
