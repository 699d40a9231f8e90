"""``audiostyle pairs``: the six pairs, with tables, figures and sound."""

import argparse
from pathlib import Path

from audiostyle.commands.common import add_command, check_output, say
from audiostyle.files import presets

_EXAMPLES = """examples:
  audiostyle pairs                       preset quick, into results/quick/
  audiostyle pairs --preset paper        4096 filters, 300 iterations: some minutes a pair
  audiostyle pairs speech-1 speech-2     these alone
"""


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    text = "Transfer the six pairs and write tables, figures and sound."
    parser = add_command(commands, "pairs", _run, text, _EXAMPLES)
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help="name of a pair; all by default")
    parser.add_argument(
        "--preset", help=f"one of {', '.join(presets.PRESETS)} (AUDIOSTYLE_PRESET, else quick)"
    )


def _run(args: argparse.Namespace) -> None:
    preset = presets.get_preset(args.preset)
    from audiostyle.datasets import clips, paths

    edition = clips.current_edition()
    chosen = [clips.get_pair(name, edition) for name in args.pairs] or clips.pairs(edition)
    folder = paths.results_root() / preset.name / edition
    folder.mkdir(parents=True, exist_ok=True)
    check_output(folder / "pairs.csv")
    for number, pair in enumerate(chosen, 1):
        say(f"[{number}/{len(chosen)}] {pair.pair}: {pair.title} ({edition})")
        write_pair(pair, preset, folder)
    say(f"tables, figures and sound are in {folder}")


def write_pair(pair, preset: presets.Preset, folder: Path) -> None:
    """Transfer a pair by every method of a preset: rows of ``pairs.csv``, a figure, and sounds of bundled clips."""
    import pandas as pd

    from audiostyle.datasets.clips import load_pair
    from audiostyle.figures.spectrograms import show_triptych
    from audiostyle.measures.table import method_name, score
    from audiostyle.sound.levels import set_level
    from audiostyle.sound.write import save_audio
    from audiostyle.system import whole_file
    from audiostyle.transfer import transfer_style

    audio = load_pair(pair, duration=preset.duration)
    tables, shown = [], {"content": set_level(audio.content), "style": set_level(audio.style)}
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for config in preset.methods().values():
        result = transfer_style(audio.content, audio.style, audio.sr, config)
        clips = audio.content, audio.style, audio.target
        tables.append(score(result, *clips, n_fresh=preset.config.n_filters))
        name = method_name(config)
        shown[f"result, {name}"] = result.y_computed
        if pair.edition == "bundled":  # sound made from recordings is not ours to keep
            (folder / "audio").mkdir(exist_ok=True)
            sound = f"{pair.pair}-{name.replace(',', '').replace(' ', '-')}.ogg"
            save_audio(folder / "audio" / sound, result.y, result.sr)
    table = pd.concat(tables).drop_duplicates("method")
    table.insert(0, "pair", pair.pair)
    table.insert(1, "edition", pair.edition)
    path = folder / "pairs.csv"
    if path.is_file():
        old = pd.read_csv(path)
        table = pd.concat([old[old["pair"] != pair.pair], table])
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    figure = show_triptych(shown, sr=audio.sr, title=f"{pair.title} · {pair.edition} clips")
    with whole_file(folder / "figures" / f"{pair.pair}.png") as temporary:
        figure.savefig(temporary, format="png", dpi=110)
