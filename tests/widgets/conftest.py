import pytest
import soundfile

from audiostyle.files.one import transfer_files
from audiostyle.files.presets import get_preset
from audiostyle.widgets.lab import StyleLab
from audiostyle.widgets.pair_explorer import PairExplorer
from tests.signals import SR, WAIT


@pytest.fixture
def again(tmp_path):
    """A function that makes the samples of a recipe again."""

    def make(recipe):
        folder, output = tmp_path, tmp_path / "again.wav"
        return transfer_files(recipe.sources(folder), output, recipe.config, progress=False)[1].y

    return make


@pytest.fixture
def explorer():
    made = PairExplorer(get_preset("smoke"), "bundled")
    assert made.wait(WAIT)
    return made


@pytest.fixture
def lab(tmp_path, content, style):
    """The lab with two sounds of two seconds and a small kernel."""
    made = StyleLab(tmp_path / "saved")
    for name, y in (("content", content), ("style", style)):
        soundfile.write(tmp_path / f"{name}.wav", y, SR)
    made.select(
        content=str(tmp_path / "content.wav"), style=str(tmp_path / "style.wav"), n_iter=5, kernel_size=3
    )
    assert made.wait(WAIT)
    return made
