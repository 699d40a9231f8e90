"""The repository keeps its own rules."""

import ast
import re
import subprocess
import tomllib

import pytest
import yaml

from audiostyle import paths, readme

ROOT = paths.root()
PACKAGE = ROOT / "audiostyle"
# DESIGN: imports run one way. A module may import from its own row and from those above.
ROWS = [
    {"version"},
    {"paths", "config", "levels", "keys", "headers"},
    {"audio", "spectrogram", "optimize"},
    {"encoders", "patches"},
    {"infinite"},
    {"losses", "cost"},
    {"phase", "pghi", "consistency", "polish", "content_metrics"},
    {"transfer", "metrics", "textures", "baselines", "corpora", "clips", "triples", "archives"},
    {
        "gram_distance",
        "classifiers",
        "speaker_methods",
        "speakers",
        "results",
        "width",
        "phase_study",
        "readme",
    },
    {"plots", "drawings", "width_plots", "speaker_plots", "speaker_probes", "listen", "live"},
    {"pairs", "tradeoffs", "tradeoff_plots"},
    {
        "abx",
        "app",
        "frontend",
        "jobs",
        "lab",
        "player",
        "recipe",
        "source",
        "speaker_widget",
        "widgets",
    },
    {"__init__", "__main__"},
]
LEVEL = {module: level for level, row in enumerate(ROWS) for module in row}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "audiostyle":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_imports_run_one_way(path):
    assert path.stem in LEVEL, f"{path.name} has no row in the order of imports"
    for imported in _imports(path):
        if imported in LEVEL and imported != "__version__":
            assert LEVEL[imported] <= LEVEL[path.stem], f"{path.stem} imports {imported}"


def test_no_circles():
    edges = {path.stem: {name for name in _imports(path) if name in LEVEL} for path in PACKAGE.glob("*.py")}
    edges = {
        name: found - {"__init__"} for name, found in edges.items() if name not in ("__init__", "__main__")
    }
    while edges:
        leaves = [name for name, found in edges.items() if not found & edges.keys()]
        assert leaves, f"circular imports among {sorted(edges)}"
        for name in leaves:
            del edges[name]


def test_environment_takes_its_versions_from_pyproject():
    pip = [
        item
        for item in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
        if item != "pip"
    ]
    assert pip == ["python=3.11", {"pip": ["-e .[dev]"]}]


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = project["dependencies"] + [
        row for rows in project["optional-dependencies"].values() for row in rows
    ]
    assert [row for row in listed if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", row)] == []
    assert "torch==2.13.0" in listed


def _tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.splitlines() if (ROOT / name).is_file()]


def test_no_pickles_and_no_large_files():
    for path in _tracked():
        assert path.suffix not in {".pkl", ".pickle", ".npy", ".npz", ".pt"}, path
        assert path.stat().st_size <= 1_500_000, f"{path} has {path.stat().st_size} bytes"


def test_package_does_not_print_or_swallow():
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", path
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"bare except in {path}"
                assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), (
                    f"swallowed in {path}"
                )


def test_readme_tables_equal_the_csv_files():
    text = (ROOT / "README.md").read_text()
    assert "<!-- table: " in text
    assert readme.render(text) == text
