import os
import re
import shlex
from dataclasses import fields

import numpy as np
import pytest
import soundfile
import torch

from audiostyle.__main__ import main
from audiostyle.commands.transfer import EXAMPLES
from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.files import one
from tests.signals import SR

HUGE = str(10**400)
LONG = "o" * 300


@pytest.fixture
def files(tmp_path, monkeypatch, content, style):
    """A working directory with two sounds and things that are none."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("content.wav", content, SR)
    soundfile.write("style.flac", np.stack([style, style], axis=1), 16000)
    soundfile.write("silent.wav", np.zeros(SR), SR)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo("pipe.wav")
    return tmp_path


@pytest.fixture
def seen(monkeypatch):
    """What reaches a transfer, which does not begin."""
    found = {}

    def record(content, style, config, **options):
        found.update(content=content, style=style, config=config, **options)
        raise ValueError("seen enough")

    monkeypatch.setattr(one, "transfer_sound", record)
    return found


def run(*words, content="content.wav", style="style.flac", output="out.wav"):
    return main(["transfer", content, style, "-o", output, "--quiet", *words])


def refused(capsys, *words, **names):
    """Run a transfer that must fail; returns its one line."""
    assert run(*words, **names) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("audiostyle transfer: error: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("output", ["out.wav", "out.ogg", "out.flac", "out.mp3", "out.aif"])
def test_two_files_become_one_and_it_says_so_in_one_line(files, capsys, output):
    assert run("--duration", "1", output=output) == 0
    y, sr = soundfile.read(output)
    assert sr == SR
    assert np.max(np.abs(y)) > 0.001
    said = capsys.readouterr()
    assert re.fullmatch(r"out\.\w+: 1\.0 s, .*matched timbre, \d+\.\d s\..*\n", said.out), said.out
    assert said.err == ""


CHANGED = {
    "method": "gram", "balance": 0.9, "encoder": "random", "n_filters": 8, "kernel_size": 3, "activation": "none",
    "n_iter": 2, "phase": "griffin_lim", "sr": 16000, "level": 0.1, "n_fft": 4096, "hop_length": 256, "seed": 3,
    "device": "meta",
}  # fmt: skip
IMPLIED = {"encoder": {"method": "gram"}, "n_filters": {"method": "gram", "encoder": "random"}}


@pytest.mark.parametrize("setting", fields(TransferConfig), ids=lambda setting: setting.name)
def test_every_setting_has_an_option_that_reaches_the_transfer(files, seen, setting):
    value = CHANGED[setting.name]
    assert value != setting.default
    name = {"sr": "analysis-sr"}.get(setting.name, setting.name.replace("_", "-"))
    assert run(f"--{name}", str(value)) == 2
    assert seen["config"] == TransferConfig(**{setting.name: value} | IMPLIED.get(setting.name, {}))
    assert seen["content"].sr == SR


def test_parts_rate_channels_and_presets_reach_the_transfer(files, seen, content):
    run("--duration", "1", "--style-duration", "0.5", "--sr", "8000", "--channels", "2")
    assert (seen["content"].n_samples, seen["style"].n_samples) == (SR, SR // 2)
    assert (seen["rate"], seen["n_channels"]) == (8000, 2)
    run("--start", "1.2", "--style-start", "0")
    assert seen["content"].n_samples == len(content) - round(1.2 * SR)
    run("--preset", "paper", "--balance", "0.2")
    assert seen["config"] == TransferConfig.paper(balance=0.2)
    run("--preset", "texture")
    assert seen["config"] == TransferConfig(balance=0.8)


def test_an_optimisation_says_what_it_removed(files, capsys):
    quick = ["--duration", "1", "--n-iter", "3", "--balance", "0.9"]
    assert run(*quick, "--encoder", "random", "--n-filters", "32") == 0
    assert re.search(r"3 iterations, \d+% of the style loss removed, \d", capsys.readouterr().out)
    assert run(*quick, "--method", "gram", "--phase", "griffin_lim") == 0
    assert "style loss removed, in the magnitudes" in capsys.readouterr().out
    assert run("--balance", "0") == 0
    assert "the content as it was" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[f"--{name}={value}"] for name in ("n-filters", "kernel-size", "n-iter", "sr", "n-fft", "hop-length", "seed")
     for value in ("-1", HUGE)]
    + [[f"--{name}={value}"] for name in ("balance", "level", "start", "duration", "content-start", "style-duration")
       for value in ("nan", "-1", "inf", "1e308")]
    + [["--n-fft", "512"], ["--n-fft", "2047"], ["--level", "1e-7"], ["--phase", "wavenet"], ["--seed", str(2**64)],
       ["--sr", "999"], ["--sr", "768001"], ["--channels", "0"], ["--preset", "rock"], ["--activation", "tanh"]],
    ids=" ".join,
)  # fmt: skip
def test_values_out_of_range_are_named(files, seen, capsys, words):
    error = refused(capsys, *words)
    name = re.match(r"--(?:content-|style-)?(\w+)", words[0])[1]
    assert re.search(rf"{name}\w*=\S+ is not allowed; it must be", error), error
    assert len(error) < 220
    assert not seen


BAD_SOUNDS = {
    "missing.wav": "does not exist", "folder": "no sound files", "text.wav": "not a sound", "empty.wav": "empty",
    "pipe.wav": "pipe", "silent.wav": "silent", "content.wav/x": "", LONG + LONG: "",
}  # fmt: skip


@pytest.mark.parametrize("sound", BAD_SOUNDS)
@pytest.mark.parametrize("place", ["content", "style"])
def test_sounds_that_cannot_be_used(files, capsys, sound, place):
    names = {place: sound} | ({"output": "out"} if sound == "folder" else {})
    assert BAD_SOUNDS[sound] in refused(capsys, **names)
    assert not (files / "out.wav").exists()


BAD_OUTPUTS = {
    "pipe.wav": "not a regular file", "folder": "is a folder", ".": "is a folder", "nowhere/out.wav": "nowhere",
    "content.wav/out.wav": "content.wav is not", f"{LONG}.wav": "255 bytes", f"{'é' * 126}.wav": "255 bytes",
    "a\0b.wav": "name", "content.wav": "one of the sounds read",
    **{f"out{suffix}": "use one of .wav" for suffix in (".htk", ".raw", ".au", ".w64", ".xyz", "")},
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "output", "quoted"),
    [
        *(("", output, quoted) for output, quoted in BAD_OUTPUTS.items()),
        ("--sr 12345", "out.mp3", "MP3 at 12345 Hz"), ("--sr 384000", "out.ogg", "OGG at 384000 Hz"),
        ("--report a.txt", "out.wav", ".html"), ("--report nowhere/a.html", "out.wav", "nowhere"),
        ("--recipe text.wav", "out.wav", "text.wav"), ("--recipe text.wav --preset paper", "out.wav", "text.wav"),
        ("--format wav", "out.wav", "--output"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_the_work(files, seen, capsys, words, output, quoted):
    before = {path: path.is_file() and path.read_bytes() for path in files.iterdir()}
    assert quoted in refused(capsys, *words.split(), output=output)
    assert before == {path: path.is_file() and path.read_bytes() for path in files.iterdir()}
    assert not seen


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "hpu", "xla", "abacus", ""])
def test_devices_that_are_not_there(files, seen, capsys, device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("a GPU is here")
    assert re.search(rf"--device {device} ?cannot .*use cpu", refused(capsys, "--device", device))


def test_a_transfer_beyond_the_memory_is_refused(files, capsys):
    assert re.search(r"need about \d+\.\d GB", refused(capsys, "--n-filters", "2000000000"))


def test_a_folder_without_permission_and_a_full_disk_are_named(files, capsys, monkeypatch):
    before = sorted(files.iterdir())
    with monkeypatch.context() as denied:
        denied.setattr("os.access", lambda path, mode: mode == os.R_OK)  # root may write anywhere
        assert "no permission" in refused(capsys)

    def write(*_):
        raise soundfile.LibsndfileError(2)

    with monkeypatch.context() as full:
        full.setattr(soundfile.SoundFile, "write", write)
        assert "is the disk full?" in refused(capsys, "--balance", "0")
    assert sorted(files.iterdir()) == before


def _examples(*, several):
    """The transfers that README, the results and the help show, as lists of words: of one result, or of several."""
    pages = "\n".join((paths.root() / name).read_text() for name in ("README.md", "results/README.md"))
    found = re.findall(r"\baudiostyle (transfer .+ -o .+)", pages.replace("\\\n", " ") + EXAMPLES)
    words = [shlex.split(line) for line in dict.fromkeys(found) if "--recipe" not in line]
    assert len(words) >= 5
    return [line for line in words if several == ("results" in line)]


@pytest.mark.parametrize("words", _examples(several=False), ids=" ".join)
def test_every_example_works(files, seen, content, style, words):
    for name, y in ((words[1], np.tile(content, 20)), (words[2], np.tile(style, 2))):  # 40 s and 3 s
        suffix = name.rpartition(".")[2]
        soundfile.write(name, y, SR, format="OGG" if suffix in ("m4a", "opus") else None)
    main(words)
    assert seen["style"].n_samples / SR == pytest.approx(3, abs=0.05)
    expected = 10 if "--content-duration" in words else 40
    assert seen["content"].n_samples / SR == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("words", _examples(several=True), ids=" ".join)
def test_every_example_of_several_results_works(files, content, style, words):
    names = [word for word in words if word.endswith((".wav", ".flac"))]
    if "takes" in words:
        (files / "takes").mkdir()
        names += ["takes/a.wav", "takes/b.wav"]
    for name in names:
        soundfile.write(name, style if name in words[words.index("-o") - 1] else content, SR)
    assert main([*words, "--quiet"]) == 0
    assert len(list((files / "results").glob("*__*.wav"))) == 2
