import io
import os
import re
import shutil
import struct
import warnings

import numpy as np
import pytest
import soundfile

from audiostyle.sound import read
from audiostyle.sound.read import check_waveform, load_audio, open_sound
from experiments import fuzz
from tests.signals import SR


@pytest.fixture
def noise(rng):
    return (0.1 * rng.standard_normal(2 * SR)).astype(np.float32)


def encoded(y, kind="WAV", subtype=None, sr=SR, **options):
    file = io.BytesIO()
    soundfile.write(file, y, sr, format=kind, subtype=subtype, **options)
    return bytearray(file.getvalue())


def test_without_ffmpeg_the_sentence_names_it(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(ValueError, match=r"a\.m4a.*FFmpeg"):
        load_audio(tmp_path / "a.m4a")


def wav_of(size):
    def make(y):
        data = encoded(y)
        data[4:8], data[40:44] = struct.pack("<I", (size + 36) % 2**32), struct.pack("<I", size)
        return data

    return make


def patched(kind, at, new):
    def make(y):
        data = encoded(y, kind)
        data[at : at + len(new)] = new
        return data

    return make


def without_length(y):
    """Return an MP3 file of variable bit rate whose first frame, which tells the length, is missing."""
    data = encoded(y * np.linspace(0.01, 3, len(y)), "MP3", bitrate_mode="VARIABLE")
    return bytes(data[data.index(data[:2], 4) :])


def with_tag(y):
    text = b"TXXX" + struct.pack(">I", 20) + bytes(3) + b"Info in a tag".ljust(19)
    return b"ID3\3\0\0" + bytes([0, 0, 0, len(text)]) + text + without_length(y)


def mp3_in_wav(y):
    data = without_length(y)
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, SR, 8000, 1, 0, 12, 1, 2, 417, 1, 1393)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def rf64(y):
    data = encoded(y, "RF64")
    data[20:28] = struct.pack("<Q", len(data) - 8 + 20)
    return data


PIPED = (0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFF0000, 0xFFFFFFFF)
WHOLE = {
    **{f"wav_{size:#x}": wav_of(size) for size in PIPED},
    "au_unknown": patched("AU", 8, b"\xff" * 4),
    "w64_unknown": patched("W64", 16, b"\xff" * 7 + b"\x7f"),
    "flac_unknown": patched("FLAC", 22, bytes(4)),
    "rf64_20_too_long": rf64,
    "mp3_without_length": without_length,
    "mp3_tag_with_info": with_tag,
    "mp3_in_wav": mp3_in_wav,
    "mp3_twice": lambda y: 2 * encoded(y[: len(y) // 2], "MP3"),
    "mp3_twice_with_tag": lambda y: 2 * (encoded(y[: len(y) // 2], "MP3") + b"TAG".ljust(128)),
    "ogg_twice": lambda y: 2 * encoded(y[: len(y) // 2], "OGG"),
    "ogg_with_more": lambda y: encoded(y, "OGG") + b"TAG written by some program",
}


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
def test_all_samples_are_read_whatever_the_header_says_of_their_number(tmp_path, noise, monkeypatch, make):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    y = np.tile(noise, 5)
    (tmp_path / "a").write_bytes(make(y))
    sound, _, notes = open_sound(tmp_path / "a")
    slack = 2400 if "MPEG" in soundfile.info(tmp_path / "a").subtype else 0
    assert sound.n_samples == pytest.approx(len(y), abs=slack)
    assert not notes


@pytest.mark.parametrize("part", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "W64", "RF64", "SVX", "FLAC", "OGG", "MP3"])
def test_what_is_missing_is_said_and_the_rest_is_there(tmp_path, noise, kind, part):
    y = np.tile(noise, 5)
    whole, path = encoded(y, kind), tmp_path / "a"
    path.write_bytes(whole[: int(part * len(whole))])
    _, _, (note,) = open_sound(path)
    assert re.search("cut short or damaged: .* s are there", note)
    with pytest.warns(UserWarning, match=re.escape(note)):
        got, _ = load_audio(path)
    # up to a page of Ogg or a block of FLAC
    assert part * len(y) - 24_000 < len(got) <= part * len(y) + 4000
    assert np.isfinite(got).all()
    # a part that is there is read without a word
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_audio(path, start=0.5, duration=1)[0].size == SR


def test_an_ogg_file_without_its_last_page_says_so(tmp_path, noise):
    whole = encoded(np.tile(noise, 5), "OGG")
    (tmp_path / "a").write_bytes(whole[: whole.rindex(b"OggS")])
    assert "cut short" in open_sound(tmp_path / "a")[2][0]


def test_less_than_a_sound_is_refused(tmp_path, noise):
    (tmp_path / "a").write_bytes(encoded(noise)[: 44 + 200])
    with pytest.raises(ValueError, match=r"no samples from 0 s on.*2.00 s announced 0.00 s"):
        load_audio(tmp_path / "a")


def test_memory_follows_what_is_there_and_ends_at_a_limit(tmp_path, noise, monkeypatch):
    data = encoded(noise, "FLAC")
    data[22:26] = (2**28).to_bytes(4)  # samples, 1 GB of them
    (tmp_path / "a").write_bytes(data)
    with fuzz.limited_memory(2**28), pytest.warns(UserWarning, match="cut short"):
        load_audio(tmp_path / "a")
    monkeypatch.setattr(read, "MOST_BYTES", 4 * SR)
    with pytest.raises(ValueError, match="decodes to more than"):
        load_audio(tmp_path / "a")


def test_a_part_is_in_seconds_of_the_file(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise, 8000, subtype="FLOAT")
    y, _ = load_audio(tmp_path / "a.wav", sr=None, start=0.5, duration=0.25)
    assert np.array_equal(y, noise[4000:6000])
    with pytest.raises(ValueError, match="no samples from 50 s on"):
        load_audio(tmp_path / "a.wav", start=50)
    for part in ({"start": -1}, {"start": np.nan}, {"duration": 0}, {"duration": 1e10}):
        with pytest.raises(ValueError, match="is not allowed; it must be"):
            load_audio(tmp_path / "a.wav", **part)


def test_channels_become_one_signal(tmp_path, noise):
    five = np.stack([noise, -noise, noise, noise, noise], axis=1)
    soundfile.write(tmp_path / "a.wav", five, SR, subtype="FLOAT")
    assert load_audio(tmp_path / "a.wav")[0] == pytest.approx(0.6 * noise, abs=1e-6)
    assert load_audio(tmp_path / "a.wav", mono=False)[0].shape == (5, len(noise))
    soundfile.write(tmp_path / "b.wav", np.stack([noise, -noise], axis=1), SR, subtype="FLOAT")
    with pytest.warns(UserWarning, match="cancel"):
        assert np.abs(load_audio(tmp_path / "b.wav")[0]) == pytest.approx(np.abs(noise), abs=1e-6)


@pytest.mark.parametrize("rate", [0, 1, 999, 1000, 768_000, 768_001, 2**31 - 1])
def test_rates_of_sound_are_read_and_others_refused(tmp_path, noise, rate):
    data = encoded(noise)
    data[24:28] = struct.pack("<I", rate)
    (tmp_path / "a.wav").write_bytes(data)
    if 1000 <= rate <= 768_000:
        assert load_audio(tmp_path / "a.wav", sr=None)[1] == rate
        return
    with pytest.raises(ValueError, match=r"a\.wav: sr=\d+ is not allowed|not a sound file"):
        load_audio(tmp_path / "a.wav")
    with pytest.raises(ValueError, match=rf"sr={rate} is not allowed"):
        load_audio(tmp_path / "a.wav", sr=rate)


NO_SOUND = {
    "is empty": lambda path: path.touch(),
    "is a folder": lambda path: path.mkdir(),
    "is a pipe": os.mkfifo,
    "is a pipe, a socket or a device": lambda path: path.symlink_to("/dev/zero"),
    "does not exist": lambda path: path.symlink_to("nothing"),
    "bad.wav does not exist": lambda path: path.symlink_to(path),
    "not a sound file": lambda path: path.write_text("this is not a sound\n" * 50),
    "no samples": lambda path: path.write_bytes(encoded(np.zeros(0))),
    "NaN or infinite": lambda path: path.write_bytes(encoded([0.1, np.nan], subtype="FLOAT")),
    "that are NaN or infinite": lambda path: path.write_bytes(encoded([0.1, 1e39], subtype="DOUBLE")),
    "is not a sound: its samples": lambda path: path.write_bytes(encoded([0.1, 1e38], subtype="FLOAT")),
}


@pytest.mark.parametrize("message", NO_SOUND)
def test_what_is_no_sound_is_refused_with_its_name(tmp_path, message):
    NO_SOUND[message](tmp_path / "bad.wav")
    with pytest.raises((ValueError, FileNotFoundError), match=rf"bad\.wav.*{message}|{message}"):
        load_audio(tmp_path / "bad.wav")


def test_a_file_that_may_not_be_read_is_not_called_no_sound(tmp_path, noise, monkeypatch):
    soundfile.write(tmp_path / "a.wav", noise, SR)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    with pytest.raises(PermissionError, match=r"a.wav cannot be read: no permission"):
        load_audio(tmp_path / "a.wav")


def test_damaged_files_give_finite_samples_or_a_value_error(tmp_path):
    table = fuzz.run(18 * 6, seed=1, folder=tmp_path)  # each format with each kind of damage six times
    wrong = table[~table["outcome"].isin(fuzz.ALLOWED)]
    assert wrong.empty, wrong.to_string()
    assert set(table["outcome"]) == set(fuzz.ALLOWED)


def test_arrays_of_any_layout_are_waveforms(noise):
    frozen = noise.copy()
    frozen.flags.writeable = False
    for y in (noise[::-1], frozen, noise.astype(np.float64), noise[::2], list(noise), noise.astype(">f4")):
        found = check_waveform(y)
        assert found.dtype == np.float32
        assert [found.flags.c_contiguous, found.flags.writeable] == [True, True]
        np.testing.assert_array_equal(found, np.asarray(y, np.float32))
    for dtype, full in ((np.int16, 2**15), (np.int32, 2**31)):
        np.testing.assert_allclose(check_waveform((noise * full).astype(dtype)), noise, atol=1 / 2**15)
    assert check_waveform(noise[None], mono=False).shape == noise.shape


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(3, np.uint8), "holds uint8; floats"), (np.zeros(3, complex), "holds complex128; floats"),
        (np.zeros((2, 9)), r"shape \(2, 9\)"), (np.float32(1), r"shape \(\)"), ([], "no samples"),
        ([np.nan], "NaN or infinite"), ([1e39], "NaN or infinite"), (["a"], "holds <U1"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_waveform_are_told(y, message):
    with pytest.raises(ValueError, match=f"content .*{message}"):
        check_waveform(y, name="content")
