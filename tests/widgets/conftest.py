"""Fixtures shared by the tests of the widgets."""

import io
from functools import partial

import pytest
import soundfile

from audiostyle.files.presets import get_preset
from audiostyle.phase.griffin_lim import griffin_lim
from audiostyle.widgets.lab import StyleLab
from audiostyle.widgets.pair_explorer import PairExplorer

SR = 22050
WAIT = 120
SMOKE = get_preset("smoke")


def _samples(player, name):
    """What a slot would play."""
    return soundfile.read(io.BytesIO(player.slot(name)["audio"]), dtype="float32")[0]


@pytest.fixture
def samples():
    return _samples


# The pair explorer


@pytest.fixture(scope="module")
def no_phase():
    """Spare the time that the phase takes; the sound is poor and the magnitudes are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audiostyle.transfer.griffin_lim", partial(griffin_lim, n_iter=2))
        yield


@pytest.fixture
def explorer(no_phase):
    made = PairExplorer(SMOKE, "bundled")
    assert made.wait(WAIT)
    return made


# The style lab


@pytest.fixture
def lab(tmp_path, content, style):
    made = StyleLab(tmp_path / "saved")
    for name, y in (("content", content), ("style", style)):
        soundfile.write(tmp_path / f"{name}.wav", y, SR)
    made.select(
        content=str(tmp_path / "content.wav"), style=str(tmp_path / "style.wav"), n_iter=5, phase="griffin_lim",
        kernel_size=3,
    )  # fmt: skip
    assert made.wait(WAIT)
    return made
