"""Many transfers: every content with every style, into one folder, with a table; what is there is not made again."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from joblib import delayed
from tqdm.std import tqdm

from audiostyle.config import TransferConfig
from audiostyle.sound.audio import WRITTEN_FORMATS
from audiostyle.sound.files import whole_file
from audiostyle.sound.processes import processes
from audiostyle.studies.files import Delivery, Part, Sources, transfer_files
from audiostyle.studies.recipe import Recipe, as_dict, make_cut, write_settings

# Files of these names are taken from a folder; which of them can be read, reading tells.
SOUND_SUFFIXES = frozenset(
    f".{name}"
    for name in ("wav", "flac", "ogg", "oga", "opus", "mp3", "aiff", "aif", "m4a", "aac", "w64", "caf")
)
TABLE = "results.csv"
# Seconds, of a file whose header says nothing.
_TO_THE_END = 1e9


@dataclass(frozen=True)
class Job:
    """One result to make.

    Parameters
    ----------
    sources : Sources
        What it is made of.
    output : pathlib.Path
        The file to write; its settings and numbers lie beside it as ``<name>.json``.
    """

    sources: Sources
    output: Path

    @property
    def settings(self) -> Path:
        """Where its settings lie."""
        return self.output.with_name(self.output.name + ".json")


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Parameters
    ----------
    job : Job
    status : {"made", "kept", "failed"}
    error : str
        What went wrong, in one line.
    """

    job: Job
    status: str
    error: str = ""


def sound_files(folder: Path) -> list[Path]:
    """Return the sound files of a folder, hidden ones apart, by name.

    Raises
    ------
    ValueError
        If there is none.
    """
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
    weights: tuple[float, ...] = (),
    suffix: str | None = None,
) -> list[Job]:
    """Pair every content with every style.

    Parameters
    ----------
    contents : sequence of Part
    styles : sequence of tuple of Part
        Each tuple is one style.
    folder : pathlib.Path
        Where results go, as ``content__style.suffix``.
    weights : tuple of float
        As in `Sources`.
    suffix : str or None
        Format of the results; None takes the content's where it can be written, else ``.wav``.

    Returns
    -------
    list of Job

    Raises
    ------
    ValueError
        If two results would have one name.
    """
    jobs: dict[Path, Job] = {}
    # a process may have another working directory, and a recipe is read from anywhere
    folder, contents = folder.absolute(), [_absolute(part) for part in contents]
    for content in contents:
        for style in (tuple(_absolute(part) for part in parts) for parts in styles):
            name = f"{content.path.stem}__{'+'.join(part.path.stem for part in style)}"
            output = folder / (name + (suffix or _written_suffix(content.path)))
            if output in jobs:
                other = jobs[output].sources
                twice = [
                    str(part.path)
                    for s in (other, Sources(content, style))
                    for part in (s.content, *s.styles)
                ]
                raise ValueError(
                    f"two results would be called {output.name} (of {', '.join(twice)}); rename one file"
                )
            jobs[output] = Job(Sources(content, style, weights), output)
    return list(jobs.values())


def _absolute(part: Part) -> Part:
    return part._replace(path=part.path.absolute())


def _written_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return suffix if suffix.lstrip(".").upper() in WRITTEN_FORMATS else ".wav"


def run_batch(
    jobs: Sequence[Job],
    config: TransferConfig,
    *,
    delivery: Delivery | None = None,
    n_jobs: int = 1,
    progress: bool = True,
    complain: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """Make what is missing; one that fails is named, and the others are made.

    A result is there if its sound is, and settings beside it that say it is made of the same files in the same way.
    A sound is written whole or not at all, and its settings after it: whenever the process ends, the next one goes on.

    Parameters
    ----------
    jobs : sequence of Job
        All of one folder.
    config : TransferConfig
    delivery : Delivery or None
        How results are written.
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
    delivery = delivery or Delivery()
    calls = (delayed(_run)(job, config, delivery) for job in jobs)
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
        made_of = _made_of(job.sources, config, delivery)
        if job.output.is_file() and _kept(job.settings).items() >= made_of.items():
            return Outcome(job, "kept")

        def forget() -> None:
            # The older sound stays until the new one is whole, and must not pass for it.
            job.settings.unlink(missing_ok=True)

        options = {"delivery": delivery, "progress": False, "before": forget}
        made, _ = transfer_files(job.sources, job.output, config, **options)
        write_settings(job.settings, made_of | {"made": asdict(made)})
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        return Outcome(job, "failed", " ".join(str(error).split()))
    return Outcome(job, "made")


def _made_of(sources: Sources, config: TransferConfig, delivery: Delivery) -> dict:
    """Return the recipe as it is read back from JSON."""
    content, style, *more = (
        make_cut(part.path, part.start, part.seconds() or part.duration or _TO_THE_END)
        for part in (sources.content, *sources.styles)
    )
    recipe = Recipe(content, style, config, tuple(more), sources.weights, delivery)
    return json.loads(json.dumps(as_dict(recipe)))


def _kept(settings: Path) -> dict:
    """Return the settings of an earlier result; of a file that is none, nothing."""
    if not settings.is_file():
        return {}
    try:
        kept = json.loads(settings.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _write_table(outcomes: Iterable[Outcome]) -> None:
    rows = []
    for outcome in outcomes:
        sources, made = outcome.job.sources, {}
        if outcome.status != "failed":
            made = _kept(outcome.job.settings)["made"]
        rows.append(
            {
                "content": str(sources.content.path),
                "style": " + ".join(str(part.path) for part in sources.styles),
                "result": outcome.job.output.name,
                "status": outcome.status,
                **{name: made.get(name) for name in ("seconds", "sr", "channels")},
                **made.get("numbers", {}),
                "note": made.get("note", ""),
                "error": outcome.error,
            }
        )
        folder = outcome.job.output.parent
    with whole_file(folder / TABLE) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
