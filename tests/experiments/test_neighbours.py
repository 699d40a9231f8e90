from dataclasses import replace

import pandas as pd
import pytest

from audiostyle.datasets.clips import PairAudio
from experiments import neighbours
from experiments.neighbours import COPY_CONTENT, COPY_STYLE
from experiments.presets import GRAM
from tests.signals import melody

SMALL = replace(GRAM, n_iter=5)


@pytest.fixture
def audio():
    tune, other = [220, 277, 330, 440] * 2, [330, 262, 392, 294] * 2
    dark, bright = [1, 0.3], [0.3, 1, 0.6, 0.9, 0.4]
    parts = (tune, dark), (other, bright), (tune, bright)
    return PairAudio(*(melody(notes, harmonics=harmonics) for notes, harmonics in parts), 22050)


def test_a_rhythm_that_is_held_is_kept(audio):
    audio = replace(audio, style=audio.style[5000:])  # its notes begin elsewhere
    made = pd.DataFrame(neighbours.rhythm_rows("a", audio, replace(SMALL, balance=0.8))).set_index("rhythm")
    assert made.index.tolist() == [COPY_CONTENT, COPY_STYLE, *neighbours.RHYTHMS]
    ends = made.loc[COPY_CONTENT, ["like_content", "onset_f", "style_share_limit"]]
    assert ends.tolist() == pytest.approx([1, 1, 1], abs=1e-4)
    assert made.at["content", "like_content"] > made.at["none", "like_content"]
    assert made.at["style", "like_style"] > made.at["none", "like_style"]


def test_numbers_of_the_copies_are_known(audio):
    level = neighbours.rhythm_numbers(0.3 * audio.content, audio)
    assert level == pytest.approx(neighbours.rhythm_numbers(audio.content, audio), abs=1e-4)
    style = neighbours.rhythm_numbers(audio.style, audio)
    assert [style["like_style"], style["style_share_limit"]] == pytest.approx([1, 0], abs=1e-4)


def test_representations_are_measured_against_the_target(audio):
    names = (COPY_CONTENT, "three, one pooled")
    made = pd.DataFrame(neighbours.representation_rows("a", audio, names, SMALL))
    known = pd.DataFrame(neighbours.representation_rows("a", replace(audio, target=audio.content), names[:1]))
    assert known["lsd"].item() == pytest.approx(0, abs=1e-5)
    assert made["method"].tolist() == list(names)
    assert made["style_share_limit"].iloc[1] < made["style_share_limit"].iloc[0]


def test_nearer_counts_from_the_content_and_the_figure_has_every_pair():
    rows = [(p, m, 10.0 - i) for p in ("a_b", "c_d") for i, m in enumerate(neighbours.NAMES)]
    table = pd.DataFrame(rows, columns=["pair", "method", "lsd"])
    assert neighbours.nearer(table).loc["a_b"].tolist() == list(range(1, len(neighbours.NAMES)))
    ax = neighbours.show_nearer(table).axes[0]
    assert [line.get_label() for line in ax.get_lines()][:2] == ["a → b", "c → d"]
