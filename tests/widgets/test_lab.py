import threading
from dataclasses import replace

import nbformat
import numpy as np
import soundfile

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.files import recipe
from audiostyle.sound.levels import rms
from audiostyle.sound.read import load_audio
from audiostyle.widgets import app
from audiostyle.widgets.jobs import Ticket
from audiostyle.widgets.lab import StyleLab
from tests.signals import SR, WAIT, samples


def run(lab, *, ends="info", **options):
    lab.run(**options)
    assert lab.wait(WAIT)
    assert lab.status.kind == ends, lab.status.text


def test_lab_runs_and_keeps_the_previous_result(lab, content):
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


def test_lab_preview_is_three_seconds_of_the_content(lab, again):
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
        lab.controls["balance"].value = balance
    assert lab.player.stale == [2]
    assert lab.result[0].config.balance == 0.5
    assert lab.wait(WAIT)
    assert set(shown) == {0.3}
    assert "preview" in lab.status.text
    assert lab.player.stale == []
    assert "preview of" in lab.player["result"]["note"]


def test_what_is_put_back_is_not_out_of_date_and_other_settings_and_sounds_are(lab):
    run(lab, preview=True)
    shown = lab.result
    for name, other in (("balance", 0.3), ("seed", 3), ("kernel_size", 5)):
        before = lab.controls[name].value
        for value, stale in ((other, [2]), (before, [])):
            lab.controls[name].value = value
            assert lab.player.stale == stale
    assert lab.wait(WAIT)
    assert lab.result is shown
    assert lab.controls["stop"].disabled
    lab.style.length = 0.9
    assert lab.player.stale == [2]
    assert lab.wait(WAIT)
    assert lab.result is shown  # sounds are not previewed


def test_a_whole_transfer_is_not_given_up_for_a_preview_and_a_stop_can_be_made_again(lab, again):
    lab.select(content="violin_canon", style="piano_fur_elise", n_iter=2000, balance=0.97)
    seen = threading.Event()
    lab.status.observe(lambda change: "Iteration" in change["new"] and seen.set(), "text")
    lab.run()
    assert seen.wait(WAIT)
    lab.controls["balance"].value = 0.3
    lab.controls["stop"].click()
    assert lab.wait(WAIT)
    assert lab.status.text.startswith("Stopped")
    made, rendered = lab.result
    assert made.config.balance == 0.97
    assert lab.player.stale == [2]
    assert 0 < made.config.n_iter < 2000
    np.testing.assert_array_equal(again(made), rendered.y)


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
    run(lab, ends="error")
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


def press(lab, button, **values):
    """Fill the form, press a button, and return its status."""
    for name, value in values.items():
        lab.saving.controls[name].value = value
    lab.saving.controls[button].click()
    return lab.saving.status


def test_saved_result_is_made_again_from_its_settings(lab, again):
    lab.select(balance=0.6, seed=4)
    lab.content.length = 1.2
    lab.content.start = 0.3
    run(lab)
    for suffix in ("wav", "ogg", "flac", "aiff", "mp3"):
        assert press(lab, "save", name=suffix, format=suffix).kind == "info", lab.saving.status.text
        y, _ = load_audio(lab.saving._folder / f"{suffix}.{suffix}")
        made = lab.result[1].y
        apart = y[: len(made)] - made  # MP3 pads its frames
        lossy = suffix in ("ogg", "mp3")
        assert rms(apart) < 0.1 * rms(made) if lossy else np.abs(apart).max() <= 1 / 2**15
    np.testing.assert_array_equal(again(recipe.load_recipe(lab.saving._folder / "wav.json")), made)


def test_what_cannot_be_saved_is_said(lab):
    for button in ("save", "download", "recipe"):
        assert "no result" in press(lab, button).text
    run(lab)
    for name in ("", "../escape", "a/b", ".hidden"):
        assert press(lab, "save", name=name).kind == "error"
    assert not lab.saving._folder.exists()


def test_nothing_is_overwritten_and_names_say_what_it_is(lab, tmp_path):
    lab.select(balance=0.4)
    run(lab)
    for number in ("", "_2", "_3"):
        name = f"content__style_balance0.40{number}"
        assert f"{name}.wav and {name}.json" in press(lab, "save").text
    kept = {path: path.read_bytes() for path in (tmp_path / "saved").iterdir()}
    assert len(kept) == 6
    lab.select(balance=0.2)
    run(lab, preview=True)
    assert lab.saving.controls["name"].value == "content__style_balance0.20_preview"
    # Of another format, the settings would be overwritten.
    press(lab, "save", name="content__style_balance0.40", format="flac")
    assert (tmp_path / "saved" / "content__style_balance0.40_4.flac").is_file()
    assert kept == {path: path.read_bytes() for path in kept}


def test_result_comes_as_the_content_came(lab, tmp_path, content, again):
    y = np.stack([np.resize(content, 2 * 48000), 0.5 * np.resize(content, 2 * 48000)])
    soundfile.write(tmp_path / "stereo.wav", y.T, 48000, subtype="PCM_24")
    lab.select(content=str(tmp_path / "stereo.wav"))
    run(lab)
    assert lab.status.text.startswith("Done: 2.0 s of sound"), lab.status.text
    made, rendered = lab.result
    assert (rendered.y.shape, rendered.sr) == ((2, 2 * 48000), 48000)
    np.testing.assert_array_equal(again(made), rendered.y)
    assert 0.5 < rendered.numbers["chroma_similarity"] <= 1
    heard = samples(lab.player, "result")[4000:90000]
    # One factor brings what is heard to the level of the player.
    factors = heard / rendered.y.T[4000:90000]
    assert np.median(np.abs(factors - np.median(factors))) < 0.01 * np.median(factors)
    info = soundfile.info(lab.saving.save())
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (48000, 2, "PCM_24", 2 * 48000)
    # of MP3, which WAV cannot hold, too
    soundfile.write(tmp_path / "mine.mp3", content, 44100)
    lab.select(content=str(tmp_path / "mine.mp3"))
    run(lab)
    assert press(lab, "download").kind == "info", lab.saving.status.text


def test_code_has_the_settings_and_the_cuts_of_the_recipe(lab):
    lab.content.length, lab.content.start = 1.0, 0.5
    for given in (
        {}, {"method": "gram"}, {"encoder": "random"}, {"encoder": "random", "phase": "griffin_lim"}, {"balance": 0.8},
    ):  # fmt: skip
        made = replace(lab.recipe(), config=TransferConfig(**given))
        (line,) = [line for line in made.python().splitlines() if line.startswith("config = ")]
        assert eval(line.removeprefix("config = ")) == made.config
        assert f"Part({made.content.path!r}, 0.5, 1.0)" in made.python()
