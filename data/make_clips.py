"""Render the bundled clips and the known targets into `audiostyle/datasets/bundled/`, with their checksums.

Usage, from anywhere: ``python data/make_clips.py [CLIP ...]``; without a name all clips are rendered.
``python data/make_clips.py --truth [NAME ...]`` renders the triples that `truth.csv` plans (its first six columns;
the others are filled in). ``--second FOLDER`` writes second targets: the tune of every triple, played by the style's
instrument of another one, for ``python -m experiments.two_styles FOLDER``. Needs the programs and packages listed in
`synthesis.py`, for the triples and second targets FluidSynth only. Same versions of these tools, same bytes.
"""

import csv
import hashlib
import logging
import sys
import zlib
from pathlib import Path

import numpy as np
from scores import SCORES
from synthesis import (
    RENDER_SR,
    fade,
    floor_noise,
    level,
    render,
    resample,
    room,
    shorten_pauses,
    speak_for,
    write_ogg,
)
from tunes import INSTRUMENTS, TUNES, parts

DATA = Path(__file__).resolve().parents[1] / "audiostyle" / "datasets" / "bundled"
SR = 22_050
DURATION_S = 10.0
MAX_BYTES = 150_000
TRUTH_DURATION_S = 9.0
TRUTH_MAX_BYTES = 90_000

TRUTH_COLUMNS = (
    *("name", "split", "content_instrument", "style_instrument", "tune", "style_tune"),
    *("voices", "content_kind", "style_kind", "content", "style", "target", "source", "style_source"),
    *("content_sha256", "style_sha256", "target_sha256"),
)

log = logging.getLogger("make_clips")

# Lewis Carroll, Alice's Adventures in Wonderland (1865), first paragraph, and Jane Austen, Pride and Prejudice (1813),
# first sentences: both in the public domain. The other two texts are our own.
ALICE = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do. "
    "Once or twice she had peeped into the book her sister was reading, but it had no pictures."
)
AUSTEN = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife. However little known the feelings or views of such a man may be."
)
HARBOUR = (
    "The harbour was quiet when we came down in the morning. Two boats had gone out with the tide, "
    "and an old man sat mending his nets, whistling a tune that nobody knew."
)
VERSE = (
    "Count the bars and roll the drum",
    "hold the floor and here we come",
    "every word is cut to measure",
    "random filters, hidden treasure",
    "Fold the sound in little squares",
    "send it up and down the stairs",
    "take the colour, leave the tune",
    "sing it backwards to the moon",
)


def _to_length(y, duration=DURATION_S):
    n = round(duration * SR)
    return np.pad(y, (0, max(0, n - len(y))))[:n]


def music(name):
    """Render a score and bring it to the clips' rate."""
    settings, parts = SCORES[name]
    return resample(render(parts, duration=DURATION_S, **settings), RENDER_SR, SR)


def speech(text, voice, *, seed):
    """Speak a text in a small room, at the rate that fills the clip."""
    y, sr = speak_for(DURATION_S - 0.3, text, voice)
    y = np.pad(shorten_pauses(resample(y, sr, SR), SR), (round(0.1 * SR), round(0.3 * SR)))
    return room(y, SR, seed=seed)


def verse_over_beat(voice, *, bpm=96, seed=41):
    """Speak eight lines, each stretched to two beats and set on the beat, over drums, bass and electric piano."""
    backing = level(music("beat"), rms=0.05)
    half_bar, voice_track = 2 * 60 / bpm, np.zeros(round(DURATION_S * SR) + SR)
    for i, line in enumerate(VERSE):
        y, sr = speak_for(0.97 * half_bar, line, voice)
        y = level(resample(y, sr, SR), rms=0.09)
        at = round((0.04 + i * half_bar) * SR)
        voice_track[at : at + len(y)] += y
    return backing + room(_to_length(voice_track), SR, seed=seed, level=0.05)


CLIPS = {name: (lambda name=name: music(name)) for name in SCORES if name != "beat"} | {
    "speech_verse_over_beat": lambda: verse_over_beat("flite:rms"),
    "speech_alice": lambda: speech(ALICE, "flite:slt", seed=42),
    "speech_harbour": lambda: speech(HARBOUR, "flite:awb", seed=43),
    "speech_austen": lambda: speech(AUSTEN, "festival:ked_diphone", seed=44),
}


def _finish(path, y, *, max_bytes, noise_db=-62.0, quality=0.7):
    """Bring a sound to level, add the noise floor and the fades, write it, check its size; returns its path."""
    y = level(y)
    y = fade(y + floor_noise(len(y), seed=zlib.crc32(path.stem.encode()), level_db=noise_db), SR)
    write_ogg(path, y, SR, quality=quality)
    size = path.stat().st_size
    log.info(
        "%-26s %6.1f kB  rms %.3f  peak %.2f",
        path.stem,
        size / 1000,
        np.sqrt(np.mean(y**2)),
        np.abs(y).max(),
    )
    if size > max_bytes:
        raise RuntimeError(f"{path.name} has {size} bytes; at most {max_bytes} are allowed")
    return path


def make(name):
    """Render one clip; returns its path."""
    return _finish(DATA / "clips" / f"{name}.ogg", _to_length(CLIPS[name]()), max_bytes=MAX_BYTES)


def play(tune, instrument):
    """Play a tune on an instrument: the tune's own seed, so the same timing and touch on every instrument."""
    y = render(
        parts(tune, instrument),
        bpm=TUNES[tune].bpm,
        seed=zlib.crc32(tune.encode()),
        duration=TRUTH_DURATION_S,
        room=0.45,
        reverb_level=0.4,
    )
    return _to_length(resample(y, RENDER_SR, SR), TRUTH_DURATION_S)


def make_triple(row):
    """Render content, style and target of a row of `truth.csv`; returns the completed row."""
    tune, style_tune = row["tune"], row["style_tune"]
    content_player, style_player = row["content_instrument"], row["style_instrument"]
    played = {
        "content": (tune, content_player),
        "style": (style_tune, style_player),
        "target": (tune, style_player),
    }
    row |= {
        "voices": len(TUNES[tune].voices),
        "content_kind": INSTRUMENTS[content_player].kind,
        "style_kind": INSTRUMENTS[style_player].kind,
        "source": TUNES[tune].source,
        "style_source": TUNES[style_tune].source,
    }
    for role, music in played.items():
        path = DATA / "truth" / f"{row['name']}_{role}.ogg"
        # At this quality a target is 0.7 to 1.7 dB (log-spectral distance) from its uncoded self, at 0.7 0.5 to 1.5.
        _finish(path, play(*music), max_bytes=TRUTH_MAX_BYTES, noise_db=-74.0, quality=0.6)
        row |= {role: f"truth/{path.name}", f"{role}_sha256": _sha256(path)}
    return row


def second_styles(rows):
    """Yield each row with the next one, in a circle, whose style's instrument is a third one and can play its tune."""
    for k, row in enumerate(rows):
        used = {row["content_instrument"], row["style_instrument"]}
        for other in rows[k + 1 :] + rows[:k]:
            try:
                parts(row["tune"], other["style_instrument"])
            except ValueError:
                continue
            if other["style_instrument"] not in used:
                yield row, other
                break


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_table(path):
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames), list(reader)


def _write_table(path, columns, rows):
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)


def update_checksums():
    """Write the sha256 of every clip present into the registry's bundled rows."""
    registry = DATA / "registry.csv"
    columns, rows = _read_table(registry)
    for row in rows:
        if row["edition"] == "bundled" and (DATA / row["path"]).is_file():
            row["sha256"] = _sha256(DATA / row["path"])
    _write_table(registry, columns, rows)


def _known(names, choices):
    unknown = sorted(set(names) - set(choices))
    if unknown:
        raise SystemExit(f"no such name: {', '.join(unknown)}; choose from {', '.join(choices)}")
    return names or list(choices)


def main_truth(names):
    """Render the named triples of `truth.csv`, or all, and complete its rows."""
    table = DATA / "truth.csv"
    rows = {row["name"]: row for row in _read_table(table)[1]}
    for name in _known(names, rows):
        make_triple(rows[name])
        _write_table(table, TRUTH_COLUMNS, rows.values())


def main_second(folder):
    """Render the second target of every triple as ``FOLDER/TRIPLE+OTHER.ogg``."""
    for row, other in second_styles(_read_table(DATA / "truth.csv")[1]):
        path = Path(folder) / f"{row['name']}+{other['name']}.ogg"
        y = play(row["tune"], other["style_instrument"])
        _finish(path, y, max_bytes=TRUTH_MAX_BYTES, noise_db=-74.0, quality=0.6)


def main(names):
    """Render the named clips, or all."""
    for name in _known(names, CLIPS):
        make(name)
    if (DATA / "registry.csv").is_file():
        update_checksums()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if sys.argv[1:2] == ["--truth"]:
        main_truth(sys.argv[2:])
    elif sys.argv[1:2] == ["--second"]:
        main_second(*sys.argv[2:])
    else:
        main(sys.argv[1:])
