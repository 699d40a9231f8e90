"""The command line: ``audiostyle``, or ``python -m audiostyle``."""

import argparse
import sys
import warnings

from audiostyle import __version__
from audiostyle.commands import app, fetch, pairs, speakers, transfer
from audiostyle.commands.common import UserError


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="audiostyle", description="Audio style transfer, no training.")
    parser.add_argument("--version", action="version", version=f"audiostyle {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (transfer, speakers, pairs, fetch, app):
        command.add(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns 0, 1 where some of several files failed, or 2 after one line for bad input."""
    args = build_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            # One line without the place in the code, which says nothing to who typed a command.
            warnings.showwarning = lambda message, *_: _complain(args.command, str(message))
            return args.run(args) or 0
    except (UserError, ValueError, OSError, RuntimeError, MemoryError) as error:
        _complain(args.command, f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _complain(args.command, "interrupted; no file is left half written")
        return 130


def _complain(command: str, text: str) -> None:
    sys.stderr.write(f"audiostyle {command}: {' '.join(text.split())}\n")


if __name__ == "__main__":
    sys.exit(main())
