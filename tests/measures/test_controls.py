"""Every measure must be able to fail: what each declares is asked of sounds whose answer is known.

On the bundled pairs, and on the six recorded ones where they are at hand.
"""

import numpy as np
import pandas as pd
import pytest
from librosa.util import fix_length

from audiostyle.baselines.equaliser import equaliser
from audiostyle.datasets.clips import current_edition, load_pair, pairs
from audiostyle.measures.table import MEASURES, evaluate_sound
from audiostyle.sound.levels import set_level

SECONDS = 6.0
EDITIONS = ("bundled", "recorded") if current_edition() == "recorded" else ("bundled",)


def sounds_of(content, style, other, sr):
    """Sounds whose answer is known, at one level but for the one that is 6 dB louder."""
    gap, middle = content.copy(), len(content) // 2
    gap[middle - sr // 4 : middle + sr // 4] = 0
    level = {
        "content": content,
        "style": fix_length(style, size=len(content)),
        "filter": equaliser(content, style),
        "gap": gap,
        "unrelated": fix_length(other, size=len(content)),
    }
    level = {name: set_level(y) for name, y in level.items()}
    return level | {"louder": 2 * level["filter"]}


@pytest.fixture(scope="module", params=EDITIONS)
def measured(request):
    """Numbers of all measures, indexed by pair and sound; the target is the content itself."""
    audio = {pair.pair: load_pair(pair, duration=SECONDS) for pair in pairs(request.param)}
    names, rows = list(audio), []
    for name, own in audio.items():
        # The next pair but one shares no clip with this one.
        other = audio[names[(names.index(name) + 2) % len(names)]].content
        for sound, y in sounds_of(own.content, own.style, other, own.sr).items():
            numbers = evaluate_sound(y, own.content, own.style, target=own.content)
            rows.append({"pair": name, "sound": sound, **numbers})
    return pd.DataFrame(rows).set_index(["pair", "sound"])


def refuted(values, better, controls):
    """Names of the controls that a measure fails; `values` [index: pair, columns: sound]."""
    sign = -1 if better == "lower" else 1
    others = [name for name in values if name not in ("content", "style")]
    failed = {
        "self": (sign * values["content"] < (sign * values[[*others, "style"]]).max(axis=1) - 1e-6).any(),
        "filter": (values["filter"] < 0.95).any(),
        "chance": values["style"].mean() > values["unrelated"].mean() + 0.05,
        "style": (sign * values["style"] < (sign * values[[*others, "content"]]).max(axis=1)).any(),
        "gain": not np.allclose(values["louder"], values["filter"], rtol=1e-3, atol=1e-4),
        "gap": (abs(values["gap"] - values["content"]) < 0.01).any(),
    }
    return {name for name in controls if failed[name]}


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_measures_pass_the_controls_that_they_declare(measured, measure):
    values = measured[measure.name].unstack("sound")
    assert not refuted(values, measure.better, measure.controls), values.round(3)


def test_what_keeps_content_and_timbre_declares_all_that_is_asked_of_it():
    asked = {measure.name: set(measure.controls) for measure in MEASURES}
    for name in ("chroma_similarity", "onset_f"):
        assert asked[name] == {"self", "filter", "chance", "gain", "gap"}
    assert asked["style_distance"] == {"style", "gain"}
    assert all(asked.values())


# What a good measure of the content gives, and one value that makes it fail one control.
GOOD = {"content": 1.0, "style": 0.3, "filter": 0.98, "gap": 0.9, "unrelated": 0.3, "louder": 0.98}
FAULTS = {
    "filter": {"filter": 0.94, "louder": 0.94}, "chance": {"style": 0.4}, "gain": {"louder": 0.97},
    "gap": {"gap": 0.995}, "self": {"unrelated": 1.1},
}  # fmt: skip


@pytest.mark.parametrize("control", FAULTS)
def test_every_control_can_fail(control):
    assert not refuted(pd.DataFrame([GOOD]), "higher", FAULTS)
    assert refuted(pd.DataFrame([GOOD | FAULTS[control]]), "higher", FAULTS) == {control}
    assert refuted(pd.DataFrame([GOOD]), "higher", ["style"]) == {"style"}
