"""The constants of the matched timbre, found again on known targets, and what each of them is worth.

``python -m experiments.fit_matching`` moves one constant after the other by a factor of 1.6 and keeps what lowers the
mean distance of the training sets by more than twice its standard error over triples. It starts from the table in
``audiostyle.matching.match`` and, for instruments, from far away: every second constant halved, the others doubled. It
writes every setting tried, with its distance on every set, to ``results/paper/fit_matching.csv``, and prints what it
costs to do without each constant, to halve and to double it. An instrument's `noise` is not searched by distance, which
does not hear haze: it is the least value with which no recorded pair of instruments has more than 3 dB of haze.

Training: the bundled triples that choose; the odd ones of the triples of real notes in the first folder that
``AUDIOSTYLE_TRUTH`` names; odd sentences of CMU ARCTIC in ``AUDIOSTYLE_MIRROR``, for voices; the recorded pairs, for
haze. The others confirm, and those of further folders.
"""

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import librosa
import numpy as np
import pandas as pd
import torch
from scipy.fft import dct
from scipy.spatial.distance import cdist

from audiostyle.datasets import clips, paths
from audiostyle.datasets.triples import triples
from audiostyle.matching.describe import N_FFT, SR, Clip, Description
from audiostyle.matching.gain import Gain, fitted_gain
from audiostyle.matching.match import CONSTANTS, Constants, Library, expected_bands, kind_of, to_analysis
from audiostyle.measures.table import artefacts
from audiostyle.sound.read import load_audio
from audiostyle.sound.samples import Sound
from experiments.results import truth_folders

DECIBELS = 10 / np.log(10)
# Nepers of power under the target's peak (60 dB) within which levels are told apart, and within which frames sound.
RANGE, SOUNDS = 13.8, 6.9
# Frames of the style that are kept for each of the content's: those that any setting tried would choose.
KEPT = 300
FACTORS = (0.6, 1.6)
SEARCHED = tuple(name for name in Constants._fields if name != "noise")
# Constants that voices have for themselves.
OF_VOICES = ("fine", "age", "semitone", "doubt", "slow", "frames", "noise")
SPEAKERS, N_SENTENCES = ("bdl", "slt"), 4
# Values of `noise`, and the most haze in dB.
NOISES, HAZE = (0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4), 3.0


class Candidates:
    """Stands for a library of which only the frames most like each of the content's are kept, by the table."""

    def __init__(self, library: Library, C: Description, kind: str) -> None:
        self.bands, self.own = library.bands, library.own
        self.loudness, self.semitones = library.loudness, library.semitones
        parts = []
        for first in range(0, len(C.age), 128):
            frames = slice(first, min(first + 128, len(C.age)))
            which, _, fine = library.most_similar(C, frames, CONSTANTS[kind][:4], KEPT)
            courses = library.cosines(C, frames)[1]
            ages = (C.age[frames, None] - library.age[which]).abs()
            parts.append((fine, courses.gather(1, which), ages, which))
        self.fine, self.course, self.ages, self.which = (torch.cat(x) for x in zip(*parts, strict=True))

    def most_similar(self, C: Description, frames: slice, factors: tuple, n: int) -> tuple:
        """As `Library.most_similar`."""
        which, fine = self.which[frames], self.fine[frames]
        similarity = factors[0] * fine + factors[1] * self.course[frames] - factors[2] * self.ages[frames]
        weights, places = (similarity - factors[3] * self.semitones[which].abs()).topk(n, dim=1)
        return which.gather(1, places), weights.softmax(1), fine.gather(1, places)


class Task(NamedTuple):
    """What is known of a content, a style and a target, whatever the constants."""

    name: str
    set: str
    kind: str
    trains: bool
    content: Clip
    C: Description
    style: torch.Tensor
    candidates: Candidates
    target: torch.Tensor

    def distance(self, k: Constants) -> float:
        """Return the log-spectral distance in dB; of a voice the warped cepstral one over the content's."""
        bands, _, _ = expected_bands(self.content, self.C, self.style, self.candidates, k)
        if self.kind == "voice":
            return warped_distance(bands, self.target) / warped_distance(self.content.bands, self.target)
        n = min(bands.shape[1], self.target.shape[1])
        bands, target = floored(bands[:, :n], self.target[:, :n])
        return float((bands - target).square().mean(0).sqrt().mean() * DECIBELS)


def floored(bands: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring levels [shape=(80, n_frames)] to the target's energy and leave out what is 60 dB under its peak."""
    widths = torch.as_tensor(1 / librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=len(bands)).max(1))[:, None]
    energy = [(b.exp() * widths).sum() / b.shape[1] for b in (bands, target)]
    bands = bands + (energy[1] / energy[0]).log()
    return tuple(b.clamp_min(float(target.max()) - RANGE) for b in (bands, target))


def warped_distance(bands: torch.Tensor, target: torch.Tensor) -> float:
    """Compare cepstra 1 to 19 of sounding frames along the path of dynamic time warping."""
    sounding = [b.logsumexp(0) > b.logsumexp(0).max() - SOUNDS for b in (bands, target)]
    pair = (b[:, s].numpy() for b, s in zip(floored(bands, target), sounding, strict=True))
    apart = cdist(*(dct(b * DECIBELS, axis=0, norm="ortho")[1:20].T for b in pair))
    _, path = librosa.sequence.dtw(C=apart)
    return float(apart[tuple(path.T)].mean())


def prepare(
    name: str, which: str, kind: str, trains: bool, content: Path, styles: list, target: Path
) -> Task:
    """Describe three sounds and keep how alike they are."""
    sounds = [load_audio(path, sr=SR)[0] for path in (content, target, *styles)]
    y, target, style = (to_analysis(x, SR, name) for x in (sounds[0], sounds[1], np.concatenate(sounds[2:])))
    clips = [Clip(Sound.of(x, SR)) for x in (y, style, target)]
    C, A = (clip.describe() for clip in clips[:2])
    candidates = Candidates(Library(style, A), C, kind)
    return Task(name, which, kind, trains, clips[0], C, clips[1].bands, candidates, clips[2].bands)


def tasks() -> Iterator[Task]:
    """Yield all triples and voices that there are."""
    for t in triples():
        yield prepare(t.name, t.split, "instrument", t.split == "choose", t.content, [t.style], t.target)
    for n, folder in enumerate(truth_folders()):
        for i, t in enumerate(triples(folder=folder)):
            trains = i % 2 == n == 0
            which = f"{folder.name}, {'odd' if trains else 'even'}" if n == 0 else folder.name
            yield prepare(t.name, which, "instrument", trains, t.content, [t.style], t.target)
    if (mirror := paths.mirror_dir()) and (mirror / "arctic").is_dir():
        for a, b in (SPEAKERS, SPEAKERS[::-1]):
            read = [sorted((mirror / "arctic" / s).glob("*.wav")) for s in (a, b)]
            for i in range(N_SENTENCES):
                which = f"{a} to {b}, {'even' if i % 2 else 'odd'}"
                sounds = read[0][i], read[1][i + 1 : i + 4], read[1][i]
                yield prepare(f"{a}_{b}_{i}", which, "voice", i % 2 == 0, *sounds)


class Log:
    """Measures settings and writes each, with its mean distance on every set."""

    def __init__(self, path: Path, tasks: list[Task]) -> None:
        self.path, self.tasks, self.known = path, tasks, {}
        self.write("kind", "changed", "value", "set", "trains", "mean", "change", "error")

    def write(self, *row: object) -> None:
        """Append a row."""
        with self.path.open("a" if self.known else "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(row)

    def measure(
        self, kind: str, k: Constants, against: Constants, note: tuple, training: bool
    ) -> pd.DataFrame:
        """Return a row for each set, and for all: mean distance, its change, the standard error of that."""
        chosen = [t for t in self.tasks if t.kind == kind and (t.trains or not training)]
        for constants in (k, against):
            for t in chosen:
                if (constants, t.name) not in self.known:
                    self.known[constants, t.name] = t.distance(constants)
        rows = [(t.set, t.trains, *(self.known[x, t.name] for x in (k, against))) for t in chosen]
        table = pd.DataFrame(rows, columns=["set", "trains", "mean", "change"])
        table["change"] = table["mean"] - table["change"]
        columns = {"trains": ("trains", "first"), "mean": ("mean", "mean")}
        columns |= {"change": ("change", "mean"), "error": ("change", "sem")}
        found = table.groupby("set", sort=False).agg(**columns)
        for name, row in found.iterrows():
            self.write(kind, *note, name, row["trains"], *(f"{x:.4f}" for x in row.iloc[1:]))
        found.loc["all"] = [training, table["mean"].mean(), table["change"].mean(), table["change"].sem()]
        return found


def times(k: Constants, name: str, factor: float) -> Constants:
    """Return constants with one of them moved; an average stays over an odd number of frames."""
    value = getattr(k, name) * factor
    value = 2 * round((value - 1) / 2) + 1 if name == "frames" else float(f"{value:.2g}")
    return k._replace(**{name: max(1, value) if name == "frames" else value})


def search(log: Log, kind: str, start: Constants, names: tuple, rounds: int = 3) -> Constants:
    """Move one constant after the other as long as that lowers the training sets by more than twice its error."""
    found = start
    for _ in range(rounds):
        before = found
        for name in names:
            for factor in FACTORS:
                tried = times(found, name, factor)
                if tried == found:
                    continue
                note = (name, getattr(tried, name))
                change, error = log.measure(kind, tried, found, note, True).loc["all", ["change", "error"]]
                if change < -2 * error:
                    print(f"{kind}: {name} = {note[1]}, {change:+.3f} ± {error:.3f}", flush=True)
                    found = tried
        if found == before:
            break
    return found


def least_noise(log: Log, k: Constants) -> float | None:
    """Return the least of `NOISES` that keeps the haze of every recorded pair of instruments low, or None; log each."""
    pairs = []
    for pair in clips.pairs("recorded"):
        audio = clips.load_pair(pair)
        y, style = (to_analysis(x, audio.sr, pair.pair) for x in (audio.content, audio.style))
        content, A = (Clip(Sound.of(x, SR)) for x in (y, style))
        if kind_of(content.steadiness, A.steadiness) == "instrument":
            library = Library(style, A.describe())
            pairs.append((pair.pair, y, content, content.describe(), A.bands, library))
    for noise in NOISES:
        haze = {}
        for name, y, content, C, *style in pairs:
            bands, *_ = expected_bands(content, C, *style, k._replace(noise=noise))
            gain = Gain(fitted_gain(C.S, bands, content.floor))
            haze[name] = artefacts(gain.apply(y, SR), y, SR)["haze_db"]
            log.write("instrument", "noise, for haze", noise, name, True, f"{haze[name]:.4f}", "", "")
        if max(haze.values()) <= HAZE:
            return noise


def main() -> None:
    """Prepare, search, print."""
    started, path = time.process_time(), paths.results_root() / "paper" / "fit_matching.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    log = Log(path, list(tasks()))
    print(f"{len(log.tasks)} tasks after {time.process_time() - started:.0f} s", flush=True)
    for kind, names in (("instrument", SEARCHED), ("voice", OF_VOICES)):
        if not any(t.kind == kind for t in log.tasks):
            continue
        k = search(log, kind, CONSTANTS[kind], names)
        print(kind, k, log.measure(kind, k, CONSTANTS[kind], ("found", ""), False).to_string(), sep="\n")
        if kind == "instrument":
            if clips.current_edition() == "recorded":
                print(f"noise = {least_noise(log, k)}, in the table {k.noise}")
            far = k
            for i, name in enumerate(names):
                far = times(far, name, 2.0 if i % 2 else 0.5)
            for note, from_afar in (("far away", far), ("from afar", search(log, kind, far, names))):
                found = log.measure(kind, from_afar, k, (note, ""), False)
                print(note, from_afar, found.to_string(), sep="\n", flush=True)
        for name in dict.fromkeys((*names, "noise")):
            for factor in (1e-3, 0.5, 2.0)[name == "depth" :]:  # without depth nothing is told apart
                tried = times(k, name, factor)
                found = log.measure(kind, tried, k, (name, getattr(tried, name)), False)
                said = "  ".join(
                    f"{row.Index} {row.change:+.3f}±{row.error:.3f}" for row in found.itertuples()
                )
                print(f"{kind:10} {name:9} {getattr(k, name)} -> {getattr(tried, name)}: {said}", flush=True)
    print(f"{time.process_time():.0f} s of processor time")


if __name__ == "__main__":
    main()
