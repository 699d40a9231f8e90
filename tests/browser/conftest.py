"""Servers and a page for the tests in a real browser, which only ``pytest -m browser`` collects."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.browser.pages import Page

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
    kept = {k: value for k, value in os.environ.items() if not k.startswith(("AUDIOSTYLE_", "JUPYTER"))}
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


@contextmanager
def served(command, environment, log):
    """Run a server; yields the address that it writes."""
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline, found = time.monotonic() + START_SECONDS, None
        while found is None:
            assert time.monotonic() < deadline, f"no address: {log.read_text()[-2000:]}"
            assert process.poll() is None, log.read_text()[-2000:]
            time.sleep(0.2)
            found = re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", log.read_text())
        yield found[0]
    finally:
        process.terminate()  # and give it the time to end its kernels
        process.wait(60)


@pytest.fixture(scope="session")
def app_address(environment, tmp_path_factory):
    """The page that ``make app`` serves."""
    command = [sys.executable, "-m", "audiostyle", "app", "--no-browser", "--port=8977"]
    with served(command, environment, tmp_path_factory.mktemp("voila") / "log") as address:
        yield address


@pytest.fixture(scope="session")
def lab_address(environment, tmp_path_factory):
    """What ``make lab`` serves, over copies of the notebooks, so that saving touches none."""
    folder = tmp_path_factory.mktemp("notebooks")
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        (folder / notebook.name).write_bytes(notebook.read_bytes())
    dry = "make --no-print-directory --dry-run --assume-old=.venv/.installed --assume-old=env lab"
    said = subprocess.run(dry.split(), cwd=ROOT, capture_output=True, text=True, check=True).stdout.rstrip()
    command = said.replace(".venv/bin/jupyter", str(Path(sys.executable).with_name("jupyter")))
    command = f"exec env {command.removesuffix('notebooks')}{folder} --no-browser --port=8978 --allow-root"
    with served(["bash", "-c", command], environment, tmp_path_factory.mktemp("lab") / "log") as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def open_page(browser):
    contexts = []

    def make(address, *, width=1280, scheme="light"):
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, accept_downloads=True))
        page = contexts[-1].new_page()
        page.set_default_timeout(START_SECONDS * 1000)
        return Page(page, address)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def app(open_page, app_address):
    """The page of ``make app``, opened once: it takes the kernel's start. Each test sets what it needs."""
    made = open_page(app_address)
    # The notebook makes a preview; it has arrived when it can be heard.
    made.await_sound(2)
    made.settle()
    return made


@pytest.fixture
def sounds(tmp_path):
    """A real sound of some seconds, a long one of over 50 MB, and a file that is none."""
    t = np.arange(4 * 48000) / 48000
    chirp = 0.2 * np.sin(2 * np.pi * (200 + 150 * t) * t) * (1 + 0.5 * np.sin(2 * np.pi * 5 * t))
    soundfile.write(tmp_path / "mine.wav", np.stack([chirp, 0.5 * chirp], axis=1), 48000)
    soundfile.write(tmp_path / "long.aiff", np.tile(np.stack([chirp, chirp], axis=1), (72, 1)), 48000)
    assert (tmp_path / "long.aiff").stat().st_size > 50e6
    (tmp_path / "broken.wav").write_bytes(b"RIFF, so it says" * 100)
    return tmp_path
