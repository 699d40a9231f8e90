import base64
import io
import re
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile

from audiostyle.datasets.clips import pairs
from audiostyle.figures.labels import place_labels
from audiostyle.figures.players import player_row
from audiostyle.figures.spectrograms import show_closely, show_spectrograms, show_triptych
from audiostyle.sound.levels import rms
from experiments import drawings
from notebooks.run import link_to_site
from tests.signals import SR


def test_spectrograms_side_by_side_share_the_loudest_as_0_db():
    S = np.full((1025, 4), 0.01)
    S[100, 2] = 1.0
    figure = show_spectrograms({"loud": S, "soft": 0.1 * S}, max_hz=5000)
    for ax, peak in zip(figure.axes, (0, -20), strict=False):
        (mesh,) = ax.collections
        shown = mesh.get_array()
        assert shown.max() == pytest.approx(peak)
        row, column = np.unravel_index(shown.argmax(), shown.shape)
        assert (row, column) == (100, 2)
        # cells are centred on their bin, in kHz, and on their frame, in seconds
        corners = mesh.get_coordinates()[row : row + 2, column : column + 2].reshape(-1, 2)
        assert corners.mean(axis=0).tolist() == pytest.approx([2 * 1024 / SR, 100 * SR / 2048 / 1000])
        assert mesh.get_clim() == (-80, 0)
        assert ax.get_ylim()[1] < 5.1


def test_shares_have_their_rows_from_the_top_and_their_intervals():
    rows = (
        ("plain", "paper", 0.8, 0.75, 0.85),
        ("plain", "best", 0.9, 0.85, 0.95),
        ("room", "best", 0.7, 0.6, 0.75),
    )
    table = pd.DataFrame(rows, columns=["channel", "method", "accuracy", "ci_low", "ci_high"])
    ax = drawings.show_shares(table, ax=plt.figure().subplots(), rows="channel", series="method", title="t")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["plain", "room"]
    assert ax.yaxis_inverted()
    best = ax.containers[1]
    assert best[0].get_xdata().tolist() == [0.9, 0.7]
    assert best[2][0].get_segments()[1][:, 0] == pytest.approx([0.6, 0.75])


def test_chance_is_one_over_the_number_of_speakers():
    same = {"method": "paper", "accuracy": 0.9, "ci_low": 0.8, "ci_high": 0.95}
    table = pd.DataFrame({"value": [2, 4], "n_speakers": [2, 4]} | same)
    ax = drawings.show_curves(table, ax=plt.figure().subplots(), xlabel="speakers", title="t")
    (chance,) = (line for line in ax.get_lines() if line.get_label() == "chance")
    assert chance.get_xydata().tolist() == [[2, 0.5], [4, 0.25]]
    (bars,) = ax.containers
    assert bars[2][0].get_segments()[0] == pytest.approx(np.array([[2, 0.8], [2, 0.95]]))


def test_players_in_a_row_are_equally_loud_and_none_clips(content, style):
    peaky = 0.02 * content
    peaky[10_000:10_200] += 0.5 * np.hanning(200)
    page = player_row({"content": 0.05 * content, "style": style, "peaky": peaky}, SR).data
    found = re.findall(r"data:audio/mpeg;base64,([^\"]+)", page)
    sounds = [soundfile.read(io.BytesIO(base64.b64decode(code)))[0] for code in found]
    assert len(sounds) == 3
    levels = [rms(y) for y in sounds]
    assert levels == pytest.approx([levels[0]] * 3, rel=0.1)  # MP3 loses a little of each
    assert max(np.max(np.abs(y)) for y in sounds) < 1.0


def test_players_of_a_pair_lead_to_its_place_on_the_site(content):
    for pair in pairs():
        page = player_row({"content": content}, SR, heading=f"{pair.title} · {pair.edition} clips").data
        place = pair.pair if pair.edition == "bundled" else f"{pair.pair}-recorded"
        assert f'#{place}"' in link_to_site(page)
        assert "audio" not in link_to_site(page)
    assert '#main"' in link_to_site(player_row({"content": content}, SR, heading="my own").data)


def test_a_logarithmic_axis_begins_at_its_lower_end_and_names_octaves():
    S = np.full((1025, 4), 0.01)
    figure = show_spectrograms({"a": S, "b": S, "c": S}, min_hz=60.0, max_hz=9000.0, columns=2)
    ax, *_, last = figure.axes[:4]
    assert [panel.get_title() for panel in figure.axes[:4]] == ["a", "b", "c", ""]
    assert not last.axison
    assert ax.get_yscale() == "log"
    low, high = ax.get_ylim()
    assert low == pytest.approx(0.06, abs=SR / 2048 / 1000)
    assert high == pytest.approx(9.0, abs=SR / 2048 / 1000)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "0.0625", "0.125", "0.25", "0.5", "1", "2", "4", "8"
    ]  # fmt: skip


def test_three_sounds_stand_in_a_row_with_arrows_where_they_are_wanted(content, style):
    marks = [("b", 0.5, 1.0, 0.8, 4.0, "here")]
    figure = show_triptych({"a": content, "b": style, "c": content}, marks=marks)
    panels = figure.axes[:3]
    assert [ax.get_subplotspec().rowspan.start for ax in panels] == [0, 0, 0]
    assert panels[0].get_yscale() == "log"
    (arrow,) = panels[1].texts
    assert (arrow.xy, arrow.get_text()) == ((0.5, 1.0), "here")
    figure.draw_without_rendering()  # lays the panels out
    assert panels[0].get_window_extent().width >= 450


def test_a_closer_look_is_at_its_own_time_and_a_difference_has_the_sign_of_what_was_added(content):
    t = np.arange(len(content)) / SR
    added = content + 0.3 * np.sin(2 * np.pi * 5000 * t).astype(np.float32)
    for result, check in ((added, lambda row: row.min() > 20), (content, lambda row: not np.any(row))):
        figure = show_closely(content, content[::-1].copy(), result, begins=(0.5, 0.25), seconds=1.0)
        first, style, _, change = figure.axes[:4]
        assert first.get_title() == "content"
        assert [ax.get_xlim()[0] for ax in (first, style)] == pytest.approx([0.5, 0.25], abs=0.02)
        mesh = change.collections[0]
        row = np.searchsorted(mesh.get_coordinates()[:, 0, 1], 5.0) - 1
        assert check(np.asarray(mesh.get_array())[row])
        assert mesh.get_clim() == (-30, 30)
        assert mesh.cmap(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.05), "nothing changed is white"


BOUNDS = (0.0, 0.0, 300.0, 200.0)


@pytest.mark.parametrize("spread", [0.0, 3.0, 100.0])
def test_labels_are_apart_and_inside(rng, spread):
    anchors = np.array([290.0, 190.0]) - spread * rng.random((12, 2))
    sizes = np.stack([rng.uniform(10, 50, 12), np.full(12, 14.0)], axis=1)
    taken = np.array([270.0, 180.0, 40.0, 20.0])
    centres = place_labels(anchors, sizes, bounds=BOUNDS, taken=[taken])
    for (a, of_a), (b, of_b) in combinations([*zip(centres, sizes, strict=True), (taken[:2], taken[2:])], 2):
        assert (np.abs(a - b) >= (of_a + of_b) / 2 - 1e-6).any()
    assert (centres - sizes / 2 >= -1e-6).all()
    assert (centres + sizes / 2 <= np.array(BOUNDS[2:]) + 1e-6).all()
