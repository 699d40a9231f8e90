"""Sketches of utterances on disk: one float32 array and an index, to which utterances are added as they are made."""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from audiostyle.sound.files import whole_file
from audiostyle.speakers.sketch import Sketcher

_ARRAY, _INDEX, _SETTINGS = "sketches.npy", "index.csv", "settings.json"
# The sketch of known noise shows whether sketches made elsewhere can be compared: libraries differ by roundings only.
_PROBE_SAMPLES, _PROBE_ERROR = 16000, 1e-3


@dataclass(frozen=True)
class Entry:
    """What the index says of a row.

    Parameters
    ----------
    speaker : str
        Who speaks.
    text : str
        Name of the sentence, empty where file names do not tell.
    path : str
        The file.
    stamp : str
        Its size and time of change; a file with another has to be sketched again.
    n_samples : int
        Length at 16 kHz.
    """

    speaker: str
    text: str
    path: str
    stamp: str
    n_samples: int


class SketchStore:
    """A folder with the sketches of utterances.

    ``sketches.npy`` holds a row for each, float32, and can be read by anything that reads the format, while it grows
    too. ``index.csv`` has a line for each row. Rows are written before their lines: what a stopped process left
    without a line is dropped when the folder is opened again. One process writes at a time.

    Parameters
    ----------
    folder : path
        Where they are; made if absent.
    sketcher : Sketcher
        Settings of the sketches.

    Raises
    ------
    ValueError
        If the folder holds sketches with other settings, or such that this computer does not reproduce.
    """

    def __init__(self, folder: str | os.PathLike, sketcher: Sketcher) -> None:
        self.folder, self.sketcher = Path(folder), sketcher
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_settings()
        self.entries = self._recover()
        self._place = {entry.path: i for i, entry in enumerate(self.entries)}

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, path: str, stamp: str) -> int | None:
        """Return the row of a file, None if it has none or was changed since."""
        i = self._place.get(path)
        return i if i is not None and self.entries[i].stamp == stamp else None

    def rows(self) -> np.ndarray:
        """Return all rows, mapped from the disk [shape=(n, width), dtype=float32]."""
        if not self.entries:
            return np.zeros((0, self.sketcher.width), dtype=np.float32)
        return np.load(self.folder / _ARRAY, mmap_mode="r", allow_pickle=False)[: len(self)]

    def append(self, entries: Sequence[Entry], rows: np.ndarray) -> None:
        """Add rows [shape=(n, width)] and their entries; those of a file that has one already replace it."""
        rows = np.ascontiguousarray(rows, dtype="<f4").reshape(len(entries), self.sketcher.width)
        first = len(self)
        with open(self.folder / _ARRAY, "r+b") as array:
            array.seek(_header_size(self.sketcher.width) + first * 4 * self.sketcher.width)
            array.write(rows.tobytes())
            array.flush()
            array.seek(0)
            array.write(_header(first + len(entries), self.sketcher.width))
        with open(self.folder / _INDEX, "a", encoding="utf-8", newline="") as index:
            _write_lines(index, entries)
        self.entries += entries
        self._place |= {entry.path: first + i for i, entry in enumerate(entries)}

    def _check_settings(self) -> None:
        about, probe = json.loads(json.dumps(asdict(self.sketcher) | {"device": None})), self._probe()
        file = self.folder / _SETTINGS
        if not file.exists():
            with whole_file(file) as temporary:
                temporary.write_text(json.dumps({"settings": about, "probe": probe.tolist()}))
            return
        stored = json.loads(file.read_text())
        if stored["settings"] != about:
            raise ValueError(f"{self.folder} holds sketches made with other settings; name another folder")
        if np.linalg.norm(np.array(stored["probe"]) - probe) > _PROBE_ERROR * np.linalg.norm(probe):
            raise ValueError(
                f"{self.folder} holds sketches that this version of the package, or of a library, makes otherwise; "
                "name another folder"
            )

    def _probe(self) -> np.ndarray:
        noise = np.random.default_rng(0).standard_normal(_PROBE_SAMPLES).astype(np.float32)
        return self.sketcher(0.05 * noise)[:: self.sketcher.width // 16 or 1].astype(float)

    def _recover(self) -> list[Entry]:
        """Return the entries that have a row, and cut both files to them."""
        array, index, width = self.folder / _ARRAY, self.folder / _INDEX, self.sketcher.width
        array.touch()
        index.touch()
        # A line that was cut off has no end.
        text = index.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        found = [Entry(*line[:-1], int(line[-1])) for line in csv.reader(io.StringIO(whole))]
        n = min(len(found), max(0, array.stat().st_size - _header_size(width)) // (4 * width))
        if n < len(found) or whole != text:
            with whole_file(index) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
                _write_lines(file, found[:n])
        with open(array, "r+b") as file:
            file.truncate(_header_size(width) + n * 4 * width)
            file.write(_header(n, width))
        return found[:n]


def is_store(folder: Path) -> bool:
    """Whether a folder holds sketches."""
    return (folder / _SETTINGS).is_file() and (folder / _ARRAY).is_file()


def _write_lines(file: TextIO, entries: Sequence[Entry]) -> None:
    csv.writer(file, lineterminator="\n").writerows(astuple(entry) for entry in entries)


def _header_size(width: int) -> int:
    return len(_header(0, width))


def _header(n: int, width: int) -> bytes:
    """Return the header of an array of `n` rows; the format leaves room for the number to grow in its place."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (n, width)})
    return file.getvalue()
