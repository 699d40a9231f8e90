"""Keeping a result of the style lab: downloaded by the browser, or saved in a folder with its settings."""

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import ipywidgets

from audiostyle.files.recipe import Recipe, as_dict, as_text, save_with_recipe
from audiostyle.widgets.parts import Status, box, button, dropdown, named
from audiostyle.widgets.renders import Rendered

FORMATS = ("wav", "flac", "aiff", "ogg", "mp3")


class Saving:
    """Controls that keep a result, in a folder or among the browser's downloads, as the content's samples are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._held = folder, None
        about = "WAV, FLAC and AIFF keep every sample; OGG and MP3 are a tenth as large"
        fields = {
            "name": ipywidgets.Text("result", description="Name", tooltip="Without folder and suffix"),
            "format": dropdown("Format", about, [(name.upper(), name) for name in FORMATS]),
        }
        actions = {
            "download": ("Download", "Hand the sound to the browser", self.download),
            "recipe": ("Download settings", "A recipe to make the sound again", self.download_recipe),
            "save": ("Save in the results folder", "Sound and settings; no file is overwritten", self.save),
        }
        buttons = {
            name: button(words, tooltip, lambda action=action: self._try(action), primary=name == "download")
            for name, (words, tooltip, action) in actions.items()
        }
        self.controls = named(fields | buttons)
        self.status = Status(label="Keep the result")
        self.status.say(f"Saved files go to {folder}; none is overwritten.")
        rows = box(*fields.values(), name="as-fields as-wide"), box(*buttons.values(), name="as-buttons")
        self.view = box(*rows, self.status, name="as-form")

    def hold(self, recipe: Recipe, made: Rendered, subtype: str | None, *, preview: bool) -> None:
        """Take the result that can be kept from now on, and name it after what it was made of."""
        self._held = recipe, made, subtype
        stems = "__".join(Path(cut.path).stem.lstrip(".")[:40] for cut in (recipe.content, recipe.style))
        end = "_preview" if preview else ""
        self.controls["name"].value = f"{stems}_balance{recipe.config.balance:.2f}{end}"

    def download(self) -> None:
        """Hand the sound to the browser; raises as `save`."""
        name = self._name()
        with tempfile.TemporaryDirectory(prefix="audiostyle-") as folder:
            sound, _ = self._write(Path(folder) / name)
            self.status.download(name, sound.read_bytes())
        self.status.say(f"Downloaded {name}.")

    def download_recipe(self) -> None:
        """Hand the settings that make the result again to the browser; raises as `save`."""
        name = Path(self._name()).with_suffix(".json").name
        self.status.download(name, as_text(as_dict(self._held[0])).encode())
        self.status.say(f"Downloaded {name}; “audiostyle transfer --recipe” makes the sound again from it.")

    def save(self) -> Path:
        """Write the sound and its settings into the folder, numbered where the name is taken; return the sound file.

        Raises a ValueError if there is no result, or the name is empty or holds a path.
        """
        name = self._name()
        self._folder.mkdir(parents=True, exist_ok=True)
        sound, settings = self._write(_free(self._folder / name))
        self.status.say(f"Saved {sound.name} and {settings.name} in {self._folder}.")
        return sound

    def _write(self, path: Path) -> tuple[Path, Path]:
        recipe, made, subtype = self._held
        return save_with_recipe(path, made.y, made.sr, recipe, subtype=subtype)

    def _name(self) -> str:
        if self._held is None:
            raise ValueError("there is no result to keep yet; press “Run”")
        name = self.controls["name"].value.strip()
        if not name or Path(name).name != name or name.startswith("."):
            raise ValueError(f"name={name!r} is not allowed; give a plain file name without a folder")
        return f"{name}.{self.controls['format'].value}"

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (ValueError, OSError) as error:
            self.status.fail(error)


def _free(path: Path) -> Path:
    """Return the name, or the first with a number behind it, that neither a sound nor settings have yet."""
    names = (path.with_name(f"{path.stem}{f'_{i}' if i > 1 else ''}{path.suffix}") for i in count(1))
    return next(name for name in names if not (name.exists() or name.with_suffix(".json").exists()))
