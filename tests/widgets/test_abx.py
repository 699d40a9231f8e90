import math

import numpy as np
import pandas as pd
import pytest

from audiostyle.widgets.abx import AbxPanel, AbxTest

SR = 22050


def test_abx_panel_plays_x_and_keeps_answers(content, style, samples, tmp_path):
    sounds = {"one": (content, SR), "two": (style, SR)}
    names = [("one", "first"), ("two", "second")]
    panel = AbxPanel(sounds.__getitem__, names, tmp_path / "quick" / "abx.csv", seed=3)
    panel.answer("A")  # nothing has begun
    for _ in range(2):
        panel.form.update(n_trials=5)
        panel.begin()
        while panel.test is not None:
            x = panel.test.x
            played = samples(panel.player, "x")
            np.testing.assert_array_equal(played, samples(panel.player, x.lower()))
            panel.form.press("is_a" if x == "A" else "is_b")
    assert "5 of 5 right, p = 0.0312" in panel.form.status
    kept = pd.read_csv(tmp_path / "quick" / "abx.csv")
    assert kept["test"].tolist() == [1] * 5 + [2] * 5
    assert kept["right"].all()
    assert kept["p_value"].to_numpy() == pytest.approx(1 / 32, rel=1e-4)
    panel.form.update(b="one")
    panel.begin()
    assert panel.test is None
    assert panel.form.status_kind == "error"


@pytest.mark.parametrize(("n_right", "n"), [(10, 10), (9, 10), (5, 10), (0, 10), (3, 5)])
def test_p_value_is_the_upper_tail_of_the_binomial(n_right, n):
    test = AbxTest(n, seed=1)
    for i in range(n):
        test.answer(test.x if i < n_right else "AB"[test.x == "A"])
    assert test.n_right == n_right
    assert test.p_value == pytest.approx(sum(math.comb(n, k) for k in range(n_right, n + 1)) / 2**n)


def test_abx_refuses_what_would_spoil_it():
    test = AbxTest(2, seed=0)
    with pytest.raises(ValueError, match="2 of 2 trials are left"):
        _ = test.p_value
    with pytest.raises(ValueError, match="choice='x'"):
        test.answer("x")
    test.answer("A")
    test.answer("A")
    with pytest.raises(ValueError, match="all 2 trials"):
        test.answer("A")
    with pytest.raises(ValueError, match="n_trials=0"):
        AbxTest(0)


def test_abx_draws_both_sounds():
    drawn = [AbxTest(50, seed=s).x for s in range(40)]
    assert {"A", "B"} == set(drawn)
