"""Known targets: triples of a content, a style and what a perfect transfer of one to the other would sound like.

The target is the content's score on the style's instrument, with the same timing and accents. ``bundled/truth.csv``
lists the fourteen of the repository: half are for choosing a method's settings, half for confirming them once.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from audiostyle.datasets import paths
from audiostyle.datasets.clips import PairAudio
from audiostyle.sound.read import load_audio

SPLITS = ("choose", "confirm")
ROLES = ("content", "style", "target")


@dataclass(frozen=True)
class Triple:
    """Three files, and what is known of them; of a folder's triples only the files are.

    Instruments are such as ``"flute"``, their kinds ``"struck"``, ``"plucked"``, ``"bowed"`` or ``"blown"``; `voices`
    counts the voices of the content's score. The target has the style's instrument.
    """

    name: str
    content: Path
    style: Path
    target: Path
    content_instrument: str = ""
    style_instrument: str = ""
    content_kind: str = ""
    style_kind: str = ""
    voices: int = 0
    split: str = ""


def triples(split: str | None = None, *, folder: str | os.PathLike | None = None) -> list[Triple]:
    """Return the repository's triples or one half of them, ``"choose"`` or ``"confirm"``, or those of a folder.

    A folder has ``NAME_content.wav``, ``NAME_style.wav`` and ``NAME_target.wav`` of each, and no halves.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"split={split!r} is not allowed; it must be one of {', '.join(SPLITS)}, or None")
    if folder is None:
        table = pd.read_csv(paths.registry_dir() / "truth.csv")
        rows = table[[field.name for field in fields(Triple)]].to_dict("records")
        found = [Triple(**row | {role: paths.registry_dir() / row[role] for role in ROLES}) for row in rows]
        return [triple for triple in found if split in (None, triple.split)]
    if split is not None:
        raise ValueError(f"split={split!r}: a folder has no halves; leave split out")
    return _in_folder(Path(folder))


def _in_folder(folder: Path) -> list[Triple]:
    found = []
    for content in sorted(folder.glob("*_content.wav")):
        name = content.name.removesuffix("_content.wav")
        files = [folder / f"{name}_{role}.wav" for role in ROLES]
        absent = [file.name for file in files if not file.is_file()]
        if absent:
            raise ValueError(f"{content.name} has no {' and no '.join(absent)} beside it in {folder}")
        found.append(Triple(name, *files))
    if not found:
        raise ValueError(f"{folder} holds no NAME_content.wav with NAME_style.wav and NAME_target.wav")
    return found


def load_triple(triple: Triple, *, sr: int = 22050) -> PairAudio:
    """Read the three sounds of a triple, or say that content and target differ by more than 50 ms in length."""
    content, style, target = (load_audio(getattr(triple, role), sr=sr)[0] for role in ROLES)
    if abs(len(content) - len(target)) > sr // 20:
        raise ValueError(
            f"{triple.name}: the content lasts {len(content) / sr:.2f} s and the target {len(target) / sr:.2f} s; "
            f"they must be the same score in the same time"
        )
    n = min(len(content), len(target))
    return PairAudio(content[:n], style, target[:n], sr)
