"""``audiostyle transfer``: one sound file in the style of another."""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from audiostyle import config
from audiostyle.commands.common import UserError, add_command, check_device, check_output, say

EXAMPLES = """examples:
  audiostyle transfer violin.wav piano.flac -o result.wav
  audiostyle transfer song.mp3 voice.ogg -o result.ogg --balance 0.8 --content-start 30 --content-duration 10
  audiostyle transfer --recipe saved.json -o again.wav
"""
# What the settings of a transfer are, one for each field of `TransferConfig`.
_SETTINGS = {
    "balance": "0 keeps the content, 0.5 is the matched timbre, 1 takes the style's texture",
    "match": "share of the style distance to remove, up to 0.9, instead of a balance",
    "encoder": "the limit of infinitely many filters, or the paper's random ones",
    "n_filters": "random filters",
    "kernel_size": "frames a filter spans",
    "activation": "nonlinearity after the filters",
    "unknowns": "what is optimised: magnitudes as in the paper, or the samples, which keeps melody better",
    "start": "what the optimisation starts from and holds on to (matched; content with --encoder random)",
    "kind": "settings of the matched timbre (told from the clips)",
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


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    parser = add_command(
        commands, "transfer", _run, "Give one sound file the style of another.", examples=EXAMPLES
    )
    parser.add_argument("content", type=Path, nargs="?", help="sound file whose notes or words are kept")
    parser.add_argument("style", type=Path, nargs="?", help="sound file whose timbre and texture are taken")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".wav, .flac, .ogg, .mp3 or .aiff")
    parser.add_argument(
        "--recipe",
        type=Path,
        help="what the style lab saved beside a result (.json): gives the files, cuts and settings not given here",
    )
    for name, text in (("start", "seconds to skip"), ("duration", "seconds to read")):
        default = 0 if name == "start" else "all"
        parser.add_argument(f"--{name}", type=float, help=f"{text} of both files ({default})")
        for clip in ("content", "style"):
            parser.add_argument(f"--{clip}-{name}", type=float, help=f"{text} of the {clip} alone")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Offer every setting of a transfer as an option of its name; one not given leaves no attribute behind."""
    group = parser.add_argument_group("settings")
    exclusive = group.add_mutually_exclusive_group()  # of balance and match
    defaults = {setting.name: setting.default for setting in fields(config.TransferConfig)}
    for name, text in _SETTINGS.items():
        default = defaults[name]
        choices = config.CHOICES.get(name)
        (exclusive if name in ("balance", "match") else group).add_argument(
            config.option(name),
            dest=f"config_{name}",
            type=str if choices else float if default is None else type(default),
            # Checked by the configuration, which knows of names that were given up.
            metavar=f"{{{','.join(choices)}}}" if choices else name.upper(),
            default=argparse.SUPPRESS,
            help=text if default is None else f"{text} ({default})",
        )


def settings(args: argparse.Namespace, base: config.TransferConfig | None = None) -> config.TransferConfig:
    """Return the settings that were typed, the others as in `base` (None takes the defaults)."""
    given = {name: getattr(args, f"config_{name}") for name in _SETTINGS if hasattr(args, f"config_{name}")}
    if "balance" in given:
        given["match"] = None  # a balance that is given is none to search for
    return replace(base, **given) if base else config.TransferConfig(**given)


def _run(args: argparse.Namespace) -> None:
    recipe = _recipe(args)
    chosen = settings(args, recipe and recipe.config)
    from audiostyle.sound.audio import load_audio, save_audio, writable_format

    sounds = _sounds(args, recipe)
    check_output(args.output, tuple(path for path, _, _ in sounds))
    writable_format(args.output, chosen.sr)
    check_device(chosen.device)
    from audiostyle.transfer import transfer_style

    content, style = (
        load_audio(path, sr=chosen.sr, start=start, duration=duration)[0] for path, start, duration in sounds
    )
    _check_cost(chosen, len(content), len(style))
    result = transfer_style(content, style, chosen.sr, chosen, progress=not args.quiet)
    save_audio(args.output, result.y, result.sr)
    # a sound that was filtered has no magnitudes of its own
    of_magnitudes = (
        chosen.unknowns == "magnitudes" and chosen.phase == "griffin_lim" and result.reason != "matched"
    )
    of_what = "in the magnitudes, " if of_magnitudes else ""
    found = "" if chosen.match is None else f"balance {result.balance:.2f}, "
    say(
        f"{args.output}: {len(result.y) / result.sr:.1f} s, {found}{result.n_iter} iterations, "
        f"{result.style_removed:.0%} of the style loss removed, {of_what}{sum(result.seconds.values()):.1f} s. "
        f"{result.level_note}"
    )


def _recipe(args: argparse.Namespace):
    """Return the recipe that was asked for, or None."""
    if args.recipe is None:
        if args.style is None:
            raise UserError("name a content and a style, or give a --recipe that does")
        return None
    from audiostyle.widgets.recipe import load_recipe

    return load_recipe(args.recipe)


def _sounds(args: argparse.Namespace, recipe) -> list[tuple[Path, float, float | None]]:
    """Return file, start and duration of content and style.

    What is said of one clip comes before what is said of both, and that before the recipe.
    """
    found = []
    for name in ("content", "style"):
        cut = recipe and getattr(recipe, name)
        start, duration = (
            next(
                (
                    value
                    for value in (getattr(args, f"{name}_{what}"), getattr(args, what))
                    if value is not None
                ),
                cut and getattr(cut, what),
            )
            for what in ("start", "duration")
        )
        path = getattr(args, name) or cut.find(args.recipe.parent)
        found.append((path, start or 0.0, duration))
    return found


def _check_cost(chosen: config.TransferConfig, n_content: int, n_style: int) -> None:
    """Refuse what does not fit into memory, and announce what takes long."""
    from audiostyle.cost import check_memory, expected_cost

    check_memory(chosen, n_content, n_style)
    cost = expected_cost(chosen, n_content, n_style)
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
