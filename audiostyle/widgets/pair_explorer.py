"""Compare the six pairs: content, style and result by ear, eye and number."""

import ipywidgets
import librosa
import numpy as np

from audiostyle.datasets import clips, paths
from audiostyle.datasets.clips import Pair, PairAudio, load_pair
from audiostyle.files.presets import Preset, get_preset
from audiostyle.widgets import parts
from audiostyle.widgets.abx import AbxPanel
from audiostyle.widgets.jobs import Latest, Ticket
from audiostyle.widgets.player import Slot, SyncPlayer
from audiostyle.widgets.renders import (
    Rendered,
    add_numbers,
    load_stored,
    method_config,
    number_table,
    render,
)

# Pair, method and balance of a result.
_Key = tuple[Pair, str, float]
_EDITIONS = {"bundled": "bundled (rendered)", "recorded": "recorded"}
_SLOTS = (
    Slot("content", "Content"),
    Slot("style", "Style"),
    Slot("result", "Result"),
    Slot("difference", "Result over content", listen=False),
)


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

    Attributes
    ----------
    view : ipywidgets.Widget
        What to display.
    controls : dict
        ``pair``, ``edition``, ``method`` and ``balance``.
    status : Status
    shown : Rendered or None
        The result that is shown.

    Notebook: 09_compare_pairs.ipynb
    """

    def __init__(self, preset: Preset | None = None, edition: str | None = None) -> None:
        self.preset, edition = preset or get_preset(), edition or clips.current_edition()
        self._methods = {
            "matched": "matched timbre",
            "infinite": "infinite width",
            "random": f"{self.preset.config.n_filters} random filters",
        }
        self.controls = self._make_controls(edition)
        self.status = parts.Status(label="Pair and method")
        self.player = SyncPlayer("Content, style and result", _SLOTS)
        self.numbers = ipywidgets.HTML(number_table())
        self.shown: Rendered | None = None
        self._audio: tuple[Pair, PairAudio] | None = None
        self._computed: dict[_Key, Rendered] = {}
        self._jobs = Latest(self.status.fail)
        results = [(f"result, {words}", name) for name, words in self._methods.items()]
        compared = [*results[:2], ("content", "content"), results[2], ("style", "style")]
        answers = paths.results_root() / self.preset.name / edition / "abx.csv"
        self.abx = AbxPanel(self._sound, compared, answers)
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._on_value(name, change["new"]), "value")
        rows = parts.box(*self.controls.values()), self.status, self.player, self.numbers
        self.view = parts.box(*rows, parts.heading("Blind test (ABX)"), self.abx.view, name="as-form")
        self._refresh()

    def select(self, **values: object) -> None:
        """Set controls by name: ``edition``, ``pair``, ``method`` and ``balance``; `wait` waits for the result.

        Raises
        ------
        ValueError
            If a name is unknown or a value is not one that its control offers.
        """
        parts.put(self.controls, values)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the result is shown; return whether that came true within `timeout` seconds."""
        return self._jobs.wait(timeout)

    @property
    def pair(self) -> Pair:
        """The pair that is chosen."""
        return clips.get_pair(self.controls["pair"].value, self.controls["edition"].value)

    def _make_controls(self, edition: str) -> parts.Controls:
        present = [e for e in clips.EDITIONS if e in ("bundled", edition, clips.current_edition())]
        editions = [(_EDITIONS[name], name) for name in present]
        methods = [(words, name) for name, words in self._methods.items()]
        about = "Matched timbre, the exact limit of infinitely many filters, or random filters"
        weighs = "0 keeps the content, 1 takes the style; 0.5 matches the timbre, or weighs both"
        controls = {
            "pair": parts.dropdown("Pair", "Content → style", _pairs(edition), "instrument-1"),
            "edition": parts.dropdown("Clips", "Rendered, or recordings once fetched", editions, edition),
            "method": parts.dropdown("Method", about, methods),
            "balance": parts.Slider(description="Balance", tooltip=weighs, value=0.5, step=0.05),
        }
        return parts.named(controls)

    def _on_value(self, name: str, value: object) -> None:
        if name == "edition":
            chosen = self.controls["pair"].value
            self.controls["pair"].options = _pairs(value)
            self.controls["pair"].value = chosen
        self._refresh()

    def _refresh(self) -> None:
        key = self.pair, self.controls["method"].value, self.controls["balance"].value
        self.status.say("Looking for the result…", "busy", progress=-1.0)
        self._jobs.submit(lambda ticket: self._update(ticket, key))

    def _update(self, ticket: Ticket, key: _Key) -> None:
        pair, _, balance = key
        audio, instead = self._load(pair), ""
        result = self._find(key, ticket)
        if result is None:
            instead, key = f"{self._words(key)}, is not stored. Shown instead: ", (pair, "infinite", balance)
            result = self._find(key, ticket)
        if ticket.superseded:
            return
        self.abx.retarget(f"{pair.pair} ({pair.edition}), balance {balance:.2f}")
        self._show(key, audio, result)
        how = f"computed here in {result.numbers['seconds']:.1f} s" if key in self._computed else "stored"
        self.status.say(f"{instead}{self._words(key)}, {how}.")
        if key in self._computed:
            result = self._computed[key] = add_numbers(result, audio.content, audio.style, audio.sr)
        if not ticket.superseded:
            self.numbers.value = number_table({"result": result})

    def _words(self, key: _Key) -> str:
        return f"{self._methods[key[1]]}, balance {key[2]:.2f}"

    def _load(self, pair: Pair) -> PairAudio:
        if self._audio is None or self._audio[0] != pair:
            self._audio = (pair, load_pair(pair, duration=self.preset.duration))
        return self._audio[1]

    def _find(self, key: _Key, ticket: Ticket) -> Rendered | None:
        """Return a stored result, one computed before, or one computed now; None for random filters not stored."""
        pair, method, balance = key
        config = method_config(method, balance, self.preset)
        found = load_stored(pair, self.preset.duration, config) or self._computed.get(key)
        if found is not None or method == "random":
            return found
        self.status.say(f"Computing {self._words(key)}…", "busy", progress=-1.0)
        audio = self._load(pair)
        made, _ = render(audio.content, audio.style, audio.sr, config, lambda *_: ticket.superseded)
        if not ticket.superseded:
            self._computed[key] = made
        return made

    def _show(self, key: _Key, audio: PairAudio, result: Rendered) -> None:
        pair = key[0]
        names = {"content": pair.content_clip, "style": pair.style_clip}
        notes = {name: f"{clips.get_clip(clip).title} ({pair.edition})" for name, clip in names.items()}
        reference, gain = self.player.show_sources(audio.content, audio.style, audio.sr, notes)
        y = librosa.util.fix_length(result.y * gain, size=len(audio.content)).astype(np.float32)
        self.player.show("result", y, audio.sr, reference=reference, note=self._words(key))
        self.player.show_difference("difference", audio.content * gain, y, audio.sr)
        if self.shown is None:
            self.player.heard = 2
        self.shown = result

    def _sound(self, name: str) -> tuple[np.ndarray, int]:
        """Return a sound for the blind test at the pair and balance chosen."""
        audio, key = self._load(self.pair), (self.pair, name, self.controls["balance"].value)
        if name in ("content", "style"):
            return getattr(audio, name), audio.sr
        found = self._find(key, Ticket())
        if found is None:
            raise ValueError(f"{self._words(key)}, is not stored; choose another sound")
        return found.y, found.sr


def _pairs(edition: str) -> list[tuple[str, str]]:
    return [(f"{pair.genre}: {pair.title}", pair.pair) for pair in clips.pairs(edition)]
