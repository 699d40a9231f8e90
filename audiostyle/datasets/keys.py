"""Names of stored numbers: a digest of every setting that made them, and of the code and libraries that did.

A number that was stored by other code has another name and is never found, so that no result is published that the
code at hand would not give.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from audiostyle import __version__

_PACKAGE = Path(__file__).resolve().parents[1]
# Those whose arithmetic enters results; an update may change their last digits.
_LIBRARIES = ("librosa", "numpy", "scipy", "soundfile", "torch")


def cache_key(module: str, **settings: object) -> str:
    """Return a name for numbers that a module computes.

    Parameters
    ----------
    module : str
        Full name of the module whose function computes them, such as ``"audiostyle.studies.width"``.
    **settings
        Everything else that they depend on: what JSON can hold, and dataclasses of that.

    Returns
    -------
    str
        32 hexadecimal digits: another setting, another version of the package or of a library that computes, or
        other code in the module or in what it imports from the package gives another name.

    Raises
    ------
    TypeError
        If a setting is neither.

    Examples
    --------
    >>> cache_key("audiostyle.config", balance=0.5) == cache_key("audiostyle.config", balance=0.6)
    False
    """
    made_of = {
        "version": __version__,
        "code": code_version(module),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "settings": settings,
    }
    text = json.dumps(made_of, sort_keys=True, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def code_version(module: str, package: Path = _PACKAGE) -> str:
    """Return a digest of the code of a module and of all modules of the package that it imports, theirs included.

    Comments, docstrings and layout do not enter: they change no number.

    Parameters
    ----------
    module : str
        Full name, such as ``"audiostyle.studies.width"``.
    package : path
        Folder of the package that the name begins with.

    Raises
    ------
    FileNotFoundError
        If the package has no such module.
    """
    code, waiting = {}, [module]
    while waiting:
        name = waiting.pop()
        if name not in code:
            tree = ast.parse(_file(name, package).read_text(encoding="utf-8"))
            waiting += [found for found in _imports(tree) if _is_module(found, package)]
            code[name] = ast.dump(_without_docstrings(tree))
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()


def _file(module: str, package: Path) -> Path:
    path = package.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _is_module(name: str, package: Path) -> bool:
    """Whether the package has a module of that name; importing from the package itself loads no code on demand."""
    return name.startswith(f"{package.name}.") and _file(name, package).is_file()


def _imports(tree: ast.Module) -> Iterator[str]:
    """Yield every name imported anywhere in a module, with the module it is imported from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body[0].value.value = ""
    return tree
