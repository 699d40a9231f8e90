"""Name the speakers of new utterances by the sketches of known ones."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audiostyle.datasets.corpora import Utterance, read_utterance
from audiostyle.speakers import classifiers
from audiostyle.speakers.pipeline import SketchedCorpus
from audiostyle.speakers.sketch import Sketcher


def identify(known: SketchedCorpus, sketcher: Sketcher, files: Sequence[str | os.PathLike]) -> pd.DataFrame:
    """Name the most likely speaker of each file among known ones.

    Parameters
    ----------
    known : SketchedCorpus
        Known utterances, as `audiostyle.speakers.pipeline.sketch_corpus` or `stored_corpus` gives them.
    sketcher : Sketcher
        What they were sketched with, for a method with ridge regression, such as ``"best"``.
    files : sequence of path
        Sound files with one speaker each.

    Returns
    -------
    pandas.DataFrame
        Columns ``file, speaker, second, margin, rarity``: the speaker with the largest score and the one after, the
        difference of their scores, and how rare the utterance is to the classifier that knows it best, 1 being as
        usual as the known ones (`audiostyle.speakers.classifiers.rarity`). One who is not known is taken for
        somebody who is.

    Raises
    ------
    ValueError
        If a file cannot be read, or fewer than two speakers are known.

    Notebook: 08_vctk_speakers.ipynb
    """
    names = np.unique(known.speakers)
    if len(names) < 2:
        held = f"only {names[0]}" if len(names) else "no sketches"
        raise ValueError(f"{known.name} holds {held}; two or more speakers are needed")
    new = np.stack([_sketch(sketcher, Path(file)) for file in files])
    views = zip(sketcher.views(known.rows), sketcher.views(new), strict=True)
    parts = [(classifiers.Part(held), classifiers.Part(heard)) for held, heard in views]
    scores, rarities = classifiers.feature_opinions(parts, known.speakers)
    total = classifiers.weigh(scores, rarities)
    order = np.argsort(-total, axis=1)[:, :2]
    best = np.take_along_axis(total, order, axis=1)
    return pd.DataFrame(
        {
            "file": [str(file) for file in files],
            "speaker": names[order[:, 0]],
            "second": names[order[:, 1]],
            "margin": best[:, 0] - best[:, 1],
            "rarity": np.min(rarities, axis=0),
        }
    )


def _sketch(sketcher: Sketcher, file: Path) -> np.ndarray:
    y = read_utterance(Utterance("", file))
    if y is None:
        raise ValueError(f"{file} cannot be read, or is silent")
    return sketcher(y)
