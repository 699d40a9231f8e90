"""Whatever a file holds, reading it gives finite samples or one sentence, and takes memory for what is there."""

import os
import struct

import numpy as np
import pytest
import soundfile

from audiostyle import transfer_style
from audiostyle.datasets.corpora import find_corpus, load_recordings
from audiostyle.sound.audio import load_audio
from audiostyle.sound.headers import check_file
from audiostyle.widgets.source import open_sound
from benchmarks import fuzz

SR = 22050
N_FUZZED = 18 * 20  # each format with each kind of damage twenty times


@pytest.fixture
def noise(rng):
    return (0.3 * rng.standard_normal(SR)).clip(-1, 1).astype(np.float32)


def test_damaged_files_give_finite_samples_or_a_value_error(tmp_path):
    table = fuzz.run(N_FUZZED, seed=1, folder=tmp_path)
    wrong = table[~table["outcome"].isin(fuzz.ALLOWED)]
    assert wrong.empty, wrong.to_string()
    # Both happen: the damage is neither always fatal nor never.
    assert set(table["outcome"]) == set(fuzz.ALLOWED)
    cut = table[table["kind"] == "truncation"]
    assert set(cut["outcome"]) == {"ValueError"}


def test_fuzz_tells_what_is_not_allowed(tmp_path, monkeypatch, capsys):
    def fail(path):
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(fuzz, "load_audio", fail)
    assert fuzz.main(["--files", "6"]) == 1
    assert capsys.readouterr().out.count("load_audio: ZeroDivisionError: float division by zero") == 6


def write(path, y, **options):
    soundfile.write(path, y, options.pop("sr", SR), **options)
    return bytearray(path.read_bytes())


def _wav(path, y, rate):
    data = write(path, y)
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(data)


def _au(path, y, rate):
    data = write(path, y)
    data[16:20] = struct.pack(">I", rate)
    path.write_bytes(data)


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 2**31 - 1])
@pytest.mark.parametrize(("name", "make"), [("a.wav", _wav), ("a.au", _au)])
def test_a_rate_that_is_none_of_sound_is_refused(tmp_path, noise, name, make, rate):
    make(tmp_path / name, noise, rate)
    says = rf"{name}: a sample rate of {rate} Hz is not allowed.* 1000 to 768000"
    with pytest.raises(ValueError, match=says):
        load_audio(tmp_path / name)
    with pytest.raises(
        ValueError, match=f"{name} is not a sound file that can be read" if rate == 0 else says
    ):
        open_sound(tmp_path / name, key="a")


@pytest.mark.parametrize("rate", [1000, 768_000])
def test_the_lowest_and_the_highest_rate_are_read(tmp_path, noise, rate):
    _wav(tmp_path / "a.wav", noise, rate)
    y, _ = load_audio(tmp_path / "a.wav")
    assert len(y) == pytest.approx(len(noise) * SR / rate, abs=1)


@pytest.mark.parametrize("sr", [0, -1, 999, 2**31])
def test_a_rate_asked_for_that_is_none_of_sound_is_refused(tmp_path, noise, sr):
    write(tmp_path / "a.wav", noise)
    with pytest.raises(ValueError, match=f"sr: a sample rate of {sr} Hz"):
        load_audio(tmp_path / "a.wav", sr=sr)


def _flac(path, y, n_samples):
    data = write(path, y)
    data[21] = data[21] & 0xF0 | n_samples >> 32
    data[22:26] = (n_samples & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(data)


def _ogg(path, y, n_samples):
    """Set the position that the last page tells, and mend its checksum (polynomial 0x04c11db7)."""
    data = write(path, y)
    at = data.rindex(b"OggS")
    data[at + 6 : at + 14] = struct.pack("<q", n_samples)
    data[at + 22 : at + 26] = bytes(4)
    crc = 0
    for byte in data[at:]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    data[at + 22 : at + 26] = struct.pack("<I", crc)
    path.write_bytes(data)


def _mp3(path, y, n_samples):
    data = write(path, y)
    at = max(data.find(b"Xing"), data.find(b"Info"))
    data[at + 8 : at + 12] = struct.pack(">I", min(n_samples // 576, 2**31 - 1))
    path.write_bytes(data)


@pytest.mark.parametrize("n_samples", [2**31, 2**36 - 1])
@pytest.mark.parametrize(("name", "make"), [("a.flac", _flac), ("a.ogg", _ogg), ("a.mp3", _mp3)])
def test_a_length_that_the_file_cannot_hold_is_refused_before_anything_is_read(
    tmp_path, noise, monkeypatch, name, make, n_samples
):
    make(tmp_path / name, noise, n_samples)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *args, **kw: pytest.fail("read before the check"))
    for read in (
        load_audio,
        lambda path: load_audio(path, duration=1),
        lambda path: open_sound(path, key="a"),
    ):
        with pytest.raises(
            ValueError, match=rf"{name} .*announces \d+ samples, more than \d+ bytes can hold"
        ):
            read(tmp_path / name)


def test_memory_follows_what_is_there(tmp_path, noise):
    """A length that a dense format could hold is believed, but not allocated: 2²⁸ samples are 1 GiB."""
    _flac(tmp_path / "a.flac", noise, 2**28)
    with fuzz.limited_memory(2**28), pytest.raises(ValueError, match="cut short"):
        load_audio(tmp_path / "a.flac")


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_ten_minutes_of_silence_are_not_too_dense(tmp_path, kind):
    with soundfile.SoundFile(tmp_path / "a", "w", 8000, 1, format=kind) as file:
        for _ in range(10):
            file.write(np.zeros(60 * 8000, np.float32))
    assert load_audio(tmp_path / "a", sr=8000, start=590, duration=1)[0].size == 8000


@pytest.mark.parametrize("name", ["a.raw", "a.RAW", "a.au", "a.vox"])
def test_samples_without_a_header_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"12345678")
    with pytest.raises(ValueError, match=rf"{name} has no header that tells rate and format"):
        load_audio(tmp_path / name)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "W64", "RF64", "OGG", "FLAC", "MP3"])
def test_a_file_cut_short_says_so(tmp_path, rng, kind, part):
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, 0.1 * rng.standard_normal(10 * SR), SR, format=kind)
    assert load_audio(path)[0].size == pytest.approx(10 * SR, abs=0 if kind != "MP3" else 2000)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ValueError, match="cut short"):
        load_audio(path)


def test_an_ogg_file_that_ends_with_a_whole_page_but_not_the_last_is_cut_short(tmp_path, rng):
    path = tmp_path / "a.ogg"
    whole = write(path, 0.1 * rng.standard_normal(10 * SR))
    path.write_bytes(whole[: whole.rindex(b"OggS")])
    with pytest.raises(ValueError, match="cut short"):
        load_audio(path)
    path.write_bytes(whole + b"TAG written by some program")
    assert load_audio(path)[0].size == 10 * SR


@pytest.mark.parametrize(
    ("kind", "at", "unknown"),
    [
        ("WAV", 40, b"\xff" * 4), ("AU", 8, b"\xff" * 4), ("W64", 16, b"\xff" * 7 + b"\x7f"),
    ],
)  # fmt: skip
def test_a_stream_that_never_knew_its_length_is_read(tmp_path, noise, kind, at, unknown):
    data = write(tmp_path / "a", noise, format=kind)
    data[at : at + len(unknown)] = unknown
    (tmp_path / "a").write_bytes(data)
    assert load_audio(tmp_path / "a")[0].size == len(noise)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("kind", ["WAV", "AU", "AIFF"])
def test_samples_that_are_not_finite_are_refused_wherever_they_are(tmp_path, noise, kind, value):
    y = np.tile(noise.astype(float), 3)
    y[-1] = value
    soundfile.write(tmp_path / "a", y, SR, format=kind, subtype="DOUBLE")
    for read in (load_audio, lambda path: load_audio(path, sr=16000), lambda path: open_sound(path, key="a")):
        with pytest.raises(ValueError, match="holds 1 samples that are NaN or infinite"):
            read(tmp_path / "a")


@pytest.mark.parametrize("channels", [1, 4])
def test_samples_beyond_any_integer_are_no_sound(tmp_path, noise, channels):
    y = np.stack([np.where(noise > 0, np.float32(2e38), np.float32(-2e38))] * channels, axis=1)
    write(tmp_path / "a.wav", y, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"is not a sound: its samples reach|NaN or infinite"):
        load_audio(tmp_path / "a.wav", sr=16000)
    with pytest.raises(ValueError, match="content is not a sound: its samples reach"):
        transfer_style(y[:, 0], noise, SR)


def test_floats_on_the_scale_of_32_bit_integers_are_sound(tmp_path, noise):
    y = noise / np.abs(noise).max() * np.float32(2**31)
    write(tmp_path / "a.wav", y, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav")[0], y)


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    """A pipe into which nobody writes: opening it would wait for ever, so that opening it fails the test."""
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    monkeypatch.setattr(soundfile, "SoundFile", lambda *args: pytest.fail("the pipe was opened"))
    return path


def test_a_pipe_and_a_device_are_refused_without_being_opened(pipe):
    for path in (pipe, "/dev/zero"):
        with pytest.raises(ValueError, match="is a pipe, a socket or a device, not a sound file"):
            load_audio(path)
    with pytest.raises(ValueError, match=r"^pipe.wav is a pipe"):
        open_sound(pipe, key="pipe")


def test_links_that_lead_nowhere_are_no_files(tmp_path):
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("dangling", "loop"):
        with pytest.raises(FileNotFoundError, match=f"{name} does not exist"):
            check_file(tmp_path / name)


def test_a_corpus_skips_and_names_what_is_no_sound(tmp_path, noise):
    for speaker in ("a", "b"):
        (tmp_path / speaker).mkdir()
        for number in range(2):
            soundfile.write(tmp_path / speaker / f"{number}.wav", noise, SR)
    bad = tmp_path / "a"
    (bad / "dangling.wav").symlink_to("nothing.wav")
    (bad / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(bad / "pipe.wav")
    (bad / "folder.wav").mkdir()
    _wav(bad / "rate.wav", noise, 0)
    write(bad / "loud.wav", np.full(SR, 1e38, np.float32), subtype="FLOAT")
    with pytest.warns(UserWarning, match="skipped 6 files") as caught:
        items = load_recordings(tmp_path)
    names = {"dangling.wav", "loop.wav", "pipe.wav", "folder.wav", "rate.wav", "loud.wav"}
    assert {path.name for path in items.skipped} == names
    assert all(name in str(caught[0].message) for name in names)
    assert len(items) == 4


def test_a_link_in_place_of_a_speaker_is_named(tmp_path, noise):
    (tmp_path / "a").mkdir()
    soundfile.write(tmp_path / "a" / "0.wav", noise, SR)
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.warns(UserWarning, match=r"left out 2 links that lead nowhere: .*gone, .*loop"):
        assert find_corpus(tmp_path).speakers == ("a",)
