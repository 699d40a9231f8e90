"""The repository keeps its own rules: its size, its map in CONTRIBUTING, its requirements, its tables."""

import ast
import re
import subprocess
import tomllib
from dataclasses import fields
from graphlib import TopologicalSorter

import pytest
from packaging.requirements import Requirement

from audiostyle import TransferConfig
from audiostyle.datasets import paths
from experiments import tables

ROOT = paths.root()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Lines of Python, docstrings included, and of JavaScript and CSS: what a room may hold today, and what it should.
CORE = ("config.py", "spectrogram.py", "encoders", "losses.py", "optimize.py", "phase", "transfer.py")
BUDGETS = {
    "core": (1712, 1600, [f"audiostyle/{name}" for name in CORE]),
    "matching": (700, 700, ["audiostyle/matching"]),
    "sound": (909, 700, ["audiostyle/sound"]),
    "files": (551, 600, ["audiostyle/files"]),
    "datasets": (861, 800, ["audiostyle/datasets"]),
    "measures, baselines": (768, 900, ["audiostyle/measures", "audiostyle/baselines"]),
    "speakers": (1179, 1200, ["audiostyle/speakers"]),
    "figures": (441, 700, ["audiostyle/figures"]),
    "widgets": (1500, 1500, ["audiostyle/widgets"]),
    "command line": (607, 500, ["audiostyle/__main__.py", "audiostyle/commands"]),
    "package": (9495, 9500, ["audiostyle"]),
    "experiments": (3_000, 3_500, ["experiments"]),
    "tests": (8000, 8000, ["tests"]),
    "browser": (700, 700, ["audiostyle/widgets/static"]),
}


def _tracked(*places):
    listing = subprocess.run(
        ["git", "ls-files", *places], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_house_is_small(record_property):
    """Prints what stands in each room; `pytest -rP tests/test_house.py` shows it."""
    found = {}
    for room, (*_, places) in BUDGETS.items():
        endings = (".js", ".css") if room == "browser" else (".py",)
        files = [path for path in _tracked(*places) if path.suffix in endings]
        found[room] = sum(len(path.read_text().splitlines()) for path in files)
        assert files, f"{room}: {places} hold nothing"
    for room, (most, aim, _) in BUDGETS.items():
        print(f"{room:20} {found[room]:6}, may hold {most}, should {aim}")
        record_property(room, found[room])
    print(f"fields {len(fields(TransferConfig))} of 14, requirements {len(PROJECT['dependencies'])} of 18")
    assert len(fields(TransferConfig)) <= 14
    assert len(PROJECT["dependencies"]) <= 18
    assert not {room: n for room, n in found.items() if n > BUDGETS[room][0]}


def _map():
    """Rooms in the order of CONTRIBUTING's table, each with the modules and folders that it names."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| where |")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [
        [name.removeprefix("audiostyle/").rstrip("/") for name in re.findall(r"`([^`]+)`", row)]
        for row in rows
    ]


def _floor(module, rooms):
    """Number of the room that a module, by its dotted name, stands in."""
    for floor, names in enumerate(rooms):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return floor
    raise AssertionError(f"{module} stands in no room of CONTRIBUTING's table")


def _imports(path):
    """Modules of the repository that a file imports, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are written in full"
            wanted = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for whole in wanted:
            first, _, inner = whole.partition(".")
            if first == "audiostyle" and inner.partition(".")[0] not in ("__version__", ""):
                public = (ROOT / "audiostyle" / inner.partition(".")[0]).with_suffix(".py")
                yield inner if public.is_file() or public.with_suffix("").is_dir() else "transfer"
            elif first in ("experiments", "website"):
                yield first


@pytest.mark.parametrize(
    "path", _tracked("audiostyle/*.py", "experiments/*.py"), ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_run_as_the_map_says(path):
    rooms = _map()
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = parts[0] if parts[0] != "audiostyle" else ".".join(parts[1:]).removesuffix(".__init__")
    if own == "__init__":
        return  # looks names up when they are used
    for imported in _imports(path):
        assert _floor(imported, rooms) <= _floor(own, rooms), f"{own} imports {imported}"


def test_no_circles():
    """A circle is a CycleError that names it."""
    edges = {}
    for path in _tracked("audiostyle/*.py"):
        name = ".".join(path.relative_to(ROOT / "audiostyle").with_suffix("").parts).removesuffix(".__init__")
        edges[name] = set(_imports(path))
    for name, found in edges.items():
        modules = {inner if inner in edges else inner.rpartition(".")[0] for inner in found}
        edges[name] = (modules & edges.keys()) - {name}
    TopologicalSorter(edges).prepare()


def test_every_requirement_is_a_range_around_the_release_in_use():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = PROJECT["optional-dependencies"]
    needs = [Requirement(line) for line in (*PROJECT["dependencies"], *extras["app"], *extras["notebooks"])]
    assert pins["torch"] == "2.13.0"
    for need in needs:
        if need.name != "audiostyle":
            assert sorted(one.operator for one in need.specifier) == ["<", ">="], need
            assert pins[need.name] in need.specifier, need


def test_no_pickles_and_no_large_files():
    for path in _tracked():
        assert path.suffix not in {".pkl", ".pickle", ".npy", ".npz", ".pt"}, path
        assert path.stat().st_size <= 1_500_000, f"{path} has {path.stat().st_size} bytes"


def test_package_does_not_print_or_swallow():
    for path in _tracked("audiostyle/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) != "print", path
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"bare except in {path}"
                assert [ast.unparse(line) for line in node.body] != ["pass"], f"swallowed in {path}"


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_equal_the_csv_files_and_links_lead_somewhere(page):
    text = page.read_text()
    assert "<!-- table: " in text
    assert tables.render(text) == text
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert all((page.parent / link).exists() for link in links if link), links
