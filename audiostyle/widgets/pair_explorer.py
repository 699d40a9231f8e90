"""Compare the six pairs: content, style and result by ear, eye and number."""

from pathlib import Path

import ipywidgets
import numpy as np

from audiostyle.config import TransferConfig
from audiostyle.datasets import clips, paths
from audiostyle.datasets.clips import Pair, PairAudio, load_pair
from audiostyle.files.presets import Preset, get_preset
from audiostyle.sound.audio import fix_length, set_level
from audiostyle.sound.levels import rms
from audiostyle.spectrogram import magnitudes
from audiostyle.widgets.abx import AbxPanel
from audiostyle.widgets.form import Form, choice, describe, html_table, slider
from audiostyle.widgets.jobs import Latest, Ticket
from audiostyle.widgets.player import Slot, SyncPlayer
from audiostyle.widgets.renders import METHODS, Rendered, add_numbers, load_stored, method_config, render

_ROWS = (
    ("style_share_limit", "style loss left (1 = content, 0 = style)", "{:.3f}"),
    ("chroma_similarity", "chroma similarity to the content", "{:.2f}"),
    ("mfcc_distance", "MFCC distance to the style", "{:.1f}"),
)
_METHOD_NAMES = {"matched": "matched timbre", "infinite": "infinite width", "random": "{} random filters"}
_COMPARED = [
    ("matched", "result, matched timbre"),
    ("infinite", "result, infinite width"),
    ("content", "content"),
    ("random", "result, random filters"),
    ("style", "style"),
]


class PairExplorer:
    """Compare the six pairs by ear and eye.

    Results that a notebook stored are read. Others are computed in seconds, but for those of random filters, in place
    of which the limit of infinite width is shown.

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
    shown : Rendered or None
        The result that is shown.

    Notebook: 09_compare_pairs.ipynb
    """

    def __init__(self, preset: Preset | None = None, edition: str | None = None) -> None:
        self.preset = preset or get_preset()
        edition = edition or clips.current_edition()
        self.form = Form("Pair and method", self._fields(edition), self._values(edition))
        self.player = SyncPlayer(
            "Content, style and result",
            [
                Slot("content", "Content"),
                Slot("style", "Style"),
                Slot("result", "Result"),
                Slot("difference", "Result over content", listen=False),
            ],
        )
        self.numbers = ipywidgets.HTML()
        self.shown: Rendered | None = None
        self._audio: tuple[tuple[str, str], PairAudio] | None = None
        self._computed: dict[tuple, Rendered] = {}
        self._jobs = Latest(self._fail)
        self.abx = AbxPanel(self._sound, _COMPARED, self._answers(edition))
        self.form.observe(self._on_values, "values")
        self.view = ipywidgets.VBox(
            [self.form, self.player, self.numbers, _heading("Blind test (ABX)"), self.abx.view],
            layout=ipywidgets.Layout(width="100%", overflow="hidden"),
        )
        self._show_numbers({})
        self._refresh()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)

    def select(self, **values: object) -> None:
        """Set controls by name: ``edition``, ``pair``, ``method`` and ``balance``; `wait` waits for the result.

        Raises
        ------
        ValueError
            If a name is unknown or a value none that its control offers.
        """
        self.form.update(**values)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the result is shown; returns whether that came true within `timeout` seconds."""
        return self._jobs.wait(timeout)

    @property
    def pair(self) -> Pair:
        """The pair that is chosen."""
        return clips.get_pair(self.form["pair"], self.form["edition"])

    def _fields(self, edition: str) -> list[dict]:
        n_filters = self.preset.config.n_filters
        present = [e for e in clips.EDITIONS if e == "bundled" or e == clips.current_edition()]
        names = [(pair.pair, _pair_title(pair)) for pair in clips.pairs(edition)]
        return [
            choice("pair", "Pair", "Content → style", names),
            choice(
                "edition", "Clips", "Rendered clips of this repository, or recordings once they are fetched",
                [(e, {"bundled": "bundled (rendered)", "recorded": "recorded"}[e]) for e in present],
            ),
            choice(
                "method", "Method",
                "Matched timbre, the paper's random filters, or the exact limit of infinitely many",
                [(name, _METHOD_NAMES[name].format(n_filters)) for name in METHODS],
            ),
            slider(
                "balance", "Balance", "0 keeps the content, 1 takes the style; 0.5 matches the timbre, or weighs both",
                (0.0, 1.0, 0.05), ends=("content", "style"),
            ),
        ]  # fmt: skip

    def _answers(self, edition: str) -> Path:
        return paths.results_root() / self.preset.name / edition / "abx.csv"

    def _values(self, edition: str) -> dict:
        return {
            "pair": "instrument-1",
            "edition": edition,
            "method": "matched",
            "balance": TransferConfig().balance,
        }

    def _on_values(self, change: dict) -> None:
        if change["new"]["edition"] != change["old"]["edition"]:
            self.form.fields = self._fields(change["new"]["edition"])
        self._refresh()

    def _refresh(self) -> None:
        self.form.say("Looking for the result…", "busy", progress=-1.0)
        values = dict(self.form.values)
        self._jobs.submit(lambda ticket: self._update(ticket, values))

    def _fail(self, error: Exception) -> None:
        self.form.say(describe(error) + ".", "error")

    def _update(self, ticket: Ticket, values: dict) -> None:
        pair = clips.get_pair(values["pair"], values["edition"])
        audio = self._load(pair)
        if ticket.superseded:
            return
        rendered, message = self._find(pair, audio, values["method"], values["balance"], ticket)
        if ticket.superseded:
            return
        self.abx.retarget(self._answers(pair.edition), f"{pair.pair}, balance {values['balance']:.2f}")
        self._show(pair, audio, rendered)
        self.form.say(message)
        if "style_share_limit" not in rendered.numbers:
            rendered = add_numbers(rendered, audio.content, audio.style)
            self._computed[pair, rendered.config] = rendered
        if not ticket.superseded:
            self._show_numbers(rendered.numbers)

    def _load(self, pair: Pair) -> PairAudio:
        key = (pair.edition, pair.pair)
        if self._audio is None or self._audio[0] != key:
            self._audio = (key, load_pair(pair, duration=self.preset.duration))
        return self._audio[1]

    def _find(
        self, pair: Pair, audio: PairAudio, method: str, balance: float, ticket: Ticket
    ) -> tuple[Rendered, str]:
        """Return a stored result, one computed before, or one computed now; and what to say about it."""
        stored = load_stored(pair, self.preset.duration, method_config(method, balance, self.preset))
        if stored is not None:
            return stored, f"Stored result: {_method_name(stored)}, balance {balance:.2f}."
        why = "" if method != "random" else (
            f"{self.preset.config.n_filters} filters at balance {balance:.2f} are not stored. Shown instead: "
        )  # fmt: skip
        config = method_config("infinite" if method == "random" else method, balance, self.preset)
        kept = self._computed.get((pair, config))
        if kept is None:
            if not why:
                self.form.say(f"Computing with {_METHOD_NAMES[method]}…", "busy", progress=-1.0)
            kept, _ = render(audio.content, audio.style, audio.sr, config, callback=lambda *_: ticket.ending)
            if not ticket.ending:
                self._computed[pair, config] = kept
        return (
            kept,
            f"{why}{_method_name(kept)}, balance {balance:.2f}, computed here in {kept.numbers['seconds']:.1f} s.",
        )

    def _show(self, pair: Pair, audio: PairAudio, rendered: Rendered) -> None:
        level = rendered.config.level
        sounds = {"content": set_level(audio.content, level), "style": set_level(audio.style, level)}
        reference = max(float(magnitudes(y).max()) for y in sounds.values())
        names = {"content": pair.content_clip, "style": pair.style_clip}
        for name, y in sounds.items():
            note = f"{clips.get_clip(names[name]).title} ({pair.edition})"
            if self.player.slot(name).get("note") != note:
                self.player.show(name, y, audio.sr, reference=reference, note=note)
        y = fix_length(rendered.y * (level / rms(audio.content)), len(audio.content)).astype(np.float32)
        note = f"{_method_name(rendered)}, balance {rendered.config.balance:.2f}"
        self.player.show("result", y, audio.sr, reference=reference, note=note)
        self.player.show_difference("difference", sounds["content"], y, audio.sr)
        if self.shown is None:
            self.player.heard = 2
        self.shown = rendered

    def _show_numbers(self, numbers: dict[str, float]) -> None:
        rows = [[label, form.format(numbers[key]) if key in numbers else "–"] for key, label, form in _ROWS]
        self.numbers.value = html_table(rows, ["Numbers of the sound", "result"])

    def _sound(self, name: str) -> tuple[np.ndarray, int]:
        """Return a sound for the blind test at the pair and balance chosen."""
        pair, balance = self.pair, self.form["balance"]
        audio = self._load(pair)
        if name in ("content", "style"):
            return getattr(audio, name), audio.sr
        config = method_config(name, balance, self.preset)
        found = load_stored(pair, self.preset.duration, config) or self._computed.get((pair, config))
        if found is None and name == "random":
            raise ValueError(
                f"The result of {self.preset.config.n_filters} random filters at balance {balance:.2f} is not "
                f"stored; choose a balance that is, or other sounds."
            )
        if found is None:
            found, _ = render(audio.content, audio.style, audio.sr, config)
            self._computed[pair, config] = found
        return found.y, found.sr


def _pair_title(pair: Pair) -> str:
    return f"{pair.genre}: {pair.title}"


def _method_name(rendered: Rendered) -> str:
    config = rendered.config
    method = "matched" if config.method == "matched" else config.encoder
    return _METHOD_NAMES[method].format(config.n_filters)


def _heading(words: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f'<div class="as-widget"><h3>{words}</h3></div>')
