"""Every measure must be able to fail: what each declares is asked of sounds whose answer is known.

On the bundled pairs, and on the six recorded ones where they are at hand.
"""

import librosa
import mir_eval
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


def old_pitch(y, reference, sr):
    """Share of voiced frames with the reference's pitch, by pYIN: a measure that once stood in the tables."""
    (f, voiced), (g, heard) = (
        librosa.pyin(x, fmin=65.4, fmax=1046.5, sr=sr, hop_length=1024, resolution=0.2)[:2]
        for x in (reference, y)
    )
    cents = [1200 * np.log2(np.nan_to_num(x, nan=1.0)) for x in (f, g)]
    return mir_eval.melody.raw_pitch_accuracy(voiced * 1.0, cents[0], heard * 1.0, cents[1] * heard)


def old_chroma(y, reference, sr):
    """Cosine of chromagrams over frames in which both sound: another."""
    a, b = (
        librosa.feature.chroma_stft(y=x, sr=sr, n_fft=4096, hop_length=1024, norm=None)
        for x in (y, reference)
    )
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    counted = norms > 1e-6 * norms.max()
    return float(((a * b).sum(axis=0)[counted] / norms[counted]).mean())


@pytest.mark.parametrize(("measure", "control"), [(old_pitch, "filter"), (old_chroma, "gap")])
def test_controls_refute_measures_that_stood_in_the_tables(measure, control):
    pair = next(pair for pair in pairs("bundled") if pair.pair == "symphonic-1")
    audio = load_pair(pair, duration=SECONDS)
    sounds = sounds_of(audio.content, audio.style, audio.style, audio.sr)
    values = pd.DataFrame([{name: measure(y, audio.content, audio.sr) for name, y in sounds.items()}])
    assert control in refuted(values, "higher", ["self", "filter", "chance", "gain", "gap"])
