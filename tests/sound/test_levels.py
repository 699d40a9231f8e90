import numpy as np
import pyloudnorm
import pytest

from audiostyle.sound.levels import (
    Meter,
    loudness_difference,
    match_loudness,
    rms,
    without_clipping,
    without_offset,
)

SR = 22050
CEILING = 10 ** (-1 / 20)


def decibels(ratio):
    return 20 * np.log10(ratio)


@pytest.fixture
def noise(rng):
    return 0.02 * rng.normal(size=2 * SR)


def test_loudness_is_that_of_bs_1770(noise, content):
    meter = pyloudnorm.Meter(SR)
    expected = meter.integrated_loudness(noise) - meter.integrated_loudness(content.astype(float))
    # both are measured at one level: blocks near the gate of one are not lost to the other
    assert loudness_difference(noise, content, SR) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("factor", [1e-4, 0.5, 30])
@pytest.mark.parametrize(("seconds", "sr"), [(2, SR), (0.3, SR), (2, 4000)])
def test_gain_is_told_at_every_level_length_and_rate(noise, factor, seconds, sr):
    y = noise[: int(seconds * sr)]
    assert loudness_difference(factor * y, y, sr) == pytest.approx(decibels(factor), abs=1e-6)


def test_pauses_do_not_make_a_short_clip_quieter(noise):
    y = noise[:6174]  # 14 frames of 20 ms
    half = y * (np.arange(6174) < 7 * 441)
    assert loudness_difference(half, y, SR) == pytest.approx(0, abs=0.3)


def test_match_is_a_plain_gain_while_no_peak_is_too_high(noise, content):
    levelled = match_loudness(noise, content, SR)
    assert np.abs(levelled.y).max() < CEILING
    assert loudness_difference(levelled.y, content, SR) == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(levelled.y, levelled.gain * noise, rtol=1e-6)
    assert levelled.note == "The sound has the content's loudness."


@pytest.mark.parametrize("sign", [1, -1])
def test_few_peaks_are_limited_and_the_rest_keeps_its_shape(noise, sign):
    y = noise.copy()
    y[SR] = sign * 0.2
    levelled = match_loudness(y, 8 * noise, SR)
    assert np.abs(levelled.y).max() == pytest.approx(CEILING, rel=1e-6)
    assert abs(loudness_difference(levelled.y, 8 * noise, SR)) < 0.1
    away = np.abs(np.arange(len(y)) - SR) > 0.02 * SR
    np.testing.assert_allclose(levelled.y[away], levelled.gain * y[away], rtol=1e-6)
    turn = np.diff(np.log(levelled.y[~away] / (levelled.gain * y[~away])))
    assert np.abs(turn).max() < 0.01  # the gain moves by less than 0.1 dB from sample to sample
    assert levelled.note == "The sound has the content's loudness; peaks were limited by up to 5.1 dB."


def test_what_cannot_be_as_loud_is_quieter_and_says_so(noise):
    y = noise.copy()
    y[SR] = 2.0
    levelled = match_loudness(y, 10 * noise, SR)
    assert np.abs(levelled.y).max() <= CEILING * (1 + 1e-6)
    assert levelled.gain == pytest.approx(0.5 * CEILING * 10 ** (12 / 20))
    quieter = -loudness_difference(levelled.y, 10 * noise, SR)
    assert levelled.note == (
        f"The sound is {quieter:.1f} dB quieter than the content; peaks were limited by up to 12.0 dB."
    )


def test_limited_loudness_is_made_up_for(noise):
    y = np.clip(noise, -0.05, 0.05)
    levelled = match_loudness(y, 12 * noise, SR)
    assert levelled.gain > 12
    assert abs(loudness_difference(levelled.y, 12 * noise, SR)) < 0.1


def test_silence_stays_silent(noise):
    levelled = match_loudness(np.zeros(SR), noise, SR)
    assert not levelled.y.any()
    assert levelled.note == "The sound is silent."


def test_full_scale_is_left_alone(noise):
    y = noise / np.abs(noise).max()
    levelled = without_clipping(y, SR)
    assert levelled.y is y
    assert levelled.note == ""


@pytest.mark.parametrize("peak", [1.001, -3, 1e4])
def test_nothing_clips(noise, peak):
    for place in (0, SR, -1):
        y = noise.copy()
        y[place] = peak
        levelled = without_clipping(y, SR)
        assert np.abs(levelled.y).max() == pytest.approx(CEILING, rel=1e-6)
        assert np.abs(levelled.y[place]) == pytest.approx(CEILING, rel=1e-6)
        assert f"{abs(peak):.2f} exceeds full scale" in levelled.note


@pytest.mark.parametrize("sr", [SR, 44100, 48000])
def test_level_in_blocks_is_that_of_the_whole(rng, sr):
    y = rng.normal(size=(2, 4 * sr)) * np.repeat([0.02, 0.2, 0.001, 0.1], sr)
    reference = 0.05 * rng.normal(size=(2, 4 * sr))
    found = []
    for sound in (y, reference):
        meter = Meter(sr, 2)
        for start in range(0, sound.shape[1], 12345):
            meter.add(sound[:, start : start + 12345])
        found.append(meter.level)
        assert meter.rms == pytest.approx(rms(sound), rel=1e-6)
    # blocks of 400 ms begin at whole samples
    assert found[0] - found[1] == pytest.approx(loudness_difference(y, reference, sr), abs=0.01)


def test_channels_are_limited_together(rng):
    y = 0.1 * rng.normal(size=(2, SR))
    y[0, 5000:5010] = 3.0
    levelled = match_loudness(y, y, SR).y
    ratio = levelled / y
    np.testing.assert_allclose(ratio[0], ratio[1], rtol=1e-4)
    assert np.abs(levelled).max() <= 10 ** (-1 / 20) + 1e-6
    assert abs(loudness_difference(levelled, y, SR)) < 0.1


def test_an_offset_is_subtracted_from_every_channel_and_a_small_one_left(rng):
    y = 0.1 * rng.standard_normal((2, 1000))
    y -= y.mean(axis=1, keepdims=True)
    offset = np.array([[0.05], [-0.02]])
    np.testing.assert_allclose(without_offset(y + offset), y, atol=1e-12)
    small = (y + 5e-4).astype(np.float32)
    assert without_offset(small) is small
    assert without_offset(small + np.float32(0.1)).dtype == np.float32
