import re
import threading

import numpy as np
import pytest
import soundfile

from audiostyle.config import TransferConfig
from audiostyle.files.presets import USES
from audiostyle.widgets.jobs import Ticket
from audiostyle.widgets.lab import StyleLab

SR = 22050
WAIT = 120


def test_lab_runs_and_keeps_the_previous_result(lab, content, samples):
    assert lab.player.slot("result") == {}
    lab.run()
    assert lab.wait(WAIT)
    assert lab.controls.status.startswith("Done"), lab.controls.status
    assert lab.controls.status.endswith("The sound has the content's loudness.")
    assert "stop" in lab.controls.disabled
    first = lab.player.slot("result")
    assert len(samples(lab.player, "result")) == len(content)
    lab.select(balance=0.9)
    lab.controls.press("run")
    assert lab.wait(WAIT)
    assert lab.player.slot("previous")["audio"] == first["audio"]
    assert lab.player.slot("result")["audio"] != first["audio"]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in lab.numbers.value.split("</tr>")]
    assert rows[0][1:] == ["result", "previous result"]
    shares = [f"{run[1].numbers['style_share_limit']:.3f}" for run in (lab.result, lab.previous)]
    assert rows[1][1:] == shares
    assert shares[0] != shares[1]


def test_lab_preview_is_three_seconds_of_the_content(lab, samples):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=300, balance=0.9)
    lab.style.length = 6.0
    lab.settings.press("preview")
    assert lab.wait(WAIT)
    assert lab.result[0].style.duration == 6.0
    np.testing.assert_array_equal(lab.result[0].run().y, lab.result[1].y)
    assert len(samples(lab.player, "result")) == 3 * SR
    assert lab.result[0].content.duration == 3.0
    assert lab.result[0].config.n_iter == 60


def move(lab, **values):
    """Set controls as the page does."""
    lab.controls.values = {**lab.controls.values, **values}


def test_defaults_are_those_of_the_command_line(lab):
    fresh = StyleLab()
    assert fresh.config() == TransferConfig()
    assert fresh.wait(WAIT)


def test_a_moved_balance_previews_by_itself_and_marks_the_result_until_then(lab, monkeypatch):
    lab.run()
    assert lab.wait(WAIT)
    assert lab.player.stale == []
    resting, rested = threading.Event(), threading.Event()
    monkeypatch.setattr(Ticket, "pause", lambda ticket, _: resting.set() or rested.wait(WAIT))
    move(lab, balance=0.3)
    assert resting.wait(WAIT)
    assert lab.player.stale == [2]
    assert lab.result[0].config.balance == 0.5
    rested.set()
    assert lab.wait(WAIT)
    assert lab.result[0].config.balance == 0.3
    assert "of preview" in lab.controls.status
    assert lab.player.stale == []
    assert "preview of" in lab.player.slot("result")["note"]


def test_of_a_slider_that_is_dragged_only_the_last_place_is_previewed(lab, monkeypatch):
    made = []
    transfer = lab._transfer
    monkeypatch.setattr(
        lab, "_transfer", lambda ticket, chosen: made.append(chosen) or transfer(ticket, chosen)
    )
    for balance in (0.1, 0.2, 0.3, 0.4):
        move(lab, balance=balance)
    assert lab.wait(WAIT)
    assert [chosen.config.balance for chosen in made] == [0.4]


def test_a_balance_that_is_put_back_is_not_out_of_date(lab):
    lab.run(preview=True)
    assert lab.wait(WAIT)
    shown = lab.result
    move(lab, balance=0.3)
    assert lab.player.stale == [2]
    move(lab, balance=0.5)
    assert lab.player.stale == []
    assert lab.wait(WAIT)
    assert lab.result is shown
    assert lab.controls.status_kind == "info"
    assert lab.controls.disabled == ["stop"]


def test_other_settings_and_sounds_mark_the_result_as_well(lab):
    lab.run()
    assert lab.wait(WAIT)
    lab.settings.update(seed=3)
    assert lab.player.stale == [2]
    lab.settings.update(seed=0)
    assert lab.player.stale == []
    lab.style.length = 0.9
    assert lab.player.stale == [2]
    assert lab.wait(WAIT)
    assert lab.result[0].config.seed == 0


def test_a_whole_transfer_is_not_given_up_for_a_preview(lab):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=2000, balance=0.97)
    seen = threading.Event()
    lab.controls.observe(lambda change: "Iteration" in change["new"] and seen.set(), "status")
    lab.run()
    assert seen.wait(WAIT)
    move(lab, balance=0.3)
    lab.stop()
    assert lab.wait(WAIT)
    assert lab.controls.status.startswith("Stopped")
    assert lab.result[0].config.balance == 0.97
    assert lab.player.stale == [2]


def test_previews_take_no_whole_result_from_the_place_of_the_previous_one(lab):
    lab.run()
    assert lab.wait(WAIT)
    whole = lab.result
    for balance in (0.3, 0.4):
        lab.select(balance=balance)
        lab.run(preview=True)
        assert lab.wait(WAIT)
    assert lab.previous[0] == whole[0]
    lab.run()
    assert lab.wait(WAIT)
    assert lab.previous[0] == whole[0]
    lab.run(preview=True)
    assert lab.wait(WAIT)
    assert lab.previous[0].config.balance == 0.4


def test_stop_before_the_slider_rests_leaves_the_result(lab, monkeypatch):
    resting = threading.Event()
    pause = Ticket.pause
    monkeypatch.setattr(Ticket, "pause", lambda ticket, _: resting.set() or pause(ticket, WAIT))
    lab.controls.disabled = []
    move(lab, balance=0.3)
    assert resting.wait(WAIT)
    lab.stop()
    assert lab.wait(WAIT)
    assert lab.controls.status == "Stopped."
    assert lab.controls.disabled == ["stop"]
    assert lab.result is None


@pytest.mark.parametrize("use", USES)
def test_a_use_sets_what_the_command_line_sets(lab, use):
    lab.select(use=use)
    assert lab.config() == USES[use].config
    assert lab.controls["use"] == use
    # The balance is where the slider starts; any other setting is one's own.
    lab.select(balance=0.33)
    assert lab.controls["use"] == use
    lab.select(kernel_size=4)
    assert lab.controls["use"] == "own"
    assert lab.config().kernel_size == 4
    assert lab.result is None


def test_a_use_that_is_chosen_previews(lab):
    move(lab, use="texture")
    assert lab.wait(WAIT)
    assert lab.result[0].config.balance == USES["texture"].config.balance


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
    np.testing.assert_array_equal(made.run().y, rendered.y)


@pytest.mark.parametrize("phase", ["griffin_lim", "polish"])
def test_stop_keeps_the_best_so_far_and_can_be_made_again(lab, phase):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=2000, phase=phase, balance=0.97)
    seen = threading.Event()
    lab.controls.observe(lambda change: "Iteration" in change["new"] and seen.set(), "status")
    lab.run()
    assert seen.wait(WAIT)
    lab.controls.press("stop")
    assert lab.wait(WAIT)
    assert lab.controls.status.startswith("Stopped"), lab.controls.status
    made, rendered = lab.result
    assert 0 < made.config.n_iter < 2000
    if phase == "griffin_lim":  # a stop spares the polish, which the settings ask for
        np.testing.assert_array_equal(made.run().y, rendered.y)


def test_silence_gives_a_message_and_keeps_the_result(lab, tmp_path):
    lab.run()
    assert lab.wait(WAIT)
    kept = lab.result
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * SR), SR)
    lab.select(content=str(tmp_path / "silent.wav"))
    lab.run()
    assert lab.wait(WAIT)
    assert lab.controls.status_kind == "error"
    assert "silent" in lab.controls.status
    assert lab.result == kept
    assert "stop" in lab.controls.disabled
