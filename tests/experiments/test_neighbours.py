from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audiostyle.datasets.clips import PairAudio
from experiments import neighbours, truth
from experiments.front_ends import NEIGHBOURS, branches
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


def test_settings_of_the_neighbours_are_those_of_their_papers():
    """`README`'s sources: 4096 filters of 16 frames and SELU; 4096, 1024 and 256 filters of 5, 50 and 11 frames."""
    tomczak, barry_kim = NEIGHBOURS["tomczak"], NEIGHBOURS["barry_kim"]
    for way in (tomczak, barry_kim):
        assert (way.config.encoder, way.config.activation, way.samples, way.start) == (
            "random", "selu", True, "noise"
        )  # fmt: skip
    assert (tomczak.config.n_filters, tomczak.config.kernel_size, tomczak.rhythm) == (4096, 16, "content")
    found = branches(barry_kim.front_ends, barry_kim.config.kernel_size, barry_kim.config.n_filters)
    assert [(b.front_end, b.pooled, b.kernel_size, b.n_filters) for b in found] == [
        ("linear", False, 5, 4096),
        ("mel", False, 50, 1024),
        ("cqt", True, 11, 256),
    ]
    assert barry_kim.units == "gradients"


def test_every_setting_differs_from_the_plain_one_as_its_name_says():
    settings = neighbours.settings()
    assert len(set(settings.values())) == len(settings)
    for name, way in settings.items():
        if name.split()[0] in NEIGHBOURS:
            continue
        assert ("pooled" in way.front_ends) == ("pooled" in name)
        assert (way.front_ends.count("+") == 2) == ("three" in name)
        assert (way.rhythm == "content") == name.endswith("+ rhythm")
        assert (way.rhythm == "style") == name.endswith("of the style")
        assert (way.units == "gradients") == name.endswith("gradients")
        assert (way.start == "matched") == name.startswith(neighbours.THEN)


def test_only_random_filters_have_seeds(audio, monkeypatch):
    asked = []

    def make_sound(name, content, style, sr, method):
        asked.append((name, method and method.settings["way"].config.seed))
        return content

    monkeypatch.setattr(truth, "make_sound", make_sound)
    names = (COPY_CONTENT, "mel", "tomczak", "tomczak limit")
    list(neighbours.rows("choose", "a", audio, names))
    assert asked == [(COPY_CONTENT, None), ("mel", 0), ("tomczak", 0), ("tomczak", 1), ("tomczak limit", 0)]


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


def test_rows_are_averaged_over_seeds_then_pairs(audio):
    names = ("linear + rhythm", COPY_CONTENT)
    made = [pd.DataFrame(neighbours.rows("choose", p, audio, names, n_iter=2)) for p in "ab"]
    assert made[0]["lsd"].tolist() == made[1]["lsd"].tolist()
    again = made[0].assign(seed=1, lsd=made[0]["lsd"] + 2)
    means = neighbours.mean_table(pd.concat([*made, again]))
    assert means["method"].tolist() == [COPY_CONTENT, "linear + rhythm"]
    assert means["pairs"].tolist() == [2, 2]
    # pair a has two seeds, 0 and 2 apart: its mean is 1 above that of b
    assert means["lsd"][1] == pytest.approx(made[0]["lsd"][0] + 0.5)


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
