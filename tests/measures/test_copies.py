import numpy as np
import pytest

from audiostyle.measures.copies import copied_from

SR = 22050


def noise(rng, seconds=2.0):
    return rng.normal(size=int(seconds * SR)).astype(np.float32) * 0.1


def test_copies_are_found_at_any_level_and_place(rng):
    source, own = noise(rng, 4), noise(rng, 4)
    assert copied_from(source, source, SR) == pytest.approx(1)
    # independent noise: a correlation of 22 050 samples has deviation 1/√22050 = .0067; the largest of 500 000
    # seldom exceeds five deviations
    assert copied_from(own, source, SR) < 0.04
    pasted = own.copy()
    pasted[SR : 3 * SR] = -0.25 * source[1000 : 1000 + 2 * SR]
    assert copied_from(pasted, source, SR) == pytest.approx(1)
    # half signal, half noise by power
    assert copied_from(source + own, source, SR) == pytest.approx(np.sqrt(0.5), abs=0.03)
