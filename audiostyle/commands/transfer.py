"""``audiostyle transfer``: sound files in the style of others."""

import argparse
import os
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

from audiostyle import config
from audiostyle.commands.common import UserError, add_command, check_device, check_jobs, check_output, say
from audiostyle.files import presets

EXAMPLES = """examples:
  audiostyle transfer violin.wav piano.flac -o result.wav
  audiostyle transfer song.mp3 voice.ogg -o result.ogg --balance 0.8 --content-start 30 --content-duration 10
  audiostyle transfer violin.wav piano.flac -o result.wav --preset paper
  audiostyle transfer takes piano.flac -o results -j 2
  audiostyle transfer one.wav two.wav --style cello.wav --style viola.wav -o results
  audiostyle transfer --recipe saved.json -o again.wav
"""
# What the settings of a transfer are, one for each field of `TransferConfig`.
_SETTINGS = {
    "method": "filter to the matched timbre, or optimise a Gram matrix as the paper does",
    "balance": "0 keeps the content, 0.5 is the matched timbre, 1 takes the style's texture",
    "encoder": "the limit of infinitely many filters, or the paper's random ones; implies --method gram",
    "n_filters": "random filters; implies --encoder random",
    "kernel_size": "frames a filter spans",
    "activation": "nonlinearity after the filters",
    "n_iter": "most iterations of the optimiser",
    "phase": "how magnitudes become sound; griffin_lim is the paper's way",
    "sr": "sample rate in Hz at which an optimisation computes",
    "level": "root mean square at which an optimisation computes",
    "n_fft": "window of the STFT in samples",
    "hop_length": "samples between frames",
    "seed": "of the filters and the initial phase",
    "device": "torch device, such as cpu or cuda",
}
# Seconds of each sound that a report holds, and the sample rates in Hz that its players take.
_REPORTED, _PLAYED = 300, (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    parser = add_command(commands, "transfer", _run, "Give sound files the style of others.", EXAMPLES)
    add = parser.add_argument
    sounds = (
        "CONTENT STYLE, files or folders: notes or words of the first, timbre and texture of the second, every "
        "content with every style; with --style all are contents"
    )
    add("sounds", type=Path, nargs="*", metavar="SOUND", help=sounds)
    style = "sound file to take the style from; several are one style"
    add("--style", type=Path, action="append", help=style)
    output = ".wav, .flac, .ogg, .mp3 or .aiff; of several results a folder; existing ones are skipped"
    add("-o", "--output", type=Path, required=True, help=output)
    uses = ", ".join(f"{name} ({label})" for name, (label, _) in presets.USES.items())
    add("--preset", help=f"settings for a purpose: {uses}")
    recipe = "settings (.json) that a batch or the lab saved beside a result; options given here win"
    add("--recipe", type=Path, help=recipe)
    for name, text in (("start", "seconds to skip (0)"), ("duration", "seconds to read (all)")):
        add(f"--{name}", type=float, help=f"of all files, {text}")
        for clip in ("content", "style"):
            add(f"--{clip}-{name}", type=float, help=f"of the {clip} alone")
    add("--report", type=Path, help="page (.html) with player, pictures, numbers and settings of one result")
    add("--quiet", action="store_true", help="no progress bar")
    add("-j", "--jobs", type=int, default=1, help="processes for several results (%(default)s)")
    add = parser.add_argument_group("what is written, by default as the content came").add_argument
    add("--sr", type=int, help="sample rate in Hz")
    add("--channels", type=int, help="channels: 1, or of a mono result any")
    add("--subtype", type=str.upper, help="how samples are kept: PCM_16, PCM_24, FLOAT, ...")
    add("--format", help="wav, flac, ogg, mp3 or aiff, for several results")
    add = parser.add_argument_group("settings").add_argument
    for field in fields(config.TransferConfig):
        choices = config.CHOICES.get(field.name)
        add(
            # --sr is the rate of the file that is written
            "--analysis-sr" if field.name == "sr" else f"--{field.name.replace('_', '-')}",
            dest=f"config_{field.name}",
            type=str if choices else type(field.default),
            metavar=f"{{{','.join(choices)}}}" if choices else field.name.upper(),
            default=argparse.SUPPRESS,  # one not given leaves no attribute behind
            help=f"{_SETTINGS[field.name]} ({'matched' if field.default is None else field.default})",
        )


def settings(args: argparse.Namespace, base: config.TransferConfig | None = None) -> config.TransferConfig:
    """Return the settings that were typed, the others as in `base` (None takes the defaults)."""
    given = {name: getattr(args, f"config_{name}") for name in _SETTINGS if hasattr(args, f"config_{name}")}
    if "n_filters" in given:
        given.setdefault("encoder", "random")
    if "encoder" in given:
        given.setdefault("method", "gram")
    return replace(base, **given) if base else config.TransferConfig(**given)


def _run(args: argparse.Namespace) -> int:
    recipe = _recipe(args)
    if recipe is not None and args.preset is not None:
        raise UserError("--preset and --recipe both say what to do; give one of them")
    base = recipe.config if recipe else presets.get_use(args.preset).config if args.preset else None
    chosen = settings(args, base)
    contents, styles = _sounds(args, recipe)
    check_device(chosen.device)
    from audiostyle.files.one import Delivery

    kept = recipe.delivery if recipe else Delivery()
    asked = {"rate": args.sr, "channels": args.channels, "subtype": args.subtype}
    delivery = replace(kept, **{name: value for name, value in asked.items() if value is not None})
    several = len(contents) > 1 or any(path.is_dir() for path in (*contents, *styles))
    return (_run_several if several else _run_one)(args, recipe, chosen, delivery, contents, styles)


def _run_one(args, recipe, chosen, delivery, contents: list[Path], styles: list[Path]) -> int:
    from audiostyle.files.one import Sources, transfer_files

    if args.format is not None:
        raise UserError("--format is for several results; the suffix of --output says it for one")
    check_output(args.output, (*contents, *styles))
    if args.report is not None:
        check_output(args.report, (*contents, *styles, args.output))
        if args.report.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--report {args.report} writes a page; call it .html")
    (content,), parts = (
        _parts(paths, name, args, recipe) for name, paths in (("content", contents), ("style", styles))
    )
    sources = Sources(content, tuple(parts))
    made, result = transfer_files(sources, args.output, chosen, delivery=delivery, progress=not args.quiet)
    if args.report is not None:
        _report(args, sources, made, chosen)
    say(f"{args.output}: {made.seconds:.1f} s, {_how(result)}, {made.numbers['took']:.1f} s. {made.note}")
    return 0


def _how(result) -> str:
    """Say how a result was found: nothing was minimised where it was only filtered."""
    if result.optimum is None:
        return "filtered to the matched timbre" if result.config.balance else "the content as it was"
    removed = f"{result.n_iter} iterations, {result.style_removed:.0%} of the style loss removed"
    return f"{removed}, in the magnitudes" if result.config.phase == "griffin_lim" else removed


def _report(args: argparse.Namespace, sources, made, chosen: config.TransferConfig) -> None:
    """Write the page of a result."""
    from audiostyle.figures.report import write_report
    from audiostyle.sound.read import load_audio

    sr = made.sr if made.sr in _PLAYED else 44100
    path, start, duration = sources.content
    read = {"sr": sr, "mono": False}
    duration = min(duration or _REPORTED, _REPORTED)
    sounds = {
        "content": load_audio(path, start=start, duration=duration, **read)[0],
        "style": sources.style(sr)[0].read(0, _REPORTED * sr)[0],
        "result": load_audio(args.output, duration=_REPORTED, **read)[0],
    }
    styles = [part.path for part in sources.styles]
    files = {"content": path, "style": ", ".join(map(str, styles)), "result": args.output}
    files |= {"rate (Hz)": made.sr, "channels": made.channels, "length (s)": made.seconds}
    title = f"{path.stem} in the style of {' + '.join(style.stem for style in styles)}"
    tables = {"Files": files, "Numbers": made.numbers, "Settings": asdict(chosen)}
    write_report(args.report, sounds, sr, title=title, note=made.note, tables=tables)


def _run_several(args, recipe, chosen, delivery, contents: list[Path], styles: list[Path]) -> int:
    from audiostyle.files.batch import TABLE, make_jobs, run_batch, sound_files

    if args.report is not None:
        raise UserError("--report is of one result; several have a table")
    check_jobs(args.jobs)
    if len(styles) > 1 and any(path.is_dir() for path in styles):
        raise UserError("a folder is as many styles as it has files; name the files that make one style")
    contents = [path for named in contents for path in (sound_files(named) if named.is_dir() else [named])]
    pools = [(path,) for path in sound_files(styles[0])] if styles[0].is_dir() else [tuple(styles)]
    jobs = make_jobs(
        _parts(contents, "content", args, recipe),
        [tuple(_parts(pool, "style", args, recipe)) for pool in pools],
        args.output,
        suffix=args.format and f".{args.format.lower().lstrip('.')}",
    )
    _check_folder(args, [*contents, *(path for pool in pools for path in pool)], jobs)
    outcomes = run_batch(
        jobs,
        chosen,
        delivery=delivery,
        n_jobs=min(args.jobs, os.cpu_count() or 1),
        progress=not args.quiet,
        complain=lambda line: sys.stderr.write(f"audiostyle transfer: {line}\n"),
    )
    made, kept, failed = (sum(o.status == status for o in outcomes) for status in ("made", "kept", "failed"))
    told = f"{made} made, {kept} there already, {failed} failed"
    say(f"{args.output}: {told}; the numbers are in {args.output / TABLE}")
    return int(failed > 0)


def _check_folder(args: argparse.Namespace, inputs: list[Path], jobs: list) -> None:
    """Make the folder of several results, or say why they cannot lie there."""
    from audiostyle.files.batch import TABLE
    from audiostyle.sound.write import SUFFIXES, writable

    folder = args.output
    if folder.suffix.lower() in SUFFIXES and not folder.is_dir():
        raise UserError(f"{folder} names a file; several results go into a folder")
    for given in (*args.sounds, *(args.style or ())):
        if given.is_dir() and folder.resolve().is_relative_to(given.resolve()):
            raise UserError(f"{folder} lies in {given}, where sounds are read from; write results elsewhere")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder; several results go into one")
    for job in jobs:
        writable(job.output, args.sr or 44100, subtype=args.subtype)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / TABLE, *(path for job in jobs for path in (job.output, job.settings))):
        check_output(path, tuple(inputs))


def _recipe(args: argparse.Namespace):
    """Return the recipe that was asked for, or None."""
    if args.recipe is None:
        if not args.sounds or (args.style is None and len(args.sounds) < 2):
            raise UserError("name a content and a style, or give a --recipe that does")
        return None
    from audiostyle.files.recipe import load_recipe

    return load_recipe(args.recipe)


def _sounds(args: argparse.Namespace, recipe) -> tuple[list[Path], list[Path]]:
    """Return contents and styles: what was typed, else the recipe's."""
    if args.style is not None:
        contents, styles = args.sounds, args.style
    elif len(args.sounds) > 2:
        raise UserError(f"{len(args.sounds)} sounds are named; say with --style which of them give the style")
    else:
        contents, styles = args.sounds[:1], args.sounds[1:]
    if recipe is not None:
        folder = args.recipe.parent
        contents = contents or [recipe.content.find(folder)]
        styles = styles or [cut.find(folder) for cut in (recipe.style, *recipe.more)]
    return contents, styles


def _parts(paths, name: str, args: argparse.Namespace, recipe) -> list:
    """Return the parts of files; what was typed of one clip comes before what was typed of all, then the recipe.

    A recipe's cut is of the file that it was made from: another has its own length.
    """
    from audiostyle.files.one import Part
    from audiostyle.system import sha256

    cuts = [] if recipe is None else [recipe.content] if name == "content" else [recipe.style, *recipe.more]
    parts = []
    for i, path in enumerate(paths):
        digest = sha256(path) if cuts and path.is_file() else None
        # One file may be cut twice: the cut at the same place comes first.
        cut = next((cut for cut in cuts[i:] + cuts[:i] if cut.sha256 == digest), None)
        typed = ((getattr(args, f"{name}_{what}"), getattr(args, what)) for what in ("start", "duration"))
        start, duration = (
            next((v for v in (*values, cut and getattr(cut, what)) if v is not None), None)
            for what, values in zip(("start", "duration"), typed, strict=True)
        )
        parts.append(Part(path, start or 0.0, duration))
    return parts
