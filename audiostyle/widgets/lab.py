"""The style lab: any two sounds, all the knobs, the result in seconds."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import numpy as np

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import get_pair
from audiostyle.sound.audio import set_level
from audiostyle.sound.levels import rms
from audiostyle.spectrogram import magnitudes
from audiostyle.studies.recipe import Recipe, make_cut, save_with_recipe
from audiostyle.studies.renders import QUICK_PHASE, Rendered, add_numbers, render
from audiostyle.widgets.form import Form, Snippets, button, choice, describe, html_table, number, slider, text
from audiostyle.widgets.jobs import Latest, Ticket
from audiostyle.widgets.player import Slot, SyncPlayer
from audiostyle.widgets.source import Sound, SoundSource, load_cut

PREVIEW_SECONDS = 3.0
# What is left of the style loss falls little after these, and near balance 1 the optimiser goes on for hundreds:
# 10 s of sound then take some 4 s of one core instead of 8, the preview half a second.
_RUN_ITER = 100
_PREVIEW_ITER = 60
_DEFAULT = TransferConfig()
_PHASES = {
    "polish": {},
    "quick": QUICK_PHASE,
    "paper": {"phase": "griffin_lim"},
    "samples": {"unknowns": "samples"},
}
_SETTINGS = ("balance", "encoder", "n_filters", "kernel_size", "n_iter", "seed")
_MIME = {"wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac"}
_ROWS = (
    ("style_share_limit", "style loss left (1 = content)", "{:.3f}"),
    ("chroma_similarity", "chroma similarity to the content", "{:.2f}"),
    ("mfcc_distance", "MFCC distance to the style", "{:.1f}"),
    ("iterations", "iterations", "{:.0f}"),
    ("seconds", "seconds of computing", "{:.1f}"),
)


class _Chosen(NamedTuple):
    """What the controls say at one moment: of each sound the sound, start and length of its cut in seconds."""

    content: tuple[Sound, float, float]
    style: tuple[Sound, float, float]
    config: TransferConfig


class StyleLab:
    """Transfer the style of any sound to any other and hear it.

    Parameters
    ----------
    folder : path or None
        Where results are saved; None takes ``results/saved``.

    Attributes
    ----------
    view : ipywidgets.Widget
        What to display.
    content, style : SoundSource
    player : SyncPlayer
        Content, style, result and the result before it.

    Notebook: 10_style_lab.ipynb
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = Path(folder) if folder is not None else paths.results_root() / "saved"
        pair = get_pair("instrument-1", "bundled")
        self.content = SoundSource("Content", pair.content_clip)
        self.style = SoundSource("Style", pair.style_clip)
        self.settings = _settings_form()
        self.saving = _saving_form()
        self.player = SyncPlayer(
            "Content, style and results",
            [
                Slot("content", "Content"),
                Slot("style", "Style"),
                Slot("result", "Result", empty="Press “Run” or “Preview”."),
                Slot("previous", "Previous result", empty="The result before the last one will stand here."),
            ],
        )
        self.numbers = ipywidgets.HTML()
        self.snippets = Snippets()
        self.result: tuple[Recipe, Rendered] | None = None
        self.previous: tuple[Recipe, Rendered] | None = None
        self._runs = Latest(self._fail)
        self._shows = Latest(self._fail)
        self._connect()
        self._show_numbers()
        self._show_snippets()
        self._show_inputs(Ticket())
        self.view = self._layout()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)

    def select(self, *, content: str | None = None, style: str | None = None, **values: object) -> None:
        """Choose sounds (names of clips, or paths) and settings by name.

        Raises
        ------
        ValueError, FileNotFoundError
            If a sound cannot be read, or a setting is unknown or out of range.
        """
        if content is not None:
            self.content.select(content)
        if style is not None:
            self.style.select(style)
        self.settings.update(**values)

    def config(self, *, preview: bool = False) -> TransferConfig:
        """Return the settings of the controls; a preview makes do with 60 iterations and quick phase."""
        values = self.settings.values
        phase = "quick" if preview and values["phase"] == "polish" else values["phase"]
        chosen = {name: values[name] for name in _SETTINGS}
        for name in ("n_filters", "kernel_size", "n_iter", "seed"):
            chosen[name] = int(chosen[name])
        if preview:
            chosen["n_iter"] = min(chosen["n_iter"], _PREVIEW_ITER)
        return TransferConfig(**chosen, **_PHASES[phase])

    def recipe(self, *, preview: bool = False) -> Recipe:
        """Return sounds, cuts and settings of the controls; a preview takes 3 s of the content."""
        return self._recipe(self._chosen(preview))

    def run(self, *, preview: bool = False) -> None:
        """Transfer in the background what the controls say now; `wait` waits for it."""
        self.settings.disabled = [name for name in self.settings.disabled if name != "stop"]
        self.settings.say("Reading the sounds…", "busy", progress=-1.0)
        chosen = self._chosen(preview)
        self._runs.submit(lambda ticket: self._transfer(ticket, chosen))

    def stop(self) -> None:
        """End the running transfer with the best result so far."""
        if self._runs.busy:
            self.settings.say("Stopping: the sound of the best so far is being made…", "busy", progress=-1.0)
        self._runs.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; returns whether that came true within `timeout` seconds."""
        parts = (self.content, self.style, self._shows, self._runs)
        return all([part.wait(timeout) for part in parts])

    def save(self, name: str | None = None, audio_format: str | None = None) -> Path:
        """Write the result and its settings into the folder of results; returns the sound file.

        Raises
        ------
        ValueError
            If there is no result, the name is empty or holds a path, or the format is none of wav, ogg and flac.
        """
        name = (self.saving["name"] if name is None else name).strip()
        audio_format = audio_format or self.saving["format"]
        if self.result is None:
            raise ValueError("there is no result to save yet; press “Run”")
        if not name or Path(name).name != name or name.startswith("."):
            raise ValueError(f"name={name!r} is not allowed; give a plain file name without a folder")
        if audio_format not in _MIME:
            raise ValueError(
                f"audio_format={audio_format!r} is not allowed; it must be one of {', '.join(_MIME)}"
            )
        recipe, rendered = self.result
        self._folder.mkdir(parents=True, exist_ok=True)
        sound, settings = save_with_recipe(
            self._folder / f"{name}.{audio_format}", rendered.y, rendered.sr, recipe
        )
        self.saving.say(f"Saved {sound.name} and {settings.name} in {self._folder}.")
        self.saving.offer(sound.name, sound.read_bytes(), _MIME[audio_format])
        self.saving.offer(settings.name, settings.read_bytes(), "application/json", first=False)
        return sound

    # What the controls do

    def _connect(self) -> None:
        self.settings.on_press("run", self.run)
        self.settings.on_press("preview", lambda: self.run(preview=True))
        self.settings.on_press("stop", self.stop)
        self.settings.observe(self._on_settings, "values")
        self.saving.on_press("save", self._on_save)
        for source in (self.content, self.style):
            source.observe(self._on_source, "version")

    def _on_settings(self, _change: dict) -> None:
        idle = {"n_filters"} if self.settings["encoder"] == "infinite" else set()
        kept = [name for name in self.settings.disabled if name != "n_filters"]
        self.settings.disabled = sorted({*kept, *idle})
        self._show_snippets()

    def _on_source(self, _change: dict) -> None:
        self._show_snippets()
        self._shows.submit(self._show_inputs)

    def _on_save(self) -> None:
        try:
            self.save()
        except (ValueError, OSError) as error:
            self.saving.say(describe(error), "error")

    def _fail(self, error: Exception) -> None:
        self._finish(describe(error) + ".", "error")

    def _finish(self, message: str, kind: str = "info") -> None:
        self.settings.disabled = sorted({*self.settings.disabled, "stop"})
        self.settings.say(message, kind)

    def _chosen(self, preview: bool) -> _Chosen:
        """Take down what the controls say, all at one moment."""
        (content, start, length), style = (
            (source.sound, source.start, source.length) for source in (self.content, self.style)
        )
        length = min(length, PREVIEW_SECONDS) if preview else length
        return _Chosen((content, start, length), style, self.config(preview=preview))

    def _recipe(self, chosen: _Chosen) -> Recipe:
        cuts = [
            make_cut(sound.path, sound.offset + start, length, uploaded=source.is_upload(sound))
            for source, (sound, start, length) in ((self.content, chosen.content), (self.style, chosen.style))
        ]
        return Recipe(*cuts, chosen.config)

    def _transfer(self, ticket: Ticket, chosen: _Chosen) -> None:
        began = time.perf_counter()
        recipe = self._recipe(chosen)
        content, style = (load_cut(*cut)[0] for cut in (chosen.content, chosen.style))
        follow = self._follow(ticket)
        rendered, result = render(content, style, recipe.config.sr, recipe.config, callback=follow)
        if ticket.superseded:
            return
        recipe = Recipe(recipe.content, recipe.style, rendered.config)
        self.previous, self.result = self.result, (recipe, rendered)
        self._show_result(content, style)
        took = time.perf_counter() - began
        how = "Stopped; the best so far is shown" if result.reason == "callback" else "Done"
        self._finish(
            f"{how}: {len(rendered.y) / rendered.sr:.1f} s of sound after {took:.1f} s, "
            f"{result.n_iter} iterations, {result.style_removed:.0%} of the style loss removed. "
            f"{result.level_note}"
        )
        self.result = (recipe, add_numbers(rendered, content, style))
        if not ticket.superseded:
            self._show_numbers()

    def _follow(self, ticket: Ticket) -> Callable[[int, dict, object], bool]:
        """Return a callback that reports progress four times a second and ends when asked to."""
        state = {"first": None, "said": 0.0}

        def follow(iteration: int, losses: dict, _S: object) -> bool:
            state["first"] = state["first"] or losses["style"] or 1.0
            now = time.perf_counter()
            if now - state["said"] > 0.25 and not ticket.ending:
                state["said"] = now
                share = losses["style"] / state["first"]
                text = (
                    f"Iteration {iteration}: style loss at {share:.0%} of the start. When it falls no more, the "
                    f"sound is made and polished."
                )
                self.settings.say(text, "busy", progress=-1.0)
            return ticket.ending

        return follow

    # What the page shows

    def _show_inputs(self, ticket: Ticket) -> None:
        (content, _), (style, _) = self.content.load(), self.style.load()
        if not ticket.superseded:
            self._show_pair(content, style)

    def _show_pair(self, content: np.ndarray, style: np.ndarray) -> float:
        """Show content and style; returns the magnitude of 0 dB, common to all pictures."""
        level, sr = _DEFAULT.level, _DEFAULT.sr
        shown = {"content": content, "style": style[: len(content)]}
        sounds = {name: set_level(y, level, name=name) for name, y in shown.items()}
        reference = max(float(magnitudes(y).max()) for y in sounds.values())
        for name, source in (("content", self.content), ("style", self.style)):
            note = source.sound.name
            if name == "style" and len(style) > len(content):
                note += f", first {len(content) / sr:.1f} of {len(style) / sr:.1f} s"
            self.player.show(name, sounds[name], sr, reference=reference, note=note)
        return reference

    def _show_result(self, content: np.ndarray, style: np.ndarray) -> None:
        recipe, rendered = self.result
        reference = self._show_pair(content, style)
        gain = recipe.config.level / rms(content)
        self.player.copy_slot("result", "previous")
        self.player.show(
            "result", rendered.y * gain, rendered.sr, reference=reference, note=_note(recipe.config)
        )
        if self.previous is None:
            self.player.heard = 2
        self._show_snippets()

    def _show_numbers(self) -> None:
        columns = [run[1].numbers if run else {} for run in (self.result, self.previous)]
        rows = [
            [label, *(form.format(column[key]) if key in column else "–" for column in columns)]
            for key, label, form in _ROWS
        ]
        self.numbers.value = html_table(rows, ["Numbers of the sound", "result", "previous result"])

    def _show_snippets(self) -> None:
        recipe = self.recipe()
        self.snippets.snippets = [
            {"heading": "Python", "code": recipe.python()},
            {"heading": "Shell", "code": recipe.shell()},
        ]

    def _layout(self) -> ipywidgets.Widget:
        columns = ipywidgets.Layout(
            display="grid",
            grid_template_columns="repeat(auto-fit, minmax(min(360px, 100%), 1fr))",
            grid_gap="12px",
        )
        sources = ipywidgets.Box([self.content, self.style], layout=columns)
        parts = [
            _heading("1 · Two sounds"), sources,
            _heading("2 · Settings"), self.settings,
            _heading("3 · Listen and compare"), self.player, self.numbers,
            _heading("4 · Keep it"), self.saving,
            _heading("5 · The same from code"), self.snippets,
        ]  # fmt: skip
        return ipywidgets.VBox(parts, layout=ipywidgets.Layout(width="100%", overflow="hidden"))


def _heading(words: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f'<h2 style="margin:14px 0 4px;font-size:17px">{words}</h2>')


def _note(config: TransferConfig) -> str:
    width = "infinite width" if config.encoder == "infinite" else f"{config.n_filters} filters"
    return f"balance {config.balance:.2f} · {width} · kernel {config.kernel_size}"


def _settings_form() -> Form:
    fields = [
        slider(
            "balance", "Balance",
            "0 keeps the content, 0.5 matches the timbre (random filters: weighs both), 1 takes the style",
            (0.0, 1.0, 0.01), ends=("content", "style"),
        ),
        choice(
            "encoder", "Encoder", "Random filters as in the paper, or the exact limit of infinitely many",
            [("infinite", "infinite width (seconds)"), ("random", "random filters, as the paper (minutes)")],
        ),
        number("n_filters", "Random filters", "Number of random filters; the paper has 4096", (16, 8192, 1)),
        number("kernel_size", "Kernel size (frames)", "Frames a filter spans; one frame is 46 ms", (1, 32, 1)),
        number("n_iter", "Most iterations", "The optimiser often ends earlier, when nothing improves", (1, 2000, 1)),
        choice(
            "phase", "Phase", "How a sound is made of the magnitudes",
            [
                ("polish", "polished samples"), ("quick", "quick Griffin-Lim (30)"),
                ("paper", "Griffin-Lim (200), as the paper"), ("samples", "samples only: keeps the melody"),
            ],
        ),
        number("seed", "Seed", "Seeds random filters and initial phase; the same seed gives the same samples",
               (0, 2**31 - 1, 1)),
        button("run", "Run", "Transfer the whole cut", primary=True),
        button("preview", f"Preview {PREVIEW_SECONDS:g} s", "Transfer the first 3 s of the cut, coarsely"),
        button("stop", "Stop", "End now and keep the best so far"),
    ]  # fmt: skip
    values = {name: getattr(_DEFAULT, name) for name in _SETTINGS} | {"n_iter": _RUN_ITER, "phase": "polish"}
    form = Form("Settings", fields, values)
    form.disabled = ["n_filters", "stop"]
    form.say("Choose two sounds, then press “Run”.")
    return form


def _saving_form() -> Form:
    fields = [
        text("name", "Name", "File name without a folder and without an ending"),
        choice(
            "format", "Format", "WAV keeps every sample, OGG is a tenth of the size",
            [("wav", "WAV (16 bit)"), ("ogg", "OGG (Vorbis)"), ("flac", "FLAC (16 bit)")],
        ),
        button("save", "Save result and settings", "Write the sound, and beside it the settings that make it again"),
    ]  # fmt: skip
    form = Form("Save", fields, {"name": "result", "format": "wav"}, downloads=True)
    form.say("The settings are written beside the sound, as JSON.")
    return form
