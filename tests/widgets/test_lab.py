import re
import threading

import numpy as np
import pytest
import soundfile

from audiostyle.sound.audio import load_audio
from audiostyle.studies import recipe
from audiostyle.widgets.jobs import Ticket

SR = 22050
WAIT = 120


def test_lab_runs_and_keeps_the_previous_result(lab, content, samples):
    assert lab.player.slot("result") == {}
    lab.run()
    assert lab.wait(WAIT)
    assert lab.settings.status.startswith("Done"), lab.settings.status
    assert lab.settings.status.endswith("The sound has the content's loudness.")
    assert "stop" in lab.settings.disabled
    first = lab.player.slot("result")
    assert len(samples(lab.player, "result")) == len(content)
    lab.select(balance=0.9)
    lab.settings.press("run")
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


@pytest.mark.parametrize("phase", ["quick", "polish"])
def test_stop_keeps_the_best_so_far_and_can_be_made_again(lab, phase):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=2000, phase=phase, balance=0.97)
    seen = threading.Event()
    lab.settings.observe(lambda change: "Iteration" in change["new"] and seen.set(), "status")
    lab.run()
    assert seen.wait(WAIT)
    lab.settings.press("stop")
    assert lab.wait(WAIT)
    assert lab.settings.status.startswith("Stopped"), lab.settings.status
    made, rendered = lab.result
    assert 0 < made.config.n_iter < 2000
    np.testing.assert_array_equal(made.run().y, rendered.y)


def test_silence_gives_a_message_and_keeps_the_result(lab, tmp_path):
    lab.run()
    assert lab.wait(WAIT)
    kept = lab.result
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * SR), SR)
    lab.select(content=str(tmp_path / "silent.wav"))
    lab.run()
    assert lab.wait(WAIT)
    assert lab.settings.status_kind == "error"
    assert "silent" in lab.settings.status
    assert lab.result == kept
    assert "stop" in lab.settings.disabled


@pytest.mark.parametrize("suffix", ["wav", "ogg", "flac"])
def test_saved_result_is_made_again_from_its_settings(lab, suffix):
    lab.select(balance=0.6, seed=4)
    lab.content.length = 1.2
    lab.content.start = 0.3
    assert lab.content.start == 0.3
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.update(name="mine", format=suffix)
    lab.saving.press("save")
    assert lab.saving.status_kind == "info", lab.saving.status
    sound = lab._folder / f"mine.{suffix}"
    y, _ = load_audio(sound)
    again = recipe.load_recipe(sound.with_suffix(".json")).run()
    np.testing.assert_array_equal(again.y, lab.result[1].y)
    tolerance = 0.1 * np.abs(again.y).max() if suffix == "ogg" else 1 / 2**15
    np.testing.assert_allclose(y, again.y, atol=tolerance)


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden"])
def test_save_refuses_names_that_are_paths(lab, name):
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.update(name=name)
    lab.saving.press("save")
    assert lab.saving.status_kind == "error"
    assert not lab._folder.exists()


@pytest.mark.parametrize("audio_format", ["/../../escape.wav", "x/../wav", "json", ""])
def test_save_refuses_formats_that_are_none(lab, audio_format):
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.values = {**lab.saving.values, "format": audio_format}
    with pytest.raises(ValueError, match=r"audio_format=.* must be one of wav, ogg, flac"):
        lab.save("name", audio_format or None)
    assert not lab._folder.exists()


def test_save_without_result_says_so(lab):
    lab.saving.press("save")
    assert "no result to save" in lab.saving.status
