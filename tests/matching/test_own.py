import numpy as np
import pytest
import torch
from scipy import signal

from audiostyle.matching import Gain, filtered
from audiostyle.matching.gain import TOP_BIN, frame_sizes
from audiostyle.matching.own import regained, with_treble_of
from audiostyle.sound.levels import rms
from audiostyle.sound.samples import Sound
from tests.signals import tone

SR = 48000


def shelf(y, gain_db, sr=SR):
    """Turn what lies above 11 kHz up."""
    taps = signal.firwin2(401, [0, 10000, 11000, sr / 2], [1, 1, *[10 ** (gain_db / 20)] * 2], fs=sr)
    return signal.oaconvolve(y, taps, mode="same").astype(np.float32)


def treble(y, sr=SR):
    """Power above 11.5 kHz over that below 10.3 kHz in dB, of all channels together."""
    f, power = signal.welch(y, fs=sr, nperseg=2400)
    above, below = (np.atleast_2d(power)[:, chosen].sum() for chosen in (f > 11500, f < 10300))
    return 10 * np.log10(above / below)


@pytest.fixture
def noise(rng):
    return (0.05 * rng.normal(size=(2, SR))).astype(np.float32)


def change(content, style, strength=1.0, gain=None, sr=SR):
    gain = Gain(torch.zeros(1025, 44)) if gain is None else gain
    sound = Sound.stored(filtered([gain], Sound.of(content, sr), strength=strength), sr)
    made = with_treble_of(Sound.of(style, sr), sound, Sound.of(content, sr), strength=strength)
    np.testing.assert_allclose(np.hstack(list(made.blocks(5000))), np.atleast_2d(made.waveform()), atol=1e-3)
    return made.waveform()


@pytest.mark.parametrize("gain_db", [-20, 12])
def test_treble_goes_to_the_styles_level_with_the_balance(noise, gain_db):
    style = shelf(noise[0], gain_db)
    made = [change(noise, style, balance) for balance in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(made[0], noise, atol=1e-5)
    levels = [treble(y) for y in made]
    assert (np.diff(levels) * gain_db > 0).all()
    assert levels[2] == pytest.approx(treble(style), abs=1.0)
    assert (made[2].shape, change(noise[:, :999], style[:999]).shape) == (noise.shape, (2, 999))


def raised(nepers):
    """A gain of the uppermost bands alone."""
    return Gain(nepers * (torch.arange(1025)[:, None] >= TOP_BIN - 40).float().expand(-1, 44))


def test_where_the_style_has_no_treble_the_contents_is_not_raised(noise):
    style = signal.sosfiltfilt(signal.butter(18, 9000, fs=SR, output="sos"), noise[0]).astype(np.float32)
    y = change(noise, style, gain=raised(2.0))
    assert treble(y) <= treble(noise) + 0.5


def test_treble_that_the_top_band_raised_from_little_comes_down_again(noise):
    low = signal.sosfiltfilt(signal.butter(12, 6000, fs=SR, output="sos"), noise)
    dark = (low + 10 ** (-70 / 20) * noise).astype(np.float32)
    y = change(dark, dark[0], gain=raised(45 / 20 * np.log(10)))
    assert treble(y) == pytest.approx(treble(dark), abs=1.5)


def test_no_rate_below_24_khz_has_treble(noise):
    np.testing.assert_allclose(change(noise, shelf(noise[0], 12), sr=22050), noise, atol=1e-5)


def test_gain_of_the_top_band_is_held_above_it():
    gain = torch.zeros(1025, 44)
    gain[TOP_BIN - 1 :] = -1.0
    gain[TOP_BIN + 5 :] = 5.0  # of no band
    y = Gain(gain).apply(tone(15000, level=1, sr=SR), SR)
    assert np.abs(y[SR // 4 : -SR // 4]).max() == pytest.approx(np.exp(-1), rel=1e-2)


def test_what_an_optimisation_changed_reaches_every_channel(noise):
    """A filter, found on the mid signal at another rate, as its gain on both channels; its phase as well."""
    low = signal.sosfiltfilt(signal.butter(4, 3000, fs=SR, output="sos"), noise)
    before = signal.resample_poly(low.mean(axis=0), 147, 320).astype(np.float32)
    sound = Sound.of(low.astype(np.float32), SR)
    y = regained(sound, before=before, after=np.roll(-0.3 * before, 5), found_at=22050).waveform()
    wanted = np.roll(-low, round(5 * SR / 22050), axis=1)  # at the level of before
    inner = np.s_[:, 4800:-4800]
    assert rms(y[inner] - wanted[inner]) < 0.15 * rms(wanted[inner])


def test_gain_of_an_optimisation_is_bounded(noise):
    quiet = noise.copy()
    quiet[:, SR // 2 :] *= 1e-3
    before = signal.resample_poly(quiet.mean(axis=0), 147, 320).astype(np.float32)
    after = signal.resample_poly(noise.mean(axis=0), 147, 320).astype(np.float32)
    y = regained(Sound.of(quiet, SR), before=before, after=after, found_at=22050).waveform()
    inner = np.s_[:, SR // 2 + 4800 : -4800]
    assert rms(y[inner]) < 10.5 * rms(quiet[inner])


def test_gains_hold_beyond_their_ends_and_windows_last_as_long_at_every_rate():
    held = Gain(torch.arange(3.0).repeat(1025, 1)).at(torch.tensor([-1.0, 0.0, 9.0]), 1025, 22050)
    assert held[0].tolist() == [0, 0, 2]
    assert [frame_sizes(sr) for sr in (22050, 44100, 48000)] == [(2048, 512), (4096, 1024), (4458, 1114)]
