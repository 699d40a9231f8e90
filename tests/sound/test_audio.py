import os
import socket
import stat
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiostyle.sound.audio import check_target, fix_length, load_audio, save_audio, set_level
from audiostyle.sound.files import whole_file
from audiostyle.sound.levels import rms

SR = 22050


@pytest.fixture
def tone():
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(SR) / SR)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("a.wav", "PCM_U8", 2**-7),
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "FLOAT", 0.0),
        ("a.wav", "DOUBLE", 2**-23),
        ("a.flac", "PCM_24", 2**-23),
    ],
)
def test_formats_are_read_within_their_step(tmp_path, tone, name, subtype, step):
    soundfile.write(tmp_path / name, tone, SR, subtype=subtype)
    y, sr = load_audio(tmp_path / name)
    assert sr == SR
    assert y.dtype == np.float32
    assert np.max(np.abs(y - tone)) <= step


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_formats_keep_the_tone(tmp_path, tone, name):
    save_audio(tmp_path / name, tone, SR)
    y, _ = load_audio(tmp_path / name, duration=0.9)
    assert np.argmax(np.abs(np.fft.rfft(y))) * SR / len(y) == pytest.approx(440, abs=1.2)


def test_channels_are_averaged(tmp_path, tone):
    five = np.stack([tone, -tone, tone, tone, tone], axis=1)
    soundfile.write(tmp_path / "a.wav", five, SR, subtype="FLOAT")
    assert load_audio(tmp_path / "a.wav")[0] == pytest.approx(0.6 * tone, abs=1e-6)


def test_resampling_keeps_length_and_pitch(tmp_path, tone):
    soundfile.write(tmp_path / "a.wav", tone, 48000)
    y, sr = load_audio(tmp_path / "a.wav", sr=16000)
    assert sr == 16000
    assert len(y) == round(len(tone) / 3)
    assert np.argmax(np.abs(np.fft.rfft(y))) * sr / len(y) == pytest.approx(440 * 48000 / SR, abs=2.2)


def test_start_and_duration_cut(tmp_path, tone):
    soundfile.write(tmp_path / "a.wav", tone, SR, subtype="FLOAT")
    y, _ = load_audio(tmp_path / "a.wav", start=0.1, duration=0.2)
    assert np.array_equal(y, tone[2205 : 2205 + 4410])


def test_cut_is_in_seconds_of_the_file_at_any_rate(tmp_path, tone):
    soundfile.write(tmp_path / "a.wav", tone, 8000, subtype="FLOAT")
    y, _ = load_audio(tmp_path / "a.wav", sr=8000, start=0.5, duration=0.25)
    assert np.array_equal(y, tone[4000:6000])


def _text(path, tone):
    path.write_text("this is not a sound\n" * 50)


def _empty(path, tone):
    path.touch()


def _no_samples(path, tone):
    soundfile.write(path, tone[:0], SR)


def _nan(path, tone):
    tone = tone.copy()
    tone[7] = np.nan
    soundfile.write(path, tone, SR, subtype="FLOAT")


def _infinite(path, tone):
    tone = tone.copy()
    tone[7] = np.inf
    soundfile.write(path, tone, SR, subtype="FLOAT")


def _folder(path, tone):
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_text, "not a sound file that can be read"),
        (_empty, r"is empty \(0 bytes\)"),
        (_no_samples, "holds no samples"),
        (_nan, "1 samples that are NaN or infinite"),
        (_infinite, "1 samples that are NaN or infinite"),
        (_folder, "is a folder"),
    ],
)
def test_bad_files_are_refused_with_their_name(tmp_path, tone, make, message):
    make(tmp_path / "bad.wav", tone)
    with pytest.raises(ValueError, match=f"bad.wav.*{message}"):
        load_audio(tmp_path / "bad.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.aiff", "a.mp3"])
def test_truncated_file_is_refused(tmp_path, tone, name):
    path = tmp_path / name
    soundfile.write(path, tone, SR)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut short|not a sound file"):
        load_audio(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.wav does not exist"):
        load_audio(tmp_path / "nothing.wav")


def test_start_beyond_the_end(tmp_path, tone):
    soundfile.write(tmp_path / "a.wav", tone, SR)
    with pytest.raises(ValueError, match="no samples from 5 s on"):
        load_audio(tmp_path / "a.wav", start=5)


def test_save_needs_a_known_suffix(tmp_path, tone):
    with pytest.raises(ValueError, match="no suffix that names a sound format"):
        save_audio(tmp_path / "a.xyz", tone, SR)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_would_clip_is_turned_down_and_said_in_one_sentence(tmp_path, tone, caplog, sign):
    clipping = tone.copy()
    clipping[SR // 4] = sign * 1.5
    save_audio(tmp_path / "a.wav", clipping, SR)
    y, _ = load_audio(tmp_path / "a.wav")
    assert np.max(np.abs(y)) == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'a.wav'}: Its peak of 1.50 exceeds full scale: peaks limited by up to 4.5 dB."
    ]


def test_what_does_not_clip_is_written_as_it_is(tmp_path, tone, caplog):
    loud = tone / np.max(np.abs(tone))
    save_audio(tmp_path / "a.wav", loud, SR)
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav")[0], loud, rtol=0, atol=1 / 2**15)
    assert not caplog.records


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_saving_does_not_depend_on_the_sign_of_the_samples(tmp_path, tone, name):
    """What peaks below zero is brought down as what peaks above: its mirror image."""
    one_sided = 3 * np.maximum(tone, -0.1)
    saved = []
    for sign in (1, -1):
        save_audio(tmp_path / name, sign * one_sided, SR)
        saved.append(sign * load_audio(tmp_path / name)[0])
    assert np.max(saved[0]) <= 1
    # two roundings to 16 bits, and one step more below zero than above
    np.testing.assert_allclose(saved[0], saved[1], atol=2 / 2**15)


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def fail():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["kept.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_a_new_file_follows_the_umask_and_a_replaced_one_keeps_its_permissions(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        for expected in (mode, 0o600):
            with whole_file(tmp_path / "a.txt") as temporary:
                temporary.write_text("text")
            assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == expected
            (tmp_path / "a.txt").chmod(0o600)
    finally:
        os.umask(before)


def test_what_a_kill_left_is_removed_at_the_next_write_once_it_is_old(tmp_path):
    def left_by_a_kill(name):
        writer = whole_file(tmp_path / name)
        temporary = writer.__enter__()
        temporary.write_text("half")
        return writer, temporary

    (_, old), (_, young) = kept = [left_by_a_kill(name) for name in ("a.wav", "b.csv")]
    hidden = tmp_path / ".mine"
    hidden.touch()
    for path in (old, hidden):
        os.utime(path, (0, time.time() - 3700))
    os.utime(young, (0, time.time() - 3500))
    with whole_file(tmp_path / "c.json") as temporary:
        temporary.write_text("{}")
    assert {path for path in tmp_path.iterdir() if path.is_file()} == {young, hidden, tmp_path / "c.json"}
    for writer, _ in kept:
        writer.gen.close()


def test_the_longest_name_is_written(tmp_path):
    for name in (f"{'n' * 251}.txt", f"{'é' * 125}.npy", f"n.{'s' * 253}"):
        with whole_file(check_target(tmp_path / name)) as temporary:
            temporary.write_text("text")
        assert (tmp_path / name).read_text() == "text"


# Never a real device: a fault in what is tested would replace it.
def _pipe(folder):
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _link_to_pipe(folder):
    (folder / "link").symlink_to(_pipe(folder))
    return folder / "link"


def _socket(folder):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))
    return folder / "s"


@pytest.mark.parametrize("make", [_pipe, _link_to_pipe, _socket])
def test_only_regular_files_are_replaced(tmp_path, make):
    path = make(tmp_path)
    before = path.stat()
    with pytest.raises(ValueError, match="is no regular file"):
        check_target(path)
    with pytest.raises(ValueError, match="is no regular file"), whole_file(path) as temporary:
        temporary.write_text("text")
    assert path.stat() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is a folder; name a file in it"),
        ("folder", "is a folder; name a file in it"),
        ("n" * 256, "not a name that a file can have"),
        ("é" * 128, "not a name that a file can have"),
        ("a\0b", "not a name that a file can have"),
        ("nowhere/a.json", "nowhere is not a folder to write in"),
        ("file/a.json", "file is not a folder to write in"),
    ],
)
def test_a_target_that_cannot_be_written_is_known_before_the_work(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(ValueError, match=message):
        check_target(name)


def test_a_target_may_be_new_or_a_file(tmp_path):
    assert check_target(tmp_path / "a.json") == tmp_path / "a.json"
    (tmp_path / "a.json").touch()
    (tmp_path / "link.json").symlink_to("a.json")
    assert check_target(tmp_path / "link.json") == tmp_path / "link.json"
    assert check_target(tmp_path / "a.json") == tmp_path / "a.json"


def test_level(tone):
    assert rms(tone) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert rms(set_level(tone, 0.05)) == pytest.approx(0.05, rel=1e-6)
    with pytest.raises(ValueError, match="content is silent"):
        set_level(np.zeros(100), name="content")


def test_fix_length():
    assert fix_length(np.arange(5), 3).tolist() == [0, 1, 2]


def test_a_file_that_may_not_be_read_is_none_that_is_no_sound(tmp_path, tone, monkeypatch):
    soundfile.write(tmp_path / "a.wav", tone, SR)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    with pytest.raises(PermissionError, match=r"a.wav cannot be read: no permission"):
        load_audio(tmp_path / "a.wav")
