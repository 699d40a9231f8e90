"""Whatever a person types, a command works or says in one line what is wrong, before the work begins."""

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import weakref
from contextlib import nullcontext

import numpy as np
import pytest
import soundfile
import torch

from audiostyle import config, transfer
from audiostyle.__main__ import main
from audiostyle.commands.transfer import EXAMPLES
from audiostyle.datasets import clips, paths

SR = 22050
HUGE = str(10**400)
LONG = "o" * 300


@pytest.fixture
def files(tmp_path, monkeypatch, content, style, rng):
    """A working directory with two sounds, a corpus and things that are neither."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("content.wav", content, SR)
    soundfile.write("style.wav", style, SR)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo("pipe.wav")
    os.mkfifo("pipe.json")
    for speaker in ("anna", "bert"):
        (tmp_path / "talk" / speaker).mkdir(parents=True)
        for i in range(4):
            y = 0.1 * rng.normal(size=16000)
            soundfile.write(tmp_path / "talk" / speaker / f"{i}.wav", y, 16000)
    return tmp_path


def refused(capsys, command, *words):
    """Run a command that must fail; returns its one line."""
    assert main([command, *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"audiostyle {command}: error: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    return said.err


@pytest.fixture
def no_transfer(monkeypatch):
    monkeypatch.setattr(transfer, "transfer_style", lambda *_, **__: pytest.fail("it began"))


WHOLE = [
    "n-filters",
    "kernel-size",
    "n-iter",
    "griffin-lim-iter",
    "polish-iter",
    "sr",
    "n-fft",
    "hop-length",
    "seed",
]
REAL = [
    "balance",
    "match",
    "tolerance",
    "momentum",
    "level",
    "start",
    "duration",
    "content-start",
    "style-duration",
]


@pytest.mark.parametrize("option", WHOLE)
@pytest.mark.parametrize("value", ["-1", str(2**64), HUGE], ids=["-1", "2^64", "10^400"])
def test_whole_numbers_out_of_range(files, capsys, no_transfer, option, value):
    error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", "out.wav", f"--{option}", value)
    assert re.search(rf"{option.replace('-', '_')}=\S+ is not allowed; it must be", error)
    assert len(error) < 200


@pytest.mark.parametrize("option", REAL)
@pytest.mark.parametrize("value", ["nan", "-1", "-1e300"])
def test_real_numbers_out_of_range(files, capsys, no_transfer, option, value):
    error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", "out.wav", f"--{option}={value}")
    assert re.search(rf"{option.split('-')[-1]}=\S+ is not allowed; it must be", error)


@pytest.mark.parametrize("option", ["level", "start", "duration", "content-start", "style-duration"])
@pytest.mark.parametrize("value", ["inf", "1e308"])
def test_numbers_without_end(files, capsys, no_transfer, option, value):
    refused(capsys, "transfer", "content.wav", "style.wav", "-o", "out.wav", f"--{option}={value}")


@pytest.mark.parametrize("level", ["1e-300", "1e-7", "1e7", "0"])
def test_levels_at_which_nothing_can_be_computed(files, capsys, no_transfer, level):
    error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", "out.wav", "--level", level)
    assert "it must be a number from 1e-06 to 1e+06" in error


WAYS = [{"phase": phase} for phase in config.PHASES]


@pytest.mark.parametrize("level", config.LEVELS)
@pytest.mark.parametrize(
    "way", [*({"method": "gram"} | way for way in WAYS), {"balance": 0.5}, {"balance": 0.8}], ids=str
)
def test_the_levels_allowed_give_a_sound(content, style, way, level):
    settings = {"n_iter": 3}
    given = config.TransferConfig(level=level, **way, **settings)
    result = transfer.transfer_style(content, style, SR, given, progress=False)
    assert np.isfinite(result.y).all()
    assert np.sqrt(np.mean(result.y**2)) > 0.3 * np.sqrt(np.mean(content**2))


def test_names_that_no_setting_has(files, capsys, no_transfer):
    command = ["transfer", "content.wav", "style.wav", "-o", "out.wav", "--phase"]
    assert "must be one of polish, griffin_lim" in refused(capsys, *command, "wavenet")


@pytest.mark.parametrize("rate", ["999", "768001", str(2**31)])
def test_rates_that_no_file_has(files, capsys, no_transfer, rate):
    error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", "out.wav", "--sr", rate)
    assert "a whole number from 1000 to 768000 (Hz)" in error


def test_a_rate_that_ends_the_vorbis_encoder(files, capsys, no_transfer):
    error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", "out.ogg", "--sr", "384000")
    assert "cannot be written as OGG at 384000 Hz" in error


@pytest.mark.parametrize("seed", [2**64, -1])
def test_seeds_that_no_generator_takes(seed):
    from audiostyle.encoders.random import RandomEncoder
    from audiostyle.phase.griffin_lim import griffin_lim

    message = r"must be a whole number from 0 to 2\^64 - 1"
    with pytest.raises(ValueError, match=message):
        config.TransferConfig(seed=seed)
    with pytest.raises(ValueError, match=message):
        RandomEncoder(8, seed=seed)
    for init in ("random", "zero"):
        with pytest.raises(ValueError, match=message):
            griffin_lim(np.ones((5, 4), np.float32), n_iter=1, hop_length=4, init=init, seed=seed)


def test_the_greatest_seed_is_taken(content, style):
    settings = {"encoder": "random", "n_filters": 4, "n_iter": 1, "seed": 2**64 - 1}
    for way in WAYS:
        given = config.TransferConfig(**way, **settings)
        assert np.isfinite(transfer.transfer_style(content, style, SR, given, progress=False).y).all()


def test_numbers_of_numpy_become_python_s():
    made = config.TransferConfig(seed=np.int64(3), n_fft=np.int32(1024), hop_length=256)
    assert made == config.TransferConfig(seed=3, n_fft=1024, hop_length=256)
    assert {type(made.seed), type(made.n_fft)} == {int}


@pytest.mark.parametrize("suffix", ["htk", "sd2", "raw", "au", "w64", "caf", "xyz", ""])
def test_formats_that_do_not_come_back_are_refused_with_the_list(files, capsys, no_transfer, suffix):
    error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", f"out.{suffix}")
    assert "use one of .wav, .flac, .ogg, .mp3, .aiff" in error
    assert not list(files.glob("*out*"))


BAD_OUTPUTS = {
    "pipe": "no regular file",
    "folder": "is a folder; name a file in it",
    "": "is a folder; name a file in it",
    "nowhere/out": "is not a folder to write in",
    "content.wav/out": "is not a folder to write in",
    LONG: "at most 255 bytes",
}


@pytest.mark.parametrize("output", BAD_OUTPUTS)
def test_outputs_of_a_transfer(files, capsys, no_transfer, output):
    name = f"{output}.wav" if output not in ("folder", "") else output
    before = sorted(files.iterdir())
    error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", name)
    assert BAD_OUTPUTS[output] in error
    assert sorted(files.iterdir()) == before
    assert (files / "pipe.wav").is_fifo()


@pytest.mark.parametrize("output", BAD_OUTPUTS)
def test_outputs_of_speakers(files, capsys, monkeypatch, output):
    monkeypatch.setattr("audiostyle.speakers.table.score_methods", lambda *_, **__: pytest.fail("it began"))
    name = f"{output}.json" if output not in ("folder", "") else output
    before = sorted(files.iterdir())
    assert BAD_OUTPUTS[output] in refused(capsys, "speakers", "talk", "--json", name)
    assert sorted(files.iterdir()) == before
    assert (files / "pipe.json").is_fifo()


@pytest.mark.parametrize("link", [False, True])
def test_a_recording_is_not_replaced_by_the_table(files, capsys, link):
    recording = files / "talk" / "anna" / "0.wav"
    before = recording.read_bytes()
    corpus = "talk"
    if link:
        (files / "linked").symlink_to("talk")
        corpus = "linked"
    assert "one of the sounds read" in refused(capsys, "speakers", corpus, "--json", str(recording))
    assert recording.read_bytes() == before


def test_outputs_of_pairs(files, capsys, monkeypatch):
    monkeypatch.setattr("audiostyle.commands.pairs.write_pair", lambda *_, **__: pytest.fail("it began"))
    folder = paths.results_root() / "smoke" / "bundled"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pairs.csv")
    monkeypatch.setattr(clips, "current_edition", lambda: "bundled")
    assert "no regular file" in refused(capsys, "pairs", "--preset", "smoke")


BAD_SOUNDS = {
    "missing.wav": "does not exist",
    "": "several results go into a folder",
    "folder": "folder holds no sound files",
    "text.wav": "is not a sound file",
    "empty.wav": "is empty",
    "content.wav/x": "does not exist",
    LONG + LONG: "File name too long",
}


@pytest.mark.parametrize("sound", BAD_SOUNDS)
@pytest.mark.parametrize("place", [0, 1])
def test_sounds_that_cannot_be_read(files, capsys, no_transfer, sound, place):
    sounds = ["content.wav", "style.wav"]
    sounds[place] = sound
    error = refused(capsys, "transfer", *sounds, "-o", "out.wav")
    assert BAD_SOUNDS[sound] in error or "Not a directory" in error
    assert not (files / "out.wav").exists()


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("missing", "does not exist"),
        ("content.wav", "is a file"),
        ("folder", "no "),
        (LONG + LONG, "too long"),
    ],
)
def test_corpora_that_are_none(files, capsys, corpus, message):
    assert message in refused(capsys, "speakers", corpus, "--quiet")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--n-speakers", "-1"], ""),
        (["--n-speakers", "0"], ""),
        (["--n-speakers", HUGE], ""),
        (["--per-speaker", "-1"], ""),
        (["--per-speaker", HUGE], ""),
        (["--seeds", "0"], "n_seeds=0 is not allowed"),
        (["--encoder", "random", "--n-filters", "0"], "n_filters=0 is not allowed"),
        (["--encoder", "random", "--n-filters", HUGE], "is not allowed"),
        (["--jobs", "0"], "--jobs 0 is not allowed"),
        (["--jobs", "-3"], "--jobs -3 is not allowed"),
        (["--pairs", "0"], "--pairs 0 is not allowed"),
        (["--pairs", "10"], "a multiple of 4"),
        (["--sketches", "known"], "give both"),
        (["--methods", ""], "method='' is not allowed"),
        (["--speakers", ","], "has no speaker"),
        (["--speakers", "anna"], "two or more speakers are needed"),
    ],
    ids=lambda value: value[-1][:8] if isinstance(value, list) else "",
)
def test_options_of_speakers(files, capsys, words, message):
    assert message in refused(capsys, "speakers", "talk", "--quiet", "--no-cache", *words)


@pytest.mark.parametrize("port", ["-1", "0", "65536", HUGE])
def test_ports_of_the_app(capsys, port):
    assert "is not allowed; it must be from 1 to 65535" in refused(
        capsys, "app", "--no-browser", "--port", port
    )


def test_a_full_disk_is_named(files, capsys, monkeypatch):
    write = soundfile.write

    def full(target, *words, **options):
        if isinstance(target, os.PathLike):
            raise soundfile.LibsndfileError(2)
        write(target, *words, **options)

    monkeypatch.setattr(soundfile, "write", full)
    before = sorted(files.iterdir())
    said = refused(
        capsys, "transfer", "content.wav", "style.wav", "-o", "out.wav", "--quiet", "--balance", "0"
    )
    assert "out.wav cannot be written whole; is the disk full?" in said
    assert sorted(files.iterdir()) == before


def test_no_more_processes_than_cores(files, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "audiostyle.speakers.sketch.workers", lambda *words: seen.append(words) or nullcontext()
    )
    main(["speakers", "talk", "--jobs", "1000000", "--methods", "chance", "--quiet"])
    assert seen == [(os.cpu_count(), None)]


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "hpu", "privateuseone", "xla", "abacus", ""])
@pytest.mark.parametrize("command", ["transfer", "speakers"])
def test_devices_that_are_not_there(files, capsys, no_transfer, command, device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("a GPU is here")
    words = ["content.wav", "style.wav", "-o", "out.wav"] if command == "transfer" else ["talk", "--quiet"]
    error = refused(capsys, command, *words, "--device", device)
    assert re.search(rf"--device {device} ?cannot be used here \(.+\); use cpu", error)


def test_a_transfer_beyond_the_memory_is_refused(files, capsys):
    for words in (["--n-fft", "2000000000"], ["--encoder", "random", "--n-filters", "2000000000"]):
        error = refused(capsys, "transfer", "content.wav", "style.wav", "-o", "out.wav", "--quiet", *words)
        assert re.search(
            r"need about \d+\.\d GB of memory and \d+\.\d GB are free; take a longer hop_length", error
        )


def test_a_transfer_that_takes_hours_says_so_before_it_begins(files, capsys, monkeypatch):
    monkeypatch.setattr(
        transfer, "transfer_style", lambda *_, **__: (_ for _ in ()).throw(ValueError("begun"))
    )
    soundfile.write("long.wav", np.tile(soundfile.read("content.wav")[0], 15), SR)
    words = ["transfer", "long.wav", "style.wav", "-o", "out.wav"]
    assert main([*words, "--n-fft", "4", "--hop-length", "1", "--balance", "0.6"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"audiostyle transfer: this will take long, some \d+ minutes for each of up to 380 iterations on two cores; "
        r"a longer --hop-length or a shorter --duration takes less", said[0],
    )  # fmt: skip
    assert said[1] == "audiostyle transfer: error: begun"
    assert main(words) == 2
    assert capsys.readouterr().err == "audiostyle transfer: error: begun\n"


def test_a_warning_is_one_line_without_a_place_in_the_code(files, capsys, monkeypatch):
    import warnings

    def warn(*_, **__):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("some of it\nis short", stacklevel=2)
        raise ValueError("seen enough")

    monkeypatch.setattr("audiostyle.speakers.table.score_methods", warn)
    main(["speakers", "talk"])
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("audiostyle speakers: talk (folders): 2 speakers of ")
    assert said[1] == "audiostyle speakers: some of it is short"


def _examples(*, several):
    """The transfers that README, the results and the help show, as lists of words: of one result, or of several."""
    pages = "\n".join((paths.root() / name).read_text() for name in ("README.md", "results/README.md"))
    found = re.findall(r"\baudiostyle (transfer .+ -o .+)", pages.replace("\\\n", " ") + EXAMPLES)
    words = [shlex.split(line) for line in found if "--recipe" not in line]
    return [line for line in words if several == ("results" in line)]


@pytest.mark.parametrize("words", _examples(several=False), ids=" ".join)
def test_every_example_works_for_a_style_of_three_seconds(tmp_path, monkeypatch, content, style, words):
    monkeypatch.chdir(tmp_path)
    content, style = np.tile(content, 20), np.tile(style, 2)  # 40 s and 3 s
    for name, y in zip(words[1:3], (content, style), strict=True):
        soundfile.write(name, y, SR)
    seen = {}

    def record(content, style, sr, config, progress):
        seen.update(content=len(content) / sr, style=len(style) / sr)
        raise ValueError("seen enough")

    monkeypatch.setattr(transfer, "transfer_style", record)
    main(words)
    assert seen["style"] == pytest.approx(3, abs=0.05)
    assert seen["content"] == pytest.approx(10 if "--content-duration" in words else 40, abs=0.05)


@pytest.mark.parametrize("words", _examples(several=True), ids=" ".join)
def test_every_example_of_several_results_works(tmp_path, monkeypatch, content, style, words):
    monkeypatch.chdir(tmp_path)
    if "takes" in words:
        (tmp_path / "takes").mkdir()
        names = ["takes/a.wav", "takes/b.wav", "piano.flac"]
    else:
        names = [word for word in words if word.endswith(".wav")]
    for name in names:
        soundfile.write(name, style if name in words[words.index("-o") - 1] else content, SR)
    assert main([*words, "--quiet"]) == 0
    assert len(list((tmp_path / "results").glob("*__*.wav"))) == 2


def test_there_are_examples_to_try():
    assert len(_examples(several=False)) >= 7
    assert len(_examples(several=True)) >= 2


def test_ctrl_c_exits_with_130_and_leaves_no_file(files):
    """A real signal to a real process, once it works."""
    soundfile.write("long.wav", np.tile(soundfile.read("content.wav")[0], 10), SR)
    words = ["-m", "audiostyle", "transfer", "long.wav", "style.wav", "-o", "out.wav"]
    options = ["--hop-length", "64", "--method", "gram"]
    before = sorted(files.iterdir())
    process = subprocess.Popen(
        [sys.executable, *words, *options],
        env=os.environ | {"PYTHONPATH": str(paths.root()), "OMP_NUM_THREADS": "1"},
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
    assert said.endswith(b"audiostyle transfer: interrupted; no file is left half written\n")
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (ZeroDivisionError, 0)])
def test_ctrl_c_is_heard_where_python_drops_it(monkeypatch, capsys, error, code):
    """A KeyboardInterrupt within the callback of a weak reference is reported as ignored, and nothing stops."""
    reported = []

    class Referent:
        pass

    def interrupted(_):
        raise error

    def run(_):
        referent = Referent()
        kept = weakref.ref(referent, interrupted)
        del referent
        assert kept() is None
        for _ in range(500 if code else 0):
            time.sleep(0.01)

    def hook(dropped):
        reported.append(dropped.exc_type)

    parser = argparse.ArgumentParser()
    parser.set_defaults(command="transfer", run=run)
    monkeypatch.setattr("audiostyle.__main__.build_parser", lambda: parser)
    monkeypatch.setattr(sys, "unraisablehook", hook)
    assert main([]) == code
    assert sys.unraisablehook is hook
    assert reported == ([] if code else [error])
    if code:
        assert capsys.readouterr().err == "audiostyle transfer: interrupted; no file is left half written\n"
