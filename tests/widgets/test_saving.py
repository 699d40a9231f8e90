import io
import json

import numpy as np
import pytest
import soundfile

from audiostyle.files import recipe
from audiostyle.sound.audio import load_audio

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
    made.saving.form.send = lambda content, buffers=None: kept.append((content["name"], buffers[0]))
    return kept


@pytest.mark.parametrize("suffix", ["wav", "ogg", "flac", "aiff", "mp3"])
def test_saved_result_is_made_again_from_its_settings(lab, suffix):
    lab.select(balance=0.6, seed=4)
    lab.content.length = 1.2
    lab.content.start = 0.3
    assert lab.content.start == 0.3
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.form.update(name="mine", format=suffix)
    lab.saving.form.press("save")
    assert lab.saving.form.status_kind == "info", lab.saving.form.status
    sound = lab.saving._folder / f"mine.{suffix}"
    y, _ = load_audio(sound)
    again = recipe.load_recipe(sound.with_suffix(".json")).run()
    np.testing.assert_array_equal(again.y, lab.result[1].y)
    if suffix == "mp3":  # pads its frames
        y = y[: len(again.y)]
    tolerance = 0.1 * np.abs(again.y).max() if suffix in ("ogg", "mp3") else 1 / 2**15
    np.testing.assert_allclose(y, again.y, atol=tolerance)


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden"])
def test_save_refuses_names_that_are_paths(lab, name):
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.form.update(name=name)
    lab.saving.form.press("save")
    assert lab.saving.form.status_kind == "error"
    assert not lab.saving._folder.exists()


@pytest.mark.parametrize("audio_format", ["/../../escape.wav", "x/../wav", "json", ""])
def test_save_refuses_formats_that_are_none(lab, audio_format):
    lab.run()
    assert lab.wait(WAIT)
    lab.saving.form.values = {**lab.saving.form.values, "format": audio_format}
    with pytest.raises(ValueError, match=r"audio_format=.* must be one of wav, flac, aiff, ogg, mp3"):
        lab.save("name", audio_format or None)
    assert not lab.saving._folder.exists()


def test_save_without_result_says_so(lab):
    lab.saving.form.press("save")
    assert "no result to keep" in lab.saving.form.status


def test_nothing_is_overwritten_and_names_say_what_it_is(made):
    for number in ("", "_2", "_3"):
        made.saving.form.press("save")
        assert made.saving.form.status_kind == "info", made.saving.form.status
        name = f"content__style_balance0.40{number}"
        assert f"Saved {name}.wav and {name}.json" in made.saving.form.status
    folder = made.saving._folder
    assert len(list(folder.iterdir())) == 6
    # Of another format, the settings would be overwritten.
    before = (folder / "content__style_balance0.40.json").read_bytes()
    made.select(balance=0.2)
    made.run(preview=True)
    assert made.wait(WAIT)
    assert made.save("content__style_balance0.40", "flac").name == "content__style_balance0.40_4.flac"
    assert (folder / "content__style_balance0.40.json").read_bytes() == before
    assert made.saving.form["name"] == "content__style_balance0.20_preview"


def test_download_is_the_sound_in_the_format_chosen(made, sent):
    made.saving.form.update(name="mine", format="flac", subtype="PCM_24", rate="48000")
    made.saving.form.press("download")
    assert made.saving.form.status == "Downloaded mine.flac."
    ((name, data),) = sent
    info = soundfile.info(io.BytesIO(data))
    y = made.result[1].y
    assert (name, info.format, info.subtype, info.samplerate) == ("mine.flac", "FLAC", "PCM_24", 48000)
    assert info.frames == pytest.approx(len(y) * 48000 / SR, abs=1)
    assert not made.saving._folder.exists()


def test_download_of_the_result_as_it_is_changes_no_sample(made, sent):
    made.saving.form.update(format="wav", subtype="FLOAT")
    made.saving.form.press("download")
    y, sr = soundfile.read(io.BytesIO(sent[0][1]), dtype="float32")
    assert sr == SR
    np.testing.assert_array_equal(y, made.result[1].y)


def test_download_with_two_channels_has_both_alike(made, sent):
    made.saving.form.update(format="aiff", channels="2", subtype="FLOAT")
    made.saving.form.press("download")
    assert made.saving.form.status_kind == "info", made.saving.form.status
    y, _ = soundfile.read(io.BytesIO(sent[0][1]), dtype="float32")
    np.testing.assert_array_equal(y, np.stack([made.result[1].y] * 2, axis=1))


def test_downloaded_settings_make_the_sound_again(made, sent, tmp_path):
    made.saving.form.press("recipe")
    ((name, data),) = sent
    assert name == "content__style_balance0.40.json"
    assert json.loads(data)["config"]["balance"] == 0.4
    (tmp_path / name).write_bytes(data)
    np.testing.assert_array_equal(recipe.load_recipe(tmp_path / name).run().y, made.result[1].y)


def test_bits_are_those_that_the_format_holds(lab):
    form = lab.saving.form

    def offered():
        return [value for field in form.fields if field["name"] == "subtype" for value, _ in field["options"]]

    form.update(subtype="FLOAT")
    for name, bits in (("flac", "same"), ("ogg", "VORBIS"), ("wav", "same")):
        form.update(format=name)
        assert form["subtype"] == bits
        for subtype in set(offered()) - {"same"}:
            assert soundfile.check_format(name.upper(), subtype)
    form.update(subtype="PCM_24")
    form.update(format="aiff")
    assert form["subtype"] == "PCM_24"


def test_a_rate_that_a_format_lacks_gives_a_message_in_place(made, sent):
    made.saving.form.update(format="mp3", rate="96000")
    made.saving.form.press("download")
    assert made.saving.form.status_kind == "error"
    assert "cannot be written as MP3 at 96000 Hz" in made.saving.form.status
    assert sent == []


def test_result_comes_as_the_content_came(lab, tmp_path, content, style, samples):
    y = np.stack([np.resize(content, 2 * 48000), 0.5 * np.resize(content, 2 * 48000)])
    soundfile.write(tmp_path / "stereo.wav", y.T, 48000, subtype="PCM_24")
    lab.select(content=str(tmp_path / "stereo.wav"))
    lab.run()
    assert lab.wait(WAIT)
    assert lab.controls.status.startswith("Done: 2.0 s of sound"), lab.controls.status
    recipe_made, rendered = lab.result
    assert (rendered.y.shape, rendered.sr) == ((2, 2 * 48000), 48000)
    np.testing.assert_array_equal(recipe_made.run().y, rendered.y)
    assert 0.5 < rendered.numbers["chroma_similarity"] <= 1
    heard = samples(lab.player, "result")
    assert heard.shape == (2 * 48000, 2)
    # One factor brings what is heard to the level of the player.
    factors = heard[4000:90000] / rendered.y.T[4000:90000]
    assert np.median(np.abs(factors - np.median(factors))) < 0.01 * np.median(factors)
    info = soundfile.info(lab.save("mine", "wav"))
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (48000, 2, "PCM_24", 2 * 48000)
    lab.saving.form.update(channels="1", rate="22050")
    info = soundfile.info(lab.save("mine", "flac"))
    assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_24")
