"""Name the speakers of new utterances by the sketches of known ones."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audiostyle.datasets.corpora import Utterance, read_utterance
from audiostyle.speakers import classifiers
from audiostyle.speakers.store import SketchStore


def identify(store: SketchStore, files: Sequence[str | os.PathLike]) -> pd.DataFrame:
    """Name the most likely speaker of each file among those of a store.

    Parameters
    ----------
    store : SketchStore
        Sketches of known utterances, of a method with ridge regression, such as ``"best"``.
    files : sequence of path
        Sound files with one speaker each.

    Returns
    -------
    pandas.DataFrame
        Columns ``file, speaker, second, margin, rarity``: the speaker with the largest score and the one after, the
        difference of their scores, and how rare the utterance is to the classifier that knows it best, 1 being as
        usual as the known ones (`audiostyle.speakers.classifiers.rarity`). One who is not in the store is taken for
        somebody who is.

    Raises
    ------
    ValueError
        If a file cannot be read, or the store holds fewer than two speakers.

    Notebook: 08_vctk_speakers.ipynb
    """
    labels = np.array([entry.speaker for entry in store.entries])
    known = np.unique(labels)
    if len(known) < 2:
        held = ", ".join(known) or "holds no sketches"
        raise ValueError(f"{store.folder} {held}; two or more speakers are needed")
    rows = store.rows()
    new = np.stack([_sketch(store, Path(file)) for file in files])
    views = zip(store.sketcher.views(rows), store.sketcher.views(new), strict=True)
    parts = [(classifiers.Part(held), classifiers.Part(heard)) for held, heard in views]
    scores, rarities = classifiers.feature_opinions(parts, labels)
    total = classifiers.weigh(scores, rarities)
    order = np.argsort(-total, axis=1)[:, :2]
    best = np.take_along_axis(total, order, axis=1)
    return pd.DataFrame(
        {
            "file": [str(file) for file in files],
            "speaker": known[order[:, 0]],
            "second": known[order[:, 1]],
            "margin": best[:, 0] - best[:, 1],
            "rarity": np.min(rarities, axis=0),
        }
    )


def _sketch(store: SketchStore, file: Path) -> np.ndarray:
    y = read_utterance(Utterance("", file))
    if y is None:
        raise ValueError(f"{file} cannot be read, or is silent")
    return store.sketcher(y)
