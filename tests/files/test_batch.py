import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import soundfile

from audiostyle.__main__ import main
from audiostyle.files.recipe import load_recipe
from tests.signals import SR, elsewhere

COMMAND = [sys.executable, "-m", "audiostyle", "transfer"]


@pytest.fixture
def work(tmp_path, monkeypatch, content, style):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for i in range(3):
        soundfile.write(f"in/{i}.wav", np.roll(content, 3000 * i)[:SR], SR)
    soundfile.write("style.wav", style[:SR], SR)
    soundfile.write("other.wav", content[:SR][::-1], SR)
    return tmp_path


def run(*words):
    return main(["transfer", *words, "--quiet"])


def make(*more):
    return run("in", "style.wav", "-o", "out", *more)


def table():
    return pd.read_csv("out/results.csv")


def test_every_content_is_made_and_a_broken_one_is_named(work, capsys):
    (work / "in" / "1.wav").write_text("no sound")
    assert make() == 1
    said = capsys.readouterr()
    assert "2 made, 0 there already, 1 failed" in said.out
    assert said.err.count("\n") == 1
    assert "in/1.wav" in said.err
    found = sorted(path.name for path in (work / "out").iterdir())
    assert found == ["0__style.wav", "0__style.wav.json", "2__style.wav", "2__style.wav.json", "results.csv"]
    rows = table().set_index("result")
    assert rows["status"].tolist() == ["made", "failed", "made"]
    assert rows.loc["0__style.wav", "sr"] == SR
    assert rows.loc["0__style.wav", "took"] > 0
    assert "1.wav" in rows.loc["1__style.wav", "error"]


def test_only_what_is_missing_is_made(work, capsys):
    assert make() == 0
    made = {path.name: path.stat().st_mtime_ns for path in (work / "out").glob("*.wav")}
    (work / "out" / "1__style.wav").unlink()
    assert make() == 0
    assert "1 made, 2 there already, 0 failed" in capsys.readouterr().out
    again = {path.name: path.stat().st_mtime_ns for path in (work / "out").glob("*.wav")}
    assert {name for name in made if made[name] != again[name]} == {"1__style.wav"}
    assert table()["status"].tolist() == ["kept", "made", "kept"]
    assert table()["took"].notna().all()
    # of other settings, and of a content that changed, all and one are made again
    assert make("--balance", "0.3") == 0
    assert "3 made" in capsys.readouterr().out
    soundfile.write("in/2.wav", soundfile.read("other.wav")[0], SR)
    assert make("--balance", "0.3") == 0
    assert "1 made, 2 there already" in capsys.readouterr().out


def test_all_pairs_of_two_folders(work):
    (work / "styles").mkdir()
    for name in ("style.wav", "other.wav"):
        (work / name).rename(work / "styles" / name)
    assert run("in", "styles", "-o", "out") == 0
    assert len(list((work / "out").glob("*__*.wav"))) == 6
    assert table()["result"].tolist()[:2] == ["0__other.wav", "0__style.wav"]


def test_several_styles_are_one_and_its_recipe_makes_it_again(work):
    words = ["--style", "style.wav", "--style", "other.wav"]
    assert run("in/0.wav", "in/1.wav", *words, "-o", "out", "--format", "flac", "--subtype", "pcm_24") == 0
    settings = work / "out" / "0__style+other.flac.json"
    recipe = load_recipe(settings)
    assert len(recipe.more) == 1
    assert run("--recipe", str(settings), "-o", "again.flac") == 0
    first, again = (soundfile.read(name)[0] for name in ("out/0__style+other.flac", "again.flac"))
    np.testing.assert_array_equal(first, again)
    exec(compile(recipe.python("python.flac"), "snippet", "exec"), {})
    np.testing.assert_array_equal(soundfile.read("python.flac")[0], first)


def test_a_content_that_broke_leaves_the_earlier_result(work, capsys):
    assert make() == 0
    kept = {path.name: path.read_bytes() for path in (work / "out").glob("1__*")}
    assert len(kept) == 2
    whole = (work / "in" / "1.wav").read_bytes()
    (work / "in" / "1.wav").write_bytes(whole[:1000])
    assert make() == 1
    assert kept == {path.name: path.read_bytes() for path in (work / "out").glob("1__*")}
    (work / "in" / "1.wav").write_bytes(whole)
    capsys.readouterr()
    assert make() == 0
    assert "0 made, 3 there already" in capsys.readouterr().out


@pytest.mark.parametrize(("at", "then"), [("one.open_writer", "--balance 0.3"), ("batch.write_settings", "")])
def test_after_a_stop_no_older_sound_or_settings_pass_for_the_new(work, monkeypatch, capsys, at, then):
    assert make() == 0
    older = (work / "out" / "1__style.wav").read_bytes()

    def full(*_, **__):
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(f"audiostyle.files.{at}", full)
        assert make("--balance", "0.3") == 1
    assert ((work / "out" / "1__style.wav").read_bytes() == older) == (at == "one.open_writer")
    capsys.readouterr()
    assert make(*then.split()) == 0
    assert "3 made, 0 there already" in capsys.readouterr().out


def test_a_recipe_cuts_the_file_that_it_cut_and_writes_as_it_wrote(work):
    options = ["--content-start", "0.5", "--sr", "16000", "--subtype", "pcm_24"]
    assert run("in/0.wav", "in/1.wav", "--style", "style.wav", "-o", "out", *options) == 0
    recipe = ["--recipe", "out/1__style.wav.json"]
    assert run(*recipe, "in", "--style", "style.wav", "-o", "again") == 0
    found = [soundfile.info(f"again/{i}__style.wav") for i in range(3)]
    assert [info.frames for info in found] == [16000, 8000, 16000]
    assert {(info.samplerate, info.subtype) for info in found} == {(16000, "PCM_24")}
    assert run(*recipe, "-o", "one.wav", "--sr", "8000", "--subtype", "PCM_16") == 0
    one = soundfile.info("one.wav")
    assert (one.frames, one.samplerate, one.subtype) == (4000, 8000, "PCM_16")


def test_a_recipe_with_a_wrong_value_is_refused_in_one_line(work, capsys):
    assert run("in/0.wav", "in/1.wav", "--style", "style.wav", "-o", "out") == 0
    settings = work / "out" / "0__style.wav.json"
    kept = json.loads(settings.read_text())
    for name, value in (
        ("content", {"start": "abc"}), ("content", {"path": 5}), ("style", {"duration": "x"}),
        ("delivery", {"colour": 1}),
    ):  # fmt: skip
        wrong = kept[name] | value if isinstance(value, dict) else value
        settings.write_text(json.dumps(kept | {name: wrong}))
        capsys.readouterr()
        assert run("--recipe", str(settings), "-o", "again.wav") == 2
        said = capsys.readouterr().err
        assert settings.name in said
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("folder style.wav -o out", "folder holds no sound"), ("in style.wav -o in", "lies in in"),
        ("in style.wav -o in/out", "lies in in"), ("in style.wav -o out.wav", "out.wav names a file"),
        ("in style.wav -o note", "note is not a folder"), ("in style.wav -o out -j 0", "at least 1"),
        ("in style.wav -o out --format xyz", "xyz"), ("in style.wav -o out --report a.html", "of one result"),
        ("in/0.wav a/0.wav --style style.wav -o out", "called 0__style.wav"),
        ("in/0.wav in/1.wav style.wav -o out", "--style"), ("in --style in --style style.wav -o out", "one style"),
        ("long style.wav -o out", "255 bytes"), ("in missing.wav -o out/a/b", "failed"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(work, capsys, words, quoted):
    for name in ("folder", "a", "long"):
        (work / name).mkdir()
    (work / "note").write_text("x")
    for name in ("a/0.wav", f"long/{'x' * (255 - len('__style.wav'))}.wav"):
        soundfile.write(name, np.ones(10), SR)
    code = run(*words.split())
    said = capsys.readouterr()
    assert quoted in said.out + said.err
    assert code in (1, 2)
    assert code == 1 or said.err.count("\n") == 1
    assert not list(work.glob("out/*__*.wav"))


def test_folder_without_permission(work, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    assert make() == 2
    assert "no permission" in capsys.readouterr().err


@pytest.mark.parametrize("rate", [SR, 44056])
def test_report_holds_sounds_numbers_and_settings_at_rates_that_no_player_takes(work, rate):
    assert run("in/0.wav", "style.wav", "-o", "a.wav", "--report", "a.html", "--sr", str(rate)) == 0
    page = (work / "a.html").read_text()
    assert page.count("data:audio/mpeg;base64,") == 3
    assert page.count("data:image/png;base64,") == 1
    assert "gain_db" in page
    assert "kernel_size" in page
    assert "http" not in page.replace("https://www.w3.org", "")


def test_killed_at_any_moment_nothing_is_half_written(work):
    """A real process, killed twice; what it leaves is whole, and the next one makes only the rest."""
    words = [*COMMAND, "in", "style.wav", "-o", "out", "--quiet"]
    wholes = {}
    for wanted in (1, 2):
        process = subprocess.Popen(words, env=elsewhere(), stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list((work / "out").glob("*__*.json"))) < wanted:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in (work / "out").glob("[0-9]*__*.wav"):
            y, sr = soundfile.read(path)
            assert (len(y), sr) == (SR, SR)
            # Killed between a sound and its settings, the sound is made again.
            if (settings := path.with_name(path.name + ".json")).exists():
                json.loads(settings.read_text())
                assert wholes.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    assert make() == 0
    assert set(table()["status"]) <= {"made", "kept"}
    assert (table()["status"] == "kept").sum() == len(wholes) > 0


def test_names_that_are_no_text_do_not_stop_the_others(work, capsys):
    """Neither in the table nor in the settings, nor on a terminal that cannot print them."""
    odd = os.fsdecode(b"m\xe9.wav")
    (work / "in" / "0.wav").rename(work / "in" / odd)
    (work / "in" / "1.wav").rename(work / "in" / "日本.wav")
    assert make() == 0
    assert table()["status"].tolist() == ["made"] * 3
    settings = next(path for path in (work / "out").glob("*.json") if "\udce9" in path.name)
    assert load_recipe(settings).content.path.endswith(odd)
    assert make() == 0
    assert "0 made, 3 there already" in capsys.readouterr().out
    words = [*COMMAND, "in/日本.wav", "style.wav", "-o", "日本.wav", "--quiet"]
    subprocess.run(words, env=elsewhere(PYTHONIOENCODING="cp1252"), check=True)


def test_a_batch_that_moved_finds_its_sounds_beside_the_settings_unless_they_changed(work, tmp_path, capsys):
    assert run("in/0.wav", "in/1.wav", "--style", "style.wav", "-o", "out") == 0
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in ("in/0.wav", "style.wav", "out/0__style.wav.json"):
        (work / path).rename(moved / os.path.basename(path))
    assert run("--recipe", str(moved / "0__style.wav.json"), "-o", "again.wav") == 0
    first, again = (soundfile.read(name)[0] for name in ("out/0__style.wav", "again.wav"))
    np.testing.assert_array_equal(first, again)
    (work / "other.wav").rename(moved / "0.wav")
    assert run("--recipe", str(moved / "0__style.wav.json"), "-o", "again.wav") == 2
    assert "0.wav is not the file" in capsys.readouterr().err
