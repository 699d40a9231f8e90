"""A player that switches between sounds at the same position, over their spectrograms on one scale."""

import io

import matplotlib.colors
import matplotlib.image
import numpy as np
import soundfile
import traitlets

from audiostyle.config import TransferConfig
from audiostyle.figures.spectrograms import RANGE_DB, to_decibels
from audiostyle.sound.channels import mid_signal
from audiostyle.sound.levels import rms, set_level
from audiostyle.sound.samples import resample
from audiostyle.spectrogram import frequencies, magnitudes
from audiostyle.widgets.parts import Element, script

_DEFAULT = TransferConfig()
_MAX_HZ, _DIFFERENCE_DB, _PEAK = 8000.0, 30.0, 0.98


class SyncPlayer(Element):
    """One player for up to four sounds, in slots with a name and a heading.

    All sounds run together and only their gains change, so that switching keeps the position and leaves no gap; they
    are matched in root mean square and lowered together until none clips. A slot that is only `seen` has no sound; a
    blind test must not show the `pictures`. A button elsewhere on the page may play it: `remote` is its class.
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

    def __init__(self, label: str, slots: dict[str, str], *, seen: str = "", **look: object) -> None:
        self._index = {name: i for i, name in enumerate(slots)}
        scales = [{"low": f"−{RANGE_DB:g} dB", "high": "0 dB", "colours": css_colours("magma")}]
        if seen:
            ends = f"content louder (−{_DIFFERENCE_DB:g} dB)", f"result louder (+{_DIFFERENCE_DB:g} dB)"
            scales.append({"low": ends[0], "high": ends[1], "colours": css_colours("PuOr_r")})
        shown = [{"heading": heading, "listen": name != seen} for name, heading in slots.items()]
        super().__init__(label=label, slots=shown, scales=scales, **look)

    def __getitem__(self, name: str) -> dict:
        """Return what a slot holds: audio (FLAC), image (PNG), note and so on; empty if nothing."""
        return getattr(self, f"slot{self._index[name]}")

    def __setitem__(self, name: str, data: dict) -> None:
        setattr(self, f"slot{self._index[name]}", dict(data))

    def show(
        self, name: str, y: np.ndarray, sr: int, *, reference=None, note="", config: TransferConfig = _DEFAULT
    ) -> None:
        """Put a sound into a slot.

        Parameters
        ----------
        name : str
            The slot.
        y, sr : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)], int
            At the level at which it is to be seen; it is heard at the level of the others. Its sample rate in Hz.
        reference : float or None
            Magnitude of 0 dB in the picture; None takes the largest.
        note : str
            A line under the heading.
        config : TransferConfig
            Gives the frames of the picture, and the rate above which a sound is resampled for it.
        """
        y = mid_signal(y) if y.ndim == 2 and len(y) > 2 else y
        gain = _PEAK / max(float(np.max(np.abs(y))), 1e-9)
        data = {"audio": flac_bytes(y * gain, sr), "sr": sr, "duration": y.shape[-1] / sr, "note": note}
        data |= {"rms": rms(y) * gain, "peak": _PEAK}
        if self.pictures:
            rate = min(sr, config.sr)
            S = magnitudes(analysed(y, sr, rate), n_fft=config.n_fft, hop_length=config.hop_length)
            decibels = to_decibels(_shown(S, rate), reference or float(S.max()) or 1.0)
            heading = self.slots[self._index[name]]["heading"].lower()
            data["image"] = png_bytes(decibels, -RANGE_DB, 0.0, "magma")
            data["alt"] = f"Spectrogram of {heading}: {data['duration']:.1f} s, 0 to {_MAX_HZ / 1000:g} kHz"
        self[name] = data

    def show_sources(
        self, content: np.ndarray, style: np.ndarray, sr: int, notes: dict[str, str]
    ) -> tuple[float, float]:
        """Show content and as much of the style at one level, on one scale.

        Returns the magnitude of 0 dB, and the factor that brought the content to its level, for a result beside them.
        """
        shown = {"content": content, "style": style[..., : content.shape[-1]]}
        sounds = {name: set_level(y, _DEFAULT.level, name=name) for name, y in shown.items()}
        reference = max(float(magnitudes(analysed(y, sr, _DEFAULT.sr)).max()) for y in sounds.values())
        for name, y in sounds.items():
            self.show(name, y, sr, reference=reference, note=notes[name])
        return reference, _DEFAULT.level / rms(content)

    def show_difference(self, name: str, content: np.ndarray, result: np.ndarray, sr: int) -> None:
        """Put the difference of two sounds' spectrograms, result over content in dB, into a slot."""
        n = min(len(content), len(result))
        S, R = (_shown(magnitudes(y[:n]), sr) for y in (content, result))
        # A floor 60 dB under the peak: the ratio of two silences says nothing.
        floor = 1e-3 * float(max(S.max(), R.max(), 1e-9))
        decibels = 20 * np.log10((R + floor) / (S + floor))
        data = {
            "image": png_bytes(decibels, -_DIFFERENCE_DB, _DIFFERENCE_DB, "PuOr_r"),
            "duration": n / sr,
            "note": f"mean |difference| {np.mean(np.abs(decibels)):.1f} dB",
            "alt": "Difference of the spectrograms of result and content in dB",
        }
        self[name] = data

    def mark(self, name: str, *, stale: bool) -> None:
        """Say of what a slot shows whether it is out of date."""
        index = {self._index[name]}
        self.stale = sorted({*self.stale} | index if stale else {*self.stale} - index)


def flac_bytes(y: np.ndarray, sr: int) -> bytes:
    """Return a waveform as a FLAC file in memory: half the size of WAV, and not a sample is lost or shifted."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(y, -1.0, 1.0).T, sr, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def analysed(y: np.ndarray, sr: int, rate: int) -> np.ndarray:
    """Return a sound of any channels as one channel at another rate [shape=(n_samples,)], to be looked at."""
    return resample(mid_signal(y), sr, rate)


def _shown(S: np.ndarray, sr: int) -> np.ndarray:
    """Keep the bins up to the top of the axis, every two by the louder one."""
    S = S[frequencies(sr, 2 * (S.shape[0] - 1)) <= _MAX_HZ]
    return S[: len(S) // 2 * 2].reshape(-1, 2, S.shape[1]).max(axis=1)


def css_colours(name: str) -> list[str]:
    """Return six colours of a colour map of matplotlib, as CSS writes them."""
    return [matplotlib.colors.to_hex(colour) for colour in matplotlib.colormaps[name](np.linspace(0, 1, 6))]


def png_bytes(values: np.ndarray, low: float, high: float, cmap: str) -> bytes:
    """Return a matrix as a PNG, its first row at the bottom; values beyond `low` and `high` take the end colours."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, values[::-1], vmin=low, vmax=high, cmap=cmap, format="png")
    return buffer.getvalue()
