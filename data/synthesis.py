"""Tools behind `make_clips.py` and `make_corpus.py`: MIDI, FluidSynth, speech synthesis, Ogg Vorbis.

Needs the Debian packages fluidsynth, fluid-soundfont-gm, flite, festival, festvox-kdlpc16k and espeak-ng, and the
Python packages numpy, scipy and soundfile. The `audiostyle` package itself never imports this module.

Everything here is deterministic: random numbers come from seeds in the score, FluidSynth runs on one core, and the
serial number of an Ogg stream, which libvorbis users normally draw at random, is derived from the file's name.
"""

import math
import re
import struct
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy.signal import butter, resample_poly, sosfilt

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RENDER_SR = 44_100
DRUMS = 9  # General MIDI's percussion channel, counted from zero
LEAD_S = 0.04  # silence before the first beat, so that its attack is inside the clip

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Note:
    """One note: start and duration in beats, MIDI pitches that sound together, accent as a velocity factor."""

    start: float
    duration: float
    pitches: tuple
    accent: float


@dataclass(frozen=True)
class Part:
    """One instrument's line and how it is played.

    score : compact notation, see `read_score`
    program : General MIDI program, counted from zero; None for the drum kit
    velocity : 1-127 before accents and jitter
    volume : 0-127, level in the mix (MIDI controller 7)
    shape : ((beat, expression 0-1), ...), phrase dynamics, linear in between
    length : sounding length as a fraction of the written one; above 1 overlaps like a legato bow or a pedal
    vibrato : depth in cents; 0 for instruments that have none
    swell : 0-1, how much each long note grows and fades (bowed and blown instruments)
    timing : standard deviation of the onsets in seconds
    transpose : semitones
    pedal : beats at which the sustain pedal is renewed
    """

    score: str
    program: int | None
    velocity: int = 80
    volume: int = 100
    shape: tuple = ((0.0, 0.85),)
    length: float = 0.95
    vibrato: float = 0.0
    swell: float = 0.0
    timing: float = 0.007
    transpose: int = 0
    pedal: tuple = ()
    pan: int = 64
    reverb: int = 50


def pitch_number(name):
    """MIDI number of a pitch name such as ``F#5`` or ``Bb3`` (C4 is 60)."""
    match = re.fullmatch(r"([A-G])([#b]*)(-?\d)", name)
    if match is None:
        raise ValueError(f"not a pitch name: {name!r}")
    step, accidentals, octave = match.groups()
    return 12 * (int(octave) + 1) + _STEPS[step] + accidentals.count("#") - accidentals.count("b")


def read_score(text):
    """Read a line such as ``"E5/.5 D#5 r/1 A3+C4+E4/2 B4!"``.

    Pitches joined by ``+`` sound together, ``r`` rests, a number is a MIDI pitch (drums), ``/x`` sets the duration in
    beats until the next one, ``!`` accents, ``?`` softens, and ``|`` is there for the reader only.
    """
    notes, beat, duration = [], 0.0, 1.0
    for token in text.replace("|", " ").split():
        accent = 1.18 if token.endswith("!") else 0.72 if token.endswith("?") else 1.0
        head, _, length = token.rstrip("!?").partition("/")
        if length:
            duration = float(length)
        if head != "r":
            pitches = tuple(int(p) if p.isdigit() else pitch_number(p) for p in head.split("+"))
            notes.append(Note(beat, duration, pitches, accent))
        beat += duration
    return notes


def _variable_length(value):
    out = [value & 0x7F]
    while value > 0x7F:
        value >>= 7
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))


def _midi_file(events):
    """Format-0 MIDI file of (seconds, order, message) events; one tick is one millisecond."""
    track, now = bytearray(), 0
    for seconds, _, message in sorted(events, key=lambda e: (round(1000 * e[0]), e[1])):
        tick = max(0, round(1000 * seconds))
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    tempo = b"\x00\xff\x51\x03" + (500_000).to_bytes(3, "big")  # 500 ticks in half a second
    body = tempo + bytes(track)
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 500) + b"MTrk" + struct.pack(">I", len(body)) + body


def _controller(channel, number, value):
    return bytes([0xB0 | channel, number, int(np.clip(round(value), 0, 127))])


def _bend(channel, cents):
    value = int(np.clip(round(8192 + 8192 * cents / 200), 0, 16_383))  # General MIDI's range: two semitones
    return bytes([0xE0 | channel, value & 0x7F, value >> 7])


def _perform(part, channel, to_seconds, seed):
    """MIDI events of one part: notes with human timing and touch, phrase dynamics, vibrato and swells.

    Timing and touch have a generator of their own: the same score on another instrument keeps them, vibrato or not.
    """
    rng, bow = np.random.default_rng(seed), np.random.default_rng([*seed, 1])
    events = [
        (0.0, 0, _controller(channel, number, value))
        for number, value in ((7, part.volume), (10, part.pan), (91, part.reverb), (93, 0))
    ]
    if part.program is not None:
        events.append((0.0, 0, bytes([0xC0 | channel, part.program])))
    notes = read_score(part.score)
    marks, levels = zip(*part.shape, strict=True)
    end = to_seconds(max(n.start + n.duration for n in notes))
    expression = dict.fromkeys(np.arange(0.0, end + 0.5, 0.03).round(3), 1.0)
    grid = np.array(list(expression))
    grid_beats = np.interp(grid, [to_seconds(b) for b in np.arange(0, 80, 0.25)], np.arange(0, 80, 0.25))
    envelope = np.interp(grid_beats, marks, levels)

    onsets = [max(0.0, to_seconds(note.start) + rng.normal(0.0, part.timing)) for note in notes]
    for index, (note, on) in enumerate(zip(notes, onsets, strict=True)):
        again = [
            t
            for later, t in zip(notes[index + 1 :], onsets[index + 1 :], strict=True)
            if set(later.pitches) & set(note.pitches)
        ]
        off = max(
            on + 0.04, on + (to_seconds(note.start + note.duration) - to_seconds(note.start)) * part.length
        )
        if again:  # a key must come up before it is struck again, or its second note would be cut off
            off = max(on + 0.03, min(off, again[0] - 0.02))
        velocity = part.velocity * note.accent * rng.normal(1.0, 0.05)
        for i, pitch in enumerate(note.pitches):
            spread = (
                0.006 * i + abs(rng.normal(0.0, 0.003)) if i else 0.0
            )  # fingers never land quite together
            key = pitch + (part.transpose if part.program is not None else 0)
            touch = int(np.clip(round(velocity * rng.normal(1.0, 0.03)), 1, 127))
            events.append((on + spread, 2, bytes([0x90 | channel, key, touch])))
            events.append((off + spread / 2, 1, bytes([0x80 | channel, key, 0])))
        if part.swell:
            inside = (grid >= on) & (grid < off)
            x = (grid[inside] - on) / max(off - on, 1e-3)
            depth = part.swell * min(1.0, (off - on) / 0.8)
            envelope[inside] *= 1 - depth + depth * np.sin(np.pi * np.clip(0.12 + 0.88 * x, 0, 1)) ** 0.7
        if part.vibrato:
            events += _vibrato(channel, on, off, part.vibrato, bow)
    events += [(t, 1, _controller(channel, 11, 127 * v)) for t, v in zip(grid, envelope, strict=True)]
    for beat in part.pedal:
        events.append((max(0.0, to_seconds(beat) - 0.02), 0, _controller(channel, 64, 0)))
        events.append((to_seconds(beat) + 0.05, 3, _controller(channel, 64, 127)))
    return events


def _vibrato(channel, on, off, depth, rng):
    """Pitch bends of one note: a small scoop into the pitch, then a vibrato that starts late and is not regular."""
    rate, scoop = rng.normal(5.7, 0.25), rng.normal(-14.0, 6.0)
    events, phase = [], 0.0
    for t in np.arange(on, off, 0.012):
        age = t - on
        phase += 2 * math.pi * rate * 0.012 * rng.normal(1.0, 0.08)
        grown = np.clip((age - 0.10) / 0.25, 0.0, 1.0)
        cents = scoop * math.exp(-age / 0.04) + depth * grown * math.sin(phase)
        events.append((t, 1, _bend(channel, cents)))
    return events


def render(parts, *, bpm, seed, duration=10.0, room=0.6, reverb_level=0.5, gain=0.35):
    """Play parts with FluidSynth; returns mono float64 at `RENDER_SR` of exactly `duration` seconds."""
    wander = np.random.default_rng(seed).uniform(0, 2 * math.pi)

    def to_seconds(beat):  # a tempo that breathes by some hundredths of a beat over eight beats
        return LEAD_S + 60 / bpm * (
            beat + 0.05 * (math.sin(2 * math.pi * beat / 8 + wander) - math.sin(wander))
        )

    events, melodic = [], iter([c for c in range(16) if c != DRUMS])
    for i, part in enumerate(parts):
        channel = DRUMS if part.program is None else next(melodic)
        events += _perform(part, channel, to_seconds, [seed, i])
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "score.mid", Path(folder) / "sound.wav"
        score.write_bytes(_midi_file(events))
        subprocess.run(
            [
                "fluidsynth",
                "-ni",
                "-q",
                "-r",
                str(RENDER_SR),
                "-g",
                str(gain),
                "-C",
                "0",
                "-R",
                "1",
                "-O",
                "float",
                "-o",
                "synth.cpu-cores=1",
                "-o",
                f"synth.reverb.room-size={room}",
                "-o",
                "synth.reverb.damp=0.3",
                "-o",
                f"synth.reverb.level={reverb_level}",
                "-o",
                "synth.reverb.width=0.6",
                "-F",
                str(sound),
                "-T",
                "wav",
                str(SOUNDFONT),
                str(score),
            ],
            check=True,
            capture_output=True,
        )
        y, sr = sf.read(sound, always_2d=True)
    if sr != RENDER_SR:
        raise RuntimeError(f"FluidSynth wrote {sr} Hz instead of {RENDER_SR} Hz")
    y, n = y.mean(axis=1), round(duration * RENDER_SR)
    return np.pad(y, (0, max(0, n - len(y))))[:n]


def speak(text, voice, *, stretch=1.0, pitch=None):
    """Synthesise a text; returns (y, sr) without the silence around it.

    voice is ``engine:name`` with the engines flite, festival and espeak; stretch > 1 is slower; pitch (in hertz for
    Flite's diphone voices, 0-99 for eSpeak NG) is ignored by voices whose melody was learned from a speaker.
    """
    engine, _, name = voice.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        if engine == "flite":
            command = ["flite", "-voice", name, "--setf", f"duration_stretch={stretch}"]
            command += ["--setf", f"int_f0_target_mean={pitch}"] if pitch else []
            subprocess.run([*command, "-t", text, "-o", str(wav)], check=True, capture_output=True)
        elif engine == "festival":
            scheme = f"(begin (voice_{name}) (Parameter.set 'Duration_Stretch {stretch}))"
            subprocess.run(
                ["text2wave", "-eval", scheme, "-o", str(wav)],
                input=text.encode(),
                check=True,
                capture_output=True,
            )
        elif engine == "espeak":
            command = ["espeak-ng", "-v", name, "-s", str(round(155 / stretch)), "-p", str(pitch or 50)]
            subprocess.run([*command, "-w", str(wav), text], check=True, capture_output=True)
        else:
            raise ValueError(f"unknown speech engine in {voice!r}; use flite, festival or espeak")
        y, sr = sf.read(wav)
    loud = np.flatnonzero(np.abs(y) > 0.02 * np.abs(y).max())
    return y[max(0, loud[0] - sr // 50) : loud[-1] + sr // 25], sr


def speak_for(seconds, text, voice, **settings):
    """Speak a text at the rate that makes it last the given time, within some 2 %; returns (y, sr)."""
    stretch = 1.0
    for _ in range(4):  # durations answer nearly linearly, so that this settles quickly
        y, sr = speak(text, voice, stretch=stretch, **settings)
        stretch *= seconds / (len(y) / sr)
    return speak(text, voice, stretch=stretch, **settings)


def shorten_pauses(y, sr, *, longest=0.4):
    """Cut the middle out of pauses longer than `longest` seconds: synthesisers rest a second between sentences."""
    envelope = np.convolve(np.abs(y), np.ones(sr // 100) / (sr // 100), mode="same")
    quiet = np.flatnonzero(np.diff(np.r_[0, envelope < 0.01 * np.abs(y).max(), 0].astype(int)))
    keep = np.ones(len(y), dtype=bool)
    for first, last in zip(quiet[::2], quiet[1::2], strict=True):
        surplus = last - first - round(longest * sr)
        if surplus > 0:
            middle = (first + last) // 2
            keep[middle - surplus // 2 : middle + (surplus + 1) // 2] = False
    return y[keep]


def resample(y, sr, to):
    """Polyphase resampling between integer rates."""
    divisor = math.gcd(sr, to)
    return y if sr == to else resample_poly(y, to // divisor, sr // divisor)


def room(y, sr, *, seed, seconds=0.25, level=0.06):
    """Add the decaying, darkened noise tail of a small room: dry synthetic speech sounds like no recording."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sr)) / sr
    tail = sosfilt(butter(2, 3500, fs=sr, output="sos"), rng.normal(size=t.size) * np.exp(-6.9 * t / seconds))
    tail[: round(0.008 * sr)] = 0
    tail *= level / np.sqrt(np.sum(tail**2) + 1e-12) * 4
    tail[0] = 1.0
    return np.convolve(y, tail)[: len(y)]


def floor_noise(n, *, seed, level_db=-62.0):
    """Faint low-pass noise `[shape=(n,)]`, relative to an RMS of 0.07: no recording is digitally silent."""
    noise = np.random.default_rng(seed).normal(size=n)
    noise = sosfilt(butter(1, 0.1, output="sos"), noise) + 0.1 * noise
    return noise / np.std(noise) * 0.07 * 10 ** (level_db / 20)


def level(y, *, rms=0.07, peak=0.9):
    """Scale to an RMS level, or less where a peak would pass `peak`."""
    y = y - np.mean(y)
    return y * min(rms / np.sqrt(np.mean(y**2)), peak / np.abs(y).max())


def fade(y, sr, *, start=0.004, end=0.03):
    """Short raised-cosine fades, so that a cut does not click."""
    y, a, b = y.copy(), round(start * sr), round(end * sr)
    y[:a] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(a) / a)
    y[-b:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(b) / b)
    return y


def _ogg_crc_table():
    table = []
    for i in range(256):
        r = i << 24
        for _ in range(8):
            r = ((r << 1) ^ 0x04C11DB7 if r & 0x80000000 else r << 1) & 0xFFFFFFFF
        table.append(r)
    return table


def write_ogg(path, y, sr, *, quality=0.7):
    """Write mono Ogg Vorbis with a stream serial number taken from the name: same samples, same bytes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.ogg")
    sf.write(
        temporary, y.astype(np.float32), sr, format="OGG", subtype="VORBIS", compression_level=1 - quality
    )
    data, table, at = bytearray(temporary.read_bytes()), _ogg_crc_table(), 0
    serial = struct.pack("<I", zlib.crc32(path.name.encode()))
    while at < len(data):
        if data[at : at + 4] != b"OggS":
            raise RuntimeError(f"{path}: no Ogg page at byte {at}")
        segments = data[at + 26]
        size = 27 + segments + sum(data[at + 27 : at + 27 + segments])
        data[at + 14 : at + 18] = serial
        data[at + 22 : at + 26] = b"\0\0\0\0"  # the checksum is computed with its own field at zero
        crc = 0
        for byte in data[at : at + size]:
            crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ byte]
        data[at + 22 : at + 26] = struct.pack("<I", crc)
        at += size
    temporary.write_bytes(data)
    temporary.replace(path)
