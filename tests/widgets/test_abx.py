import numpy as np
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


def test_abx_panel_plays_x_and_counts_answers(content, style, samples):
    sounds = {"one": (content, SR), "two": (style, SR)}
    panel = AbxPanel(sounds.__getitem__, [("first", "one"), ("second", "two")])
    panel.answer("A")  # nothing has begun
    for _ in range(2):
        panel.controls["n_trials"].value = 5
        panel.controls["begin"].click()
        while panel.test is not None:
            x = panel.test.x
            np.testing.assert_array_equal(samples(panel.player, "x"), samples(panel.player, x.lower()))
            panel.controls["is_a" if x == "A" else "is_b"].click()
    assert "5 of 5 right, p = 0.0312" in panel.status.text
    panel.controls["b"].value = "one"
    panel.begin()
    assert panel.test is None
    assert panel.status.kind == "error"
