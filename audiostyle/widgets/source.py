"""Choosing a sound for the style lab: a clip of the registry, a file or an upload, and a cut of it."""

import importlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import audioread
import numpy as np
import soundfile
import traitlets

from audiostyle.datasets import clips
from audiostyle.sound.audio import NAME_BYTES, check_waveform, load_audio
from audiostyle.sound.headers import open_checked
from audiostyle.widgets.form import Part, describe, script
from audiostyle.widgets.jobs import Latest

MAX_MEGABYTES = 200
MAX_MINUTES = 120
MIN_LENGTH = 0.6
MAX_LENGTH = 60.0
FORMATS = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc")
# What libsndfile does not read; audioread's decoders that do are programs or parts of the system.
_COMPRESSED = (".m4a", ".mp4", ".aac")
_DECODERS = ("audioread.ffdec", "audioread.macca", "audioread.gstdec")
with warnings.catch_warnings():
    # One of audioread's readers uses modules that Python 3.13 leaves out, and says so when it is first looked for.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("audioread.rawread")
_COLUMNS = 600


@dataclass(frozen=True)
class Sound:
    """A sound file that was opened.

    Parameters
    ----------
    key : str
        Name in the list of clips.
    name : str
        File name.
    path : pathlib.Path
        Where it lies.
    duration : float
        Seconds.
    peaks : bytes
        Least and greatest sample of each of some 600 columns, float32.
    offset : float
        Seconds at which the usable part begins.
    """

    key: str
    name: str
    path: Path
    duration: float
    peaks: bytes
    offset: float = 0.0


class SoundSource(Part):
    """Choose a sound and cut it on its waveform.

    Parameters
    ----------
    title : str
        ``"Content"`` or ``"Style"``.
    clip : str
        Name of a clip in the registry, or a path.

    Attributes
    ----------
    start, length : float
        The cut in seconds.
    version : int
        Counts the changes of what `load` returns; observe it.
    status, status_kind : str
        The message in place: what was opened, or why it was not.
    """

    _esm = script("source")
    title = traitlets.Unicode().tag(sync=True)
    clips = traitlets.List().tag(sync=True)
    clip = traitlets.Unicode().tag(sync=True)
    duration = traitlets.Float(0.0).tag(sync=True)
    start = traitlets.Float(0.0).tag(sync=True)
    length = traitlets.Float(0.0).tag(sync=True)
    min_length = traitlets.Float(MIN_LENGTH).tag(sync=True)
    max_length = traitlets.Float(MAX_LENGTH).tag(sync=True)
    formats = traitlets.Unicode().tag(sync=True)
    suffixes = traitlets.List(traitlets.Unicode(), [*FORMATS, *_COMPRESSED]).tag(sync=True)
    max_megabytes = traitlets.Int(MAX_MEGABYTES).tag(sync=True)
    max_minutes = traitlets.Int(MAX_MINUTES).tag(sync=True)
    peaks = traitlets.Bytes().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    status_kind = traitlets.Unicode("info").tag(sync=True)
    version = traitlets.Int(0)

    def __init__(self, title: str, clip: str) -> None:
        # Made at the first upload: a kernel that is killed leaves its folders behind.
        self._folder: tempfile.TemporaryDirectory | None = None
        self._upload: dict | None = None
        self._sounds: dict[str, Sound] = {}
        self._sound: Sound | None = None
        self._opening = False
        self._jobs = Latest(self._refuse)
        present = [item for item in clips.clips() if clips.locate(item).is_file()]
        super().__init__(
            title=title,
            clips=[[item.clip, item.title, item.edition] for item in present],
            formats=_formats(),
        )
        self.on_msg(self._on_message)
        self.select(clip)
        self.observe(self._on_clip, "clip")
        self.observe(self._on_cut, ["start", "length"])

    @property
    def sound(self) -> Sound:
        """The sound in use."""
        return self._sound

    def select(self, clip: str, *, start: float | None = None, length: float | None = None) -> None:
        """Choose a clip of the registry by name, or a file by its path, and cut it.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file or it cannot be read; the sound in use stays.
        """
        self._take(self._open(clip), start, length)

    def is_upload(self, sound: Sound) -> bool:
        """Whether a sound came through the browser, which tells no folder."""
        return self._folder is not None and sound.path.is_relative_to(self._folder.name)

    def load(self, *, sr: int | None = None) -> tuple[np.ndarray, int]:
        """Return the cut as it came, or mono at a sample rate in Hz; and its rate."""
        return load_cut(self._sound, self.start, self.length, sr=sr)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until a file that is being opened is open or refused."""
        return self._jobs.wait(timeout)

    def _open(self, clip: str) -> Sound:
        known = {item.clip: item for item in clips.clips()}
        if clip in self._sounds:
            return self._sounds[clip]
        if clip in known:
            item = known[clip]
            path = clips.locate(item)
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path.name} is missing; get it with: python -m audiostyle fetch clips"
                )
            return self._remember(open_sound(path, key=clip, offset=item.start_s, usable=item.duration_s))
        path = Path(clip).expanduser()
        return self._remember(open_sound(path, key=f"file {path}"))

    def _remember(self, sound: Sound) -> Sound:
        self._sounds[sound.key] = sound
        return sound

    def _take(self, sound: Sound, start: float | None = None, length: float | None = None) -> None:
        if sound.key not in [clip[0] for clip in self.clips]:
            self.clips = [*self.clips, [sound.key, sound.name, "yours"]]
        length = min(max(length or 10.0, MIN_LENGTH), MAX_LENGTH, sound.duration)
        self._opening = True
        with self.hold_sync():
            self._sound = sound
            self.clip = sound.key
            self.peaks, self.duration = sound.peaks, sound.duration
            self.length = round(length, 3)
            self.start = round(min(max(start or 0.0, 0.0), sound.duration - length), 3)
            self.status, self.status_kind = f"{sound.name}: {sound.duration:.1f} s", "info"
        self._opening = False
        self.version += 1

    def _refuse(self, error: Exception) -> None:
        with self.hold_sync():
            self.status, self.status_kind = f"{describe(error)}. {self._kept()}", "error"
            if self._sound is not None and self.clip != self._sound.key:
                self._opening = True
                self.clip = self._sound.key
                self._opening = False

    def _kept(self) -> str:
        return f"{self._sound.name} stays in use." if self._sound else ""

    def _on_clip(self, change: dict) -> None:
        if not self._opening:
            self._open_later(lambda: self._open(change["new"]), "Opening…")

    def _open_later(self, opened, text: str) -> None:
        with self.hold_sync():
            self.status, self.status_kind = text, "busy"
        self._jobs.submit(lambda ticket: self._finish(opened(), ticket))

    def _finish(self, sound: Sound, ticket) -> None:
        if not ticket.superseded:
            self._take(sound)

    def _on_cut(self, _change: dict) -> None:
        if self._opening or self._sound is None:
            return
        length = min(max(self.length, min(MIN_LENGTH, self.duration)), MAX_LENGTH, self.duration)
        start = min(max(self.start, 0.0), self.duration - length)
        self._opening = True
        with self.hold_sync():
            self.length, self.start = round(length, 3), round(start, 3)
        self._opening = False
        self.version += 1

    def _on_message(self, _widget, content: dict, buffers: list) -> None:
        kind = content.get("type")
        if kind == "path":
            self._open_later(lambda: self._open(str(content.get("path", ""))), "Opening…")
        elif kind == "upload":
            self._begin_upload(content)
        elif kind == "piece" and self._upload and content.get("id") == self._upload["id"] and buffers:
            self._take_piece(buffers[0])

    def _begin_upload(self, content: dict) -> None:
        if self._upload:
            self._upload["file"].close()
            self._upload = None
        name = Path(str(content.get("name", "upload"))).name
        size = content.get("size", 0)
        if reason := _refusal(name, size):
            self._refuse_upload(content.get("id"), ValueError(reason))
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="audiostyle-")
        path = Path(tempfile.mkdtemp(dir=self._folder.name)) / name
        try:
            file = path.open("wb")
        except OSError as error:
            self._refuse_upload(content.get("id"), error)
            return
        self._upload = {"id": content.get("id"), "path": path, "file": file, "size": size, "received": 0}
        self._ask_next()

    def _take_piece(self, piece: memoryview) -> None:
        upload = self._upload
        try:
            if upload["received"] + len(piece) > upload["size"]:
                raise ValueError(f"{upload['path'].name} is longer than the {upload['size']} bytes announced")
            upload["file"].write(piece)
        except (OSError, ValueError) as error:
            self._end_upload()
            self._refuse(error)
            return
        upload["received"] += len(piece)
        self._ask_next()

    def _refuse_upload(self, ident: object, error: Exception) -> None:
        self.send({"type": "next", "id": ident, "done": True})
        self._refuse(error)

    def _ask_next(self) -> None:
        if self._upload["received"] < self._upload["size"]:
            self.send({"type": "next", "id": self._upload["id"], "done": False})
            return
        path = self._upload["path"]
        self._end_upload()
        self._open_later(
            lambda: self._remember(open_sound(path, key=f"file {path}")), f"Opening {path.name}…"
        )

    def _end_upload(self) -> None:
        self._upload["file"].close()
        self.send({"type": "next", "id": self._upload["id"], "done": True})
        self._upload = None


def load_cut(sound: Sound, start: float, length: float, *, sr: int | None = None) -> tuple[np.ndarray, int]:
    """Return `length` seconds of a sound from `start` on as it came, or mono at a sample rate in Hz; and its rate."""
    part = {"start": sound.offset + start, "duration": max(length, 0.01)}
    return load_audio(sound.path, sr=sr, mono=sr is not None, **part)


@cache
def decodes_compressed() -> bool:
    """Whether this machine has a decoder of M4A: ffmpeg, or the system's own."""
    return any(backend.__module__ in _DECODERS for backend in audioread.available_backends())


def _formats() -> str:
    common = "WAV, FLAC, OGG, MP3, AIFF"
    return f"{common}, M4A" if decodes_compressed() else f"{common} (M4A once ffmpeg is installed here)"


def _refusal(name: str, size: object) -> str | None:
    """Return why an upload of this name and size is not taken, None where it is."""
    sound = name.encode(errors="replace").decode().replace("\0", "?") or "a file without a name"
    shown = sound if len(sound) <= 60 else f"{sound[:60]}…"
    if not isinstance(size, int) or size < 0:
        return f"{shown} has a size of {size!r} bytes, which is none"
    if size > MAX_MEGABYTES * 1e6:
        return f"{shown} has {size / 1e6:.0f} MB; at most {MAX_MEGABYTES} MB are taken"
    if Path(name).suffix.lower() not in (*FORMATS, *(_COMPRESSED if decodes_compressed() else ())):
        return f"{shown} cannot be read: choose a file of {_formats()}"
    if sound != name or len(name.encode()) > NAME_BYTES:
        return f"{shown} is not a name that a file can have here; give it another"
    return f"{shown} is empty (0 bytes)" if size == 0 else None


def open_sound(path: Path, *, key: str, offset: float = 0.0, usable: float | None = None) -> Sound:
    """Measure a sound file and outline its waveform, block by block, so that an hour takes little memory.

    Parameters
    ----------
    path : path
        The file.
    key : str
        Name it will have in the list.
    offset : float
        Seconds to skip.
    usable : float or None
        Seconds of it to offer; None offers all.

    Returns
    -------
    Sound

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is no regular file, empty, no sound file, shorter than 0.6 s, longer than two hours, or damaged.
    """
    with _opened(path) as file:
        duration = file.frames / file.samplerate - offset
        if usable is not None:
            duration = min(duration, usable)
        if duration > MAX_MINUTES * 60:
            raise ValueError(
                f"{path.name} lasts {duration / 60:.0f} minutes; at most {MAX_MINUTES} are taken, cut it first"
            )
        file.seek(round(offset * file.samplerate))
        columns, held = _outline(file, round(duration * file.samplerate), path.name)
        duration = held / file.samplerate
    if duration < MIN_LENGTH:
        raise ValueError(f"{path.name} lasts {duration:.2f} s; at least {MIN_LENGTH} s are needed")
    # Reading a moment of it as the transfer will finds what the outline does not: a file that is cut short.
    load_audio(path, start=offset, duration=min(1.0, duration))
    return Sound(key, path.name, path, round(duration, 3), columns.tobytes(), offset)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a sound file with libsndfile; one that only a decoder of this machine reads is decoded beside it first."""
    unreadable = f"{path.name} is not a sound file that can be read; choose a file of {_formats()}"
    with tempfile.TemporaryDirectory(prefix="audiostyle-") as folder:
        try:
            file = open_checked(path, name=path.name or str(path))
        except soundfile.LibsndfileError as error:
            if path.suffix.lower() not in _COMPRESSED or not decodes_compressed():
                raise ValueError(unreadable) from error
            try:
                file = soundfile.SoundFile(_decoded(path, Path(folder) / "decoded.wav"))
            except (audioread.DecodeError, EOFError, OSError) as cause:
                raise ValueError(unreadable) from cause
        with file:
            try:
                yield file
            except soundfile.LibsndfileError as error:
                raise ValueError(unreadable) from error


def _decoded(path: Path, target: Path) -> Path:
    """Decode a file with what this machine has into 16-bit samples, buffer by buffer."""
    with audioread.audio_open(path) as source:
        shape = {"samplerate": source.samplerate, "channels": source.channels}
        if source.duration > MAX_MINUTES * 60:
            raise ValueError(
                f"{path.name} lasts over {MAX_MINUTES} minutes, the most that are taken; cut it first"
            )
        with soundfile.SoundFile(target, "w", **shape, subtype="PCM_16") as out:
            for buffer in source:
                out.buffer_write(buffer, dtype="int16")
    return target


def _outline(file: soundfile.SoundFile, n_samples: int, name: str) -> tuple[np.ndarray, int]:
    """Return the extremes [shape=(n_columns, 2)] and the number of samples that could be read."""
    step = max(1, -(-n_samples // _COLUMNS))
    found, held = [], 0
    blocks_a_read = max(1, (1 << 18) // step)
    while held < n_samples:
        y = file.read(min(step * blocks_a_read, n_samples - held), dtype="float32", always_2d=True)
        if len(y) == 0:
            break
        held += len(y)
        with np.errstate(over="ignore", invalid="ignore"):  # said in words below
            mono = check_waveform(y.mean(axis=1), name=name)
        starts = np.arange(0, len(mono), step)
        low, high = np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)
        found.append(np.stack([low, high], axis=1))
    extremes = np.concatenate(found) if found else np.zeros((0, 2), np.float32)
    return extremes.astype(np.float32), held
