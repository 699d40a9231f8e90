"""Matched timbre against what must hold for any sound: a known filter, the same clip, a transposition, silence."""

import sys

import numpy as np
import pytest
import torch

from audiostyle.datasets.clips import get_pair, load_pair
from audiostyle.datasets.triples import load_triple, triples
from audiostyle.matching import SEMITONES, SR, Clip, Gain, describe, match_timbre, transposed
from audiostyle.matching.match import CONSTANTS, Library, kind_of, levels, to_analysis
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.sound.samples import Sound
from tests import signals
from tests.signals import tone


def matched(content, style):
    return match_timbre(content, style).gain.apply(content, SR)


def steadiness(y):
    y = to_analysis(y, SR, "clip")
    return Clip(Sound.of(y, SR)).steadiness


def melody(notes, *, slope=1.0):
    """Notes in MIDI numbers with twelve partials that fall by a power of their number, and soft noise."""
    pitches = [440 * 2 ** ((note - 69) / 12) for note in notes]
    y = signals.melody(pitches, harmonics=[k**-slope for k in range(1, 13)], seconds_each=0.4)
    y += 1e-5 * np.random.default_rng(0).normal(size=len(y))
    return (0.1 * y / np.abs(y).max()).astype(np.float32)


TUNE = (60, 64, 67, 65, 62, 59, 60, 69)
OTHER = (62, 66, 69, 67, 64, 61, 62, 71)
PARTS = {"describe.BLOCK": 64, "match._COMPARED": 17, "gain._PART": 9000}


def band_levels(y):
    return describe(0.07 * y / np.sqrt(np.mean(y**2))).bands.numpy() * (10 / np.log(10))


def distance(a, b):
    """Log-spectral distance in dB of two sounds at equal level, 60 dB under the loudest band of the second."""
    A, B = band_levels(a), band_levels(b)
    floor = B.max() - 60
    return np.sqrt(np.mean((np.maximum(A, floor) - np.maximum(B, floor)) ** 2, axis=0)).mean()


def test_transposed_style_gives_nearly_the_same():
    content, style = melody(TUNE, slope=2.0), melody(OTHER, slope=0.5)
    plain = match_timbre(content, style)
    moved = match_timbre(content, melody([note + 5 for note in OTHER], slope=0.5))
    y, other = (m.gain.apply(content, SR) for m in (plain, moved))
    assert distance(y, other) < 0.5 * distance(content, y)
    peaks = [int(m.semitones @ np.arange(len(SEMITONES))) for m in (plain, moved)]
    assert peaks[1] < peaks[0]  # what is higher is brought further down
    assert SEMITONES[int(match_timbre(content, content).semitones.argmax())] == 0


@pytest.mark.parametrize(("level", "most"), [(0.0, 1e-6), (1e-6, 1e-3)])
def test_silence_and_noise_far_under_the_sound_are_not_raised_to_it(level, most):
    content = melody(TUNE)
    content[30000:45000] = level * np.random.default_rng(1).normal(size=15000)
    y = matched(content, melody(OTHER, slope=0.5))
    assert np.abs(y[32500:42500]).max() < most * np.abs(y).max()


def treble(y):
    """Energy above 4 kHz over that of all bands in dB."""
    power = describe(to_analysis(y, SR, "y")).bands.exp().mean(1)
    return float(10 * (power[62:].sum() / power.sum()).log10())


def test_soft_moments_of_a_dark_style_do_not_brighten_the_result():
    content, loud = melody(TUNE, slope=2.0), melody(OTHER, slope=3.0)
    soft = 10 ** (-45 / 20) * loud
    result = matched(content, np.concatenate([loud, soft, soft, loud]))
    assert treble(result) < max(treble(content), treble(loud))


@pytest.mark.parametrize("sr", [16000, 44100, 48000])
def test_filter_at_another_rate_is_the_same_filter(sr):
    y = Gain(torch.full((1025, 44), -0.5)).apply(tone(1000, level=1, sr=sr), sr)
    assert np.abs(y[sr // 4 : -sr // 4]).max() == pytest.approx(np.exp(-0.5), rel=1e-3)


def test_filter_keeps_channels_and_length_and_strength_0_changes_nothing():
    stereo = np.random.default_rng(0).normal(size=(2, 9000)).astype(np.float32)
    gain = Gain(torch.randn(1025, 20, generator=torch.Generator().manual_seed(0)))
    assert gain.apply(stereo, SR).shape == stereo.shape
    np.testing.assert_allclose(gain.apply(stereo, SR, strength=0.0), stereo, atol=1e-5)
    np.testing.assert_array_equal(gain.apply(stereo, SR)[1], gain.apply(stereo[1], SR))


@pytest.mark.parametrize("extra", [0, 511])
@pytest.mark.parametrize("of", PARTS)
def test_parts_give_what_the_whole_gives(monkeypatch, of, extra):
    module, _, name = of.partition(".")
    content = np.concatenate([melody(TUNE), np.zeros(9000, np.float32), melody(OTHER[::-1])])
    content, style = content[: 300 * 512 + extra], melody(OTHER, slope=0.5)
    found = []
    for _ in range(2):
        gain = match_timbre(content, style).gain
        found.append((gain.log_gain, gain.apply(content, SR)))
        monkeypatch.setattr(sys.modules[f"audiostyle.matching.{module}"], name, PARTS[of])
    (whole, y), (parts, z) = found
    # a hundredth of a decibel: sums of float32 in another order
    assert torch.abs(parts - whole).max() < 0.01 * np.log(10) / 20
    np.testing.assert_allclose(z, y, atol=1e-4 * np.abs(y).max())


def test_a_long_style_is_stretches_of_all_of_it_and_no_patch_crosses_their_seams(monkeypatch):
    monkeypatch.setattr(sys.modules["audiostyle.matching.describe"], "STYLE_FRAMES", 160)
    style = np.tile(melody(OTHER), 3)
    A, C = describe(style), describe(melody(TUNE))
    library, factors = Library(style, A), CONSTANTS["instrument"][:4]
    kept = library.bands[:, ~library.seam & (library.semitones == 0)]
    places = torch.cdist(kept.T, A.bands.T).argmin(1)
    assert (kept.shape[1], int(places.min()), int(places.max())) == (160, 0, len(A.age) - 1)
    assert not library.seam[library.most_similar(C, slice(0, len(C.age)), factors, 500)[0]].any()


def test_levels_of_a_style_are_told_apart_down_to_70_db():
    style = 30 * np.concatenate([melody(OTHER), np.zeros(SR, np.float32)])
    A = describe(style)
    k = CONSTANTS["instrument"]._replace(body=0.0)
    below = float(A.bands.max() - levels(Library(style, A), k).min())
    assert 10 / np.log(10) * below == pytest.approx(69.5, abs=0.5)


def test_transposed_moves_the_pitch_and_the_length():
    up = transposed(tone(440, sr=SR), 12)
    assert len(up) == pytest.approx(SR / 2, abs=2)
    assert np.abs(np.fft.rfft(up)).argmax() * SR / len(up) == pytest.approx(880, abs=3)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="kind='choir' is not allowed"):
        match_timbre(melody(TUNE), melody(TUNE), kind="choir")
    with pytest.raises(ValueError, match="style is silent"):
        match_timbre(melody(TUNE), np.zeros(SR))


@pytest.mark.parametrize(("name", "decibels"), [("guitar_piano", 6.50), ("viola_flute", 6.90)])
def test_bundled_triples_come_as_near_to_the_truth_as_they_did(name, decibels):
    """Holds what synthetic notes cannot: the rate of the transposed frames, the age beside its own frame."""
    audio = load_triple(next(t for t in triples() if t.name == name))
    y = match_timbre(audio.content, audio.style, sr=audio.sr).gain.apply(audio.content, audio.sr)
    assert log_spectral_distance(y, audio.target, audio.sr) == pytest.approx(decibels, abs=0.03)


@pytest.mark.parametrize("pair", ["speech-1", "speech-2", "symphonic-1", "instrument-2"])
def test_settings_of_voices_are_for_two_that_speak(pair):
    audio = load_pair(get_pair(pair, "bundled"), duration=5)
    content, style = (steadiness(y) for y in (audio.content, audio.style))
    assert kind_of(content, style) == ("voice" if pair.startswith("speech") else "instrument")
    sings = 0.6
    assert kind_of(content, sings) == kind_of(sings, style) == "instrument"


@pytest.mark.parametrize(("level", "haze"), [(-50, 3.0), (-65, 3.5)])
def test_noise_between_notes_is_not_lifted_and_notes_do_not_drop_out(level, haze):
    """Lift of the quietest cells (6.5 and 4.6 dB with noise lifted) and frames 18 dB down, at equal loud gain."""
    noise = 10 ** (level / 20) * 0.03 * np.random.default_rng(2).normal(size=len(melody(TUNE)))
    content = (melody(TUNE, slope=2.0) + noise).astype(np.float32)
    before, after = band_levels(content), band_levels(matched(content, melody(OTHER, slope=0.3)))
    loudness = [10 * np.log10((10 ** (b / 10)).sum(0)) for b in (before, after)]
    loud = loudness[0] > loudness[0].max() - 20
    gain = loudness[1] - loudness[0]
    quiet = (before <= np.quantile(before, 0.1, axis=1, keepdims=True) + 6) & (before <= before.max() - 40)
    assert np.maximum(0, after - before - np.median(gain[loud]))[quiet].mean() < haze
    assert (gain[loud] < np.median(gain[loud]) - 18).mean() < 0.02
