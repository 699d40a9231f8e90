"""The style lab: any two sounds, one slider, the result beside them."""

import html
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import numpy as np

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import get_pair
from audiostyle.files.one import Part
from audiostyle.files.recipe import Recipe, make_cut
from audiostyle.widgets import parts
from audiostyle.widgets.jobs import Latest, Ticket
from audiostyle.widgets.player import SyncPlayer
from audiostyle.widgets.renders import described, render
from audiostyle.widgets.saving import Saving
from audiostyle.widgets.source import SoundSource, load

PREVIEW_SECONDS = 3.0
# Near balance 1 the optimiser goes on for hundreds; what is left of the style loss falls little after these.
_PREVIEW_ITER = 60
# The slider must rest this long before a preview is made.
_REST_SECONDS = 0.4
_DEFAULT = TransferConfig()
# Methods by name: the text of the choice, and the settings it stands for.
_METHODS = {
    "matched": ("matched timbre (seconds)", TransferConfig("matched")),
    "gram": ("Gram matrix (seconds)", TransferConfig("gram")),
    "paper": ("paper: random filters (minutes)", TransferConfig.paper()),
}
_NUMBERS = {
    "n_filters": ("Random filters", "Filters of the paper's method, which has 4096", 16, 8192),
    "kernel_size": ("Kernel size (frames)", "Frames a filter spans; one frame is 46 ms", 1, 32),
    "n_iter": ("Most iterations", "The optimiser often ends earlier, when nothing improves", 1, 2000),
    "seed": ("Seed", "Seeds random filters and initial phase", 0, 2**31 - 1),
}
_SLOTS = {"content": "Content", "style": "Style", "result": "Result", "previous": "Previous result"}


class _Chosen(NamedTuple):
    """What the controls say at one moment."""

    content: Part
    style: Part
    config: TransferConfig
    preview: bool


class StyleLab(parts.Shown):
    """Transfer the style of any sound to any other and hear it.

    The `controls` are settings by their names in `TransferConfig`, and the buttons ``run``, ``stop`` and ``play``.
    `result` and `previous` are a `Recipe` and what was `Rendered` from it.

    Parameters
    ----------
    folder : path or None
        Where results are saved; None takes ``results/saved``.

    Notebook: 11_style_lab.ipynb
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        pair = get_pair("instrument-1", "bundled")
        self.content = SoundSource("Content", pair.content_clip)
        self.style = SoundSource("Style", pair.style_clip)
        self.controls = self._make_controls()
        remote = f"as-{self.controls['play'].model_id}"
        self.controls["play"].add_class(remote)
        self.status = parts.Status(label="Transfer")
        self.status.say(f"Moving the balance previews {PREVIEW_SECONDS:g} s; “Run” transfers the whole cut.")
        self.player = SyncPlayer("Content, style and results", _SLOTS, remote=remote)
        self.code = ipywidgets.HTML()
        self.result = self.previous = self._shown = self._running = None
        self._by_code = False
        self.saving = Saving(paths.results_root() / "saved" if folder is None else Path(folder))
        self._runs, self._shows = Latest(self._fail), Latest(self._fail)
        for name, control in self._settings().items():
            control.observe(lambda _change, name=name: self._on_setting(name), "value")
        for source in (self.content, self.style):
            source.observe(lambda _change: self._on_source(), "version")
        # A change of ipywidgets' own controls while the page opens would be lost.
        resent = (self.controls["stop"], self.code, self.saving.controls["name"])
        self.status.on_msg(lambda *_: [control.send_state() for control in resent])
        self._on_setting()
        self._show_code()
        self._show_inputs(Ticket())
        self.view = self._layout()

    def select(self, **values: object) -> None:
        """Choose ``content`` and ``style`` (names of clips, or paths), ``method`` and settings; previews nothing.

        Raises a ValueError if a sound cannot be read, or a setting is unknown or out of range.
        """
        for name in {"content", "style"} & set(values):
            getattr(self, name).select(values.pop(name))
        self._by_code = True
        try:
            parts.put(self._settings(), values)
        finally:
            self._by_code = False

    def config(self, *, preview: bool = False) -> TransferConfig:
        """Return the settings of the controls; a preview makes do with 60 iterations."""
        values = {name: control.value for name, control in self._settings().items()}
        if preview:
            values["n_iter"] = min(values["n_iter"], _PREVIEW_ITER)
        return replace(_METHODS[values.pop("method")][1], **values)

    def recipe(self, chosen: _Chosen | None = None) -> Recipe:
        """Return sounds, cuts and settings of the controls, now or when they were chosen."""
        chosen = chosen or self._chosen(preview=False)
        sources = ((self.content, chosen.content), (self.style, chosen.style))
        cuts = [make_cut(*cut, uploaded=source.is_upload(cut.path)) for source, cut in sources]
        return Recipe(*cuts, chosen.config)

    def run(self, *, preview: bool = False) -> None:
        """Transfer in the background what the controls say now, or a preview of it; `wait` waits for it."""
        chosen = self._begin(preview)
        self._runs.submit(lambda ticket: self._transfer(ticket, chosen))

    def stop(self) -> None:
        """End the running transfer with the best result so far."""
        if self._runs.stop():
            self.status.say("Stopping: the sound of the best so far is being made…", "busy", progress=-1.0)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; return whether that came true within `timeout` seconds."""
        return all(
            [jobs.wait(timeout) for jobs in (self.content.jobs, self.style.jobs, self._shows, self._runs)]
        )

    # What the controls do

    def _make_controls(self) -> parts.Controls:
        methods = [(words, name) for name, (words, _) in _METHODS.items()]
        tooltip = "0 keeps the content, 0.5 matches the timbre (Gram matrix: weighs both), 1 takes the style"
        controls = {
            "method": parts.dropdown("Method", "Filter the content, or optimise as the paper does", methods),
            "balance": parts.Slider(description="Balance", tooltip=tooltip, value=_DEFAULT.balance),
            "run": parts.button("Run", "Transfer the whole cut", self.run, primary=True),
            "stop": parts.button("Stop", "End now and keep the best so far", self.stop),
            # Sound must begin within the click: the player's script listens to this button itself.
            "play": parts.button(
                "▶ Play", "Play or pause (in the player: space)", lambda: None, primary=True
            ),
        }
        for name, (words, tooltip, low, high) in _NUMBERS.items():
            controls[name] = parts.whole_number(words, tooltip, getattr(_DEFAULT, name), low, high)
        controls["stop"].disabled = True
        return parts.named(controls)

    def _settings(self) -> parts.Controls:
        return {name: self.controls[name] for name in ("method", "balance", *_NUMBERS)}

    def _on_setting(self, changed: str = "") -> None:
        paper = self.controls["method"].value == "paper"
        self.controls["n_filters"].disabled = not paper
        self._mark()
        # Random filters take too long to be asked for by a movement, and a run is not given up for a preview.
        free = not paper and (self._running is None or self._running.preview)
        if changed in ("balance", "method") and free and not self._by_code:
            self._runs.submit(self._preview)

    def _on_source(self) -> None:
        self._mark()
        self._shows.submit(self._show_inputs)

    def _mark(self) -> bool:
        """Say, and return, whether the result that is shown is of other than what the controls say."""
        stale = self._shown is not None and self._chosen(self._shown.preview) != self._shown
        self.player.mark("result", stale=stale)
        return stale

    def _preview(self, ticket: Ticket) -> None:
        stopped = ticket.ended.wait(_REST_SECONDS)
        if ticket.superseded:
            return
        if not stopped and self._shown is not None and not self._mark():
            self._finish("The result is of these settings.")
        else:
            self._transfer(ticket, self._begin(preview=True))

    def _begin(self, preview: bool) -> _Chosen:
        self._running = self._chosen(preview)
        self.controls["stop"].disabled = False
        self.status.say("Reading the sounds…", "busy", progress=-1.0)
        return self._running

    def _finish(self, message: str) -> None:
        self._running = None
        self.controls["stop"].disabled = True
        self.status.say(message)

    def _fail(self, error: Exception) -> None:
        self._finish("")
        self.status.fail(error)

    def _chosen(self, preview: bool) -> _Chosen:
        content = self.content.cut
        if preview:
            content = content._replace(duration=min(content.duration, PREVIEW_SECONDS))
        return _Chosen(content, self.style.cut, self.config(preview=preview), preview)

    def _transfer(self, ticket: Ticket, chosen: _Chosen) -> None:
        if ticket.stopped:
            self._finish("Stopped.")
            return
        began, recipe = time.perf_counter(), self.recipe(chosen)
        content, style, form = load(chosen.content, chosen.style)
        rendered, made = render(content, style, form.sr, chosen.config, self._follow(ticket))
        if ticket.superseded:
            return
        if self.result is not None:
            self.previous = self.result
            self.player["previous"] = self.player["result"]
        self.result, self._shown = (replace(recipe, config=rendered.config), rendered), chosen
        self._show_result(content, style, form.sr)
        self.saving.hold(*self.result, form.subtype, preview=chosen.preview)
        how = "Stopped; the best so far is shown" if ticket.stopped else "Done"
        what = f"{rendered.y.shape[-1] / rendered.sr:.1f} s of {'preview' if chosen.preview else 'sound'}"
        self._finish(f"{how}: {what} after {time.perf_counter() - began:.1f} s. {made.level_note}")

    def _follow(self, ticket: Ticket) -> Callable[[int, dict, object], bool]:
        """Return a callback that reports progress four times a second and ends when asked to.

        A stop ends the optimisation and lets the phase be finished, so that `n_iter` makes the same sound again.
        """
        first, said, stopped = None, 0.0, False

        def follow(iteration: int, losses: dict, _S: object) -> bool:
            nonlocal first, said, stopped
            first, now = first or losses["style"] or 1.0, time.perf_counter()
            if now - said > 0.25 and not ticket.stopped:
                said, share = now, losses["style"] / first
                text = f"Iteration {iteration}: style loss at {share:.0%} of the start."
                self.status.say(text, "busy", progress=-1.0)
            ends, stopped = ticket.superseded or (ticket.stopped and not stopped), ticket.stopped
            return ends

        return follow

    # What the page shows

    def _show_inputs(self, ticket: Ticket) -> None:
        content, style, form = load(self.content.cut, self.style.cut)
        if not ticket.superseded:
            self._show_pair(content, style, form.sr)

    def _show_pair(self, content: np.ndarray, style: np.ndarray, sr: int) -> tuple[float, float]:
        notes = {name: getattr(self, name).cut.path.name for name in ("content", "style")}
        shown, whole = (y.shape[-1] / sr for y in (content, style))
        if whole > shown:
            notes["style"] += f", first {shown:.1f} of {whole:.1f} s"
        return self.player.show_sources(content, style, sr, notes)

    def _show_result(self, content: np.ndarray, style: np.ndarray, sr: int) -> None:
        reference, gain = self._show_pair(content, style, sr)
        made, config = self.result[1], self.result[1].config
        note = [f"balance {config.balance:.2f}"]
        note += [f"preview of {self._shown.content.duration:.3g} s"] if self._shown.preview else []
        note += [{"infinite": "Gram matrix", "random": "paper"}[config.encoder]] * (config.method == "gram")
        note = " · ".join([*note, described(made)])
        self.player.show("result", made.y * gain, made.sr, reference=reference, note=note)
        self._mark()
        self._show_code()
        if self.previous is None:
            self.player.heard = 2

    def _show_code(self) -> None:
        recipe = self.result[0] if self.result else self.recipe()
        label = "Python that makes the result"
        self.code.value = f'<pre tabindex="0" aria-label="{label}">{html.escape(recipe.python())}</pre>'

    def _layout(self) -> ipywidgets.Widget:
        c = self.controls
        buttons = parts.box(c["run"], c["stop"], c["play"], name="as-buttons")
        strip = parts.box(parts.box(c["method"], c["balance"]), buttons, name="as-strip")
        settings = parts.box(*(c[name] for name in _NUMBERS))
        return parts.box(
            parts.box(self.content.view, self.style.view, name="as-cards"),
            parts.box(strip, self.status, name="as-sticky as-form"),
            self.player,
            *parts.folded("More settings", parts.box(settings, name="as-form")),
            *(ipywidgets.HTML("<h2>Keep the result</h2>"), self.saving.view),
            *(ipywidgets.HTML("<h2>The same from code</h2>"), self.code),
            name="as-lab",
        )
