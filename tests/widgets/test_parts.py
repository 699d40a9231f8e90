import io
import threading

import ipywidgets
import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from audiostyle.datasets import paths
from audiostyle.sound.levels import rms
from audiostyle.widgets.abx import AbxPanel
from audiostyle.widgets.jobs import Latest
from audiostyle.widgets.parts import STATIC, Slider, Status, dropdown, put, whole_number
from audiostyle.widgets.player import SyncPlayer
from tests.signals import SR, WAIT, samples


def started(jobs, work):
    """Submit a task that waits for the release that is returned before it does its work."""
    entered, release = threading.Event(), threading.Event()

    def task(ticket):
        entered.set()
        release.wait(WAIT)
        work(ticket)

    jobs.submit(task)
    assert entered.wait(WAIT)
    return release


def fail(_ticket):
    raise ValueError("broken")


def test_latest_task_wins_and_older_ones_are_told():
    done = []
    jobs = Latest(done.append)

    def tell(ticket, wait):  # what sleeps until it is asked to end is told as well
        done.append((ticket.ended.wait(wait), ticket.stopped, ticket.superseded))

    release = started(jobs, lambda ticket: tell(ticket, WAIT))
    jobs.submit(lambda _: done.append("never"))
    jobs.submit(lambda ticket: tell(ticket, 0))
    release.set()
    assert jobs.wait(WAIT / 2)
    assert done == [(True, False, True), (False, False, False)]


def test_stop_is_not_superseding_and_errors_are_reported_unless_superseded():
    errors = []
    jobs = Latest(errors.append)
    release = started(jobs, lambda ticket: fail(ticket) if ticket.stopped and not ticket.superseded else None)
    assert jobs.stop()
    release.set()
    assert jobs.wait(WAIT)
    assert [str(error) for error in errors] == ["broken"]
    assert not jobs.stop()
    release = started(jobs, fail)
    jobs.submit(lambda _: None)
    release.set()
    assert jobs.wait(WAIT)
    assert len(errors) == 1


def controls(widget):
    """All controls of a view, with those in its boxes."""
    for child in getattr(widget, "children", ()):
        yield from controls(child)
    if {"tooltip", "description"} <= set(dir(widget)) and not isinstance(widget, ipywidgets.HTML):
        yield widget


def test_every_control_has_a_label_and_a_tooltip(lab, explorer):
    found = [widget for view in (lab.view, explorer.view) for widget in controls(view)]
    assert len(found) > 20
    for widget in found:
        assert widget.description.strip(), widget
        assert len(widget.tooltip) > 10, widget


def test_values_are_those_that_a_control_offers():
    made = {
        "a": dropdown("A", "The first of two", [("X", "x"), ("Y", "y")]),
        "b": Slider(),
        "n": whole_number("N", "Up to nine", 5, 1, 9),
    }
    put(made, {"a": "y", "b": 1.0, "n": 9})
    for wrong in ({"a": "z"}, {"b": 1.1}, {"n": 10}, {"n": 0}, {"c": 1}):
        ((name, value),) = wrong.items()
        with pytest.raises(ValueError, match=rf"{name}={value!r} is not allowed|no control 'c'"):
            put(made, wrong)
    assert [control.value for control in made.values()] == ["y", 1.0, 9]


def test_errors_are_one_sentence():
    status = Status()
    for text, words in {"No sound.": "no\nsound.", "OSError.": "", "a.wav is none.": "a.wav is none"}.items():
        status.fail(OSError(words))
        assert (status.text, status.kind) == (text, "error")


def test_page_asks_no_other_machine_for_anything():
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    assert len(files) >= 8
    assert STATIC.is_relative_to(paths.root())
    for path in files:  # the name of SVG is no request
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        # of the template, the address that is taken out
        assert text.count("http") == (path.name == "index.html.j2"), path.name


def test_player_shows_and_plays_what_it_is_given(content, style):
    player = SyncPlayer("Test", {"a": "A", "b": "B"})
    player.show("a", content, SR, note="first")
    slot = player["a"]
    heard = samples(player, "a")
    np.testing.assert_allclose(heard / np.abs(heard).max(), content / np.abs(content).max(), atol=2e-4)
    assert slot["rms"] == pytest.approx(rms(heard), rel=1e-3)
    assert slot["duration"] == pytest.approx(len(content) / SR)
    assert player["b"] == {}
    before = slot["image"]
    player.show("a", style, SR)
    assert player["a"]["image"] != before
    for name, stale, expected in (("b", True, [1]), ("b", True, [1]), ("a", False, [1]), ("b", False, [])):
        player.mark(name, stale=stale)
        assert player.stale == expected


def test_difference_picture_has_the_colour_of_the_louder_sound(content):
    """The end of the scale that the page names for it, and as far along as 12 dB of 30 are."""
    player = SyncPlayer("Test", {"d": "D"}, seen="d")
    scale = player.scales[-1]
    assert scale["low"].startswith("content louder")
    assert scale["high"].startswith("result louder")
    colours = matplotlib.colormaps["PuOr_r"](np.arange(256))[:, :3]
    assert [scale["colours"][i] for i in (0, -1)] == [matplotlib.colors.to_hex(colours[i]) for i in (0, -1)]
    for gain, expected in ((4, 12.04), (0.25, -12.04), (1, 0)):
        player.show_difference("d", content, gain * content, SR)
        image = imread(io.BytesIO(player["d"]["image"]))[..., :3].reshape(-1, 1, 3)
        shown = np.abs(image - colours).sum(axis=-1).argmin(axis=1) / 255 * 60 - 30
        # quiet bins are drawn towards the middle, by the floor 60 dB under the peak
        assert shown[np.abs(shown).argmax()] == pytest.approx(expected, abs=60 / 255)
        assert (np.sign(expected) * shown >= -60 / 255).all()
    assert "audio" not in player["d"]


def test_picture_keeps_the_loudest_bin_at_the_top_of_the_scale():
    """Of two bins that share a row, the louder one is shown."""
    top, bottom = (matplotlib.colormaps["magma"](i)[:3] for i in (255, 0))
    player = SyncPlayer("Test", {"a": "A"})
    for k in (101, 102):
        t = np.arange(60 * SR)
        y = 0.1 * np.sin(2 * np.pi * k / 2048 * t) * (t // 1024 == 700)  # one short beep in a minute
        player.show("a", y + 1e-9, SR)
        image = imread(io.BytesIO(player["a"]["image"]))[..., :3]
        at_top = np.argwhere(np.abs(image - top).max(axis=-1) < 1 / 255)
        # the first row of the picture is the top of the axis
        assert {len(image) - 1 - row for row, _ in at_top} == {k // 2}
        assert np.abs(image[:, 0] - bottom).max() < 1 / 255


def test_abx_panel_plays_x_and_counts_answers(content, style):
    sounds = {"one": (content, SR), "two": (style, SR)}
    panel = AbxPanel(sounds.__getitem__, [("first", "one"), ("second", "two")])
    panel.answer("A")  # nothing has begun
    for _ in range(2):
        panel.controls["n_trials"].value = 5
        panel.controls["begin"].click()
        while panel.test is not None:
            x = panel.test.x
            np.testing.assert_array_equal(samples(panel.player, "x"), samples(panel.player, x.lower()))
            panel.controls["is_a" if x == "A" else "is_b"].click()
    assert "5 of 5 right, p = 0.0312" in panel.status.text
    assert panel.controls["is_a"].disabled
    panel.controls["b"].value = "one"
    panel.begin()
    assert panel.test is None
    assert panel.status.kind == "error"
