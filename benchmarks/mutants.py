"""Plant faults one at a time and see which tests notice: ``make mutants``.

``mutants.toml`` holds the faults: a module, a snippet of its source, what takes the snippet's place, and the tests
that should fail first. Each is planted in a copy of the repository; where the tests it names stay green, the whole
unit suite runs (without the notebooks and the browser). A fault counts as killed when tests fail by it.
"""

import argparse
import multiprocessing
import os
import queue
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_suffix(".toml")
PACKAGE = "audiostyle"
COPIED = (PACKAGE, "tests", "benchmarks")
# Notebooks and browser take many minutes; one test asks git, which knows nothing of a copy.
WHOLE = (
    "tests",
    PACKAGE,
    "--ignore=tests/browser",
    "--ignore-glob=*test_notebooks.py",
    "-k",
    "not no_pickles",
)
SECONDS = 1800  # a fault that makes tests run on for ever is killed by this
GREEN, RED = 0, 1  # exit codes of pytest; others mean that the tests could not run

# Every run is forked from a process that has loaded these once; loading takes longer than most tests.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["torch", "librosa.core.pitch", "librosa.effects", "librosa.feature", "librosa.onset", "mir_eval", "scipy.signal",
     "sklearn.mixture", "pandas", "matplotlib.pyplot", "anywidget", "ipywidgets", "soundfile", "pooch", "joblib",
     "remotezip", "pytest"]
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Parameters
    ----------
    group, name : str
        Table of the list and name in it.
    module : str
        Name of the file without folder and ending.
    find, replace : str
        Source, and the fault in its place.
    tests : tuple of str
        ``file.py`` or ``file.py::test``, without the folder.
    """

    group: str
    name: str
    module: str
    find: str
    replace: str
    tests: tuple[str, ...]


def read_list(path: Path = LIST) -> list[Mutant]:
    """Return the faults of the list in its order."""
    return [
        Mutant(group, name, row["module"], row["find"], row["replace"], tuple(row["tests"]))
        for group, rows in tomllib.loads(path.read_text()).items()
        for name, row in rows.items()
    ]


def locate(mutant: Mutant, root: Path) -> Path:
    """Return the one file that holds the snippet of a fault, once.

    Raises
    ------
    ValueError
        If the snippet is not found, or more than once.
    """
    everything = sorted(file for part in (PACKAGE, "benchmarks") for file in (root / part).rglob("*.py"))
    # A module may move to another folder, or its function to another module.
    files = [file for file in everything if file.stem == mutant.module] or everything
    found = [file for file in files for _ in range(file.read_text().count(mutant.find))]
    if len(found) != 1:
        where = ", ".join(str(file.relative_to(root)) for file in found) or "nowhere"
        raise ValueError(
            f"{mutant.name}: the snippet {mutant.find!r} must be found once and is found {where}"
        )
    return found[0]


def locate_tests(mutant: Mutant, root: Path) -> list[str]:
    """Return the tests of a fault with the folders of their files.

    Raises
    ------
    ValueError
        If there is no such file, or more than one.
    """
    nodes = []
    for test in mutant.tests:
        name, separator, rest = test.partition("::")
        files = list((root / "tests").rglob(name))
        if len(files) != 1:
            raise ValueError(f"{mutant.name}: {name} must be one file under tests and is {len(files)}")
        nodes.append(f"{files[0].relative_to(root)}{separator}{rest}")
    return nodes


def copy_repository(root: Path) -> Path:
    """Copy what is changed or run into `root`, and link the rest."""
    for item in ROOT.iterdir():
        if item.name in COPIED:
            shutil.copytree(item, root / item.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif item.is_dir() and not item.name.startswith("."):
            # A folder of its own: resolved, a linked one would lie outside the copy.
            (root / item.name).mkdir()
            for inner in item.iterdir():
                (root / item.name / inner.name).symlink_to(inner)
        elif item.is_file():
            (root / item.name).symlink_to(item)
    return root


@contextmanager
def planted(mutant: Mutant, root: Path) -> Iterator[None]:
    """Put the fault in, and take it out again."""
    file = locate(mutant, root)
    source = file.read_text()
    file.write_text(source.replace(mutant.find, mutant.replace))
    try:
        compile(file.read_text(), str(file), "exec")
        yield
    finally:
        file.write_text(source)


def run_tests(arguments: list[str], root: Path) -> tuple[int, str]:
    """Run tests in a copy until the first fails; returns the exit code and that test, or what pytest said."""
    report = root / ".report"
    process = _PROCESSES.Process(target=_pytest, args=(arguments, root, report))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        return RED, f"no end after {SECONDS} s"
    said = report.read_text()
    failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    test = failed[0].split(" ", 1)[1].split(" - ")[0] if failed else said[-2000:]
    return process.exitcode, test


def _pytest(arguments: list[str], root: Path, report: Path) -> None:
    """Run pytest on a copy, in a process that has loaded others' packages and none of ours."""
    for name in [name for name in sys.modules if name.split(".")[0] in COPIED]:
        del sys.modules[name]
    for name in [name for name in os.environ if name.startswith("AUDIOSTYLE_")]:
        del os.environ[name]
    os.environ["PYTHONPATH"] = str(root)
    # No compiled files: two versions of a source in one second would share theirs.
    os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode = "1", True
    sys.path.insert(0, str(root))
    os.chdir(root)
    with report.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        import pytest

        options = ["-x", "-q", "--no-header", "--tb=no"]
        for plugin in ("cacheprovider", "nbmake", "xdist", "anyio"):  # without use here, and slow to load
            options += ["-p", f"no:{plugin}"]
        sys.exit(int(pytest.main([*options, *arguments])))


def judge(mutant: Mutant, root: Path, *, whole: bool) -> tuple[bool, str]:
    """Return whether tests see a fault, and the first that does.

    Raises
    ------
    RuntimeError
        If tests could not run, or fail without the fault too.
    """
    with planted(mutant, root):
        code, said = run_tests(locate_tests(mutant, root), root)
        if by_others := code == GREEN and whole:
            code, said = run_tests(list(WHOLE), root)
    if code not in (GREEN, RED):
        raise RuntimeError(f"{mutant.name}: the tests could not run\n{said}")
    if code == RED and by_others and "::" in said and run_tests([said], root)[0] != GREEN:
        raise RuntimeError(f"{mutant.name}: {said} fails without the fault too")
    return code == RED, said if code == RED else ""


def main() -> int:
    """Run the list; returns 1 if a fault survives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="only this fault; may be repeated")
    parser.add_argument(
        "--named", action="store_true", help="run the named tests alone, never the whole suite"
    )
    parser.add_argument("--jobs", type=int, default=1, help="copies at work (%(default)s)")
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "JUPYTER_PLATFORM_DIRS": "1"}
    mutants = read_list()
    if unknown := set(arguments.only or []) - {mutant.name for mutant in mutants}:
        parser.error(f"the list has no {', '.join(sorted(unknown))}")
    mutants = [mutant for mutant in mutants if not arguments.only or mutant.name in arguments.only]
    for mutant in mutants:  # fail before an hour of work, not after
        locate(mutant, ROOT)
    named = sorted({node for mutant in mutants for node in locate_tests(mutant, ROOT)})
    copies: queue.Queue[Path] = queue.Queue()

    def work(mutant: Mutant) -> bool:
        root, started = copies.get(), time.perf_counter()
        try:
            killed, test = judge(mutant, root, whole=not arguments.named)
        finally:
            copies.put(root)
        verdict = "killed  " if killed else "SURVIVED"
        sys.stdout.write(f"{verdict} {mutant.name:34} {time.perf_counter() - started:4.0f} s  {test}\n")
        sys.stdout.flush()
        return killed

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(arguments.jobs):
            copies.put(root := copy_repository(Path(tempfile.mkdtemp(dir=folder, prefix=f"{number}-"))))
        code, said = run_tests(named, root)
        if code != GREEN:
            raise RuntimeError(f"the named tests must pass without any fault\n{said}")
        with ThreadPoolExecutor(arguments.jobs) as pool:
            killed = list(pool.map(work, mutants))
    for group in dict.fromkeys(mutant.group for mutant in mutants):
        own = [k for k, mutant in zip(killed, mutants, strict=True) if mutant.group == group]
        sys.stdout.write(f"{group.replace('_', ' ')}: {sum(own)} of {len(own)} killed\n")
    sys.stdout.write(f"kill rate: {sum(killed)} of {len(killed)} = {sum(killed) / len(killed):.0%}\n")
    return 0 if all(killed) else 1


if __name__ == "__main__":
    sys.exit(main())
