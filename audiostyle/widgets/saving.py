"""Keeping a result of the style lab: downloaded by the browser, or saved in a folder with its settings."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np

from audiostyle.studies.recipe import Recipe, as_dict, as_text, save_with_recipe
from audiostyle.widgets.form import Form, button, choice, describe, text

# Format: what the page calls it, its type on the web, and the kinds of samples it holds, as libsndfile calls them.
_FORMATS = {
    "wav": ("WAV", "audio/wav", ("PCM_16", "PCM_24", "FLOAT")),
    "flac": ("FLAC", "audio/flac", ("PCM_16", "PCM_24")),
    "aiff": ("AIFF", "audio/aiff", ("PCM_16", "PCM_24", "FLOAT")),
    "ogg": ("OGG", "audio/ogg", ("VORBIS",)),
    "mp3": ("MP3", "audio/mpeg", ("MPEG_LAYER_III",)),
}
_BITS = {
    "PCM_16": "16 bit", "PCM_24": "24 bit", "FLOAT": "32 bit float", "VORBIS": "compressed",
    "MPEG_LAYER_III": "compressed",
}  # fmt: skip
_RATES = (22050, 44100, 48000, 96000)
_CHANNELS = (1, 2)
_SAME = "same"
Result = tuple[Recipe, np.ndarray, int]


class Saving:
    """Controls that keep a result.

    Parameters
    ----------
    folder : pathlib.Path
        Where results are saved.
    result : callable
        ``result() -> (recipe, y, sr)`` of what is to be kept; raises a ValueError where there is nothing.

    Attributes
    ----------
    form : Form
        What to display.
    """

    def __init__(self, folder: Path, result: Callable[[], Result]) -> None:
        self._folder, self._result = folder, result
        self.form = Form("Keep the result", _fields("wav"), {
            "name": "result", "format": "wav", "subtype": "PCM_16", "rate": _SAME, "channels": _SAME,
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
        recipe, y, sr = self._result()
        name = f"{self._name()}.{self._format()}"
        with tempfile.TemporaryDirectory(prefix="audiostyle-") as folder:
            sound, _ = self._write(Path(folder) / name, recipe, y, sr)
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
        recipe, y, sr = self._result()
        name, audio_format = self._name(name), self._format(audio_format)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = _numbered(self._folder / f"{name}.{audio_format}")
        sound, settings = self._write(path, recipe, y, sr)
        self.form.say(f"Saved {sound.name} and {settings.name} in {self._folder}.")
        return sound

    def _write(self, path: Path, recipe: Recipe, y: np.ndarray, sr: int) -> tuple[Path, Path]:
        values = self.form.values
        rate = sr if values["rate"] == _SAME else int(values["rate"])
        if rate != sr:
            y = librosa.resample(y, orig_sr=sr, target_sr=rate)
        if values["channels"] != _SAME:
            y = with_channels(y, int(values["channels"]))
        subtypes = _FORMATS[path.suffix[1:]][2]
        subtype = values["subtype"] if values["subtype"] in subtypes else subtypes[0]
        return save_with_recipe(path, y, rate, recipe, subtype=subtype)

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


def with_channels(y: np.ndarray, n_channels: int) -> np.ndarray:
    """Return a sound with one channel [shape=(n_samples,)], the mean, or with several alike where it has one.

    Examples
    --------
    >>> with_channels(np.array([[1.0, 3.0], [3.0, 5.0]]), 1).tolist()
    [2.0, 4.0]
    >>> with_channels(np.array([1.0, 2.0]), 2).shape
    (2, 2)
    """
    if n_channels == 1:
        return y if y.ndim == 1 else y.mean(axis=0)
    return y if y.ndim == 2 else np.tile(y, (n_channels, 1))


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
               [(_SAME, "as the result"), *((str(rate), f"{rate:,} Hz".replace(",", " ")) for rate in _RATES)]),
        choice("channels", "Channels", "Mono is the mean of the channels; stereo of a mono result has both alike",
               [(_SAME, "as the result"), ("1", "mono"), ("2", "stereo")]),
        button("download", "Download", "Hand the sound to the browser, for its downloads", primary=True),
        button("recipe", "Download settings", "The settings that make the sound again, as JSON"),
        button("save", "Save in the results folder", "Write the sound and its settings; no file is overwritten"),
    ]  # fmt: skip
