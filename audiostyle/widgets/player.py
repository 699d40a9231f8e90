"""A player that switches between sounds at the same position, over their spectrograms on one scale."""

import io
from dataclasses import dataclass

import librosa
import matplotlib
import numpy as np
import soundfile
import traitlets
from PIL import Image

from audiostyle.config import TransferConfig
from audiostyle.sound.channels import mid_signal
from audiostyle.sound.levels import rms
from audiostyle.spectrogram import RANGE_DB, frequencies, magnitudes, to_decibels
from audiostyle.widgets.form import Part, script

_DEFAULT = TransferConfig()
_MAX_HZ = 8000.0
_DIFFERENCE_DB = 30.0
_MAX_COLUMNS = 1000
_SLOTS = 4


@dataclass(frozen=True)
class Slot:
    """A place in the player.

    Parameters
    ----------
    name : str
        What Python calls it.
    heading : str
        What the page calls it.
    listen : bool
        Whether it can be heard, or only seen.
    empty : str
        What stands in the picture's place before there is one.
    first : bool
        Whether its picture comes first where the page is too narrow for two beside each other.
    """

    name: str
    heading: str
    listen: bool = True
    empty: str = ""
    first: bool = False


class SyncPlayer(Part):
    """One player for up to four sounds.

    All sounds run together and only their gains change, so that switching keeps the position and leaves no gap;
    they are matched in root mean square and lowered together until none clips.

    Parameters
    ----------
    label : str
        What a screen reader calls it.
    slots : list of Slot
        At most four.
    pictures : bool
        Whether spectrograms are shown; a blind test must not show them.
    remote : str
        Name under which a `form.play_button` elsewhere on the page plays it, in place of a button of its own.

    Attributes
    ----------
    heard : int
        Which slot is heard.
    """

    _esm = script("player")
    label = traitlets.Unicode().tag(sync=True)
    slots = traitlets.List(traitlets.Dict()).tag(sync=True)
    pictures = traitlets.Bool(True).tag(sync=True)
    max_khz = traitlets.Float(_MAX_HZ / 1000).tag(sync=True)
    scales = traitlets.List(traitlets.Dict()).tag(sync=True)
    heard = traitlets.Int(0).tag(sync=True)
    remote = traitlets.Unicode().tag(sync=True)
    stale = traitlets.List(traitlets.Int()).tag(sync=True)
    slot0 = traitlets.Dict().tag(sync=True)
    slot1 = traitlets.Dict().tag(sync=True)
    slot2 = traitlets.Dict().tag(sync=True)
    slot3 = traitlets.Dict().tag(sync=True)

    def __init__(self, label: str, slots: list[Slot], *, pictures: bool = True, remote: str = "") -> None:
        if not 1 <= len(slots) <= _SLOTS:
            raise ValueError(f"a player has 1 to {_SLOTS} slots, not {len(slots)}")
        self._index = {slot.name: i for i, slot in enumerate(slots)}
        scales = [{"low": f"−{RANGE_DB:g} dB", "high": "0 dB", "colours": css_colours("magma")}]
        if not all(slot.listen for slot in slots):
            ends = (f"content louder (−{_DIFFERENCE_DB:g} dB)", f"result louder (+{_DIFFERENCE_DB:g} dB)")
            scales.append({"low": ends[0], "high": ends[1], "colours": css_colours("PuOr_r")})
        super().__init__(
            label=label,
            slots=[slot.__dict__ for slot in slots],
            pictures=pictures,
            scales=scales,
            remote=remote,
        )

    def slot(self, name: str) -> dict:
        """Return what a slot holds: audio (FLAC), image (PNG), note and so on; empty if nothing."""
        return getattr(self, f"slot{self._index[name]}")

    def show(
        self,
        name: str,
        y: np.ndarray,
        sr: int,
        *,
        reference: float | None = None,
        note: str = "",
        config: TransferConfig = _DEFAULT,
    ) -> None:
        """Put a sound into a slot.

        Parameters
        ----------
        name : str
            The slot.
        y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
            The waveform, at the level at which it is to be seen; it is heard at the level of the others.
        sr : int
            Sample rate in Hz.
        reference : float or None
            Magnitude of 0 dB in the picture; None takes the largest there is.
        note : str
            A line under the heading.
        config : TransferConfig
            Gives ``n_fft`` and ``hop_length`` of the picture, and the rate above which a sound is resampled for it.
        """
        if y.ndim == 2 and len(y) > 2:
            y = mid_signal(y)
        peak = max(float(np.max(np.abs(y))), 1e-9)
        data = {
            "audio": flac_bytes(y * (0.98 / peak), sr), "sr": sr, "duration": y.shape[-1] / sr,
            "rms": rms(y) * 0.98 / peak, "peak": 0.98, "note": note,
        }  # fmt: skip
        if self.pictures:
            y, sr = analysed(y, sr, min(sr, config.sr)), min(sr, config.sr)
            S = magnitudes(y, n_fft=config.n_fft, hop_length=config.hop_length)
            decibels = to_decibels(_shown(S, sr), reference or float(S.max()) or 1.0)
            heading = self.slots[self._index[name]]["heading"]
            data["image"] = png_bytes(decibels, -RANGE_DB, 0.0, "magma")
            data["alt"] = (
                f"Spectrogram of {heading.lower()}: {len(y) / sr:.1f} s, 0 to {_MAX_HZ / 1000:g} kHz"
            )
        setattr(self, f"slot{self._index[name]}", data)

    def show_difference(
        self,
        name: str,
        content: np.ndarray,
        result: np.ndarray,
        sr: int,
        *,
        config: TransferConfig = _DEFAULT,
    ) -> None:
        """Put the difference of two sounds' spectrograms, result over content in dB, into a slot."""
        n = min(len(content), len(result))
        S, R = (
            _shown(magnitudes(y[:n], n_fft=config.n_fft, hop_length=config.hop_length), sr)
            for y in (content, result)
        )
        # A floor 60 dB under the peak: the ratio of two silences says nothing.
        floor = 1e-3 * float(max(S.max(), R.max(), 1e-9))
        decibels = 20 * np.log10((R + floor) / (S + floor))
        data = {
            "image": png_bytes(decibels, -_DIFFERENCE_DB, _DIFFERENCE_DB, "PuOr_r"), "duration": n / sr,
            "note": f"mean |difference| {np.mean(np.abs(decibels)):.1f} dB",
            "alt": "Difference of the spectrograms of result and content in dB",
        }  # fmt: skip
        setattr(self, f"slot{self._index[name]}", data)

    def mark(self, name: str, *, stale: bool) -> None:
        """Say of what a slot shows whether it is out of date."""
        self.stale = sorted({*self.stale, self._index[name]} - (set() if stale else {self._index[name]}))

    def clear(self, *names: str) -> None:
        """Empty slots."""
        for name in names:
            setattr(self, f"slot{self._index[name]}", {})

    def copy_slot(self, source: str, target: str) -> None:
        """Show in `target` what `source` shows."""
        setattr(self, f"slot{self._index[target]}", dict(self.slot(source)))


def flac_bytes(y: np.ndarray, sr: int) -> bytes:
    """Return a waveform as a FLAC file in memory: half the size of WAV, and not a sample is lost or shifted."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(y, -1.0, 1.0).T, sr, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def analysed(y: np.ndarray, sr: int, rate: int) -> np.ndarray:
    """Return a sound of any channels as one channel at another rate [shape=(n_samples,)], to be looked at."""
    return librosa.resample(mid_signal(y), orig_sr=sr, target_sr=rate)


def _shown(S: np.ndarray, sr: int) -> np.ndarray:
    """Keep the bins up to the top of the axis, every two by the louder one, and at most so many columns."""
    S = S[frequencies(sr, 2 * (S.shape[0] - 1)) <= _MAX_HZ]
    rows = S[: len(S) // 2 * 2].reshape(-1, 2, S.shape[1]).max(axis=1)
    group = -(-rows.shape[1] // _MAX_COLUMNS)
    if group == 1:
        return rows
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % group)), mode="edge")
    return padded.reshape(len(rows), -1, group).max(axis=2)


def _palette(name: str) -> np.ndarray:
    return np.round(matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8)


def css_colours(name: str) -> list[str]:
    """Return six colours of a colour map of matplotlib, as CSS writes them."""
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in _palette(name)[::51].tolist()]


def png_bytes(values: np.ndarray, low: float, high: float, cmap: str) -> bytes:
    """Return a matrix as a PNG with a palette of 256 colours, its first row at the bottom.

    A pixel for every value and a third of the bytes of matplotlib's RGBA.

    Parameters
    ----------
    values : np.ndarray [shape=(n_rows, n_columns)]
        Values; those beyond `low` and `high` take the end colours.
    low, high : float
        Values of the first and the last colour.
    cmap : str
        A colour map of matplotlib.

    Returns
    -------
    bytes
    """
    indices = np.clip(np.round((values[::-1] - low) / (high - low) * 255), 0, 255).astype(np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette(_palette(cmap).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
