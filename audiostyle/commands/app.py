"""``audiostyle app``: the style lab in the browser."""

import argparse

from audiostyle.commands.common import UserError, add_command

_EXAMPLES = """examples:
  audiostyle app                         opens the browser; Ctrl-C ends it
  audiostyle app --no-browser            prints the address to open, with its token
"""


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    text = "Serve the style lab to the browser, on this machine only."
    parser = add_command(commands, "app", _run, text, _EXAMPLES)
    parser.add_argument(
        "--port", type=int, default=8866, help="port, or one near it where it is taken (%(default)s)"
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser")


def _run(args: argparse.Namespace) -> None:
    if not 1 <= args.port <= 65535:
        raise UserError(f"--port {args.port} is not allowed; it must be from 1 to 65535")
    from audiostyle.widgets.app import serve

    serve(port=args.port, browser=not args.no_browser)
