"""Do ears agree? Distances between sounds, compared with what people said in 21 published listening tests.

``python -m experiments.listening`` writes into ``results/paper/`` ``listening.csv``, a row for each distance,
``listening_sets.csv`` (Kendall's tau set by set), ``listening_speakers.csv`` and ``listening.png``. The sounds:
``audiostyle fetch listening``. The log of what was tried is ``results/tried/listening_tried.csv``; it was chosen on the
sets at odd places of the alphabet.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations_with_replacement

import ipywidgets
import librosa
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from librosa.util import fix_length
from matplotlib.figure import Figure
from sklearn.metrics import ndcg_score
from sklearn.metrics.pairwise import cosine_distances
from torch.nn.functional import pad

from audiostyle.datasets.listening import ListeningTest, load_tests, scaled
from audiostyle.encoders.base import Encoder
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.figures.players import player_row
from audiostyle.measures import style_distance
from audiostyle.sound.levels import set_level
from audiostyle.speakers.table import score_methods
from audiostyle.spectrogram import log_magnitude, stft
from audiostyle.widgets.parts import button
from experiments.results import Results
from experiments.table1 import find

SR = 22050
SCORES = ("kendall", "spearman", "ndcg", "triplets", "mae")
# Rows in print, cosine distance: examples/results.yaml of timbremetrics.
# fmt: off
PRINTED = {
    "MFCC by frame, in print": (0.348, 0.448, 0.906, 0.724, 0.287),
    "CLAP laion-music, in print": (0.339, 0.438, 0.909, 0.718, 0.169),
    "CLAP 2023, in print": (0.337, 0.436, 0.912, 0.718, 0.175),
    "JTFS, in print": (0.308, 0.405, 0.900, 0.697, 0.308),
    "mean MFCC, in print": (0.303, 0.395, 0.895, 0.696, 0.326),
    "Music2Latent, in print": (0.292, 0.385, 0.896, 0.692, 0.162),
    "mean EnCodec, in print": (0.257, 0.342, 0.889, 0.668, 0.295),
    "multi-scale spectrum, in print": (0.247, 0.328, 0.891, 0.661, 0.266),
}
# fmt: on
REFERENCE = "MFCC by frame"
_MARGIN, _DRAWS = 0.1, 500
_TINY = 1e-9


# --- scores, as timbremetrics defines them


def anchor_scores(distances: np.ndarray, ratings: np.ndarray) -> dict[str, np.ndarray]:
    """Score a distance [shape=(n, n)] against the ratings of a test, from every sound as anchor.

    Returns
    -------
    dict of str to np.ndarray [shape=(n,)]
        ``kendall`` (tau-b), ``spearman``, ``ndcg`` of similarities 1 − d, ``triplets``, the share of pairs of other
        sounds, rated more than .1 apart, that are ordered alike, and ``mae``.
    """
    n = len(ratings)
    others = ~np.eye(n, dtype=bool)
    rows = [scaled(x)[others].reshape(n, n - 1) for x in (distances, ratings)]
    ranks = [pd.DataFrame(x).rank(axis=1).to_numpy() for x in rows]
    mine, theirs = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    products = (mine * theirs).sum(axis=1), (mine**2).sum(axis=1), (theirs**2).sum(axis=1)
    weights = np.ones((1, n))
    return {
        **{name: found[0] for name, found in weighted_ranks(distances, ratings, weights).items()},
        "spearman": products[0] / np.sqrt(np.maximum(products[1] * products[2], _TINY)),
        "ndcg": np.array([ndcg_score([1 - t], [1 - p]) for p, t in zip(*rows, strict=True)]),
        "mae": np.abs(rows[0] - rows[1]).mean(axis=1),
    }


def weighted_ranks(distances: np.ndarray, ratings: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Compute tau-b and triplet agreement from every anchor where sounds count as often as `weights` say.

    Parameters
    ----------
    weights : np.ndarray [shape=(n_draws, n), non-negative]
        Times that a bootstrap drew each sound.

    Returns
    -------
    dict of str to np.ndarray [shape=(n_draws, n)]
    """
    others = ~np.eye(len(ratings), dtype=bool)
    pairs = others[:, :, None] & others[:, None, :]
    mine, theirs = (
        np.where(pairs, x[:, :, None] - x[:, None, :], 0.0) for x in map(scaled, (distances, ratings))
    )
    apart = np.abs(theirs) > _MARGIN
    mine, theirs = np.sign(mine), np.sign(theirs)
    counts = mine * theirs, mine**2, theirs**2, (mine * theirs > 0) & apart, apart
    # Σ_jk w_j w_k x_ijk: each draw weighs the pairs of its own sounds.
    both, own, rated, alike, wide = (
        np.einsum("dj,ijk,dk->di", weights, x.astype(float), weights, optimize=True) for x in counts
    )
    return {
        "kendall": both / np.sqrt(np.maximum(own * rated, _TINY)),
        "triplets": alike / np.maximum(wide, _TINY),
    }


def summary(distances: list[np.ndarray], tests: list[ListeningTest]) -> dict[str, float]:
    """Average `anchor_scores` over all sounds (`mae` over pairs), and tau and triplets over both halves of the sets."""
    found = [anchor_scores(d, test.dissimilarity) for d, test in zip(distances, tests, strict=True)]
    pairs = [len(test.sounds) * (len(test.sounds) - 1) / 2 for test in tests]
    row = {name: float(np.concatenate([f[name] for f in found]).mean()) for name in SCORES[:-1]}
    row["mae"] = float(np.average([f["mae"].mean() for f in found], weights=pairs))
    for half, name in enumerate(("odd", "even")):
        for score in ("kendall", "triplets"):
            row[f"{score}_{name}"] = float(np.concatenate([f[score] for f in found[half::2]]).mean())
    return row


def draws(distances: list[np.ndarray], tests: list[ListeningTest]) -> dict[str, np.ndarray]:
    """Bootstrap Kendall's tau over sets and over sounds, the same draws for every distance [shape=(n_draws,) each]."""
    rng = np.random.default_rng(0)
    n = np.array([len(test.sounds) for test in tests])
    chosen = rng.multinomial(len(n), np.full(len(n), 1 / len(n)), _DRAWS)
    own = [anchor_scores(d, t.dissimilarity)["kendall"].sum() for d, t in zip(distances, tests, strict=True)]
    totals = np.zeros(_DRAWS)
    for d, test in zip(distances, tests, strict=True):
        weights = rng.multinomial(len(d), np.full(len(d), 1 / len(d)), _DRAWS)
        totals += (weights * weighted_ranks(d, test.dissimilarity, weights)["kendall"]).sum(axis=1)
    return {"sets": chosen @ own / (chosen @ n), "sounds": totals / n.sum()}


# --- distances


def gram_distances(
    test: ListeningTest,
    *,
    encoder: Encoder | None = None,
    kernel_size: int = 11,
    activation: str = "relu",
    level: float = 0.05,
    hop_length: int = 1024,
    compress: Callable = torch.log1p,
    cosine: bool = True,
) -> np.ndarray:
    """Compute distances between the Gram matrices of all sounds of a test, by default as the paper has them.

    1 − cosine, or Euclidean as in eq. 6; in the limit of infinitely many filters or of those of an `encoder`.
    """
    encoder = encoder or InfiniteEncoder(kernel_size, activation)
    clips = []
    for y in test.sounds:
        y = set_level(librosa.resample(y, orig_sr=test.sr, target_sr=SR), level)
        X = compress(stft(y, hop_length=hop_length).abs())
        clips.append(encoder.encode(pad(X, (0, max(0, encoder.kernel_size - X.shape[1])))))
    inner = np.zeros((len(clips), len(clips)))
    for i, j in combinations_with_replacement(range(len(clips)), 2):
        x, z = clips[i], clips[j]
        inner[i, j] = inner[j, i] = float(encoder.gram_inner(x, z)) / (x.n_patches * z.n_patches)
    squares = np.diag(inner)
    if cosine:
        return 1 - inner / np.sqrt(squares[:, None] * squares)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * inner, 0))


def _mfcc(y: np.ndarray, sr: int) -> np.ndarray:
    """MFCC as torchaudio's defaults have them, of which the rows in print are made [shape=(40, n_frames)]."""
    how = {"n_fft": 2048, "hop_length": 512, "n_mels": 128, "htk": True, "norm": None, "pad_mode": "reflect"}
    mel = librosa.feature.melspectrogram(y=y, sr=sr, **how)
    return librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=80.0), n_mfcc=40)


def _log_mel(y: np.ndarray, sr: int) -> np.ndarray:
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, hop_length=512), ref=np.max) + 80


def _modulation(y: np.ndarray, sr: int) -> np.ndarray:
    """Magnitudes of the Fourier transform of each mel band's envelope over one second [shape=(40, 32)]."""
    mel = librosa.feature.melspectrogram(y=fix_length(y, size=sr), sr=sr, hop_length=512, n_mels=40) ** 0.15
    return np.abs(np.fft.rfft(mel, axis=1))[:, :32]


def _cosines(describe: Callable, test: ListeningTest, *, mean: bool = False) -> np.ndarray:
    """Cosine distances of descriptions [shape=(n_features, n_frames)], averaged over frames or all padded alike."""
    n = max(map(len, test.sounds))
    ys = test.sounds if mean else [fix_length(y, size=n) for y in test.sounds]
    found = [describe(y, test.sr) for y in ys]
    return cosine_distances(np.array([x.mean(axis=1) if mean else x.ravel() for x in found]))


def _spectrum(y: np.ndarray, sr: int) -> np.ndarray:
    return log_magnitude(set_level(librosa.resample(y, orig_sr=sr, target_sr=SR))).numpy()


# The paper's setting but for what is named; what `style_distance` has, and that but for one thing.
STYLE = {"level": 0.5, "kernel_size": 22}
GRAMS = {
    "style_distance: RMS .5, patch of 1 s": STYLE,
    **{f"style_distance, RMS {level:g}": STYLE | {"level": level} for level in (0.05, 0.2, 1.0)},
    **{f"style_distance, patch of {k} frames": STYLE | {"kernel_size": k} for k in (1, 5, 11, 43)},
    "style_distance, without ReLU": STYLE | {"activation": "none"},
    "Gram, cosine": {},
    "Gram, Euclidean as eq. 6": {"cosine": False},
    "Gram, without ReLU": {"activation": "none"},
    "Gram, without log1p": {"compress": torch.clone},
    "Gram, patch of 1 frame": {"kernel_size": 1},
    "Gram, patch of 3 frames": {"kernel_size": 3},
    "Gram, RMS .5, hop 512": {"level": 0.5, "hop_length": 512},
}
WIDTHS = (64, 256, 1024)
OTHERS = {
    "mean log1p spectrum": partial(_cosines, _spectrum, mean=True),
    REFERENCE: partial(_cosines, _mfcc),
    "mean MFCC": partial(_cosines, _mfcc, mean=True),
    "log-mel by frame": partial(_cosines, _log_mel),
    "mean log-mel": partial(_cosines, _log_mel, mean=True),
    "modulation spectrum": partial(_cosines, _modulation),
}


def all_distances(tests: list[ListeningTest]) -> Iterator[tuple[str, list[list[np.ndarray]]]]:
    """Yield each distance by name, as matrices of all tests, for each seed where there are several."""
    low = [
        test._replace(sounds=[librosa.resample(y, orig_sr=test.sr, target_sr=SR) for y in test.sounds], sr=SR)
        for test in tests
    ]
    for name, settings in GRAMS.items():
        yield name, [[gram_distances(test, **settings) for test in low]]
    for n in WIDTHS:
        banks = (RandomEncoder(n, seed=seed) for seed in range(3))
        yield (
            f"Gram of {n} filters",
            [[gram_distances(test, encoder=bank) for test in low] for bank in banks],
        )
    for name, compare in OTHERS.items():
        yield name, [[compare(test) for test in tests]]


def table(tests: list[ListeningTest]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every distance, and Kendall's tau set by set; `PRINTED` rows have no intervals.

    Returns
    -------
    tuple of pd.DataFrame
        ``distance``; `SCORES` over all sounds; tau and triplets of the odd and of the even sets; ``seeds`` and, over
        them, ``kendall_sd``; ``ahead``, tau less that of `REFERENCE`, with its 95 % intervals over ``sets`` and over
        ``sounds``. And ``distance``, ``set``, ``kendall``.
    """
    rows, sets, drawn = [], [], {}
    for name, seeds in all_distances(tests):
        found = pd.DataFrame([summary(distances, tests) for distances in seeds])
        spread = found["kendall"].std(ddof=1) if len(seeds) > 1 else np.nan
        rows.append({"distance": name, **found.mean(), "seeds": len(seeds), "kendall_sd": spread})
        over = [draws(distances, tests) for distances in seeds]
        drawn[name] = {what: np.mean([one[what] for one in over], axis=0) for what in over[0]}
        for place, test in enumerate(tests):
            taus = [anchor_scores(d[place], test.dissimilarity)["kendall"].mean() for d in seeds]
            sets.append({"distance": name, "set": test.name, "kendall": np.mean(taus)})
    reference = next(row["kendall"] for row in rows if row["distance"] == REFERENCE)
    for row in rows:
        row["ahead"] = row["kendall"] - reference
        for what, values in drawn[row["distance"]].items():
            ends = np.quantile(values - drawn[REFERENCE][what], (0.025, 0.975))
            row |= {f"{what}_low": ends[0], f"{what}_high": ends[1]}
    rows += [{"distance": name} | dict(zip(SCORES, scores, strict=True)) for name, scores in PRINTED.items()]
    return pd.DataFrame(rows), pd.DataFrame(sets)


def show_agreement(found: pd.DataFrame) -> Figure:
    """Draw tau of every distance; computed here with the interval over sets of its difference to `REFERENCE`."""
    found = found.sort_values("kendall")
    printed = found["distance"].isin(PRINTED)
    ends = (found["ahead"] - found["sets_low"], found["sets_high"] - found["ahead"])
    fig, ax = plt.subplots(figsize=(9, 0.27 * len(found) + 1), layout="constrained")
    colours = np.where(printed, "#999999", "#1b6ca8")
    ax.barh(found["distance"], found["kendall"], color=colours, xerr=np.nan_to_num(ends), ecolor="#444444")
    reference = found.loc[found["distance"] == REFERENCE, "kendall"].item()
    ax.axvline(reference, color="#c8553d", lw=1)
    ax.set(
        xlabel=f"Kendall's tau with listeners (line: {REFERENCE}; grey: in print) → better", xlim=(0, 0.47)
    )
    ax.margins(y=0.01)
    return fig


def name_speakers() -> pd.DataFrame:
    """Name speakers by eq. 6 and by the cosine, on those corpora of Table 1 that are at hand (`score_methods`)."""
    designs = [
        (find(name), n, per) for name, n, per in (("vctk4", 4, 10), ("librispeech", 10, 16)) if find(name)
    ]
    rows = [
        score_methods(place, ("paper", "cosine"), speakers=n, per_speaker=per) for place, n, per in designs
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def tests_at_hand() -> list[ListeningTest]:
    """Return all tests, or none where they were not fetched."""
    try:
        return load_tests()
    except FileNotFoundError:
        return []


def draw_three(tests: list[ListeningTest], seed: int) -> tuple[ListeningTest, list[int], int]:
    """Draw three sounds of a test of which listeners clearly found one different; return which."""
    rng = np.random.default_rng(seed)
    while True:
        test = tests[rng.integers(len(tests))]
        three = rng.choice(len(test.sounds), 3, replace=False).tolist()
        apart = test.dissimilarity[np.ix_(three, three)].sum(axis=0)
        odd, other = np.argsort(-apart)[:2]
        if apart[odd] - apart[other] > 2 * _MARGIN:
            return test, three, int(odd)


def ask_which_differs(test: ListeningTest, three: list[int], odd: int) -> ipywidgets.VBox:
    """Return players of three sounds, a button for each, and below what listeners and `style_distance` answer."""
    names = ("A", "B", "C")
    sounds = {name: test.sounds[i] for name, i in zip(names, three, strict=True)}
    players = ipywidgets.HTML(player_row(sounds, test.sr).data)
    said = ipywidgets.HTML("Which one differs?")
    apart = [sum(style_distance(y, other, test.sr) for other in sounds.values()) for y in sounds.values()]

    def answer(name: str) -> None:
        right = "as the listeners did" if name == names[odd] else f"the listeners chose {names[odd]}"
        ours = names[int(np.argmax(apart))]
        said.value = f"You chose {name}, {right} ({test.name}); style_distance chooses {ours}."

    buttons = [button(name, f"Sound {name} differs", partial(answer, name)) for name in names]
    return ipywidgets.VBox([players, ipywidgets.HBox(buttons), said])


def main(argv: list[str] | None = None) -> None:
    """Score the distances and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    try:
        tests = load_tests()
    except FileNotFoundError as error:
        parser.error(str(error))
    results = Results("paper")
    found, sets = table(tests)
    results.save_table(found, "listening")
    results.save_table(sets, "listening_sets")
    results.save_table(name_speakers(), "listening_speakers")
    results.save_figure(show_agreement(found), "listening", folder="")
    sys.stdout.write(found.to_string(index=False, float_format="%.3f") + "\n")


if __name__ == "__main__":
    main()
