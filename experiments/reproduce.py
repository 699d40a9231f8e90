"""Make every committed result again: ``make reproduce``, or ``python -m experiments.reproduce [STAGE ...]``.

Each stage is a command of its own. Studies run at once, one on each core; what needs them comes after. A stage that
finished with the same code is passed over (``--again`` does it anyway), so that a run which was stopped continues; long
stages keep their own intermediate results too. ``results/paper/manifest.json`` says of each stage with which releases,
on how many cores, in how many seconds and with how much memory it was made. What was tried and not kept, in
``results/tried``, is not made again. Folders of other triples, which ``AUDIOSTYLE_TRUTH`` names, get rows of their own;
two styles need FluidSynth.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from audiostyle.datasets import paths
from audiostyle.system import whole_file
from experiments.results import RELEASES, alone, truth_folders

# What is measured on triples of other folders.
_METHODS = "copy the content,equaliser,paper's setting,default"
_OF_FOLDERS = ("-m", "experiments.truth", "--methods", _METHODS, "--folder")
# One after the other; the stages of each, with the words after ``python``, share the cores, the longest first.
WAVES: list[dict[str, tuple[str, ...]]] = [
    {f"fetch {what}": ("-m", "audiostyle", "fetch", what) for what in ("clips", "listening")},
    {"speed": ("-m", "experiments.speed")},
    {
        "trade_offs": ("-m", "experiments.trade_offs"),
        "width": ("-m", "experiments.width"),
        "table1": ("-m", "experiments.table1"),
        "truth": ("-m", "experiments.truth"),
        **{f"truth of {folder.name}": (*_OF_FOLDERS, f"{folder}") for folder in truth_folders()},
        "listening": ("-m", "experiments.listening"),
        "neighbours": ("-m", "experiments.neighbours"),
        "fit": ("-m", "experiments.fit_matching"),
        **({"two styles": ("-m", "experiments.two_styles")} if shutil.which("fluidsynth") else {}),
        "own rate": ("-m", "experiments.own_rate"),
    },
    {"sounds": ("-m", "website.sounds")},  # those of the triples are kept since "truth"
    {"picture": ("-m", "website.picture")},
    {"notebooks": ("notebooks/run.py", "--keep-outputs")},
    {"tables": ("-m", "experiments.tables")},
    {"site": ("-m", "website.build")},
]


def fingerprint(command: tuple[str, ...]) -> str:
    """Return a digest of a command and of all code it may run: the package, the experiments, site and notebooks."""
    digest = hashlib.sha256(json.dumps(command).encode())
    own = [name for name in ("website", "notebooks") if name in " ".join(command)]
    for folder in ("audiostyle", "experiments", *own):
        for path in sorted((paths.root() / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run(command: tuple[str, ...], **environment: str) -> dict:
    """Run a command; returns its seconds and the peak memory of its process in MB, or raises if it fails."""
    environment = os.environ | {"AUDIOSTYLE_PRESET": "paper"} | environment
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=paths.root(), env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return {"seconds": round(time.perf_counter() - started, 3), "peak_mb": round(usage.ru_maxrss / 1024)}


def manifest(path: Path) -> dict:
    """Return what is known of stages that ran."""
    return json.loads(path.read_text()) if path.is_file() else {}


def reproduce(names: list[str], path: Path, *, again: bool = False) -> None:
    """Run the stages that are not up to date, or all, and keep the manifest at `path` after each."""
    for wave in WAVES:
        before = manifest(path)
        due = {
            name: command
            for name, command in wave.items()
            if name in names and (again or before.get(name, {}).get("fingerprint") != fingerprint(command))
        }
        single = {"OMP_NUM_THREADS": "1"} if len(due) > 1 else {}

        def make(name: str, due: dict = due, single: dict = single) -> None:
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()
            entry = {
                "fingerprint": fingerprint(due[name]),
                **run(due[name], **single),
                "cores": os.cpu_count(),
            }
            releases = {release: version(release) for release in RELEASES}
            entry["releases"] = releases | {"python": platform.python_version()}
            # Read anew: other stages may have finished meanwhile.
            with alone(), whole_file(path) as temporary:
                temporary.write_text(json.dumps(manifest(path) | {name: entry}, indent=1) + "\n")

        with ThreadPoolExecutor(os.cpu_count()) as cores:
            list(cores.map(make, due))


def main(argv: list[str] | None = None) -> int:
    """Run the stages named, by default all."""
    stages = [name for wave in WAVES for name in wave]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"any of {', '.join(stages)}; all by default"
    )
    parser.add_argument("--again", action="store_true", help="also what is up to date")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.stages) - set(stages):
        parser.error(f"no stage is called {', '.join(sorted(unknown))}; there are {', '.join(stages)}")
    path = paths.root() / "results" / "paper" / "manifest.json"
    try:
        reproduce(arguments.stages or stages, path, again=arguments.again)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{' '.join(map(str, error.cmd[1:]))} failed; other stages are kept\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
