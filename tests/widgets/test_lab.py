import threading

import nbformat
import numpy as np
import pytest
import soundfile

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.widgets import app
from audiostyle.widgets.jobs import Ticket
from audiostyle.widgets.lab import StyleLab

SR = 22050
WAIT = 120


def run(lab, **options):
    lab.run(**options)
    assert lab.wait(WAIT)
    assert lab.status.kind == "info", lab.status.text


def move(lab, **values):
    """Set controls as the page does: the balance is previewed."""
    for name, value in values.items():
        lab.controls[name].value = value


def test_lab_runs_and_keeps_the_previous_result(lab, content, samples):
    assert lab.player["result"] == {}
    run(lab)
    assert lab.status.text.startswith("Done")
    assert lab.controls["stop"].disabled
    first = lab.player["result"]
    assert len(samples(lab.player, "result")) == len(content)
    lab.select(balance=0.9)
    lab.controls["run"].click()
    assert lab.wait(WAIT)
    assert lab.player["previous"]["audio"] == first["audio"]
    assert lab.player["result"]["audio"] != first["audio"]
    for name, (_, made) in (("result", lab.result), ("previous", lab.previous)):
        assert f"style loss {made.numbers['style_share_limit']:.3f}" in lab.player[name]["note"]


def test_lab_preview_is_three_seconds_of_the_content(lab, samples, again):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=300, balance=0.9)
    lab.style.length = 6.0
    run(lab, preview=True)
    made, rendered = lab.result
    assert (made.content.duration, made.style.duration, made.config.n_iter) == (3.0, 6.0, 60)
    np.testing.assert_array_equal(again(made), rendered.y)
    assert len(samples(lab.player, "result")) == 3 * SR


def test_defaults_are_those_of_the_command_line():
    lab = StyleLab()
    paper = TransferConfig.paper()
    for config in (TransferConfig(), TransferConfig(method="gram"), paper):
        lab.select(method="paper" if config == paper else config.method)
        assert lab.config() == config
        assert lab.controls["n_filters"].disabled == (config != paper)
    assert lab.wait(WAIT)


def test_of_a_balance_that_is_dragged_the_last_place_is_previewed_and_marks_the_result_until_then(lab):
    run(lab)
    shown = []
    lab.player.observe(lambda change: shown.append(lab.result[0].config.balance), "slot2")
    for balance in (0.1, 0.2, 0.3):
        move(lab, balance=balance)
    assert lab.player.stale == [2]
    assert lab.result[0].config.balance == 0.5
    assert lab.wait(WAIT)
    assert set(shown) == {0.3}
    assert "preview" in lab.status.text
    assert lab.player.stale == []
    assert "preview of" in lab.player["result"]["note"]


def test_what_is_put_back_is_not_out_of_date(lab):
    run(lab, preview=True)
    shown = lab.result
    for balance, stale in ((0.3, [2]), (0.5, [])):
        move(lab, balance=balance)
        assert lab.player.stale == stale
    assert lab.wait(WAIT)
    assert lab.result is shown
    assert lab.controls["stop"].disabled


def test_other_settings_and_sounds_mark_the_result_as_well(lab):
    run(lab)
    for change, back in (({"seed": 3}, {"seed": 0}), ({"kernel_size": 5}, {"kernel_size": 3})):
        move(lab, **change)
        assert lab.player.stale == [2]
        move(lab, **back)
        assert lab.player.stale == []
    lab.style.length = 0.9
    assert lab.player.stale == [2]
    assert lab.wait(WAIT)
    assert lab.result[0].style.duration > 0.9


@pytest.fixture
def running(lab):
    """The lab in the midst of a long optimisation."""
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=2000, balance=0.97)
    seen = threading.Event()
    lab.status.observe(lambda change: "Iteration" in change["new"] and seen.set(), "text")
    lab.run()
    assert seen.wait(WAIT)
    return lab


def test_a_whole_transfer_is_not_given_up_for_a_preview_and_a_stop_can_be_made_again(running, again):
    move(running, balance=0.3)
    running.controls["stop"].click()
    assert running.wait(WAIT)
    assert running.status.text.startswith("Stopped")
    made, rendered = running.result
    assert made.config.balance == 0.97
    assert running.player.stale == [2]
    assert 0 < made.config.n_iter < 2000
    np.testing.assert_array_equal(again(made), rendered.y)


def test_stop_before_the_slider_rests_leaves_the_result(lab, monkeypatch):
    monkeypatch.setattr("audiostyle.widgets.lab._REST_SECONDS", WAIT)
    move(lab, balance=0.3)
    lab.stop()
    assert lab.wait(WAIT)
    assert lab.status.text == "Stopped."
    assert lab.result is None


def test_result_is_of_what_was_chosen_when_run_was_pressed(lab, monkeypatch):
    waiting = []
    monkeypatch.setattr(lab._runs, "submit", waiting.append)
    lab.content.length = 1.2
    lab.run()
    lab.content.length, lab.content.start, lab.style.start = 0.8, 0.5, 0.4
    lab.select(balance=0.9)
    waiting[0](Ticket())
    made, rendered = lab.result
    assert (made.content.start, made.content.duration, made.style.start) == (0, 1.2, 0)
    assert made.config.balance == 0.5
    assert len(rendered.y) == round(1.2 * SR)


def test_silence_gives_a_message_and_keeps_the_result(lab, tmp_path):
    run(lab)
    kept = lab.result
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * SR), SR)
    lab.select(content=str(tmp_path / "silent.wav"))
    lab.run()
    assert lab.wait(WAIT)
    assert lab.status.kind == "error"
    assert "silent" in lab.status.text
    assert lab.result == kept
    assert lab.controls["stop"].disabled


def test_page_is_a_notebook_that_saves_where_the_command_was_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = app.page()
    nbformat.validate(page)
    made = {}
    monkeypatch.setattr(StyleLab, "run", lambda lab, preview: made.update(preview=preview))
    exec(compile(page.cells[1].source, "page", "exec"), made)
    assert made["preview"]
    assert made["lab"].config() == TransferConfig()
    assert made["lab"].saving._folder == paths.results_root() / "saved"
    assert made["lab"].wait(WAIT)
