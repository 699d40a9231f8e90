"""What the commands share: how one is added, what it says, and what it refuses before it begins."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


class UserError(Exception):
    """A mistake in what was asked for: one line on standard error and exit code 2."""


def add_command(
    commands, name: str, run: Callable[[argparse.Namespace], int | None], text: str, examples: str
) -> argparse.ArgumentParser:
    """Add a command to a group of subparsers, and return its parser; `run` may return an exit code."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(name, help=text, description=text, epilog=examples, formatter_class=shape)
    parser.set_defaults(run=run)
    return parser


def say(text: str) -> None:
    """Write a line to standard output; what the terminal cannot print is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def check_output(path: Path, inputs: tuple[Path, ...] = ()) -> None:
    """Fail before minutes of work, not after: if a file cannot be written, or is one of those that are read."""
    from audiostyle.system import check_target

    check_target(path)
    if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
        raise UserError(f"{path} is one of the sounds read; write the result into another file")


def check_jobs(n_jobs: int) -> None:
    """Raise a UserError unless there is at least one process."""
    if n_jobs < 1:
        raise UserError(f"--jobs {n_jobs} is not allowed; it must be at least 1")


def check_device(name: str) -> None:
    """Raise a UserError unless torch can compute on the device."""
    import torch

    try:
        torch.empty(0, device=name)
    # torch says in many ways that a device is absent; a backend that is not installed is an import that fails.
    except (RuntimeError, AssertionError, ImportError) as error:
        why = str(error).splitlines()[0].split(":")[0].rstrip(".")
        raise UserError(f"--device {name} cannot be used here ({why}); use cpu") from error
