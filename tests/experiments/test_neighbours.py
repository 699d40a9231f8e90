from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audiostyle.datasets.clips import PairAudio
from experiments import neighbours
from experiments.front_ends import NEIGHBOURS
from experiments.neighbours import COPY_CONTENT, COPY_STYLE
from experiments.results import Results

SR = 22050


@pytest.fixture
def audio(make_melody):
    """Two tunes and two timbres; two seconds."""
    tune, other = [220, 277, 330, 440] * 2, [330, 262, 392, 294] * 2
    dark, bright = [1, 0.3], [0.3, 1, 0.6, 0.9, 0.4]
    content, style, target = (
        make_melody(notes, harmonics=h) for notes, h in ((tune, dark), (other, bright), (tune, bright))
    )
    return PairAudio(content, style, target, SR)


def test_every_setting_differs_from_the_plain_one_as_its_name_says():
    settings = neighbours.settings()
    assert [branch.n_filters for branch in settings["barry_kim"].front_ends] == [256, 64, 16]
    assert len(set(settings.values())) == len(settings)
    for name, way in settings.items():
        if name.split()[0] in NEIGHBOURS:
            continue
        assert any(branch.pooled for branch in way.front_ends) == ("pooled" in name)
        assert (len(way.front_ends) == 3) == ("three" in name)
        assert (way.rhythm == "content") == name.endswith("+ rhythm")
        assert (way.rhythm == "style") == name.endswith("of the style")
        assert (way.units == "gradients") == name.endswith("gradients")
        assert (way.start == "matched") == name.startswith(neighbours.THEN)


def test_numbers_of_the_copies_are_known(audio):
    content = neighbours.sound_numbers(0.3 * audio.content, audio)
    style = neighbours.sound_numbers(audio.style, audio)
    target = neighbours.sound_numbers(audio.target, audio)
    for name in ("style_share_limit", *neighbours.CONTENT_MEASURES):
        assert content[name] == pytest.approx(1, abs=1e-4), name
    ends = {"style_share_limit": 0, "style_distance": 0, "style_notes": 1, "style_rhythm": 1}
    for name, value in ends.items():
        assert style[name] == pytest.approx(value, abs=1e-4), name
    assert target["lsd"] == pytest.approx(0, abs=1e-5)
    assert content["lsd"] > 1
    unknown = neighbours.sound_numbers(audio.content, replace(audio, target=None))
    assert all(np.isnan(unknown[name]) for name in neighbours.TRUTH_MEASURES)


def test_rows_are_averaged_over_pairs(audio):
    names = ("linear + rhythm", COPY_CONTENT)
    made = pd.DataFrame(neighbours.rows("choose", "a", audio, names, n_iter=2))
    means = neighbours.mean_table(pd.concat([made, made.assign(pair="b", lsd=made["lsd"] + 2)]))
    assert means["method"].tolist() == [COPY_CONTENT, "linear + rhythm"]
    assert means["pairs"].tolist() == [2, 2]
    assert means["lsd"].tolist() == pytest.approx(made["lsd"].tolist()[::-1] + np.ones(2))


def test_rows_that_are_not_made_are_kept(audio, monkeypatch, capsys):
    monkeypatch.setattr(neighbours, "sounds", lambda which: [("a", audio)])
    neighbours.main(["--set", "choose", "--methods", COPY_CONTENT])
    neighbours.main(["--set", "confirm", "--methods", f"{COPY_CONTENT},{COPY_STYLE}"])
    table = Results("paper").load_table("neighbours")
    assert sorted(zip(table["set"], table["method"], strict=True)) == [
        ("choose", COPY_CONTENT),
        ("confirm", COPY_CONTENT),
        ("confirm", COPY_STYLE),
    ]
    assert "copy the style" in capsys.readouterr().out
