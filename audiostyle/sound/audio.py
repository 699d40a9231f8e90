"""Names of `audiostyle.sound.read` and `audiostyle.sound.write` that are still looked for here."""

import librosa
import numpy as np

from audiostyle.sound.levels import SILENCE_RMS, set_level
from audiostyle.sound.read import LOUDEST, check_waveform, load_audio
from audiostyle.sound.write import SUFFIXES, save_audio, writable
from audiostyle.system import NAME_BYTES, check_target

__all__ = ["LOUDEST", "NAME_BYTES", "check_target", "check_waveform", "load_audio", "save_audio"]
__all__ += ["set_level"]
WRITTEN_FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))


def writable_format(path, sr: int, *, channels: int = 1, subtype: str | None = None) -> str:
    """Return the format that a sound is written as."""
    return writable(path, sr, channels, subtype).format


def silent(name: str, level: float) -> str:
    """Say that a sound of this root mean square is silent."""
    return f"{name} is silent: its root mean square {level:.1e} is below {SILENCE_RMS:.0e} of full scale"


def fix_length(y: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut a waveform, or pad it with zeros, to `n_samples`."""
    return librosa.util.fix_length(y, size=n_samples)


def check_cut(start: float, duration: float | None) -> None:
    """Raise a ValueError unless a part of a file can begin there and be so long, in seconds."""
    if not 0 <= start <= 1e9 or not (duration is None or 0 < duration <= 1e9):
        raise ValueError(f"start={start}, duration={duration} is not allowed; it must be up to 1e9 seconds")
