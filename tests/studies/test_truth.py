import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from audiostyle.config import TransferConfig
from audiostyle.datasets import keys, paths
from audiostyle.datasets.triples import ROLES, Triple
from audiostyle.measures.truth import truth_numbers
from audiostyle.sound.audio import fix_length
from audiostyle.studies import truth
from benchmarks import truth as benchmark
from experiments.pairs import COPY_CONTENT, COPY_STYLE

SR = 22050
MINI = paths.registry_dir() / "mini_corpus"


@pytest.fixture
def sounds(make_melody):
    """Content, style and target: two tunes and two timbres."""
    tune, other = [220, 277, 330, 440], [330, 262, 392, 294]
    dark, bright = [1, 0.3], [0.3, 1, 0.6, 0.9, 0.4]
    return (
        make_melody(tune, harmonics=dark),
        make_melody(other, harmonics=bright),
        make_melody(tune, harmonics=bright),
    )


@pytest.fixture
def folder(tmp_path, sounds):
    made = tmp_path / "mine"
    made.mkdir()
    for name in ("first", "second"):
        for role, y in zip(ROLES, sounds, strict=True):
            soundfile.write(made / f"{name}_{role}.wav", y, SR)
    return made


@pytest.fixture
def triple(folder):
    return Triple("first", *(folder / f"first_{role}.wav" for role in ROLES))


@pytest.fixture
def counted(monkeypatch):
    """A method that says how often it was run."""
    calls = []

    def make(content, style, sr, gain=1.0):
        calls.append((len(content), len(style), sr, gain))
        return gain * content

    method = truth.Method(make, "audiostyle.sound.levels", {"gain": 2.0})
    monkeypatch.setitem(truth.METHODS, "counted", method)
    return calls


def test_oracle_gives_every_frame_the_targets_bands(sounds):
    content, _, target = sounds
    distances = [
        truth_numbers(truth.oracle_filter(content, target, SR, n), target, SR)["lsd"] for n in (10, 40, 80)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.7 * truth_numbers(content, target, SR)["lsd"]
    quiet = 0.2 * content
    np.testing.assert_allclose(truth.oracle_filter(quiet, content, SR, 40), quiet, atol=1e-5)


def test_oracle_finds_a_filter(rng):
    content = rng.normal(size=2 * SR).astype(np.float32)
    hz = np.fft.rfftfreq(len(content), 1 / SR)
    target = np.fft.irfft(np.fft.rfft(content) * np.exp(-hz / 3000)).astype(np.float32)
    y = truth.oracle_filter(content, target, SR, 80)
    assert truth_numbers(y, target, SR)["lsd"] < 0.5
    # up to the level, the target's samples
    y, target = (x[2048:-2048] for x in (y, target))
    assert np.corrcoef(y, target)[0, 1] > 0.99


def test_quick_methods_are_as_long_as_the_content_and_nearer_than_the_style(sounds):
    content, style, target = sounds
    style = style[: len(style) // 2]
    worst = truth_numbers(truth.METHODS[COPY_STYLE](content, style, SR), target, SR)["chroma"]
    for name in (
        COPY_CONTENT,
        COPY_STYLE,
        truth.EQUALISER,
        "cross-synthesis",
        "NMF musaicing",
        truth.TRANSPOSED,
    ):
        y = truth.METHODS[name](content, style, SR)
        assert y.shape == content.shape
        if name != COPY_STYLE:
            assert truth_numbers(y, target, SR)["chroma"] > worst


def test_the_papers_and_the_first_setting_are_fixed_whatever_the_default():
    paper, first = (truth.METHODS[name].settings["config"] for name in (truth.PAPER, truth.FIRST))
    assert (paper.encoder, paper.n_filters, paper.phase, paper.method) == (
        "random",
        4096,
        "griffin_lim",
        "gram",
    )
    assert (first.encoder, first.phase, first.method, first.balance) == ("infinite", "polish", "gram", 0.5)
    assert truth.METHODS[truth.DEFAULT].settings == {}


def test_a_transfer_comes_back_at_the_rate_of_the_clips(sounds):
    quick = TransferConfig(method="gram", n_iter=1)
    content, style = (y[:16001] for y in sounds[:2])
    method = replace(truth.METHODS[truth.FIRST], settings={"config": quick})
    y = method(content, style, 16000)
    assert y.shape == content.shape
    # the same sound, not one read at another rate
    near, far = (truth_numbers(x, content, 16000)["lsd"] for x in (y, fix_length(style, len(content))))
    assert near < 0.5 * far


def test_matched_timbre_is_asked_for_at_the_rate_of_the_clips(sounds, monkeypatch):
    stub = ModuleType("audiostyle.matching")
    stub.match_timbre = lambda content, style, sr: SimpleNamespace(y=content * (sr / 16000))
    monkeypatch.setitem(sys.modules, "audiostyle.matching", stub)
    y = truth.METHODS[truth.MATCHED](*sounds[:2], 32000)
    np.testing.assert_array_equal(y, 2 * sounds[0])


class TestStoredSounds:
    def test_the_same_is_read(self, sounds, counted):
        first, again = (truth.make_sound("counted", *sounds[:2], SR) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(first, 2 * sounds[0])
        assert counted == [(len(sounds[0]), len(sounds[1]), SR, 2.0)]

    def test_other_sounds_rates_settings_and_code_are_made(self, sounds, counted, monkeypatch):
        content, style, target = sounds
        truth.make_sound("counted", content, style, SR)
        truth.make_sound("counted", target, style, SR)
        truth.make_sound("counted", content, target, SR)
        truth.make_sound("counted", content, style, 16000)
        other = replace(truth.METHODS["counted"], settings={"gain": 3.0})
        monkeypatch.setitem(truth.METHODS, "counted", other)
        truth.make_sound("counted", content, style, SR)
        real = keys.code_version
        monkeypatch.setattr(
            keys, "code_version", lambda name: "new" if name == "audiostyle.sound.levels" else real(name)
        )
        truth.make_sound("counted", content, style, SR)
        assert len(counted) == 6

    def test_what_is_not_worth_it_is_not_stored(self, sounds):
        truth.make_sound(COPY_CONTENT, *sounds[:2], SR)
        assert not paths.cache_dir().exists()

    def test_code_of_every_stored_method_is_a_module(self):
        absent = {
            name
            for name, method in truth.METHODS.items()
            if method.code and not (paths.root() / f"{method.code.replace('.', '/')}.py").is_file()
        }
        assert absent <= {truth.MATCHED}


def test_rows_are_the_numbers_of_the_sounds(triple, sounds):
    rows = list(truth.triple_rows(triple, [COPY_CONTENT, "oracle 20 bands"]))
    assert [(row["set"], row["pair"], row["method"]) for row in rows] == [
        ("mine", "first", COPY_CONTENT),
        ("mine", "first", "oracle 20 bands"),
    ]
    expected = truth_numbers(sounds[0], sounds[2], SR)
    assert {key: rows[0][key] for key in expected} == pytest.approx(expected, rel=1e-3)
    assert rows[1]["lsd"] < rows[0]["lsd"]
    assert rows[0]["style_to_target"] == rows[1]["style_to_target"] > 0
    assert truth.set_of(replace(triple, split="choose")) == "choose"


def _table(distances, which="choose"):
    """Rows from {method: (lsd of each pair)}; the MCD is 100 less the LSD."""
    return pd.DataFrame(
        {
            "set": which,
            "pair": f"p{i}",
            "method": method,
            "lsd": lsd,
            "mcd": 100 - lsd,
            "chroma": 0.5,
            "onset_f": 0.25,
        }
        for method, row in distances.items()
        for i, lsd in enumerate(row)
    )


def test_means_count_the_pairs_that_are_nearer():
    table = _table({truth.FIRST: (8, 9, 13), COPY_CONTENT: (12, 12, 12), truth.EQUALISER: (9, 9, 9)})
    means = truth.mean_table(table).set_index("method")
    assert list(means.index) == [COPY_CONTENT, truth.EQUALISER, truth.FIRST]
    row = means.loc[truth.FIRST]
    assert (row["set"], row["pairs"], row["lsd"], row["mcd"]) == ("choose", 3, 10, 90)
    assert (row["nearer_than_content_lsd"], row["nearer_than_content_mcd"]) == (2, 1)
    assert (row["nearer_than_equaliser_lsd"], row["nearer_than_equaliser_mcd"]) == (1, 1)


def test_sets_are_not_mixed_and_an_absent_reference_is_no_number():
    table = pd.concat(
        [
            _table({truth.FIRST: (8, 9), COPY_CONTENT: (12, 5)}),
            _table({truth.FIRST: (8, 9), COPY_CONTENT: (5, 5), truth.EQUALISER: (10,)}, "confirm"),
        ]
    )
    means = truth.mean_table(table).set_index(["set", "method"])
    assert means.loc[("choose", truth.FIRST), "nearer_than_content_lsd"] == 1
    assert means.loc[("confirm", truth.FIRST), "nearer_than_content_lsd"] == 0
    assert means["nearer_than_equaliser_lsd"].drop(("confirm", truth.EQUALISER)).isna().all()


def test_rows_are_put_in_order_and_unknown_methods_are_left_out():
    table = _table({truth.DEFAULT: (1, 2), "an old name": (0, 0), COPY_CONTENT: (3, 4)}).iloc[::-1]
    ordered = truth.in_order(table)
    assert list(zip(ordered["pair"], ordered["method"], strict=True)) == [
        ("p1", COPY_CONTENT),
        ("p1", truth.DEFAULT),
        ("p0", COPY_CONTENT),
        ("p0", truth.DEFAULT),
    ]


class TestBenchmark:
    def written(self, name):
        return pd.read_csv(paths.results_root() / "paper" / f"{name}.csv")

    def test_rows_of_other_methods_are_kept(self, folder, capsys):
        benchmark.main(["--folder", str(folder), "--methods", f"{COPY_CONTENT},{truth.EQUALISER}"])
        first = self.written("truth")
        benchmark.main(["--folder", str(folder), "--methods", "oracle 20 bands,equaliser"])
        table, means = self.written("truth"), self.written("truth_mean")
        names = [COPY_CONTENT, truth.EQUALISER, "oracle 20 bands"]
        assert table["method"].tolist() == names * 2
        assert table["pair"].tolist() == ["first"] * 3 + ["second"] * 3
        pd.testing.assert_frame_equal(
            table[table["method"] != "oracle 20 bands"].reset_index(drop=True), first
        )
        assert means["method"].tolist() == names
        assert means["nearer_than_content_lsd"].tolist()[1:] == [2, 2]
        assert "oracle 20 bands" in capsys.readouterr().out
        assert not list(paths.results_root().rglob("*.png"))

    def test_the_repositorys_triples_are_drawn(self, monkeypatch, triple):
        own = replace(triple, name=benchmark.PICTURE, split="choose")
        monkeypatch.setattr(benchmark, "triples", lambda split=None, folder=None: [own])
        monkeypatch.setitem(truth.METHODS, truth.DEFAULT, truth.Method(lambda c, s, sr: c))
        benchmark.main(["--split", "choose", "--methods", f"{COPY_CONTENT},{truth.EQUALISER}"])
        assert set(self.written("truth")["set"]) == {"choose"}
        for name in ("truth", "truth_pairs"):
            with Image.open(paths.results_root() / "paper" / f"{name}.png") as picture:
                pixels = np.asarray(picture.convert("L"))
            assert pixels.shape[1] > 600
            # Lines and letters reach across it: an empty figure, or empty axes, has next to no edges.
            assert (np.abs(np.diff(pixels.astype(int), axis=1)) > 40).mean() > 0.01

    def test_the_pair_of_the_picture_is_one_of_the_repositorys(self):
        assert benchmark.PICTURE in {triple.name for triple in benchmark.triples()}

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--methods", "magic"], "no method is called magic; there are copy the content,"),
            (["--folder", str(MINI)], "holds no NAME_content.wav"),
            (["--split", "choose", "--folder", "."], "not allowed with argument"),
        ],
    )
    def test_what_cannot_be_scored_is_refused_in_a_line(self, capsys, words, message):
        with pytest.raises(SystemExit) as stop:
            benchmark.main(words)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err
