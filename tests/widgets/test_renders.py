import json
from dataclasses import replace

import pytest

from audiostyle.config import TransferConfig
from audiostyle.measures import table
from audiostyle.sound.audio import set_level
from audiostyle.widgets.renders import add_numbers, render
from experiments.presets import GRAM

SR = 22050


def test_numbers_of_the_copies_are_the_ends_of_the_scale(content, style):
    config = TransferConfig(kernel_size=3)
    as_content = table.sound_numbers(set_level(content), content, style, config)
    assert as_content["style_share_limit"] == pytest.approx(1, rel=1e-4)
    assert as_content["chroma_similarity"] == pytest.approx(1, abs=1e-5)
    louder = table.sound_numbers(2 * set_level(content), content, style, config)
    assert abs(louder["style_share_limit"] - 1) > 0.01, "its own gain counts"
    of_soft_clips = table.sound_numbers(2 * set_level(content), 0.5 * content, 0.1 * style, config)
    assert of_soft_clips["style_share_limit"] == pytest.approx(louder["style_share_limit"], rel=1e-4)
    as_style = table.sound_numbers(set_level(style), content, style, config)
    assert as_style["style_share_limit"] == pytest.approx(0, abs=1e-5)
    assert as_style["mfcc_distance"] < 0.2 * as_content["mfcc_distance"]


def test_rendered_numbers_come_in_two_steps(content, style):
    rendered, result = render(content, style, SR, replace(GRAM, n_iter=2, kernel_size=3, phase="griffin_lim"))
    assert rendered.numbers["iterations"] == len(result.losses) - 1 == 2
    numbers = add_numbers(rendered, content, style).numbers
    assert json.dumps(numbers)
    # of the sound at the level of the computation, not at the content's, a tenth of that
    quiet, _ = render(0.1 * content, style, SR, rendered.config)
    assert add_numbers(quiet, 0.1 * content, style).numbers["style_share_limit"] == pytest.approx(
        numbers["style_share_limit"], rel=1e-3
    )
