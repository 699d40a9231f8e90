"""Render the bundled clips into `data/clips/` and their checksums into `data/registry.csv`.

Usage, from anywhere: ``python data/make_clips.py [CLIP ...]``; without a name all clips are rendered.
Needs the programs and packages listed in `synthesis.py`. Same versions of these tools, same bytes.
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

DATA = Path(__file__).resolve().parent
SR = 22_050
DURATION_S = 10.0
MAX_BYTES = 150_000

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


def _to_length(y):
    n = round(DURATION_S * SR)
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


def make(name):
    """Render one clip, check its level and size, write it; returns its path."""
    y = level(_to_length(CLIPS[name]()))
    y = fade(y + floor_noise(len(y), seed=zlib.crc32(name.encode())), SR)
    path = DATA / "clips" / f"{name}.ogg"
    write_ogg(path, y, SR)
    size = path.stat().st_size
    log.info(
        "%-24s %6.1f kB  rms %.3f  peak %.2f", name, size / 1000, np.sqrt(np.mean(y**2)), np.abs(y).max()
    )
    if size > MAX_BYTES:
        raise RuntimeError(f"{path.name} has {size} bytes; at most {MAX_BYTES} are allowed")
    return path


def update_checksums():
    """Write the sha256 of every clip present into the registry's bundled rows."""
    registry = DATA / "registry.csv"
    with registry.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns, rows = reader.fieldnames, list(reader)
    for row in rows:
        if row["edition"] == "bundled" and (DATA / row["path"]).is_file():
            row["sha256"] = hashlib.sha256((DATA / row["path"]).read_bytes()).hexdigest()
    temporary = registry.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(registry)


def main(names):
    """Render the named clips, or all."""
    unknown = sorted(set(names) - set(CLIPS))
    if unknown:
        raise SystemExit(f"no such clip: {', '.join(unknown)}; choose from {', '.join(CLIPS)}")
    for name in names or CLIPS:
        make(name)
    if (DATA / "registry.csv").is_file():
        update_checksums()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(sys.argv[1:])
