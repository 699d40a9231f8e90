from dataclasses import replace

import numpy as np
import pytest
import torch

from audiostyle.speakers import table as module
from audiostyle.speakers.table import SPLITS, score_methods, speaker_table, split_items


class TestSplits:
    def test_alternate_and_halves(self, voices):
        items = voices(5)
        for how, first, second in (("alternate", [0, 2, 4], [1, 3]), ("halves", [0, 1, 2], [3, 4])):
            train, test = split_items(items, how)
            assert train[:3].tolist() == first
            assert test[:2].tolist() == second
            assert sorted([*train, *test]) == list(range(15))

    @pytest.mark.parametrize("how", SPLITS)
    def test_disjoint_texts_are_split_in_the_order_of_their_names(self, how, voices):
        # Shifted by one from speaker to speaker, so that the plain split would share sentences.
        texts = [f"{(i + shift) % 8:03d}" for shift in range(3) for i in range(6)]
        items = voices(6, 0.2, texts=texts)
        train, test = split_items(items, how, text="disjoint")
        first = range(4) if how == "halves" else range(0, 8, 2)
        assert {texts[i] for i in train} == {f"{i:03d}" for i in first}
        assert sorted([*train, *test]) == list(range(18))
        shared, tested = split_items(items, how)
        assert {texts[i] for i in shared} & {texts[i] for i in tested}
        plain = replace(items, texts=(None,) * 18)
        for side, other in zip(split_items(plain, how, text="disjoint"), (shared, tested), strict=True):
            np.testing.assert_array_equal(side, other)

    def test_an_empty_side_is_an_error(self, voices):
        with pytest.raises(ValueError, match=r"ann with 2 .* 0 for testing"):
            split_items(voices(2, 0.2, texts=["a"] * 6), text="disjoint")


class TestSpeakerTable:
    def test_columns_and_rows(self, voices):
        found = speaker_table(voices(), methods=("paper", "best", "mfcc"), split=SPLITS)
        assert tuple(found.columns) == module.COLUMNS
        assert found[["method", "split"]].to_numpy().tolist() == [
            [method, split] for method in ("paper", "best", "mfcc") for split in SPLITS
        ]
        assert (found["encoder"][0], found["encoder"][4]) == ("infinite", None)
        assert found["seed"].isna().all()
        assert (found["n_speakers"] == 3).all()
        assert (found["n_train"] == 9).all()
        np.testing.assert_allclose(found["accuracy"], found["n_correct"] / found["n_test"])

    def test_voices_are_told_apart(self, voices):
        methods = ("paper", "cosine", "best", "spectrum", "mfcc", "gmm", "linear", "chance")
        accuracy = speaker_table(voices(), methods=methods).set_index("method")["accuracy"]
        assert accuracy.drop("chance").min() == 1
        assert accuracy["chance"] == pytest.approx(1 / 3)

    def test_short_utterances_are_padded_counted_and_reported(self, voices):
        with pytest.warns(UserWarning, match="paper: 12"):
            found = speaker_table(voices(4, 0.3))
        assert found.attrs["padded"] == {"paper": 12, "best": 0}

    def test_large_corpora_are_sketched_and_named_as_by_the_kernel(self, voices, talk, monkeypatch):
        items, corpus, methods = voices(6, 0.5), talk, ("ridge", "best")
        unlike = ["encoder", "seconds", "corpus"]
        exact = score_methods(corpus, methods)
        assert set(exact["encoder"]) == {"infinite"}
        memory = score_methods(items, methods, sketch_from=18)
        monkeypatch.setattr(module, "load_recordings", None)  # a corpus that is sketched is never held
        found = score_methods(corpus, methods, sketch_from=18)
        for sketched in (memory, found):
            assert set(sketched["encoder"]) == {"sketch-2048"}
            assert sketched.drop(columns=unlike).equals(exact.drop(columns=unlike))
        assert set(score_methods(corpus, methods, sketch_from=18, n_pairs=64)["encoder"]) == {"sketch-64"}
        monkeypatch.undo()
        mixed = score_methods(corpus, ("best", "mfcc"), sketch_from=18)
        assert mixed["encoder"].tolist() == ["sketch-2048"] * 2 + [None] * 2

    @pytest.mark.parametrize(("name", "value"), [("split", "thirds"), ("text", "same"), ("n_seeds", 0)])
    def test_unknown_options(self, name, value, voices):
        with pytest.raises(ValueError, match=f"{name}={value!r}"):
            score_methods(voices(2, 0.2), ("paper",), **{name: value})

    def test_global_random_state_is_left_alone(self, voices):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        np_before = np.random.get_state()[1].copy()  # noqa: NPY002
        speaker_table(voices(2, 0.7), methods=("paper-8", "gmm"))
        assert torch.equal(torch.get_rng_state(), before)
        np.testing.assert_array_equal(np.random.get_state()[1], np_before)  # noqa: NPY002


def test_wilson_interval_of_the_paper():
    # 74 of 80, by hand: p = .925, centre (.925 + 1.92073/80) / 1.048018, half width .0596.
    right = module.count_right(np.arange(80) < 74, np.full(80, True))
    assert (right["ci_low"], right["ci_high"]) == pytest.approx((0.8459, 0.9652), abs=1e-4)
    assert module.count_right(np.zeros(10), np.ones(10))["ci_low"] == 0
    assert module.count_right(np.ones(10), np.ones(10))["ci_high"] == pytest.approx(1, abs=1e-12)
