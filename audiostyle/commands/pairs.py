"""``audiostyle pairs``: the six pairs, with tables, figures and sound."""

import argparse

from audiostyle.commands.common import add_command, check_output, say
from audiostyle.studies import presets

_EXAMPLES = """examples:
  audiostyle pairs                       preset quick, into results/quick/
  audiostyle pairs --preset paper        4096 filters, 300 iterations: some minutes a pair
  audiostyle pairs speech-1 speech-2     these alone
"""


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    text = "Transfer the six pairs and write tables, figures and sound."
    parser = add_command(commands, "pairs", _run, text, examples=_EXAMPLES)
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help="name of a pair; all by default")
    parser.add_argument(
        "--preset", help=f"one of {', '.join(presets.PRESETS)} (AUDIOSTYLE_PRESET, else quick)"
    )


def _run(args: argparse.Namespace) -> None:
    preset = presets.get_preset(args.preset)
    from audiostyle.datasets import clips
    from audiostyle.figures.pairs import write_pair
    from audiostyle.studies.results import Results

    edition = clips.current_edition()
    chosen = [clips.get_pair(name, edition) for name in args.pairs] or clips.pairs(edition)
    results = Results(preset.name, edition)
    for name in ("pairs.csv", "manifest.json"):
        check_output(results.path(name))
    for number, pair in enumerate(chosen, 1):
        say(f"[{number}/{len(chosen)}] {pair.pair}: {pair.title} ({edition})")
        write_pair(pair, preset, results)
    say(f"tables, figures and sound are in {results.folder}")
