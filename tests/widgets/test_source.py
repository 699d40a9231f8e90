import os

import numpy as np
import pytest
import soundfile

from audiostyle.datasets import clips, paths
from audiostyle.sound.read import load_audio
from audiostyle.widgets.lab import StyleLab
from audiostyle.widgets.source import MAX_MEGABYTES, SoundSource, load
from tests.signals import SR, WAIT


@pytest.fixture
def source():
    """A source that keeps what it tells the page in ``sent``."""
    made = SoundSource("Content", "violin_canon")
    made.sent = []
    made.send = lambda content, buffers=None: made.sent.append(content["at"])
    return made


def read(source):
    y, _, form = load(source.cut, source.cut)
    return y, form.sr


def send(source, data, *, name="mine.wav", size=None, at=0):
    piece = {"type": "piece", "name": name, "size": len(data) if size is None else size, "at": at}
    source._on_piece(source, piece, [memoryview(data)])


def upload(source, path, piece=20_000):
    """Send a file as the page does, a piece whenever one is asked for."""
    data = path.read_bytes()
    for at in range(0, max(1, len(data)), piece):
        send(source, data[at : at + piece], name=path.name, size=len(data), at=at)
    assert source.jobs.wait(WAIT)


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [("wav", 48000, 2), ("flac", 8000, 1), ("ogg", 44100, 2), ("mp3", 22050, 1), ("aiff", 96000, 2)],
)
def test_upload_in_any_format_rate_and_channels(source, tmp_path, content, suffix, rate, channels):
    path = tmp_path / f"mine.{suffix}"
    soundfile.write(path, np.stack([np.resize(content, 2 * rate)] * channels, axis=1), rate)
    upload(source, path)
    assert source.sent[-1] == path.stat().st_size
    assert source.status.kind == "info", source.status.text
    assert source.cut.path.read_bytes() == path.read_bytes()
    assert source.is_upload(source.cut.path)
    assert source.duration == pytest.approx(2, abs=0.1)
    y, resampled, form = load(source.cut, source.cut._replace(duration=1.0))
    assert (form.sr, y.ndim) == (rate, channels)
    np.testing.assert_array_equal(resampled, y[..., :rate])
    # what the command line reads
    np.testing.assert_array_equal(y, load_audio(path, sr=None, mono=False, duration=source.length)[0])


@pytest.mark.parametrize(
    ("name", "data", "quoted"),
    [
        ("text.wav", b"no sound", "text.wav"), ("notes.txt", b"notes", "notes.txt"), ("empty.wav", b"", "empty"),
        ("..", b"RIFF", "interrupted"), ("a\0b.wav", b"RIFF", "null"), ("\ud800.wav", b"RIFF", "codec"),
        ("n" * 300 + ".wav", b"RIFF", "too long"),
    ],
)  # fmt: skip
def test_bad_upload_gives_a_message_in_place_and_breaks_nothing(source, name, data, quoted):
    before, version = read(source)[0], source.version
    send(source, data, name=name)
    assert source.jobs.wait(WAIT)
    assert source.status.kind == "error"
    assert quoted in source.status.text
    assert "violin_canon.ogg" in source.status.text
    assert (source.clips.value, source.version) == ("violin_canon", version)
    np.testing.assert_array_equal(read(source)[0], before)


def test_upload_that_is_too_large_or_out_of_order_is_stopped(source, tmp_path, content):
    send(source, b"RIFF", size=int((MAX_MEGABYTES + 1) * 1e6))
    assert f"at most {MAX_MEGABYTES} MB" in source.status.text
    send(source, b"RIFF", name="../../../escaped.wav", size=100)
    assert source._upload.resolve().is_relative_to(source._folder.name)
    for data, at in ((b"x", 5), (bytes(97), 4)):  # a gap, and more than was announced
        send(source, data, size=100, at=at)
        assert "interrupted" in source.status.text
    assert source.sent == [None, 4, None, None]
    soundfile.write(tmp_path / "mine.wav", content, SR)
    upload(source, tmp_path / "mine.wav")
    assert source.cut.path.name == "mine.wav"


def test_path_on_this_computer(source, tmp_path, content):
    soundfile.write(tmp_path / "mine.wav", content, SR)
    os.mkfifo(tmp_path / "pipe.wav")
    source.select(str(tmp_path / "mine.wav"))
    assert not source.is_upload(source.cut.path)
    for name in ("none.wav", "pipe.wav", "a\0b.wav", "n" * 304):
        with pytest.raises(ValueError, match=r"."):
            source.select(str(tmp_path / name))
        assert source.cut.path == tmp_path / "mine.wav"
    source.clips.value = "piano_fur_elise"
    assert source.jobs.wait(WAIT)
    assert source.cut.path.name == "piano_fur_elise.ogg"


def test_cut_stays_inside_the_sound_and_is_what_is_loaded(source):
    whole, _ = read(source)
    source.length = 2.0
    source.start = 100.0
    assert source.start + source.length == pytest.approx(source.duration, abs=1e-3)
    source.start = 4.0
    cut, sr = read(source)
    np.testing.assert_allclose(cut, whole[4 * sr : 6 * sr], atol=1e-6)
    source.length = 0.0
    assert source.length == pytest.approx(0.1)


def test_only_the_usable_part_of_a_clip_is_offered_and_the_lab_says_where_it_lies(monkeypatch):
    """Of a registry in which 4 s of the clip are usable, from 1.5 s on."""
    rows = {clip.clip: clip for clip in clips.clips("bundled")}
    whole, _ = clips.load_clip("violin_canon")
    rows["violin_canon"] = rows["violin_canon"]._replace(start_s=1.5, duration_s=4.0)
    monkeypatch.setattr(clips, "_registry", lambda: rows)
    lab = StyleLab()
    source = lab.content
    assert source.duration == pytest.approx(4, abs=1e-3)
    source.length, source.start = 2.0, 1.0
    y, sr = read(source)
    np.testing.assert_allclose(y, whole[round(2.5 * sr) : round(4.5 * sr)], atol=1e-6)
    cut = lab.recipe().content
    assert (cut.start, cut.duration) == (2.5, 2.0)
    kept, _ = load_audio(paths.root() / cut.path, start=cut.start, duration=cut.duration)
    np.testing.assert_array_equal(kept, y)
    assert lab.wait(WAIT)


def test_waveform_outline_bounds_the_samples_of_channels_that_cancel_too(source, tmp_path, content):
    peaks = np.frombuffer(source.peaks, np.float32).reshape(-1, 2)
    y, _ = read(source)
    assert 500 <= len(peaks) <= 600
    assert (peaks[:, 0].min(), peaks[:, 1].max()) == (y.min(), y.max())
    soundfile.write(tmp_path / "inverted.wav", np.stack([content, -content], axis=1), SR, subtype="FLOAT")
    upload(source, tmp_path / "inverted.wav")
    assert np.frombuffer(source.peaks, np.float32).max() == np.abs(content).max()
