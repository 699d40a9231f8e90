"""The page that `audiostyle app` serves; tests/test_wheel.py serves it, tests/browser uses it."""

import re

import nbformat

from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.widgets import app


def test_page_is_a_notebook_that_saves_where_the_command_was_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = app.page()
    nbformat.validate(page)
    text, code = page.cells
    title, *words = text.source.splitlines()
    assert title == "# Style lab"
    assert len([line for line in words if line]) <= 2
    # A preview is being made when the page opens.
    assert not re.search(r"press|click|start|\*\*", text.source)
    made = {}
    monkeypatch.setattr(
        "audiostyle.widgets.lab.StyleLab.run", lambda lab, preview: made.update(preview=preview)
    )
    exec(compile(code.source, "page", "exec"), made)
    lab = made["lab"]
    assert made["preview"]
    assert lab.controls["balance"] == TransferConfig().balance
    assert lab.saving._folder == paths.results_root() / "saved"
    assert lab.wait(120)
