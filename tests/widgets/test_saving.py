import io
import json

import numpy as np
import pytest
import soundfile

from audiostyle.files import recipe
from audiostyle.sound.read import load_audio

SR = 22050
WAIT = 120


@pytest.fixture
def made(lab):
    """The lab with a result at balance 0.4."""
    lab.select(balance=0.4)
    lab.run()
    assert lab.wait(WAIT)
    return lab


@pytest.fixture
def sent(made):
    """What is handed to the browser: names and bytes."""
    kept = []
    made.saving.status.send = lambda content, buffers=None: kept.append((content["name"], buffers[0]))
    return kept


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
    lab.run()
    assert lab.wait(WAIT)
    for suffix in ("wav", "ogg", "flac", "aiff", "mp3"):
        assert press(lab, "save", name=suffix, format=suffix).kind == "info", lab.saving.status.text
        y, _ = load_audio(lab.saving._folder / f"{suffix}.{suffix}")
        made = lab.result[1].y
        tolerance = 0.1 * np.abs(made).max() if suffix in ("ogg", "mp3") else 1 / 2**15
        np.testing.assert_allclose(y[: len(made)], made, atol=tolerance)  # MP3 pads its frames
    np.testing.assert_array_equal(again(recipe.load_recipe(lab.saving._folder / "wav.json")), made)


def test_what_cannot_be_saved_is_said(lab):
    for button in ("save", "download", "recipe"):
        assert "no result" in press(lab, button).text
    lab.run()
    assert lab.wait(WAIT)
    for name in ("", "../escape", "a/b", ".hidden"):
        assert press(lab, "save", name=name).kind == "error"
    assert not lab.saving._folder.exists()


def test_nothing_is_overwritten_and_names_say_what_it_is(made):
    for number in ("", "_2", "_3"):
        name = f"content__style_balance0.40{number}"
        assert f"{name}.wav and {name}.json" in press(made, "save").text
    folder = made.saving._folder
    assert len(list(folder.iterdir())) == 6
    # Of another format, the settings would be overwritten.
    before = (folder / "content__style_balance0.40.json").read_bytes()
    made.select(balance=0.2)
    made.run(preview=True)
    assert made.wait(WAIT)
    assert made.saving.controls["name"].value == "content__style_balance0.20_preview"
    press(made, "save", name="content__style_balance0.40", format="flac")
    assert (folder / "content__style_balance0.40_4.flac").is_file()
    assert (folder / "content__style_balance0.40.json").read_bytes() == before


def test_download_is_the_result_and_its_settings_make_it_again(made, sent, tmp_path, again):
    press(made, "download", format="flac")
    press(made, "recipe")
    (sound, data), (settings, text) = sent
    assert (sound, settings) == ("content__style_balance0.40.flac", "content__style_balance0.40.json")
    y, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_allclose(y, made.result[1].y, atol=1 / 2**15)
    assert json.loads(text)["config"]["balance"] == 0.4
    (tmp_path / settings).write_bytes(text)
    np.testing.assert_array_equal(again(recipe.load_recipe(tmp_path / settings)), made.result[1].y)
    assert not made.saving._folder.exists()


@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
def test_the_first_download_works_for_every_content(lab, tmp_path, content, suffix):
    soundfile.write(tmp_path / f"mine.{suffix}", content, 44100)
    lab.select(content=str(tmp_path / f"mine.{suffix}"))
    lab.run()
    assert lab.wait(WAIT)
    assert press(lab, "download").kind == "info", lab.saving.status.text


def test_result_comes_as_the_content_came(lab, tmp_path, content, samples, again):
    y = np.stack([np.resize(content, 2 * 48000), 0.5 * np.resize(content, 2 * 48000)])
    soundfile.write(tmp_path / "stereo.wav", y.T, 48000, subtype="PCM_24")
    lab.select(content=str(tmp_path / "stereo.wav"))
    lab.run()
    assert lab.wait(WAIT)
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
