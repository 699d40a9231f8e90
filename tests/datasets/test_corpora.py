import numpy as np
import pytest

from audiostyle.datasets.corpora import Utterance, find_corpus, load_recordings, read_utterance
from audiostyle.sound.levels import rms
from audiostyle.sound.write import save_audio


def write(path, seed=0, *, seconds=0.3, sr=16000, level=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).standard_normal(int(seconds * sr)).astype(np.float32)
    save_audio(path, level * noise / 4, sr)
    return path


def fill(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


LIBRI = ("61/70970/61-70970-0000.flac", "61/70968/61-70968-0001.flac", "121/1/121-1-0000.flac")
LIBRI_FOUND = {"121": ["121-1-0000.flac"], "61": ["61-70968-0001.flac", "61-70970-0000.flac"]}
# Files of a folder called X; the layout; the files of each speaker.
LAYOUTS = {
    "VCTK 0.80": (
        ["wav48/p226/p226_002.wav", "wav48/p226/p226_001.wav", "wav48/p225/p225_010.wav"], "vctk",
        {"p225": ["p225_010.wav"], "p226": ["p226_001.wav", "p226_002.wav"]},
    ),
    "VCTK 0.92, the first microphone, beside 0.80": (
        [f"VCTK-Corpus-0.92/wav48_silence_trimmed/{s}/{s}_001_mic{m}.flac" for s in ("p225", "s5") for m in (1, 2)]
        + ["wav48/p225/p225_001.wav"], "vctk",
        {"p225": ["p225_001_mic1.flac"], "s5": ["s5_001_mic1.flac"]},
    ),
    "LibriSpeech": (LIBRI, "librispeech", LIBRI_FOUND),
    "a subset of it": ([f"LibriSpeech/test-clean/{name}" for name in LIBRI], "librispeech", LIBRI_FOUND),
    "two subsets side by side": (
        [f"test-clean/{LIBRI[0]}", f"test-clean/{LIBRI[1]}", f"dev-clean/{LIBRI[2]}"], "librispeech", LIBRI_FOUND,
    ),
    "TIMIT": (
        ["TRAIN/DR1/FCJF0/SA1.WAV", "TRAIN/DR1/FCJF0/SA1.WAV.wav", "TEST/DR2/MABC0/SX9.WAV", "TEST/DR2/MABC0/SA1.WAV"],
        "timit", {"FCJF0": ["SA1.WAV"], "MABC0": ["SA1.WAV", "SX9.WAV"]},
    ),
    "VoxCeleb": (
        ["wav/id10001/a-Z_9/00001.wav", "wav/id10002/b/00001.wav"], "voxceleb",
        {"id10001": ["00001.wav"], "id10002": ["00001.wav"]},
    ),
    "train and test": (
        ["train/anna/1.wav", "test/anna/2.wav", "train/bert/1.wav", "test/bert/2.wav"], "folders",
        {"anna": ["1.wav", "2.wav"], "bert": ["1.wav", "2.wav"]},
    ),
    "ARCTIC as it comes": (
        ["cmu_us_bdl_arctic/wav/arctic_a0001.wav", "cmu_us_slt_arctic/wav/arctic_a0001.wav"], "folders",
        {"cmu_us_bdl_arctic": ["arctic_a0001.wav"], "cmu_us_slt_arctic": ["arctic_a0001.wav"]},
    ),
    "hidden files and folders": (
        ["anna/x.wav", "anna/._x.wav", ".cache/y.wav", "bert/.old/z.wav", "bert/x.wav", "__MACOSX/anna/._x.wav"],
        "folders", {"anna": ["x.wav"], "bert": ["x.wav"]},
    ),
    "speakers called valerie and trainor": (
        ["valerie/1.wav", "trainor/1.wav", "lone.wav"], "folders", {"trainor": ["1.wav"], "valerie": ["1.wav"]},
    ),
    "sounds one folder down": (["data/valeria/wav/1.wav", "data/dev_patel/wav/1.wav", "data/notes.txt"], None, {}),
    "no speakers but train and test": (["train/1.wav", "test/2.wav"], None, {}),
    "women and men": (["women/anna/1.wav", "men/bert/1.wav"], None, {}),
    "two depths": (["anna/1.wav", "bert/monday/1.wav"], None, {}),
    "two corpora": ([*LIBRI, "arctic/bdl/arctic_a0001.wav"], None, {}),
    "no sounds": (["anna/1.txt", "alone.wav"], None, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_layout_is_recognised_or_the_known_ones_are_told(tmp_path, case):
    files, layout, found = LAYOUTS[case]
    fill(tmp_path / "X", *files)
    if layout is None:
        with pytest.raises(ValueError, match=r"X holds no corpus .*<speaker>/<file>.*VCTK.*LibriSpeech"):
            find_corpus(tmp_path / "X")
        return
    corpus = find_corpus(tmp_path / "X")
    assert {s: [item.path.name for item in items] for s, items in corpus.utterances.items()} == found
    assert (corpus.name, corpus.layout, list(corpus.speakers)) == ("X", layout, sorted(found))
    n = sum(map(len, found.values()))
    assert f"X ({layout}): 2 speakers of " in str(corpus)
    assert str(corpus).endswith(f" {n} in all")


def test_the_folder_of_the_speakers_itself(tmp_path):
    fill(tmp_path / "wav48", "p225/p225_001.wav", "p226/p226_001.wav")
    fill(tmp_path / "TRAIN", "DR1/FCJF0/SA1.WAV")
    assert find_corpus(tmp_path / "wav48").layout == "vctk"
    assert find_corpus(tmp_path / "TRAIN").speakers == ("FCJF0",)
    with pytest.raises(ValueError, match="is a file"):
        find_corpus(tmp_path / "TRAIN" / "DR1" / "FCJF0" / "SA1.WAV")


def test_sentences_that_names_tell(tmp_path):
    names = ("bdl/arctic_a0002.wav", "slt/arctic_a0002.wav", "theo/7_theo_12.wav", "theo/theo take 3.wav")
    fill(tmp_path, *names, "p225/p225_009_mic1.flac", "61/61-70970-0000.flac")
    texts = {item.path.name: item.text for own in find_corpus(tmp_path).utterances.values() for item in own}
    assert texts == {
        "arctic_a0002.wav": "arctic_a0002", "7_theo_12.wav": "7", "theo take 3.wav": None,
        "p225_009_mic1.flac": "009", "61-70970-0000.flac": None,
    }  # fmt: skip


def test_links(tmp_path):
    fill(tmp_path, "anna/1.wav", "bert/1.wav")
    (tmp_path / "cyd").symlink_to(tmp_path / "nowhere")
    (tmp_path / "dora").symlink_to(tmp_path / "anna")
    (tmp_path / "anna" / "round").symlink_to(tmp_path)
    with pytest.warns(UserWarning, match=r"left out 1 links that lead nowhere: .*cyd"):
        assert find_corpus(tmp_path).speakers == ("anna", "bert", "dora")


@pytest.fixture
def corpus(tmp_path):
    """Speakers whose order as strings is not that of their numbers, three utterances each."""
    for speaker in ("9", "10", "1089"):
        for number in (3, 1, 2):
            write(tmp_path / speaker / f"{number}.wav", seed=int(speaker) + number)
    return tmp_path


def test_speakers_are_sorted_as_strings_and_the_first_n_are_taken(corpus):
    items = load_recordings(corpus, speakers=2, per_speaker=2)
    assert items.speakers.tolist() == ["10", "10", "1089", "1089"]
    assert [path.name for path in items.paths] == ["1.wav", "2.wav"] * 2
    assert load_recordings(corpus, speakers=["9", "10"]).speakers.tolist() == ["10"] * 3 + ["9"] * 3


def test_files_that_are_silent_or_broken_are_skipped_and_named(corpus):
    (corpus / "9" / "1.wav").write_bytes(b"RIFF no sound at all")
    save_audio(corpus / "10" / "1.wav", np.zeros(4000, dtype=np.float32), 16000)
    with pytest.warns(UserWarning, match=r"skipped 2 files .*10/1\.wav, .*9/1\.wav"):
        items = load_recordings(corpus, per_speaker=2)
    assert [path.name for path in items.paths] == ["2.wav", "3.wav", "1.wav", "2.wav", "2.wav", "3.wav"]
    assert len(items.skipped) == 2
    with pytest.raises(ValueError, match="10: 3, 1089: 3"):
        load_recordings(corpus, per_speaker=4)
    with pytest.warns(match="skipped 2"), pytest.raises(ValueError, match="10: 2, 1089: 3, 9: 2"):
        load_recordings(corpus, per_speaker=3)


def test_everything_is_read_at_16_khz_levelled_and_its_channels_mixed(tmp_path):
    """Of channels that cancel the loudest is heard, not the roundings that their mean leaves."""
    voice = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 40
    noise = 1e-4 * np.random.default_rng(1).standard_normal((2, 8000)).astype(np.float32)
    for y in (voice, np.stack([voice, -voice]) + noise, np.stack([voice, 0.5 * voice])):
        heard = read_utterance(Utterance("", save_audio(tmp_path / "a.wav", y, 16000, subtype="FLOAT")))
        assert rms(heard) == pytest.approx(0.05, rel=1e-4)
        assert abs(np.corrcoef(heard, voice)[0, 1]) > 0.999
    slow = read_utterance(Utterance("", write(tmp_path / "8k.wav", sr=8000, seconds=0.5, level=0.01)))
    assert len(slow) == pytest.approx(8000, abs=16)
    assert rms(slow) == pytest.approx(0.05, rel=1e-4)


def test_bad_questions_get_clear_answers(corpus):
    with pytest.raises(TypeError, match="speakers='910'"):
        load_recordings(corpus, speakers="910")
    with pytest.raises(FileNotFoundError, match="fetch vctk"):
        find_corpus(corpus / "nowhere")
