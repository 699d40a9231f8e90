import pytest

from audiostyle.config import TransferConfig
from audiostyle.files.presets import PRESETS, USES, get_use


def test_uses_are_settings_of_their_own():
    assert list(USES) == ["melody", "voice", "texture", "paper"]
    assert len({use.config for use in USES.values()}) == len({use.label for use in USES.values()}) == 4
    assert (get_use("melody").config.kind, get_use("voice").config.kind) == ("instrument", "voice")
    assert get_use("texture").config.balance > TransferConfig().balance


def test_the_papers_settings_are_those_of_the_notebooks():
    assert get_use("paper").config == PRESETS["paper"].config


def test_unknown_use_is_named():
    with pytest.raises(ValueError, match="preset='rock' is not allowed; it must be one of melody, voice,"):
        get_use("rock")
