"""Sounds that lie somewhere: stored, read again in any order, resampled block by block."""

import librosa
import numpy as np
import pytest

from audiostyle.sound import samples
from audiostyle.sound.samples import Sound


@pytest.mark.parametrize("in_memory", [1 << 20, 1000])
def test_what_was_stored_comes_back_in_any_order(rng, monkeypatch, in_memory):
    monkeypatch.setattr(samples, "_IN_MEMORY", in_memory)
    y = rng.normal(size=(3, 5000)).astype(np.float32)
    sound = Sound.stored((y[:, a : a + 777] for a in range(0, 5000, 777)), 8000)
    assert (sound.n_samples, sound.n_channels, sound.sr) == (5000, 3, 8000)
    for start, stop in ((4000, 4500), (0, 10), (4990, 6000), (0, 5000)):
        np.testing.assert_array_equal(sound.read(start, stop), y[:, start:stop])
    np.testing.assert_array_equal(sound.waveform(), y)


def test_a_waveform_of_one_channel_has_no_axis_of_channels(rng):
    y = rng.normal(size=1000).astype(np.float32)
    assert Sound.of(y, 8000).read(0, 10).shape == (1, 10)
    np.testing.assert_array_equal(Sound.of(y, 8000).waveform(), y)


@pytest.mark.parametrize(("sr", "new"), [(44100, 22050), (22050, 48000), (44100, 16000), (8000, 8000)])
def test_resampled_in_blocks_is_resampled_whole(rng, monkeypatch, sr, new):
    monkeypatch.setattr(samples, "_STEP", 5000)
    y = rng.normal(size=(2, 23_456)).astype(np.float32)
    z = Sound.of(y, sr).at(new).waveform()
    assert z.shape == (2, round(23_456 * new / sr))
    whole = librosa.resample(y, orig_sr=sr, target_sr=new)
    n = min(z.shape[1], whole.shape[1])
    np.testing.assert_allclose(z[:, :n], whole[:, :n], atol=1e-4)
