"""Fixtures shared by the tests. Every signal is made; no test needs a recording or the network."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import settings

from audiostyle.system import compile_librosa
from tests.signals import melody

# Each worker of the tests starts with this, and one waits for the other.
compile_librosa()
# One thread: the tests share the machine, and spinning threads cost a hundredfold.
torch.set_num_threads(1)
settings.register_profile("audiostyle", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("audiostyle")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def content():
    return melody([220, 247, 262, 294, 330, 294, 262, 247], harmonics=[1, 0.5, 0.25])


@pytest.fixture
def style():
    return melody([440, 392, 349, 330, 294, 262], harmonics=[0.2, 1, 0.1, 0.8, 0.1, 0.6])


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """Keep the tests away from the caller's presets and the repository's results; close what they drew."""
    for name in ("AUDIOSTYLE_PRESET", "AUDIOSTYLE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    results = tmp_path / "results"
    results.mkdir()
    monkeypatch.setenv("AUDIOSTYLE_RESULTS_DIR", str(results))
    yield
    plt.close("all")  # pyplot keeps figures, and warns from the twenty-first on
