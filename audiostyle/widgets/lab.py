"""The style lab: any two sounds, one slider, the result beside them."""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import numpy as np

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import get_pair
from audiostyle.files.presets import USES, Use
from audiostyle.files.recipe import Recipe, make_cut
from audiostyle.sound.audio import set_level
from audiostyle.sound.levels import rms
from audiostyle.spectrogram import magnitudes
from audiostyle.widgets.form import (
    Form,
    Snippets,
    button,
    choice,
    describe,
    html_table,
    number,
    play_button,
    slider,
)
from audiostyle.widgets.jobs import Latest, Ticket
from audiostyle.widgets.player import Slot, SyncPlayer, analysed
from audiostyle.widgets.renders import Rendered, add_numbers, render
from audiostyle.widgets.saving import Saving
from audiostyle.widgets.source import Sound, SoundSource, load_cut

PREVIEW_SECONDS = 3.0
# Near balance 1 the optimiser goes on for hundreds; what is left of the style loss falls little after these.
_PREVIEW_ITER = 60
# So long the slider must rest before a preview is made.
_REST_SECONDS = 0.4
_DEFAULT = TransferConfig()
_OWN = "own"
_USES = {"any": Use("any two sounds", _DEFAULT), **USES}
_WHOLE = ("n_filters", "kernel_size", "n_iter", "seed")
_SETTINGS = ("balance", "encoder", "phase", *_WHOLE)
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
    preview: bool


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
    controls, settings : Form
        The row that stays in view, with use and balance; and the settings that are folded away.
    player : SyncPlayer
        Content, style, result and the result before it.
    saving : Saving

    Notebook: 10_style_lab.ipynb
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        pair = get_pair("instrument-1", "bundled")
        self.content = SoundSource("Content", pair.content_clip)
        self.style = SoundSource("Style", pair.style_clip)
        player = uuid.uuid4().hex
        self.controls, self.settings = _controls_form(player), _settings_form()
        self.player = SyncPlayer(
            "Content, style and results",
            [
                Slot("content", "Content"),
                Slot("style", "Style"),
                Slot("result", "Result", empty="The result will stand here.", first=True),
                Slot("previous", "Previous result", empty="The result before the last one will stand here."),
            ],
            remote=player,
        )
        self.numbers = ipywidgets.HTML()
        self.snippets = Snippets()
        self.result: tuple[Recipe, Rendered] | None = None
        self.previous: tuple[Recipe, Rendered] | None = None
        self._shown: _Chosen | None = None
        self._shown_before: _Chosen | None = None
        self._running: _Chosen | None = None
        self._by_code = False
        self.saving = Saving(
            Path(folder) if folder is not None else paths.results_root() / "saved", self._kept
        )
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
        """Choose sounds (names of clips, or paths), ``use`` and settings by name; nothing is previewed.

        Raises
        ------
        ValueError, FileNotFoundError
            If a sound cannot be read, or a setting is unknown or out of range.
        """
        if content is not None:
            self.content.select(content)
        if style is not None:
            self.style.select(style)
        self._by_code = True
        try:
            if "use" in values:
                self.controls.update(use=values.pop("use"))
            self._put(values)
        finally:
            self._by_code = False

    def config(self, *, preview: bool = False) -> TransferConfig:
        """Return the settings of the controls; a preview makes do with 60 iterations and no polish."""
        values = self._values
        chosen = {name: int(values[name]) if name in _WHOLE else values[name] for name in _SETTINGS}
        if preview:
            chosen |= {"n_iter": min(chosen["n_iter"], _PREVIEW_ITER), "phase": "griffin_lim"}
        return TransferConfig(**chosen)

    def recipe(self, *, preview: bool = False) -> Recipe:
        """Return sounds, cuts and settings of the controls; a preview takes 3 s of the content."""
        return self._recipe(self._chosen(preview))

    def run(self, *, preview: bool = False) -> None:
        """Transfer in the background what the controls say now; `wait` waits for it."""
        chosen = self._begin(preview)
        self._runs.submit(lambda ticket: self._transfer(ticket, chosen))

    def stop(self) -> None:
        """End the running transfer with the best result so far."""
        if self._runs.busy:
            self.controls.say("Stopping: the sound of the best so far is being made…", "busy", progress=-1.0)
        self._runs.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; returns whether that came true within `timeout` seconds."""
        parts = (self.content, self.style, self._shows, self._runs)
        return all([part.wait(timeout) for part in parts])

    def save(self, name: str | None = None, audio_format: str | None = None) -> Path:
        """Write the result and its settings into the folder of results; returns the sound file.

        A file that is there already is kept, and the new one numbered.

        Raises
        ------
        ValueError
            As `Saving.save`.
        """
        return self.saving.save(name, audio_format)

    # What the controls do

    @property
    def _values(self) -> dict:
        return {**self.controls.values, **self.settings.values}

    def _put(self, values: dict) -> None:
        """Set controls of either form by name."""
        own = {name: value for name, value in values.items() if name in self.controls.values}
        self.settings.update(**{name: value for name, value in values.items() if name not in own})
        self.controls.update(**own)

    def _connect(self) -> None:
        self.controls.on_press("run", self.run)
        self.controls.on_press("stop", self.stop)
        self.settings.on_press("preview", lambda: self.run(preview=True))
        self.controls.observe(self._on_controls, "values")
        self.settings.observe(lambda _change: self._on_settings(), "values")
        for source in (self.content, self.style):
            source.observe(self._on_source, "version")

    def _on_controls(self, change: dict) -> None:
        changed = {name for name, value in change["new"].items() if change["old"].get(name) != value}
        use = self.controls["use"]
        if "use" in changed and use in _USES:
            wanted = _values_of(_USES[use].config)
            if any(self._values[name] != value for name, value in wanted.items()):
                self._put(wanted)
        self._on_settings()
        moved = "balance" in changed or ("use" in changed and use in _USES)
        if moved and not self._by_code:
            self._preview_soon()

    def _on_settings(self) -> None:
        self.settings.disabled = ["n_filters"] if self.settings["encoder"] == "infinite" else []
        use = self.controls["use"]
        if use in _USES and not self._fits(use):
            self.controls.update(use=_OWN)
        self._show_snippets()
        self._mark()

    def _fits(self, use: str) -> bool:
        """Whether the settings are those of a use; its balance is where the slider starts, no more."""
        wanted = _values_of(_USES[use].config)
        return all(self.settings[name] == value for name, value in wanted.items() if name != "balance")

    def _on_source(self, _change: dict) -> None:
        self._show_snippets()
        self._mark()
        self._shows.submit(self._show_inputs)

    def _mark(self) -> None:
        """Say of the result that is shown whether it is of what the controls say."""
        self.player.mark("result", stale=self._is_stale())

    def _is_stale(self) -> bool:
        return self._shown is not None and self._chosen(self._shown.preview) != self._shown

    def _preview_soon(self) -> None:
        """Preview once the slider rests; a whole transfer that runs is not given up for it."""
        if self._running is None or self._running.preview:
            self._runs.submit(self._preview)

    def _preview(self, ticket: Ticket) -> None:
        if not ticket.pause(_REST_SECONDS):
            self._give_up(ticket)
            return
        if self._shown is not None and not self._is_stale():
            self._finish("The result is of these settings.")
            return
        self._transfer(ticket, self._begin(preview=True))

    def _give_up(self, ticket: Ticket) -> None:
        """Say that nothing follows, where what was asked for instead was stopped as well."""
        if ticket.stopped:
            self._finish("Stopped.")

    def _begin(self, preview: bool) -> _Chosen:
        self._running = self._chosen(preview)
        self.controls.disabled = []
        self.controls.say("Reading the sounds…", "busy", progress=-1.0)
        return self._running

    def _fail(self, error: Exception) -> None:
        self._finish(describe(error) + ".", "error")

    def _finish(self, message: str, kind: str = "info") -> None:
        self._running = None
        self.controls.disabled = ["stop"]
        self.controls.say(message, kind)

    def _chosen(self, preview: bool) -> _Chosen:
        """Take down what the controls say, all at one moment."""
        (content, start, length), style = (
            (source.sound, source.start, source.length) for source in (self.content, self.style)
        )
        length = min(length, PREVIEW_SECONDS) if preview else length
        return _Chosen((content, start, length), style, self.config(preview=preview), preview)

    def _recipe(self, chosen: _Chosen) -> Recipe:
        cuts = [
            make_cut(sound.path, sound.offset + start, length, uploaded=source.is_upload(sound))
            for source, (sound, start, length) in ((self.content, chosen.content), (self.style, chosen.style))
        ]
        return Recipe(*cuts, chosen.config)

    def _kept(self) -> tuple[Recipe, np.ndarray, int, Path]:
        """Return what there is to keep, and the file its content came from."""
        if self.result is None:
            raise ValueError("there is no result to keep yet; press “Run”")
        recipe, rendered = self.result
        return recipe, rendered.y, rendered.sr, self._shown.content[0].path

    def _transfer(self, ticket: Ticket, chosen: _Chosen) -> None:
        began = time.perf_counter()
        recipe = self._recipe(chosen)
        content, sr = load_cut(*chosen.content)
        style, _ = load_cut(*chosen.style, sr=sr)
        rendered, result = render(content, style, sr, recipe.config, callback=self._follow(ticket))
        if ticket.superseded:
            self._give_up(ticket)
            return
        self._keep_previous()
        self.result = (Recipe(recipe.content, recipe.style, rendered.config), rendered)
        self._shown = chosen
        self._show_result(content, style, sr)
        self.saving.suggest(self.result[0], preview=chosen.preview)
        how = "Stopped; the best so far is shown" if result.reason == "callback" else "Done"
        what = "preview" if chosen.preview else "sound"
        took = time.perf_counter() - began
        self._finish(
            f"{how}: {rendered.y.shape[-1] / rendered.sr:.1f} s of {what} after {took:.1f} s. {result.level_note}"
        )
        self.result = (self.result[0], _numbered(rendered, content, style, sr))
        if not ticket.superseded:
            self._show_numbers()

    def _keep_previous(self) -> None:
        """Let the result become the previous one, but no preview in place of a whole result."""
        if self.result is None or (
            self._shown.preview and self._shown_before and not self._shown_before.preview
        ):
            return
        self.previous, self._shown_before = self.result, self._shown
        self.player.copy_slot("result", "previous")

    def _follow(self, ticket: Ticket) -> Callable[[int, dict, object], bool]:
        """Return a callback that reports progress four times a second and ends when asked to."""
        state = {"first": None, "said": 0.0}

        def follow(iteration: int, losses: dict, _S: object) -> bool:
            state["first"] = state["first"] or losses["style"] or 1.0
            now = time.perf_counter()
            if now - state["said"] > 0.25 and not ticket.ending:
                state["said"] = now
                share = losses["style"] / state["first"]
                text = f"Iteration {iteration}: style loss at {share:.0%} of the start."
                self.controls.say(text, "busy", progress=-1.0)
            return ticket.ending

        return follow

    # What the page shows

    def _show_inputs(self, ticket: Ticket) -> None:
        content, sr = self.content.load()
        style, _ = self.style.load(sr=sr)
        if not ticket.superseded:
            self._show_pair(content, style, sr)

    def _show_pair(self, content: np.ndarray, style: np.ndarray, sr: int) -> float:
        """Show content and style; returns the magnitude of 0 dB, common to all pictures."""
        n_samples = content.shape[-1]
        shown = {"content": content, "style": style[:n_samples]}
        sounds = {name: set_level(y, _DEFAULT.level, name=name) for name, y in shown.items()}
        reference = max(float(magnitudes(analysed(y, sr, _DEFAULT.sr)).max()) for y in sounds.values())
        for name, source in (("content", self.content), ("style", self.style)):
            note = source.sound.name
            if name == "style" and len(style) > n_samples:
                note += f", first {n_samples / sr:.1f} of {len(style) / sr:.1f} s"
            self.player.show(name, sounds[name], sr, reference=reference, note=note)
        return reference

    def _show_result(self, content: np.ndarray, style: np.ndarray, sr: int) -> None:
        recipe, rendered = self.result
        reference = self._show_pair(content, style, sr)
        gain = recipe.config.level / rms(content)
        note = _note(recipe.config, self._shown)
        self.player.show("result", rendered.y * gain, rendered.sr, reference=reference, note=note)
        self._mark()
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
            grid_gap="8px",
            margin="0 0 8px",
            overflow="visible",
        )
        parts = [
            ipywidgets.Box([self.content, self.style], layout=columns),
            self.controls, self.player, self.settings, self.numbers,
            _heading("Keep the result"), self.saving.form,
            _heading("The same from code"), self.snippets,
        ]  # fmt: skip
        view = ipywidgets.VBox(parts, layout=ipywidgets.Layout(width="100%", overflow="visible"))
        view.add_class("as-lab")
        return view


def _heading(words: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f'<div class="as-widget"><h2>{words}</h2></div>')


def _numbered(rendered: Rendered, content: np.ndarray, style: np.ndarray, sr: int) -> Rendered:
    """Return a result with its numbers, which are of one channel at the rate of the configuration."""
    rate = rendered.config.sr
    heard = replace(rendered, y=analysed(rendered.y, rendered.sr, rate), sr=rate)
    numbers = add_numbers(heard, analysed(content, sr, rate), analysed(style, sr, rate)).numbers
    return replace(rendered, numbers=numbers)


def _note(config: TransferConfig, chosen: _Chosen) -> str:
    parts = [f"balance {config.balance:.2f}"]
    if chosen.preview:
        parts.append(f"preview of {chosen.content[2]:.3g} s")
    if config.encoder == "random":
        parts.append(f"{config.n_filters} filters")
    if config.kernel_size != _DEFAULT.kernel_size:
        parts.append(f"kernel {config.kernel_size}")
    return " · ".join(parts)


def _values_of(config: TransferConfig) -> dict:
    """Return the values of the controls that give these settings."""
    return {name: getattr(config, name) for name in _SETTINGS}


def _controls_form(player: str) -> Form:
    uses = [(name, use.label) for name, use in _USES.items()]
    fields = [
        choice("use", "Use", "What the sounds are; sets the balance and what is under “Advanced”",
               [*uses, (_OWN, "own settings")]),
        slider(
            "balance", "Balance",
            "0 keeps the content, 0.5 matches the timbre (random filters: weighs both), 1 takes the style",
            (0.0, 1.0, 0.01), ends=("content", "style"), live=True,
        ),
        button("run", "Run", "Transfer the whole cut", primary=True),
        button("stop", "Stop", "End now and keep the best so far"),
        play_button("play", "▶ Play", "Play or pause (in the player: space)", player),
    ]  # fmt: skip
    form = Form("Transfer", fields, {"use": "any", "balance": _DEFAULT.balance}, strip=True)
    form.disabled = ["stop"]
    form.say("Moving the balance previews 3 s; “Run” transfers the whole cut.")
    return form


def _settings_form() -> Form:
    fields = [
        choice(
            "encoder", "Encoder", "Random filters as in the paper, or the exact limit of infinitely many",
            [("infinite", "infinite width (seconds)"), ("random", "random filters (minutes)")],
        ),
        number("n_filters", "Random filters", "Number of random filters; the paper has 4096", (16, 8192, 1)),
        number("kernel_size", "Kernel size (frames)", "Frames a filter spans; one frame is 46 ms", (1, 32, 1)),
        number("n_iter", "Most iterations", "The optimiser often ends earlier, when nothing improves", (1, 2000, 1)),
        choice(
            "phase", "Phase", "How a sound is made of the magnitudes",
            [("polish", "polished samples"), ("griffin_lim", "Griffin-Lim, as the paper")],
        ),
        number("seed", "Seed", "Seeds random filters and initial phase; the same seed gives the same samples",
               (0, 2**31 - 1, 1)),
        button("preview", f"Preview {PREVIEW_SECONDS:g} s", "Transfer the first 3 s of the cut, coarsely"),
    ]  # fmt: skip
    values = _values_of(_DEFAULT)
    del values["balance"]
    form = Form("Settings", fields, values, status=False, fold="Advanced")
    form.disabled = ["n_filters"]
    return form
