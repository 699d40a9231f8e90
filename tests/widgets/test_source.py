import errno
import io
import os
import shutil
import subprocess
from dataclasses import replace

import audioread
import librosa
import numpy as np
import pytest
import soundfile

from audiostyle.datasets import clips, paths
from audiostyle.sound.audio import load_audio
from audiostyle.sound.levels import rms
from audiostyle.widgets import source as source_module
from audiostyle.widgets.lab import StyleLab
from audiostyle.widgets.source import MAX_MEGABYTES, SoundSource

SR = 22050
WAIT = 120


# Sources


@pytest.fixture
def source():
    return SoundSource("Content", "violin_canon")


def upload(source, path, *, name=None, piece=20_000):
    """Send a file as the page does: announce it, then a piece whenever one is asked for."""
    data = path.read_bytes()
    source._on_message(
        source, {"type": "upload", "id": "u", "name": name or path.name, "size": len(data)}, []
    )
    for start in range(0, len(data), piece):
        source._on_message(source, {"type": "piece", "id": "u"}, [memoryview(data[start : start + piece])])
    assert source.wait(WAIT)


def broken_files(folder, content):
    good = folder / "good.wav"
    soundfile.write(good, content, SR)
    files = {
        "text.wav": (b"this is no sound", "not a sound file"),
        "empty.wav": (b"", "empty"),
        "short.wav": (None, "at least 0.6 s"),
        "cut.wav": (good.read_bytes()[: 44 + 60_000], "cut short"),
        "notes.txt": (b"notes", "choose a file of WAV, FLAC, OGG, MP3, AIFF"),
    }
    for name, (data, message) in files.items():
        path = folder / name
        if data is None:
            soundfile.write(path, content[:1000], SR)
        else:
            path.write_bytes(data)
        yield path, message


class Decoder:
    """What audioread gives for a file that it decodes: 16-bit samples of two channels, buffer by buffer."""

    samplerate, channels = 48000, 2

    def __init__(self, y):
        self._samples = np.repeat(np.round(y * 2**15).astype("<i2"), 2)
        self.duration = len(y) / self.samplerate

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __iter__(self):
        yield from (part.tobytes() for part in np.split(self._samples, [1000, 7000]))


@pytest.fixture
def decoder(monkeypatch):
    """A function that says whether this machine has a decoder of M4A."""

    def have(present):
        monkeypatch.setattr(source_module, "decodes_compressed", lambda: present)

    return have


class FullDisk(io.BytesIO):
    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def usable_part(monkeypatch):
    """A registry in which 4 s of a clip are usable, from 1.5 s on."""
    rows = {name: clip for name, clip in clips._registry().items() if clip.edition == "bundled"}
    rows["violin_canon"] = replace(rows["violin_canon"], start_s=1.5, duration_s=4.0)
    whole, _ = load_audio(clips.locate(rows["violin_canon"]))
    monkeypatch.setattr(clips, "_registry", lambda: rows)
    return whole


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [("wav", 48000, 2), ("flac", 8000, 1), ("ogg", 44100, 2), ("mp3", 22050, 1), ("aiff", 96000, 2)],
)
def test_upload_in_any_format_rate_and_channels(source, tmp_path, content, suffix, rate, channels):
    path = tmp_path / f"mine.{suffix}"
    y = np.stack([np.resize(content, 2 * rate)] * channels, axis=1)
    soundfile.write(path, y, rate)
    upload(source, path)
    assert source.status_kind == "info", source.status
    assert source.sound.name == path.name
    assert source.duration == pytest.approx(2, abs=0.1)
    assert [source.clip, path.name, "yours"] in source.clips
    as_it_came, own = source.load()
    assert (own, as_it_came.ndim) == (rate, channels)
    loaded, sr = source.load(sr=SR)
    assert sr == SR
    assert len(loaded) / sr == pytest.approx(2, abs=0.1)


def test_bad_upload_gives_a_message_in_place_and_breaks_nothing(source, tmp_path, content):
    before, version = source.load()[0], source.version
    for path, message in broken_files(tmp_path, content):
        upload(source, path)
        assert source.status_kind == "error", path.name
        assert path.name in source.status
        assert message in source.status
        assert "violin_canon.ogg stays in use" in source.status
        assert source.clip == "violin_canon"
        assert source.version == version
        np.testing.assert_array_equal(source.load()[0], before)


def test_too_large_an_upload_is_refused_before_it_is_sent(source):
    sent = []
    source.send = lambda content, buffers=None: sent.append(content)
    size = int((MAX_MEGABYTES + 1) * 1e6)
    source._on_message(source, {"type": "upload", "id": "u", "name": "big.wav", "size": size}, [])
    assert sent == [{"type": "next", "id": "u", "done": True}]
    assert f"at most {MAX_MEGABYTES} MB" in source.status


def test_upload_cannot_leave_its_folder(source, tmp_path, content):
    path = tmp_path / "mine.wav"
    soundfile.write(path, content, SR)
    upload(source, path, name="../../../escaped.wav")
    assert source.sound.name == "escaped.wav"
    assert source.sound.path.resolve() == source.sound.path
    assert source.sound.path.is_relative_to(source._folder.name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("..", "cannot be read"),
        ("", "file without a name cannot be read"),
        ("a\0b.wav", "a?b.wav is not a name that a file can have"),
        ("\ud800.wav", "is not a name that a file can have"),
        ("n" * 300 + ".wav", "is not a name that a file can have"),
        ("é" * 126 + ".wav", "is not a name that a file can have"),
    ],
)
def test_upload_whose_name_is_none_gives_a_message_in_place(source, content, name, message):
    sent = []
    source.send = lambda content, buffers=None: sent.append(content)
    source._on_message(source, {"type": "upload", "id": "u", "name": name, "size": 100}, [])
    assert source.status_kind == "error"
    assert message in source.status
    assert len(source.status.encode()) < 250
    assert source.clip == "violin_canon"
    assert sent == [{"type": "next", "id": "u", "done": True}]


@pytest.mark.parametrize("size", ["many", -1, None, 1.5])
def test_upload_whose_size_is_none_gives_a_message_in_place(source, size):
    source._on_message(source, {"type": "upload", "id": "u", "name": "a.wav", "size": size}, [])
    assert source.status_kind == "error"
    assert f"a.wav has a size of {size!r} bytes" in source.status


def test_upload_that_cannot_be_kept_gives_a_message_in_place(source, tmp_path, content):
    path = tmp_path / "mine.wav"
    soundfile.write(path, content, SR)
    source._on_message(source, {"type": "upload", "id": "u", "name": path.name, "size": 100}, [])
    source._on_message(source, {"type": "piece", "id": "u"}, [memoryview(bytes(101))])
    assert source.status_kind == "error"
    assert "mine.wav is longer than the 100 bytes announced" in source.status
    source._on_message(source, {"type": "upload", "id": "v", "name": path.name, "size": 100}, [])
    source._upload["file"].close()
    source._upload["file"] = FullDisk()
    source._on_message(source, {"type": "piece", "id": "v"}, [memoryview(bytes(100))])
    assert source.status_kind == "error"
    assert "No space left" in source.status
    upload(source, path)
    assert source.sound.name == "mine.wav"


def test_m4a_is_taken_where_this_machine_decodes_it(source, tmp_path, monkeypatch, decoder, content):
    decoder(True)
    long = np.resize(content, 2 * 48000)
    monkeypatch.setattr("audioread.audio_open", lambda path, backends=None: Decoder(long))
    path = tmp_path / "mine.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(3000))
    upload(source, path)
    assert source.status_kind == "info", source.status
    assert source.duration == 2.0
    peaks = np.frombuffer(source.peaks, np.float32)
    assert peaks.max() == pytest.approx(long.max(), abs=1 / 2**14)
    source.length, source.start = 1.0, 0.5
    y, sr = source.load(sr=SR)
    expected = librosa.resample(long[24000:72000], orig_sr=48000, target_sr=sr)
    np.testing.assert_allclose(y, expected, atol=1e-3 * np.abs(expected).max())


def test_m4a_is_refused_in_words_where_nothing_decodes_it(tmp_path, decoder):
    decoder(False)
    source = SoundSource("Content", "violin_canon")
    assert "M4A once ffmpeg is installed" in source.formats
    # It can be chosen all the same: a file that is greyed out says nothing.
    assert ".m4a" in source.suffixes
    path = tmp_path / "mine.m4a"
    path.write_bytes(bytes(3000))
    upload(source, path)
    assert source.status_kind == "error"
    assert "mine.m4a cannot be read" in source.status
    assert "M4A once ffmpeg is installed" in source.status
    with pytest.raises(ValueError, match="M4A once ffmpeg is installed"):
        source.select(str(path))
    assert source.clip == "violin_canon"


def test_m4a_that_is_none_is_refused(source, tmp_path, decoder, monkeypatch):
    def refuse(path, backends=None):
        raise audioread.NoBackendError

    decoder(True)
    monkeypatch.setattr("audioread.audio_open", refuse)
    path = tmp_path / "mine.m4a"
    path.write_bytes(bytes(3000))
    upload(source, path)
    assert source.status_kind == "error"
    assert "mine.m4a is not a sound file that can be read" in source.status


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_m4a_of_ffmpeg_is_read(tmp_path, content):
    soundfile.write(tmp_path / "mine.wav", np.resize(content, 2 * SR), SR)
    encode = ["ffmpeg", "-v", "error", "-i", tmp_path / "mine.wav", tmp_path / "mine.m4a"]
    subprocess.run(encode, check=True)
    source = SoundSource("Content", "violin_canon")
    assert source.formats.endswith("M4A")
    upload(source, tmp_path / "mine.m4a")
    assert source.status_kind == "info", source.status
    # The encoder pads whole frames of 1024 samples at both ends.
    assert source.duration == pytest.approx(2.0, abs=3 * 1024 / SR)
    y, _ = source.load()
    assert rms(y) == pytest.approx(rms(content), rel=0.1)


def test_pipe_is_refused_and_the_next_sound_opens(source, tmp_path, content):
    os.mkfifo(tmp_path / "pipe.wav")
    source._on_message(source, {"type": "path", "path": str(tmp_path / "pipe.wav")}, [])
    assert source.wait(WAIT), "the pipe was opened"
    assert "pipe.wav is a pipe" in source.status
    soundfile.write(tmp_path / "mine.wav", content, SR)
    source._on_message(source, {"type": "path", "path": str(tmp_path / "mine.wav")}, [])
    assert source.wait(WAIT)
    assert source.sound.name == "mine.wav"


@pytest.mark.parametrize("path", ["", "a\0b.wav", "n" * 304, "~nobody-here/a.wav"])
def test_path_that_is_none_gives_a_message_in_place(source, path):
    source._on_message(source, {"type": "path", "path": path}, [])
    assert source.wait(WAIT)
    assert source.status_kind == "error"
    assert source.clip == "violin_canon"


def test_path_on_this_computer(source, tmp_path, content):
    path = tmp_path / "mine.wav"
    soundfile.write(path, content, SR)
    source._on_message(source, {"type": "path", "path": str(path)}, [])
    assert source.wait(WAIT)
    assert source.sound.path == path
    source._on_message(source, {"type": "path", "path": str(tmp_path / "none.wav")}, [])
    assert source.wait(WAIT)
    assert "none.wav does not exist" in source.status.lower()
    assert source.sound.path == path


def test_cut_stays_inside_the_sound_and_is_what_is_loaded(source):
    whole, _ = source.load()
    source.length = 2.0
    source.start = 100.0
    assert source.start + source.length == pytest.approx(source.duration, abs=1e-3)
    source.start = 4.0
    cut, sr = source.load()
    assert len(cut) == 2 * sr
    np.testing.assert_allclose(cut, whole[4 * sr : 6 * sr], atol=1e-6)
    source.length = 0.0
    assert source.length == pytest.approx(0.6)


def test_only_the_usable_part_of_a_clip_is_offered(usable_part):
    source = SoundSource("Content", "violin_canon")
    assert source.duration == pytest.approx(4, abs=1e-3)
    source.length, source.start = 2.0, 100.0
    assert source.start == pytest.approx(2.0, abs=1e-3)
    source.start = 1.0
    y, sr = source.load()
    np.testing.assert_allclose(y, usable_part[round(2.5 * sr) : round(4.5 * sr)], atol=1e-6)


def test_lab_says_where_in_the_file_a_cut_of_the_usable_part_lies(usable_part):
    lab = StyleLab()
    lab.content.length, lab.content.start = 2.0, 1.0
    cut = lab.recipe().content
    assert (cut.start, cut.duration) == (2.5, 2.0)
    heard, _ = lab.content.load()
    kept, _ = load_audio(paths.root() / cut.path, start=cut.start, duration=cut.duration)
    np.testing.assert_array_equal(kept, heard)
    assert lab.wait(WAIT)


def test_waveform_outline_bounds_the_samples(source):
    peaks = np.frombuffer(source.peaks, np.float32).reshape(-1, 2)
    y, _ = source.load()
    assert 500 <= len(peaks) <= 600
    assert peaks[:, 0].min() == pytest.approx(y.min(), abs=1e-4)
    assert peaks[:, 1].max() == pytest.approx(y.max(), abs=1e-4)
