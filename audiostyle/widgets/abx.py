"""A blind listening test: X is A or B, which? With the chance of scoring as well by guessing."""

import ipywidgets
import pandas as pd

from audiostyle.measures.abx import AbxTest
from audiostyle.studies.results import Results
from audiostyle.widgets.form import Form, button, choice, number
from audiostyle.widgets.player import Slot, SyncPlayer

_TABLE = "abx"


class AbxPanel:
    """An ABX test in a page. Its answers are kept in ``abx.csv`` of the results.

    Parameters
    ----------
    sounds : callable
        ``sounds(name) -> (y, sr)``: the sound that a name of `names` stands for.
    names : list of (str, str)
        What can be compared: value and text.
    results : Results
        Where answers are kept.
    seed : int or None
        Seed of the coin, for tests.
    """

    def __init__(self, sounds, names: list[tuple[str, str]], results: Results, *, seed: int | None = None):
        self._sounds = sounds
        self._results = results
        self._seed = seed
        self._names = dict(names)
        self._title = ""
        self.test: AbxTest | None = None
        self.form = Form("Blind test", _fields(names), {"a": names[0][0], "b": names[1][0], "n_trials": 10})
        slots = [Slot("a", "A"), Slot("b", "B"), Slot("x", "X")]
        self.player = SyncPlayer("Blind test: A, B and X", slots, pictures=False)
        for name, action in (
            ("begin", self.begin),
            ("is_a", lambda: self.answer("A")),
            ("is_b", lambda: self.answer("B")),
        ):
            self.form.on_press(name, action)
        self._idle("Choose two sounds and press “Begin”. X is one of them; say which, as often as planned.")
        self.view = ipywidgets.VBox([self.form, self.player])

    def retarget(self, results: Results, title: str) -> None:
        """Go over to another pair; a test that has begun is dropped without a p-value."""
        self._results, self._title = results, title
        if self.test is not None:
            self._reset("The pair or the setting changed: the test was dropped. Press “Begin” for a new one.")

    def begin(self) -> None:
        """Start a test of the sounds chosen."""
        a, b = self.form["a"], self.form["b"]
        if a == b:
            self._idle("A and B are the same; choose two sounds that differ.", "error")
            return
        try:
            sounds = {"a": self._sounds(a), "b": self._sounds(b)}
        except (ValueError, OSError) as error:
            self._idle(str(error), "error")
            return
        self.test = AbxTest(int(self.form["n_trials"]), seed=self._seed)
        for name, (y, sr) in sounds.items():
            self.player.show(name, y, sr)
        self.form.disabled = ["a", "b", "n_trials", "begin"]
        self._next_trial()

    def answer(self, which: str) -> None:
        """Say that X is ``"A"`` or ``"B"``."""
        if self.test is None or self.test.done:
            return
        self.test.answer(which)
        if self.test.done:
            self._conclude()
        else:
            self._next_trial()

    def _next_trial(self) -> None:
        self.player.copy_slot(self.test.x.lower(), "x")
        done = len(self.test.answers)
        self.form.say(
            f"Trial {done + 1} of {self.test.n_trials}: is X A or B? Right and wrong are told at the end.",
            "busy",
            progress=done / self.test.n_trials,
        )

    def _conclude(self) -> None:
        test = self.test
        self._keep()
        verdict = (
            "guessing would do as well more than once in twenty tests"
            if test.p_value > 0.05
            else "guessing does as well in at most one test of twenty"
        )
        self._reset(f"{test.n_right} of {test.n_trials} right, p = {test.p_value:.3g}: {verdict}.")

    def _keep(self) -> None:
        kept = pd.DataFrame(self.test.answers)
        compared = f"{self._title}: {self._names[self.form['a']]} | {self._names[self.form['b']]}"
        number = 1
        try:
            old = self._results.load_table(_TABLE)
            number = int(old["test"].max()) + 1
        except FileNotFoundError:
            old = kept.iloc[:0]
        kept.insert(0, "compared", compared)
        kept.insert(0, "test", number)
        kept["p_value"] = self.test.p_value
        self._results.save_table(pd.concat([old, kept]) if len(old) else kept, _TABLE)

    def _reset(self, message: str) -> None:
        self.test = None
        self.player.clear("a", "b", "x")
        self._idle(message)

    def _idle(self, message: str, kind: str = "info") -> None:
        self.form.disabled = ["is_a", "is_b"]
        self.form.say(message, kind)


def _fields(names: list[tuple[str, str]]) -> list[dict]:
    return [
        choice("a", "Sound A", "The first of the two sounds to tell apart", names),
        choice("b", "Sound B", "The second of the two sounds to tell apart", names),
        number("n_trials", "Trials", "How many, fixed before the first answer", (5, 50, 1)),
        button("begin", "Begin", "Start a test with these two sounds"),
        button("is_a", "X is A", "Answer that X is A"),
        button("is_b", "X is B", "Answer that X is B"),
    ]
