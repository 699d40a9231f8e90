import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
import soundfile
import torch

from audiostyle import __version__
from audiostyle.__main__ import main
from audiostyle.config import TransferConfig, option
from audiostyle.datasets import paths
from audiostyle.files import presets
from audiostyle.matching import match_timbre
from audiostyle.sound.audio import load_audio
from audiostyle.sound.levels import match_loudness

SR = 22050
FAST = ["--quiet", "--duration", "1"]


@pytest.fixture
def files(tmp_path, content, style):
    soundfile.write(tmp_path / "content.wav", content, SR)
    soundfile.write(tmp_path / "style.flac", np.stack([style, style], axis=1), 16000)
    return tmp_path


def run(files, *options, content="content.wav", style="style.flac", output="out.wav"):
    return main(
        ["transfer", str(files / content), str(files / style), "-o", str(files / output), *FAST, *options]
    )


@pytest.mark.parametrize("output", ["out.wav", "out.ogg", "out.flac", "out.mp3"])
def test_transfer_of_two_files(files, output, capsys):
    assert run(files, output=output) == 0
    y, sr = soundfile.read(files / output)
    assert sr == SR
    assert np.max(np.abs(y)) > 0.001
    said = capsys.readouterr()
    assert "filtered to the matched timbre" in said.out
    assert said.out.endswith("The sound has the content's loudness.\n")
    assert "Warning" not in said.err


def test_default_filters_to_the_matched_timbre_and_says_so_in_one_line(files, capsys):
    assert run(files) == 0
    said = capsys.readouterr()
    line = r"\S+out\.wav: 1\.0 s, filtered to the matched timbre, \d+\.\d s\. The sound .*\.\n"
    assert re.fullmatch(line, said.out), said.out
    assert said.err == ""
    (content, _), (style, _) = (
        load_audio(files / name, sr=SR, duration=1) for name in ("content.wav", "style.flac")
    )
    matched = match_loudness(match_timbre(content, style, sr=SR).y, content, SR).y
    np.testing.assert_allclose(soundfile.read(files / "out.wav")[0], matched, atol=1.01 / 2**15)


def test_options_reach_the_transfer(files):
    assert run(files, "--encoder", "random", "--n-filters", "32", "--balance", "0.9", "--seed", "3") == 0
    first = (files / "out.wav").read_bytes()
    assert run(files, "--encoder", "random", "--n-filters", "32", "--balance", "0.9", "--seed", "3") == 0
    assert (files / "out.wav").read_bytes() == first
    assert run(files, "--encoder", "random", "--n-filters", "32", "--balance", "0.9", "--seed", "4") == 0
    assert (files / "out.wav").read_bytes() != first


CHANGED = {
    "method": "gram", "balance": 0.9, "encoder": "random", "n_filters": 8, "kernel_size": 3, "activation": "none",
    "n_iter": 2, "phase": "griffin_lim", "sr": 16000, "level": 0.1, "n_fft": 4096, "hop_length": 256, "seed": 3,
    "device": "meta",
}  # fmt: skip


@pytest.mark.parametrize("setting", fields(TransferConfig), ids=lambda setting: setting.name)
def test_every_setting_has_an_option_that_reaches_the_transfer(files, monkeypatch, setting):
    seen = {}

    def record(content, style, sr, config, progress):
        seen.update(sr=sr, config=config)
        raise ValueError("seen enough")

    monkeypatch.setattr("audiostyle.transfer.transfer_style", record)
    value = CHANGED[setting.name]
    assert value != setting.default
    assert run(files, option(setting.name), str(value)) == 2
    assert seen["config"] == TransferConfig(**{setting.name: value})
    assert seen["sr"] == SR  # the content's own


def test_starts_and_durations_of_one_clip_come_before_those_of_both(files, monkeypatch, content):
    lengths = {}

    def record(content, style, sr, config, progress):
        lengths.update(content=len(content), style=len(style))
        raise ValueError("seen enough")

    monkeypatch.setattr("audiostyle.transfer.transfer_style", record)
    run(files, "--style-duration", "0.5")
    assert lengths == {"content": SR, "style": SR // 2}
    run(files, "--start", "1.2", "--style-start", "0")
    assert lengths == {"content": len(content) - round(1.2 * SR), "style": SR}


@pytest.mark.parametrize(
    ("options", "output", "message"),
    [
        (["--device", "cuda"], "out.wav", "--device cuda cannot be used here"),
        (["--device", "nonsense"], "out.wav", "--device nonsense cannot be used here"),
        (
            [],
            "out.raw",
            "no suffix that names a sound format written here; use one of .wav, .flac, .ogg, .mp3, .aiff",
        ),
        (["--sr", "12345"], "out.mp3", "cannot be written as MP3 at 12345 Hz"),
        ([], "content.wav", "one of the sounds read"),
        ([], ".", "is a folder; name a file"),
        (["--content-duration", "inf"], "out.wav", "duration=inf is not allowed"),
        (["--start", "-1"], "out.wav", "start=-1.0 is not allowed"),
        (["--n-fft", "512"], "out.wav", "at most n_fft / 2 = 256"),
        (["--n-fft", "2047"], "out.wav", "it must be even"),
        (["--level", "inf"], "out.wav", "from 1e-06 to 1e+06"),
    ],
)
def test_what_cannot_work_is_refused_before_the_work(files, monkeypatch, capsys, options, output, message):
    if options[1:] == ["cuda"] and torch.cuda.is_available():
        pytest.skip("a GPU is here")
    before = (files / "content.wav").read_bytes()
    monkeypatch.setattr("audiostyle.transfer.transfer_style", lambda *_, **__: pytest.fail("it began"))
    assert run(files, *options, output=output) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert (files / "content.wav").read_bytes() == before


def test_output_has_the_rate_asked_for_and_the_contents_duration(files):
    assert run(files, "--sr", "16000", "--n-iter", "2") == 0
    y, sr = soundfile.read(files / "out.wav")
    assert (sr, len(y)) == (16000, 16000)


def test_report_is_of_the_sound(files, capsys):
    quick = ["--phase", "griffin_lim", "--n-iter", "3"]
    assert run(files, *quick, "--method", "gram") == 0
    assert "3 iterations, " in (said := capsys.readouterr().out)
    assert "of the style loss removed, in the magnitudes" in said
    assert run(files, *quick) == 0
    assert "magnitudes" not in capsys.readouterr().out
    assert run(files, "--balance", "0") == 0
    assert "the content as it was" in capsys.readouterr().out


def test_starts_cut_each_file(files, content):
    assert run(files, "--content-start", "1.2", "--style-start", "0.1") == 0
    y, _ = soundfile.read(files / "out.wav")
    assert len(y) == len(content) - round(1.2 * SR)


def test_a_file_in_its_own_style(files):
    assert run(files, "--style-start", "1", style="content.wav") == 0


def _write(name):
    def make(folder):
        (folder / name).write_bytes(b"plain text " * 40)

    return make


def _silent(folder):
    soundfile.write(folder / "silent.wav", np.zeros(SR), SR)


def _short(folder):
    soundfile.write(folder / "short.wav", np.ones(2000) * 0.1, SR)


@pytest.mark.parametrize(
    ("changes", "options", "prepare", "message"),
    [
        ({"content": "missing.wav"}, [], None, "missing.wav does not exist"),
        ({"style": "."}, [], None, "out.wav names a file; several results go into a folder"),
        ({"content": "text.wav"}, [], _write("text.wav"), "not a sound file"),
        ({"content": "silent.wav"}, [], _silent, "content is silent"),
        ({"style": "silent.wav"}, [], _silent, "style is silent"),
        ({"content": "short.wav"}, [], _short, "less than one patch"),
        ({"output": "out.xyz"}, [], None, "no suffix that names a sound format"),
        ({"output": "nowhere/out.wav"}, [], None, "cannot be written"),
        ({}, ["--balance", "1.5"], None, "balance=1.5 is not allowed"),
        ({}, ["--n-filters", "0"], None, "n_filters=0 is not allowed"),
        ({}, ["--start", "100"], None, "no samples from 100 s on"),
        ({}, ["--duration", "-1"], None, "duration=-1"),
        ({}, ["--device", "abacus"], None, "--device abacus cannot be used here"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(files, changes, options, prepare, message, capsys):
    if prepare:
        prepare(files)
    assert run(files, *options, **changes) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("audiostyle transfer: error: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_failure_keeps_the_old_output(files):
    (files / "out.wav").write_bytes(b"kept")
    assert run(files, content="missing.wav") == 2
    assert (files / "out.wav").read_bytes() == b"kept"
    assert not list(files.glob(".out*"))


def test_folder_without_permission(files, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    monkeypatch.setattr("audiostyle.transfer.transfer_style", lambda *_, **__: pytest.fail("it began"))
    assert run(files) == 2
    assert "out.wav cannot be written: no permission in" in capsys.readouterr().err
    assert not (files / "out.wav").exists()


def test_unknown_preset(monkeypatch, capsys):
    assert main(["pairs", "--preset", "huge"]) == 2
    assert "preset='huge' is not allowed; it must be one of paper, quick, smoke" in capsys.readouterr().err
    monkeypatch.setenv("AUDIOSTYLE_PRESET", "vast")
    assert main(["pairs"]) == 2
    assert "preset='vast'" in capsys.readouterr().err


def test_preset_of_the_command_comes_before_the_environment(monkeypatch):
    assert presets.get_preset("smoke").name == "smoke"
    seen = []

    def record(pair, preset, folder):
        seen.append((preset.name, folder.parent.name))
        raise ValueError("seen enough")

    monkeypatch.setattr("audiostyle.commands.pairs.write_pair", record)
    monkeypatch.setenv("AUDIOSTYLE_PRESET", "paper")
    assert main(["pairs", "--preset", "smoke"]) == 2
    assert main(["pairs"]) == 2
    assert seen == [("smoke", "smoke"), ("paper", "paper")]


def test_interrupt_is_one_line_and_exit_code_130(files, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("audiostyle.transfer.transfer_style", interrupt)
    assert run(files) == 130
    assert capsys.readouterr().err.splitlines() == [
        "audiostyle transfer: interrupted; no file is left half written"
    ]
    assert not (files / "out.wav").exists()


def test_version_and_help(capsys):
    for arguments, expected in ((["--version"], __version__), (["transfer", "--help"], "examples:")):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert expected in capsys.readouterr().out


def test_help_answers_without_loading_what_computes():
    code = (
        "import sys; import audiostyle.__main__ as m; m.build_parser(); "
        "print(*{'torch', 'pandas', 'librosa', 'numpy', 'matplotlib'} & sys.modules.keys())"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=paths.root(), capture_output=True, text=True
    ).stdout
    assert loaded.split() == []


def test_pairs_writes_results(monkeypatch, capsys):
    import pandas as pd

    from audiostyle.datasets import clips
    from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE

    monkeypatch.setattr(clips, "current_edition", lambda: "bundled")
    assert main(["pairs", "instrument-1", "--preset", "smoke"]) == 0
    assert capsys.readouterr().out.startswith("[1/1] instrument-1: ")
    folder = paths.results_root() / "smoke" / "bundled"
    table = pd.read_csv(folder / "pairs.csv")
    assert set(table["method"]) == {
        COPY_CONTENT,
        COPY_STYLE,
        "equaliser",
        "256 filters, Griffin-Lim",
        "infinite, Griffin-Lim",
        "infinite, polish",
        "matched timbre",
    }
    assert table["spectral_convergence_db"].notna().tolist() == table["method"].str.contains(", ").tolist()
    assert (folder / "figures" / "instrument-1.png").stat().st_size > 10_000
    assert list((folder / "audio").glob("instrument-1*.ogg"))


@pytest.fixture
def corpus(tmp_path, rng, make_melody):
    for speaker, pitch in (("anna", 200), ("bert", 120)):
        (tmp_path / "talk" / speaker).mkdir(parents=True)
        for i in range(4):
            y = make_melody(
                pitch * (1 + 0.1 * rng.random(4)), harmonics=[1, 0.4, 0.2 + (pitch > 150)], sr=16000
            )
            soundfile.write(tmp_path / "talk" / speaker / f"{i}.wav", y, 16000)
    return tmp_path / "talk"


def test_distances_are_kept_unless_the_command_says_no(corpus, capsys):
    command = ["speakers", str(corpus), "--methods", "nearest", "--quiet"]
    printed = []
    for options, kept in ((["--no-cache"], False), ([], True), ([], True)):
        assert main([*command, *options]) == 0
        assert any(paths.cache_dir().rglob("*.npz")) == kept
        printed.append([line.split()[:-1] for line in capsys.readouterr().out.splitlines()])
    assert printed[0] == printed[1] == printed[2], "but for the seconds, which end each line"


def test_speakers_writes_the_rows_as_json(corpus, tmp_path):
    options = ["--methods", "paper,chance", "--json", str(tmp_path / "table.json"), "--no-cache", "--quiet"]
    assert main(["speakers", str(corpus), *options]) == 0
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [(row["method"], row["split"]) for row in rows] == [
        (method, split) for method in ("paper", "chance") for split in ("alternate", "halves")
    ]
    assert ",".join(rows[0]) == (
        "corpus,method,encoder,split,text,n_speakers,n_train,n_test,n_correct,accuracy,ci_low,ci_high,seed,seconds"
    )
    assert rows[0]["corpus"] == "talk"
    assert rows[0]["encoder"] == "infinite"
    assert rows[0]["seed"] is None
    assert rows[2]["encoder"] is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--split", "halves"], {"split": ["halves"], "text": ["any"], "n_train": [4], "n_test": [4]}),
        # sentences 0 to 3 and 1 to 4: of all five the first three train, and bert has two of them
        (["--split", "halves", "--text", "disjoint"], {"text": ["disjoint"], "n_train": [5], "n_test": [3]}),
        (["--split", "alternate"], {"split": ["alternate"]}),
        (["--methods", "chance,spectrum"], {"method": ["chance"] * 2 + ["spectrum"] * 2}),
        (["--encoder", "random", "--n-filters", "16"], {"encoder": ["random-16"] * 2, "seed": [0] * 2}),
        (["--encoder", "random", "--n-filters", "8", "--seeds", "2"], {"seed": [0, 0, 1, 1]}),
        (["--per-speaker", "2"], {"n_train": [2] * 2, "n_test": [2] * 2}),
        (["--speakers", "bert,carl"], {"n_speakers": [2] * 2}),
        (["--n-speakers", "2"], {"n_speakers": [2] * 2}),
    ],
)  # fmt: skip
def test_every_option_of_speakers_reaches_the_table(corpus, tmp_path, options, expected):
    for i in range(4):  # bert reads the sentences one later, so that text matters to the split
        (corpus / "bert" / f"{3 - i}.wav").rename(corpus / "bert" / f"{4 - i}.wav")
    if "speakers" in options[0]:
        shutil.copytree(corpus / "anna", corpus / "carl")
    options = ["--methods", "paper", *options] if "--methods" not in options else options
    file = tmp_path / "table.json"
    assert main(["speakers", str(corpus), *options, "--json", str(file), "--no-cache", "--quiet"]) == 0
    rows = json.loads(file.read_text())
    assert {name: [row[name] for row in rows] for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--speakers", "anna,carl"], "talk has no speaker carl; it has anna, bert"),
        (["--per-speaker", "9"], "needs 9 or more utterances, and there are anna: 4, bert: 4"),
        (["--methods", "magic"], "method='magic' is not allowed"),
        (["--json", "nowhere/at/all.json"], "is not a folder to write in"),
    ],
)
def test_bad_speaker_options_are_one_line(corpus, options, message, capsys):
    assert main(["speakers", str(corpus), "--quiet", "--no-cache", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_speakers_identify_from_a_corpus_and_from_its_sketches_alone(corpus, tmp_path, capsys):
    new = shutil.copy(corpus / "bert" / "0.wav", tmp_path / "new.wav")
    (corpus / "bert" / "0.wav").unlink()
    options = ["--identify", str(new), "--quiet", "--pairs", "64"]
    assert main(["speakers", str(corpus), "--sketches", str(tmp_path / "known"), *options]) == 0
    first = capsys.readouterr().out
    assert first.splitlines()[1].split()[:3] == [str(new), "bert", "anna"]
    shutil.rmtree(corpus)
    assert main(["speakers", str(tmp_path / "known"), *options]) == 0
    assert capsys.readouterr().out == first
    assert main(["speakers", str(tmp_path / "known"), *options, "--json", str(tmp_path / "who.json")]) == 0
    assert capsys.readouterr().out == first
    (row,) = json.loads((tmp_path / "who.json").read_text())
    assert (row["file"], row["speaker"], row["second"]) == (str(new), "bert", "anna")
    assert main(["speakers", str(tmp_path / "known"), *options[:-1], "32"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert main(["speakers", str(tmp_path / "known"), *options, "--speakers", "anna,bert"]) == 2
    assert "go with a corpus" in capsys.readouterr().err


def test_speakers_identify_compares_no_more_than_was_asked_for(corpus, tmp_path, capsys):
    """A folder of sketches may hold others: of another corpus, of files that were moved since."""
    new = shutil.copy(corpus / "bert" / "0.wav", tmp_path / "new.wav")
    options = ["--identify", str(new), "--quiet", "--pairs", "64", "--sketches", str(tmp_path / "known")]
    shutil.copytree(corpus / "bert", corpus / "carl")
    assert main(["speakers", str(corpus), *options]) == 0
    capsys.readouterr()
    assert main(["speakers", str(corpus), *options, "--speakers", "anna,carl"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1:3] == ["carl", "anna"]


@pytest.mark.parametrize(
    ("options", "encoder"), [([], "sketch-2048"), (["--pairs", "64"], "sketch-64"), (["--exact"], "infinite")]
)
def test_large_corpora_are_sketched_unless_the_command_says_no(
    corpus, tmp_path, monkeypatch, options, encoder
):
    monkeypatch.setattr("audiostyle.speakers.table.SKETCH_FROM", 8)
    file = tmp_path / "table.json"
    command = ["speakers", str(corpus), "--methods", "best", "--json", str(file), "--no-cache", "--quiet"]
    assert main([*command, *options]) == 0
    assert {row["encoder"] for row in json.loads(file.read_text())} == {encoder}
