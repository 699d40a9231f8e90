"""Make the sounds of the site: ``python -m website.sounds``.

Every method of `website.places.METHODS` on every pair and triple, as OGG into ``results/sounds`` and, with what made
it and how far it is from the known target, as a row of ``results/sounds/sounds.csv``. Made of nothing but the bundled
clips, which are in the public domain (CC0), and so in the public domain themselves. Sounds are kept in
``results/cache/truth`` as well, so that a run that was interrupted goes on; the paper's setting takes minutes a clip.

    python -m website.sounds --places flute_viola,speech-1 --methods "equaliser,default"
"""

import argparse
import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from audiostyle.datasets import paths
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.system import sha256, whole_file
from experiments import truth
from website.places import METHODS, Place, places

# Peaks of files of a lossy format come out somewhat larger than they went in.
_PEAK = 0.9
KEYS = ["place", "method"]


def folder() -> Path:
    """Return the folder of the committed sounds."""
    return paths.root() / "results" / "sounds"


def table() -> pd.DataFrame:
    """Return a row for each committed sound: ``place, method, file, target_lsd, sha256``."""
    path = folder() / "sounds.csv"
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=KEYS)


def ogg_bytes(y: np.ndarray, sr: int) -> bytes:
    """Return a waveform as an OGG file in memory, turned down where its peak exceeds 0.9."""
    buffer = io.BytesIO()
    y = y * min(1.0, _PEAK / max(float(np.max(np.abs(y))), 1e-9))
    soundfile.write(buffer, y, sr, format="OGG", subtype="VORBIS")
    return buffer.getvalue()


def make(place: Place, method: str) -> dict:
    """Make one sound and return its row."""
    audio = place.load()
    y = truth.make_sound(method, audio.content, audio.style, audio.sr)
    path = folder() / f"{place.name}-{METHODS[method][0]}.ogg"
    content = ogg_bytes(y, audio.sr)
    # Vorbis draws a serial number for every file; the same sound is not written again.
    if not (path.is_file() and _digest(path.read_bytes()) == _digest(content)):
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
    return {
        "place": place.name,
        "method": method,
        "file": path.name,
        "target_lsd": None if audio.target is None else log_spectral_distance(y, audio.target, audio.sr),
        "sha256": sha256(path),
    }


def _digest(content: bytes) -> str:
    y, sr = soundfile.read(io.BytesIO(content), dtype="float32")
    return hashlib.sha256(y.tobytes() + str(sr).encode()).hexdigest()


def main(argv: list[str] | None = None) -> None:
    """Make the sounds that are asked for and keep the rows of the others."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = {place.name: place for place in places()}
    for name, allowed in (("places", known), ("methods", METHODS)):
        parser.add_argument(
            f"--{name}", default=",".join(allowed), help=f"any of {', '.join(allowed)}; all by default"
        )
    arguments = parser.parse_args(argv)
    chosen = {"places": arguments.places.split(","), "methods": arguments.methods.split(",")}
    for name, allowed in (("places", known), ("methods", METHODS)):
        if unknown := set(chosen[name]) - set(allowed):
            parser.error(f"--{name}: {', '.join(sorted(unknown))} is none of {', '.join(allowed)}")
    folder().mkdir(parents=True, exist_ok=True)
    for method in chosen["methods"]:
        for name in chosen["places"]:
            _keep(make(known[name], method), known)
            sys.stdout.write(f"{name}, {method}\n")


def _keep(row: dict, known: dict[str, Place]) -> None:
    """Put a row into the table, in the order of places and methods."""
    rows = {(old["place"], old["method"]): old for old in table().to_dict("records")}
    rows[row["place"], row["method"]] = row
    order = [(name, method) for name in known for method in METHODS]
    kept = pd.DataFrame([rows[key] for key in order if key in rows])
    with whole_file(folder() / "sounds.csv") as temporary:
        kept.to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
