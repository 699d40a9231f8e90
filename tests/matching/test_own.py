"""The content's own rate and channels."""

import numpy as np
import pytest
import torch
from scipy import signal

from audiostyle import TransferConfig
from audiostyle.matching import Filter
from audiostyle.matching.filter import TOP_BIN
from audiostyle.matching.own import as_it_came, heard, regained, treble_taps
from audiostyle.sound.levels import loudness_difference, rms

SR = 48000


def shelf(y, gain_db, sr=SR):
    """Turn what lies above 11 kHz up."""
    taps = signal.firwin2(401, [0, 10000, 11000, sr / 2], [1, 1, *[10 ** (gain_db / 20)] * 2], fs=sr)
    return signal.oaconvolve(y, taps, mode="same").astype(np.float32)


def treble(y, sr=SR):
    """Power above 11.5 kHz in dB, of all channels together."""
    f, power = signal.welch(y, fs=sr, nperseg=2400)
    return 10 * np.log10(np.atleast_2d(power)[:, f > 11500].sum())


@pytest.fixture
def noise(rng):
    return (0.05 * rng.normal(size=(2, SR))).astype(np.float32)


def change(content, style, balance=0.5, gain=0.0):
    found = Filter(torch.full((1025, 44), float(gain)))
    return as_it_came(content, SR, TransferConfig(balance=balance), style=style, found=found, changed=None)


@pytest.mark.parametrize("gain_db", [-20, 12])
def test_treble_has_the_styles_level_at_equal_loudness(noise, gain_db):
    style = shelf(noise[0], gain_db)
    y = change(noise, style)
    wanted = treble(style) + loudness_difference(y, style, SR)
    assert treble(y) == pytest.approx(wanted, abs=1.0)
    assert y.shape == noise.shape


def test_treble_goes_with_the_balance(noise):
    style = shelf(noise[0], -20)
    levels = [treble(change(noise, style, b)) for b in (0.0, 0.25, 0.5)]
    assert levels[0] > levels[1] > levels[2]
    kept = change(noise, style, 0.0)
    np.testing.assert_allclose(kept / rms(kept), noise / rms(noise), atol=1e-4)


def test_where_the_style_has_no_treble_the_contents_is_not_raised(noise):
    style = signal.sosfilt(signal.butter(12, 9000, fs=SR, output="sos"), noise[0])
    style = signal.sosfiltfilt(signal.butter(12, 9000, fs=SR, output="sos"), style).astype(np.float32)
    raised = Filter(torch.zeros(1025, 44))
    raised.log_gain[TOP_BIN - 40 :] = 2.0
    y = as_it_came(noise, SR, TransferConfig(), style=style, found=raised, changed=None)
    assert treble(y) - treble(noise) <= loudness_difference(y, noise, SR) + 0.5


def test_treble_that_the_top_band_raised_from_little_comes_down_again(noise):
    raised = Filter(torch.zeros(1025, 44))
    raised.log_gain[TOP_BIN - 40 :] = 45 / 20 * np.log(10)
    low = signal.sosfiltfilt(signal.butter(12, 6000, fs=SR, output="sos"), noise)
    dark = (low + 10 ** (-70 / 20) * noise).astype(np.float32)
    y = as_it_came(dark, SR, TransferConfig(), style=dark[0], found=raised, changed=None)
    assert treble(y) - loudness_difference(y, dark, SR) == pytest.approx(treble(dark), abs=1.5)


def test_no_rate_below_24_khz_has_treble(noise):
    of_noise = heard(noise, 22050, against=noise)
    assert treble_taps(of_noise, of_noise, of_noise, 22050, 1.0) is None


def test_gain_of_the_top_band_is_held_above_it():
    tone = np.sin(2 * np.pi * 15000 * np.arange(SR) / SR).astype(np.float32)
    gain = torch.zeros(1025, 44)
    gain[TOP_BIN - 1 :] = -1.0
    gain[TOP_BIN + 5 :] = 5.0  # of no band
    y = Filter(gain).apply(tone, SR)
    assert np.abs(y[SR // 4 : -SR // 4]).max() == pytest.approx(np.exp(-1), rel=1e-2)


def test_parts_join_without_a_seam(noise, monkeypatch):
    gain = Filter(torch.randn(1025, 44, generator=torch.Generator().manual_seed(0)))
    whole = gain.apply(noise, SR)
    monkeypatch.setattr("audiostyle.matching.filter._PART", 9000)
    # float32 rounds sums of 4458 numbers
    np.testing.assert_allclose(gain.apply(noise, SR), whole, atol=1e-5 * np.abs(whole).max())
    later = Filter(gain.log_gain[:, 10:], first=10)
    part = later.part(lambda a, b: noise[0, a:b], 26 * 1114, 40 * 1114, SR, SR)
    np.testing.assert_allclose(part, whole[0, 26 * 1114 : 40 * 1114], atol=1e-5 * np.abs(whole).max())


def test_what_an_optimisation_changed_reaches_every_channel(noise):
    """A filter, found on the mid signal at another rate, as its gain on both channels; its phase as well."""
    low = signal.sosfiltfilt(signal.butter(4, 3000, fs=SR, output="sos"), noise)
    before = signal.resample_poly(low.mean(axis=0), 147, 320).astype(np.float32)
    y = regained(low.astype(np.float32), SR, before=before, after=np.roll(-0.3 * before, 5), found_at=22050)
    wanted = np.roll(-low, round(5 * SR / 22050), axis=1)  # at the level of before
    inner = np.s_[:, 4800:-4800]
    assert rms(y[inner] - wanted[inner]) < 0.15 * rms(wanted[inner])


def test_gain_of_an_optimisation_is_bounded(noise):
    quiet = noise.copy()
    quiet[:, SR // 2 :] *= 1e-3
    before = signal.resample_poly(quiet.mean(axis=0), 147, 320).astype(np.float32)
    after = signal.resample_poly(noise.mean(axis=0), 147, 320).astype(np.float32)
    y = regained(quiet, SR, before=before, after=after, found_at=22050)
    inner = np.s_[:, SR // 2 + 4800 : -4800]
    assert rms(y[inner]) < 10.5 * rms(quiet[inner])
