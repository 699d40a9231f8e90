"""The repository keeps its own rules."""

import ast
import re
import subprocess
import tomllib

import yaml

from audiostyle import paths
from benchmarks import readme

ROOT = paths.root()
PACKAGE = ROOT / "audiostyle"


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
    for path in PACKAGE.rglob("*.py"):
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
