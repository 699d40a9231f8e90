import librosa
import numpy as np
import pyloudnorm
import pytest

from audiostyle.sound import levels, samples
from audiostyle.sound.channels import keep_balance, mid_signal, mid_sound
from audiostyle.sound.levels import Meter, rms, set_level, without_clipping
from audiostyle.sound.samples import Sound
from experiments.own_rate import loudness_difference
from tests.signals import SR

CEILING = 10 ** (-1 / 20)


def match_loudness(y, content, sr=SR):
    sounds = [Sound.of(x, sr) for x in (y, content)]
    sound, gain, note = levels.match_loudness(sounds[0], *map(Meter, sounds))
    return sound.waveform(), gain, note


def without_offset(y):
    return levels.without_offset(Sound.of(y, SR)).waveform()


@pytest.fixture
def noise(rng):
    return 0.02 * rng.normal(size=2 * SR)


@pytest.mark.parametrize("sr", [SR, 44100, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_loudness_is_that_of_bs_1770_whatever_the_blocks(rng, monkeypatch, sr, n_channels):
    meter = pyloudnorm.Meter(sr)
    y = rng.normal(size=(n_channels, 4 * sr)) * np.repeat([0.02, 0.2, 0.001, 0.1], sr)
    y += 0.1 * np.sin(2 * np.pi * 45 / sr * np.arange(4 * sr))  # a hum that the weighting hardly hears
    y += 0.3 * np.sin(2 * np.pi * 1200 / sr * np.arange(4 * sr))  # where its shelf is steep
    reference = 0.05 * rng.normal(size=(n_channels, 3 * sr))
    expected = meter.integrated_loudness(y.T) - meter.integrated_loudness(reference.T)
    whole = loudness_difference(y, reference, sr)
    assert whole == pytest.approx(expected, abs=0.03)
    monkeypatch.setattr(levels, "_STEP", 12345)
    meters = [Meter(Sound.of(x, sr)) for x in (y, reference)]
    assert meters[0].louder_than(meters[1]) == pytest.approx(whole, abs=1e-6)
    np.testing.assert_allclose(meters[0].channel_rms, [rms(channel) for channel in y], rtol=1e-6)


def test_soft_blocks_above_minus_70_lufs_count_for_the_relative_gate(rng):
    y = rng.normal(size=10 * SR) * np.repeat([0.158, 0.0167, 0.0005], [SR, 2 * SR, 7 * SR])
    reference = 0.05 * rng.normal(size=3 * SR)
    loudness = pyloudnorm.Meter(SR).integrated_loudness
    assert loudness_difference(y, reference, SR) == pytest.approx(loudness(y) - loudness(reference), abs=0.02)


@pytest.mark.parametrize("factor", [1e-4, 0.5, 30])
@pytest.mark.parametrize(("seconds", "sr"), [(2, SR), (0.3, SR), (2, 4000), (0.001, SR)])
def test_gain_is_told_at_every_level_length_and_rate(noise, factor, seconds, sr):
    y = noise[: int(seconds * sr)]
    assert loudness_difference(factor * y, y, sr) == pytest.approx(20 * np.log10(factor), abs=1e-5)


def test_match_is_a_plain_gain_while_no_peak_is_too_high(noise, content):
    y, gain, note = match_loudness(noise, content)
    assert np.abs(y).max() < CEILING
    assert loudness_difference(y, content, SR) == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(y, gain * noise, rtol=1e-6)
    assert "limited" not in note


@pytest.mark.parametrize("sign", [1, -1])
def test_few_peaks_are_limited_and_the_rest_keeps_its_shape(noise, sign):
    spiky = noise.copy()
    spiky[SR] = sign * 0.2
    y, gain, note = match_loudness(spiky, 8 * noise)
    assert np.abs(y).max() == pytest.approx(CEILING, rel=1e-6)
    assert abs(loudness_difference(y, 8 * noise, SR)) < 0.1
    away = np.abs(np.arange(len(y)) - SR) > 0.02 * SR
    np.testing.assert_allclose(y[away], gain * spiky[away], rtol=1e-5)
    turn = np.diff(np.log(y[~away] / (gain * spiky[~away])))
    assert np.abs(turn).max() < 0.01  # the gain moves by less than 0.1 dB from sample to sample
    assert "limited by up to 5.1 dB" in note


def test_what_cannot_be_as_loud_is_quieter_and_says_so(noise):
    spiky = noise.copy()
    spiky[SR] = 2.0
    y, gain, note = match_loudness(spiky, 10 * noise)
    assert np.abs(y).max() <= CEILING * (1 + 1e-6)
    assert gain == pytest.approx(0.5 * CEILING * 10 ** (12 / 20))
    assert f"{-loudness_difference(y, 10 * noise, SR):.1f} dB quieter than the content" in note
    assert "12.0 dB" in note


def test_limited_loudness_is_made_up_for(rng):
    content = 0.31 * np.tanh(3 * rng.normal(size=2 * SR))  # hardly a peak above its level, as mastered music
    y, _, note = match_loudness(0.1 * rng.normal(size=2 * SR), content)
    assert np.abs(y).max() <= CEILING * (1 + 1e-6)
    assert abs(loudness_difference(y, content, SR)) < 0.1, note


def test_limited_in_blocks_is_limited_whole(noise):
    spiky = noise.copy()
    spiky[::5000] = 0.5
    sound = levels.turned_up(Sound.of(spiky, SR), 12.0)
    whole = sound.waveform()
    np.testing.assert_allclose(np.concatenate([b[0] for b in sound.blocks(3001)]), whole, atol=1e-6)


def test_channels_are_limited_together(rng):
    y = 0.1 * rng.normal(size=(2, SR))
    y[0, 5000:5010] = 3.0
    levelled, _, _ = match_loudness(y, y)
    np.testing.assert_allclose(*levelled / y, rtol=1e-4)
    assert np.abs(levelled).max() <= CEILING + 1e-6


def test_silence_stays_silent_and_has_no_level(noise):
    y, _, note = match_loudness(np.zeros(SR), noise)
    with pytest.raises(TypeError):  # left out, it cannot be asked for
        Meter(Sound.of(noise, SR), loudness=False).louder_than(Meter(Sound.of(noise, SR)))
    assert not y.any()
    assert "silent" in note
    with pytest.raises(ValueError, match="it is silent"):
        set_level(np.zeros(9), name="it")


@pytest.mark.parametrize("peak", [0.9, 1.001, -3, 1e4])
def test_nothing_clips_and_full_scale_is_left_alone(noise, peak):
    for place in (0, SR, -1):
        spiky = noise.copy()
        spiky[place] = peak
        y, note = without_clipping(spiky)
        if abs(peak) <= 1:
            assert y is spiky
            assert not note
        else:
            np.testing.assert_allclose(y, spiky * CEILING / abs(peak), rtol=1e-6)
            assert f"{abs(peak):.2f}" in note


def test_an_offset_is_subtracted_from_every_channel_and_a_small_one_left(rng):
    y = 0.1 * rng.standard_normal((2, SR))
    y -= y.mean(axis=1, keepdims=True)
    offset = np.array([[0.05], [-0.02]])
    np.testing.assert_allclose(without_offset(y + offset), y, atol=1e-7)
    np.testing.assert_array_equal(without_offset(y + 5e-4), y + 5e-4)
    part_of_a_wave = np.full(100, 0.1)
    np.testing.assert_array_equal(without_offset(part_of_a_wave), part_of_a_wave)


def test_mid_is_the_mean_until_it_cancels(rng):
    y = rng.normal(size=(2, 4000)).astype(np.float32)
    np.testing.assert_allclose(mid_signal(y), y.mean(axis=0), rtol=1e-6)
    opposed = np.stack([-0.9 * y[0], y[0]])
    np.testing.assert_array_equal(mid_signal(opposed), y[0])
    assert [mid_sound(Sound.of(x, 8000))[1] for x in (y, opposed, y[0])] == [False, True, False]


def balanced(y, content):
    return keep_balance(Sound.of(y, 8000), Sound.of(content, 8000)).waveform()


def test_balance_is_brought_back_to_within_1_db(rng):
    content = rng.normal(size=(2, 4000)) * [[1.0], [0.3]]
    kept = balanced(content * [[0.2], [2.0]], content)
    change = 20 * np.log10([rms(k) / rms(c) for k, c in zip(kept, content, strict=True)])
    assert abs(change[0] - change[1]) == pytest.approx(1.0, abs=1e-3)
    # a small change is the filter's own
    small = content * [[1.0], [1.05]]
    np.testing.assert_allclose(balanced(small, content), small, rtol=1e-6)
    content[1] = 0
    assert rms(balanced(0.1 * content, content)[1]) == 0


@pytest.mark.parametrize("in_memory", [1 << 20, 1000])
def test_what_was_stored_comes_back_in_any_order(rng, monkeypatch, in_memory):
    monkeypatch.setattr(samples, "_IN_MEMORY", in_memory)
    y = rng.normal(size=(3, 5000)).astype(np.float32)
    sound = Sound.stored((y[:, a : a + 777] for a in range(0, 5000, 777)), 8000)
    assert (sound.n_samples, sound.n_channels, sound.sr) == (5000, 3, 8000)
    for start, stop in ((4000, 4500), (0, 10), (4990, 6000), (0, 5000)):
        np.testing.assert_array_equal(sound.read(start, stop), y[:, start:stop])
    np.testing.assert_array_equal(sound.waveform(), y)


@pytest.mark.parametrize(("sr", "new"), [(44100, 22050), (22050, 48000), (44100, 16000), (8000, 8000)])
def test_resampled_in_blocks_is_resampled_whole(rng, monkeypatch, sr, new):
    monkeypatch.setattr(samples, "_STEP", 5000)
    y = rng.normal(size=(2, 23_456)).astype(np.float32)
    z = Sound.of(y, sr).at(new).waveform()
    assert z.shape == (2, round(23_456 * new / sr))
    whole = librosa.resample(y, orig_sr=sr, target_sr=new)
    n = min(z.shape[1], whole.shape[1])
    np.testing.assert_allclose(z[:, :n], whole[:, :n], atol=1e-4)
