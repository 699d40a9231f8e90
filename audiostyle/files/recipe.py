"""Everything that makes a result, kept beside the sound, and as code to copy."""

import json
import os
import re
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

from audiostyle import __version__
from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import clips, locate
from audiostyle.files.one import Delivery, Part, Sources
from audiostyle.sound.write import save_audio
from audiostyle.system import sha256, whole_file


@dataclass(frozen=True)
class Cut:
    """A part of a sound file, and its checksum: seconds to skip, and to read; None reads to the end.

    The path is relative to the repository for a bundled clip, a bare name for an upload.
    """

    path: str
    sha256: str
    start: float = 0.0
    duration: float | None = None

    def find(self, folder: str | os.PathLike = ".") -> Path:
        """Return where the file lies: here, in a folder, in the repository, or among the clips of the registry.

        A FileNotFoundError says that it is in none of these, a ValueError that what is there is not the file it was.
        """
        places = [Path(), Path(folder), *filter(None, [paths.checkout()])]
        tried = [place / self.path for place in places] + [Path(folder) / Path(self.path).name]
        # Clips of the registry lie elsewhere on another machine.
        tried += [locate(clip) for clip in clips() if clip.sha256 == self.sha256]
        found = [path for path in tried if path.is_file()]
        if not found:
            raise FileNotFoundError(
                f"{self.path} does not exist; put {Path(self.path).name} beside the settings, or name the file"
            )
        same = [path for path in found if sha256(path) == self.sha256]
        if not same:
            raise ValueError(f"{found[0]} is not the file the result was made from: its checksum differs")
        return same[0]


@dataclass(frozen=True)
class Recipe:
    """What a result is made of: clips, settings, what was pooled with the style, how it is written."""

    content: Cut
    style: Cut
    config: TransferConfig
    more: tuple[Cut, ...] = ()
    delivery: Delivery = field(default_factory=Delivery)

    def sources(self, folder: str | os.PathLike = ".") -> Sources:
        """Return the files, each found as `Cut.find` does."""
        content, *styles = (
            Part(cut.find(folder), cut.start, cut.duration) for cut in (self.content, self.style, *self.more)
        )
        return Sources(content, tuple(styles))

    def python(self, output: str = "result.wav") -> str:
        """Return Python code that makes the result again."""
        changed = ", ".join(f"{name}={value!r}" for name, value in _changed(self.config).items())
        content, *styles = (
            f"Part({cut.path!r}, {cut.start:.10g}, {cut.duration})"
            for cut in (self.content, self.style, *self.more)
        )
        asked = zip(("rate", "channels", "subtype"), astuple(self.delivery), strict=True)
        delivery = ", ".join(f"{name}={value!r}" for name, value in asked if value is not None)
        return "\n".join(
            [
                "from audiostyle import TransferConfig",
                "from audiostyle.files.one import Delivery, Part, Sources, transfer_files",
                "",
                f"sources = Sources({content}, ({', '.join(styles)},))",
                f"config = TransferConfig({changed})",
                f"transfer_files(sources, {output!r}, config, delivery=Delivery({delivery}))",
            ]
        )


def _changed(config: TransferConfig) -> dict[str, object]:
    """Return the settings that must be given: those that the method and the encoder do not lead to."""
    defaults = asdict(TransferConfig(encoder=config.encoder))
    given = {name: value for name, value in asdict(config).items() if value != defaults[name]}
    return given | ({"encoder": config.encoder} if config.encoder != TransferConfig().encoder else {})


def make_cut(path: Path, start: float = 0.0, duration: float | None = None, *, uploaded: bool = False) -> Cut:
    """Describe a part of a file; an upload by its bare name, a file of the repository relative to it."""
    shown = path.name if uploaded else str(path)
    repository = paths.checkout()
    if repository is not None and not uploaded and path.is_relative_to(repository):
        shown = path.relative_to(repository).as_posix()
    return Cut(shown, sha256(path), round(start, 6), None if duration is None else round(duration, 6))


def save_with_recipe(
    path: str | os.PathLike, y, sr: int, recipe: Recipe, *, subtype: str | None = None
) -> tuple[Path, Path]:
    """Write a sound as `audiostyle.sound.write.save_audio`, and its settings beside it as ``<name>.json``."""
    sound = save_audio(path, y, sr, subtype=subtype)
    return sound, write_settings(sound.with_suffix(".json"), as_dict(recipe))


def write_settings(path: Path, made_of: dict) -> Path:
    """Write a dictionary as JSON."""
    with whole_file(path) as temporary:
        temporary.write_text(as_text(made_of), encoding="utf-8")
    return path


def as_text(made_of: dict) -> str:
    """Return a dictionary, such as that of a recipe, as the JSON that `load_recipe` reads."""
    # A name that is not UTF-8 has half characters, which only escapes can hold.
    text = json.dumps(made_of, indent=2, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text) + "\n"


def as_dict(recipe: Recipe) -> dict:
    """Return a recipe as a dictionary that JSON can hold."""
    return {"audiostyle": __version__} | asdict(recipe)


def load_recipe(path: str | os.PathLike) -> Recipe:
    """Read the settings that `save_with_recipe` wrote; what is none of these is a ValueError.

    Notebook: 11_style_lab.ipynb
    """
    path = Path(path)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        content, style, *more = (
            _cut(part) for part in (kept["content"], kept["style"], *kept.get("more", ()))
        )
        delivery = Delivery(**kept.get("delivery", {}))
        return Recipe(content, style, TransferConfig(**kept["config"]), tuple(more), delivery)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no settings of a result ({type(error).__name__}: {error})") from error


def _cut(kept: dict) -> Cut:
    """Return a cut whose values have the types they should have, which JSON does not see to."""
    cut = Cut(**kept)
    duration = None if cut.duration is None else 1.0 * cut.duration
    return Cut("" + cut.path, "" + cut.sha256, 1.0 * cut.start, duration)
