import logging
import os

import numpy as np
import pytest
import soundfile

from audiostyle.sound import write
from audiostyle.sound.read import load_audio
from audiostyle.sound.write import SUFFIXES, save_audio, writable
from tests import signals
from tests.signals import SR


@pytest.fixture
def tone():
    return signals.tone()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_with_its_length_rate_and_channels(tmp_path, tone, suffix):
    folder = tmp_path / os.fsdecode(b"\xfc")  # no UTF-8, nor is the file's name
    folder.mkdir()
    path = save_audio(folder / f"m\udce9{suffix}", np.stack([tone, -0.5 * tone]), SR)
    y, sr = load_audio(path, sr=None, mono=False)
    assert (y.shape, sr) == ((2, SR), SR)
    # lossy formats take the first and the last moment for a click
    exact = suffix not in (".ogg", ".mp3")
    inner = np.s_[2000:-2000]
    np.testing.assert_allclose(y[:, inner], [tone[inner], -0.5 * tone[inner]], atol=1e-4 if exact else 0.1)


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
def test_samples_are_kept_as_asked_or_said_to_be_in_the_usual_way(tmp_path, tone, caplog, name, asked, kept):
    assert writable(tmp_path / name, SR, 1, asked).subtype == kept
    save_audio(tmp_path / name, tone, SR, subtype=asked)
    assert len(caplog.records) == (asked not in (None, kept))
    assert all(f"{asked} samples: written as {kept}" in record.getMessage() for record in caplog.records)
    assert soundfile.info(tmp_path / name).subtype == kept
    assert len(load_audio(tmp_path / name)[0]) == SR


@pytest.mark.parametrize(
    ("name", "sr", "channels", "subtype", "quoted"),
    [
        ("a.xyz", SR, 1, None, r"a\.xyz .*\.wav, \.flac"), ("a", SR, 1, None, r"\.wav, \.flac"),
        ("a.wav", SR, 1, "PCM_99", "PCM_99 .*WAV has PCM_16, PCM_24"),
        ("a.mp3", 96_000, 1, None, r"MP3 at 96000 Hz; use \.wav.*--sr 48000"),
        ("a.mp3", 44_100, 6, None, r"6 channels; use \.wav.*--channels 1"),
        ("a.ogg", 250_000, 1, None, r"OGG at 250000 Hz; use \.wav"),
        ("a.flac", 700_000, 2, None, r"FLAC at 700000 Hz .*use \.wav"),
        ("a.wav", SR, 2000, None, r"2000 channels; use \.wav"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_told_with_what_can(name, sr, channels, subtype, quoted):
    with pytest.raises(ValueError, match=quoted):
        writable(name, sr, channels, subtype)


def test_four_gigabytes_are_rf64_or_refused_before_the_work(tmp_path, tone, monkeypatch):
    hour = 3600 * 192_000
    assert writable("a.wav", 192_000, 2, "FLOAT", hour).format == "RF64"
    assert writable("a.wav", 192_000, 2, "PCM_16", hour).format == "WAV"
    with pytest.raises(ValueError, match=r"4 GB .*\.wav"):
        writable("a.aif", 192_000, 2, "FLOAT", hour)
    monkeypatch.setattr(write, "_MOST_BYTES", 1000)
    assert load_audio(save_audio(tmp_path / "a.wav", tone, SR))[0] == pytest.approx(tone, abs=1e-4)


@pytest.mark.parametrize(("peak", "kept"), [(1.5, 10 ** (-1 / 20)), (-1.5, 10 ** (-1 / 20)), (1.0, 1.0)])
def test_what_would_clip_is_turned_down_and_said_in_one_sentence(tmp_path, tone, caplog, peak, kept):
    tone[SR // 4] = peak
    y, _ = load_audio(save_audio(tmp_path / "a.wav", tone, SR))
    assert y[SR // 4] == pytest.approx(np.copysign(kept, peak), abs=1e-4)
    np.testing.assert_allclose(y[-SR // 4 :], tone[-SR // 4 :] * kept / abs(peak), rtol=0, atol=1 / 2**15)
    said = [(record.levelno, "1.50" in record.getMessage()) for record in caplog.records]
    assert said == [(logging.WARNING, True)] * (abs(peak) > 1)
