"""Sound files in, a sound file out: as the content came, or as asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import librosa
import numpy as np
import soundfile

from audiostyle import transfer
from audiostyle.config import TransferConfig, check_allowed
from audiostyle.losses import check_memory
from audiostyle.sound.audio import check_cut, fix_length, load_audio, save_audio, set_level, writable_format
from audiostyle.sound.headers import HIGHEST_RATE, LOWEST_RATE, SoundFormat, check_file, sound_format
from audiostyle.sound.levels import limit, without_offset
from audiostyle.studies.streaming import stream_match

# Formats whose samples can be kept as they came; the others compress.
_EXACT = ("WAV", "FLAC", "AIFF")
# Seconds from which a content that is filtered alone is read, filtered and written in blocks.
LONG = 300.0
# To this level parts of one style are brought; beside a share so many times its own a part is too short to be heard.
_LEVEL, _MOST_SHARE = 0.05, 1000


class Part(NamedTuple):
    """A part of a sound file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    start : float
        Seconds to skip.
    duration : float or None
        Seconds to read; None reads to the end.
    """

    path: Path
    start: float = 0.0
    duration: float | None = None

    def seconds(self) -> float | None:
        """Return how long it is by the file's header; None where that cannot be read."""
        check_cut(self.start, self.duration)
        check_file(self.path)
        found = sound_format(self.path)
        if found is None:
            return None
        left = max(0.0, found.frames / found.sr - self.start)
        return left if self.duration is None else min(left, self.duration)

    def load(self, sr: int | None, *, mono: bool) -> tuple[np.ndarray, int]:
        """Read it."""
        return load_audio(self.path, sr=sr, mono=mono, start=self.start, duration=self.duration)


@dataclass(frozen=True)
class Sources:
    """What a transfer is made of.

    Parameters
    ----------
    content : Part
    styles : tuple of Part
        Several are one style: at equal levels, one after the other.
    weights : tuple of float > 0
        Shares of the styles, in seconds; empty takes all of each.
    """

    content: Part
    styles: tuple[Part, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        fits = not self.weights or len(self.weights) == len(self.styles)
        check_allowed(fits, "weights", self.weights, f"as many as styles: {len(self.styles)}")
        fits = all(0 < w <= _MOST_SHARE * min(self.weights) for w in self.weights)
        allowed = f"above 0, and none more than {_MOST_SHARE} times another"
        check_allowed(fits and np.isfinite(self.weights).all(), "weights", self.weights, allowed)

    def style(self, sr: int) -> np.ndarray:
        """Return the style, mono at a sample rate [shape=(n_samples,)]."""
        parts = [without_offset(part.load(sr, mono=True)[0]) for part in self.styles]
        if len(parts) == 1:
            return parts[0]
        if self.weights:
            unit = min(len(y) / w for y, w in zip(parts, self.weights, strict=True))
            parts = [y[: round(unit * w)] for y, w in zip(parts, self.weights, strict=True)]
        named = zip(parts, self.styles, strict=True)
        return np.concatenate([set_level(y, _LEVEL, name=str(part.path)) for y, part in named])


@dataclass(frozen=True)
class Delivery:
    """How a result is written; what is None is as the content came.

    Parameters
    ----------
    rate : int or None
        Sample rate in Hz.
    channels : int > 0 or None
        Channels: one, the result's own number, or of one channel any.
    subtype : str or None
        How samples are kept, as libsndfile calls it, such as ``"PCM_24"``.
    """

    rate: int | None = None
    channels: int | None = None
    subtype: str | None = None

    def __post_init__(self) -> None:
        fits = self.rate is None or LOWEST_RATE <= self.rate <= HIGHEST_RATE
        check_allowed(fits, "sr", self.rate, f"a whole number from {LOWEST_RATE} to {HIGHEST_RATE} (Hz)")
        fits = self.channels is None or self.channels > 0
        check_allowed(fits, "channels", self.channels, "a whole number from 1 on")

    def given(self, came: SoundFormat | None, config: TransferConfig, output: Path) -> "Delivery":
        """Fill in what was not asked for, and raise a ValueError where the output cannot be written so."""
        mono = not config.keeps_content
        sr = config.sr if mono else came and came.sr
        channels = 1 if mono else came and came.channels
        wanted = Delivery(
            self.rate or sr, self.channels or channels, self.subtype or _kept_subtype(came, output)
        )
        if None not in (came, self.channels) and self.channels not in (1, channels) and channels != 1:
            raise ValueError(
                f"--channels {self.channels}: {came.channels} channels can become 1, or stay {channels}"
            )
        writable_format(
            output, wanted.rate or config.sr, channels=wanted.channels or 1, subtype=wanted.subtype
        )
        return wanted

    def apply(self, y: np.ndarray, sr: int) -> tuple[np.ndarray, int]:
        """Bring a result to the rate and the channels."""
        if self.rate not in (None, sr):
            n_samples = round(y.shape[-1] * self.rate / sr)
            # Between the samples there were peaks as well.
            y = limit(fix_length(librosa.resample(y, orig_sr=sr, target_sr=self.rate), n_samples), self.rate)
            sr = self.rate
        present = 1 if y.ndim == 1 else len(y)
        if self.channels in (None, present):
            return y, sr
        return (y.mean(axis=0) if self.channels == 1 else np.stack([y] * self.channels)), sr


def _kept_subtype(came: SoundFormat | None, output: Path) -> str | None:
    """Return the content's way of keeping samples where the output has it; of floats in FLAC, the finest it has."""
    audio_format = output.suffix.lstrip(".").upper()
    if came is None or audio_format not in _EXACT:
        return None
    if came.subtype in soundfile.available_subtypes(audio_format):
        return came.subtype
    return "PCM_24" if came.subtype in ("FLOAT", "DOUBLE", "PCM_32") else None


@dataclass(frozen=True)
class Made:
    """A result that was written.

    Parameters
    ----------
    seconds : float
        Its length.
    sr, channels : int
        Sample rate in Hz and channels.
    numbers : dict of str to float
        ``balance``, ``iterations``, where something was optimised ``style_removed`` (share of the style loss) and
        ``content_loss``, ``gain_db`` and ``took``, in seconds.
    note : str
        What was done to the level, rate and channels.
    """

    seconds: float
    sr: int
    channels: int
    numbers: dict[str, float] = field(default_factory=dict)
    note: str = ""


def check_sources(sources: Sources, config: TransferConfig) -> None:
    """Refuse what is no file, or does not fit into memory, by what headers say and before samples are read.

    Raises
    ------
    FileNotFoundError, ValueError
        As `audiostyle.sound.headers.open_checked`.
    MemoryError
        As `audiostyle.losses.check_memory`.
    """
    lengths = lengths_at(sources, config.sr)
    if lengths is not None and not config.filters:
        check_memory(config, *lengths)


def lengths_at(sources: Sources, sr: int) -> tuple[int, int] | None:
    """Return the samples of content and style at a sample rate by what headers say; None where one does not."""
    content, *styles = (part.seconds() for part in (sources.content, *sources.styles))
    if content is None or None in styles:
        return None
    return round(content * sr), round(sum(styles) * sr)


def transfer_files(
    sources: Sources,
    output: Path,
    config: TransferConfig,
    *,
    delivery: Delivery | None = None,
    progress: bool = True,
    before: Callable[[], None] = lambda: None,
) -> tuple[Made, transfer.TransferResult | None]:
    """Transfer sound files and write the result.

    Parameters
    ----------
    sources : Sources
    output : pathlib.Path
        File to write, whole or not at all.
    config : TransferConfig
    delivery : Delivery or None
        None writes it as the content came.
    progress : bool
        Show a progress bar.
    before : callable
        Called when the result is there, before it is written.

    Returns
    -------
    Made, TransferResult or None
        None where the content is long (`is_long`).

    Raises
    ------
    FileNotFoundError, ValueError, MemoryError, OSError
        As `check_sources`, `audiostyle.transfer.transfer_style` and `audiostyle.sound.audio.save_audio`.
    """
    delivery = (delivery or Delivery()).given(sound_format(sources.content.path), config, output)
    if is_long(sources, config):
        return _streamed(sources, output, config, delivery, progress, before), None
    content, sr = sources.content.load(None, mono=False)
    result = transfer.transfer_style(content, sources.style(sr), sr, config, progress=progress)
    y, sr = delivery.apply(result.y, result.sr)
    made = Made(y.shape[-1] / sr, sr, 1 if y.ndim == 1 else len(y), _numbers(result), result.level_note)
    before()
    save_audio(output, y, sr, subtype=delivery.subtype)
    return made, result


def is_long(sources: Sources, config: TransferConfig) -> bool:
    """Whether a content is filtered in blocks: more than five minutes, and nothing optimised."""
    seconds = sources.content.seconds()
    return config.filters and seconds is not None and seconds > LONG


def _streamed(
    sources, output: Path, config: TransferConfig, delivery: Delivery, progress: bool, before
) -> Made:
    done = stream_match(
        *sources.content,
        sources.style,
        config,
        output,
        rate=delivery.rate,
        channels=delivery.channels,
        subtype=delivery.subtype,
        progress=progress,
        before=before,
    )
    numbers = {
        "balance": config.balance,
        "iterations": 0.0,
        "gain_db": float(20 * np.log10(done.gain)),
        "took": done.took,
    }
    return Made(done.seconds, done.sr, done.n_channels, numbers, done.note)


def _numbers(result: transfer.TransferResult) -> dict[str, float]:
    losses = result.losses if result.polish_losses is None else result.polish_losses
    judged = (
        {}
        if losses.empty
        else {
            "style_removed": float(result.style_removed),
            "content_loss": float(losses["content"].iloc[-1]),
        }
    )
    return {
        "balance": result.config.balance,
        "iterations": float(result.n_iter),
        **judged,
        "gain_db": float(20 * np.log10(result.gain)),
        "took": float(sum(result.seconds.values())),
    }
