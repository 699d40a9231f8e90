"""Utterances of made speakers, as many as are asked for: cut, shifted and filtered from the recordings at hand.

They are no voices of their own: several share a source. The lengths are those of the VCTK recordings at hand, brought
to the mean of the whole corpus.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import lfilter, resample_poly

from audiostyle.datasets.corpora import SAMPLE_RATE, Utterance, find_corpus, load_recordings
from audiostyle.sound.audio import set_level
from benchmarks.table1 import find

SPEAKERS = 109
# 44 hours in 44,242 files. Of the VCTK recordings at hand most are of the first 24 sentences, which are longer.
VCTK_SECONDS = 3.6
SOURCES = (("librispeech", 20), ("arctic", 3), ("vctk4", 4))
RECORDINGS = 8  # of each source speaker
# Speeds at which a source is played, as fractions; each shifts pitch and formants alike.
SPEEDS = ((8, 9), (14, 15), (1, 1), (16, 15), (9, 8))


def prepare(folder: Path) -> None:
    """Write the speech of each source speaker as one array, and the lengths to draw from, in seconds."""
    for name, n in SOURCES:
        items = load_recordings(find(name), speakers=n, per_speaker=RECORDINGS)
        for speaker in np.unique(items.speakers):
            speech = np.concatenate([items.ys[i] for i in np.flatnonzero(items.speakers == speaker)])
            np.save(folder / f"{name}-{speaker}.npy", speech)
    vctk = [find_corpus(find(part)).utterances.values() for part in ("vctk4", "vctk_rest")]
    seconds = np.array([soundfile.info(u.path).duration for corpus in vctk for own in corpus for u in own])
    np.save(folder / "seconds.npy", seconds * VCTK_SECONDS / seconds.mean())


@lru_cache(maxsize=1)
def sources(folder: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the speech of all source speakers, mapped from the disk, and the lengths."""
    files = sorted(file for file in folder.glob("*.npy") if file.stem != "seconds")
    return [np.load(file, mmap_mode="r") for file in files], np.load(folder / "seconds.npy")


def make(folder: Path, item: Utterance) -> np.ndarray:
    """Make an utterance: a piece of a source speaker's speech at the speed and through the filter of the made one."""
    speaker, number = int(item.speaker), int(item.path.name)
    speech, seconds = sources(folder)
    own, generator = np.random.default_rng(speaker), np.random.default_rng([speaker, number])
    up, down = SPEEDS[speaker // len(speech) % len(SPEEDS)]
    n = int(generator.choice(seconds) * generator.uniform(0.9, 1.1) * SAMPLE_RATE)
    source = speech[speaker % len(speech)]
    first = generator.integers(len(source) - n * down // up)
    y = resample_poly(source[first : first + n * down // up], up, down)
    # Two resonances and a tilt of the made speaker.
    poles = own.uniform(0.3, 0.6, 2) * np.exp(1j * np.pi * own.uniform(0.05, 0.7, 2))
    y = lfilter([1, own.uniform(-0.3, 0.3)], np.poly([*poles, *poles.conj()]).real, y)
    return set_level(y)


def utterances(n: int) -> list[Utterance]:
    """Return `n` utterances, four or more of each of at most 109 speakers; fewer are a part of more."""
    n_speakers = min(SPEAKERS, n // 4)
    counts = np.full(n_speakers, n // n_speakers) + (np.arange(n_speakers) < n % n_speakers)
    names = [f"{speaker:03d}" for speaker in range(n_speakers)]
    return [
        Utterance(name, Path("made") / name / f"{i:04d}")
        for name, count in zip(names, counts, strict=True)
        for i in range(count)
    ]
