"""``audiostyle fetch``: recordings of the pairs, corpora of speakers and listening tests, each file checked."""

import argparse
from pathlib import Path

from audiostyle.commands.common import add_command, say
from audiostyle.datasets import paths

_EXAMPLES = """examples:
  audiostyle fetch clips                 the recordings of the six pairs, about 20 MB
  audiostyle fetch vctk                  what Table 1 needs of VCTK 0.92, some 100 MB of 11 GB
  audiostyle fetch librispeech           test-clean, 346 MB
  audiostyle fetch listening             334 sounds that people compared, 31 MB
"""


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    text = "Download recordings; every file is checked."
    parser = add_command(commands, "fetch", _run, text, _EXAMPLES)
    parser.add_argument("what", choices=("clips", "vctk", "librispeech", "listening"))
    parser.add_argument("--to", type=Path, help="folder to download into")


def _run(args: argparse.Namespace) -> None:
    from audiostyle.datasets import archives, clips, listening

    if args.to is not None:
        args.to.mkdir(parents=True, exist_ok=True)
    files = {"clips": clips.fetch_clips, "listening": listening.fetch_listening}
    if args.what in files:
        fetched = files[args.what](args.to)
        where = args.to or paths.mirror_dir() or paths.data_dir()
        say(f"{len(fetched)} recordings are present and whole in {where}")
        return
    fetch = {"vctk": archives.fetch_vctk, "librispeech": archives.fetch_librispeech}[args.what]
    say(f"{args.what} is in {fetch(args.to)}")
