import numpy as np
import pytest

from audiostyle.baselines.cross_synthesis import cross_synthesis, spectral_envelope

SR = 22050


def test_cross_synthesis_with_itself_changes_nothing(content):
    y = cross_synthesis(content, content)
    assert np.max(np.abs(y - content)[:-2048]) < 1e-4


def test_cross_synthesis_takes_the_envelope(rng):
    content = rng.normal(size=4 * SR).astype(np.float32)
    spectrum = np.fft.rfft(rng.normal(size=2 * SR))
    hz = np.fft.rfftfreq(2 * SR, 1 / SR)
    style = np.fft.irfft(spectrum * np.exp(-hz / 2000)).astype(np.float32)
    made = np.abs(np.fft.rfft(cross_synthesis(content, style))) ** 2
    slope = np.diff(np.log([made[10_000:12_000].mean(), made[26_000:28_000].mean()]))[0] / (4000 / 4)
    # power falls by exp(−2 hz / 2000); bins are 1/4 Hz apart, so that 16 000 of them are 4000 Hz
    assert slope * 1000 / 4000 == pytest.approx(-2 / 2000, rel=0.15)


def test_spectral_envelope_is_smooth(rng):
    t = np.arange(257)
    slow = np.cos(2 * np.pi * t / 256)[:, None]
    fast = np.cos(2 * np.pi * 60 * t / 256)[:, None]
    assert np.allclose(spectral_envelope(slow + fast, 30), slow, atol=1e-9)


def test_cross_synthesis_keeps_the_loudness_of_every_moment(rng):
    t = np.arange(4 * SR) / SR
    content = (rng.normal(size=4 * SR) * (0.02 + 0.2 * np.sin(np.pi * t) ** 2)).astype(np.float32)
    style = np.cumsum(rng.normal(size=4 * SR)).astype(np.float32)
    made = cross_synthesis(content, style)
    parts = [[y[i : i + 4096].std() for i in range(4096, 3 * SR, 4096)] for y in (content, made)]
    before, after = 20 * np.log10(parts)
    assert np.ptp(before) > 10
    # frames overlap, and a filtered frame is not that of any signal: a decibel
    np.testing.assert_allclose(after, before, atol=1)
