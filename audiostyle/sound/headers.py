"""What the header of a sound file claims, judged before anything is read or allocated.

The length in a header is a number that anybody may have written: a file of a hundred bytes can announce 2³⁶ samples.
"""

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

import soundfile

# Sample rates in Hz that are taken for sound: below telephone bandwidth by far, and twice the highest in use.
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
# Samples of each channel that a byte can stand for, at most. Digital silence in FLAC (blocks of 65 535 samples in some
# ten bytes), Vorbis (blocks of 4096 in one byte and one of the page), Opus and ALAC is dense; an MP3 has 8 kbit/s
# at least, which is 24 samples; all others keep whole bits.
_DENSE = {"FLAC": 8192, "OGG": 8192, "CAF": 8192}
_PLAIN = 32
_OGG_PAGE = 65_307  # bytes of a page, at most
_UNKNOWN_LENGTHS = (2**32 - 1, 2**63 - 1)


def check_file(path: Path, *, name: str | None = None) -> None:
    """Make sure that a path names a regular file with something in it; nothing is opened.

    Opening a pipe waits until somebody writes into it, and a device may never end.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    name : str or None
        What error messages call it; None takes the path.

    Raises
    ------
    FileNotFoundError
        If there is no such file; a link to nothing and a circle of links count as none.
    PermissionError
        If it may not be read.
    ValueError
        If it is a folder, a pipe, a socket or a device, or empty.
    """
    name = name or str(path)
    if not path.exists():
        raise FileNotFoundError(f"{name} does not exist")
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ValueError(f"{name} is a folder, not a sound file")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{name} is a pipe, a socket or a device, not a sound file")
    if status.st_size == 0:
        raise ValueError(f"{name} is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{name} cannot be read: no permission")


def check_rate(sr: float, *, name: str) -> None:
    """Make sure that a sample rate is one of sound.

    Parameters
    ----------
    sr : int
        Sample rate in Hz.
    name : str
        What the error message says has it.

    Raises
    ------
    ValueError
        If it is below 1 kHz or above 768 kHz.

    Examples
    --------
    >>> check_rate(2**31, name="sr")
    Traceback (most recent call last):
    ValueError: sr: a sample rate of 2147483648 Hz is not allowed; it must be from 1000 to 768000 Hz
    """
    if not LOWEST_RATE <= sr <= HIGHEST_RATE:
        raise ValueError(
            f"{name}: a sample rate of {sr} Hz is not allowed; it must be from {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        )


def open_checked(path: str | os.PathLike, *, name: str | None = None) -> soundfile.SoundFile:
    """Open a sound file whose header can be true.

    Parameters
    ----------
    path : str or path
        The file.
    name : str or None
        What error messages call it; None takes the path.

    Returns
    -------
    soundfile.SoundFile
        To be closed by the caller.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no regular file, empty or headerless, or its header announces a rate that is none of sound, more
        samples than the file can hold, or a longer file than it is.
    soundfile.LibsndfileError
        If libsndfile does not know the format, or cannot read the header.
    """
    path = Path(path)
    name = name or str(path)
    check_file(path, name=name)
    headerless = f"{name} has no header that tells rate and format of its samples; write it as WAV first"
    if path.suffix.lower() == ".raw":  # soundfile asks for the rate then
        raise ValueError(headerless)
    file = soundfile.SoundFile(path)
    try:
        # libsndfile takes it for a telephone's when a name ends in .au, .snd, .vox or .gsm.
        if file.format == "RAW":
            raise ValueError(headerless)
        check_rate(file.samplerate, name=name)
        size = path.stat().st_size
        if file.frames > size * _DENSE.get(file.format, _PLAIN):
            raise ValueError(
                f"{name} is damaged or a stream of unknown length: its header announces {file.frames} samples, "
                f"more than {size} bytes can hold"
            )
        if _trims(file.extra_info) or (file.format == "OGG" and _lacks_last_page(path)):
            raise ValueError(f"{name} is cut short: its header announces more samples than the file holds")
    except ValueError:
        file.close()
        raise
    return file


class SoundFormat(NamedTuple):
    """What the header of a sound file says.

    Parameters
    ----------
    sr, channels, frames : int
        Sample rate in Hz, channels, samples of each.
    subtype : str
        How samples are kept, as libsndfile calls it, such as ``"PCM_24"``.
    """

    sr: int
    channels: int
    frames: int
    subtype: str


def sound_format(path: str | os.PathLike) -> SoundFormat | None:
    """Read the header of a sound file; None where libsndfile does not know the format, as of M4A.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_checked`.
    """
    try:
        with open_checked(path) as file:
            return SoundFormat(file.samplerate, file.channels, file.frames, file.subtype)
    except soundfile.LibsndfileError:
        return None


def _trims(report: str) -> bool:
    """Whether libsndfile's report says that the file ends before the samples do; it trims the length silently.

    In WAV, AIFF and AU the chunk of samples is longer than the file; W64 and RF64 tell only of the whole. Programs
    that write a stream and never know its length leave the largest number.
    """
    sizes = re.findall(
        r"^ *(?:data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", report, re.MULTILINE
    )
    return any(
        int(announced) not in _UNKNOWN_LENGTHS and int(held) < int(announced) for announced, held in sizes
    )


def _lacks_last_page(path: Path) -> bool:
    """Whether an Ogg file ends within a page, or with one that is not marked as the last of its stream."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 2 * _OGG_PAGE))
        tail = file.read()
    page = tail[tail.rfind(b"OggS\0") :]
    if len(page) < 27:  # of a page's header: capture pattern, version, flags, ..., number of segments
        return True
    sizes = page[27 : 27 + page[26]]
    return not page[5] & 4 or len(page) < 27 + page[26] + sum(sizes)


def knows_its_length(path: str | os.PathLike, audio_format: str) -> bool:
    """Whether the header states the length exactly; an MP3 without a Xing or Info header only lets one guess."""
    if audio_format != "MP3":
        return True
    with open(path, "rb") as file:
        beginning = file.read(1 << 16)
    return b"Xing" in beginning or b"Info" in beginning
