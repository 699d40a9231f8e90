"""The repository keeps its own rules."""

import ast
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from audiostyle.datasets import paths
from experiments import tables

ROOT = paths.root()
PACKAGE = ROOT / "audiostyle"


def test_environment_takes_the_constraints():
    pip = [
        item
        for item in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
        if item != "pip"
    ]
    assert pip == ["python=3.11", {"pip": ["-c constraints.txt", "-e .[dev]"]}]


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _pins(lines):
    """Name and release of requirements that name one release each."""
    return dict(re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9][0-9a-z.]*)", line).groups() for line in lines)


def test_tools_are_pinned():
    for extra in ("dev", "browser"):
        assert _pins(PROJECT["optional-dependencies"][extra])


def test_every_requirement_is_a_range_around_the_release_in_use():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = _pins(line for line in lines if not line.startswith("#"))
    ranges = {need.name: need.specifier for need in map(Requirement, PROJECT["dependencies"])}
    assert pins.keys() == ranges.keys()
    assert pins["torch"] == "2.13.0"
    for name, allowed in ranges.items():
        assert sorted(one.operator for one in allowed) == ["<", ">="], name
        assert pins[name] in allowed, name


def test_lowest_releases_are_all_found_by_make():
    (rule,) = re.findall(r"sed -nE '(.+)' pyproject.toml", (ROOT / "Makefile").read_text())
    command = ["sed", "-nE", rule, "pyproject.toml"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lowest = (str(one) for need in PROJECT["dependencies"] for one in Requirement(need).specifier)
    assert sorted(_pins(found.split()).values()) == sorted(
        one.removeprefix(">=") for one in lowest if one.startswith(">=")
    )


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


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_readme_tables_equal_the_csv_files(page):
    text = page.read_text()
    assert "<!-- table: " in text
    assert tables.render(text) == text


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 1200


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_the_pages_lead_somewhere(page):
    """Links within the repository, and where a feature of similar systems is found here."""
    text = page.read_text()
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert all((page.parent / link).exists() for link in links if link), links
