import pytest

from audiostyle.datasets import paths
from audiostyle.widgets.form import Form, button, choice, slider

# All controls


def test_every_control_has_a_label_and_a_tooltip(lab, explorer):
    forms = [lab.controls, lab.settings, lab.saving.form, explorer.form, explorer.abx.form]
    fields = [field for form in forms for field in form.fields]
    assert len(fields) > 20
    for field in fields:
        assert field["label"].strip()
        assert len(field["tooltip"]) > 10, field


def test_a_disabled_button_does_nothing():
    form, pressed = Form("Test", [button("go", "Go", "Begin the work")], {}), []
    form.on_press("go", lambda: pressed.append("go"))
    form.disabled = ["go"]
    form._on_message(form, {"type": "press", "name": "go"}, [])
    assert pressed == []
    form.disabled = []
    form._on_message(form, {"type": "press", "name": "go"}, [])
    assert pressed == ["go"]


def test_what_is_set_on_the_page_changes_nothing_else():
    fields = [
        choice("a", "A", "The first of two", [("x", "X"), ("y", "Y")]),
        slider("b", "B", "Up to one", (0, 1, 0.1)),
    ]
    form = Form("Test", fields, {"a": "x", "b": 0.0})
    for name, value in (("a", "y"), ("b", 0.5), ("a", "none of them"), ("c", 1)):
        form._on_message(form, {"type": "set", "name": name, "value": value}, [])
    assert form.values == {"a": "y", "b": 0.5}


def test_state_is_told_again_when_a_view_has_come_about(monkeypatch):
    form, told = Form("Test", [button("go", "Go", "Begin the work")], {}), []
    monkeypatch.setattr(Form, "send_state", lambda self, key=None: told.append(self.status))
    form.status = "later"
    told.clear()
    form._handle_custom_msg({"type": "hello"}, [])
    assert told == ["later"]


def test_a_number_is_within_both_limits_of_its_control():
    form = Form("Test", [slider("x", "X", "Between one and two", (1.0, 2.0, 0.1))], {"x": 1.5})
    for allowed in (1.0, 2.0):
        form.update(x=allowed)
    for wrong in (0.9, 2.1):
        with pytest.raises(ValueError, match=rf"x={wrong} is not allowed; it must be 1\.0 to 2\.0"):
            form.update(x=wrong)
    assert form["x"] == 2.0


def test_page_asks_no_other_machine_for_anything():
    parts = [p for p in (paths.root() / "audiostyle" / "widgets" / "static").rglob("*") if p.is_file()]
    assert len(parts) >= 8
    for part in parts:
        text = part.read_text(encoding="utf-8")
        if part.name == "index.html.j2":
            # The one address in it is the one that is taken out.
            assert text.count("https://") == 1
        else:
            # The name of a namespace is no request.
            assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), part.name
