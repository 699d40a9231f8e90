"""What is heard on the site, in one table: the six pairs and the known targets, bundled, and three methods."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from audiostyle.datasets import paths
from audiostyle.datasets.clips import PairAudio, get_clip, load_pair, locate, pairs
from audiostyle.datasets.triples import Triple, load_triple, triples
from audiostyle.sound.write import save_audio
from experiments import truth
from experiments.pairs import by_the_paper
from experiments.presets import get_preset

# Of the study of truth, in the order of the player: what files and the page call them.
METHODS = {
    truth.PAPER: ("paper", "Paper’s setting"),
    truth.EQUALISER: ("equaliser", "Equaliser"),
    truth.DEFAULT: ("ours", "Ours"),
}
# The triple that is heard first.
FIRST = "flute_viola"


@dataclass(frozen=True)
class Place:
    """A player on the site.

    Parameters
    ----------
    name : str
        Name of the pair or triple, and of its place on the page.
    title : str
        Such as ``"flute → viola"``.
    kind : {"pair", "triple", "recording"}
    content, style : pathlib.Path
        Files, whole.
    target : pathlib.Path or None
        What a perfect transfer would sound like, where that is known.
    content_text, style_text : str
        What they are, and whose.
    made : dict of str to pathlib.Path
        Results by the name of the method, where they are not in the table of sounds.
    """

    name: str
    title: str
    kind: str
    content: Path
    style: Path
    target: Path | None
    content_text: str
    style_text: str
    made: dict[str, Path] = field(default_factory=dict)

    def load(self) -> PairAudio:
        """Read content, style and target as the methods get them."""
        if self.kind == "pair":
            return load_pair(next(pair for pair in pairs("bundled") if pair.pair == self.name))
        return load_triple(next(triple for triple in triples() if triple.name == self.name))


def places() -> Iterator[Place]:
    """Yield the six pairs, then the fourteen triples."""
    for pair in pairs("bundled"):
        content, style = get_clip(pair.content_clip), get_clip(pair.style_clip)
        target = locate(get_clip(pair.target_clip)) if pair.target_clip else None
        yield Place(
            pair.pair, pair.title, "pair", locate(content), locate(style), target, content.title, style.title
        )
    sources = pd.read_csv(paths.registry_dir() / "truth.csv").set_index("name")
    for triple in triples():
        yield _of_triple(triple, sources.loc[triple.name])


def recordings() -> Iterator[Place]:
    """Yield the six pairs of recordings, with results that are made on the way and kept under ``results/cache``.

    Raises
    ------
    FileNotFoundError
        If the recordings are not at hand.
    """
    folder = paths.cache_dir() / "site"
    folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs("recorded"):
        audio, name = load_pair(pair), f"{pair.pair}-recorded"
        sounds = {"content": audio.content, "style": audio.style}
        sounds["paper"] = by_the_paper(pair, get_preset("paper"))["result"]
        for method in (truth.EQUALISER, truth.DEFAULT):
            sounds[METHODS[method][0]] = truth.make_sound(method, audio.content, audio.style, audio.sr)
        quiet = {method: y * min(1.0, 0.9 / float(np.max(np.abs(y)))) for method, y in sounds.items()}
        files = {kind: save_audio(folder / f"{name}-{kind}.ogg", y, audio.sr) for kind, y in quiet.items()}
        whose = (get_clip(clip) for clip in (pair.content_clip, pair.style_clip))
        texts = (f"{clip.title} ({clip.attribution}; {clip.licence})" for clip in whose)
        yield Place(
            name, pair.title, "recording", files.pop("content"), files.pop("style"), None, *texts, files
        )


def _of_triple(triple: Triple, row: pd.Series) -> Place:
    title = f"{triple.content_instrument} → {triple.style_instrument}"
    return Place(
        triple.name,
        title,
        "triple",
        triple.content,
        triple.style,
        triple.target,
        f"{_tune(row['source'])}, on the {triple.content_instrument}",
        f"{_tune(row['style_source'])}, on the {triple.style_instrument}",
    )


def _tune(source: str) -> str:
    """Return the title out of a source, which comes first unless the composer, with his years, does."""
    parts = source.split(", ")
    return parts[1] if parts[0].endswith(")") and parts[0][-2].isdigit() else parts[0]
