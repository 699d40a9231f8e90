"""A sentence of a notebook stands only while its numbers bear it out."""

import pytest

from audiostyle.studies.observations import observed


def test_a_claim_that_does_not_hold_is_named():
    assert observed("It rises.", rises=2 > 1, ends=True) == "*What to look for.* It rises."
    with pytest.raises(AssertionError, match=r"the numbers refute falls in: It rises and falls\."):
        observed("It rises and falls.", rises=2 > 1, falls=2 < 1)
