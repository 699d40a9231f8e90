"""The style lab as a page of its own: ``audiostyle app``.

Voilà serves it on this machine only, behind a token, and the browser is told to load nothing from anywhere else.
"""

import inspect
import os
import tempfile
import webbrowser
from pathlib import Path

import nbformat

from audiostyle.datasets import paths
from audiostyle.widgets.parts import STATIC

_TEXT = """# Style lab

Content gives notes or words, style timbre and texture.<br>
Ask before you convert a voice; say that it is synthetic.
"""
# Blobs are the scripts of the widgets and what they show; "eval" is how JupyterLab's parts are put together.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline' data:; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob: ws://127.0.0.1:*; frame-ancestors 'self'"
)


def page() -> nbformat.NotebookNode:
    """Return the page as a notebook: the style lab after one preview; its results go where this process's would."""
    code = f"""
        from audiostyle.widgets.lab import StyleLab

        lab = StyleLab({str(paths.results_root() / "saved")!r})
        lab.run(preview=True)
        lab
        """
    cells = [nbformat.v4.new_markdown_cell(_TEXT), nbformat.v4.new_code_cell(inspect.cleandoc(code))]
    return nbformat.v4.new_notebook(cells=cells)


def serve(*, port: int = 8866, browser: bool = True) -> None:
    """Serve the style lab until interrupted, on a port of 127.0.0.1 or one near it; open it in the browser.

    Notebook: 11_style_lab.ipynb
    """
    # Set before Voilà is imported: both are read once.
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, (str(STATIC), os.environ.get("JUPYTER_PATH"))))
    from voila.app import Voila

    class Lab(Voila):
        """Voilà that opens its page with the token in the address."""

        def launch_browser(self) -> None:
            webbrowser.open(self.display_url)

    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder) / "style_lab.ipynb"
        nbformat.write(page(), notebook)
        options = ["--template=audiostyle", "--token", "--Voila.ip=127.0.0.1", f"--port={port}"]
        Lab.launch_instance(
            argv=[str(notebook), *options, *([] if browser else ["--no-browser"])],
            tornado_settings={"headers": {"Content-Security-Policy": _POLICY}},
        )
