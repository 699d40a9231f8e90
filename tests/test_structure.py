"""The rooms of the package: what may import what."""

import ast
import inspect
from dataclasses import fields
from importlib import import_module

import pytest

from audiostyle import TransferConfig
from audiostyle.datasets import paths

PACKAGE = paths.root() / "audiostyle"
FILES = sorted(PACKAGE.rglob("*.py"))
# A file imports from its own room and from rooms of a lower number. Those of one number know nothing of each other.
FLOORS = {
    "sound": 0,
    "core": 1,
    "baselines": 2,
    "datasets": 2,
    "measures": 3,
    "files": 4,
    "speakers": 4,
    "studies": 5,
    "figures": 6,
    "widgets": 7,
    "commands": 8,
}
# The method: the top level and these.
CORE = ("encoders", "phase", "matching", "neighbours")
# Ways beside the paper's, on the level of the core because `transfer` offers them; not the paper's method.
BESIDE = ("matching", "neighbours")


def name_of(path):
    """Dotted name of a module, without `audiostyle`; the package itself is ``""``."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {name_of(path): path for path in FILES}


def room_of(name):
    first = name.partition(".")[0]
    if first == "__main__":
        return "commands"
    if first in CORE or MODULES[name].parent == PACKAGE:
        return "core"
    return first


def imports_of(name):
    """Modules of the package that a module imports, those inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: imports are written in full"
            # `from a import b` imports a.b where that is a module, else a.
            wanted = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for whole in wanted:
            first, _, inner = whole.partition(".")
            if first == "audiostyle":
                while inner not in MODULES:
                    inner = inner.rpartition(".")[0]
                found.add(inner)
    return found - {name, ""}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_run_one_way(name):
    room = room_of(name)
    for imported in imports_of(name):
        other = room_of(imported)
        assert other == room or FLOORS[other] < FLOORS[room], f"{name} ({room}) imports {imported} ({other})"


def test_every_room_has_a_floor():
    assert {room_of(name) for name in MODULES} == set(FLOORS)


def test_no_circles():
    edges = {name: imports_of(name) for name in MODULES}
    while edges:
        leaves = [name for name, found in edges.items() if not found & edges.keys()]
        assert leaves, f"circular imports among {sorted(edges)}"
        for name in leaves:
            del edges[name]


def test_the_core_is_small():
    assert len(list(PACKAGE.glob("*.py"))) <= 14
    core = [
        path for name, path in MODULES.items() if room_of(name) == "core" and path.parent.name not in BESIDE
    ]
    assert sum(len(path.read_text().splitlines()) for path in core) <= 3000


def test_every_room_says_what_it_is_for():
    for folder in {path.parent for path in FILES}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


SHARED = {
    f.name: f.default
    for f in fields(TransferConfig)
    if f.name in ("n_fft", "hop_length", "sr", "level", "kernel_size", "n_filters", "tolerance")
}


# Sketches of figures are small; recordings of speech have a rate of their own.
@pytest.mark.parametrize("name", sorted(n for n in MODULES if n and room_of(n) != "figures"))
def test_defaults_are_those_of_the_configuration(name):
    module = import_module(f"audiostyle.{name}")
    for _, found in inspect.getmembers(module, lambda x: inspect.isfunction(x) or inspect.isclass(x)):
        if found.__module__ != module.__name__ or found is TransferConfig:
            continue
        if inspect.isclass(found) and issubclass(found, Exception):
            continue  # of a message
        for parameter in inspect.signature(found).parameters.values():
            # None is the file's own sample rate
            absent = None if parameter.name == "sr" else inspect.Parameter.empty
            allowed = (inspect.Parameter.empty, absent, SHARED.get(parameter.name, parameter.default))
            assert parameter.default in allowed, f"{found.__qualname__}({parameter})"
