"""Front ends as they are written in a configuration."""

import re

import pytest

from audiostyle import TransferConfig
from audiostyle.neighbours.names import Branch, branches


def test_numbers_not_given_are_those_of_the_configuration():
    found = branches("linear:k5+mel:k50:n1024+pooled_cqt:w0.5:k7", 11, 256)
    assert found == (
        Branch("linear", False, 5, 256),
        Branch("mel", False, 50, 1024),
        Branch("cqt", True, 7, 256, 0.5),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names joined by"),
        ("linear+", "names joined by"),
        ("gammatone", "linear, mel, cqt"),
        ("pooled_", "names joined by"),
        ("mel:x3", "names joined by"),
        ("mel:k1.5", "no whole one"),
        ("mel:w1.2.3", "no number"),
        ("mel:k", "names joined by"),
        ("mel:k0", "above 0"),
        ("mel:w0", "above 0"),
    ],
)
def test_what_is_none_is_refused_by_name(text, said):
    with pytest.raises(ValueError, match=f"front_ends={re.escape(repr(text))}.*{said}"):
        TransferConfig(front_ends=text)


def test_shortest_clip_is_that_of_the_longest_patch():
    config = TransferConfig(front_ends="linear:k5+mel:k50", sr=1024, n_fft=2048, hop_length=1024)
    assert (config.patch_frames, config.min_duration) == (50, 49)


@pytest.mark.parametrize(
    "changed", [{"front_ends": "mel"}, {"rhythm": "content"}, {"units": "gradients"}, {"match": 0.5}]
)
def test_what_only_an_optimisation_knows_is_optimised(changed):
    assert TransferConfig(**changed).start == "content"


def test_weights_of_the_rhythm_are_checked():
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="rhythm_weight="):
            TransferConfig(rhythm_weight=weight)
