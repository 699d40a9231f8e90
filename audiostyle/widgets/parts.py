"""Parts of the pages: ipywidgets' own controls, and those that it lacks.

Its `FloatSlider` has no name that a screen reader could say, its `Accordion` no keyboard, and its `FloatProgress` no
unknown length; nothing in it hands a file to the browser.
"""

import contextlib
import uuid
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import anywidget
import ipywidgets
import traitlets
from IPython.display import display

STATIC = Path(str(resources.files("audiostyle") / "widgets" / "static"))
Controls = dict[str, ipywidgets.Widget]


def script(name: str) -> str:
    """Return the source of a part, behind the helpers that all of them use."""
    return "\n".join((STATIC / file).read_text(encoding="utf-8") for file in ("dom.js", f"{name}.js"))


def stylesheet() -> str:
    """Return the style sheet of all parts."""
    return (STATIC / "widgets.css").read_text(encoding="utf-8")


class Element(anywidget.AnyWidget):
    """An element of a page that sends its whole state again when a view of it is ready.

    A change between the page's request for the state and its first listener would be lost.
    """

    _css = stylesheet()

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self.on_msg(lambda _own, content, _buffers: content.get("type") == "hello" and self.send_state())


class Slider(Element):
    """A slider from 0 to 1 that reports its value once it rests."""

    _esm = script("slider")
    description = traitlets.Unicode().tag(sync=True)
    tooltip = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float(0.5, min=0.0, max=1.0).tag(sync=True)
    step = traitlets.Float(0.01).tag(sync=True)


class Status(Element):
    """A line of text (``"info"``, ``"busy"`` or ``"error"``), a progress bar (0 to 1; negative: unknown), downloads."""

    _esm = script("status")
    label = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode("info").tag(sync=True)
    progress = traitlets.Float(None, allow_none=True).tag(sync=True)

    def say(self, text: str, kind: str = "info", progress: float | None = None) -> None:
        """Write the line."""
        with self.hold_sync():
            self.text, self.kind, self.progress = text, kind, progress

    def fail(self, error: Exception, more: str = "") -> None:
        """Write an error as the line."""
        text = " ".join(str(error).split()) or type(error).__name__
        # A word of a sentence takes a capital; a file name or a setting stays as it is.
        text = text[0].upper() + text[1:] if text.split()[0].isalpha() else text
        self.say(f"{text.rstrip('.')}. {more}".strip(), "error")

    def download(self, name: str, data: bytes) -> None:
        """Hand a file to the browser, which keeps it among its downloads."""
        self.send({"type": "download", "id": uuid.uuid4().hex, "name": name}, [data])


class Shown:
    """What a notebook displays by its `view`."""

    view: ipywidgets.Widget

    def _ipython_display_(self) -> None:
        display(self.view)


def dropdown(description: str, tooltip: str, options: list[tuple[str, object]], value: object = None):
    """Return a list to choose from pairs of text and value, the first by default."""
    value = options[0][1] if value is None else value
    return ipywidgets.Dropdown(options=options, value=value, description=description, tooltip=tooltip)


def whole_number(description: str, tooltip: str, value: int, low: int, high: int):
    """Return a field for a whole number."""
    return ipywidgets.BoundedIntText(value, min=low, max=high, description=description, tooltip=tooltip)


def button(description: str, tooltip: str, action: Callable[[], object], *, primary: bool = False):
    """Return a button."""
    made = ipywidgets.Button(description=description, tooltip=tooltip)
    made.add_class("as-primary" if primary else "as-button")
    made.on_click(lambda _button: action())
    return made


def named(controls: Controls) -> Controls:
    """Give each control the class ``as-c-<name>``; return them."""
    for name, control in controls.items():
        control.add_class(f"as-c-{name.replace('_', '-')}")
    return controls


def put(controls: Controls, values: dict[str, object]) -> None:
    """Set controls by name; raises a ValueError for an unknown name, or a value that its control does not offer."""
    for name, value in values.items():
        if name not in controls:
            raise ValueError(f"there is no control {name!r}; there are {', '.join(sorted(controls))}")
        control, before = controls[name], controls[name].value
        with contextlib.suppress(traitlets.TraitError):
            control.value = value
        if control.value != value:  # or it is the nearest number that is allowed
            control.value, offered = before, [option[1] for option in getattr(control, "options", ())]
            raise ValueError(f"{name}={value!r} is not allowed; it must be {offered or 'within its limits'}")


def box(*parts: ipywidgets.Widget, name: str = "as-fields") -> ipywidgets.Box:
    """Put parts beside each other where there is room, or as the style sheet's classes of these names say."""
    return ipywidgets.Box(parts, _dom_classes=name.split())


def folded(words: str, part: ipywidgets.Widget) -> tuple[ipywidgets.Widget, ipywidgets.Widget]:
    """Return a button that shows a part, and the part."""
    fold = ipywidgets.ToggleButton(description=words, tooltip=f"Show or hide: {words.lower()}")
    fold.observe(lambda change: setattr(part.layout, "display", None if change["new"] else "none"), "value")
    part.layout.display = "none"
    return named({"fold": fold})["fold"], part
