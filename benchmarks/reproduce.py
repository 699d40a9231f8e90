"""Make every committed result again: ``make reproduce``, or ``python -m benchmarks.reproduce [STAGE ...]``.

One stage after the other, each a command of its own, with what is left in time by the last run's seconds. A stage whose
code is the same as when it last finished is passed over (``--again`` does it anyway), so that a run which was stopped
continues; long stages keep their own intermediate results too. ``results/paper/manifest.json`` says of each stage with
which releases, on how many cores, in how many seconds and with how much memory it was made.
"""

import argparse
import ast
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from audiostyle.datasets import paths
from audiostyle.datasets.keys import code_version
from audiostyle.sound.files import whole_file
from experiments.results import alone

RELEASES = ("audiostyle", "numpy", "scipy", "torch", "librosa", "matplotlib", "pandas")


class Stage(NamedTuple):
    """A command and what it runs on.

    Parameters
    ----------
    command : tuple of str
        Words after ``python``.
    sources : tuple of str
        Patterns, from the root of the repository, of the files whose code decides whether it has to run again.
    """

    command: tuple[str, ...]
    sources: tuple[str, ...]


def _module(name: str, *words: str) -> Stage:
    return Stage(("-m", f"benchmarks.{name}", *words), (f"benchmarks/{name}.py",))


def _experiment(name: str) -> Stage:
    return Stage(("-m", f"experiments.{name}"), (f"experiments/{name}.py",))


STAGES = {
    "recordings": Stage(("-m", "audiostyle", "fetch", "clips"), ("audiostyle/datasets/clips.py",)),
    "truth": _module("truth"),
    "own rate": _module("own_rate"),
    "width": _module("width", "--edition", "recorded"),
    **{
        f"trade_offs {name}": _module("trade_offs", name, "--edition", "recorded")
        for name in ("references", "curves", "paper", "polish")
    },
    **{
        f"ablations {name}": _module("ablations", name, "--edition", "recorded")
        for name in ("ablations", "instruments", "voices")
    },
    "neighbours": _module("neighbours"),
    "table1": _experiment("table1"),
    "scale": _experiment("scale"),
    "speed": _module("run"),
    "phase": _module("bench_phase"),
    "sounds": Stage(("-m", "website.sounds"), ("website/sounds.py", "website/places.py")),
    "notebooks": Stage(("notebooks/run.py", "--keep-outputs"), ("notebooks/*.ipynb", "notebooks/run.py")),
    "tables": _module("readme"),
    "site": Stage(("-m", "website.build"), ("website/*.py", "website/templates/*")),
}


def fingerprint(stage: Stage) -> str:
    """Return a digest of what a stage runs: its command, its sources, and all of the package that they import."""
    digest = hashlib.sha256(json.dumps(stage.command).encode())
    for path in sorted(found for pattern in stage.sources for found in paths.root().glob(pattern)):
        code = _code(path)
        digest.update(code.encode())
        if path.suffix in (".py", ".ipynb"):
            for name in sorted(_imported(code)):
                digest.update(code_version(name).encode())
    return digest.hexdigest()


def _code(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def _imported(code: str) -> set[str]:
    """Return the modules of the package that some code imports from, magic lines of notebooks left out."""
    lines = [line for line in code.splitlines() if not line.lstrip().startswith(("%", "!"))]
    found = set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("audiostyle"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    package = paths.root() / "audiostyle"
    inner = {name: package.joinpath(*name.split(".")[1:]) for name in found}
    return {n for n, p in inner.items() if p.with_suffix(".py").is_file() or (p / "__init__.py").is_file()}


def remaining(names: list[str], manifest: dict) -> str:
    """Say how long some stages took last time."""
    known = [manifest[name]["seconds"] for name in names if name in manifest]
    unknown = len(names) - len(known)
    said = f"some {sum(known) / 60:.0f} min left"
    return said + (f" and {unknown} stages never timed" if unknown else "")


def run(stage: Stage) -> dict:
    """Run a stage; returns its seconds and the peak memory of its process in MB.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    environment = os.environ | {"AUDIOSTYLE_PRESET": "paper"}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *stage.command], cwd=paths.root(), env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return {"seconds": round(time.perf_counter() - started, 3), "peak_mb": round(usage.ru_maxrss / 1024)}


def _read(path: Path) -> dict:
    return json.loads(path.read_text()) if path.is_file() else {}


def reproduce(names: list[str], path: Path, *, again: bool = False) -> None:
    """Run stages that are not up to date, and keep the manifest after each.

    Parameters
    ----------
    names : list of str
        Of `STAGES`.
    path : path
        The manifest.
    again : bool
        Run those that are up to date as well.
    """
    manifest = _read(path)
    for place, name in enumerate(names, start=1):
        found = fingerprint(STAGES[name])
        if not again and manifest.get(name, {}).get("fingerprint") == found:
            sys.stdout.write(f"{place} of {len(names)}: {name} is up to date\n")
            continue
        sys.stdout.write(f"{place} of {len(names)}: {name}, {remaining(names[place - 1 :], manifest)}\n")
        sys.stdout.flush()
        measured = run(STAGES[name])
        releases = {release: version(release) for release in RELEASES} | {"python": platform.python_version()}
        entry = {"fingerprint": found, **measured, "cores": os.cpu_count(), "releases": releases}
        # Read anew: another run may have finished other stages meanwhile.
        with alone(), whole_file(path) as temporary:
            manifest = _read(path) | {name: entry}
            temporary.write_text(json.dumps(manifest, indent=1) + "\n")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"any of {', '.join(STAGES)}; all by default"
    )
    parser.add_argument("--again", action="store_true", help="also what is up to date")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.stages) - set(STAGES):
        parser.error(f"no stage is called {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    try:
        reproduce(
            arguments.stages or list(STAGES),
            paths.root() / "results" / "paper" / "manifest.json",
            again=arguments.again,
        )
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{' '.join(map(str, error.cmd[1:]))} failed; the stages before it are kept\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
