import numpy as np
import pytest

from audiostyle.sound.channels import CANCELLED, keep_balance, mid_signal
from audiostyle.sound.levels import rms


def test_mid_is_the_mean_until_it_cancels(rng):
    y = rng.normal(size=(2, 4000)).astype(np.float32)
    np.testing.assert_allclose(mid_signal(y).y, y.mean(axis=0), rtol=1e-6)
    assert mid_signal(y).note == ""
    opposed = np.stack([y[0], -0.9 * y[0]])
    np.testing.assert_array_equal(mid_signal(opposed).y, y[0])
    assert mid_signal(opposed).note == CANCELLED
    np.testing.assert_array_equal(mid_signal(y[0]).y, y[0])


def test_balance_is_brought_back_to_within_1_db(rng):
    content = rng.normal(size=(2, 4000)) * [[1.0], [0.3]]
    kept = keep_balance(content * [[0.2], [2.0]], content)
    change = 20 * np.log10([rms(k) / rms(c) for k, c in zip(kept, content, strict=True)])
    assert abs(change[0] - change[1]) == pytest.approx(1.0, abs=1e-3)
    # a small change is the filter's own
    np.testing.assert_array_equal(keep_balance(content * [[1.0], [1.05]], content), content * [[1.0], [1.05]])


def test_silent_channel_stays_silent(rng):
    content = np.stack([rng.normal(size=4000), np.zeros(4000)])
    assert rms(keep_balance(0.1 * content, content)[1]) == 0
