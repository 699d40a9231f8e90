"""The command line: ``python -m audiostyle``."""

import argparse
import os
import sys
from pathlib import Path

# Two OpenMP threads that wait actively beside another busy process cost a hundredfold; torch reads this once.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from audiostyle import __version__, clips, config, paths

_EXAMPLES = {
    "transfer": """examples:
  python -m audiostyle transfer violin.wav piano.flac -o result.wav
  python -m audiostyle transfer song.mp3 voice.ogg -o result.ogg --balance 0.8 --start 30 --duration 10
""",
    "fetch": """examples:
  python -m audiostyle fetch clips                 the recordings of the six pairs, about 20 MB
""",
    "pairs": """examples:
  python -m audiostyle pairs                       preset quick, into results/quick/
  python -m audiostyle pairs --preset paper        4096 filters, 300 iterations: some minutes a pair
""",
}


class UserError(Exception):
    """A mistake in what was asked for: one line on standard error and exit code 2."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m audiostyle", description="Audio style transfer, no training."
    )
    parser.add_argument("--version", action="version", version=f"audiostyle {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_transfer(commands)
    _add_pairs(commands)
    _add_fetch(commands)
    return parser


def _command(commands, name: str, run, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=_EXAMPLES.get(name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _add_transfer(commands) -> None:
    default = config.TransferConfig()
    parser = _command(commands, "transfer", _transfer, "Give one sound file the style of another.")
    parser.add_argument("content", type=Path, help="sound file whose notes or words are kept")
    parser.add_argument("style", type=Path, help="sound file whose timbre and texture are taken")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".wav, .flac, .ogg or .mp3")
    parser.add_argument("--encoder", choices=config.ENCODERS, default=default.encoder)
    parser.add_argument(
        "--n-filters", type=int, default=default.n_filters, help="random filters (%(default)s)"
    )
    parser.add_argument(
        "--balance",
        type=float,
        default=default.balance,
        help="0 keeps the content, 1 takes the style (%(default)s)",
    )
    parser.add_argument("--match", type=float, help="share of the style distance to remove, instead of a balance")
    parser.add_argument("--start", type=float, help="seconds to skip in both files")
    parser.add_argument("--content-start", type=float, help="seconds to skip in the content (0)")
    parser.add_argument("--style-start", type=float, help="seconds to skip in the style (0)")
    parser.add_argument("--duration", type=float, help="seconds to read of each (all)")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument(
        "--device", default=default.device, help="torch device, such as cpu or cuda (%(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_pairs(commands) -> None:
    parser = _command(
        commands, "pairs", _pairs, "Transfer all six pairs and write tables, figures and sound."
    )
    parser.add_argument(
        "--preset", help=f"one of {', '.join(config.PRESETS)} (AUDIOSTYLE_PRESET, else quick)"
    )


def _add_fetch(commands) -> None:
    parser = _command(commands, "fetch", _fetch, "Download recordings; every file is checked.")
    parser.add_argument("what", choices=("clips",))
    parser.add_argument("--to", type=Path, help="folder to download into")


def _transfer(args: argparse.Namespace) -> None:
    settings = config.TransferConfig(
        encoder=args.encoder,
        n_filters=args.n_filters,
        balance=args.balance,
        seed=args.seed,
        device=args.device,
    )
    _check_output(args.output)
    from audiostyle.audio import load_audio, save_audio
    from audiostyle.transfer import transfer_style

    start = args.start or 0.0
    cuts = {
        args.content: start if args.content_start is None else args.content_start,
        args.style: start if args.style_start is None else args.style_start,
    }
    content, style = (
        load_audio(path, sr=settings.sr, start=begin, duration=args.duration)[0]
        for path, begin in ((args.content, cuts[args.content]), (args.style, cuts[args.style]))
    )
    result = transfer_style(content, style, settings.sr, settings, progress=not args.quiet)
    save_audio(args.output, result.y, result.sr)
    removed = 1 - result.losses["style"].iloc[-1] / result.style_unit
    _say(
        f"{args.output}: {len(result.y) / result.sr:.1f} s, {result.losses['iteration'].iloc[-1]} iterations, "
        f"{removed:.0%} of the style loss removed, {sum(result.seconds.values()):.1f} s"
    )


def _check_output(path: Path) -> None:
    """Fail before minutes of work, not after."""
    import soundfile

    if path.suffix.lstrip(".").upper() not in soundfile.available_formats():
        raise UserError(f"{path} has no suffix that names a sound format; use .wav, .flac, .ogg or .mp3")
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(
            f"{path} cannot be written: {path if path.is_dir() else path.parent} is not a folder to write in"
        )
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{path} cannot be written: no permission in {path.parent.resolve()}")


def _pairs(args: argparse.Namespace) -> None:
    from audiostyle.pairs import write_pair
    from audiostyle.results import Results

    preset = config.get_preset(args.preset)
    edition = clips.current_edition()
    results = Results(preset.name, edition)
    for number, pair in enumerate(clips.pairs(edition), 1):
        _say(f"[{number}/6] {pair.pair}: {pair.title} ({edition})")
        write_pair(pair, preset, results)
    _say(f"tables, figures and sound are in {results.folder}")


def _fetch(args: argparse.Namespace) -> None:
    if args.to is not None:
        args.to.mkdir(parents=True, exist_ok=True)
    fetched = clips.fetch_clips(args.to)
    _say(
        f"{len(fetched)} recordings are present and whole in {args.to or paths.mirror_dir() or paths.data_dir()}"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns 0, or 2 after one line on standard error for bad input."""
    args = build_parser().parse_args(argv)
    try:
        args.run(args)
    except (UserError, ValueError, OSError, RuntimeError, MemoryError) as error:
        message = " ".join(str(error).split())
        sys.stderr.write(f"audiostyle {args.command}: error: {message}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"audiostyle {args.command}: interrupted, nothing written\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
