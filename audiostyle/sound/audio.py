"""Waveforms: read, write, cut and level.

A waveform is a ``float32`` array ``y`` ``[shape=(n_samples,) or (n_channels, n_samples)]`` with its sample rate ``sr``
in hertz beside it.
"""

import io
import logging
import os
import traceback
import warnings
from pathlib import Path

import librosa
import numpy as np
import soundfile

from audiostyle.sound.files import refuse_irregular, whole_file
from audiostyle.sound.headers import check_file, check_rate, knows_its_length, open_checked
from audiostyle.sound.levels import rms, without_clipping

_log = logging.getLogger(__name__)
# Below this root mean square (-100 dB of full scale) a clip is called silent: 16-bit dither lies near -98 dB.
SILENCE_RMS = 1e-5
# The largest sample that can be one of a sound: 32-bit integers kept as floats reach 2³¹. Full scale is 1.
LOUDEST = 2.0**32
# What is written, as libsndfile calls it. Others that it offers drop samples, change the rate or are read by nothing.
WRITTEN_FORMATS = ("WAV", "FLAC", "OGG", "MP3", "AIFF")
# Sample rate in Hz above which libsndfile's Vorbis encoder ends the process with a segmentation fault.
_MOST_OF_VORBIS = 200_000
# No start and no duration in seconds is longer, some thirty years: their number of samples stays a whole number.
_LONGEST = 1e9
# Bytes of a file name, at most, on the usual file systems.
NAME_BYTES = 255
# As many as libsndfile reads.
_MOST_CHANNELS = 1024
# Samples that are decoded at a time.
_BLOCK = 1 << 20


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
    channels) and, through librosa, what an installed ffmpeg reads.

    Parameters
    ----------
    path : str or path
        The file.
    sr : int from 1000 to 768000, or None
        Sample rate in Hz of the returned waveform; None keeps that of the file.
    mono : bool
        Average the channels. Without, a file of several gives an axis of channels.
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
    FileNotFoundError
        If there is no such file.
    ValueError
        If the path names no regular file, the file is empty, cut short or no sound file, its header announces a
        sample rate outside 1 to 768 kHz or more samples than the file can hold (nothing is allocated then), or
        it holds no samples after `start`, or samples that are not finite or beyond 2³² times full scale.

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    path = Path(path)
    check_file(path)
    if sr is not None:
        check_rate(sr, name="sr")
    check_cut(start, duration)
    y, native_sr = _read(path, start, duration, mono)
    if y.size == 0:
        raise ValueError(f"{path} holds no samples from {start:g} s on")
    y = check_waveform(y, name=str(path), mono=mono)
    sr = sr or native_sr
    if native_sr != sr:
        y = librosa.resample(y, orig_sr=native_sr, target_sr=sr)
    return np.ascontiguousarray(y, dtype=np.float32), sr


def check_cut(start: float, duration: float | None) -> None:
    """Raise a ValueError unless a part of a file can begin there and be so long, in seconds.

    Examples
    --------
    >>> check_cut(-1, None)
    Traceback (most recent call last):
    ValueError: start=-1 is not allowed; it must be from 0 to 1e+09 seconds
    """
    if not 0 <= start <= _LONGEST:
        raise ValueError(f"start={start} is not allowed; it must be from 0 to {_LONGEST:g} seconds")
    if duration is not None and not 0 < duration <= _LONGEST:
        raise ValueError(
            f"duration={duration} is not allowed; it must be above 0 and at most {_LONGEST:g} seconds"
        )


def _read(path: Path, start: float, duration: float | None, mono: bool) -> tuple[np.ndarray, int]:
    try:
        file = open_checked(path)
    except soundfile.LibsndfileError:
        y, sr = _read_with_librosa(path, start, duration, mono)
        check_rate(sr, name=str(path))
        return y, int(sr)
    with file:
        first = round(min(start * file.samplerate, file.frames))
        wanted = file.frames - first
        if duration is not None:
            wanted = min(wanted, round(duration * file.samplerate))
        try:
            file.seek(first)
            y = _read_blocks(file, wanted, mono)
        except soundfile.LibsndfileError as error:
            raise ValueError(f"{path} is cut short or damaged ({error})") from error
        if y.shape[-1] < wanted and knows_its_length(path, file.format):
            raise ValueError(f"{path} is cut short: its header announces more samples than the file holds")
        return y, file.samplerate


def _read_blocks(file: soundfile.SoundFile, wanted: int, mono: bool) -> np.ndarray:
    """Read at most so many samples block by block: memory follows what comes, not what the header announces."""
    step = max(1, _BLOCK // file.channels)
    several = not mono and file.channels > 1
    blocks = [np.zeros((0, file.channels) if several else 0, np.float32)]
    while wanted > 0 and len(y := file.read(min(step, wanted), dtype="float32", always_2d=True)):
        wanted -= len(y)
        with np.errstate(over="ignore", invalid="ignore"):  # the caller says what is wrong with such samples
            blocks.append(y if several else y.mean(axis=1))
    return np.concatenate(blocks).T


def _read_with_librosa(
    path: Path, start: float, duration: float | None, mono: bool
) -> tuple[np.ndarray, int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa announces its change of backend, which is our intention
        try:
            return librosa.load(path, sr=None, mono=mono, offset=start, duration=duration)
        # audioread's errors have no common base and an empty message; libsndfile's says of an MP3 without any frame
        # that there is no such file.
        except Exception as error:
            _forget_frames(error)
            raise ValueError(f"{path} is not a sound file that can be read") from error


def _forget_frames(error: BaseException | None) -> None:
    """Let go of what the frames of an error hold: audioread leaves files that it cannot read open."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def save_audio(path: str | os.PathLike, y: np.ndarray, sr: int, *, subtype: str | None = None) -> Path:
    """Write a waveform as WAV, FLAC, OGG, MP3 or AIFF; the suffix says which.

    The file appears under its name only when it is whole. The samples are written as they are; where one exceeds
    full scale, which would clip, the peaks are brought under −1 dBFS (`audiostyle.sound.levels.without_clipping`) and
    one sentence in the log of this module says so.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced.
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        The waveform.
    sr : int
        Its sample rate in Hz.
    subtype : str or None
        How samples are kept, as libsndfile calls it: ``"PCM_16"``, ``"PCM_24"``, ``"FLOAT"``, ...; None takes the
        format's usual one.

    Returns
    -------
    pathlib.Path
        The path written.

    Raises
    ------
    ValueError
        If the suffix names no such format, the format holds no such samples, or the waveform is empty or not finite.
    OSError
        If the folder does not exist or cannot be written, or the path is no regular file.
    """
    path = Path(path)
    y = check_waveform(y, name=str(path), mono=False)
    audio_format = writable_format(path, sr, channels=1 if y.ndim == 1 else len(y), subtype=subtype)
    levelled = without_clipping(y, sr)
    if levelled.note:
        _log.warning("%s: %s", path, levelled.note)
    with whole_file(path) as temporary:
        try:
            soundfile.write(temporary, levelled.y.T, sr, format=audio_format, subtype=subtype)
        except soundfile.LibsndfileError as error:
            raise OSError(f"{path} cannot be written whole; is the disk full?") from error
    return path


def writable_format(
    path: str | os.PathLike, sr: int, *, channels: int = 1, subtype: str | None = None
) -> str:
    """Return the format that the suffix of a path names, as libsndfile calls it.

    Parameters
    ----------
    path : str or path
        A file to be written.
    sr : int
        Sample rate in Hz.
    channels : int > 0
        Number of channels.
    subtype : str or None
        As for `save_audio`.

    Raises
    ------
    ValueError
        If it names none that can be written so.
    """
    audio_format = Path(path).suffix.lstrip(".").upper()
    if audio_format not in WRITTEN_FORMATS:
        offered = ", ".join(f".{name.lower()}" for name in WRITTEN_FORMATS)
        raise ValueError(f"{path} has no suffix that names a sound format written here; use one of {offered}")
    if subtype is not None and subtype not in (held := soundfile.available_subtypes(audio_format)):
        raise ValueError(f"{audio_format} holds no {subtype}; --subtype is one of {', '.join(held)}")
    as_what = f"{audio_format} at {sr} Hz" + (f" with {channels} channels" if channels > 1 else "")
    refusal = f"{path} cannot be written as {as_what}; use .wav or .aiff"
    if audio_format == "OGG" and sr > _MOST_OF_VORBIS:
        raise ValueError(refusal)
    try:
        soundfile.write(io.BytesIO(), np.zeros((1, channels)), sr, format=audio_format, subtype=subtype)
    except (OverflowError, ValueError, soundfile.LibsndfileError) as error:
        raise ValueError(refusal) from error
    return audio_format


def check_target(path: str | os.PathLike) -> Path:
    """Make sure, before the work, that a file can be written under this name.

    Parameters
    ----------
    path : str or path
        The file to be written.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If it is no name for a file, its folder does not exist or cannot be written, or there is something of that
        name that is no regular file: a folder, a device, a pipe.
    """
    path = Path(path)
    if "\0" in str(path) or len(os.fsencode(path.name)) > NAME_BYTES:
        raise ValueError(
            f"{str(path)[:60]!r}… is not a name that a file can have: at most {NAME_BYTES} bytes"
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    refuse_irregular(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: {path.parent} is not a folder to write in")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"{path} cannot be written: no permission in {path.parent.resolve()}")
    return path


def check_waveform(y: np.ndarray, *, name: str = "y", mono: bool = True) -> np.ndarray:
    """Return `y` as a float32 waveform, or say what is wrong with it.

    Parameters
    ----------
    y : array_like [shape=(n_samples,) or, with ``mono=False``, (n_channels, n_samples)]
        Waveform.
    name : str
        What the error message calls it.
    mono : bool
        Whether one channel alone is allowed.

    Returns
    -------
    np.ndarray [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]
        Of one channel, it has no axis of channels.

    Raises
    ------
    ValueError
        If it has another shape, is empty, or holds values that are not finite or beyond 2³².
    """
    y = np.asarray(y, dtype=np.float32)
    if not mono and y.ndim == 2:
        if len(y) > _MOST_CHANNELS:
            raise ValueError(
                f"{name} has shape {y.shape}, more than {_MOST_CHANNELS} channels; channels come first"
            )
        y = y[0] if len(y) == 1 else y
    elif y.ndim != 1:
        needed = (
            "a mono waveform of shape (n_samples,)" if mono else "(n_samples,) or (n_channels, n_samples)"
        )
        raise ValueError(f"{name} has shape {y.shape}; {needed} is needed")
    if y.size == 0:
        raise ValueError(f"{name} holds no samples")
    if not np.isfinite(y).all():
        raise ValueError(f"{name} holds {np.count_nonzero(~np.isfinite(y))} samples that are NaN or infinite")
    if (peak := float(np.abs(y).max())) > LOUDEST:
        raise ValueError(f"{name} is not a sound: its samples reach {peak:.1e}, and full scale is 1")
    return y


def set_level(y: np.ndarray, level: float = 0.05, *, name: str = "y") -> np.ndarray:
    """Scale a waveform to a root mean square of `level`.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
        Waveform.
    level : float > 0
        Target root mean square; full scale is 1.
    name : str
        What the error message calls it.

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32]

    Raises
    ------
    ValueError
        If the waveform is silent.

    Examples
    --------
    >>> round(rms(set_level(np.array([1.0, -1.0]), 0.05)), 6)
    0.05
    """
    present = rms(y)
    if present < SILENCE_RMS:
        raise ValueError(silent(name, present))
    return (np.asarray(y) * (level / present)).astype(np.float32)


def silent(name: str, level: float) -> str:
    """Say that a sound of this root mean square is silent."""
    return f"{name} is silent: its root mean square {level:.1e} is below {SILENCE_RMS:.0e} of full scale"


def fix_length(y: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut a waveform, or pad it with zeros, to `n_samples`.

    Examples
    --------
    >>> fix_length(np.ones(2), 3).tolist()
    [1.0, 1.0, 0.0]
    """
    return librosa.util.fix_length(y, size=n_samples)
