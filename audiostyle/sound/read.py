"""Waveforms read: a sound file decoded once from its beginning to its end, or an array that a caller brings.

A waveform is a ``float32`` array ``y`` ``[shape=(n_samples,) or (n_channels, n_samples)]`` with its sample rate ``sr``
in hertz beside it. Nothing that a header says about length is believed: the samples that come are counted.
"""

import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from audiostyle.sound.channels import mid_signal
from audiostyle.sound.samples import Sound

# Sample rates in Hz that are taken for sound: below telephone bandwidth by far, and twice the highest in use.
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
# The largest sample that can be one of a sound: 32-bit integers kept as floats reach 2³¹. Full scale is 1.
LOUDEST = 2.0**32
# Bytes of decoded samples, at most: six hours of stereo at 96 kHz. A small file can decode to far more.
MOST_BYTES = 16 << 30
# No start and no duration in seconds is longer, some thirty years: their number of samples stays a whole number.
_LONGEST = 1e9
# As many channels as libsndfile reads.
_MOST_CHANNELS = 1024
# Samples that are decoded at a time.
_BLOCK = 1 << 18
# Seconds: a shortfall that is not worth a word, and a remainder of a broken file that is no sound.
_SLIGHT, _LEAST = 0.005, 0.05
# What libsndfile says of a chunk of samples that is longer than the file.
_TRIMMED = re.compile(
    r"^ *(?:data|SSND|BODY|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
# Where programs that write a pipe leave a length they do not know, in bytes: near 2³¹ or 2³², or beyond any file.
_OPEN_ENDED = ((2**31 - 2**20, 2**31 + 2**20), (2**32 - 2**20, 2**32), (2**40, 2**64))
_FAR = 1 << 50
# Bytes that a decoder may have left or read ahead at the end of a sound, and faults after which it is left alone.
_FRAME_BYTES, _MOST_FAULTS = 1 << 13, 1000


class SoundFormat(NamedTuple):
    """How a sound file keeps its samples.

    Parameters
    ----------
    sr, channels : int
        Sample rate in Hz and number of channels.
    subtype : str or None
        As libsndfile calls it, such as ``"PCM_24"``; None of what FFmpeg decodes.
    """

    sr: int
    channels: int
    subtype: str | None = None


def load_audio(
    path: str | os.PathLike,
    *,
    sr: int | None = 22050,
    mono: bool = True,
    start: float = 0.0,
    duration: float | None = None,
) -> tuple[np.ndarray, int]:
    """Read a sound file as a waveform at the given sample rate.

    Reads whatever libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, ...; 8 to 32 bit, float, any number of
    channels) and what an installed FFmpeg reads. What a header promises and the file does not hold is a warning.

    Parameters
    ----------
    path : str or path
        The file.
    sr : int from 1000 to 768000, or None
        Sample rate in Hz of the returned waveform; None keeps that of the file.
    mono : bool
        Return the mean of the channels, or the loudest one where they cancel in the mean
        (`audiostyle.sound.channels.mid_signal`). Without, a file of several gives an axis of channels.
    start : float >= 0
        Seconds to skip.
    duration : float > 0 or None
        Seconds to read at most; None reads to the end.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]
        Nominal range [-1, 1]; floating-point files may exceed it.
    sr : int
        Its sample rate.

    Raises
    ------
    FileNotFoundError, PermissionError, ValueError
        As `open_sound`.

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    if sr is not None:
        check_rate(sr, name="sr")
    sound, form, notes = open_sound(path, start=start, duration=duration)
    for sentence in notes:
        warnings.warn(sentence, stacklevel=2)
    if mono and sound.n_channels > 1:
        mid = mid_signal(sound.waveform())
        sound = Sound.of(mid.y, form.sr)
        if mid.note:
            warnings.warn(f"{path}: {mid.note}", stacklevel=2)
    return sound.at(sr or form.sr).waveform(), sr or form.sr


def open_sound(
    path: str | os.PathLike,
    *,
    start: float = 0.0,
    duration: float | None = None,
) -> tuple[Sound, SoundFormat, list[str]]:
    """Decode a sound file once, block by block; returns its samples, their format, and what was missing.

    Parameters
    ----------
    path : str or path
        The file.
    start, duration : float, float or None
        The part of it, in seconds, as of `load_audio`.

    Returns
    -------
    sound : Sound
        The samples, in memory, or beyond 256 MB in a temporary file without a name.
    form : SoundFormat
    notes : list of str
        A sentence for each thing that the file promises and does not hold.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PermissionError
        If it may not be read.
    ValueError
        If the path names no regular file, the file is empty or no sound file, its sample rate is outside 1 to
        768 kHz, it decodes to more than 16 GB, or there are no samples after `start`, or samples that are not finite
        or beyond 2³² times full scale.
    """
    path = Path(path)
    check_file(path)
    check_cut(start, duration)
    notes: list[str] = []
    with closing(_decoder(path, notes)) as blocks:
        form = next(blocks)
        first = round(start * form.sr)
        stop = _FAR if duration is None else first + round(duration * form.sr)
        sound = Sound.stored(_part(blocks, first, stop, form, path), form.sr)
    if sound.n_samples == 0 or (notes and sound.n_samples < _LEAST * form.sr):
        raise ValueError(f"{path} holds no samples from {start:g} s on. {' '.join(notes)}".strip())
    return sound, form, notes


def _part(
    blocks: Iterator[np.ndarray], first: int, stop: int, form: SoundFormat, path: Path
) -> Iterator[np.ndarray]:
    """Yield the samples from `first` to `stop` of what comes."""
    at = n = 0
    yield np.zeros((form.channels, 0), np.float32)  # the channels of what may hold nothing
    for y in blocks:
        part = y[:, max(0, first - at) : max(0, stop - at)]
        _check_samples(part, str(path))
        at, n = at + y.shape[1], n + part.shape[1]
        if 4 * n * form.channels > MOST_BYTES:
            raise ValueError(
                f"{path} decodes to more than {MOST_BYTES >> 30} GB of samples; read a part of it"
            )
        yield part
        if at >= stop:
            return


def _decoder(path: Path, notes: list[str]) -> Iterator:
    """Yield the format of a file, then its samples [shape=(n_channels, n_samples)] in blocks."""
    try:
        blocks = _libsndfile(path, notes)
        form = next(blocks)
    except soundfile.LibsndfileError:
        blocks = _ffmpeg(path, notes)
        form = next(blocks)
    with closing(blocks):
        check_rate(form.sr, name=str(path))
        yield form
        yield from blocks


class _Coded:
    """A file from byte `first` on, as libsndfile reads it; it is told of `longer` bytes more.

    Those hold nothing up to `_FAR`, where the file is found again: whoever looks for tags at the end finds them.
    """

    def __init__(self, path: Path, first: int = 0, longer: int = 0) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self._first, self._at = first, 0
        self.size = path.stat().st_size - first
        self._end = self.size + longer

    def close(self) -> None:
        self._file.close()

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._end)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, n: int) -> bytes:
        self._file.seek(self._first + self._at % _FAR)
        data = self._file.read(n)
        self._at += len(data)
        return data

    def readinto(self, buffer: object) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Stream(soundfile.SoundFile):
    """A sound file read from its beginning on: libsndfile cannot seek in GSM, G.721 and NMS ADPCM."""

    def seekable(self) -> bool:
        return False


@contextmanager
def _opened(path: Path, first: int) -> Iterator[tuple[_Coded, _Stream, int | None]]:
    """Open the sound that begins at a byte; yields how many samples are promised as well, where it is told."""
    with ExitStack() as stack:

        def opened(longer: int) -> tuple[_Coded, _Stream]:
            coded = stack.enter_context(closing(_Coded(path, first, longer)))
            return coded, stack.enter_context(_Stream(coded))

        coded, file = opened(0)
        promised = file.frames
        if file.subtype.startswith("MPEG") and opened(-(coded.size // 200) - 1)[1].frames != promised:
            # The length follows that of the file: it is an estimate from the first frames, at which libsndfile stops.
            (coded, file), promised = opened(_FAR), None
        sizes = _TRIMMED.search(file.extra_info)
        if sizes:
            announced, held = map(int, sizes.groups())
            promised = None if _open_ended(announced) else promised * announced // max(held, 1)
        yield coded, file, None if promised is None or _open_ended(promised) else promised


def _open_ended(length: int) -> bool:
    return any(low <= length <= high for low, high in _OPEN_ENDED)


def _libsndfile(path: Path, notes: list[str], first: int = 0) -> Iterator:
    with _opened(path, first) as (coded, file, promised):
        sr, n, known = file.samplerate, 0, len(notes)
        yield SoundFormat(sr, file.channels, file.subtype)
        for y in _read(file, coded, path, notes):
            n += y.shape[1]
            yield y
        if len(notes) == known and promised and promised - n > _SLIGHT * sr:
            notes.append(
                f"{path} is cut short: {promised / sr:.2f} s are announced, {n / sr:.2f} s are there."
            )
        elif "lacks an end-of-stream bit" in file.extra_info:
            notes.append(f"{path} is cut short: it lacks its end; {n / sr:.2f} s are there.")
        if (more := _next_sound(coded, file)) is not None:
            yield from _go_on(path, notes, first + more, SoundFormat(sr, file.channels, file.subtype))


def _read(file: _Stream, coded: _Coded, path: Path, notes: list[str]) -> Iterator[np.ndarray]:
    n, faults = 0, 0
    while faults < _MOST_FAULTS:
        y, at = np.full((max(1, _BLOCK // file.channels), file.channels), np.nan, np.float32), coded.tell()
        try:
            got = len(file.read(out=y))
            if got == 0:
                return
        except soundfile.LibsndfileError as error:
            # What was decoded before the fault is there, and soundfile does not say how much.
            got = int(np.append(np.isnan(y[:, 0]), True).argmax())
            if not faults:
                notes.append(
                    f"{path} is damaged {(n + got) / file.samplerate:.2f} s after its beginning: {error}"
                )
            if coded.tell() == at:
                return
            faults += 1
        n += got
        yield y[:got].T


def _next_sound(coded: _Coded, file: _Stream) -> int | None:
    """Return where another sound follows, as of MP3 and Ogg files that were put one behind the other."""
    at = coded.tell() % _FAR
    if file.format == "MP3":
        coded.seek(at)
        at += 128 if coded.read(3) == b"TAG" else 0
        coded.seek(at)
        rest = coded.read(2)
        follows = rest == b"ID" or (rest[:1] == b"\xff" and rest[1:] >= b"\xe0")
        return at if follows and coded.size - at > _FRAME_BYTES else None
    if file.format == "OGG":  # read in pieces, so that the next page may have been read
        at = max(1, at - _FRAME_BYTES)
        coded.seek(at)
        page = coded.read(1 << 16).find(b"OggS\0\2")
        return None if page < 0 else at + page
    return None


def _go_on(path: Path, notes: list[str], first: int, form: SoundFormat) -> Iterator[np.ndarray]:
    try:
        blocks = _libsndfile(path, notes, first)
        found = next(blocks)
    except soundfile.LibsndfileError:
        return
    if found[:2] == form[:2]:
        yield from blocks
    else:
        notes.append(
            f"{path} goes on at {found.sr} Hz with {found.channels} channels; that part is left out."
        )


def _ffmpeg(path: Path, notes: list[str]) -> Iterator:
    """Decode with FFmpeg, which writes floats behind a header of AU: magic, its size, ..., rate, channels."""
    refused = f"{path} is not a sound file that can be read"
    program = shutil.which("ffmpeg")
    if program is None:
        raise ValueError(f"{refused} here; once FFmpeg is installed, more formats are")
    source = b"file:" + os.fsencode(path)
    command = [program, *["-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i"], source]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "-"]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        ) as decoder,
    ):
        try:
            header = decoder.stdout.read(24)
            if len(header) < 24:
                raise ValueError(refused)
            _, size, _, _, sr, channels = struct.unpack(">6I", header)
            decoder.stdout.read(size - 24)
            yield SoundFormat(sr, channels)
            step = 4 * channels * max(1, _BLOCK // channels)
            while len(data := decoder.stdout.read(step)) >= 4 * channels:
                y = np.frombuffer(data, ">f4", len(data) // 4 // channels * channels)
                yield y.reshape(-1, channels).T.astype(np.float32)
            complaints.seek(0)
            if said := complaints.read(1000).decode(errors="replace").strip():
                notes.append(f"{path} is damaged, says FFmpeg: {said.splitlines()[-1]}")
        finally:
            decoder.kill()


def check_file(path: Path) -> None:
    """Make sure that a path names a regular file with something in it; nothing is opened.

    Opening a pipe waits until somebody writes into it, and a device may never end.

    Raises
    ------
    FileNotFoundError
        If there is no such file; a link to nothing and a circle of links count as none.
    PermissionError
        If it may not be read.
    ValueError
        If it is a folder, a pipe, a socket or a device, or empty.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ValueError(f"{path} is a folder, not a sound file")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is a pipe, a socket or a device, not a sound file")
    if status.st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{path} cannot be read: no permission")


def check_rate(sr: float, *, name: str) -> None:
    """Raise a ValueError unless a sample rate in Hz is one of sound; `name` is what has it.

    Examples
    --------
    >>> check_rate(2**31, name="sr")
    Traceback (most recent call last):
    ValueError: sr: a sample rate of 2147483648 Hz is not allowed; it must be from 1000 to 768000 Hz
    """
    if not LOWEST_RATE <= sr <= HIGHEST_RATE:
        allowed = f"from {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        raise ValueError(f"{name}: a sample rate of {sr} Hz is not allowed; it must be {allowed}")


def check_cut(start: float, duration: float | None) -> None:
    """Raise a ValueError unless a part of a file can begin there and be so long, in seconds."""
    if not 0 <= start <= _LONGEST:
        raise ValueError(f"start={start} is not allowed; it must be from 0 to {_LONGEST:g} seconds")
    if duration is not None and not 0 < duration <= _LONGEST:
        allowed = f"above 0 and at most {_LONGEST:g} seconds"
        raise ValueError(f"duration={duration} is not allowed; it must be {allowed}")


def check_waveform(y: np.ndarray, *, name: str = "y", mono: bool = True) -> np.ndarray:
    """Return `y` as a float32 waveform, or say what is wrong with it.

    Parameters
    ----------
    y : array_like [shape=(n_samples,) or, with ``mono=False``, (n_channels, n_samples)]
        Waveform of floats, or of integers of 16 or 32 bits, whose full scale becomes 1.
    name : str
        What the error message calls it.
    mono : bool
        Whether one channel alone is allowed.

    Returns
    -------
    np.ndarray [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]
        In one piece of memory that may be written; of one channel, it has no axis of channels.

    Raises
    ------
    ValueError
        If it has another shape or type, is empty, or holds values that are not finite or beyond 2³².
    """
    y = np.asarray(y)
    if y.dtype in (np.int16, np.int32):
        y = y / -float(np.iinfo(y.dtype).min)
    elif y.dtype.kind != "f":
        raise ValueError(f"{name} holds {y.dtype}; floats with full scale 1 are needed, or int16 or int32")
    with np.errstate(over="ignore"):  # said below
        y = np.require(y, np.float32, ["C", "W"])  # torch takes neither steps backwards nor what is read-only
    if not mono and y.ndim == 2:
        if len(y) > _MOST_CHANNELS:
            channels = f"more than {_MOST_CHANNELS} channels; channels come first"
            raise ValueError(f"{name} has shape {y.shape}, {channels}")
        y = y[0] if len(y) == 1 else y
    elif y.ndim != 1:
        needed = (
            "a mono waveform of shape (n_samples,)" if mono else "(n_samples,) or (n_channels, n_samples)"
        )
        raise ValueError(f"{name} has shape {y.shape}; {needed} is needed")
    if y.size == 0:
        raise ValueError(f"{name} holds no samples")
    _check_samples(y, name)
    return y


def _check_samples(y: np.ndarray, name: str) -> None:
    """Raise a ValueError where samples are none of a sound."""
    peak = float(np.abs(y).max(initial=0.0))  # NaN where one is
    if not np.isfinite(peak):
        raise ValueError(f"{name} holds samples that are NaN or infinite")
    if peak > LOUDEST:
        raise ValueError(f"{name} is not a sound: its samples reach {peak:.1e}, and full scale is 1")
