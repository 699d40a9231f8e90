import pytest

from audiostyle.config import TransferConfig
from audiostyle.files.presets import PRESETS, USES, get_use


def test_voices_are_told_from_instruments_without_a_setting():
    assert list(USES) == ["melody", "voice", "texture", "paper"]
    assert get_use("melody").config == get_use("voice").config == TransferConfig()
    assert get_use("texture").config.balance > TransferConfig().balance


def test_the_papers_settings_are_those_of_the_notebooks():
    assert get_use("paper").config == PRESETS["paper"].config


def test_unknown_use_is_named():
    with pytest.raises(ValueError, match="preset='rock' is not allowed; it must be one of melody, voice,"):
        get_use("rock")
