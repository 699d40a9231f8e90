"""Name the speakers of new utterances by the sketches of known ones."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audiostyle.cache import read_arrays, write_arrays
from audiostyle.datasets.corpora import Utterance, read_utterance
from audiostyle.speakers.classifiers import scores_and_rarity
from audiostyle.speakers.sketch import Sketcher

_FILE = "sketches.npz"


def identify(
    rows: np.ndarray, speakers: np.ndarray, sketcher: Sketcher, files: Sequence[str | os.PathLike]
) -> pd.DataFrame:
    """Name the most likely speaker of each file among known ones.

    Parameters
    ----------
    rows, speakers : np.ndarray [shape=(n, width)], [shape=(n,)]
        Sketches of known utterances by a method with ridge regression, such as ``"best"``, and who speaks in them.
    sketcher, files
        What they were sketched with, and sound files with one speaker each.

    Returns
    -------
    pandas.DataFrame
        Columns ``file, speaker, second, margin, rarity``: the speaker with the largest score and the one after, the
        difference of their scores, and how rare the utterance is, 1 being as usual as the known ones. One who is not
        known is taken for somebody who is.
    """
    names = np.unique(speakers)
    if len(names) < 2:
        raise ValueError(f"only {', '.join(names) or 'nobody'} is known; two or more speakers are needed")
    new = np.stack([_sketch(sketcher, Path(file)) for file in files])
    views = zip(sketcher.views(rows), sketcher.views(new), strict=True)
    scores, rarity = scores_and_rarity(list(views), speakers)
    order = np.argsort(-scores, axis=1)[:, :2]
    best = np.take_along_axis(scores, order, axis=1)
    return pd.DataFrame(
        {
            "file": [str(file) for file in files], "speaker": names[order[:, 0]], "second": names[order[:, 1]],
            "margin": best[:, 0] - best[:, 1], "rarity": rarity,
        }
    )  # fmt: skip


def _sketch(sketcher: Sketcher, file: Path) -> np.ndarray:
    y = read_utterance(Utterance("", file))
    if y is None:
        raise ValueError(f"{file} cannot be read, or is silent")
    return sketcher(y)


def save_known(folder: Path, rows: np.ndarray, speakers: np.ndarray, sketcher: Sketcher) -> None:
    """Keep sketches and their speakers in a folder."""
    settings = json.dumps(sketcher.settings())
    write_arrays(folder / _FILE, {"rows": rows, "speakers": speakers, "settings": np.array(settings)})


def is_known(folder: Path) -> bool:
    """Whether a folder holds sketches."""
    return (folder / _FILE).is_file()


def load_known(folder: Path, sketcher: Sketcher) -> tuple[np.ndarray, np.ndarray]:
    """Return the sketches and speakers of a folder, if they were made with these settings."""
    arrays = read_arrays(folder / _FILE)
    if arrays is None:
        raise ValueError(f"{folder / _FILE} is damaged; make it again from the corpus")
    if str(arrays["settings"]) != json.dumps(sketcher.settings()):
        raise ValueError(f"{folder} holds sketches made with other settings, such as --pairs")
    return arrays["rows"], arrays["speakers"]
