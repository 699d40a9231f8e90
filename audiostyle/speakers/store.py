"""Sketches of utterances on disk: one array and an index, to which utterances are added as they are made."""

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

    ``sketches.npy`` holds a row for each, in the sketcher's precision, and can be read by anything that reads the
    format, while it grows too. ``index.csv`` has a line for each row. Rows are written before their lines: what a
    stopped process left without a line is dropped when the folder is opened again. One process writes at a time.

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

    def current(self) -> np.ndarray:
        """Return which rows count: the last of each file [shape=(n_files,), int, ascending]."""
        return np.array(sorted(self._place.values()), dtype=int)

    def rows(self) -> np.ndarray:
        """Return all rows, mapped from the disk [shape=(n, width)]."""
        if not self.entries:
            return np.zeros((0, self.sketcher.width), dtype=self._dtype)
        return np.load(self.folder / _ARRAY, mmap_mode="r", allow_pickle=False)[: len(self)]

    def append(self, entries: Sequence[Entry], rows: np.ndarray) -> None:
        """Add rows [shape=(n, width)] and their entries; those of a file that has one already replace it."""
        rows = np.ascontiguousarray(rows, dtype=self._dtype).reshape(len(entries), self.sketcher.width)
        first = len(self)
        with open(self.folder / _ARRAY, "r+b") as array:
            array.seek(len(self._header(0)) + first * self._row_size)
            array.write(rows.tobytes())
            array.flush()
            array.seek(0)
            array.write(self._header(first + len(entries)))
        with open(self.folder / _INDEX, "a", encoding="utf-8", newline="") as index:
            _write_lines(index, entries)
        self.entries += entries
        self._place |= {entry.path: first + i for i, entry in enumerate(entries)}

    @property
    def _dtype(self) -> np.dtype:
        # Little-endian, whatever the machine.
        return self.sketcher.dtype.newbyteorder("<")

    @property
    def _row_size(self) -> int:
        return self.sketcher.width * self._dtype.itemsize

    def _header(self, n: int) -> bytes:
        """Return the header of an array of `n` rows; the format leaves room for the number to grow in its place."""
        file = io.BytesIO()
        about = {"descr": self._dtype.str, "fortran_order": False, "shape": (n, self.sketcher.width)}
        np.lib.format.write_array_header_1_0(file, about)
        return file.getvalue()

    def _check_settings(self) -> None:
        settings = asdict(self.sketcher) | {"device": None, "dtype": self._dtype.str}
        about, probe = json.loads(json.dumps(settings)), self._probe()
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
        array, index, start = self.folder / _ARRAY, self.folder / _INDEX, len(self._header(0))
        array.touch()
        index.touch()
        # A line that was cut off has no end.
        text = index.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        found = [Entry(*line[:-1], int(line[-1])) for line in csv.reader(io.StringIO(whole))]
        n = min(len(found), max(0, array.stat().st_size - start) // self._row_size)
        if n < len(found) or whole != text:
            with whole_file(index) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
                _write_lines(file, found[:n])
        with open(array, "r+b") as file:
            file.truncate(start + n * self._row_size)
            file.write(self._header(n))
        return found[:n]


def is_store(folder: Path) -> bool:
    """Whether a folder holds sketches."""
    return (folder / _SETTINGS).is_file() and (folder / _ARRAY).is_file()


def _write_lines(file: TextIO, entries: Sequence[Entry]) -> None:
    csv.writer(file, lineterminator="\n").writerows(astuple(entry) for entry in entries)
