"""Players for notebooks: compressed sound, matched in loudness, with a heading, a label and a place on the site."""

import base64
import html
import io

import numpy as np
import soundfile
from IPython.display import HTML

from audiostyle.datasets.clips import pairs
from audiostyle.sound.levels import rms

_LEVEL = 0.08
_PEAK = 0.99


def player_row(sounds: dict[str, np.ndarray], sr: int, *, heading: str = "") -> HTML:
    """Return a row of players, one for each sound, all at one loudness.

    `sounds` are waveforms [shape=(n_samples,)] by their own headings, at `sr` Hz, which are embedded as MP3 (some 80 kB
    for 10 s); `heading` stands above the row, such as the pair and the edition.
    """
    gain = common_gain(list(sounds.values()))
    cells = "".join(
        _player(title, f"{title}, {heading}" if heading else title, y * g, sr)
        for (title, y), g in zip(sounds.items(), gain, strict=True)
    )
    above = f'<p style="margin:0 0 .4em">{html.escape(heading)}</p>' if heading else ""
    return HTML(f'{above}<div style="display:flex;flex-wrap:wrap;gap:1em"{_place(heading)}>{cells}</div>')


def _place(heading: str) -> str:
    """Return the attribute that names the pair and edition of a heading, which is their place on the site."""
    named = [pair for pair in pairs() if pair.title in heading and f"{pair.edition} clips" in heading]
    recorded = "-recorded" if named and named[0].edition == "recorded" else ""
    return f' data-place="{named[0].pair}{recorded}"' if named else ""


def common_gain(waveforms: list[np.ndarray]) -> list[float]:
    """Gains that bring all to one root mean square, lowered together until none clips."""
    gains = [_LEVEL / max(rms(y), 1e-9) for y in waveforms]
    loudest = max(float(np.max(np.abs(y))) * g for y, g in zip(waveforms, gains, strict=True))
    return [g * min(1.0, _PEAK / max(loudest, 1e-9)) for g in gains]


def _player(title: str, label: str, y: np.ndarray, sr: int) -> str:
    title, label = html.escape(title), html.escape(label, quote=True)
    source = f"data:audio/mpeg;base64,{base64.b64encode(mp3_bytes(y, sr)).decode()}"
    return (
        f'<figure style="margin:0"><figcaption><b>{title}</b></figcaption>'
        f'<audio controls preload="metadata" style="width:19em" aria-label="{label}" src="{source}"></audio></figure>'
    )


def mp3_bytes(y: np.ndarray, sr: int) -> bytes:
    """Return a waveform as an MP3 file in memory; samples beyond ±1 clip."""
    buffer = io.BytesIO()
    soundfile.write(buffer, y, sr, format="MP3")
    return buffer.getvalue()
