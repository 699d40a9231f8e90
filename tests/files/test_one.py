import sys

import numpy as np
import pytest
import soundfile

from audiostyle import TransferConfig, load_audio, transfer_style
from audiostyle.files.one import Delivery, Part, Sources, transfer_files
from audiostyle.sound.levels import rms
from audiostyle.sound.samples import Sound
from experiments.own_rate import loudness_difference
from tests.signals import melody

SR = 48000
PAPER = TransferConfig.paper(n_filters=8, n_iter=2, kernel_size=3)


@pytest.fixture
def folder(tmp_path, rng):
    y = melody([220, 330, 262, 440, 294], harmonics=[1, 0.5, 0.25, 0.3], sr=SR, seconds_each=0.4)
    hiss = 0.002 * rng.normal(size=(2, len(y)))
    soundfile.write(tmp_path / "c.wav", (np.stack([y, 0.5 * y]) + hiss).T, SR, subtype="PCM_24")
    style = melody([440, 392, 349, 330], harmonics=[0.2, 1, 0.1, 0.8, 0.1, 0.6], sr=44100)
    soundfile.write(tmp_path / "s.flac", style + 0.004 * rng.normal(size=len(style)), 44100)
    soundfile.write(tmp_path / "other.wav", 0.1 * rng.normal(size=30000), 22050)
    return tmp_path


def run(folder, output="out.wav", config=None, content="c.wav", styles=("s.flac",), **delivery):
    sources = Sources(Part(folder / content), tuple(Part(folder / s) for s in styles))
    how = {"delivery": Delivery(**delivery), "progress": False}
    made, _ = transfer_files(sources, folder / output, config or TransferConfig(), **how)
    return made, soundfile.info(folder / output), load_audio(folder / output, sr=None, mono=False)[0]


@pytest.mark.parametrize("balance", [0.5, 0.8])
def test_result_is_as_the_content_came(folder, balance):
    made, info, y = run(folder, config=TransferConfig(balance=balance, n_iter=3))
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
    assert "mono at 22050 Hz" in made.note
    kept = TransferConfig.paper(n_filters=8, n_iter=0, kernel_size=3)
    assert run(folder, config=kept)[0].numbers["content_loss"] == 0 < made.numbers["content_loss"]
    _, info, y = run(folder, config=PAPER, channels=3)
    assert info.channels == 3
    np.testing.assert_array_equal(y[0], y[2])


def test_content_comes_back_from_itself_and_at_balance_0_sample_for_sample(folder):
    content, _ = load_audio(folder / "c.wav", sr=None, mono=False)
    _, _, y = run(folder, styles=("c.wav",))
    assert rms(y - content) < 0.01 * rms(content)
    _, _, y = run(folder, config=TransferConfig(balance=0))
    np.testing.assert_array_equal(y, content)


@pytest.mark.parametrize(
    ("output", "delivery", "expected"),
    [
        ("out.wav", {"rate": 16000}, (16000, 2, "PCM_24")),
        ("out.flac", {"channels": 1}, (SR, 1, "PCM_24")),
        ("out.aiff", {"subtype": "PCM_16"}, (SR, 2, "PCM_16")),
        ("out.ogg", {}, (SR, 2, "VORBIS")),
        ("out.flac", {"subtype": "FLOAT"}, (SR, 2, "PCM_24")),
    ],
)
def test_what_is_asked_for_comes_before_the_content(folder, output, delivery, expected):
    made, info, y = run(folder, output, **delivery)
    assert (info.samplerate, info.channels, info.subtype) == expected
    assert y.shape[-1] == round(soundfile.info(folder / "c.wav").frames * info.samplerate / SR)
    assert ("FLOAT" in made.note) == (delivery.get("subtype") == "FLOAT")


def test_four_gigabytes_are_those_of_the_result(folder, monkeypatch):
    monkeypatch.setattr("audiostyle.sound.write._MOST_BYTES", 4 * soundfile.info(folder / "c.wav").frames)
    assert [run(folder, rate=rate)[1].format for rate in (16000, SR)] == ["WAV", "RF64"]


def test_more_channels_than_the_content_has_are_refused(folder):
    with pytest.raises(ValueError, match="--channels 3"):
        run(folder, channels=3)
    assert not (folder / "out.wav").exists()


def test_pooled_styles_are_whole_and_at_equal_levels(folder):
    s, other = (load_audio(folder / name, sr=SR)[0] for name in ("s.flac", "other.wav"))
    parts = (Part(folder / "s.flac"), Part(folder / "other.wav"))
    pooled = Sources(Part(folder / "c.wav"), parts).style(SR)[0].waveform()
    assert len(pooled) == len(s) + len(other)
    assert rms(pooled[: len(s)]) == pytest.approx(rms(pooled[len(s) :]), rel=1e-3)


@pytest.mark.parametrize("balance", [0.2, 0.5])
def test_a_file_and_an_array_give_the_same_samples_whole_or_in_blocks(folder, monkeypatch, balance):
    config = TransferConfig(balance=balance)
    _, _, of_file = run(folder, config=config, subtype="FLOAT")
    content, sr = load_audio(folder / "c.wav", sr=None, mono=False)
    style, _ = load_audio(folder / "s.flac", sr=sr, mono=False)
    whole = transfer_style(content, style, sr, config, progress=False).y
    np.testing.assert_array_equal(of_file, whole)
    monkeypatch.setattr("audiostyle.sound.samples._STEP", 1 << 14)
    monkeypatch.setattr(Sound.blocks, "__defaults__", (1 << 14,))
    monkeypatch.setattr(sys.modules["audiostyle.matching.describe"], "BLOCK", 48)
    _, _, y = run(folder, config=config, subtype="FLOAT")
    # The treble's filter is designed on spectra of blocks, the rest differs by rounding.
    assert rms(y - whole) < 3e-3 * rms(whole)
    assert sorted(p.name for p in folder.glob("*.*")) == ["c.wav", "other.wav", "out.wav", "s.flac"]


@pytest.mark.parametrize("which", ["content", "style"])
@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_polarity_inverted_stereo_is_its_loudest_channel_wherever_it_stands(folder, rng, which, noise):
    """The mean of its channels is silence, or their noise."""
    y, sr = load_audio(folder / {"content": "c.wav", "style": "s.flac"}[which], sr=None)
    inverted = np.stack([y, -0.9 * y]) + noise * rng.normal(size=(2, len(y)))
    soundfile.write(folder / "plain.wav", y, sr, subtype="FLOAT")
    soundfile.write(folder / "inverted.wav", inverted.T, sr, subtype="FLOAT")
    (_, _, expected), (made, _, found) = (
        run(folder, channels=1, **({"content": name} if which == "content" else {"styles": (name,)}))
        for name in ("plain.wav", "inverted.wav")
    )
    assert rms(found - expected) < 0.05 * rms(expected)
    assert ("cancel" in made.note) == (which == "content")
    mono = load_audio(folder / "c.wav", sr=None)[0] if which == "style" else y
    assert abs(loudness_difference(found, mono, SR)) < 0.2


def test_peaks_are_limited_after_the_rate_has_changed(folder):
    y = 10 ** (-1 / 20) * np.sign(np.sin(2 * np.pi * 997 * np.arange(SR) / SR))
    soundfile.write(folder / "square.wav", y, SR, subtype="FLOAT")
    for rate in (22050, 2 * SR):
        _, _, found = run(folder, content="square.wav", rate=rate, subtype="FLOAT")
        assert np.abs(found).max() <= 10 ** (-1 / 20) + 1e-6


@pytest.mark.parametrize("n", [1, 200, 2000])
def test_a_filter_takes_any_length(folder, n):
    y, sr = soundfile.read(folder / "c.wav")
    soundfile.write(folder / "short.wav", y[9100 : 9100 + n], sr)
    soundfile.write(folder / "other.wav", y[9100 : 9100 + n], sr)
    _, info, found = run(folder, content="short.wav")
    assert info.frames == n
    assert np.isfinite(found).all()
    assert np.isfinite(run(folder, styles=("other.wav",))[2]).all()
    with pytest.raises(ValueError, match="less than one patch"):
        run(folder, content="short.wav", config=PAPER)
