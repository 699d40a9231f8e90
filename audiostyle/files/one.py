"""Sound files in, a sound file out: as the content came, or as asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audiostyle.config import TransferConfig, check_allowed
from audiostyle.sound.channels import mid_sound
from audiostyle.sound.levels import set_level, without_offset
from audiostyle.sound.read import check_rate, open_sound
from audiostyle.sound.samples import Sound
from audiostyle.sound.write import open_writer, writable
from audiostyle.transfer import TransferResult, transfer_sound


class Part(NamedTuple):
    """A part of a sound file: seconds to skip, and to read; None reads to the end."""

    path: Path
    start: float = 0.0
    duration: float | None = None


class Sources(NamedTuple):
    """What a transfer is made of; several styles are one, at equal levels, one after the other."""

    content: Part
    styles: tuple[Part, ...]

    def style(self, sr: int) -> tuple[Sound, list[str]]:
        """Return the style at a sample rate, and what was said when it was read.

        Several files become one channel each, the mid signal, like every other input.
        """
        opened = [open_sound(*part) for part in self.styles]
        notes = [note for _, _, found in opened for note in found]
        if len(opened) == 1:
            return opened[0][0].at(sr), notes
        mids = [mid_sound(without_offset(sound.at(sr)))[0].waveform() for sound, _, _ in opened]
        levelled = [set_level(y, name=str(part.path)) for y, part in zip(mids, self.styles, strict=True)]
        return Sound.of(np.concatenate(levelled), sr), notes


@dataclass(frozen=True)
class Delivery:
    """How a result is written, what is None as the content came: rate in Hz, channels, and how samples are kept.

    Channels are one, the result's own number, or of one channel any; subtypes have libsndfile's names (``"PCM_24"``).
    """

    rate: int | None = None
    channels: int | None = None
    subtype: str | None = None

    def __post_init__(self) -> None:
        if self.rate is not None:
            check_rate(self.rate)
        fits = self.channels is None or self.channels > 0
        check_allowed(fits, "channels", self.channels, "a whole number from 1 on")

    def of(self, content: Sound, subtype: str | None, config: TransferConfig) -> "Delivery":
        """Fill in what was not asked for from the content and how its samples were kept."""
        sr, channels = (content.sr, content.n_channels) if config.keeps_content else (config.sr, 1)
        if self.channels not in (None, 1, channels) and channels != 1:
            raise ValueError(
                f"--channels {self.channels}: {channels} channels can become 1, or stay {channels}"
            )
        return Delivery(self.rate or sr, self.channels or channels, self.subtype or subtype)


class Made(NamedTuple):
    """A result that was written: its length, rate in Hz and channels, numbers, and what was done or missing.

    The numbers are ``balance``, ``iterations``, ``gain_db``, ``took`` in seconds, and after an optimisation
    ``style_removed`` (share of the style loss) and ``content_loss``.
    """

    seconds: float
    sr: int
    channels: int
    numbers: dict[str, float]
    note: str = ""


def transfer_files(
    sources: Sources,
    output: Path,
    config: TransferConfig,
    *,
    delivery: Delivery | None = None,
    progress: bool = True,
    before: Callable[[TransferResult], None] = lambda result: None,
) -> tuple[Made, TransferResult]:
    """Transfer sound files and write the result, whole or not at all; `before` gets it before it is written.

    Errors are those of `audiostyle.sound.read.open_sound`, `audiostyle.transfer.transfer_sound` and
    `audiostyle.sound.write.open_writer`.
    """
    content, form, notes = open_sound(*sources.content)
    wanted = (delivery or Delivery()).of(content, form.subtype, config)
    n_samples = content.n_samples * wanted.rate / content.sr
    written = writable(output, wanted.rate, wanted.channels, wanted.subtype, n_samples)
    style, of_style = sources.style(content.sr)
    result = transfer_sound(
        content, style, config, rate=wanted.rate, n_channels=wanted.channels, progress=progress
    )
    before(result)
    with open_writer(output, written, wanted.rate, wanted.channels) as write:
        for block in result.sound.blocks():
            write(block)
    # That MP3 or Ogg keep no 16 bits goes without saying, unless they were asked for.
    told = (delivery and delivery.subtype) or all(
        (subtype or "").startswith(("PCM", "FLOAT", "DOUBLE")) for subtype in (form.subtype, written.subtype)
    )
    note = " ".join([result.level_note, *[written.note] * bool(told and written.note), *notes, *of_style])
    sound = result.sound
    return Made(sound.n_samples / sound.sr, sound.sr, sound.n_channels, numbers_of(result), note), result


def numbers_of(result: TransferResult) -> dict[str, float]:
    """Return the numbers of a result that are kept beside it."""
    numbers = {
        "balance": float(result.config.balance),
        "iterations": float(result.n_iter),
        "gain_db": float(20 * np.log10(result.gain)),
        "took": result.seconds,
    }
    if last := result.polished or result.optimum:
        numbers |= {"style_removed": result.style_removed, "content_loss": last.value.content}
    return numbers
