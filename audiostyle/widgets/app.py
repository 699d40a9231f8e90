"""The style lab as a page of its own: ``python -m audiostyle.widgets.app``.

Voilà serves ``10_style_lab.ipynb`` on this machine only, behind a token, and the browser is told to load nothing
from anywhere else.
"""

import os
import sys
import webbrowser

from audiostyle import paths
from audiostyle.widgets import form

_MESSAGE_BYTES = 256 * 2**20
# Blobs are the scripts of the widgets and what they show; "eval" is how JupyterLab's parts are put together.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline' data:",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "connect-src 'self' data: blob: ws://127.0.0.1:*",
        "frame-ancestors 'self'",
    )
)


def server_settings() -> dict:
    """Return what the web server needs: messages as large as any upload, and nothing loaded from outside."""
    return {
        "websocket_max_message_size": _MESSAGE_BYTES,
        "headers": {"Content-Security-Policy": _POLICY},
    }


def main(argv: list[str] | None = None) -> None:
    """Serve the style lab until interrupted.

    Parameters
    ----------
    argv : list of str or None
        Options of Voilà, such as ``--port=8867`` or ``--no-browser``; None takes those of the command line.

    Notebook: 10_style_lab.ipynb
    """
    # Set before Voilà is imported: both are read once.
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    templates = str(form.STATIC)
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, (templates, os.environ.get("JUPYTER_PATH"))))
    from voila.app import Voila

    class Lab(Voila):
        """Voilà that opens its page with the token in the address."""

        def launch_browser(self) -> None:
            webbrowser.open(self.display_url)

    Lab.launch_instance(
        argv=[
            str(paths.notebooks_dir() / "10_style_lab.ipynb"),
            "--template=audiostyle",
            "--token",
            *(sys.argv[1:] if argv is None else argv),
            "--Voila.ip=127.0.0.1",
        ],
        tornado_settings=server_settings(),
    )


if __name__ == "__main__":
    main()
