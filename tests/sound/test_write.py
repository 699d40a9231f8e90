"""Writing: what a format cannot hold is told before the work, and ten samples tell what it can."""

import logging
import os

import numpy as np
import pytest
import soundfile

from audiostyle.sound import write
from audiostyle.sound.read import load_audio
from audiostyle.sound.write import SUFFIXES, open_writer, save_audio, writable

SR = 22050


@pytest.fixture
def tone():
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(SR) / SR)).astype(np.float32)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_with_its_length_rate_and_channels(tmp_path, tone, suffix):
    path = save_audio(tmp_path / f"a{suffix}", np.stack([tone, -0.5 * tone]), SR)
    y, sr = load_audio(path, sr=None, mono=False)
    assert (y.shape, sr) == ((2, SR), SR)
    # lossy formats take the first and the last moment for a click
    exact = suffix not in (".ogg", ".mp3")
    np.testing.assert_allclose(
        y[:, 2000:-2000], [tone[2000:-2000], -0.5 * tone[2000:-2000]], atol=1e-4 if exact else 0.1
    )


def test_blocks_make_the_same_file_as_the_whole(tmp_path, tone):
    written = writable(tmp_path / "a.wav", SR, subtype="PCM_24")
    with open_writer(tmp_path / "a.wav", written, SR, 1) as put:
        for start in range(0, SR, 1000):
            put(tone[None, start : start + 1000])
    save_audio(tmp_path / "b.wav", tone, SR, subtype="PCM_24")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize(
    ("name", "asked", "kept"),
    [
        ("a.wav", None, "PCM_16"), ("a.wav", "DOUBLE", "DOUBLE"), ("a.wav", "ULAW", "ULAW"),
        ("a.aif", "PCM_S8", "PCM_S8"),
        ("a.wav", "MPEG_LAYER_III", "PCM_16"), ("a.wav", "VORBIS", "PCM_16"), ("a.wav", "IMA_ADPCM", "PCM_16"),
        ("a.wav", "GSM610", "PCM_16"), ("a.aiff", "DWVW_24", "PCM_16"), ("a.flac", "PCM_U8", "PCM_16"),
        ("a.flac", "FLOAT", "PCM_24"), ("a.flac", "PCM_32", "PCM_24"), ("a.mp3", "PCM_24", "MPEG_LAYER_III"),
        ("a.ogg", "FLOAT", "VORBIS"), ("a.ogg", "OPUS", "VORBIS"), ("a.MP3", "MPEG_LAYER_III", "MPEG_LAYER_III"),
    ],
)  # fmt: skip
def test_samples_are_kept_as_asked_or_in_the_usual_way_with_a_sentence(
    tmp_path, tone, caplog, name, asked, kept
):
    found = writable(tmp_path / name, SR, 1, asked)
    assert found.subtype == kept
    said = [f"{found.format} has no {asked} samples: written as {kept}."] if asked not in (None, kept) else []
    save_audio(tmp_path / name, tone, SR, subtype=asked)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / name}: {text}" for text in said
    ]
    assert soundfile.info(tmp_path / name).subtype == kept
    assert len(load_audio(tmp_path / name)[0]) == SR


@pytest.mark.parametrize(
    ("name", "sr", "channels", "subtype", "message"),
    [
        ("a.xyz", SR, 1, None, "no suffix that names a sound format written here; use one of .wav, .flac"),
        ("a", SR, 1, None, "no suffix"),
        ("a.wav", SR, 1, "PCM_99", "PCM_99 is no way to keep samples; WAV has PCM_16, PCM_24"),
        ("a.mp3", 96_000, 1, None, "MP3 at 96000 Hz; use .wav, or another rate: --sr 48000"),
        (
            "a.mp3",
            44_100,
            6,
            None,
            "MP3 at 44100 Hz with 6 channels; use .wav, or fewer channels: --channels 1",
        ),
        ("a.ogg", 250_000, 1, None, "OGG at 250000 Hz; use .wav"),
        ("a.flac", 700_000, 2, None, "FLAC at 700000 Hz with 2 channels; use .wav"),
        ("a.wav", SR, 2000, None, "with 2000 channels; use .wav"),
    ],
)
def test_what_cannot_be_written_is_told_with_what_can(name, sr, channels, subtype, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        writable(name, sr, channels, subtype)


def test_four_gigabytes_are_rf64_or_refused_before_the_work(tmp_path, tone, monkeypatch):
    hour = 3600 * 192_000
    assert writable("a.wav", 192_000, 2, "FLOAT", hour).format == "RF64"
    assert writable("a.wav", 192_000, 2, "PCM_16", hour).format == "WAV"
    with pytest.raises(ValueError, match=r"longer than the 4 GB that AIFF holds; use \.wav or \.flac"):
        writable("a.aif", 192_000, 2, "FLOAT", hour)
    monkeypatch.setattr(write, "_MOST_BYTES", 1000)
    assert load_audio(save_audio(tmp_path / "a.wav", tone, SR))[0] == pytest.approx(tone, abs=1e-4)


def test_a_name_that_is_not_utf8_is_written(tmp_path, tone):
    folder = tmp_path / os.fsdecode(b"\xfc")
    folder.mkdir()
    path = save_audio(folder / os.fsdecode(b"m\xe9.wav"), tone, SR)
    assert len(load_audio(path)[0]) == SR


@pytest.mark.parametrize("sign", [1, -1])
def test_what_would_clip_is_turned_down_and_said_in_one_sentence(tmp_path, tone, caplog, sign):
    clipping = tone.copy()
    clipping[SR // 4] = sign * 1.5
    save_audio(tmp_path / "a.wav", clipping, SR)
    assert np.max(np.abs(load_audio(tmp_path / "a.wav")[0])) == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Its peak of 1.50 exceeds full scale" in record.getMessage()


def test_what_does_not_clip_is_written_as_it_is(tmp_path, tone, caplog):
    loud = tone / np.max(np.abs(tone))
    save_audio(tmp_path / "a.wav", loud, SR)
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav")[0], loud, rtol=0, atol=1 / 2**15)
    assert not caplog.records


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_saving_does_not_depend_on_the_sign_of_the_samples(tmp_path, tone, name):
    """What peaks below zero is brought down as what peaks above: its mirror image."""
    one_sided = 3 * np.maximum(tone, -0.1)
    saved = [sign * load_audio(save_audio(tmp_path / name, sign * one_sided, SR))[0] for sign in (1, -1)]
    assert np.max(saved[0]) <= 1
    # two roundings to 16 bits, and one step more below zero than above
    np.testing.assert_allclose(saved[0], saved[1], atol=2 / 2**15)
