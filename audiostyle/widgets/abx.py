"""A blind listening test: X is A or B, which? With the chance of scoring as well by guessing."""

from collections.abc import Callable

import numpy as np
from scipy.stats import binomtest

from audiostyle.widgets.parts import Status, box, button, dropdown, named, whole_number
from audiostyle.widgets.player import SyncPlayer


class AbxTest:
    """A number of trials, each with X drawn to be A or B by a fair coin.

    The number is fixed before the first answer: to stop when the score looks good would make `p_value` meaningless.

    Examples
    --------
    >>> test = AbxTest(5, seed=0)
    >>> while not test.done:
    ...     test.answer(test.x)
    >>> test.n_right, round(test.p_value, 5)
    (5, 0.03125)
    """

    def __init__(self, n_trials: int = 10, seed: int | None = None) -> None:
        self._order = np.random.default_rng(seed).choice(["A", "B"], n_trials)
        self.n_trials, self.answers = n_trials, []

    @property
    def done(self) -> bool:
        """Whether all trials are answered."""
        return len(self.answers) == self.n_trials

    @property
    def x(self) -> str:
        """What X is in this trial, ``"A"`` or ``"B"``."""
        return str(self._order[len(self.answers)])

    def answer(self, choice: str) -> None:
        """Say that X is ``"A"`` or ``"B"`` and go on to the next trial."""
        trial = {"trial": len(self.answers) + 1, "x": self.x, "answer": choice, "right": self.x == choice}
        self.answers.append(trial)

    @property
    def n_right(self) -> int:
        """Answers that are right."""
        return sum(row["right"] for row in self.answers)

    @property
    def p_value(self) -> float:
        """Chance of at least as many right answers by guessing (one-sided exact binomial test)."""
        return float(binomtest(self.n_right, self.n_trials, 0.5, alternative="greater").pvalue)


class AbxPanel:
    """An ABX test in a page; ``sounds(name)`` returns waveform and rate for each of `names`, pairs of text and name."""

    def __init__(self, sounds: Callable, names: list) -> None:
        self._sounds, self.test = sounds, None
        self.controls = {
            "a": dropdown("Sound A", "The first of the two sounds to tell apart", names),
            "b": dropdown("Sound B", "The second of the two sounds to tell apart", names, names[1][1]),
            "n_trials": whole_number("Trials", "How many, fixed before the first answer", 10, 5, 50),
            "begin": button("Begin", "Start a test with these two sounds", self.begin),
            "is_a": button("X is A", "Answer that X is A", lambda: self.answer("A")),
            "is_b": button("X is B", "Answer that X is B", lambda: self.answer("B")),
        }
        self.status = Status(label="Blind test")
        self.player = SyncPlayer("Blind test", {"a": "A", "b": "B", "x": "X"}, pictures=False)
        self._idle("Choose two sounds and press “Begin”. X is one of them; say which, as often as planned.")
        a, b, n_trials, *buttons = named(self.controls).values()
        rows = box(a, b, n_trials), box(*buttons, name="as-buttons")
        self.view = box(*rows, self.status, self.player, name="as-form")

    def drop(self) -> None:
        """Drop a test that has begun, without a p-value: its sounds are others now."""
        if self.test is not None:
            self._idle("The pair or the setting changed: the test was dropped. Press “Begin” for a new one.")

    def begin(self) -> None:
        """Start a test of the sounds chosen."""
        names = {name: self.controls[name].value for name in "ab"}
        try:
            if names["a"] == names["b"]:
                raise ValueError("A and B are the same; choose two sounds that differ")
            sounds = {name: self._sounds(chosen) for name, chosen in names.items()}
        except (ValueError, OSError) as error:
            self.status.fail(error)
            return
        self.test = AbxTest(self.controls["n_trials"].value)
        for name, (y, sr) in sounds.items():
            self.player.show(name, y, sr)
        self._enable(running=True)
        self._next_trial()

    def answer(self, which: str) -> None:
        """Say that X is ``"A"`` or ``"B"``."""
        if self.test is None:
            return
        self.test.answer(which)
        if not self.test.done:
            self._next_trial()
            return
        chance = "at most one test" if self.test.p_value <= 0.05 else "more than one test"
        score = f"{self.test.n_right} of {self.test.n_trials} right, p = {self.test.p_value:.3g}"
        self._idle(f"{score}: guessing does as well in {chance} of twenty.")

    def _next_trial(self) -> None:
        self.player["x"] = self.player[self.test.x.lower()]
        done, n = len(self.test.answers), self.test.n_trials
        text = f"Trial {done + 1} of {n}: is X A or B? Right and wrong are told at the end."
        self.status.say(text, "busy", progress=done / n)

    def _idle(self, message: str) -> None:
        self.test = None
        for name in "abx":
            self.player[name] = {}
        self._enable(running=False)
        self.status.say(message)

    def _enable(self, *, running: bool) -> None:
        for name, control in self.controls.items():
            control.disabled = running != (name in ("is_a", "is_b"))
