import ipywidgets
import pytest

from audiostyle.datasets import paths
from audiostyle.widgets.parts import STATIC, Slider, Status, dropdown, put, whole_number


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
    for path in files:
        text = path.read_text(encoding="utf-8").replace(
            "http://www.w3.org/2000/svg", ""
        )  # a name, no request
        # of the template, the address that is taken out
        assert text.count("http") == (path.name == "index.html.j2"), path.name
