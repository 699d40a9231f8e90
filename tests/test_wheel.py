"""The package as somebody installs it: from a wheel, in an empty folder, without the repository."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile

import pytest
import soundfile

from audiostyle.datasets import paths
from tests.signals import WAIT, files_below


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy, so that nothing is left in the repository and nothing old gets in."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(paths.root() / name, copy)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.root() / "audiostyle", copy / "audiostyle", ignore=unwanted)
    built = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    run([sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", built, copy])
    return next(built.glob("audiostyle-*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An environment with the wheel in it; what it requires is that of the environment of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", folder])
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet"]
    run([*pip, "install", "--no-deps", "--no-index", wheel])
    site = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    with open(os.path.join(site, "shared.pth"), "w") as file:
        file.write(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def audiostyle(environment, home, tmp_path):
    """A function that runs the command in an empty folder of a person who has nothing set."""
    here = tmp_path / "here"
    here.mkdir()
    cleared = ("AUDIOSTYLE_", "JUPYTER", "PYTHON", "XDG_")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(cleared)}
    # Jupyter's own files lie beside its packages.
    variables |= {"HOME": str(home), "JUPYTER_PATH": os.path.join(sys.prefix, "share", "jupyter")}
    variables |= {"JUPYTER_PLATFORM_DIRS": "1", "OMP_NUM_THREADS": "1"}

    def call(*words, start=run):
        return start([environment / "bin" / "audiostyle", *words], cwd=here, env=variables)

    call.here, call.variables = here, variables
    return call


@pytest.fixture(autouse=True)
def installed_files_stay(environment):
    """Nothing is written where the package is installed."""
    (package,) = environment.glob("lib/python*/site-packages/audiostyle")

    def files():
        return [name for name in files_below(package) if not name.endswith(".pyc")]

    before = files()
    yield
    assert files() == before


def test_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    package = [f"audiostyle/{name}" for name in files_below(paths.root() / "audiostyle")]
    expected = [name for name in package if "__pycache__" not in name]
    assert sorted(name for name in names if ".dist-info/" not in name) == expected
    licences = {name.rpartition("/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "LICENSE-CC0.txt"}


def test_speakers(audiostyle, home, rng):
    for speaker in ("anna", "bert"):
        (audiostyle.here / "talk" / speaker).mkdir(parents=True)
        for i in range(4):
            y = 0.1 * rng.normal(size=16000)
            soundfile.write(audiostyle.here / "talk" / speaker / f"{i}.wav", y, 16000)
    audiostyle("speakers", "talk", "--methods", "paper", "--json", "table.json", "--quiet")
    assert [row["corpus"] for row in json.loads((audiostyle.here / "table.json").read_text())] == ["talk"] * 2
    # What can be computed again is kept for the next call, not among a person's files.
    assert sorted(path.name for path in audiostyle.here.iterdir()) == ["table.json", "talk"]
    assert list(home.glob("**/audiostyle/**/*.npz"))
    said = audiostyle("speakers", "--n-speakers", "2", "--per-speaker", "2", "--methods", "paper", "--quiet")
    assert "mini_corpus" in said


def test_pairs(audiostyle):
    said = audiostyle("pairs", "speech-1", "instrument-2", "--preset", "smoke")
    folder = audiostyle.here / "results" / "smoke" / "bundled"
    assert str(folder) in said.splitlines()[-1]
    assert {path.name for path in folder.iterdir()} == {"pairs.csv", "figures", "audio"}
    assert len(list((folder / "figures").glob("*.png"))) == 2
    assert list(audiostyle.here.iterdir()) == [audiostyle.here / "results"]


@pytest.fixture
def server(audiostyle, tmp_path):
    """Port and token of the address that the app prints."""
    log = tmp_path / "log"

    def start(words, **options):
        # A shell that starts the tests in the background has them ignore SIGINT, and what they start.
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        with log.open("w") as out:
            return subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, **options)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = audiostyle("app", "--no-browser", "--port", str(port), start=start)
    try:
        end = time.monotonic() + WAIT
        while not (found := re.search(r"http://\S+:(\d+)/\?token=(\w+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield int(found[1]), found[2]
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def test_app_answers_this_machine_alone(server, audiostyle):
    port, token = server
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/?token={token}", timeout=WAIT) as answer:
        page = answer.read().decode()
    assert "Style lab" in page
    assert "application/vnd.jupyter.widget-view+json" in page
    assert "Traceback" not in page
    assert files_below(audiostyle.here) == []
    # Every address of 127/8 is this machine; a server that listens to all addresses answers at each.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=WAIT)
