"""Sketches estimate inner products of Gram matrices, without bias and the better the longer they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.speakers import classifiers
from audiostyle.speakers.classifiers import Part
from audiostyle.speakers.methods import SPEAKER_METHODS, FrontEnd, similarity
from audiostyle.speakers.sketch import DRAWS, GramSketch, Sketcher, sketch_classify
from audiostyle.speakers.table import predict


@pytest.fixture
def clips(rng):
    return [torch.tensor(rng.standard_normal((7, n)), dtype=torch.float32) for n in (5, 9)]


def exact(clips, kernel_size, activation="relu"):
    encoder = InfiniteEncoder(kernel_size, activation=activation)
    a, b = clips
    patches = encoder.n_patches(a.shape[1]) * encoder.n_patches(b.shape[1])
    return float(encoder.gram_inner(a, b)) / patches


class TestGramSketch:
    @pytest.mark.parametrize("draw", DRAWS)
    @pytest.mark.parametrize(("kernel_size", "activation"), [(1, "relu"), (3, "relu"), (1, "none")])
    def test_inner_product_is_unbiased(self, clips, draw, kernel_size, activation):
        """The mean over seeds lies within four standard errors of the exact value: 1 in 16,000 would not by chance."""
        options = {"kernel_size": kernel_size, "activation": activation, "draw": draw}
        found = []
        for seed in range(400):
            sketch = GramSketch(16, seed=seed, **options)
            found.append(float(sketch(clips[0]) @ sketch(clips[1])))
        error = np.std(found, ddof=1) / len(found) ** 0.5
        truth = exact(clips, kernel_size, activation)
        assert error < 0.1 * abs(truth), "too wide to show anything"
        assert abs(np.mean(found) - truth) < 4 * error

    @pytest.mark.parametrize("draw", DRAWS)
    def test_error_falls_with_the_root_of_the_pairs(self, clips, draw):
        truth = exact(clips, 1)

        def error(n_pairs):
            squares = []
            for seed in range(60):
                sketch = GramSketch(n_pairs, kernel_size=1, draw=draw, seed=seed)
                squares.append((float(sketch(clips[0]) @ sketch(clips[1])) - truth) ** 2)
            return np.mean(squares) ** 0.5

        # 16 times the pairs: a quarter. A ratio of two root mean squares of 60 errs by 1/√60 = 13 %; three of that.
        assert error(1024) / error(64) < 0.25 * 1.4

    def test_orthogonal_filters_are_and_have_one_length(self):
        filters = GramSketch(20, kernel_size=2, draw="orthogonal").filters(5)
        assert filters.shape == (40, 5, 2)
        for block in filters.reshape(4, 10, 10).double():
            np.testing.assert_allclose(block @ block.T, 10 * np.eye(10), atol=1e-5)

    def test_signs_are_all_four_of_a_quarter(self, clips):
        sketch = GramSketch(8, kernel_size=1)
        first, second = (sketch.filters(7)[..., 0] @ clips[0]).chunk(2)
        by_hand = [
            (torch.relu(a * first) * torch.relu(b * second)).mean(dim=1) for a in (1, -1) for b in (1, -1)
        ]
        np.testing.assert_allclose(sketch(clips[0]), torch.cat(by_hand) / 8**0.5, rtol=1e-5)

    def test_seed_repeats_and_changes(self, clips):
        one, again, other = (GramSketch(8, kernel_size=1, seed=s)(clips[0]) for s in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert not np.allclose(one, other)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_pairs": 6}, "n_pairs=6 .* multiple of 4"),
            ({"n_pairs": 0}, "n_pairs=0"),
            ({"draw": "best"}, "draw='best' is not allowed; it must be one of gaussian"),
            ({"activation": "selu"}, "activation='selu'"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            GramSketch(**options)

    @pytest.mark.cuda
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
    def test_cuda_agrees_with_cpu(self, vowel, rng):
        y = vowel(150, (500, 1500), rng, 1.0)
        one, other = (Sketcher(SPEAKER_METHODS["best"], device=device)(y) for device in ("cpu", "cuda"))
        np.testing.assert_allclose(other, one, atol=1e-4)


class TestSketcher:
    def test_rows_hold_the_kernel_of_each_view(self, voices):
        items, method = voices(2), SPEAKER_METHODS["best"]
        sketcher = Sketcher(method, 4096)
        rows = np.stack([sketcher(y) for y in items.ys])
        assert rows.shape == (6, sketcher.width) == (6, 4 * 4096)
        assert rows.dtype == np.float16
        assert len(sketcher.views(rows)) == 2
        for view, Z in zip(method.views, sketcher.views(rows.astype(float)), strict=True):
            kernel = similarity(items, view)
            np.testing.assert_allclose(np.diag(Z @ Z.T), 1, rtol=2**-11)
            # One pair of filters has a relative variance of at most E φ⁴ / (E φ²)² squared, 6² for a Gaussian and
            # half of it rectified; three deviations of 1/√4096 of that.
            assert np.abs(Z @ Z.T - kernel).max() < 3 * 6 / 4096**0.5
            assert np.corrcoef((Z @ Z.T).ravel(), kernel.ravel())[0, 1] > 0.95

    def test_distance_of_the_paper_is_not_scaled(self, voices):
        items = voices(2)
        method = replace(
            SPEAKER_METHODS["paper"], front_ends=(FrontEnd(n_fft=128, hop_length=64),), kernel_size=3
        )
        sketcher = Sketcher(method, 16384)
        Z = np.stack([sketcher(y) for y in items.ys]).astype(float)
        np.testing.assert_allclose(Z @ Z.T, similarity(items, method), rtol=3 * 6 / 16384**0.5)

    def test_short_and_silent_utterances(self):
        sketcher = Sketcher(SPEAKER_METHODS["paper"], 8)
        assert np.isfinite(sketcher(np.ones(100, dtype=np.float32))).all()
        assert not Sketcher(SPEAKER_METHODS["best"], 8)(np.zeros(20000, dtype=np.float32)).any()

    @pytest.mark.parametrize("name", ["paper", "nearest", "ridge", "best"])
    def test_names_speakers_as_the_kernel_does(self, name, voices):
        items, method = voices(6), SPEAKER_METHODS[name]
        sketcher = Sketcher(method, 1024)
        rows = np.stack([sketcher(y) for y in items.ys])
        train, test = np.arange(0, 18, 2), np.arange(1, 18, 2)
        named = sketch_classify(sketcher, rows, items.speakers[train], train, test)
        assert named.tolist() == items.speakers[test].tolist()


class TestRidgeOnFeatures:
    def test_primal_form_equals_the_dual(self, rng, monkeypatch):
        monkeypatch.setattr(classifiers, "_BLOCK", 7)
        labels = np.repeat(["a", "b", "c"], 20)
        Z = rng.standard_normal((60, 5)) + np.repeat(np.eye(3), 20, axis=0) @ rng.standard_normal((3, 5))
        new = rng.standard_normal((9, 5))
        dual = classifiers.ridge_scores(Z @ Z.T, new @ Z.T, labels)
        np.testing.assert_allclose(
            classifiers.feature_scores(Part(Z), Part(new), labels), dual, rtol=1e-6, atol=1e-9
        )

    def test_few_items_take_the_dual_form(self, rng):
        Z, new, labels = rng.standard_normal((6, 50)), rng.standard_normal((2, 50)), np.array(list("aabbcc"))
        np.testing.assert_array_equal(
            classifiers.feature_scores(Part(Z), Part(new), labels),
            classifiers.ridge_scores(Z @ Z.T, new @ Z.T, labels),
        )

    def test_nearest_is_the_nearest_of_all(self, rng, monkeypatch):
        monkeypatch.setattr(classifiers, "_BLOCK", 4)
        Z, new, labels = rng.standard_normal((30, 3)), rng.standard_normal((11, 3)), np.arange(30)
        expected = np.linalg.norm(new[:, None] - Z, axis=-1).argmin(axis=1)
        np.testing.assert_array_equal(classifiers.nearest_features(Part(Z), Part(new), labels), expected)

    def test_no_more_than_a_block_is_read_at_once(self, rng, monkeypatch):
        monkeypatch.setattr(classifiers, "_BLOCK", 7)
        monkeypatch.setattr(classifiers, "_KNOWN", 5)
        read = []

        class OnDisk(np.ndarray):
            def __getitem__(self, index):
                read.append(np.shape(index))
                return np.asarray(super().__getitem__(index))

        Z = rng.standard_normal((60, 5)).astype(np.float16)
        train, test = np.arange(0, 60, 2), np.arange(1, 60, 2)
        labels = np.repeat(["a", "b", "c"], 10)
        found = classifiers.feature_vote([(Part(Z.view(OnDisk), train), Part(Z.view(OnDisk), test))], labels)
        assert max(read) == (7,)
        assert found.tolist() == classifiers.feature_vote([(Part(Z[train]), Part(Z[test]))], labels).tolist()


class TestPart:
    @pytest.mark.parametrize("n", [1, 6, 7, 8, 14])
    def test_blocks_hold_every_row_once(self, rng, monkeypatch, n):
        monkeypatch.setattr(classifiers, "_BLOCK", 7)
        Z, rows = rng.standard_normal((20, 3)), rng.permutation(20)[:n]
        found = np.full((n, 3), np.nan)
        for place, block in Part(Z, rows).blocks():
            found[place] = block
        np.testing.assert_array_equal(found, Z[rows])

    def test_rows_by_which_rarity_is_told_are_spread_over_all(self, rng):
        Z = rng.standard_normal((20, 3))
        np.testing.assert_array_equal(Part(Z, np.arange(1, 20)).at_most(5), Z[[1, 5, 9, 13, 17]])
        np.testing.assert_array_equal(Part(Z).at_most(20), Z)


class TestVote:
    def test_each_part_tells_its_own_rarity(self, rng):
        near, far = rng.standard_normal((2, 6, 4)) + np.array([[[9.0]], [[-9.0]]])
        unit = [Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (near, far)]
        heard, strange = Part(unit[0][:4]), Part(unit[1][4:])
        _, rarities = classifiers.feature_opinions(
            [(heard, Part(unit[0][:2])), (heard, strange)], np.array(list("aabb"))
        )
        np.testing.assert_array_equal(rarities[0], 1)
        assert np.all(rarities[1] > 2)

    def test_rarity_by_hand(self):
        kernel = np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])
        # nearest others .9, .9, .2: median .9, 5 % quantile .2 + .1 × .7 = .27
        found = classifiers.rarity(kernel, np.array([[0.2, 0.9, 0.1], [0.0, -0.36, -0.5]]))
        np.testing.assert_allclose(found, [1, 0.9 / 0.63])

    def test_the_second_counts_for_what_is_rare_to_the_first(self):
        scores = [np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.4, 0.6], [0.4, 0.6]])]
        rarities = [np.array([1.0, 3.0]), np.array([1.0, 1.0])]
        # 8/9 of 0.6 and a ninth of 0.1 beside 8/9 of 0.4 and a ninth of 0.9
        assert classifiers.vote(scores, rarities).tolist() == [0, 1]
        np.testing.assert_allclose(classifiers.weigh(scores, rarities)[1], [(0.9 + 3.2) / 9, (0.1 + 4.8) / 9])
        np.testing.assert_array_equal(classifiers.weigh(scores[:1], rarities[:1]), scores[0])

    def test_one_view_is_the_plain_ridge(self, voices):
        items, (train, test) = voices(4), (np.arange(0, 12, 2), np.arange(1, 12, 2))
        kernel = similarity(items, "ridge")
        expected = classifiers.ridge_classify(
            kernel[np.ix_(train, train)], kernel[np.ix_(test, train)], items.speakers[train]
        )
        assert predict(items, "ridge", train, test).tolist() == expected.tolist()
        assert SPEAKER_METHODS["best"].views[0] == SPEAKER_METHODS["floored"]
