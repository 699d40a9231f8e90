import math

import pytest

from audiostyle.measures.abx import AbxTest

# The blind test


@pytest.mark.parametrize(("n_right", "n"), [(10, 10), (9, 10), (5, 10), (0, 10), (3, 5)])
def test_p_value_is_the_upper_tail_of_the_binomial(n_right, n):
    test = AbxTest(n, seed=1)
    for i in range(n):
        test.answer(test.x if i < n_right else "AB"[test.x == "A"])
    assert test.n_right == n_right
    assert test.p_value == pytest.approx(sum(math.comb(n, k) for k in range(n_right, n + 1)) / 2**n)


def test_abx_refuses_what_would_spoil_it():
    test = AbxTest(2, seed=0)
    with pytest.raises(ValueError, match="2 of 2 trials are left"):
        _ = test.p_value
    with pytest.raises(ValueError, match="choice='x'"):
        test.answer("x")
    test.answer("A")
    test.answer("A")
    with pytest.raises(ValueError, match="all 2 trials"):
        test.answer("A")
    with pytest.raises(ValueError, match="n_trials=0"):
        AbxTest(0)


def test_abx_draws_both_sounds():
    drawn = [AbxTest(50, seed=s).x for s in range(40)]
    assert {"A", "B"} == set(drawn)
