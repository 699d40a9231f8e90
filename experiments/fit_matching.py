"""The constants of the matched timbre, found again on known targets, and what each of them is worth.

``python -m experiments.fit_matching`` moves one constant after the other on a grid of round numbers, twice over, keeps
what lowers the mean distance of the training sets by more than its standard error over triples, and writes every
setting tried, with its distance on every set, to ``results/paper/fit_matching.csv``. Then it prints what half and
double of each constant would cost on the sets that train and on those that confirm.

Training: the bundled triples that choose; the odd ones of the triples of real notes in the folder that
``AUDIOSTYLE_TRUTH`` names; CMU ARCTIC in ``AUDIOSTYLE_MIRROR`` for voices, odd sentences. The others confirm. What is
compared is the expectation of the levels, which a filter then brings about.
"""

import argparse
import csv
import os
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

from audiostyle.datasets import paths
from audiostyle.datasets.triples import triples
from audiostyle.matching.describe import HOP, SR, Clip, Description
from audiostyle.matching.match import CONSTANTS, Constants, Library, Likeness, expected_bands, to_analysis
from audiostyle.sound.read import load_audio

DECIBELS = 10 / np.log(10)
# Nepers of power (60 dB) under the target's peak below which levels are not told apart.
RANGE = 13.8
# Frames of the style that are kept for each of the content's: those that any setting of the grid would choose.
KEPT = 400
# Factors by which a constant is moved.
GRID = (0.5, 0.7, 1.4, 2.0)
# Constants that voices have for themselves.
OF_VOICES = ("fine", "course", "age", "semitone", "slow", "doubt", "frames")
SPEAKERS, N_SENTENCES = ("bdl", "slt"), 6


class Task(NamedTuple):
    """What is known of a content, a style and a target, whatever the constants: `alike` holds `KEPT` frames."""

    name: str
    set: str
    trains: bool
    content: Clip
    C: Description
    style: torch.Tensor
    library: Library
    alike: Likeness
    target: torch.Tensor


def prepare(name: str, which: str, trains: bool, content: Path, styles: list[Path], target: Path) -> Task:
    """Describe three sounds and keep how alike they are, not what it was found from."""
    content, target, *styles = (load_audio(path, sr=SR)[0] for path in (content, target, *styles))
    y, style, target = (
        to_analysis(x, SR, role)
        for x, role in ((content, "content"), (np.concatenate(styles), "style"), (target, "target"))
    )
    clips = [Clip(lambda a, b, x=x: x[a:b], len(x)) for x in (y, style, target)]
    C, A = (clip.describe(clip.whole()) for clip in clips[:2])
    library, parts = Library(style, A), []
    # Chosen by weights in the middle of the grid, of an instrument and of a voice.
    for frames in torch.arange(clips[0].n_frames).split(128):
        alike = library.alike(C, frames)
        found = [alike.best(library, CONSTANTS[kind], KEPT // 2)[0].which for kind in CONSTANTS]
        i = torch.cat(found, 1)
        parts.append(Likeness(*(x.gather(1, i) for x in alike[:-1]), i))
    library.fine = library.course = []
    alike = Likeness(*(torch.cat(x) for x in zip(*parts, strict=True)))
    alike = alike._replace(ages=alike.ages + 1e6 * _repeated(alike.which))
    return Task(name, which, trains, clips[0], C, clips[1].bands, library, alike, clips[2].bands)


def _repeated(which: torch.Tensor) -> torch.Tensor:
    """Tell entries of a row that stood in it before [shape as which]."""
    order = which.argsort(1, stable=True)
    ordered = which.gather(1, order)
    again = torch.nn.functional.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0))
    return torch.zeros_like(which, dtype=torch.bool).scatter(1, order, again)


def tasks() -> Iterator[Task]:
    """Yield all triples and voices that there are."""
    for triple in triples():
        yield prepare(
            triple.name, triple.split, triple.split == "choose", triple.content, [triple.style], triple.target
        )
    if folder := os.environ.get("AUDIOSTYLE_TRUTH"):
        for i, triple in enumerate(triples(folder=folder)):
            which = "real notes, odd" if i % 2 == 0 else "real notes, even"
            yield prepare(triple.name, which, i % 2 == 0, triple.content, [triple.style], triple.target)
    if (mirror := os.environ.get("AUDIOSTYLE_MIRROR")) and (Path(mirror) / "arctic").is_dir():
        for a, b in (SPEAKERS, SPEAKERS[::-1]):
            read = [sorted((Path(mirror) / "arctic" / s).glob("*.wav")) for s in (a, b)]
            for i in range(N_SENTENCES):
                which = f"{a} to {b}, {'even' if i % 2 else 'odd'}"
                yield prepare(
                    f"{a}_{b}_{i}", which, i % 2 == 0, read[0][i], read[1][i + 1 : i + 4], read[1][i]
                )


def distance(task: Task, k: Constants) -> float:
    """Return the log-spectral distance in dB, of a voice the warped cepstral one over the content's."""
    bands, _, _ = expected_bands(
        task.content,
        task.C,
        task.style,
        task.library,
        k,
        lambda frames: Likeness(*(x[frames] for x in task.alike)),
    )
    if " to " in task.set:
        return _warped(bands, task.target) / _warped(task.content.bands, task.target)
    return log_spectral_distance(bands, task.target)


def log_spectral_distance(bands: torch.Tensor, target: torch.Tensor) -> float:
    """Compare levels [shape=(80, n_frames)] at equal energy, 60 dB under the target's peak."""
    n = min(bands.shape[1], target.shape[1])
    bands, target = _floored(bands[:, :n], target[:, :n])
    return float((bands - target).square().mean(0).sqrt().mean() * DECIBELS)


def _floored(bands: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    widths = torch.as_tensor(1 / librosa.filters.mel(sr=SR, n_fft=2048, n_mels=len(bands)).max(1))[:, None]
    energy = [(b.exp() * widths).sum() / b.shape[1] for b in (bands, target)]
    bands = bands + (energy[1] / energy[0]).log()
    return tuple(b.clamp_min(float(target.max()) - RANGE) for b in (bands, target))


def _warped(bands: torch.Tensor, target: torch.Tensor) -> float:
    """Compare cepstra 1 to 19 of sounding frames along the path of dynamic time warping."""
    sounding = [b.logsumexp(0) > b.logsumexp(0).max() - 6.9 for b in (bands, target)]
    pair = (b[:, s].numpy() for b, s in zip(_floored(bands, target), sounding, strict=True))
    apart = cdist(*(dct(b * DECIBELS, axis=0, norm="ortho")[1:20].T for b in pair))
    _, path = librosa.sequence.dtw(C=apart)
    return float(apart[tuple(path.T)].mean())


class Log:
    """Measures settings and writes each, with its mean distance on every set."""

    def __init__(self, path: Path, tasks: list[Task]) -> None:
        self.path, self.tasks, self.known = path, tasks, {}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file).writerow(
                ["kind", "changed", "value", "set", "trains", "mean", "change", "error"]
            )

    def measure(
        self, kind: str, k: Constants, against: Constants | None = None, note: tuple = ("", "")
    ) -> pd.DataFrame:
        """Return a row for each set: mean distance, its change, and the standard error of that over triples."""
        chosen = [t for t in self.tasks if (" to " in t.set) == (kind == "voice")]
        for constants in (k, against or k):
            for task in chosen:
                if (constants, task.name) not in self.known:
                    self.known[constants, task.name] = distance(task, constants)
        rows = [
            {
                "set": t.set,
                "trains": t.trains,
                "d": self.known[k, t.name],
                "ref": self.known[against or k, t.name],
            }
            for t in chosen
        ]
        table = pd.DataFrame(rows)
        table["change"] = table["d"] - table["ref"]
        found = (
            table.groupby(["set", "trains"], sort=False)
            .agg(mean=("d", "mean"), change=("change", "mean"), error=("change", "sem"))
            .reset_index()
        )
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            for row in found.itertuples(index=False):
                writer.writerow([kind, *note, row.set, row.trains, *(f"{x:.4f}" for x in row[2:])])
        table = table[table["trains"]]
        found.attrs["change"] = float(table["change"].mean())
        found.attrs["error"] = float(table["change"].sem())
        return found


def rounded(name: str, value: float) -> float | int:
    """Round to one or two digits; counts stay whole, an average is over an odd number of frames."""
    if name == "frames":
        return max(1, 2 * round((value - 1) / 2) + 1)
    return max(1, int(f"{value:.0f}")) if name == "neighbours" else float(f"{value:.2g}")


def search(log: Log, kind: str, start: Constants, names: tuple, rounds: int = 2) -> Constants:
    """Move one constant after the other as long as that lowers the training sets by more than its error."""
    best = start
    for _ in range(rounds):
        before = best
        for name in names:
            for factor in GRID:
                value = rounded(name, getattr(best, name) * factor)
                tried = best._replace(**{name: value})
                if tried == best:
                    continue
                found = log.measure(kind, tried, best, (name, value))
                if found.attrs["change"] < -found.attrs["error"]:
                    print(
                        f"{kind}: {name} = {value}, {found.attrs['change']:+.3f} ± {found.attrs['error']:.3f}",
                        flush=True,
                    )
                    best = tried
        if best == before:
            break
    return best


def worth(log: Log, kind: str, k: Constants, names: tuple) -> None:
    """Print the change on the training sets and on the others without a constant, at half and at double of it."""
    for name in names:
        for factor in (0.0, 0.5, 2.0):
            value = (
                rounded(name, getattr(k, name) * factor)
                if factor
                else type(getattr(k, name))(name in ("neighbours", "frames"))
            )
            if name in ("split", "clear") and not factor:
                continue  # divisors
            found = log.measure(kind, k._replace(**{name: value}), k, (name, value))
            sets = "  ".join(f"{r.set} {r.change:+.3f}±{r.error:.3f}" for r in found.itertuples())
            print(f"{kind:10} {name:11} {getattr(k, name):>6} -> {value:<6}  {sets}", flush=True)


def main() -> None:
    """Prepare, search, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--worth", action="store_true", help="do not search, only say what each constant is worth"
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    log = Log(paths.results_root() / "paper" / "fit_matching.csv", list(tasks()))
    print(
        f"{len(log.tasks)} tasks of {HOP / SR * 1000:.0f} ms frames after {time.monotonic() - started:.0f} s",
        flush=True,
    )
    # Harmony acts on the gain alone, which the expectation does not see.
    own = tuple(name for name in Constants._fields if name != "harmony")
    for kind, names in (("instrument", own), ("voice", OF_VOICES)):
        if any((" to " in t.set) == (kind == "voice") for t in log.tasks):
            k = CONSTANTS[kind] if arguments.worth else search(log, kind, CONSTANTS[kind], names)
            print(kind, k, log.measure(kind, k, note=("found", "")).to_string(), sep="\n")
            worth(log, kind, k, names)
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
