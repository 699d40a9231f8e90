"""Waveforms written as WAV, FLAC, OGG, MP3 or AIFF, whole or not at all."""

import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from audiostyle.sound.levels import without_clipping
from audiostyle.sound.read import check_waveform
from audiostyle.system import whole_file

_log = logging.getLogger(__name__)
# What is written, as libsndfile calls it. Others that it offers drop samples, change the rate or are read by nothing.
SUFFIXES = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3", ".aiff": "AIFF", ".aif": "AIFF"}
# Sample rate in Hz above which libsndfile's Vorbis encoder ends the process with a segmentation fault.
_MOST_OF_VORBIS = 200_000
# Bytes of samples that a WAV or AIFF file holds, and bytes of a sample where they are not two.
_MOST_BYTES = 2**32 - 2**16
_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "ULAW": 1, "ALAW": 1, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
# Ways of keeping samples finer than 16 bits; 24 is the finest that FLAC has.
_FINE = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_TRIED = 10


class Written(NamedTuple):
    """How a sound is written: format and way of keeping samples, as libsndfile calls them, and a sentence or none."""

    format: str
    subtype: str
    note: str = ""


def save_audio(path: str | os.PathLike, y: np.ndarray, sr: int, *, subtype: str | None = None) -> Path:
    """Write a waveform; the suffix says as which format.

    The samples are written as they are; where one exceeds full scale, which would clip, all are turned down until the
    peak is −1 dBFS, and one sentence in the log of this module says so.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced once the new one is whole.
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
    sr : int
        Its sample rate in Hz.
    subtype : str or None
        As for `writable`.

    Raises
    ------
    ValueError
        As `writable` and `audiostyle.sound.read.check_waveform`.
    OSError
        If the folder does not exist or cannot be written, or the disk is full.
    """
    path = Path(path)
    y = np.atleast_2d(check_waveform(y, name=str(path), mono=False))
    written = writable(path, sr, len(y), subtype, y.shape[1])
    y, turned_down = without_clipping(y)
    for note in filter(None, (written.note, turned_down)):
        _log.warning("%s: %s", path, note)
    with open_writer(path, written, sr, len(y)) as write:
        write(y)
    return path


@contextmanager
def open_writer(
    path: Path, written: Written, sr: int, channels: int
) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that takes blocks [shape=(n_channels, n_samples)]; the file appears when all are written."""
    with whole_file(path) as temporary:
        # As bytes: soundfile encodes no name that is not UTF-8.
        name = os.fsencode(temporary) if os.name == "posix" else os.fspath(temporary)
        try:
            with soundfile.SoundFile(name, "w", sr, channels, written.subtype, None, written.format) as file:
                yield lambda y: file.write(y.T)
        except soundfile.LibsndfileError as error:
            raise OSError(f"{path} cannot be written whole; is the disk full?") from error


def writable(
    path: str | os.PathLike, sr: int, channels: int = 1, subtype: str | None = None, n_samples: float = 0
) -> Written:
    """Return how a sound can be written under a name, as was tried with ten samples.

    Parameters
    ----------
    path : str or path
        Its suffix names the format.
    sr, channels : int
        Sample rate in Hz and number of channels.
    subtype : str or None
        How samples should be kept, as libsndfile calls it: ``"PCM_16"``, ``"PCM_24"``, ``"FLOAT"``, ...; where the
        format has no such samples, and with None, they are kept in the format's usual way.
    n_samples : float
        Samples of each channel; a WAV file beyond 4 GB is written as RF64.

    Raises
    ------
    ValueError
        If the suffix names no format written here, there is no such subtype, or the format has no such rate, so many
        channels, or room for so many samples.
    """
    path = Path(path)
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise ValueError(
            f"{path} has no suffix that names a sound format written here; use one of {', '.join(SUFFIXES)}"
        )
    if subtype is not None and subtype not in soundfile.available_subtypes():
        held = [s for s in soundfile.available_subtypes(found) if _holds(found, s, sr, channels)]
        raise ValueError(f"{subtype} is no way to keep samples; {found} has {', '.join(held)}")
    usual = soundfile.default_subtype(found)
    choices = [subtype or usual, *(["PCM_24"] if subtype in _FINE else []), usual]
    kept = next((choice for choice in choices if _holds(found, choice, sr, channels)), None)
    if kept is None:
        many = f" with {channels} channels" * (channels > 1)
        advice = _advice(found, sr, channels)
        raise ValueError(f"{path} cannot be written as {found} at {sr} Hz{many}; {advice}")
    if found in ("WAV", "AIFF") and n_samples * channels * _BYTES.get(kept, 2) > _MOST_BYTES:
        if found == "AIFF":
            raise ValueError(f"{path} would be longer than the 4 GB that AIFF holds; use .wav or .flac")
        found = "RF64"
    note = f"{found} has no {subtype} samples: written as {kept}." if subtype not in (None, kept) else ""
    return Written(found, kept, note)


def _advice(audio_format: str, sr: int, channels: int) -> str:
    """Say what can be written in its place."""
    usual = soundfile.default_subtype(audio_format)
    if _holds(audio_format, usual, 48_000, channels):
        return "use .wav, or another rate: --sr 48000"
    return "use .wav, or fewer channels: --channels 1" if _holds(audio_format, usual, sr, 1) else "use .wav"


@cache
def _holds(audio_format: str, subtype: str, sr: int, channels: int) -> bool:
    """Whether ten samples come back as ten; ADPCM, as others of blocks, fills the last one."""
    if audio_format == "OGG" and sr > _MOST_OF_VORBIS:
        return False
    file = io.BytesIO()
    try:
        soundfile.write(file, np.zeros((_TRIED, channels)), sr, subtype, None, audio_format)
        file.seek(0)
        return soundfile.read(file, always_2d=True)[0].shape == (_TRIED, channels)
    except (OverflowError, TypeError, ValueError, soundfile.LibsndfileError):
        return False
