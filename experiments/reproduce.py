"""Make every committed result again: ``make reproduce``, or ``python -m experiments.reproduce [STAGE ...]``.

One stage after the other, each a command of its own, with what is left in time by the last run's seconds. A stage that
finished with the same code is passed over (``--again`` does it anyway), so that a run which was stopped continues; long
stages keep their own intermediate results too. ``results/paper/manifest.json`` says of each stage with which releases,
on how many cores, in how many seconds and with how much memory it was made.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from audiostyle.datasets import paths
from audiostyle.system import whole_file
from experiments.results import alone

RELEASES = ("audiostyle", "numpy", "scipy", "torch", "librosa", "matplotlib", "pandas")
_RECORDED = "--edition", "recorded"
# Name of a stage, and the words after ``python``.
STAGES = {
    "recordings": ("-m", "audiostyle", "fetch", "clips"),
    "truth": ("-m", "experiments.truth"),
    "own rate": ("-m", "experiments.own_rate"),
    "width": ("-m", "experiments.width", *_RECORDED),
    **{
        f"trade_offs {name}": ("-m", "experiments.trade_offs", name, *_RECORDED)
        for name in ("references", "curves", "paper", "polish")
    },
    "neighbours": ("-m", "experiments.neighbours"),
    "table1": ("-m", "experiments.table1"),
    "scale": ("-m", "experiments.scale"),
    "speed": ("-m", "experiments.speed"),
    "phase": ("-m", "experiments.phase", *_RECORDED),
    "pairs": ("-m", "audiostyle", "pairs"),
    "sounds": ("-m", "website.sounds"),
    "notebooks": ("notebooks/run.py", "--keep-outputs"),
    "tables": ("-m", "experiments.tables"),
    "site": ("-m", "website.build"),
}


def fingerprint(command: tuple[str, ...]) -> str:
    """Return a digest of a command and of all code it may run: the package, the experiments, site and notebooks."""
    digest = hashlib.sha256(json.dumps(command).encode())
    folders = [
        "audiostyle",
        "experiments",
        *(name for name in ("website", "notebooks") if name in command[-1]),
    ]
    for folder in folders:
        for path in sorted((paths.root() / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def remaining(names: list[str], manifest: dict) -> str:
    """Say how long some stages took last time."""
    known = [manifest[name]["seconds"] for name in names if name in manifest]
    unknown = len(names) - len(known)
    said = f"some {sum(known) / 60:.0f} min left"
    return said + (f" and {unknown} stages never timed" if unknown else "")


def run(command: tuple[str, ...]) -> dict:
    """Run a command; returns its seconds and the peak memory of its process in MB, or raises if it fails."""
    environment = os.environ | {"AUDIOSTYLE_PRESET": "paper"}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=paths.root(), env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return {"seconds": round(time.perf_counter() - started, 3), "peak_mb": round(usage.ru_maxrss / 1024)}


def reproduce(names: list[str], path: Path, *, again: bool = False) -> None:
    """Run the stages that are not up to date, or all, and keep the manifest at `path` after each."""
    for place, name in enumerate(names, start=1):
        manifest = json.loads(path.read_text()) if path.is_file() else {}
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
            manifest = json.loads(path.read_text()) if path.is_file() else {}
            temporary.write_text(json.dumps(manifest | {name: entry}, indent=1) + "\n")


def main(argv: list[str] | None = None) -> int:
    """Run the stages named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"any of {', '.join(STAGES)}; all by default"
    )
    parser.add_argument("--again", action="store_true", help="also what is up to date")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.stages) - set(STAGES):
        parser.error(f"no stage is called {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    manifest = paths.root() / "results" / "paper" / "manifest.json"
    try:
        reproduce(arguments.stages or list(STAGES), manifest, again=arguments.again)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{' '.join(map(str, error.cmd[1:]))} failed; the stages before it are kept\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
