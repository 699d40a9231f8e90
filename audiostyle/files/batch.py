"""Many transfers: every content with every style, into one folder, with a table. Existing results are skipped."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from joblib import delayed
from tqdm.std import tqdm

from audiostyle.config import TransferConfig
from audiostyle.files.one import Delivery, Part, Sources, transfer_files
from audiostyle.files.recipe import Recipe, as_dict, make_cut, write_settings
from audiostyle.sound.write import SUFFIXES
from audiostyle.system import processes, whole_file

# Files of these names are taken from a folder; which of them can be read, reading tells.
SOUND_SUFFIXES = frozenset((
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif", ".aifc", ".m4a", ".mp4", ".aac", ".wma",
    ".webm", ".mka", ".w64", ".rf64", ".caf", ".au", ".snd", ".wv", ".ape", ".amr",
))  # fmt: skip
TABLE = "results.csv"
_COLUMNS = ("content", "style", "result", "status", "seconds", "sr", "channels", "balance", "iterations",
            "style_removed", "content_loss", "gain_db", "took", "note", "error")  # fmt: skip


class Job(NamedTuple):
    """One result to make: what of, and the file to write, beside which its settings and numbers lie."""

    sources: Sources
    output: Path

    @property
    def settings(self) -> Path:
        """Where its settings lie."""
        return self.output.with_name(self.output.name + ".json")


class Outcome(NamedTuple):
    """What became of a job: "made", "kept" (it was there), or "failed", with what went wrong in one line."""

    job: Job
    status: str
    error: str = ""


def sound_files(folder: Path) -> list[Path]:
    """Return the sound files of a folder, hidden ones apart, by name; none is a ValueError."""
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SOUND_SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise ValueError(f"{folder} holds no sound files ({', '.join(sorted(SOUND_SUFFIXES))})")
    return found


def make_jobs(
    contents: Sequence[Part],
    styles: Sequence[tuple[Part, ...]],
    folder: Path,
    *,
    suffix: str | None = None,
) -> list[Job]:
    """Pair every content with every style, a tuple of parts; a ValueError says that two results would have one name.

    Results are called ``content__style.suffix`` in the folder. The suffix is by default the content's where that can be
    written, else ``.wav``.
    """
    jobs: dict[Path, Job] = {}
    for content in contents:
        for style in styles:
            # A process may have another working directory, and a recipe is read from anywhere.
            content, *parts = (part._replace(path=part.path.absolute()) for part in (content, *style))
            kept = content.path.suffix.lower()
            name = f"{content.path.stem}__{'+'.join(part.path.stem for part in parts)}"
            output = folder.absolute() / (name + (suffix or (kept if kept in SUFFIXES else ".wav")))
            job = Job(Sources(content, tuple(parts)), output)
            if output in jobs:
                twice = ", ".join(
                    str(p.path) for s in (jobs[output].sources, job.sources) for p in (s.content, *s.styles)
                )
                raise ValueError(f"two results would be called {output.name} (of {twice}); rename one file")
            jobs[output] = job
    return list(jobs.values())


def run_batch(
    jobs: Sequence[Job],
    config: TransferConfig,
    *,
    delivery: Delivery | None = None,
    n_jobs: int = 1,
    progress: bool = True,
    complain: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """Make what is missing of the results of one folder; one that fails is named, and the others are made.

    A result is there if its sound is, and settings beside it that say it is made of the same files in the same way.
    A sound is written whole or not at all, and its settings after it: whenever the process ends, the next one goes on.

    Parameters
    ----------
    jobs, config, delivery
        What to make, the settings of each, and how results are written.
    n_jobs : int > 0
        Processes.
    progress : bool
        Show a progress bar over the files.
    complain : callable
        Gets a line for each that fails.

    Returns
    -------
    list of Outcome
        In the order of the jobs. ``results.csv`` in the folder has a row for each.
    """
    calls = (delayed(_run)(job, config, delivery or Delivery()) for job in jobs)
    outcomes: dict[Path, Outcome] = {}
    with (
        processes(min(n_jobs, len(jobs)), return_as="generator_unordered") as workers,
        tqdm(total=len(jobs), desc="files", disable=not progress) as bar,
    ):
        for outcome in workers(calls):
            outcomes[outcome.job.output] = outcome
            if outcome.status == "failed":
                complain(f"{outcome.job.sources.content.path}: {outcome.error}")
            bar.update()
            _write_table(outcomes[job.output] for job in jobs if job.output in outcomes)
    return [outcomes[job.output] for job in jobs]


def _run(job: Job, config: TransferConfig, delivery: Delivery) -> Outcome:
    try:
        content, style, *more = (make_cut(*part) for part in (job.sources.content, *job.sources.styles))
        recipe = Recipe(content, style, config, tuple(more), delivery)
        made_of = json.loads(json.dumps(as_dict(recipe)))  # as it is read back
        if job.output.is_file() and _kept(job.settings).items() >= made_of.items():
            return Outcome(job, "kept")
        # The older sound stays until the new one is whole, and must not pass for it.
        forget = {"before": lambda result: job.settings.unlink(missing_ok=True)}
        made, _ = transfer_files(job.sources, job.output, config, delivery=delivery, progress=False, **forget)
        write_settings(job.settings, made_of | {"made": made._asdict()})
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        return Outcome(job, "failed", " ".join(str(error).split()))
    return Outcome(job, "made")


def _kept(settings: Path) -> dict:
    """Return the settings of an earlier result; of a file that is none, nothing."""
    try:
        kept = json.loads(settings.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write_table(outcomes: Iterable[Outcome]) -> None:
    outcomes = list(outcomes)
    with (
        whole_file(outcomes[0].job.output.parent / TABLE) as temporary,
        # A name that is not UTF-8 is shown with a mark in place of its odd bytes.
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        for job, status, error in outcomes:
            made = _kept(job.settings).get("made", {}) if status != "failed" else {}
            row = {
                "content": job.sources.content.path,
                "style": " + ".join(str(part.path) for part in job.sources.styles),
                "result": job.output.name,
                "status": status,
                "error": error,
            }
            table.writerow(made | made.get("numbers", {}) | row)
