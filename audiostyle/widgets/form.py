"""Parts of the widgets that run in the browser: forms of native controls, and code to copy.

Native controls bring labels, keyboard and screen reader with them; their scripts are in ``static/``.
"""

import contextlib
import uuid
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import anywidget
import traitlets

STATIC = Path(str(resources.files("audiostyle") / "widgets" / "static"))


def script(name: str) -> str:
    """Return the source of a part, behind the helpers that all of them use."""
    return "\n".join((STATIC / file).read_text(encoding="utf-8") for file in ("dom.js", f"{name}.js"))


def stylesheet() -> str:
    """Return the style sheet of all parts."""
    return (STATIC / "widgets.css").read_text(encoding="utf-8")


def describe(error: Exception) -> str:
    """Return an error as one line for the reader of a page."""
    text = " ".join(str(error).split()) or type(error).__name__
    # A word of a sentence takes a capital; a file name or a setting stays as it is.
    return text[0].upper() + text[1:] if text.split()[0].isalpha() else text


class Part(anywidget.AnyWidget):
    """A part of a page. It tells its whole state again when a view of it has come about.

    What changed between the page's asking for the state and its listening to changes would be lost.
    """

    _css = stylesheet()

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self.on_msg(self._on_hello)

    def _on_hello(self, _widget, content: dict, _buffers: list) -> None:
        if content.get("type") == "hello":
            self.send_state()


class Form(Part):
    """Labelled native controls with a status line and a progress bar.

    Parameters
    ----------
    label : str
        What a screen reader calls the group.
    fields : list of dict
        Made by `choice`, `slider`, `number`, `text`, `button` and `play_button`.
    values : dict
        Value by field name; observe it for changes from either side.
    status : bool
        Whether there is a status line with a progress bar.
    strip : bool
        One row that stays in view while the page scrolls.
    fold : str
        Words under which the controls are folded away; empty shows them.

    Attributes
    ----------
    status, status_kind : str
        Text of the status line; ``"info"``, ``"busy"`` or ``"error"``.
    progress : float or None
        0 to 1, negative for work of unknown length, None for none.
    disabled : list of str
        Names of the controls that do not answer now.
    """

    _esm = script("form")
    label = traitlets.Unicode().tag(sync=True)
    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    disabled = traitlets.List(traitlets.Unicode()).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    status_kind = traitlets.Unicode("info").tag(sync=True)
    progress = traitlets.Float(None, allow_none=True).tag(sync=True)
    has_status = traitlets.Bool(True).tag(sync=True)
    strip = traitlets.Bool(False).tag(sync=True)
    fold = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        label: str,
        fields: list[dict],
        values: dict,
        *,
        status: bool = True,
        strip: bool = False,
        fold: str = "",
    ) -> None:
        super().__init__(label=label, fields=fields, values=values, has_status=status, strip=strip, fold=fold)
        self._pressed: dict[str, Callable[[], None]] = {}
        self.on_msg(self._on_message)

    def __getitem__(self, name: str):
        return self.values[name]

    def update(self, **values: object) -> None:
        """Set values by name.

        Raises
        ------
        ValueError
            If a name is unknown or a value is none that its control offers.
        """
        for name, value in values.items():
            self._check(name, value)
        self.values = {**self.values, **values}

    def on_press(self, name: str, action: Callable[[], None]) -> None:
        """Call `action` when the button of that name is pressed."""
        self._pressed[name] = action

    def press(self, name: str) -> None:
        """Press a button, as the browser does; one that is disabled does nothing."""
        if name not in self.disabled:
            self._pressed[name]()

    def say(self, text: str, kind: str = "info", progress: float | None = None) -> None:
        """Write the status line."""
        with self.hold_sync():
            self.status, self.status_kind, self.progress = text, kind, progress

    def download(self, name: str, data: bytes, mime: str) -> None:
        """Hand a file to the browser, which keeps it among its downloads."""
        self.send({"type": "download", "id": uuid.uuid4().hex, "name": name, "mime": mime}, [data])

    def _on_message(self, _widget, content: dict, _buffers: list) -> None:
        if content.get("type") == "press" and content.get("name") in self._pressed:
            self.press(content["name"])
        elif content.get("type") == "set":
            # What was chosen from a list that has changed meanwhile is none of the new one, which shows what stands.
            with contextlib.suppress(ValueError):
                self.update(**{content["name"]: content["value"]})

    def _check(self, name: str, value: object) -> None:
        found = {field["name"]: field for field in self.fields}
        if name not in found or found[name]["kind"] == "button":
            raise ValueError(f"there is no control {name!r}; there are {', '.join(sorted(self.values))}")
        field = found[name]
        if field["kind"] == "select" and value not in [option[0] for option in field["options"]]:
            allowed = ", ".join(repr(option[0]) for option in field["options"])
            raise ValueError(f"{name}={value!r} is not allowed; it must be one of {allowed}")
        if field["kind"] in ("range", "number") and not field["min"] <= value <= field["max"]:
            raise ValueError(f"{name}={value!r} is not allowed; it must be {field['min']} to {field['max']}")


def choice(name: str, label: str, tooltip: str, options: list[tuple[str, str]], **more: object) -> dict:
    """Describe a list to choose from: pairs of value and text."""
    return {"name": name, "kind": "select", "label": label, "tooltip": tooltip, "options": options} | more


def slider(name: str, label: str, tooltip: str, limits: tuple[float, float, float], **more: object) -> dict:
    """Describe a slider; `limits` are least, greatest and step.

    Among `more`, ``ends`` are what the two ends mean, and ``live=True`` tells of every place where it rests, not only
    of the one where it is let go.
    """
    low, high, step = limits
    return {
        "name": name, "kind": "range", "label": label, "tooltip": tooltip, "min": low, "max": high, "step": step,
    } | more  # fmt: skip


def number(name: str, label: str, tooltip: str, limits: tuple[float, float, float], **more: object) -> dict:
    """Describe a field for a number; `limits` are least, greatest and step."""
    return slider(name, label, tooltip, limits, **more) | {"kind": "number"}


def text(name: str, label: str, tooltip: str, **more: object) -> dict:
    """Describe a field for text."""
    return {"name": name, "kind": "text", "label": label, "tooltip": tooltip} | more


def button(name: str, label: str, tooltip: str, *, primary: bool = False) -> dict:
    """Describe a button."""
    return {"name": name, "kind": "button", "label": label, "tooltip": tooltip, "primary": primary}


def play_button(name: str, label: str, tooltip: str, player: str) -> dict:
    """Describe a button that plays and pauses the `SyncPlayer` whose ``remote`` is `player`."""
    return button(name, label, tooltip, primary=True) | {"player": player}


class Snippets(Part):
    """Code blocks, each with a button that copies it.

    Attributes
    ----------
    snippets : list of dict
        ``heading`` and ``code``.
    """

    _esm = script("snippets")
    snippets = traitlets.List(traitlets.Dict()).tag(sync=True)


def html_table(rows: list[list[str]], head: list[str]) -> str:
    """Return a table as HTML; texts are escaped, the first column heads its row."""
    from html import escape

    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="as-widget as-table" tabindex="0" role="region" aria-label="Numbers"><table>'
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )
