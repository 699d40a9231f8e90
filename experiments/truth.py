"""How near methods come to a known truth: triples of content, style and target.

``python -m experiments.truth`` writes into ``results/paper/``: ``truth.csv``, a row for each pair and method, and
``truth_mean.csv``; of the repository's triples also ``truth.png`` (content, style, result of the default and truth of
one pair) and ``truth_pairs.png``; of a folder's triples only the means are written. Rows of methods that are not named
are kept. Sounds are kept in
``results/cache/truth``, so that a second run is quick; the paper's setting takes minutes for each clip. A method sees
content and style alone; an oracle, which bounds what a filter can do, sees the target.

    python -m experiments.truth --methods "equaliser,default" --split choose
    python -m experiments.truth --folder my_triples
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from librosa.util import fix_length
from matplotlib.figure import Figure

from audiostyle.baselines.cross_synthesis import cross_synthesis
from audiostyle.baselines.equaliser import equaliser
from audiostyle.baselines.musaicing import nmf_musaicing
from audiostyle.cache import cached
from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import PairAudio
from audiostyle.datasets.triples import SPLITS, Triple, load_triple, triples
from audiostyle.figures.charts import LINE_COLOURS, MARKERS
from audiostyle.figures.spectrograms import show_spectrograms
from audiostyle.matching import match_timbre
from audiostyle.measures import style_distance
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED
from audiostyle.measures.truth import truth_numbers
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import istft, magnitudes, stft
from audiostyle.transfer import transfer_style
from experiments.presets import GRAM
from experiments.results import Results

CROSS, MUSAICING, TRANSPOSED = "cross-synthesis", "NMF musaicing", "NMF musaicing transposed"
PAPER, FIRST, DEFAULT = "paper's setting", "0.1.0 default", "default"
KEYS = ["set", "pair", "method"]
MEASURES = ("lsd", "mcd", "chroma", "onset_f", "style_distance")
# The pair of the picture; see data/README.md.
PICTURE = "flute_viola"
_N_FFT, _HOP = 2048, 512
# Power of a band, at a root mean square of 0.05, below which it is taken for silence.
_LEAST = 1e-7


class Method(NamedTuple):
    """What makes a sound of content, style and sample rate; a sound made with settings is kept in the cache."""

    make: Callable[..., np.ndarray]
    settings: dict | None = None

    def __call__(self, content: np.ndarray, style: np.ndarray, sr: int) -> np.ndarray:
        """Return the sound [shape=(n_samples,)] at the sample rate given, as long as the content."""
        return self.make(content, style, sr, **(self.settings or {}))


def transferred(content: np.ndarray, style: np.ndarray, sr: int, config: TransferConfig) -> np.ndarray:
    """Return the sound of a transfer at the sample rate given, as long as the content."""
    result = transfer_style(content, style, sr, config, progress=False)
    if result.sr == sr:
        return result.y
    return fix_length(librosa.resample(result.y, orig_sr=result.sr, target_sr=sr), size=len(content))


def _with(config: TransferConfig) -> Method:
    return Method(transferred, {"config": config})


def _transposed(content: np.ndarray, style: np.ndarray, sr: int) -> np.ndarray:
    return nmf_musaicing(content, style, transpositions=range(-12, 13), most_templates=2000)


METHODS: dict[str, Method] = {
    COPY_CONTENT: Method(lambda content, style, sr: content),
    COPY_STYLE: Method(lambda content, style, sr: fix_length(style, size=len(content))),
    EQUALISER: Method(lambda content, style, sr: equaliser(content, style)),
    CROSS: Method(lambda content, style, sr: cross_synthesis(content, style)),
    MUSAICING: Method(lambda content, style, sr: nmf_musaicing(content, style)),
    TRANSPOSED: Method(_transposed),
    # After 40 iterations the loss is within 0.2 % of where 150 would take it (one pair, 0.05 dB of LSD), in minutes.
    PAPER: _with(TransferConfig.paper(n_iter=40)),
    FIRST: _with(GRAM),
    MATCHED: Method(lambda content, style, sr: match_timbre(content, style, sr=sr).gain.apply(content, sr)),
    DEFAULT: _with(TransferConfig()),
    # What the style loss after the match does to the distance.
    **{f"default at {b}": _with(TransferConfig(balance=b)) for b in (0.6, 0.75, 1.0)},
}
ORACLES = {f"oracle {n} bands": n for n in (20, 40, 80)}
NAMES = (*METHODS, *ORACLES)


def oracle_filter(content: np.ndarray, target: np.ndarray, sr: int, n_bands: int) -> np.ndarray:
    """Filter the content so that every frame has the target's own levels in so many mel bands.

    What a gain for each band and frame (2048 samples every 512) can do at best, or nearly: the gains in dB are
    interpolated to the bins of the content's complex transform.
    """
    bank = librosa.filters.mel(sr=sr, n_fft=_N_FFT, n_mels=n_bands)
    log_bands = []
    for y, name in ((target, "target"), (content, "content")):
        D = stft(set_level(y, name=name), n_fft=_N_FFT, hop_length=_HOP).numpy()
        log_bands.append(np.log(bank @ np.abs(D) ** 2 + _LEAST))
    log_gain = 0.5 * (log_bands[0] - log_bands[1])
    # Bins in no band, at both ends, keep their level.
    to_bins = bank.T / np.maximum(bank.sum(axis=0), np.finfo(bank.dtype).tiny)[:, None]
    D = stft(content, n_fft=_N_FFT, hop_length=_HOP).numpy() * np.exp(to_bins @ log_gain)
    return istft(D, hop_length=_HOP, length=len(content)).numpy()


def make_sound(
    name: str, content: np.ndarray, style: np.ndarray, sr: int, method: Method | None = None
) -> np.ndarray:
    """Return the result of a method, by default that of a name of `METHODS`."""
    method = method or METHODS[name]
    if method.settings is None:
        return method(content, style, sr)
    digests = [hashlib.sha256(np.ascontiguousarray(y).tobytes()).hexdigest() for y in (content, style)]
    how = {**method.settings, "sounds": digests, "sr": sr}

    def compute() -> dict[str, np.ndarray]:
        return {"y": np.asarray(method(content, style, sr), dtype=np.float32)}

    return cached(compute, paths.cache_dir() / "truth", method.make.__name__, **how)["y"]


def set_of(triple: Triple) -> str:
    """Return the half that a triple of the repository is in, or the name of its folder."""
    return triple.split or triple.content.resolve().parent.name


def triple_rows(triple: Triple, names: Iterable[str] = NAMES) -> Iterator[dict]:
    """Yield a row for each method: ``set, pair, method`` and the distance to the target (`truth_numbers`).

    ``style_to_target`` is the `style_distance` of style and target: what the style clip does not contain
    cannot be taken from it.
    """
    audio = load_triple(triple)
    apart = style_distance(audio.style, audio.target, audio.sr)
    for name in names:
        if name in ORACLES:
            y = oracle_filter(audio.content, audio.target, audio.sr, ORACLES[name])
        else:
            y = make_sound(name, audio.content, audio.style, audio.sr)
        key = {"set": set_of(triple), "pair": triple.name, "method": name}
        yield key | truth_numbers(y, audio.target, audio.sr) | {"style_to_target": apart}


def mean_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of `triple_rows` over pairs, for each set and method.

    Beside the number of ``pairs`` and the means stands on how many pairs the method is nearer to the target than the
    content and than the equaliser, by LSD and by MCD; NaN where those two were not scored.
    """
    rows = []
    for (which, method), own in table.groupby(["set", "method"], sort=False):
        row = {
            "set": which,
            "method": method,
            "pairs": len(own),
            **own[[m for m in MEASURES if m in own]].mean(),
        }
        for reference, short in ((COPY_CONTENT, "content"), (EQUALISER, "equaliser")):
            other = table[(table["set"] == which) & (table["method"] == reference)]
            both = own.merge(other, on="pair", suffixes=("", "_reference"))
            for measure in ("lsd", "mcd"):
                ahead = float((both[measure] < both[f"{measure}_reference"]).sum())
                row[f"nearer_than_{short}_{measure}"] = ahead if len(both) == len(own) else np.nan
        rows.append(row)
    return in_order(pd.DataFrame(rows), NAMES)


def in_order(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return the rows of the methods named, in that order within the columns before the method."""
    names = list(names)
    table = table[table["method"].isin(names)]
    columns = list(table.columns[: table.columns.get_loc("method")])
    places = {column: list(dict.fromkeys(table[column])) for column in columns} | {"method": names}
    return table.sort_values(
        [*columns, "method"],
        key=lambda values: values.map(places[values.name].index),
        kind="stable",
        ignore_index=True,
    )


def show_truth(audio: PairAudio, y: np.ndarray, *, method: str, title: str = "") -> Figure:
    """Draw content, style, result and truth on one scale, at one level, over a logarithmic axis of frequency."""
    sounds = {"content": audio.content, "style": audio.style, f"result: {method}": y, "truth": audio.target}
    spectra = {name: magnitudes(set_level(x), n_fft=4096, hop_length=_HOP) for name, x in sounds.items()}
    axis = {"columns": 2, "hop_length": _HOP, "min_hz": 60.0, "max_hz": 10_000.0}
    return show_spectrograms(spectra, sr=audio.sr, title=title, **axis)


def show_pairs(table: pd.DataFrame) -> Figure:
    """Draw the log-spectral distance to the target of every pair, a panel for each set, a marker for each method."""
    shown = (MATCHED, EQUALISER, CROSS, TRANSPOSED, PAPER, FIRST, COPY_CONTENT)
    sets = list(dict.fromkeys(table["set"]))
    size = (5.5 * len(sets) + 0.6, 5)
    fig, axes = plt.subplots(1, len(sets), figsize=size, sharex=True, layout="constrained", squeeze=False)
    for ax, which in zip(axes.flat, sets, strict=True):
        wide = table[table["set"] == which].pivot(index="pair", columns="method", values="lsd")
        wide = wide.sort_values(COPY_CONTENT)
        names = [pair.replace("_", " → ") for pair in wide.index]
        for method, marker, colour in zip(shown, MARKERS, LINE_COLOURS, strict=True):
            if method in wide:
                ax.plot(wide[method], names, marker, color=colour, ls="none", ms=8, alpha=0.85, label=method)
        ax.set(title=which, xlabel="← log-spectral distance to the truth (dB)")
        ax.grid(alpha=0.3)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


def names_of(text: str) -> tuple[str, ...]:
    """Read names separated by commas."""
    return tuple(name.strip() for name in text.split(","))


def told(rows: Iterable[dict]) -> Iterator[dict]:
    """Pass rows on, each with a line on standard output."""
    started = time.perf_counter()
    for row in rows:
        numbers = "  ".join(f"{k} {v:.3f}" for k, v in row.items() if isinstance(v, float))
        words = " ".join(v for v in row.values() if isinstance(v, str))
        sys.stdout.write(f"{words}: {numbers}  ({time.perf_counter() - started:.1f} s)\n")
        sys.stdout.flush()
        started = time.perf_counter()
        yield row


def draw(results: Results) -> None:
    """Draw both figures from the table of the repository's triples."""
    triple = next(triple for triple in triples() if triple.name == PICTURE)
    audio = load_triple(triple)
    y = make_sound(DEFAULT, audio.content, audio.style, audio.sr)
    title = f"{triple.content_instrument} → {triple.style_instrument}"
    table = results.load_table("truth")
    results.save_figure(show_truth(audio, y, method=DEFAULT, title=title), "truth", folder="")
    results.save_figure(show_pairs(table[table["set"].isin(SPLITS)]), "truth_pairs", folder="")
    plt.close("all")


def main(argv: list[str] | None = None) -> None:
    """Score triples and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--folder", help="triples NAME_content.wav, NAME_style.wav, NAME_target.wav to score")
    where.add_argument("--split", choices=SPLITS, help="half of the repository's triples; both by default")
    parser.add_argument("--methods", type=names_of, default=NAMES, help=f"any of {', '.join(NAMES)}")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.methods) - set(NAMES):
        parser.error(f"no method is called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    try:
        chosen = triples(arguments.split, folder=arguments.folder)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    results = Results("paper")
    if arguments.folder:
        rows = (row for triple in chosen for row in triple_rows(triple, arguments.methods))
        means = mean_table(pd.DataFrame(told(rows)))
        results.update_table(means, "truth_mean", keys=["set", "method"])
    else:
        for triple in chosen:
            rows = pd.DataFrame(told(triple_rows(triple, arguments.methods)))
            results.update_table(rows, "truth", keys=KEYS)
        table = in_order(results.load_table("truth"), NAMES)
        results.save_table(table, "truth")
        means = mean_table(table)
        results.update_table(means, "truth_mean", keys=["set", "method"])
        draw(results)
    means = means[means["set"].isin({set_of(triple) for triple in chosen})]
    sys.stdout.write(means.to_string(index=False, float_format="%.3f") + "\n")


if __name__ == "__main__":
    main()
