"""Choosing a sound for the style lab: a clip of the registry, a file or an upload, and a cut of it."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import numpy as np
import traitlets

from audiostyle.datasets import clips
from audiostyle.files.one import Part
from audiostyle.sound.read import SoundFormat, open_sound
from audiostyle.widgets import parts
from audiostyle.widgets.jobs import Latest, Ticket

MAX_MEGABYTES = 200
_SHORTEST, _FIRST, _LONGEST = 0.1, 10.0, 60.0  # seconds of a cut
_COLUMNS = 600


class Opened(NamedTuple):
    """A sound file that was measured: its usable part begins at `offset` seconds, and `note` says what is amiss."""

    path: Path
    duration: float
    peaks: bytes
    offset: float
    note: str


def load(content: Part, style: Part) -> tuple[np.ndarray, np.ndarray, SoundFormat]:
    """Return two cuts with all their channels, at the rate of the content; and how that is kept."""
    sound, form, _ = open_sound(*content)
    return sound.waveform(), open_sound(*style)[0].at(form.sr).waveform(), form


class SoundSource(parts.Element):
    """Choose a clip of the registry or a file and cut it on its waveform; files can be uploaded or dropped.

    A file travels in pieces, each acknowledged, so that no limit on the size of a message applies. `version` counts the
    changes of the cut.
    """

    _esm = parts.script("wave")
    title = traitlets.Unicode().tag(sync=True)
    duration = traitlets.Float(0.0).tag(sync=True)
    start = traitlets.Float(0.0).tag(sync=True)
    length = traitlets.Float(0.0).tag(sync=True)
    limits = traitlets.List(traitlets.Float(), [_SHORTEST, _LONGEST]).tag(sync=True)
    peaks = traitlets.Bytes().tag(sync=True)
    version = traitlets.Int(0)

    def __init__(self, title: str, clip: str) -> None:
        super().__init__(title=title)
        # Made at the first upload: a kernel that is killed leaves its folders behind.
        self._folder: tempfile.TemporaryDirectory | None = None
        self._upload: Path | None = None
        self._sounds: dict[str, Opened] = {}
        self._clip, self._setting = clip, False
        self.jobs = Latest(self._refuse)
        present = [(item.title, item.clip) for item in clips.clips() if clips.locate(item).is_file()]
        self.clips = parts.dropdown(title, f"Clip to use as {title.lower()}", present)
        self.status = parts.Status(label=f"{title}: status")
        self._fields = {name: ipywidgets.FloatText(step=0.1) for name in ("start", "length")}
        for name, field in self._fields.items():
            field.description, field.tooltip = f"{name.title()} (s)", f"{name.title()} of the cut in seconds"
            field.observe(lambda change, name=name: setattr(self, name, change["new"]), "value")
        self.select(clip)
        self.clips.observe(lambda change: self._open_later(change["new"]), "value")
        self.observe(lambda _change: self._set_cut(self.start, self.length), ["start", "length"])
        self.on_msg(self._on_piece)
        self.view = parts.box(
            self.clips, self, parts.box(*self._fields.values()), self.status, name="as-card"
        )

    @property
    def cut(self) -> Part:
        """The part of the file that is chosen now."""
        sound = self._sounds[self._clip]
        return Part(sound.path, sound.offset + self.start, max(self.length, 0.01))

    def select(self, clip: str) -> None:
        """Choose a clip of the registry by name, or a file by its path; a ValueError says why it cannot be read."""
        self._open(clip)
        self._take(clip)

    def is_upload(self, path: Path) -> bool:
        """Whether a file came through the browser, which tells no folder."""
        return self._folder is not None and path.is_relative_to(self._folder.name)

    def _open(self, clip: str) -> None:
        if clip not in self._sounds:
            known = {item.clip: item for item in clips.clips()}
            place = Path(clip).expanduser(), 0.0, None
            if clip in known:
                place = clips.locate(known[clip]), known[clip].start_s, known[clip].duration_s
            self._sounds[clip] = open_file(*place)

    def _take(self, clip: str) -> None:
        self._setting, sound = True, self._sounds[clip]
        if clip not in [value for _, value in self.clips.options]:
            self.clips.options = [*self.clips.options, (f"{sound.path.name} (yours)", clip)]
        with self.hold_sync():
            self._clip = self.clips.value = clip
            self.peaks, self.duration = sound.peaks, sound.duration
        self._setting = False
        self.status.say(f"{sound.path.name}: {sound.duration:.1f} s. {sound.note}".rstrip(" ."))
        self._set_cut(0.0, _FIRST)

    def _refuse(self, error: Exception) -> None:
        self.status.fail(error, f"{self._sounds[self._clip].path.name} stays in use.")
        self._setting, self.clips.value = True, self._clip
        self._setting = False

    def _open_later(self, clip: str) -> None:
        def task(ticket: Ticket) -> None:
            self._open(clip)
            if not ticket.superseded:
                self._take(clip)

        if not self._setting and clip != self._clip:
            self.status.say("Opening…", "busy", progress=-1.0)
            self.jobs.submit(task)

    def _set_cut(self, start: float, length: float) -> None:
        """Bring a cut within the sound."""
        if self._setting:
            return
        self._setting = True
        with self.hold_sync():
            self.length = round(min(max(length, _SHORTEST), _LONGEST, self.duration), 3)
            self.start = round(min(max(start, 0.0), self.duration - self.length), 3)
        for name, field in self._fields.items():
            field.value = getattr(self, name)
        self._setting = False
        self.version += 1

    def _on_piece(self, _widget, content: dict, buffers: list) -> None:
        if content.get("type") == "piece":
            try:
                received = self._keep(content["name"], content["size"], content["at"], buffers[0])
            except (OSError, ValueError) as error:
                received = None  # tells the page to stop
                self._refuse(error)
            self.send({"type": "next", "at": received})

    def _keep(self, name: str, size: int, at: int, piece: memoryview) -> int:
        """Append a piece to the file; return how many bytes there are."""
        if at == 0:
            self._upload = self._new_file(Path(name).name, size)
        if self._upload is None or at != self._upload.stat().st_size or at + len(piece) > size:
            raise ValueError("the upload was interrupted; try again")
        with self._upload.open("ab") as file:
            file.write(piece)
        at += len(piece)
        self.status.say(f"Uploading {self._upload.name}…", "busy", progress=at / size)
        if at == size:
            self._open_later(str(self._upload))
        return at

    def _new_file(self, name: str, size: int) -> Path:
        if not 0 < size <= MAX_MEGABYTES * 1e6:
            why = "is empty or cannot be read" if size == 0 else f"has {size / 1e6:.0f} MB"
            raise ValueError(f"{name} {why}; at most {MAX_MEGABYTES} MB can be uploaded")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="audiostyle-")
        path = Path(tempfile.mkdtemp(dir=self._folder.name)) / name
        path.touch()
        return path


def open_file(path: Path, offset: float = 0.0, usable: float | None = None) -> Opened:
    """Measure a sound file, or `usable` seconds of it from `offset` on, and outline its waveform.

    What `open_sound` raises becomes a ValueError that calls the file by its name alone.
    """
    try:
        sound, form, notes = open_sound(path, start=offset, duration=usable)
    except (OSError, ValueError) as error:
        raise ValueError(str(error).replace(str(path), path.name)) from error
    blocks = sound.blocks(-(-sound.n_samples // _COLUMNS))
    outline = np.array([[block.min(), block.max()] for block in blocks], dtype=np.float32)
    note = " ".join(notes).replace(str(path), path.name)
    return Opened(path, round(sound.n_samples / form.sr, 3), outline.tobytes(), offset, note)
