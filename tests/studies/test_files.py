"""Sound files in, a sound file out."""

import numpy as np
import pytest
import soundfile

from audiostyle import TransferConfig
from audiostyle.sound.audio import load_audio
from audiostyle.sound.levels import loudness_difference, rms
from audiostyle.studies import files, streaming
from audiostyle.studies.files import Delivery, Part, Sources, transfer_files

SR = 48000
PAPER = TransferConfig(encoder="random", n_filters=8, phase="griffin_lim", n_iter=2, kernel_size=3)


@pytest.fixture
def folder(tmp_path, make_melody, rng):
    y = make_melody([220, 330, 262, 440, 294], harmonics=[1, 0.5, 0.25, 0.3], sr=SR, seconds_each=0.4)
    hiss = 0.002 * rng.normal(size=(2, len(y)))
    soundfile.write(tmp_path / "c.wav", (np.stack([y, 0.5 * y]) + hiss).T, SR, subtype="PCM_24")
    style = make_melody([440, 392, 349, 330], harmonics=[0.2, 1, 0.1, 0.8, 0.1, 0.6], sr=44100)
    soundfile.write(tmp_path / "s.flac", style + 0.004 * rng.normal(size=len(style)), 44100)
    soundfile.write(tmp_path / "other.wav", 0.1 * rng.normal(size=30000), 22050)
    return tmp_path


def run(folder, output="out.wav", config=None, styles=("s.flac",), weights=(), **delivery):
    sources = Sources(Part(folder / "c.wav"), tuple(Part(folder / s) for s in styles), weights)
    made, _ = transfer_files(
        sources, folder / output, config or TransferConfig(), delivery=Delivery(**delivery), progress=False
    )
    return made, soundfile.info(folder / output), load_audio(folder / output, sr=None, mono=False)[0]


@pytest.mark.parametrize("balance", [0.5, 0.8])
def test_result_is_as_the_content_came(folder, balance):
    config = TransferConfig(balance=balance, n_iter=3)
    made, info, y = run(folder, config=config)
    content, _ = load_audio(folder / "c.wav", sr=None, mono=False)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (SR, 2, content.shape[1], "PCM_24")
    assert (made.sr, made.channels, made.seconds) == (SR, 2, content.shape[1] / SR)
    assert abs(loudness_difference(y, content, SR)) < 0.2
    change = 20 * np.log10([rms(a) / rms(b) for a, b in zip(y, content, strict=True)])
    assert abs(change[0] - change[1]) < 1.01
    assert np.abs(y).max() <= 10 ** (-1 / 20) + 1e-6


def test_papers_way_is_mono_at_its_own_rate_and_says_so(folder):
    made, info, _ = run(folder, config=PAPER)
    assert (info.samplerate, info.channels) == (22050, 1)
    assert "It was made mono at 22050 Hz" in made.note


def test_content_comes_back_from_itself(folder):
    _, _, y = run(folder, styles=("c.wav",))
    content, _ = load_audio(folder / "c.wav", sr=None, mono=False)
    assert rms(y - content) < 0.01 * rms(content)


@pytest.mark.parametrize(
    ("output", "delivery", "expected"),
    [
        ("out.wav", {"rate": 16000}, (16000, 2, "PCM_24")),
        ("out.flac", {"channels": 1}, (SR, 1, "PCM_24")),
        ("out.aiff", {"subtype": "PCM_16"}, (SR, 2, "PCM_16")),
        ("out.ogg", {}, (SR, 2, "VORBIS")),
    ],
)
def test_what_is_asked_for_comes_before_the_content(folder, output, delivery, expected):
    _, info, y = run(folder, output, **delivery)
    assert (info.samplerate, info.channels, info.subtype) == expected
    assert y.shape[-1] == round(soundfile.info(folder / "c.wav").frames * info.samplerate / SR)


def test_mono_becomes_any_number_of_channels(folder):
    _, info, y = run(folder, config=PAPER, channels=3)
    assert info.channels == 3
    np.testing.assert_array_equal(y[0], y[2])


@pytest.mark.parametrize(
    ("output", "delivery", "message"),
    [
        ("out.wav", {"channels": 3}, "2 channels can become 1, or stay 2"),
        ("out.flac", {"subtype": "FLOAT"}, "FLAC holds no FLOAT"),
        ("out.wav", {"rate": 10}, "sr=10 is not allowed"),
        ("out.wav", {"channels": 0}, "channels=0 is not allowed"),
    ],
)
def test_what_cannot_be_written_is_named(folder, output, delivery, message):
    with pytest.raises(ValueError, match=message):
        run(folder, output, **delivery)
    assert not (folder / output).exists()


def test_pooled_styles_have_their_shares_at_equal_levels(folder):
    s, other = (load_audio(folder / name, sr=SR)[0] for name in ("s.flac", "other.wav"))
    parts = (Part(folder / "s.flac"), Part(folder / "other.wav"))
    pooled = Sources(Part(folder / "c.wav"), parts).style(SR)
    assert len(pooled) == len(s) + len(other)
    assert rms(pooled[: len(s)]) == pytest.approx(rms(pooled[len(s) :]), rel=1e-3)
    weighed = Sources(Part(folder / "c.wav"), parts, (1, 3)).style(SR)
    shares = [np.corrcoef(weighed[: len(s) // 8], s[: len(s) // 8])[0, 1], len(weighed) / SR]
    unit = min(len(s), len(other) / 3)
    assert shares[0] == pytest.approx(1, abs=1e-3)
    assert len(weighed) == pytest.approx(4 * unit, abs=2)
    with pytest.raises(ValueError, match=r"weights=.* is not allowed; it must be as many as styles: 2"):
        Sources(Part(folder / "c.wav"), parts, (1,))


@pytest.mark.parametrize("balance", [0.2, 0.5])
def test_streamed_equals_whole(folder, monkeypatch, balance):
    config = TransferConfig(balance=balance)
    _, _, whole = run(folder, config=config, subtype="FLOAT")
    monkeypatch.setattr(files, "LONG", 0.5)
    monkeypatch.setattr(streaming, "_STEP", 1 << 14)
    monkeypatch.setattr("audiostyle.matching.blocks.BLOCK", 48)
    made, _, y = run(folder, config=config, subtype="FLOAT")
    assert y.shape == whole.shape
    assert "content's loudness" in made.note
    # the loudness of both is within a tenth of a decibel of the content's
    gain = float((y * whole).sum() / (whole * whole).sum())
    assert abs(20 * np.log10(gain)) < 0.2
    # the treble's filter is designed on spectra of blocks, the rest differs by rounding
    assert rms(y - gain * whole) < 3e-3 * rms(whole)
    assert sorted(p.name for p in folder.glob("*.*")) == ["c.wav", "other.wav", "out.wav", "s.flac"]


def test_streamed_takes_a_constant_offset_away_as_the_whole(folder, monkeypatch):
    y, sr = soundfile.read(folder / "c.wav")
    soundfile.write(folder / "c.wav", 0.5 * y + 0.2, sr, subtype="FLOAT")
    _, _, whole = run(folder, subtype="FLOAT")
    monkeypatch.setattr(files, "LONG", 0.5)
    monkeypatch.setattr(streaming, "_STEP", 1 << 14)
    monkeypatch.setattr("audiostyle.matching.blocks.BLOCK", 48)
    _, _, streamed = run(folder, subtype="FLOAT")
    for found in (whole, streamed):
        assert np.abs(found.mean(axis=1)).max() < 2e-3
    assert rms(streamed - whole) < 0.03 * rms(whole)


@pytest.mark.parametrize(("rate", "channels"), [(None, None), (22050, 1), (44100, None)])
def test_streamed_is_written_as_asked(folder, monkeypatch, rate, channels):
    _, _, whole = run(folder, rate=rate, channels=channels, subtype="FLOAT")
    monkeypatch.setattr(files, "LONG", 0.5)
    monkeypatch.setattr(streaming, "_STEP", 1 << 14)
    _, info, y = run(folder, "streamed.wav", rate=rate, channels=channels)
    assert (info.samplerate, info.subtype) == (rate or SR, "PCM_24")
    assert y.shape == whole.shape
    assert rms(y - whole) < 0.03 * rms(whole)


def test_streamed_channels_that_cancel_are_told(folder, monkeypatch):
    y, _ = soundfile.read(folder / "c.wav")
    soundfile.write(folder / "c.wav", np.stack([y[:, 0], -y[:, 0]], axis=1), SR, subtype="PCM_24")
    whole, _, a = run(folder)
    monkeypatch.setattr(files, "LONG", 0.5)
    streamed, _, b = run(folder)
    assert "cancel in their mean" in whole.note
    assert whole.note == streamed.note
    assert rms(a - b) < 0.03 * rms(a)


def test_streamed_silence_is_refused_and_nothing_is_left(folder, monkeypatch):
    soundfile.write(folder / "c.wav", np.zeros((SR, 2)), SR)
    monkeypatch.setattr(files, "LONG", 0.5)
    with pytest.raises(ValueError, match="content is silent"):
        run(folder)
    assert not (folder / "out.wav").exists()


def test_what_a_wav_file_cannot_hold_is_refused_before_reading(folder, monkeypatch):
    monkeypatch.setattr(files, "LONG", 0.5)
    monkeypatch.setattr(streaming, "_MOST_BYTES", 1000)
    monkeypatch.setattr(streaming, "_tally", lambda *_: pytest.fail("it read"))
    with pytest.raises(ValueError, match=r"longer than the 4 GB a WAV file holds; write \.flac"):
        run(folder)


def test_memory_is_checked_by_headers(folder, monkeypatch):
    monkeypatch.setattr("audiostyle.losses.free_memory", lambda device: 10_000_000)
    monkeypatch.setattr(Part, "load", lambda *_, **__: pytest.fail("it read"))
    sources = Sources(Part(folder / "c.wav"), (Part(folder / "s.flac"),))
    with pytest.raises(MemoryError, match="GB of memory"):
        files.check_sources(sources, TransferConfig(method="gram"))


def test_peaks_between_samples_are_limited_at_another_rate():
    y = 10 ** (-1 / 20) * np.sign(np.sin(2 * np.pi * 997 * np.arange(SR) / SR)).astype(np.float32)
    delivered, sr = Delivery(rate=2 * SR).apply(y, SR)
    assert sr == 2 * SR
    assert np.abs(delivered).max() <= 10 ** (-1 / 20) + 1e-6
