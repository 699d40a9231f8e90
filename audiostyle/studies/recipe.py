"""Everything that makes a result, kept beside the sound, and as code to copy."""

import json
import os
import shlex
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path

from audiostyle import __version__
from audiostyle.config import TransferConfig, option
from audiostyle.datasets import paths
from audiostyle.datasets.clips import clips, locate
from audiostyle.sound.audio import save_audio
from audiostyle.sound.files import sha256, whole_file
from audiostyle.studies.files import Delivery, Part, Sources
from audiostyle.transfer import TransferResult, transfer_style

_DEFAULT = TransferConfig()


@dataclass(frozen=True)
class Cut:
    """A part of a sound file.

    Parameters
    ----------
    path : str
        The file; relative to the repository for a bundled clip, a bare name for an upload.
    sha256 : str
        Its checksum.
    start, duration : float
        The part in seconds.
    """

    path: str
    sha256: str
    start: float
    duration: float

    def find(self, folder: str | os.PathLike = ".") -> Path:
        """Return where the file lies: here, in a folder, in the repository, or among the clips of the registry.

        Parameters
        ----------
        folder : path
            Where else to look than in the working directory.

        Raises
        ------
        FileNotFoundError
            If it is in none of these.
        ValueError
            If it is not the file it was.
        """
        places = [Path(), Path(folder), *filter(None, [paths.checkout()])]
        # Clips of the registry lie elsewhere on another machine.
        known = [locate(clip) for clip in clips() if clip.sha256 == self.sha256]
        tried = [*(place / self.path for place in places), *known]
        found = next((path for path in tried if path.is_file()), None)
        if found is None:
            raise FileNotFoundError(
                f"{self.path} is in none of the places looked at; put it beside the settings or say where it lies"
            )
        if sha256(found) != self.sha256:
            raise ValueError(f"{found} is not the file the result was made from: its checksum differs")
        return found


@dataclass(frozen=True)
class Recipe:
    """What a result is made of.

    Parameters
    ----------
    content, style : Cut
    config : TransferConfig
    more : tuple of Cut
        What was pooled with the style.
    weights : tuple of float
        Shares of the style and of these; empty takes all of each.
    delivery : Delivery
        How the result is written.
    """

    content: Cut
    style: Cut
    config: TransferConfig
    more: tuple[Cut, ...] = ()
    weights: tuple[float, ...] = ()
    delivery: Delivery = field(default_factory=Delivery)

    def sources(self, folder: str | os.PathLike = ".") -> Sources:
        """Return the files, each found as `Cut.find` does."""
        content, *styles = (
            Part(cut.find(folder), cut.start, cut.duration) for cut in (self.content, self.style, *self.more)
        )
        return Sources(content, tuple(styles), self.weights)

    def python(self, output: str = "result.wav") -> str:
        """Return Python code that makes the result again."""
        changed = ", ".join(f"{name}={value!r}" for name, value in _changed(self.config).items())

        def load(names: str, cut: Cut, rate: str, mono: str = "False") -> str:
            part = f"start={cut.start:.10g}, duration={cut.duration:.10g}"
            return f"{names} = load_audio({cut.path!r}, sr={rate}, mono={mono}, {part})"

        style = [load("style, _", self.style, "sr", mono="True")]
        if self.more:
            parts = ", ".join(
                f"Part({c.path!r}, {c.start:.10g}, {c.duration:.10g})" for c in (self.style, *self.more)
            )
            style = [
                "from audiostyle.studies.files import Part, Sources",
                f"style = Sources(None, ({parts}), {self.weights}).style(sr)",
            ]
        return "\n".join(
            [
                "from audiostyle import TransferConfig, load_audio, save_audio, transfer_style",
                "",
                load("content, sr", self.content, "None"),
                *style,
                f"config = TransferConfig({changed})",
                "result = transfer_style(content, style, sr, config)",
                f"save_audio({output!r}, result.y, result.sr)",
            ]
        )

    def shell(self, output: str = "result.wav") -> str:
        """Return a command that makes the result again."""
        words = ["python", "-m", "audiostyle", "transfer", "-o", output]
        for name, value in _changed(self.config).items():
            words += [option(name), f"{value}"]
        for name, cut in (("content", self.content), ("style", self.style)):
            if cut.start:
                words += [f"--{name}-start", f"{cut.start:.10g}"]
        if self.content.duration == self.style.duration:
            words += ["--duration", f"{self.content.duration:.10g}"]
        else:
            words += ["--content-duration", f"{self.content.duration:.10g}"]
            words += ["--style-duration", f"{self.style.duration:.10g}"]
        for name, value in zip(("sr", "channels", "subtype"), astuple(self.delivery), strict=True):
            words += [f"--{name}", f"{value}"] if value is not None else []
        if self.weights:
            words += ["--weights", ",".join(f"{weight:.10g}" for weight in self.weights)]
        named = [self.content.path, self.style.path]
        if self.more:
            named.pop()
            words += [f"--style={cut.path}" for cut in (self.style, *self.more)]
        # Behind the two dashes a file called --output=x.wav is a file.
        return shlex.join([*words, "--", *named])

    def run(self) -> TransferResult:
        """Make the result again.

        Returns
        -------
        TransferResult

        Raises
        ------
        FileNotFoundError, ValueError
            As `Cut.find`.
        """
        sources = self.sources()
        content, sr = sources.content.load(None, mono=False)
        return transfer_style(content, sources.style(sr), sr, self.config, progress=False)


def _changed(config: TransferConfig) -> dict[str, object]:
    """Return the settings that must be given; the method where it is not what the encoder leads to."""
    defaults = asdict(_DEFAULT) | {"method": replace(config, method=None).method}
    return {name: value for name, value in asdict(config).items() if value != defaults[name]}


def make_cut(path: Path, start: float, duration: float, *, uploaded: bool = False) -> Cut:
    """Describe a part of a file; an upload by its bare name, a file of the repository relative to it."""
    shown = path.name if uploaded else str(path)
    repository = paths.checkout()
    if repository is not None and not uploaded and path.is_relative_to(repository):
        shown = path.relative_to(repository).as_posix()
    return Cut(shown, sha256(path), round(start, 6), round(duration, 6))


def save_with_recipe(
    path: str | os.PathLike, y, sr: int, recipe: Recipe, *, subtype: str | None = None
) -> tuple[Path, Path]:
    """Write a sound, and its settings beside it as ``<name>.json``.

    Parameters
    ----------
    path : str or path
        A name with one of the suffixes of `audiostyle.sound.audio.save_audio`.
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        The result.
    sr : int
        Sample rate in Hz.
    recipe : Recipe
    subtype : str or None
        As for `audiostyle.sound.audio.save_audio`.

    Returns
    -------
    sound, settings : pathlib.Path

    Raises
    ------
    ValueError, OSError
        As `audiostyle.sound.audio.save_audio`.
    """
    sound = save_audio(path, y, sr, subtype=subtype)
    return sound, write_settings(sound.with_suffix(".json"), as_dict(recipe))


def write_settings(path: Path, made_of: dict) -> Path:
    """Write a dictionary as JSON."""
    with whole_file(path) as temporary:
        temporary.write_text(as_text(made_of), encoding="utf-8")
    return path


def as_text(made_of: dict) -> str:
    """Return a dictionary, such as that of a recipe, as the JSON that `load_recipe` reads."""
    return json.dumps(made_of, indent=2, ensure_ascii=False) + "\n"


def as_dict(recipe: Recipe) -> dict:
    """Return a recipe as a dictionary that JSON can hold."""
    return {"audiostyle": __version__} | asdict(recipe)


def _cut(kept: dict) -> Cut:
    """Return a cut whose values have the types they should have, which JSON does not see to."""
    cut = Cut(**kept)
    return Cut("" + cut.path, "" + cut.sha256, 1.0 * cut.start, 1.0 * cut.duration)


def load_recipe(path: str | os.PathLike) -> Recipe:
    """Read the settings that `save_with_recipe` wrote.

    Raises
    ------
    ValueError
        If the file is none of these or holds a setting that is not allowed.

    Notebook: 10_style_lab.ipynb
    """
    path = Path(path)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        content, style, *more = (
            _cut(part) for part in (kept["content"], kept["style"], *kept.get("more", ()))
        )
        weights = tuple(1.0 * weight for weight in kept.get("weights", ()))
        delivery = Delivery(**kept.get("delivery", {}))
        return Recipe(content, style, TransferConfig(**kept["config"]), tuple(more), weights, delivery)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no settings of a result ({type(error).__name__}: {error})") from error
