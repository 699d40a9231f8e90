"""The one door to ``results/``: figures, tables and the manifest that says how they were made."""

import io
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock
from matplotlib.figure import Figure
from PIL import Image

from audiostyle.datasets import paths
from audiostyle.system import whole_file

RELEASES = ("audiostyle", "numpy", "scipy", "torch", "librosa", "soundfile", "matplotlib", "pandas")
_DPI = 110


def truth_folders() -> list[Path]:
    """Return the folders of triples that ``AUDIOSTYLE_TRUTH`` names, one behind the other as in ``PATH``."""
    return [Path(folder) for folder in os.environ.get("AUDIOSTYLE_TRUTH", "").split(os.pathsep) if folder]


class Results:
    """A folder of results, ``results/<preset>/<edition>``, or ``results/<preset>`` for what is of no edition."""

    def __init__(self, preset: str, edition: str | None = None) -> None:
        self.preset, self.edition = preset, edition
        self.folder = paths.results_root() / preset / (edition or "")

    def path(self, *parts: str) -> Path:
        """Return a path in the folder, whose parent is made."""
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def save_figure(self, figure: Figure, name: str, folder: str = "figures") -> Path:
        """Write a figure as ``figures/<name>.png``, in 256 colours (`with_palette`)."""
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=_DPI, format="png", metadata={"Software": None})
        path = self.path(folder, f"{name}.png")
        with whole_file(path) as temporary:
            temporary.write_bytes(with_palette(buffer.getvalue()))
        return path

    def save_table(self, table: pd.DataFrame, name: str) -> Path:
        """Write a table as ``<name>.csv`` with six significant digits."""
        path = self.path(f"{name}.csv")
        with whole_file(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
        return path

    def update_table(self, table: pd.DataFrame, name: str, *, keys: list[str]) -> Path:
        """Write rows into ``<name>.csv``, sorted by the first of `keys`, in place of those that agree in `keys`."""
        path = self.path(f"{name}.csv")
        with alone():
            if path.exists():
                table = pd.concat([pd.read_csv(path), table], ignore_index=True)
                last = ~table[keys].astype(str).duplicated(keep="last")
                table = table[last].sort_values(keys[0], kind="stable", ignore_index=True)
            return self.save_table(table, name)

    def load_table(self, name: str) -> pd.DataFrame:
        """Read ``<name>.csv``; where it was never written, the error says which command does."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; make it with: make notebooks")
        return pd.read_csv(path)

    def save_manifest(self, **entries: object) -> Path:
        """Merge entries into ``manifest.json``, beside the versions and the machine they were made with."""
        machine = {"cores": str(os.cpu_count()), "machine": platform.machine()}
        versions = {"python": platform.python_version(), **machine}
        versions |= {name: version(name) for name in RELEASES}
        path = self.path("manifest.json")
        with alone():
            manifest = json.loads(path.read_text()) if path.exists() else {}
            manifest |= {"preset": self.preset, "edition": self.edition, "versions": versions}
            text = json.dumps(
                manifest | entries, indent=2, sort_keys=True, ensure_ascii=False, default=asdict
            )
            with whole_file(path) as temporary:
                temporary.write_text(text + "\n")
        return path


def alone() -> FileLock:
    """Return a lock, for ``with``, under which one process at a time reads a file of results and writes more of it."""
    paths.cache_dir().mkdir(parents=True, exist_ok=True)
    return FileLock(paths.cache_dir() / "results.lock")


def committed(name: str) -> pd.DataFrame:
    """Read ``results/paper/<name>.csv`` as the repository holds it, wherever new results go."""
    return pd.read_csv(paths.root() / "results" / "paper" / f"{name}.csv")


def with_palette(png: bytes) -> bytes:
    """Reduce a PNG picture to 256 colours, a third of its bytes.

    Every colour counts once, however many pixels have it: counted by pixels, the few that are loud in a spectrogram
    would share one.
    """
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    codes, where = np.unique(pixels @ np.array([65536, 256, 1]), return_inverse=True)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    swatches = Image.fromarray(colours[None]).quantize(256, dither=Image.Dither.NONE, kmeans=3)
    picture = Image.fromarray(np.asarray(swatches)[0][where.reshape(pixels.shape[:2])]).convert("P")
    picture.putpalette(swatches.getpalette())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
