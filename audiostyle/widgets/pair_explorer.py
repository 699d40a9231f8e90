"""Compare the six pairs: content, style and result by ear, eye and number."""

import ipywidgets
import numpy as np

from audiostyle.datasets import clips
from audiostyle.datasets.clips import Pair, PairAudio, load_pair
from audiostyle.files.presets import Preset, get_preset
from audiostyle.sound.samples import of_length
from audiostyle.widgets import parts, renders
from audiostyle.widgets.abx import AbxPanel
from audiostyle.widgets.jobs import Latest, Ticket
from audiostyle.widgets.player import SyncPlayer
from audiostyle.widgets.renders import Rendered

# Pair, method and balance of a result.
_Key = tuple[Pair, str, float]
_SLOTS = {"content": "Content", "style": "Style", "result": "Result", "difference": "Result over content"}


class PairExplorer(parts.Shown):
    """Compare the six pairs by ear and eye.

    Results that a notebook stored are read. Others are computed in seconds, except those of random filters, in place of
    which the limit of infinite width is shown.

    Parameters
    ----------
    preset : Preset or None
        Gives the duration and the number of random filters; None takes the one in use.
    edition : {"bundled", "recorded"} or None
        None takes the one in use.

    Notebook: 10_compare_pairs.ipynb
    """

    def __init__(self, preset: Preset | None = None, edition: str | None = None) -> None:
        self.preset, self._edition = preset or get_preset(), edition or clips.current_edition()
        self._methods = {
            "matched": "matched timbre",
            "infinite": "infinite width, polished",
            "random": f"{self.preset.config.n_filters} random filters, Griffin-Lim",
        }
        self.controls = self._make_controls()
        self.status = parts.Status(label="Pair and method")
        self.player = SyncPlayer("Content, style and result", _SLOTS, seen="difference")
        self.shown: Rendered | None = None
        self._computed: dict[_Key, Rendered] = {}
        self._jobs = Latest(self.status.fail)
        results = [(f"result, {words}", name) for name, words in self._methods.items()]
        compared = [*results[:2], ("content", "content"), results[2], ("style", "style")]
        self.abx = AbxPanel(self._sound, compared)
        for control in self.controls.values():
            control.observe(lambda _change: self._refresh(), "value")
        rows = parts.box(*self.controls.values()), self.status, self.player
        self.view = parts.box(
            *rows, ipywidgets.HTML("<h2>Blind test (ABX)</h2>"), self.abx.view, name="as-form"
        )
        self._refresh()

    def select(self, **values: object) -> None:
        """Set ``pair``, ``method`` and ``balance``; `wait` waits for the result. Raises as `parts.put`."""
        parts.put(self.controls, values)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the result is shown; return whether that came true within `timeout` seconds."""
        return self._jobs.wait(timeout)

    def _make_controls(self) -> parts.Controls:
        pairs = [(f"{pair.genre}: {pair.title}", pair.pair) for pair in clips.pairs(self._edition)]
        methods = [(words, name) for name, words in self._methods.items()]
        about = "Matched timbre, the exact limit of infinitely many filters, or random filters"
        weighs = "0 keeps the content, 1 takes the style; 0.5 matches the timbre, or weighs both"
        controls = {
            "pair": parts.dropdown("Pair", "Content → style", pairs, "instrument-1"),
            "method": parts.dropdown("Method", about, methods),
            "balance": parts.Slider(description="Balance", tooltip=weighs, value=0.5, step=0.05),
        }
        return parts.named(controls)

    def _key(self, method: str | None = None) -> _Key:
        pair = clips.get_pair(self.controls["pair"].value, self._edition)
        return pair, method or self.controls["method"].value, self.controls["balance"].value

    def _refresh(self) -> None:
        key = self._key()
        self.status.say("Looking for the result…", "busy", progress=-1.0)
        self._jobs.submit(lambda ticket: self._update(ticket, key))

    def _update(self, ticket: Ticket, key: _Key) -> None:
        audio, instead = load_pair(key[0], duration=self.preset.duration), ""
        result = self._find(key, audio, ticket)
        if result is None:
            instead, key = f"{self._words(key)}, is not stored. Shown instead: ", (key[0], "infinite", key[2])
            result = self._find(key, audio, ticket)
        if ticket.superseded:
            return
        self.abx.drop()
        self._show(key, audio, result)
        seconds = result.numbers["seconds"]
        how = f"computed here in {seconds:.1f} s" if key in self._computed else "stored"
        self.status.say(f"{instead}{self._words(key)}, {how}.")

    def _words(self, key: _Key) -> str:
        return f"{self._methods[key[1]]}, balance {key[2]:.2f}"

    def _find(self, key: _Key, audio: PairAudio, ticket: Ticket) -> Rendered | None:
        """Return a stored result, one computed before, or one computed now; None for random filters not stored."""
        pair, method, balance = key
        config = renders.method_config(method, balance, self.preset)
        found = renders.load_stored(pair, self.preset.duration, config) or self._computed.get(key)
        if found is not None or method == "random":
            return found
        self.status.say(f"Computing {self._words(key)}…", "busy", progress=-1.0)
        made, _ = renders.render(audio.content, audio.style, audio.sr, config, lambda *_: ticket.superseded)
        if not ticket.superseded:
            self._computed[key] = made
        return made

    def _show(self, key: _Key, audio: PairAudio, result: Rendered) -> None:
        titles = (clips.get_clip(clip).title for clip in (key[0].content_clip, key[0].style_clip))
        notes = {
            name: f"{title} ({self._edition})"
            for name, title in zip(("content", "style"), titles, strict=True)
        }
        reference, gain = self.player.show_sources(audio.content, audio.style, audio.sr, notes)
        y = of_length(result.y * gain, len(audio.content)).astype(np.float32)
        note = f"{self._words(key)} · {renders.described(result)}"
        self.player.show("result", y, audio.sr, reference=reference, note=note)
        self.player.show_difference("difference", audio.content * gain, y, audio.sr)
        if self.shown is None:
            self.player.heard = 2
        self.shown = result

    def _sound(self, name: str) -> tuple[np.ndarray, int]:
        """Return a sound for the blind test at the pair and balance chosen."""
        key = self._key(name)
        audio = load_pair(key[0], duration=self.preset.duration)
        if name in ("content", "style"):
            return getattr(audio, name), audio.sr
        found = self._find(key, audio, Ticket())
        if found is None:
            raise ValueError(f"{self._words(key)}, is not stored; choose another sound")
        return found.y, found.sr
