"""A result on one page: a player that switches at the same position, pictures, numbers and settings, in one file."""

import base64
import html
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from audiostyle.figures.players import common_gain, mp3_bytes
from audiostyle.figures.spectrograms import show_spectrograms
from audiostyle.sound.channels import mid_signal
from audiostyle.sound.samples import resample
from audiostyle.spectrogram import magnitudes
from audiostyle.system import whole_file

# The highest rate in Hz that an MP3 has, and the ends of the pictures.
_MOST_RATE, _LOWEST_HZ, _HIGHEST_HZ = 48_000, 60.0, 16_000.0

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem; }}
.player {{ position: sticky; top: 0; padding: .6rem 0; background: Canvas; display: flex; flex-wrap: wrap; }}
.player > * {{ margin-right: .5rem; }}
.player input {{ flex: 1 1 12rem; }}
button {{ font: inherit; padding: .4rem .8rem; }}
button[aria-pressed=true] {{ font-weight: bold; outline: 2px solid currentColor; }}
img {{ max-width: 100%; background: white; }}
table {{ border-collapse: collapse; }}
td, th {{ text-align: left; padding: .15rem 1rem .15rem 0; overflow-wrap: anywhere; }}
</style></head><body>
<h1>{title}</h1><p>{note}</p>
<div class="player" role="group" aria-label="Player">
<button id="play" type="button">Play</button>{buttons}
<input id="seek" type="range" min="0" max="1" step="0.01" value="0" aria-label="Position in seconds"></div>
{audio}
<img alt="Spectrograms of {names} on one scale" src="data:image/png;base64,{picture}">
{tables}
<script>
const sounds = [...document.querySelectorAll("audio")], buttons = [...document.querySelectorAll("[data-i]")];
const play = document.getElementById("play"), seek = document.getElementById("seek");
let heard = sounds.length - 1;
const playing = () => !sounds[heard].paused;
function hear(i) {{
  const at = sounds[heard].currentTime, on = playing();
  sounds.forEach((s) => s.pause());
  heard = i;
  sounds[i].currentTime = Math.min(at, sounds[i].duration || at);
  if (on) sounds[i].play();
  buttons.forEach((b, j) => b.setAttribute("aria-pressed", j === i));
  seek.max = sounds[i].duration || 1;
}}
buttons.forEach((b, i) => b.onclick = () => hear(i));
play.onclick = () => playing() ? sounds[heard].pause() : sounds[heard].play();
seek.oninput = () => sounds[heard].currentTime = Number(seek.value);
sounds.forEach((s) => {{
  s.onplay = s.onpause = s.onended = () => play.textContent = playing() ? "Pause" : "Play";
  s.ontimeupdate = () => {{ if (s === sounds[heard]) seek.value = s.currentTime; }};
  s.onloadedmetadata = () => {{ if (s === sounds[heard]) seek.max = s.duration; }};
}});
hear(heard);
</script></body></html>
"""


def write_report(
    path: str | Path,
    sounds: dict[str, np.ndarray],
    sr: int,
    *,
    title: str,
    note: str = "",
    tables: dict[str, dict] | None = None,
) -> Path:
    """Write a page that needs nothing but itself, whole or not at all.

    `sounds` are waveforms [shape=(n_samples,) or (n_channels, n_samples)] by name at `sr` Hz, all played at one
    loudness, the last heard first; `tables` have a heading each, and say what of what.
    """
    gains = common_gain(list(sounds.values()))
    audio = "".join(
        f'<audio preload="auto" src="data:audio/mpeg;base64,{_mp3(y * gain, sr)}"></audio>\n'
        for y, gain in zip(sounds.values(), gains, strict=True)
    )
    buttons = "".join(
        f'<button type="button" data-i="{i}" aria-pressed="false">{html.escape(name)}</button>'
        for i, name in enumerate(sounds)
    )
    page = _PAGE.format(
        title=html.escape(title),
        note=html.escape(note),
        names=html.escape(", ".join(sounds)),
        audio=audio,
        buttons=buttons,
        picture=base64.b64encode(_picture(sounds, sr)).decode(),
        tables="".join(_table(heading, rows) for heading, rows in (tables or {}).items()),
    )
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def _mp3(y: np.ndarray, sr: int) -> str:
    if sr > _MOST_RATE:
        y, sr = resample(y, sr, _MOST_RATE), _MOST_RATE
    return base64.b64encode(mp3_bytes(y[:2].T if y.ndim == 2 else y, sr)).decode()


def _picture(sounds: dict[str, np.ndarray], sr: int) -> bytes:
    frames = {"n_fft": 4096, "hop_length": 1024}
    spectra = {name: magnitudes(mid_signal(y), **frames) for name, y in sounds.items()}
    axis = {"max_hz": min(_HIGHEST_HZ, sr / 2), "min_hz": _LOWEST_HZ}
    fig = show_spectrograms(spectra, sr=sr, hop_length=1024, **axis)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110)
    plt.close(fig)
    return buffer.getvalue()


def _table(heading: str, rows: dict) -> str:
    cells = "".join(
        f"<tr><th scope=row>{html.escape(str(name))}</th><td>{html.escape(_shown(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<h2>{html.escape(heading)}</h2><table>{cells}</table>"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
