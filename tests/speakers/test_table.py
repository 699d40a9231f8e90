"""Speaker identification: blocks against explicit Gram matrices, classifiers by hand, and honest splits."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from audiostyle.speakers.methods import SPEAKER_METHODS, count_short, similarity
from audiostyle.speakers.table import COLUMNS, speaker_table, split_items, table_records


def table(items, **options):
    return speaker_table(items, **{"progress": False, "cache": False, **options})


class TestSplits:
    def test_alternate_and_halves(self, voices):
        items = voices(5)
        train, test = split_items(items, "alternate")
        assert train[:3].tolist() == [0, 2, 4]
        assert test[:2].tolist() == [1, 3]
        train, test = split_items(items, "halves")
        assert train[:3].tolist() == [0, 1, 2]
        assert test[:2].tolist() == [3, 4]
        assert sorted([*train, *test]) == list(range(15))

    @pytest.mark.parametrize("how", ["alternate", "halves"])
    def test_disjoint_texts(self, how, voices):
        # Shifted by one from speaker to speaker, so that the plain split would share sentences.
        texts = [f"{(i + shift) % 8:03d}" for shift in range(3) for i in range(6)]
        items = voices(6, 0.2, texts=texts)
        train, test = split_items(items, how, text="disjoint")
        assert not {texts[i] for i in train} & {texts[i] for i in test}
        assert sorted([*train, *test]) == list(range(18))
        shared, tested = split_items(items, how)
        assert {texts[i] for i in shared} & {texts[i] for i in tested}

    @pytest.mark.parametrize("how", ["alternate", "halves"])
    def test_disjoint_split_orders_the_sentences_by_name(self, how, voices):
        order = [5, 2, 11, 0, 8, 3, 7, 10, 1, 9, 4, 6]
        texts = [f"{i:03d}" for i in order] * 3
        train, _ = split_items(voices(12, 0.2, texts=texts), how, text="disjoint")
        first = range(6) if how == "halves" else range(0, 12, 2)
        assert {texts[i] for i in train} == {f"{i:03d}" for i in first}

    def test_disjoint_without_names_is_the_plain_split(self, voices):
        items = voices(4, 0.2)
        for left, right in zip(split_items(items, text="disjoint"), split_items(items), strict=True):
            np.testing.assert_array_equal(left, right)

    def test_an_empty_side_is_an_error(self, voices):
        items = voices(2, 0.2, texts=["a"] * 6)
        with pytest.raises(ValueError, match=r"speaker ann with 2 .* and 0 for testing"):
            split_items(items, text="disjoint")


class TestSpeakerTable:
    def test_columns_rows_and_json(self, voices):
        items = voices()
        found = table(items, methods=("paper", "best", "mfcc"))
        assert tuple(found.columns) == COLUMNS
        assert found[["method", "split"]].to_numpy().tolist() == [
            [method, split] for method in ("paper", "best", "mfcc") for split in ("alternate", "halves")
        ]
        records = json.loads(json.dumps(table_records(found), allow_nan=False))
        assert [list(record) for record in records] == [list(COLUMNS)] * 6
        assert records[0]["encoder"] == "infinite"
        assert records[4]["encoder"] is None
        assert found["encoder"][4] is None
        assert records[0]["seed"] is None
        assert isinstance(records[0]["n_test"], int)
        assert (found["n_speakers"] == 3).all()
        assert (found["n_train"] == 9).all()
        np.testing.assert_allclose(found["accuracy"], found["n_correct"] / found["n_test"])
        assert ((found["ci_low"] <= found["accuracy"]) & (found["accuracy"] <= found["ci_high"])).all()

    def test_voices_are_told_apart(self, voices):
        found = table(
            voices(), methods=("paper", "nearest", "best", "spectrum", "mfcc", "gmm", "linear", "chance")
        )
        accuracy = found.groupby("method")["accuracy"].min()
        assert accuracy.drop("chance").min() == 1
        assert accuracy["chance"] == pytest.approx(1 / 3)

    def test_shuffled_labels_cannot_be_recognised(self, voices):
        """Whatever reached the test half from its labels would keep the accuracy at 1; chance is 1/3."""
        items = voices(12, 0.4)
        found = []
        for seed in range(6):
            order = np.random.default_rng(seed).permutation(len(items))
            shuffled = replace(items, ys=tuple(items.ys[i] for i in order))
            found.append(table(shuffled, methods=("nearest", "best", "mfcc"))["accuracy"])
        assert 0.2 < np.mean(found) < 0.5

    def test_random_encoder_has_a_row_for_each_seed(self, voices):
        found = table(
            voices(4), methods=("paper", "best", "mfcc"), encoder="random", n_filters=256, n_seeds=2
        )
        paper = found[found["method"] == "paper"]
        assert paper["seed"].tolist() == [0, 0, 1, 1]
        assert set(paper["encoder"]) == {"random-256"}
        assert len(found[found["method"] == "mfcc"]) == 2
        assert found["accuracy"].min() == 1

    def test_seeds_change_the_filters_and_repeat(self, voices):
        items = voices(2, 0.7)
        options = {"encoder": "random", "n_filters": 16}
        first, again, other = (similarity(items, "paper", seed=s, **options) for s in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.allclose(first, other, rtol=1e-3)

    def test_stored_distances_are_those_of_their_seed(self, tmp_path, voices):
        items, options = voices(2, 0.7), {"encoder": "random", "n_filters": 16}
        plain = [similarity(items, "paper", seed=s, **options) for s in (0, 1)]
        for _ in range(2):  # made, then read
            for seed in (0, 1):
                stored = similarity(items, "paper", seed=seed, cache=tmp_path, **options)
                np.testing.assert_array_equal(stored, plain[seed])

    def test_random_tends_to_the_infinite_encoder(self, voices):
        items = voices(2, 0.7)
        exact = similarity(items, "paper")
        errors = [
            np.mean(
                [
                    np.abs(
                        similarity(items, "paper", encoder="random", n_filters=n, seed=s) / exact - 1
                    ).mean()
                    for s in range(4)
                ]
            )
            for n in (64, 1024)
        ]
        assert errors[1] < errors[0] / 2  # 1/√N gives 1/4

    def test_short_utterances_are_padded_counted_and_reported(self, voices):
        items = voices(4, 0.3)
        assert count_short(items.n_samples, SPEAKER_METHODS["paper"]) == 12
        assert count_short(items.n_samples, SPEAKER_METHODS["best"]) == 0
        with pytest.warns(UserWarning, match=r"shorter than one patch .*\(paper: 12\)"):
            found = table(items)
        assert found.attrs["padded"] == {"paper": 12, "best": 0}

    def test_cache_folder_is_used_and_changes_nothing(self, tmp_path, voices):
        items = voices(2)
        plain = table(items)
        for _ in range(2):
            cached = table(items, cache=tmp_path)
            assert cached["n_correct"].tolist() == plain["n_correct"].tolist()
        assert list(tmp_path.glob("*.npy"))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"methods": ("papr",)}, "method='papr' is not allowed; it must be one of paper,"),
            ({"split": "thirds"}, "split='thirds' is not allowed; it must be one of alternate, halves"),
            ({"text": "same"}, "text='same'"),
            ({"encoder": "cnn"}, "encoder='cnn'"),
            ({"n_seeds": 0}, "n_seeds=0"),
        ],
    )
    def test_unknown_options(self, options, message, voices):
        with pytest.raises(ValueError, match=message):
            table(voices(2, 0.2), **options)

    def test_global_random_state_is_left_alone(self, voices):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        np_before = np.random.get_state()[1].copy()  # noqa: NPY002
        table(voices(2, 0.7), methods=("paper", "gmm"), encoder="random", n_filters=8)
        assert torch.equal(torch.get_rng_state(), before)
        np.testing.assert_array_equal(np.random.get_state()[1], np_before)  # noqa: NPY002
