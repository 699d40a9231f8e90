import json
import os
import shutil
from contextlib import nullcontext

import pytest
import soundfile

from audiostyle.__main__ import main
from audiostyle.datasets import paths
from tests.signals import melody

HUGE = str(10**400)


@pytest.fixture
def corpus(tmp_path, rng):
    for speaker, pitch, third in (("anna", 200, 1.2), ("bert", 120, 0.2)):
        (tmp_path / "talk" / speaker).mkdir(parents=True)
        for i in range(4):
            notes = pitch * (1 + 0.1 * rng.random(4))
            y = melody(notes, harmonics=[1, 0.4, third], sr=16000)
            soundfile.write(tmp_path / "talk" / speaker / f"{i}.wav", y, 16000)
    return tmp_path / "talk"


def test_distances_are_kept_unless_the_command_says_no(corpus, capsys):
    command = ["speakers", str(corpus), "--methods", "cosine", "--quiet"]
    printed = []
    for options, kept in ((["--no-cache"], False), ([], True), ([], True)):
        assert main([*command, *options]) == 0
        assert any(paths.cache_dir().rglob("*.npz")) == kept
        printed.append([line.split()[:-1] for line in capsys.readouterr().out.splitlines()])
    assert printed[0] == printed[1] == printed[2], "but for the seconds, which end each line"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--split", "halves"], {"split": ["halves"], "text": ["any"], "n_train": [4], "n_test": [4]}),
        (["--split", "alternate"], {"split": ["alternate"]}),
        (["--methods", "chance,spectrum"], {"method": ["chance"] * 2 + ["spectrum"] * 2}),
        (["--methods", "paper-16"], {"method": ["paper"] * 2, "encoder": ["random-16"] * 2, "seed": [0] * 2}),
        (["--methods", "paper-8", "--seeds", "2"], {"seed": [0, 0, 1, 1]}),
        (["--per-speaker", "2"], {"n_train": [2] * 2, "n_test": [2] * 2}),
        (["--speakers", "bert,carl"], {"n_speakers": [2] * 2}),
        (["--n-speakers", "2"], {"n_speakers": [2] * 2}),
        (["--methods", "best"], {"encoder": ["sketch-2048"] * 2}),
        (["--methods", "best", "--exact"], {"encoder": ["infinite"] * 2}),
    ],
)  # fmt: skip
def test_every_option_of_speakers_reaches_the_table(corpus, tmp_path, monkeypatch, options, expected):
    monkeypatch.setattr("audiostyle.speakers.table.SKETCH_FROM", 8)
    if "speakers" in options[0]:
        shutil.copytree(corpus / "anna", corpus / "carl")
    options = ["--methods", "paper", *options] if "--methods" not in options else options
    file = tmp_path / "table.json"
    assert main(["speakers", str(corpus), *options, "--json", str(file), "--no-cache", "--quiet"]) == 0
    rows = json.loads(file.read_text())
    assert {name: [row[name] for row in rows] for name in expected} == expected


def test_speakers_identify_from_a_corpus_and_from_its_sketches_alone(corpus, tmp_path, capsys):
    new = shutil.copy(corpus / "bert" / "0.wav", tmp_path / "new.wav")
    (corpus / "bert" / "0.wav").unlink()
    options = ["--identify", str(new), "--quiet"]
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
    assert main(["speakers", str(tmp_path / "known"), *options, "--speakers", "anna,bert"]) == 2
    assert "go with a corpus" in capsys.readouterr().err


def test_speakers_identify_compares_no_more_than_was_asked_for(corpus, tmp_path, capsys):
    """A folder of sketches may hold others: of another corpus, of files that were moved since."""
    new = shutil.copy(corpus / "bert" / "0.wav", tmp_path / "new.wav")
    options = ["--identify", str(new), "--quiet", "--sketches", str(tmp_path / "known")]
    shutil.copytree(corpus / "bert", corpus / "carl")
    assert main(["speakers", str(corpus), *options]) == 0
    capsys.readouterr()
    assert main(["speakers", str(corpus), *options, "--speakers", "anna,carl"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1:3] == ["carl", "anna"]


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("--n-speakers=-1", "-1"), ("--n-speakers=0", "0"), ("--n-speakers=3", "speakers=3"),
        (f"--n-speakers={HUGE}", "talk has 2"), ("--per-speaker=-1", "-1"), ("--per-speaker=1", "per_speaker=1"),
        (f"--per-speaker={HUGE}", "anna: 4"), ("--seeds=0", "n_seeds=0"),
        ("--per-speaker=9", "anna: 4, bert: 4"), ("--methods=magic", "method='magic'"), ("--methods=", "method=''"),
        ("--methods=paper-0", "n_filters=0"), (f"--methods=paper-{HUGE}", "n_filters="), ("--jobs=0", "--jobs 0"),
        ("--jobs=-3", "--jobs -3"), ("--sketches=known", "give both"), ("--speakers=,", "no speaker"),
        ("--speakers=anna", "two or more"), ("--speakers=anna,carl", "no speaker carl; it has anna, bert"),
        ("--json=nowhere/at/all.json", "nowhere"),
    ],
    ids=lambda value: value[:24],
)  # fmt: skip
def test_bad_options_are_one_line(corpus, capsys, words, quoted):
    assert main(["speakers", str(corpus), "--quiet", "--no-cache", words]) == 2
    error = capsys.readouterr().err
    assert quoted in error
    assert error.count("\n") == 1


def test_a_recording_is_not_replaced_by_the_table(corpus, capsys):
    recording = corpus / "anna" / "0.wav"
    before = recording.read_bytes()
    assert main(["speakers", str(corpus), "--json", str(recording)]) == 2
    assert "one of the sounds read" in capsys.readouterr().err
    assert recording.read_bytes() == before


def test_no_more_processes_than_cores_and_what_was_found_is_said(corpus, monkeypatch, capsys):
    seen = []
    workers = "audiostyle.speakers.sketch.workers"
    monkeypatch.setattr(workers, lambda *words: seen.append(words) or nullcontext())
    assert main(["speakers", str(corpus), "--jobs", "1000000", "--methods", "chance", "--quiet"]) == 0
    assert seen == [(os.cpu_count(), None)]
    assert "2 speakers of 4 utterances" in capsys.readouterr().err
