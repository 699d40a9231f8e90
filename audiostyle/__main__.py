"""The command line: ``python -m audiostyle``."""

import argparse
import json
import os
import sys
import warnings
from dataclasses import fields
from pathlib import Path

# Two OpenMP threads that wait actively beside another busy process cost a hundredfold; torch reads this once.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from audiostyle import __version__, config, paths
from audiostyle.datasets import clips
from audiostyle.studies import presets

_EXAMPLES = {
    "transfer": """examples:
  python -m audiostyle transfer violin.wav piano.flac -o result.wav
  python -m audiostyle transfer song.mp3 voice.ogg -o result.ogg --balance 0.8 --content-start 30 --content-duration 10
""",
    "speakers": """examples:
  python -m audiostyle speakers data/mini_corpus
  python -m audiostyle speakers LibriSpeech/test-clean --speakers 61,121,237,260 --per-speaker 40 --json table.json
  python -m audiostyle speakers VCTK --n-speakers 4 --per-speaker 40 --encoder random --seeds 10
""",
    "fetch": """examples:
  python -m audiostyle fetch clips                 the recordings of the six pairs, about 20 MB
  python -m audiostyle fetch vctk                  what Table 1 needs of VCTK 0.92, some 100 MB of 11 GB
  python -m audiostyle fetch librispeech           test-clean, 346 MB
""",
    "pairs": """examples:
  python -m audiostyle pairs                       preset quick, into results/quick/
  python -m audiostyle pairs --preset paper        4096 filters, 300 iterations: some minutes a pair
""",
}
# What the settings of a transfer are, one for each field of `TransferConfig`.
_SETTINGS = {
    "balance": "0 keeps the content, 1 takes the style",
    "match": "share of the style distance to remove, up to 0.9, instead of a balance",
    "encoder": "the limit of infinitely many filters, or the paper's random ones",
    "n_filters": "random filters",
    "kernel_size": "frames a filter spans",
    "activation": "nonlinearity after the filters",
    "unknowns": "what is optimised: magnitudes as in the paper, or the samples, which keeps melody better",
    "start": "what the optimisation starts from",
    "n_iter": "most iterations of the optimiser",
    "tolerance": "stop when an iteration lowers the loss by less than this fraction",
    "phase": "how magnitudes become sound; griffin_lim is the paper's way",
    "griffin_lim_iter": "iterations of Griffin-Lim, with --phase griffin_lim",
    "momentum": "momentum of Griffin-Lim",
    "polish_iter": "most iterations on the samples, with --phase polish",
    "sr": "sample rate of the result in Hz",
    "level": "root mean square at which everything is computed",
    "n_fft": "window of the STFT in samples",
    "hop_length": "samples between frames",
    "seed": "of the filters, the noise start and the initial phase",
    "device": "torch device, such as cpu or cuda",
}

# A transfer that may take longer, in seconds, is announced.
_LONG = 1800


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
    _add_speakers(commands)
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
    parser = _command(commands, "transfer", _transfer, "Give one sound file the style of another.")
    parser.add_argument("content", type=Path, help="sound file whose notes or words are kept")
    parser.add_argument("style", type=Path, help="sound file whose timbre and texture are taken")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".wav, .flac, .ogg, .mp3 or .aiff")
    for name, text in (("start", "seconds to skip"), ("duration", "seconds to read")):
        default = 0 if name == "start" else "all"
        parser.add_argument(f"--{name}", type=float, help=f"{text} of both files ({default})")
        for clip in ("content", "style"):
            parser.add_argument(f"--{clip}-{name}", type=float, help=f"{text} of the {clip} alone")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Offer every setting of a transfer as an option of its name."""
    group = parser.add_argument_group("settings")
    exclusive = group.add_mutually_exclusive_group()  # of balance and match
    defaults = {setting.name: setting.default for setting in fields(config.TransferConfig)}
    for name, text in _SETTINGS.items():
        default = defaults[name]
        choices = config.CHOICES.get(name)
        (exclusive if name in ("balance", "match") else group).add_argument(
            config.option(name),
            dest=f"config_{name}",
            type=float if default is None else type(default),
            # Checked by the configuration, which knows of names that were given up.
            metavar=f"{{{','.join(choices)}}}" if choices else name.upper(),
            default=default,
            help=text if default is None else f"{text} (%(default)s)",
        )


def _add_pairs(commands) -> None:
    parser = _command(
        commands, "pairs", _pairs, "Transfer all six pairs and write tables, figures and sound."
    )
    parser.add_argument(
        "--preset", help=f"one of {', '.join(presets.PRESETS)} (AUDIOSTYLE_PRESET, else quick)"
    )


def _add_speakers(commands) -> None:
    parser = _command(commands, "speakers", _speakers, "Tell who is speaking by Gram distance (Table 1).")
    parser.add_argument("corpus", type=Path, help="VCTK, LibriSpeech or any folder of <speaker>/<utterance>")
    parser.add_argument("--speakers", help="names a,b,c (all)")
    parser.add_argument("--n-speakers", type=int, help="the first so many speakers, in string order (all)")
    parser.add_argument("--per-speaker", type=int, help="utterances of each, in the order of names (all)")
    parser.add_argument("--methods", default="paper,best", help="names a,b,c (%(default)s)")
    parser.add_argument("--split", choices=("alternate", "halves"), help="one split (both)")
    parser.add_argument("--text", choices=("any", "disjoint"), default="any")
    parser.add_argument("--encoder", choices=config.ENCODERS, default="infinite")
    parser.add_argument("--n-filters", type=int, default=4096, help="random filters (%(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="banks of random filters (%(default)s)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes, at most one for each core (%(default)s)"
    )
    parser.add_argument("--json", type=Path, help="write the rows as a JSON list")
    parser.add_argument("--no-cache", action="store_true", help="compute all distances anew")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_fetch(commands) -> None:
    parser = _command(commands, "fetch", _fetch, "Download recordings; every file is checked.")
    parser.add_argument("what", choices=("clips", "vctk", "librispeech"))
    parser.add_argument("--to", type=Path, help="folder to download into")


def _transfer(args: argparse.Namespace) -> None:
    settings = config.TransferConfig(**{name: getattr(args, f"config_{name}") for name in _SETTINGS})
    from audiostyle.audio import load_audio, save_audio, writable_format

    _check_output(args.output, (args.content, args.style))
    writable_format(args.output, settings.sr)
    _check_device(settings.device)
    from audiostyle.transfer import transfer_style

    def load(name: str):
        """Read a clip; its own start and duration come before those of both."""
        start, duration = (
            common if own is None else own
            for common, own in (
                (args.start, getattr(args, f"{name}_start")),
                (args.duration, getattr(args, f"{name}_duration")),
            )
        )
        return load_audio(getattr(args, name), sr=settings.sr, start=start or 0.0, duration=duration)[0]

    content, style = load("content"), load("style")
    _check_cost(settings, len(content), len(style))
    result = transfer_style(content, style, settings.sr, settings, progress=not args.quiet)
    save_audio(args.output, result.y, result.sr)
    of_magnitudes = settings.unknowns == "magnitudes" and settings.phase == "griffin_lim"
    of_what = "in the magnitudes, " if of_magnitudes else ""
    found = "" if settings.match is None else f"balance {result.balance:.2f}, "
    _say(
        f"{args.output}: {len(result.y) / result.sr:.1f} s, {found}{result.losses['iteration'].iloc[-1]} iterations, "
        f"{result.style_removed:.0%} of the style loss removed, {of_what}{sum(result.seconds.values()):.1f} s. "
        f"{result.level_note}"
    )


def _check_output(path: Path, inputs: tuple[Path, ...]) -> None:
    """Fail before minutes of work, not after."""
    from audiostyle.audio import check_target

    check_target(path)
    if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
        raise UserError(f"{path} is one of the sounds read; write the result into another file")


def _check_device(name: str) -> None:
    import torch

    try:
        torch.empty(0, device=name)
    # torch says in many ways that a device is absent; a backend that is not installed is an import that fails.
    except (RuntimeError, AssertionError, ImportError) as error:
        why = str(error).splitlines()[0].split(":")[0].rstrip(".")
        raise UserError(f"--device {name} cannot be used here ({why}); use cpu") from error


def _check_cost(settings: config.TransferConfig, n_content: int, n_style: int) -> None:
    """Refuse what does not fit into memory, and announce what takes long."""
    from audiostyle.cost import check_memory, expected_cost

    check_memory(settings, n_content, n_style)
    cost = expected_cost(settings, n_content, n_style)
    if cost.seconds * cost.n_iter > _LONG:
        sys.stderr.write(
            f"audiostyle transfer: this will take long, some {_duration(cost.seconds)} for each of up to "
            f"{cost.n_iter} iterations on two cores; a longer --hop-length or a shorter --duration takes less\n"
        )


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.2g} seconds"


def _pairs(args: argparse.Namespace) -> None:
    from audiostyle.figures.pairs import write_pair
    from audiostyle.studies.results import Results

    preset = presets.get_preset(args.preset)
    edition = clips.current_edition()
    results = Results(preset.name, edition)
    for name in ("pairs.csv", "manifest.json"):
        _check_output(results.path(name), ())
    for number, pair in enumerate(clips.pairs(edition), 1):
        _say(f"[{number}/6] {pair.pair}: {pair.title} ({edition})")
        write_pair(pair, preset, results)
    _say(f"tables, figures and sound are in {results.folder}")


def _speakers(args: argparse.Namespace) -> None:
    from audiostyle.speakers.table import speaker_table, table_records

    _check_device(args.device)
    if args.json is not None:
        recordings = (args.json,) if args.json.resolve().is_relative_to(args.corpus.resolve()) else ()
        _check_output(args.json, recordings)
    if args.jobs < 1:
        raise UserError(f"--jobs {args.jobs} is not allowed; it must be at least 1")
    table = speaker_table(
        args.corpus,
        speakers=args.speakers.split(",") if args.speakers else args.n_speakers,
        per_speaker=args.per_speaker,
        methods=args.methods.split(","),
        n_seeds=args.seeds,
        split=args.split,
        text=args.text,
        encoder=args.encoder,
        n_filters=args.n_filters,
        device=args.device,
        n_jobs=min(args.jobs, os.cpu_count() or 1),
        progress=not args.quiet,
        cache=not args.no_cache,
    )
    if args.json is not None:
        from audiostyle.files import whole_file

        with whole_file(args.json) as temporary:
            temporary.write_text(json.dumps(table_records(table), indent=2) + "\n")
    _say(table.to_string(index=False))


def _fetch(args: argparse.Namespace) -> None:
    if args.to is not None:
        args.to.mkdir(parents=True, exist_ok=True)
    if args.what == "clips":
        fetched = clips.fetch_clips(args.to)
        where = args.to or paths.mirror_dir() or paths.data_dir()
        _say(f"{len(fetched)} recordings are present and whole in {where}")
        return
    from audiostyle.datasets import archives

    fetch = {"vctk": archives.fetch_vctk, "librispeech": archives.fetch_librispeech}[args.what]
    _say(f"{args.what} is in {fetch(args.to)}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say_warning(command: str, message: Warning) -> None:
    sys.stderr.write(f"audiostyle {command}: {' '.join(str(message).split())}\n")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns 0, or 2 after one line on standard error for bad input."""
    args = build_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            # One line without the place in the code, which says nothing to who typed a command.
            warnings.showwarning = lambda message, *_: _say_warning(args.command, message)
            args.run(args)
    except (UserError, ValueError, OSError, RuntimeError, MemoryError) as error:
        message = " ".join(str(error).split())
        sys.stderr.write(f"audiostyle {args.command}: error: {message}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"audiostyle {args.command}: interrupted; no file is left half written\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
