import pytest

from audiostyle.config import TransferConfig
from audiostyle.files.presets import PRESETS, USES, get_use


def test_every_use_has_a_label_and_the_papers_is_that_of_the_notebooks():
    assert list(USES) == ["melody", "voice", "texture", "paper"]
    assert len({use.label for use in USES.values()}) == 4
    assert get_use("melody").config == get_use("voice").config == TransferConfig()
    assert get_use("texture").config.balance > TransferConfig().balance
    assert get_use("paper").config == PRESETS["paper"].config
    with pytest.raises(ValueError, match="preset='rock' is not allowed; it must be one of melody, voice,"):
        get_use("rock")
