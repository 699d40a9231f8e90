"""Damage sound files at random and read them: finite samples or a ValueError, and nothing else.

``python -m experiments.fuzz --files 2000`` prints the counts, and exits with 1 if a file gave anything else, with the
seed that makes it again.
"""

import argparse
import faulthandler
import io
import resource
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
# Numbers at which integers of headers turn round, in either order of bytes.
_EXTREMES = [
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("little", "big")
]


def original(name: str, stereo: bool) -> bytes:
    """Return a small sound file of a format, mono of integers or stereo of floats where it has them."""
    y = (0.3 * np.random.default_rng(0).standard_normal((_SR, 1 + stereo))).clip(-1, 1)
    subtype = "FLOAT" if stereo and name in ("wav", "aiff", "au") else None
    buffer = io.BytesIO()
    soundfile.write(buffer, y.astype(np.float32), _SR, format=name.upper(), subtype=subtype)
    return buffer.getvalue()


def damage(whole: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """Return a file with some bytes changed anywhere, cut short, or with extreme numbers in its header."""
    if kind == "truncation":
        return whole[: rng.integers(len(whole))]
    data = bytearray(whole)
    for _ in range(rng.integers(1, 9)):
        number = _EXTREMES[rng.integers(len(_EXTREMES))] if kind == "header" else rng.bytes(1)
        at = rng.integers(_HEADER if kind == "header" or rng.random() < 0.5 else len(data))
        data[at : at + len(number)] = number
    return bytes(data)


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


def run(n_files: int, seed: int, folder: Path) -> pd.DataFrame:
    """Damage and read so many files, all formats and kinds in turn: ``format, kind, file, outcome``."""
    whole = {name: [original(name, stereo) for stereo in (False, True)] for name in FORMATS}
    rows = []
    with limited_memory(), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "[^ ]* (is cut short|goes on|its channels cancel)")
        for i in range(n_files):
            rng = np.random.default_rng((seed, i))
            name, kind = FORMATS[i % len(FORMATS)], KINDS[i // len(FORMATS) % len(KINDS)]
            path = folder / f"{i}.{name}"
            path.write_bytes(damage(whole[name][rng.integers(2)], kind, rng))
            rows.append({"format": name, "kind": kind, "file": i, "outcome": judge(path)})
            path.unlink()
    return pd.DataFrame(rows)


def main(argv: list[str] | None = None) -> int:
    """Read damaged files and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000, help="damaged files to read (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the damage (%(default)s)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        faulthandler.dump_traceback_later(120 + args.files, exit=True)  # where a file gets stuck
        table = run(args.files, args.seed, Path(folder))
        faulthandler.cancel_dump_traceback_later()
    table["came"] = table["outcome"].where(table["outcome"].isin(ALLOWED), "wrong")
    counts = table.groupby(["format", "kind"])["came"].value_counts().unstack(fill_value=0)
    wrong = table[table["came"] == "wrong"]
    sys.stdout.write(f"{len(table)} files, seed {args.seed}\n{counts.to_string()}\n")
    if len(wrong):
        sys.stdout.write(wrong.to_string() + "\n")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
