"""Fixtures of the tests of experiments."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """Close what a test drew: pyplot keeps figures, and warns from the twenty-first on."""
    yield
    plt.close("all")
