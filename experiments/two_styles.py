"""Half of one instrument and half of another: ``python -m experiments.two_styles``, which needs FluidSynth.

``data/make_clips.py --second`` plays the tune of every triple on a third instrument, which another triple has as its
style: the second style. The truth at a share of it is the mix of both targets. Two ways
lead there: both styles as one clip, each its share of the seconds, or each style alone and the results mixed.

Writes ``results/paper/two_styles.csv``, a row for each triple, method, way and share: log-spectral distance and
`style_distance` to the two targets, to their mix at this share, and to their mix at one half.
"""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.triples import Triple, load_triple, triples
from audiostyle.measures.timbre import style_distance
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.sound.levels import set_level
from audiostyle.sound.read import load_audio
from audiostyle.transfer import transfer_style
from experiments.presets import GRAM
from experiments.results import Results

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
METHODS = {"default": TransferConfig(), "gram": GRAM}
ONE_STYLE, MIXED = "both styles as one", "results mixed"


def mixed(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Return two sounds of equal loudness, added with the second's share of the amplitude."""
    n = min(len(first), len(second))
    return (1 - share) * set_level(first)[:n] + share * set_level(second)[:n]


def rows(triple: Triple, other: Triple, second: np.ndarray, method: str) -> Iterator[dict]:
    """Yield what is measured of a triple, a second target and the triple that has the second style."""
    audio, config = load_triple(triple), METHODS[method]

    def transferred(style: np.ndarray) -> np.ndarray:
        return transfer_style(audio.content, style, audio.sr, config, progress=False).y

    other_style = load_triple(other).style
    alone = transferred(audio.style), transferred(other_style)
    for share in SHARES:
        made = {ONE_STYLE: alone[round(share)], MIXED: mixed(*alone, share)}
        if 0 < share < 1:
            shares = zip((audio.style, other_style), (1 - share, share), strict=True)
            parts = [set_level(y[: round(len(y) * own / max(share, 1 - share))]) for y, own in shares]
            made[ONE_STYLE] = transferred(np.concatenate(parts))
        truths = {"first": audio.target, "second": second, "mix": mixed(audio.target, second, share)}
        truths["half"] = mixed(audio.target, second, 0.5)
        for way, y in made.items():
            row = {"triple": triple.name, "second": other.name, "method": method, "way": way, "share": share}
            for name, truth in truths.items():
                row[f"lsd_{name}"] = log_spectral_distance(y, truth, audio.sr)
                row[f"style_{name}"] = style_distance(y[: len(truth)], truth[: len(y)], audio.sr)
            yield row


def gains(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return by how much the halves are nearer to the mix of both truths: than the nearer style alone, than each other.

    Mean and standard error over triples, and on how many it is so.
    """
    half = table.pivot(index=["method", "triple"], columns=["way", "share"], values=f"{measure}_half")
    alone = half[MIXED][[0.0, 1.0]].min(axis=1)
    found = {f"{way}, than the nearer style": alone - half[way, 0.5] for way in (ONE_STYLE, MIXED)}
    found[f"{MIXED}, than {ONE_STYLE}"] = half[ONE_STYLE, 0.5] - half[MIXED, 0.5]
    of = pd.concat(found, names=["half"]).groupby(["method", "half"])
    return of.agg(mean="mean", sem="sem", nearer=lambda gain: int((gain > 0).sum()), triples="count")


def main() -> None:
    """Render the second targets and measure all."""
    folder = paths.cache_dir() / "two_styles"
    command = [sys.executable, paths.root() / "data" / "make_clips.py", "--second", folder]
    subprocess.run(command, check=True)
    known, made = {triple.name: triple for triple in triples()}, []
    for path in sorted(folder.glob("*+*.ogg")):
        triple, other = (known[name] for name in path.stem.split("+"))
        second, _ = load_audio(path, sr=22050)
        for method in METHODS:
            made += rows(triple, other, second, method)
        sys.stdout.write(f"{path.stem}\n")
        sys.stdout.flush()
    table = pd.DataFrame(made)
    Results("paper").save_table(table, "two_styles")
    of = table.drop(columns=["triple", "second"]).groupby(["method", "way", "share"])
    parts = [of.mean(), of.sem(), gains(table, "lsd"), gains(table, "style")]
    sys.stdout.write("\n".join(part.round(3).to_string() for part in parts) + "\n")


if __name__ == "__main__":
    main()
