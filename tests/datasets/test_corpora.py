"""Corpora are found, ordered and read as documented, and say what is wrong with them."""

import numpy as np
import pytest

from audiostyle.datasets.corpora import find_corpus, load_recordings
from audiostyle.sound.audio import save_audio
from audiostyle.sound.levels import rms


def write(path, seed=0, *, seconds=0.3, sr=16000, level=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).standard_normal(int(seconds * sr)).astype(np.float32)
    save_audio(path, level * noise / 4, sr)
    return path


def names(corpus):
    return {speaker: [item.path.name for item in items] for speaker, items in corpus.utterances.items()}


def test_vctk_080(tmp_path):
    for name in ("p226/p226_002.wav", "p226/p226_001.wav", "p225/p225_010.wav", "p225/p225_009.wav"):
        write(tmp_path / "wav48" / name)
    (tmp_path / "txt" / "p225").mkdir(parents=True)
    corpus = find_corpus(tmp_path)
    assert (corpus.layout, corpus.name) == ("vctk", tmp_path.name)
    assert names(corpus) == {
        "p225": ["p225_009.wav", "p225_010.wav"],
        "p226": ["p226_001.wav", "p226_002.wav"],
    }
    assert [item.text for item in corpus.utterances["p225"]] == ["009", "010"]
    assert names(find_corpus(tmp_path / "wav48")) == names(corpus)


def test_vctk_092_takes_the_first_microphone(tmp_path):
    for speaker in ("p225", "s5"):
        for microphone in (1, 2):
            write(tmp_path / "wav48_silence_trimmed" / speaker / f"{speaker}_001_mic{microphone}.flac")
    corpus = find_corpus(tmp_path)
    assert names(corpus) == {"p225": ["p225_001_mic1.flac"], "s5": ["s5_001_mic1.flac"]}
    assert corpus.utterances["s5"][0].text == "001"


@pytest.mark.parametrize("below", ["", "test-clean", "LibriSpeech/test-clean"])
def test_librispeech_at_any_depth(tmp_path, below):
    for name in ("61/70970/61-70970-0000.flac", "61/70968/61-70968-0001.flac", "121/1/121-1-0000.flac"):
        write(tmp_path / below / name)
    corpus = find_corpus(tmp_path)
    assert corpus.layout == "librispeech"
    assert names(corpus) == {"121": ["121-1-0000.flac"], "61": ["61-70968-0001.flac", "61-70970-0000.flac"]}
    assert {item.text for items in corpus.utterances.values() for item in items} == {None}


def test_plain_folders_and_the_sentences_their_names_tell(tmp_path):
    for name in (
        "bdl/arctic_a0002.wav",
        "slt/arctic_a0002.wav",
        "theo/7_theo_12.wav",
        "theo/theo take 3.wav",
    ):
        write(tmp_path / name)
    (tmp_path / "bdl" / "notes.txt").write_text("not a sound")
    corpus = find_corpus(tmp_path)
    texts = {item.path.name: item.text for items in corpus.utterances.values() for item in items}
    assert corpus.speakers == ("bdl", "slt", "theo")
    assert texts == {"arctic_a0002.wav": "arctic_a0002", "7_theo_12.wav": "7", "theo take 3.wav": None}


def test_hidden_files_are_no_speech(tmp_path):
    """Such as the resource forks that some systems leave beside every file they copy."""
    for layout in ("a/{}", "test-clean/61/1/{}", "wav48/p225/{}"):
        root = tmp_path / layout.split("/")[0]
        for name in ("x.wav", "._x.wav", ".y.flac"):
            write(root / layout.format(name))
        assert [*names(find_corpus(root)).values()] == [["x.wav"]], layout


def test_speakers_are_sorted_as_strings_and_the_first_n_are_taken(tmp_path):
    for speaker in ("9", "10", "1089"):
        for number in (3, 1, 2):
            write(tmp_path / speaker / f"{number}.wav", seed=int(speaker) + number)
    assert find_corpus(tmp_path).speakers == ("10", "1089", "9")
    items = load_recordings(tmp_path, speakers=2, per_speaker=2)
    assert items.speakers.tolist() == ["10", "10", "1089", "1089"]
    assert [path.name for path in items.paths] == ["1.wav", "2.wav"] * 2
    named = load_recordings(tmp_path, speakers=["9", "10"])
    assert named.speakers.tolist() == ["10"] * 3 + ["9"] * 3


def test_everything_is_read_at_16_khz_and_levelled(tmp_path):
    for speaker, sr, level in (("a", 8000, 0.01), ("b", 48000, 0.5)):
        for number in range(2):
            write(tmp_path / speaker / f"{number}.wav", seed=number, sr=sr, level=level, seconds=0.5)
    items = load_recordings(tmp_path)
    np.testing.assert_allclose(items.seconds(), 0.5, atol=1e-3)
    assert [rms(y) for y in items.ys] == pytest.approx([0.05] * 4, rel=1e-4)


def test_files_that_are_silent_or_broken_are_skipped_and_named(tmp_path):
    for speaker in ("a", "b"):
        for number in range(4):
            write(tmp_path / speaker / f"{number}.wav", seed=number)
    (tmp_path / "a" / "0.wav").write_bytes(b"RIFF no sound at all")
    (tmp_path / "b" / "1.wav").write_bytes(b"")
    save_audio(tmp_path / "b" / "2.wav", np.zeros(4000, dtype=np.float32), 16000)
    with pytest.warns(UserWarning, match=r"skipped 3 files .*a/0\.wav, .*b/1\.wav, .*b/2\.wav"):
        items = load_recordings(tmp_path, per_speaker=2)
    assert [path.name for path in items.paths] == ["1.wav", "2.wav", "0.wav", "3.wav"]
    assert len(items.skipped) == 3


def test_too_few_utterances_list_the_counts(tmp_path):
    for speaker, count in (("a", 3), ("b", 1)):
        for number in range(count):
            write(tmp_path / speaker / f"{number}.wav", seed=number)
    with pytest.raises(ValueError, match="needs 2 or more utterances, and there are a: 3, b: 1"):
        load_recordings(tmp_path)
    with pytest.raises(ValueError, match="needs 3 or more utterances, and there are a: 3, b: 1"):
        load_recordings(tmp_path, per_speaker=3)


def test_too_few_readable_utterances_list_the_counts(tmp_path):
    for speaker in ("a", "b"):
        for number in range(2):
            write(tmp_path / speaker / f"{number}.wav", seed=number)
    (tmp_path / "b" / "1.wav").write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="skipped 1 files"),
        pytest.raises(ValueError, match="and there are a: 2, b: 1"),
    ):
        load_recordings(tmp_path)


def test_bad_questions_get_clear_answers(tmp_path):
    for speaker in ("a", "b"):
        for number in range(2):
            write(tmp_path / speaker / f"{number}.wav", seed=number)
    with pytest.raises(ValueError, match="no speaker c; it has a, b"):
        load_recordings(tmp_path, speakers=["a", "c"])
    with pytest.raises(ValueError, match="two or more speakers are needed"):
        load_recordings(tmp_path, speakers=["a"])
    with pytest.raises(ValueError, match="speakers=3"):
        load_recordings(tmp_path, speakers=3)
    with pytest.raises(TypeError, match="list of names"):
        load_recordings(tmp_path, speakers="ab")
    with pytest.raises(ValueError, match="per_speaker=1"):
        load_recordings(tmp_path, per_speaker=1)
    with pytest.raises(FileNotFoundError, match="fetch vctk"):
        find_corpus(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is a file"):
        find_corpus(tmp_path / "a" / "0.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no corpus"):
        find_corpus(tmp_path / "empty")
