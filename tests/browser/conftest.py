"""Servers and a page for the tests in a real browser, which only ``pytest -m browser`` collects."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.browser.helpers import SOUNDS, settle

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("AUDIOSTYLE_CHROMIUM", "/usr/bin/chromium")
START_SECONDS = 180


def pytest_ignore_collect(collection_path, config):
    """Leave this folder out unless it is asked for: it needs Chromium and minutes."""
    return True if config.option.markexpr != "browser" else None


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """An environment whose results, settings and Jupyter files are all temporary."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "results").mkdir()
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AUDIOSTYLE_", "JUPYTER"))
    }
    return kept | {
        # Kernels run in other folders, and are to import what is tested.
        "PYTHONPATH": str(ROOT),
        "AUDIOSTYLE_PRESET": "smoke",
        "AUDIOSTYLE_RESULTS_DIR": str(folder / "results"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def serve(command, environment, log):
    """Start a server and return it with the address it writes, once it has."""
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", log.read_text())
        if found:
            return process, found[0]
        time.sleep(0.2)
    process.kill()
    raise RuntimeError(f"no address after {START_SECONDS} s: {log.read_text()[-2000:]}")


def ending(process):
    """Give a server the time to end its kernels."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def app_address(environment, tmp_path_factory):
    """The page that ``make app`` serves."""
    log = tmp_path_factory.mktemp("voila") / "log"
    command = [sys.executable, "-m", "audiostyle", "app", "--no-browser", "--port=8977"]
    process, address = serve(command, environment, log)
    yield address
    ending(process)


def lab_command(folder):
    """What ``make lab`` runs, on other notebooks and without a browser."""
    dry = [
        "make",
        "--no-print-directory",
        "--dry-run",
        "--assume-old=.venv/.installed",
        "--assume-old=env",
        "lab",
    ]
    said = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout.rstrip()
    assert said.count(".venv/bin/jupyter lab") == 1, said
    assert said.endswith(" notebooks"), said
    command = said.replace(".venv/bin/jupyter", str(Path(sys.executable).with_name("jupyter")))
    return f"{command.removesuffix('notebooks')}{folder} --no-browser --port=8978 --allow-root"


@pytest.fixture(scope="session")
def lab_address(environment, tmp_path_factory):
    """JupyterLab over copies of the notebooks, so that saving touches none."""
    folder = tmp_path_factory.mktemp("notebooks")
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        (folder / notebook.name).write_bytes(notebook.read_bytes())
    log = tmp_path_factory.mktemp("lab") / "log"
    process, address = serve(["bash", "-c", f"exec env {lab_command(folder)}"], environment, log)
    yield address
    ending(process)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Watch:
    """What a page asks for and complains about."""

    def __init__(self, page):
        self.requests, self.complaints = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", self._on_console)

    def _on_console(self, message):
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    @property
    def elsewhere(self):
        """Requests to any machine but this."""
        local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
        return [url for url in self.requests if not url.startswith(local)]


@pytest.fixture(scope="module")
def open_page(browser):
    """Return a function that opens an address and says what the page does on the network and console."""
    contexts = []

    def make(address, *, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(START_SECONDS * 1000)
        watch = Watch(page)
        response = page.goto(address)
        return page, watch, response

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def app(open_page, app_address):
    """The page of ``make app``, opened once: it takes the kernel's start. Each test sets what it needs."""
    page, watch, response = open_page(app_address)
    assert "default-src 'self'" in response.headers["content-security-policy"]
    # The notebook makes a preview; it has arrived when it can be heard.
    page.wait_for_function(
        f"() => document.querySelector('.as-player')?.audiostyle && ({SOUNDS})()[2] !== null"
    )
    settle(page)
    return page, watch


@pytest.fixture
def sounds(tmp_path):
    """A real sound of some seconds, a long one of over 50 MB, and a file that is none."""
    t = np.arange(4 * 48000) / 48000
    chirp = 0.2 * np.sin(2 * np.pi * (200 + 150 * t) * t) * (1 + 0.5 * np.sin(2 * np.pi * 5 * t))
    soundfile.write(tmp_path / "mine.wav", np.stack([chirp, 0.5 * chirp], axis=1), 48000)
    long = np.tile(np.stack([chirp, chirp], axis=1), (72, 1))
    soundfile.write(tmp_path / "long.aiff", long, 48000)
    assert (tmp_path / "long.aiff").stat().st_size > 50e6
    (tmp_path / "broken.wav").write_bytes(b"RIFF, so it says" * 100)
    return tmp_path
