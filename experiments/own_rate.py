"""What a result at 48 kHz in stereo keeps and takes: ``python -m experiments.own_rate``.

Writes ``results/paper/recorded/own_rate.csv``, a row for each recording at hand that has a treble, with another one as
its style, both brought to 48 kHz and two channels: level above 11.5 kHz at equal loudness of content, style, result and
equaliser; how far the result's balance of channels and loudness are from the content's; and, with the content as style,
how far under the content its difference from the result is.
"""

import sys
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from scipy import signal

from audiostyle.baselines.equaliser import equaliser
from audiostyle.datasets import clips
from audiostyle.sound.levels import Meter, rms, without_offset
from audiostyle.sound.read import load_audio
from audiostyle.sound.samples import Sound
from audiostyle.transfer import transfer_style
from experiments.results import Results

SR = 48_000
# Hz above which a file of 22 050 Hz has nothing.
_FROM = 11_500


def loudness_difference(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    return Meter(Sound.of(y, sr)).louder_than(Meter(Sound.of(reference, sr)))


def stereo(path: Path) -> np.ndarray:
    """Read 8 s [shape=(2, n_samples)] at 48 kHz, without the offset that a transfer takes; mono is 3 dB right."""
    y, _ = load_audio(path, sr=SR, duration=8.0, mono=False)
    return without_offset(Sound.of(y if y.ndim == 2 else np.stack([y, 0.7 * y]), SR)).waveform()


def treble(y: np.ndarray, against: np.ndarray) -> float:
    """Return the level above 11.5 kHz in dB, at the loudness of another sound."""
    frequencies, power = signal.welch(y, SR, nperseg=4096, scaling="spectrum")
    return 10 * np.log10(power[:, frequencies > _FROM].sum() + 1e-20) - loudness_difference(y, against, SR)


def row(content: Path, style: Path) -> dict:
    """Return what is measured of a pair."""
    C, A = stereo(content), stereo(style)
    y = transfer_style(C, A, SR, progress=False).y
    equalised = np.stack([equaliser(channel, A.mean(axis=0)) for channel in C])
    quiet = C * 0.5 / np.abs(C).max()  # so that no ceiling has to change peaks
    same = transfer_style(quiet, quiet, SR, progress=False).y
    levels = {"content": C, "style": A, "result": y, "equaliser": equalised}
    left, right = (20 * np.log10(rms(sound[0]) / rms(sound[1])) for sound in (y, C))
    return {
        "content": content.stem, "style": style.stem,
        **{f"treble_{name}_db": treble(sound, C) for name, sound in levels.items()},
        "balance_off_db": left - right, "loudness_off_db": loudness_difference(y, C, SR),
        "null_db": 20 * np.log10(rms(same - quiet) / rms(quiet)),
    }  # fmt: skip


def main() -> None:
    """Measure all recordings of 44.1 kHz or more."""
    known = [clips.locate(clip) for clip in clips.clips("recorded")]
    found = sorted(path for path in known if path.is_file() and librosa.get_samplerate(path) >= 44_100)
    rows = []
    for i, content in enumerate(found):
        rows.append(row(content, found[(i + 5) % len(found)]))
        Results("paper", "recorded").save_table(pd.DataFrame(rows), "own_rate")
        sys.stdout.write(", ".join(f"{value}" for value in rows[-1].values()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
