"""A blind listening test, X is A or B, and the chance of scoring as well by guessing."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binomtest


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
