import argparse
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import soundfile

from audiostyle.__main__ import main
from audiostyle.datasets import clips, paths
from tests.signals import SR, elsewhere


def test_help_answers_without_loading_what_computes():
    code = (
        "import sys; import audiostyle.__main__ as m; m.build_parser(); "
        "print(*{'torch', 'pandas', 'librosa', 'numpy', 'matplotlib'} & sys.modules.keys())"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], env=elsewhere(), text=True)
    assert loaded.split() == []


def test_interrupt_and_warning_are_one_line(monkeypatch, capsys):
    def interrupted(_):
        warnings.simplefilter("always")
        warnings.warn("some of it\nis short", stacklevel=2)
        raise KeyboardInterrupt

    parser = argparse.ArgumentParser()
    parser.set_defaults(command="transfer", run=interrupted)
    monkeypatch.setattr("audiostyle.__main__.build_parser", lambda: parser)
    assert main([]) == 130
    warned, interrupted = capsys.readouterr().err.splitlines()
    assert warned == "audiostyle transfer: some of it is short"
    assert interrupted.startswith("audiostyle transfer: interrupted")


def test_ctrl_c_exits_with_130_and_leaves_no_file(tmp_path, monkeypatch, content, style):
    """A real signal to a real process, once it works."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("long.wav", np.tile(content, 10), SR)
    soundfile.write("style.wav", style, SR)
    words = ["transfer", "long.wav", "style.wav", "-o", "out.wav", "--method", "gram", "--hop-length", "64"]
    before = sorted(tmp_path.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "audiostyle", *words],
        env=elsewhere(),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    said = b""
    while b"transfer:" not in said:
        piece = process.stderr.read1()
        assert piece, said
        said += piece
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert b"interrupted" in said.splitlines()[-1]
    assert sorted(tmp_path.iterdir()) == before


def test_the_preset_of_pairs_comes_before_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("AUDIOSTYLE_PRESET", "vast")
    for words, name in ((["--preset", "huge"], "huge"), ([], "vast")):
        assert main(["pairs", *words]) == 2
        assert f"preset='{name}'" in capsys.readouterr().err


def test_pairs_refuses_what_it_cannot_write_before_the_work(monkeypatch, capsys):
    folder = paths.results_root() / "smoke" / "bundled"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pairs.csv")
    monkeypatch.setattr(clips, "current_edition", lambda: "bundled")
    assert main(["pairs", "--preset", "smoke"]) == 2
    assert "not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "0", "65536", str(10**400)])
def test_ports_of_the_app(capsys, port):
    assert main(["app", "--no-browser", "--port", port]) == 2
    assert "from 1 to 65535" in capsys.readouterr().err
