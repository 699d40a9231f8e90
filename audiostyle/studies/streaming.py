"""Long files: matched timbre read, filtered and written in blocks, at a memory that does not grow with the sound."""

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import librosa
import numpy as np
import soundfile
import torch
from scipy import signal
from tqdm.std import tqdm

from audiostyle.config import TransferConfig
from audiostyle.matching import HOP, SR
from audiostyle.matching.blocks import match_blocks, n_frames_of, survey
from audiostyle.matching.filter import BESIDE, Filter, frame_sizes
from audiostyle.matching.match import LEVEL, analysed
from audiostyle.matching.own import Heard, frame_of, power_spectrum, strength_of, treble_taps
from audiostyle.sound.audio import SILENCE_RMS, check_waveform, silent, writable_format
from audiostyle.sound.channels import CANCELLED, balance_gains, stands_for_all
from audiostyle.sound.files import whole_file
from audiostyle.sound.headers import open_checked
from audiostyle.sound.levels import LOOK_AHEAD, Meter, limit, made_up, offset_that_counts

# Samples of all channels that are held at a time, and samples beside a block that resampling reaches into it from.
_STEP, _RESAMPLED_BESIDE = 1 << 18, 8192
# Frames of a filter that are kept back until the next come, as windows reach that far.
_KEPT = 16
# Bytes a WAV or AIFF file can hold.
_MOST_BYTES = 2**32 - 2**16


class Sound(NamedTuple):
    """Samples that are somewhere else.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns an array [shape=(n_channels, stop - start), dtype=float32].
    n_samples, n_channels, sr : int
        Length, channels and sample rate in Hz.
    """

    read: Callable[[int, int], np.ndarray]
    n_samples: int
    n_channels: int
    sr: int

    def blocks(self, step: int = _STEP) -> Iterator[np.ndarray]:
        """Yield it in blocks."""
        for start in range(0, self.n_samples, step):
            yield self.read(start, min(start + step, self.n_samples))


class _File:
    """Reads a part of a sound file from its beginning on; what was read last can be read again."""

    def __init__(self, file: soundfile.SoundFile, first: int, n_samples: int, name: str) -> None:
        self._file, self._first, self._name = file, first, name
        self._at, self._held = 0, np.zeros((file.channels, 0), np.float32)
        file.seek(first)
        self.sound = Sound(self.read, n_samples, file.channels, file.samplerate)

    def read(self, start: int, stop: int) -> np.ndarray:
        if start < self._at:
            self._file.seek(self._first + start)
            self._at, self._held = start, self._held[:, :0]
        missing = stop - self._at - self._held.shape[1]
        if missing > 0:
            y = self._file.read(missing, dtype="float32", always_2d=True).T
            if y.shape[1] < missing:
                raise ValueError(
                    f"{self._name} is cut short: its header announces more samples than the file holds"
                )
            check_waveform(y, name=self._name, mono=False)
            self._held = np.concatenate([self._held, y], axis=1)
        self._held = self._held[:, start - self._at :]
        self._at = start
        return self._held[:, : stop - start]


class _Store:
    """Samples in a file without a name, which is gone when the process is."""

    def __init__(self, folder: Path, n_channels: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._frame = 4 * n_channels
        self.n_samples = 0

    def close(self) -> None:
        self._file.close()

    def append(self, y: np.ndarray) -> None:
        self._file.seek(self.n_samples * self._frame)
        self._file.write(np.ascontiguousarray(y.T, dtype=np.float32).tobytes())
        self.n_samples += y.shape[1]

    def read(self, start: int, stop: int) -> np.ndarray:
        self._file.seek(start * self._frame)
        data = np.frombuffer(self._file.read((stop - start) * self._frame), dtype=np.float32)
        return data.reshape(-1, self._frame // 4).T.copy()

    def sound(self, sr: int) -> Sound:
        return Sound(self.read, self.n_samples, self._frame // 4, sr)


class _Tally:
    """Level, peak and mean spectrum of a sound."""

    def __init__(self, sound: Sound) -> None:
        self.meter, self._sr = Meter(sound.sr, sound.n_channels), sound.sr
        self._power, self._n = 0.0, 0

    def add(self, y: np.ndarray) -> None:
        self.meter.add(y)
        if y.shape[1] >= frame_of(self._sr):
            self._power = self._power + power_spectrum(y, self._sr) * y.shape[1]
            self._n += y.shape[1]

    def heard(self, against: "_Tally") -> Heard:
        power = self._power / max(1, self._n)
        hz = np.fft.rfftfreq(frame_of(self._sr), 1 / self._sr)
        return Heard(hz, power, self.meter.level - against.meter.level)


def _tally(sound: Sound) -> _Tally:
    found = _Tally(sound)
    for y in sound.blocks():
        found.add(y)
    return found


def resampled(sound: Sound, sr: int) -> Iterator[np.ndarray]:
    """Yield a sound at another rate, block by block, as it would be resampled whole."""
    if sr == sound.sr:
        yield from sound.blocks()
        return
    unit = sound.sr // math.gcd(sound.sr, sr)  # so many samples last a whole number of new ones
    step, beside = (unit * -(-n // unit) for n in (_STEP, _RESAMPLED_BESIDE))
    n_new = round(sound.n_samples * sr / sound.sr)
    for start in range(0, sound.n_samples, step):
        stop = min(start + step, sound.n_samples)
        first = max(0, start - beside)
        y = sound.read(first, min(sound.n_samples, stop + beside))
        z = librosa.resample(y, orig_sr=sound.sr, target_sr=sr)
        skipped, begin = (n // unit * (sr * unit // sound.sr) for n in (start - first, start))
        end = n_new if stop == sound.n_samples else stop // unit * (sr * unit // sound.sr)
        yield z[:, skipped : skipped + end - begin]


class Streamed(NamedTuple):
    """What `stream_match` did.

    Parameters
    ----------
    seconds, gain, took : float
        Length, factor of the level, wall time in seconds.
    sr, n_channels : int
        Sample rate in Hz and channels of the file written.
    note : str
        What was done to the level.
    """

    seconds: float
    gain: float
    took: float
    sr: int
    n_channels: int
    note: str


def stream_match(
    path: Path,
    start: float,
    duration: float | None,
    style: Callable[[int], np.ndarray],
    config: TransferConfig,
    output: Path,
    *,
    rate: int | None = None,
    channels: int | None = None,
    subtype: str | None = None,
    progress: bool = True,
    before: Callable[[], None] = lambda: None,
) -> Streamed:
    """Filter a file to the matched timbre of a style.

    The same as `audiostyle.transfer.transfer_style` up to a balance of one half, but for the losses, which are not
    computed. Beside the output it needs room for the sound in 32-bit floats while it works.

    Parameters
    ----------
    path : pathlib.Path
        The content, of a format that libsndfile reads.
    start, duration : float, float or None
        The part of it in seconds.
    style : callable
        ``style(sr)`` returns the style, mono at a sample rate [shape=(n_samples,)].
    config : TransferConfig
        One that filters alone (`TransferConfig.filters`).
    output : pathlib.Path
        File to write, whole or not at all.
    rate, channels, subtype
        As in `audiostyle.studies.files.Delivery`.
    progress : bool
        Show a progress bar.
    before : callable
        Called before the output appears.

    Returns
    -------
    Streamed

    Raises
    ------
    ValueError
        If a sound is silent or cannot be read, or the output cannot hold so long a sound.
    """
    began = perf_counter()
    with open_checked(path) as file, tqdm(desc="reading", disable=not progress) as bar, ExitStack() as stores:
        first = round(min(start * file.samplerate, file.frames))
        n_samples = file.frames - first
        if duration is not None:
            n_samples = min(n_samples, round(duration * file.samplerate))
        content = _File(file, first, n_samples, str(path)).sound
        if config.balance > 0:  # else the content stays as it is
            content = _without_offset(content)
        out_rate, out_channels = rate or content.sr, channels or content.n_channels
        _check_size(output, n_samples * out_rate / content.sr, out_channels, subtype)
        style_y = style(content.sr)
        tallied, of_style = _tally(content), _tally(_held(style_y, content.sr))
        filtered, of_filtered, note = _filtered(
            content,
            style_y,
            tallied,
            config,
            lambda n: stores.enter_context(closing(_Store(output.parent, n))),
            bar,
        )
        bar.set_description("writing")
        heard = (tally.heard(tallied) for tally in (of_filtered, of_style, tallied))
        taps = treble_taps(*heard, content.sr, strength_of(config))
        balance = balance_gains(of_filtered.meter.squares**0.5, tallied.meter.squares**0.5)
        shaped = _shaped(filtered, taps, balance)
        gain, level_note = _gain(shaped, tallied.meter)
        before()
        _write(_limited(shaped, gain), output, out_rate, out_channels, subtype)
        bar.set_description("done")
    return Streamed(
        n_samples / content.sr,
        10 ** (gain / 20),
        perf_counter() - began,
        out_rate,
        out_channels,
        f"{level_note} {note}".strip(),
    )


def _without_offset(sound: Sound) -> Sound:
    """Return a sound as `audiostyle.sound.levels.without_offset` does of one that is there whole."""
    total, squares = np.zeros(sound.n_channels), 0.0
    for y in sound.blocks():
        total += y.sum(axis=1, dtype=np.float64)
        squares += float(np.square(y, dtype=np.float64).sum())
    level = (squares / max(1, sound.n_samples * sound.n_channels)) ** 0.5
    offset = offset_that_counts(total / max(1, sound.n_samples), level).astype(np.float32)[:, None]
    return sound._replace(read=lambda a, b: sound.read(a, b) - offset) if offset.any() else sound


def _held(y: np.ndarray, sr: int) -> Sound:
    return Sound(lambda a, b: y[None, a:b], len(y), 1, sr)


def _check_size(output: Path, n_samples: float, n_channels: int, subtype: str | None) -> None:
    audio_format = output.suffix.lstrip(".").upper()
    bits = {"PCM_U8": 1, "PCM_S8": 1, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
    if audio_format in ("WAV", "AIFF") and n_samples * n_channels * bits.get(subtype, 2) > _MOST_BYTES:
        raise ValueError(f"{output} would be longer than the 4 GB a {audio_format} file holds; write .flac")


def _filtered(
    content: Sound, style: np.ndarray, tallied: _Tally, config: TransferConfig, store: Callable, bar: tqdm
) -> tuple[Sound, _Tally, str]:
    """Match and filter; returns the sound, its level and spectrum, and what was analysed if not the mean."""
    mean = Sound(
        lambda a, b: content.read(a, b).mean(axis=0, keepdims=True), content.n_samples, 1, content.sr
    )
    of_mean = _tally(mean)
    levels = (tallied.meter.squares / content.n_samples) ** 0.5
    chosen = stands_for_all(list(levels), of_mean.meter.rms)
    level = of_mean.meter.rms if chosen is None else float(levels[chosen])
    if level < SILENCE_RMS:
        raise ValueError(silent("content", level))

    def mid(a: int, b: int) -> np.ndarray:
        y = content.read(a, b)
        return (y.mean(axis=0, keepdims=True) if chosen is None else y[chosen : chosen + 1]) * (LEVEL / level)

    analysed_mid = store(1)
    for y in resampled(Sound(mid, content.n_samples, 1, content.sr), SR):
        analysed_mid.append(y)

    def read(a: int, b: int) -> np.ndarray:
        return analysed_mid.read(a, b)[0]

    found = survey(read, analysed_mid.n_samples, device=config.device)
    bar.set_description("matching")
    bar.total = n_frames_of(analysed_mid.n_samples)
    gains = match_blocks(
        read,
        analysed_mid.n_samples,
        found,
        analysed(np.concatenate([*resampled(_held(style, content.sr), SR)], axis=1)[0], SR, "style"),
        kind=None,
        device=config.device,
    )
    stored, tally = store(content.n_channels), _Tally(content)
    for y in _apply(gains, content, strength_of(config), bar):
        stored.append(y)
        tally.add(y)
    return stored.sound(content.sr), tally, "" if chosen is None else CANCELLED


def _apply(gains: Iterator[Filter], content: Sound, strength: float, bar: tqdm) -> Iterator[np.ndarray]:
    """Yield the filtered content as its filter comes."""
    _, hop = frame_sizes(content.sr)
    done, held, frames = 0, None, content.n_samples / content.sr * SR / HOP
    for gain in gains:
        bar.update(gain.log_gain.shape[1])
        held = gain if held is None else Filter(torch.cat([held.log_gain, gain.log_gain], 1), held.first)
        end = held.first + held.log_gain.shape[1]
        last = end > frames
        stop = content.n_samples if last else int((end - _KEPT) * HOP / SR * content.sr) // hop * hop
        if stop <= done:
            continue
        first = max(0, done - BESIDE * hop)
        y = content.read(first, min(content.n_samples, stop + BESIDE * hop))
        yield np.stack(
            [
                held.part(lambda a, b, c=c, y=y, f=first: y[c, a - f : b - f], done, stop, content.n_samples,
                          content.sr, strength=strength)
                for c in range(content.n_channels)
            ]
        )  # fmt: skip
        done = stop
        kept = max(0, int(done / content.sr * SR / HOP) - _KEPT - held.first)
        held = Filter(held.log_gain[:, kept:], held.first + kept)


def _shaped(sound: Sound, taps: np.ndarray | None, balance: np.ndarray) -> Sound:
    """Apply the filter of the treble and the gains of the channels when it is read."""
    beside = 0 if taps is None else len(taps) // 2

    def read(start: int, stop: int) -> np.ndarray:
        first = max(0, start - beside)
        y = sound.read(first, min(sound.n_samples, stop + beside))
        if taps is not None:
            y = signal.oaconvolve(y, taps[None], mode="same", axes=-1)
        return (y[:, start - first : stop - first] * balance[:, None]).astype(np.float32)

    return sound._replace(read=read)


def _limited(sound: Sound, gain: float) -> Sound:
    """Turn up by so many dB and limit when it is read."""
    beside = 4 * max(1, round(LOOK_AHEAD * sound.sr))

    def read(start: int, stop: int) -> np.ndarray:
        first = max(0, start - beside)
        y = sound.read(first, min(sound.n_samples, stop + beside)).astype(np.float64) * 10 ** (gain / 20)
        return limit(y, sound.sr)[:, start - first : stop - first].astype(np.float32)

    return sound._replace(read=read)


def _gain(sound: Sound, content: Meter) -> tuple[float, str]:
    """Return the gain in dB with which a sound has the content's loudness, and what that means."""
    found = _tally(sound).meter
    if found.peak == 0:
        return 0.0, "The sound is silent."
    return made_up(
        found.peak,
        found.level - content.level,
        lambda gain: _tally(_limited(sound, gain)).meter.level - content.level,
    )


def _write(sound: Sound, output: Path, rate: int, channels: int, subtype: str | None) -> None:
    audio_format = writable_format(output, rate, channels=channels, subtype=subtype)
    with (
        whole_file(output) as temporary,
        soundfile.SoundFile(temporary, "w", rate, channels, subtype, format=audio_format) as file,
    ):
        for y in resampled(sound, rate):
            if channels != len(y):
                y = y.mean(axis=0, keepdims=True) if channels == 1 else np.repeat(y, channels, axis=0)
            file.write(np.clip(y.T, -1.0, 1.0))
