import numpy as np
import pytest

from audiostyle.sound.channels import keep_balance, mid_signal, mid_sound
from audiostyle.sound.levels import rms
from audiostyle.sound.samples import Sound


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


def test_silent_channel_stays_silent(rng):
    content = np.stack([rng.normal(size=4000), np.zeros(4000)])
    assert rms(balanced(0.1 * content, content)[1]) == 0
