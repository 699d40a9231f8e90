"""Keeping a result of the style lab: downloaded by the browser, or saved in a folder with its settings."""

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import ipywidgets
import numpy as np

from audiostyle.files.recipe import Recipe, as_dict, as_text, save_with_recipe
from audiostyle.widgets.parts import Status, box, button, dropdown, named

FORMATS = ("wav", "flac", "aiff", "ogg", "mp3")
# What a result is made of, the sound, its sample rate in Hz, and how the content's samples were kept.
Result = tuple[Recipe, np.ndarray, int, str | None]


class Saving:
    """Controls that keep a result, at the content's sample rate, channels and bits.

    Parameters
    ----------
    folder : pathlib.Path
        Where results are saved.
    result : callable
        ``result() -> (recipe, y, sr, subtype)`` of what is to be kept; raises a ValueError where there is nothing.

    Attributes
    ----------
    view : ipywidgets.Widget
        What to display.
    controls : dict
        ``name``, ``format`` and the buttons ``download``, ``recipe``, ``save``.
    """

    def __init__(self, folder: Path, result: Callable[[], Result]) -> None:
        self._folder, self._result = folder, result
        about = "WAV, FLAC and AIFF keep every sample; OGG and MP3 are a tenth as large"
        fields = {
            "name": ipywidgets.Text(
                "result", description="Name", tooltip="File name without folder and suffix"
            ),
            "format": dropdown("Format", about, [(name.upper(), name) for name in FORMATS]),
        }
        actions = {
            "download": ("Download", "Hand the sound to the browser", self.download),
            "recipe": (
                "Download settings",
                "Settings that make the sound again, as JSON",
                self.download_recipe,
            ),
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

    def suggest(self, recipe: Recipe, *, preview: bool) -> None:
        """Name what is to be kept after what it was made of."""
        stems = "__".join(Path(cut.path).stem.lstrip(".")[:40] for cut in (recipe.content, recipe.style))
        end = "_preview" if preview else ""
        self.controls["name"].value = f"{stems}_balance{recipe.config.balance:.2f}{end}"

    def download(self) -> None:
        """Hand the sound to the browser; raises as `save`."""
        result, name = self._result(), self._name()
        with tempfile.TemporaryDirectory(prefix="audiostyle-") as folder:
            sound, _ = self._write(Path(folder) / name, result)
            self.status.download(name, sound.read_bytes())
        self.status.say(f"Downloaded {name}.")

    def download_recipe(self) -> None:
        """Hand the settings that make the result again to the browser; raises as `save`."""
        recipe, name = self._result()[0], Path(self._name()).with_suffix(".json").name
        self.status.download(name, as_text(as_dict(recipe)).encode())
        self.status.say(f"Downloaded {name}; “audiostyle transfer --recipe” makes the sound again from it.")

    def save(self) -> Path:
        """Write the sound and its settings into the folder, numbered where the name is taken; return the sound file.

        Raises
        ------
        ValueError
            If there is no result, or the name is empty or holds a path.
        """
        result, name = self._result(), self._name()
        self._folder.mkdir(parents=True, exist_ok=True)
        sound, settings = self._write(_free(self._folder / name), result)
        self.status.say(f"Saved {sound.name} and {settings.name} in {self._folder}.")
        return sound

    def _write(self, path: Path, result: Result) -> tuple[Path, Path]:
        recipe, y, sr, subtype = result
        return save_with_recipe(path, y, sr, recipe, subtype=subtype)

    def _name(self) -> str:
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
