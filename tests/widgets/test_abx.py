import numpy as np
import pandas as pd
import pytest

from audiostyle.widgets.abx import AbxPanel, AbxTest

SR = 22050


@pytest.mark.parametrize(("n", "right", "p"), [(5, 5, 1 / 32), (10, 9, 11 / 1024), (4, 0, 1.0)])
def test_p_value_is_the_upper_tail_of_the_binomial(n, right, p):
    test = AbxTest(n, seed=1)
    for i in range(n):
        test.answer(test.x if i < right else "AB".replace(test.x, ""))
    assert (test.done, test.n_right) == (True, right)
    assert test.p_value == pytest.approx(p)


def test_abx_panel_plays_x_and_keeps_answers(content, style, samples, tmp_path):
    sounds = {"one": (content, SR), "two": (style, SR)}
    path = tmp_path / "folder" / "abx.csv"
    panel = AbxPanel(sounds.__getitem__, [("first", "one"), ("second", "two")], path, seed=3)
    panel.answer("A")  # nothing has begun
    for _ in range(2):
        panel.controls["n_trials"].value = 5
        panel.controls["begin"].click()
        while panel.test is not None:
            x = panel.test.x
            np.testing.assert_array_equal(samples(panel.player, "x"), samples(panel.player, x.lower()))
            panel.controls["is_a" if x == "A" else "is_b"].click()
    assert "5 of 5 right, p = 0.0312" in panel.status.text
    kept = pd.read_csv(path)
    assert kept["test"].tolist() == [1] * 5 + [2] * 5
    assert kept["right"].all()
    assert kept["p_value"].to_numpy() == pytest.approx(1 / 32, rel=1e-4)
    panel.controls["b"].value = "one"
    panel.begin()
    assert panel.test is None
    assert panel.status.kind == "error"
