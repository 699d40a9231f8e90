"""Keeping a result of the style lab: downloaded by the browser, or saved in a folder with its settings."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from audiostyle.files.one import Delivery
from audiostyle.files.recipe import Recipe, as_dict, as_text, save_with_recipe
from audiostyle.sound.headers import sound_format
from audiostyle.widgets.form import Form, button, choice, describe, text

_SAME = "same"
# Format: what the page calls it, its type on the web, and the kinds of samples it holds, as libsndfile calls them.
_FORMATS = {
    "wav": ("WAV", "audio/wav", (_SAME, "PCM_16", "PCM_24", "FLOAT")),
    "flac": ("FLAC", "audio/flac", (_SAME, "PCM_16", "PCM_24")),
    "aiff": ("AIFF", "audio/aiff", (_SAME, "PCM_16", "PCM_24", "FLOAT")),
    "ogg": ("OGG", "audio/ogg", ("VORBIS",)),
    "mp3": ("MP3", "audio/mpeg", ("MPEG_LAYER_III",)),
}
_BITS = {
    _SAME: "as the content", "PCM_16": "16 bit", "PCM_24": "24 bit", "FLOAT": "32 bit float", "VORBIS": "compressed",
    "MPEG_LAYER_III": "compressed",
}  # fmt: skip
_RATES = (22050, 44100, 48000, 96000)
_CHANNELS = (1, 2)
# What a result is made of, the sound, its sample rate in Hz, and the content's file.
Result = tuple[Recipe, np.ndarray, int, Path]


class Saving:
    """Controls that keep a result.

    Parameters
    ----------
    folder : pathlib.Path
        Where results are saved.
    result : callable
        ``result() -> (recipe, y, sr, path)`` of what is to be kept and the content's file; raises a ValueError where
        there is nothing.

    Attributes
    ----------
    form : Form
        What to display.
    """

    def __init__(self, folder: Path, result: Callable[[], Result]) -> None:
        self._folder, self._result = folder, result
        self.form = Form("Keep the result", _fields("wav"), {
            "name": "result", "format": "wav", "subtype": _SAME, "rate": _SAME, "channels": _SAME,
        })  # fmt: skip
        self.form.say(f"Saved files go to {folder}; none is overwritten.")
        self.form.observe(self._on_values, "values")
        for name, action in (
            ("download", self.download),
            ("recipe", self.download_recipe),
            ("save", self.save),
        ):
            self.form.on_press(name, lambda action=action: self._try(action))

    def suggest(self, recipe: Recipe, *, preview: bool) -> None:
        """Name what is to be kept after what it was made of."""
        stems = "__".join(Path(cut.path).stem.lstrip(".")[:40] for cut in (recipe.content, recipe.style))
        self.form.update(name=f"{stems}_balance{recipe.config.balance:.2f}{'_preview' if preview else ''}")

    def download(self) -> None:
        """Hand the sound to the browser, in the format chosen.

        Raises
        ------
        ValueError
            If there is no result, or the name or the format is none.
        """
        result = self._result()
        name = f"{self._name()}.{self._format()}"
        with tempfile.TemporaryDirectory(prefix="audiostyle-") as folder:
            sound, _ = self._write(Path(folder) / name, result)
            self.form.download(name, sound.read_bytes(), _FORMATS[self._format()][1])
        self.form.say(f"Downloaded {name}.")

    def download_recipe(self) -> None:
        """Hand the settings that make the result again to the browser.

        Raises
        ------
        ValueError
            If there is no result, or the name is none.
        """
        recipe, name = self._result()[0], f"{self._name()}.json"
        self.form.download(name, as_text(as_dict(recipe)).encode(), "application/json")
        self.form.say(f"Downloaded {name}: “audiostyle transfer --recipe” makes the sound again from it.")

    def save(self, name: str | None = None, audio_format: str | None = None) -> Path:
        """Write the sound and its settings into the folder, numbered where the name is taken; returns the sound file.

        Raises
        ------
        ValueError
            If there is no result, the name is empty or holds a path, or the format is none of those offered.
        """
        result = self._result()
        name, audio_format = self._name(name), self._format(audio_format)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = _numbered(self._folder / f"{name}.{audio_format}")
        sound, settings = self._write(path, result)
        self.form.say(f"Saved {sound.name} and {settings.name} in {self._folder}.")
        return sound

    def _write(self, path: Path, result: Result) -> tuple[Path, Path]:
        recipe, y, sr, content = result
        rate, channels = (
            None if self.form[name] == _SAME else int(self.form[name]) for name in ("rate", "channels")
        )
        subtype = self.form["subtype"]
        given = subtype if subtype in _FORMATS[path.suffix[1:]][2] and subtype != _SAME else None
        delivery = Delivery(rate, channels, given).given(sound_format(content), recipe.config, path)
        y, sr = delivery.apply(y, sr)
        return save_with_recipe(path, y, sr, recipe, subtype=delivery.subtype)

    def _name(self, name: str | None = None) -> str:
        name = (self.form["name"] if name is None else name).strip()
        if not name or Path(name).name != name or name.startswith("."):
            raise ValueError(f"name={name!r} is not allowed; give a plain file name without a folder")
        return name

    def _format(self, audio_format: str | None = None) -> str:
        audio_format = audio_format or self.form["format"]
        if audio_format not in _FORMATS:
            raise ValueError(
                f"audio_format={audio_format!r} is not allowed; it must be one of {', '.join(_FORMATS)}"
            )
        return audio_format

    def _on_values(self, change: dict) -> None:
        audio_format = change["new"]["format"]
        if audio_format == change["old"]["format"] or audio_format not in _FORMATS:
            return
        subtypes = _FORMATS[audio_format][2]
        with self.form.hold_sync():
            self.form.fields = _fields(audio_format)
            if self.form["subtype"] not in subtypes:
                self.form.update(subtype=subtypes[0])

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (ValueError, OSError) as error:
            self.form.say(describe(error), "error")


def _numbered(path: Path) -> Path:
    """Return a name that neither a sound nor its settings have yet: the one given, else with a number behind it."""
    candidate, number = path, 1
    while candidate.exists() or candidate.with_suffix(".json").exists():
        number += 1
        candidate = path.with_name(f"{path.stem}_{number}{path.suffix}")
    return candidate


def _fields(audio_format: str) -> list[dict]:
    return [
        text("name", "Name", "File name without a folder and without an ending", wide=True),
        choice("format", "Format", "WAV, FLAC and AIFF keep every sample; OGG and MP3 are a tenth of the size",
               [(name, words) for name, (words, _, _) in _FORMATS.items()]),
        choice("subtype", "Bits", "How finely each sample is kept",
               [(subtype, _BITS[subtype]) for subtype in _FORMATS[audio_format][2]]),
        choice("rate", "Sample rate", "Resampled where it is not the result's own",
               [(_SAME, "as the content"), *((str(rate), f"{rate:,} Hz".replace(",", " ")) for rate in _RATES)]),
        choice("channels", "Channels", "Mono is the mean of the channels; stereo of a mono result has both alike",
               [(_SAME, "as the content"), ("1", "mono"), ("2", "stereo")]),
        button("download", "Download", "Hand the sound to the browser, for its downloads", primary=True),
        button("recipe", "Download settings", "The settings that make the sound again, as JSON"),
        button("save", "Save in the results folder", "Write the sound and its settings; no file is overwritten"),
    ]  # fmt: skip
