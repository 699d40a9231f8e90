import numpy as np
import pytest

from audiostyle.studies.results import Results
from audiostyle.widgets.abx import AbxPanel

SR = 22050


def test_abx_panel_plays_x_and_keeps_answers(content, style, samples):
    sounds = {"one": (content, SR), "two": (style, SR)}
    names = [("one", "first"), ("two", "second")]
    panel = AbxPanel(sounds.__getitem__, names, Results("smoke", "bundled"), seed=3)
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
    kept = Results("smoke", "bundled").load_table("abx")
    assert kept["test"].tolist() == [1] * 5 + [2] * 5
    assert kept["right"].all()
    assert kept["p_value"].to_numpy() == pytest.approx(1 / 32, rel=1e-4)
    panel.form.update(b="one")
    panel.begin()
    assert panel.test is None
    assert panel.form.status_kind == "error"
