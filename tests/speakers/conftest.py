from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiostyle.datasets.corpora import Recordings

SR = 16000


def _vowel(pitch, formants, rng, seconds):
    """A buzz at a pitch through resonances: a voice, as far as a spectrum goes."""
    t = np.arange(int(seconds * SR)) / SR
    wandering = pitch * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(2, 4) * t + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(wandering) / SR
    harmonics = np.arange(1, 25)
    shift = rng.uniform(0.9, 1.1)
    gains = sum(np.exp(-(((harmonics * pitch - shift * f) / 250) ** 2)) for f in formants)
    y = (gains[:, None] * np.sin(harmonics[:, None] * phase)).sum(0) + 0.01 * rng.standard_normal(len(t))
    return (0.05 * y / np.sqrt(np.mean(y**2))).astype(np.float32)


@pytest.fixture
def voices():
    def make(n_each=6, seconds=0.9, *, texts=None):
        rng = np.random.default_rng(3)
        speakers = {"ann": (210, (700, 1800)), "bob": (110, (500, 1300)), "cyd": (150, (400, 2300))}
        owners = np.repeat(list(speakers), n_each)
        ys = tuple(_vowel(*speakers[owner], rng, seconds * rng.uniform(0.9, 1.1)) for owner in owners)
        return Recordings("synthetic", ys, owners, tuple(texts or [None] * len(ys)), (Path("x"),) * len(ys))

    return make


@pytest.fixture
def talk(tmp_path, voices):
    """A folder of six utterances of each of three voices."""
    items = voices(6, 0.5)
    for i, (speaker, y) in enumerate(zip(items.speakers, items.ys, strict=True)):
        (tmp_path / "talk" / speaker).mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "talk" / speaker / f"{i:02d}.wav", y, SR)
    return tmp_path / "talk"
