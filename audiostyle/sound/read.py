"""Waveforms read: from a file, decoded once from its beginning to its end, or from a caller's array.

A waveform is a ``float32`` array ``y`` ``[shape=(n_samples,) or (n_channels, n_samples)]`` with its sample rate ``sr``
in hertz beside it. A header's length is not believed: the samples that come are counted.
"""

import os
import re
import shutil
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

from audiostyle.config import check_allowed
from audiostyle.sound.channels import mid_sound
from audiostyle.sound.samples import Sound

# Sample rates in Hz that are taken for sound: below telephone bandwidth by far, and twice the highest in use.
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
# The largest sample that can be one of a sound: 32-bit integers kept as floats reach 2³¹. Full scale is 1.
LOUDEST = 2.0**32
# Bytes of decoded samples: six hours of stereo at 96 kHz. A small file can decode to far more.
MOST_BYTES = 16 << 30
# Samples that are decoded at a time, and bytes that a decoder leaves or reads ahead at the end of a sound.
_BLOCK, _BESIDE = 1 << 18, 1 << 13
# As many channels as libsndfile reads; seconds, some thirty years, whose number of samples is a whole one.
_MOST_CHANNELS, _LONGEST = 1024, 1e9
# Seconds: a shortfall that is not worth a word, and a remainder of a broken file that is no sound.
_SLIGHT, _LEAST = 0.005, 0.05
# What libsndfile says of samples that should be longer than the file (W64 and RF64 tell only of the whole), and of
# Ogg files that are not whole.
_TRIMMED = re.compile(r"(?m)^ *(?:data|SSND|BODY|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)")
_BROKEN = re.compile("lacks an end-of-stream bit|Corrupted bitstream|a hole at|truncated file")
# Programs that write into a pipe leave a length they do not know near 2³¹ or 2³² bytes, or beyond any file.
_UNKNOWN = ((2**31 - 2**20, 2**31 + 2**20), (2**32 - 2**20, 2**32), (2**40, 2**64))
_FAR = 1 << 50
_UNSIZED = re.compile(rb"data(?=\0{4}(?!LIST|id3 |fact|bext))")


class SoundFormat(NamedTuple):
    """Sample rate in Hz, number of channels, and how samples are kept: libsndfile's name, None of other decoders."""

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
    """Read a sound file that libsndfile or an installed FFmpeg reads.

    Parameters
    ----------
    path : str or path
        The file; one that holds less than it announces is read with a warning.
    sr : int from 1000 to 768000, or None
        Sample rate in Hz to return; None keeps that of the file.
    mono : bool
        Return one signal for all channels (`audiostyle.sound.channels.mid_sound`).
    start, duration : float, float or None
        Seconds to skip, and to read at most; None reads to the end.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]
        Full scale is 1; floating-point files may exceed it.
    sr : int

    Raises
    ------
    FileNotFoundError, PermissionError, ValueError
        As `open_sound`.

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    if sr is not None:
        check_rate(sr)
    sound, form, notes = open_sound(path, start, duration)
    if mono:
        sound, cancel = mid_sound(sound)
        notes += [f"{path}: its channels cancel in their mean: the loudest one is taken."] * cancel
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return sound.at(sr or form.sr).waveform(), sr or form.sr


def open_sound(
    path: str | os.PathLike, start: float = 0.0, duration: float | None = None
) -> tuple[Sound, SoundFormat, list[str]]:
    """Decode a sound file, block by block, into memory or a temporary file.

    Takes what `load_audio` takes; the notes are a sentence for each thing that the file promises and does not hold.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or it may not be read.
    ValueError
        If it is no regular file, empty or no sound, has a sample rate outside 1 to 768 kHz, decodes to more than
        16 GB, or has no samples after `start`, or samples that are not finite or beyond 2³² times full scale.
    """
    path = Path(path)
    _check_file(path)
    check_allowed(0 <= start <= _LONGEST, "start", start, f"from 0 to {_LONGEST:g} seconds")
    fits = duration is None or 0 < duration <= _LONGEST
    check_allowed(fits, "duration", duration, f"above 0 and at most {_LONGEST:g} seconds")
    notes: list[str] = []
    with closing(_decoded(path, notes)) as blocks:
        form = next(blocks)
        check_rate(form.sr, f"{path}: sr")
        first = round(start * form.sr)
        stop = _FAR if duration is None else first + round(duration * form.sr)
        sound = Sound.stored(_part(blocks, first, stop, form.channels, str(path)), form.sr)
    if sound.n_samples < (_LEAST * form.sr if notes else 1):
        raise ValueError(" ".join([f"{path} holds no samples from {start:g} s on.", *notes]))
    return sound, form, notes


def _part(blocks: Iterator, first: int, stop: int, n_channels: int, name: str) -> Iterator[np.ndarray]:
    """Yield the samples from `first` to `stop` of what comes."""
    yield np.zeros((n_channels, 0), np.float32)
    at = 0
    for y in blocks:
        part = y[:, max(0, first - at) : max(0, stop - at)]
        _check_samples(part, name)
        yield part
        at += y.shape[1]
        if 4 * n_channels * (at - first) > MOST_BYTES:
            raise ValueError(f"{name} decodes to more than {MOST_BYTES >> 30} GB; read a part of it")
        if at >= stop:
            return


def _decoded(path: Path, notes: list[str]) -> Iterator:
    """Yield the format of a file, then its samples [shape=(n_channels, n_samples)] in blocks."""
    try:
        yield from _libsndfile(path, notes)
    except soundfile.LibsndfileError:  # of the header; what comes later is a note
        yield from _ffmpeg(path, notes)


class _Coded:
    """A file from byte `first` on for libsndfile, told to be `longer`: there is nothing but tags at that end."""

    def __init__(self, path: Path, first: int, longer: int) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self.close = self._file.close
        self._first, self._at, self._longer = first, 0, longer
        self.size = path.stat().st_size - first
        # A recorder that crashed leaves a WAV file that tells of no samples: of an unknown number of them, then.
        head = self._file.read(_BESIDE)
        unsized = _UNSIZED.search(head) if head[:4] + head[8:12] == b"RIFFWAVE" else None
        self._unsized = range(unsized.end(), unsized.end() + 4) if unsized else range(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self.size + self._longer)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, n: int) -> bytes:
        at = self._at - self._longer * (self._at >= self.size)
        self._file.seek(self._first + max(0, at))
        data = self._file.read(n * (at >= 0))
        self._at += len(data)
        if self._unsized and at < self._unsized.stop:
            data = bytes(255 if at + i in self._unsized else byte for i, byte in enumerate(data))
        return data


class _Stream(soundfile.SoundFile):
    """A sound file that is only read on: libsndfile cannot seek in GSM, G.721 and NMS ADPCM."""

    def seekable(self) -> bool:
        return False


@contextmanager
def _opened(path: Path, first: int) -> Iterator[tuple[_Coded, _Stream, int | None]]:
    """Open the sound that begins at a byte; yields also how many samples are announced, where that is told."""
    with ExitStack() as stack:

        def opened(longer: int) -> tuple[_Coded, _Stream]:
            coded = stack.enter_context(closing(_Coded(path, first, longer)))
            return coded, stack.enter_context(_Stream(coded))

        coded, file = opened(0)
        announced = file.frames
        if file.subtype.startswith("MPEG") and opened(1 + coded.size // 200)[1].frames != announced:
            # A length that follows the file's is an estimate from the first frames, and libsndfile would stop there.
            (coded, file), announced = opened(_FAR), None
        elif sizes := _TRIMMED.search(file.extra_info):
            told, held = map(int, sizes.groups())
            announced = None if _unknown(told) else announced * told // max(held, 1)
        yield coded, file, None if announced is None or _unknown(announced) else announced


def _unknown(length: int) -> bool:
    return any(low <= length <= high for low, high in _UNKNOWN)


def _libsndfile(path: Path, notes: list[str], first: int = 0) -> Iterator:
    with _opened(path, first) as (coded, file, announced):
        form = SoundFormat(file.samplerate, file.channels, file.subtype)
        yield form
        n = 0
        while True:
            y = np.full((max(1, _BLOCK // form.channels), form.channels), np.nan, np.float32)
            try:
                got, fault = len(file.read(out=y)), None
            except soundfile.LibsndfileError as error:
                # What was decoded before the fault is there, and soundfile does not say how much.
                got, fault = int(np.append(np.isnan(y[:, 0]), True).argmax()), error
            n += got
            yield y[:got].T
            if fault or got == 0:
                break
        follows, there = _next_sound(coded, file.format), f"{n / form.sr:.2f} s are there"
        if announced and announced - n > _SLIGHT * form.sr:
            notes.append(f"{path} is cut short or damaged: of {announced / form.sr:.2f} s announced {there}.")
        elif fault or _BROKEN.search(file.extra_info) or (file.format == "OGG" and _ends_within_page(coded)):
            notes.append(f"{path} is cut short or damaged: {there}.")
        if follows:
            yield from _go_on(path, notes, first + follows, form)


def _ends_within_page(coded: _Coded) -> bool:
    coded.seek(max(0, coded.size - (1 << 16)))
    rest = coded.read(1 << 16)
    page = rest[rest.rfind(b"OggS") :]
    return len(page) < 27 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _next_sound(coded: _Coded, audio_format: str) -> int | None:
    """Return the byte at which another sound follows, as in MP3 or Ogg files put one behind the other."""
    at = max(1, coded.tell() % _FAR - (_BESIDE if audio_format == "OGG" else 0))
    coded.seek(at)
    rest = coded.read(2 * _BESIDE)
    if audio_format == "OGG":
        page = rest.find(b"OggS\0\2")
        return at + page if page >= 0 else None
    tag = 128 * rest.startswith(b"TAG")
    follows = audio_format == "MP3" and len(rest) > _BESIDE and re.match(rb"ID3|\xff[\xe0-\xff]", rest[tag:])
    return at + tag if follows else None


def _go_on(path: Path, notes: list[str], first: int, form: SoundFormat) -> Iterator[np.ndarray]:
    try:
        blocks = _libsndfile(path, notes, first)
        if next(blocks) == form:
            yield from blocks
        else:
            notes.append(f"{path} goes on in another format; that part is left out.")
    except soundfile.LibsndfileError:
        return


def _ffmpeg(path: Path, notes: list[str]) -> Iterator:
    refusal = f"{path} is not a sound file that can be read"
    program = shutil.which("ffmpeg")
    if program is None:
        raise ValueError(f"{refusal} here; FFmpeg, once installed, reads more formats")
    command = [program, "-v", "error", "-nostdin", "-protocol_whitelist", "file"]
    command += ["-i", b"file:" + os.fsencode(path), "-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "-"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(command, stderr=complaints, **pipes) as decoder,
    ):
        try:
            header = decoder.stdout.read(24)
            if len(header) < 24:
                raise ValueError(refusal)
            _, size, _, _, sr, channels = struct.unpack(">6I", header)
            decoder.stdout.read(size - 24)
            yield SoundFormat(sr, channels)
            frame = 4 * channels
            while len(data := decoder.stdout.read(frame * max(1, _BLOCK // channels))) >= frame:
                y = np.frombuffer(data[: len(data) // frame * frame], ">f4")
                yield y.reshape(-1, channels).T.astype(np.float32)
            complaints.seek(0)
            if said := complaints.readline().decode(errors="replace").strip():
                notes.append(f"{path} is cut short or damaged: {said}.")
        finally:
            decoder.kill()


def _check_file(path: Path) -> None:
    """Make sure that a path names a regular file with something in it, and may be read; nothing is opened."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a sound file")
    if not path.is_file():  # opening a pipe waits until somebody writes into it, and a device may never end
        raise ValueError(f"{path} is a pipe, a socket or a device, not a sound file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{path} cannot be read: no permission")


def check_rate(sr: float, name: str = "sr") -> None:
    """Raise a ValueError unless a sample rate is one of sound."""
    check_allowed(LOWEST_RATE <= sr <= HIGHEST_RATE, name, sr, f"from {LOWEST_RATE} to {HIGHEST_RATE} Hz")


def check_waveform(y: np.ndarray, *, name: str = "y", mono: bool = True) -> np.ndarray:
    """Return `y` as a float32 waveform, or raise a ValueError that calls it `name` and says what is wrong with it.

    It has the shape (n_samples,) or, with ``mono=False``, (n_channels, n_samples), and holds floats, or integers of 16
    or 32 bits, whose full scale becomes 1. Of one channel, what is returned has no axis of channels.
    """
    y = np.asarray(y)
    if y.dtype in (np.int16, np.int32):
        y = y / -float(np.iinfo(y.dtype).min)
    elif y.dtype.kind != "f":
        raise ValueError(f"{name} holds {y.dtype}; floats of full scale 1 are needed, or int16 or int32")
    with np.errstate(over="ignore"):  # said below
        # torch takes no array that runs backwards, and warns of one that is read-only
        y = np.require(y, np.float32, ["C", "W"])
    y = y[0] if y.ndim == 2 and len(y) == 1 and not mono else y
    if y.ndim != 1 and (mono or y.ndim != 2 or len(y) > _MOST_CHANNELS):
        several = "" if mono else f" or (n_channels, n_samples), at most {_MOST_CHANNELS} channels"
        raise ValueError(f"{name} has shape {y.shape}; (n_samples,){several} is needed")
    if y.size == 0:
        raise ValueError(f"{name} holds no samples")
    _check_samples(y, name)
    return y


def _check_samples(y: np.ndarray, name: str) -> None:
    peak = float(np.abs(y).max(initial=0.0))  # NaN where one sample is
    if not np.isfinite(peak):
        raise ValueError(f"{name} holds samples that are NaN or infinite")
    if peak > LOUDEST:
        raise ValueError(f"{name} is not a sound: its samples reach {peak:.1e}, and full scale is 1")
