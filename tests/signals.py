import io
import os

import numpy as np
import soundfile
import torch

from audiostyle.datasets import paths

SR = 22050
DOUBLE = torch.float64
WAIT = 120  # seconds until work in a thread must have ended


def clip(seed, n_frames, n_bins=6):
    """Magnitudes [shape=(n_bins, n_frames)], uniform from 0 to 1."""
    return torch.rand(n_bins, n_frames, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def noise(rng, seconds=2.0):
    return (0.1 * rng.normal(size=int(seconds * SR))).astype(np.float32)


def tone(frequency=440, *, level=0.5, sr=SR):
    """One second of a sine."""
    return (level * np.sin(2 * np.pi * frequency * np.arange(sr) / sr)).astype(np.float32)


def melody(notes, *, harmonics, sr=SR, seconds_each=0.25):
    """Notes in hertz with the given harmonic amplitudes and a decaying envelope."""
    t = np.arange(int(seconds_each * sr)) / sr
    envelope = np.minimum(1, 40 * t) * np.exp(-3 * t)
    tones = [
        envelope * sum(a * np.sin(2 * np.pi * f * (h + 1) * t) for h, a in enumerate(harmonics))
        for f in notes
    ]
    return (0.1 * np.concatenate(tones)).astype(np.float32)


def samples(player, name):
    """What a slot of a widget would play."""
    return soundfile.read(io.BytesIO(player[name]["audio"]), dtype="float32")[0]


def elsewhere(**more):
    """Environment of a process that imports this repository from any folder."""
    return os.environ | {"PYTHONPATH": str(paths.root()), "OMP_NUM_THREADS": "1"} | more


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
