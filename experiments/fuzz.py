"""Damage sound files at random and read them: finite samples or a ValueError, and nothing else.

``python -m experiments.fuzz --files 2000`` prints the counts, and exits with 1 if a file gave anything else, with the
seed that makes it again.
"""

import argparse
import faulthandler
import io
import os
import resource
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import soundfile

from audiostyle import load_audio

FORMATS = ("wav", "flac", "ogg", "mp3", "aiff", "au")
ALLOWED = ("samples", "ValueError")
KINDS = ("flips", "truncation", "header")
# Address space in bytes that reading a small file may take beyond what the process has.
MOST_MEMORY = 2 << 30
_SR = 22050
_HEADER = 256
_STUCK = 120  # seconds for one file
# Numbers at which integers of headers turn round, in either order of bytes.
_EXTREMES = [
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("little", "big")
]


def originals() -> dict[str, list[bytes]]:
    """Return small sound files of each format, mono and stereo, of integers and of floats where it has them."""
    rng = np.random.default_rng(0)
    y = (0.3 * rng.standard_normal((_SR, 2))).clip(-1, 1).astype(np.float32)
    floats = {"wav", "aiff", "au"}
    return {
        name: [
            _encode(y[:, :channels], name, subtype)
            for channels, subtype in ((1, None), (2, "FLOAT" if name in floats else None))
        ]
        for name in FORMATS
    }


def _encode(y: np.ndarray, name: str, subtype: str | None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, y, _SR, format=name.upper(), subtype=subtype)
    return buffer.getvalue()


def damage(whole: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """Return a file with some bytes changed anywhere, cut short, or with extreme numbers in its header."""
    if kind == "truncation":
        return whole[: rng.integers(len(whole))]
    data = bytearray(whole)
    for _ in range(rng.integers(1, 9) if kind == "flips" else rng.integers(1, 4)):
        if kind == "flips":
            within = _HEADER if rng.random() < 0.5 else len(data)
            data[rng.integers(within)] = rng.integers(256)
        else:
            number = _EXTREMES[rng.integers(len(_EXTREMES))]
            at = rng.integers(_HEADER)
            data[at : at + len(number)] = number
    return bytes(data)


def damaged(n_files: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield format, kind of damage and content of so many files, all formats and kinds in turn."""
    whole = originals()
    for i in range(n_files):
        rng = np.random.default_rng((seed, i))
        name, kind = FORMATS[i % len(FORMATS)], KINDS[i // len(FORMATS) % len(KINDS)]
        yield name, kind, damage(whole[name][rng.integers(2)], kind, rng)


def judge(path: Path) -> str:
    """Read a file; returns ``"samples"`` or ``"ValueError"``, which are allowed, or what was wrong."""
    try:
        y, _ = load_audio(path)
    except ValueError:
        return "ValueError"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "samples" if len(y) and np.isfinite(y).all() else "samples that are not finite"


@contextmanager
def limited_memory(most: int = MOST_MEMORY) -> Iterator[None]:
    """Let the process take only so many bytes more."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def run(n_files: int, seed: int, folder: Path, *, terminal: TextIO | None = None) -> pd.DataFrame:
    """Damage and read so many files; returns one row for each with format, kind, number and outcome.

    With a `terminal`, a file that takes two minutes ends the process and says there where it was.
    """
    rows = []
    with limited_memory(), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "[^ ]* (is cut short|goes on|its channels cancel)")
        for i, (name, kind, data) in enumerate(damaged(n_files, seed)):
            path = folder / f"{i}.{name}"
            path.write_bytes(data)
            if terminal:
                faulthandler.dump_traceback_later(_STUCK, exit=True, file=terminal)
            rows.append({"format": name, "kind": kind, "file": i, "outcome": judge(path)})
            path.unlink()
    faulthandler.cancel_dump_traceback_later()
    return pd.DataFrame(rows)


@contextmanager
def _quiet_decoders() -> Iterator[TextIO]:
    """Keep what the decoders' C code says of damaged files off the terminal; yields a way to it."""
    with os.fdopen(os.dup(2), "w") as terminal:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield terminal
        finally:
            os.dup2(terminal.fileno(), 2)


def main(argv: list[str] | None = None) -> int:
    """Read damaged files and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000, help="damaged files to read (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the damage (%(default)s)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, _quiet_decoders() as terminal:
        table = run(args.files, args.seed, Path(folder), terminal=terminal)
    wrong = table[~table["outcome"].isin(ALLOWED)]
    table["came"] = table["outcome"].where(table["outcome"].isin(ALLOWED), "wrong")
    counts = table.groupby(["format", "kind"])["came"].value_counts().unstack(fill_value=0)
    sys.stdout.write(f"{len(table)} files, seed {args.seed}\n{counts.to_string()}\n")
    for row in wrong.itertuples():
        sys.stdout.write(f"file {row.file} ({row.format}, {row.kind}): {row.outcome}\n")
    return 1 if len(wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
