"""A blind listening test: X is A or B, which? With the chance of scoring as well by guessing."""

from dataclasses import dataclass, field
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from audiostyle.sound.files import whole_file
from audiostyle.widgets.form import Form, button, choice, number
from audiostyle.widgets.player import Slot, SyncPlayer


@dataclass
class AbxTest:
    """A planned number of trials, each with X drawn to be A or B by a fair coin.

    Parameters
    ----------
    n_trials : int >= 1
        Fixed before the first answer: stopping when the score looks good would make the p-value meaningless.
    seed : int or None
        Seed of the coin; None takes a fresh one.

    Examples
    --------
    >>> test = AbxTest(5, seed=0)
    >>> while not test.done:
    ...     test.answer(test.x)
    >>> test.n_right, round(test.p_value, 5)
    (5, 0.03125)
    """

    n_trials: int = 10
    seed: int | None = None
    answers: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.n_trials < 1:
            raise ValueError(f"n_trials={self.n_trials} is not allowed; it must be at least 1")
        rng = np.random.default_rng(self.seed)
        self._order = ["AB"[i] for i in rng.integers(0, 2, self.n_trials)]

    @property
    def done(self) -> bool:
        """Whether all trials are answered."""
        return len(self.answers) == self.n_trials

    @property
    def x(self) -> str:
        """What X is in this trial, ``"A"`` or ``"B"``."""
        return self._order[len(self.answers)]

    def answer(self, choice: str) -> None:
        """Record an answer and go on to the next trial.

        Raises
        ------
        ValueError
            If the answer is neither ``"A"`` nor ``"B"``, or the test is over.
        """
        if choice not in ("A", "B"):
            raise ValueError(f"choice={choice!r} is not allowed; it must be 'A' or 'B'")
        if self.done:
            raise ValueError(f"all {self.n_trials} trials are answered")
        trial = len(self.answers) + 1
        self.answers.append({"trial": trial, "x": self.x, "answer": choice, "right": self.x == choice})

    @property
    def n_right(self) -> int:
        """Answers that are right."""
        return sum(row["right"] for row in self.answers)

    @property
    def p_value(self) -> float:
        """Chance of at least as many right answers by guessing (one-sided exact binomial test).

        Raises
        ------
        ValueError
            If trials are left.
        """
        if not self.done:
            raise ValueError(f"{self.n_trials - len(self.answers)} of {self.n_trials} trials are left")
        return float(binomtest(self.n_right, self.n_trials, 0.5, alternative="greater").pvalue)


class AbxPanel:
    """An ABX test in a page. Its answers are kept in a table.

    Parameters
    ----------
    sounds : callable
        ``sounds(name) -> (y, sr)``: the sound that a name of `names` stands for.
    names : list of (str, str)
        What can be compared: value and text.
    path : pathlib.Path
        The CSV file where answers are kept.
    seed : int or None
        Seed of the coin, for tests.
    """

    def __init__(self, sounds, names: list[tuple[str, str]], path: Path, *, seed: int | None = None):
        self._sounds = sounds
        self._path = path
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

    def retarget(self, path: Path, title: str) -> None:
        """Go over to another pair; a test that has begun is dropped without a p-value."""
        self._path, self._title = path, title
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
        kept.insert(0, "compared", compared)
        kept.insert(0, "test", 1)
        kept["p_value"] = self.test.p_value
        if self._path.is_file():
            old = pd.read_csv(self._path)
            kept["test"] = old["test"].max() + 1
            kept = pd.concat([old, kept])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self._path) as temporary:
            kept.to_csv(temporary, index=False, float_format="%.6g")

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
