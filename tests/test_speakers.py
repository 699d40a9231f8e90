"""Speaker identification: blocks against explicit Gram matrices, classifiers by hand, and honest splits."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from audiostyle import classifiers, gram_distance
from audiostyle.corpora import Recordings
from audiostyle.encoders import RandomEncoder
from audiostyle.gram_distance import pairwise_gram_inner
from audiostyle.infinite import InfiniteEncoder
from audiostyle.speaker_methods import METHODS, FrontEnd, SpeakerMethod, count_short, similarity
from audiostyle.speakers import COLUMNS, speaker_table, split_items, table_records, wilson_interval
from audiostyle.spectrogram import stft

SR = 16000


def vowel(pitch, formants, rng, seconds):
    """A buzz at a pitch through resonances: a voice, as far as a spectrum goes."""
    t = np.arange(int(seconds * SR)) / SR
    wandering = pitch * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(2, 4) * t + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(wandering) / SR
    harmonics = np.arange(1, 25)
    shift = rng.uniform(0.9, 1.1)
    gains = sum(np.exp(-(((harmonics * pitch - shift * f) / 250) ** 2)) for f in formants)
    y = (gains[:, None] * np.sin(harmonics[:, None] * phase)).sum(0) + 0.01 * rng.standard_normal(len(t))
    return (0.05 * y / np.sqrt(np.mean(y**2))).astype(np.float32)


def voices(n_each=6, seconds=0.9, *, texts=None, name="synthetic"):
    rng = np.random.default_rng(3)
    speakers = {"ann": (210, (700, 1800)), "bob": (110, (500, 1300)), "cyd": (150, (400, 2300))}
    ys, owners = [], []
    for speaker, (pitch, formants) in speakers.items():
        for _ in range(n_each):
            ys.append(vowel(pitch, formants, rng, seconds * rng.uniform(0.9, 1.1)))
            owners.append(speaker)
    texts = texts or (None,) * len(ys)
    return Recordings(name, tuple(ys), np.array(owners), tuple(texts), (Path("x"),) * len(ys))


def table(items, **options):
    return speaker_table(items, **{"progress": False, "cache": False, **options})


@pytest.fixture
def clips(rng):
    lengths = (11, 12, 30, 17, 40)
    return [torch.tensor(rng.gamma(1.0, 1.0, (7, n)), dtype=torch.float32) for n in lengths]


def one_by_one(encoder, clips):
    n = [encoder.n_patches(clip.shape[1]) for clip in clips]
    return np.array(
        [
            [float(encoder.gram_inner(a, b)) / n[i] / n[j] for j, b in enumerate(clips)]
            for i, a in enumerate(clips)
        ]
    )


class TestPairwiseGramInner:
    @pytest.mark.parametrize("kernel_size", [1, 4, 11])
    @pytest.mark.parametrize("group", [8, 40, 512])
    def test_equals_pair_by_pair(self, clips, kernel_size, group, monkeypatch):
        # Groups of 8 patches cut clips into pieces, groups of 512 hold them all.
        monkeypatch.setattr(gram_distance, "GROUP_PATCHES", group)
        encoder = InfiniteEncoder(kernel_size)
        np.testing.assert_allclose(pairwise_gram_inner(encoder, clips), one_by_one(encoder, clips), rtol=2e-5)

    @pytest.mark.parametrize("band_bytes", [1, 2**20, 2**28])
    def test_random_encoder_in_bands(self, clips, band_bytes, monkeypatch):
        monkeypatch.setattr(gram_distance, "GROUP_PATCHES", 16)
        monkeypatch.setattr(gram_distance, "BAND_BYTES", band_bytes)
        encoder = RandomEncoder(64, kernel_size=5)
        np.testing.assert_allclose(pairwise_gram_inner(encoder, clips), one_by_one(encoder, clips), rtol=2e-5)

    def test_distance_equals_explicit_gram_matrices(self, clips):
        """Issue: to 1e-4 relative to ‖G‖², here with all 4096 × 4096 entries."""
        encoder = RandomEncoder(4096, kernel_size=11)
        clips = clips[1:4]
        inner = pairwise_gram_inner(encoder, clips)
        found = np.diag(inner) + np.diag(inner)[:, None] - 2 * inner
        grams = [encoder.gram_matrix(c) / (4096 * encoder.n_patches(c.shape[1])) for c in clips]
        explicit = np.array(
            [[float((a - b).square().sum(dtype=torch.float64)) for b in grams] for a in grams]
        )
        size = max(float(g.square().sum(dtype=torch.float64)) for g in grams)
        assert explicit.max() > 0.01 * size
        np.testing.assert_allclose(found, explicit, atol=1e-4 * size)

    def test_is_positive_semi_definite(self, clips):
        values = np.linalg.eigvalsh(pairwise_gram_inner(InfiniteEncoder(3), clips))
        assert values.min() > -1e-6 * values.max()

    def test_stopped_run_continues_from_the_blocks_on_disk(self, clips, tmp_path, monkeypatch):
        monkeypatch.setattr(gram_distance, "GROUP_PATCHES", 16)
        encoder, options = InfiniteEncoder(1), {"cache": tmp_path, "settings": "one"}
        whole = gram_distance._block
        calls = []

        def stop_after_three(*args):
            calls.append(args)
            if len(calls) > 9:
                raise KeyboardInterrupt
            return whole(*args)

        monkeypatch.setattr(gram_distance, "_block", stop_after_three)
        with pytest.raises(KeyboardInterrupt):
            pairwise_gram_inner(encoder, clips, **options)
        stored = len(list(tmp_path.glob("*.npy")))
        assert stored > 0
        monkeypatch.setattr(gram_distance, "_block", lambda *args: calls.append(args) or whole(*args))
        calls.clear()
        first = pairwise_gram_inner(encoder, clips, **options)
        needed = len(calls)
        calls.clear()
        np.testing.assert_array_equal(pairwise_gram_inner(encoder, clips, **options), first)
        assert calls == []
        pairwise_gram_inner(encoder, clips, cache=tmp_path, settings="two")
        assert 0 < needed < len(calls)
        np.testing.assert_allclose(first, one_by_one(encoder, clips), rtol=2e-5)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: data[:-8],
            lambda data: b"",
            lambda data: data.replace(b"'descr': '", b"'descr': (("),
            lambda data: data.replace(b"'<f8'", b"'<i8'"),
            lambda data: data.replace(b"'shape': (", b"'shape': (9999999999999"),
            lambda data: b"PK\x03\x04" + data[4:],
            lambda data: data[:-8] + np.float64(np.nan).tobytes(),
            lambda data: data[:-8] + np.float64(-np.inf).tobytes(),
        ],
    )
    def test_damaged_block_is_made_again_and_named(self, clips, tmp_path, damage):
        encoder = InfiniteEncoder(1)
        first = pairwise_gram_inner(encoder, clips, cache=tmp_path)
        (file,) = tmp_path.glob("*.npy")
        whole = file.read_bytes()
        assert damage(whole) != whole
        file.write_bytes(damage(whole))
        with pytest.warns(UserWarning, match=f"1 stored blocks .* made again: {file.name}"):
            again = pairwise_gram_inner(encoder, clips, cache=tmp_path)
        np.testing.assert_array_equal(again, first)
        assert file.read_bytes() == whole

    def test_random_damage_to_a_header_is_never_an_error(self, clips, tmp_path, rng):
        encoder = InfiniteEncoder(1)
        first = pairwise_gram_inner(encoder, clips, cache=tmp_path)
        (file,) = tmp_path.glob("*.npy")
        whole = file.read_bytes()
        for _ in range(200):
            data = bytearray(whole)
            for _ in range(rng.integers(1, 4)):
                data[rng.integers(80)] = rng.integers(256)
            file.write_bytes(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                again = pairwise_gram_inner(encoder, clips, cache=tmp_path)
            np.testing.assert_array_equal(again, first)

    def test_content_names_the_blocks(self, clips, tmp_path):
        encoder = InfiniteEncoder(1)
        pairwise_gram_inner(encoder, clips, cache=tmp_path)
        changed = [clip + (i == 4) for i, clip in enumerate(clips)]
        np.testing.assert_allclose(
            pairwise_gram_inner(encoder, changed, cache=tmp_path), one_by_one(encoder, changed), rtol=2e-5
        )

    def test_processes_give_the_same(self, clips, monkeypatch):
        encoder = RandomEncoder(32, kernel_size=3)
        np.testing.assert_allclose(
            pairwise_gram_inner(encoder, clips, n_jobs=2), pairwise_gram_inner(encoder, clips), rtol=1e-6
        )

    def test_bad_input(self, clips):
        with pytest.raises(ValueError, match="at least one clip"):
            pairwise_gram_inner(InfiniteEncoder(1), [])
        with pytest.raises(ValueError, match="fewer than one patch"):
            pairwise_gram_inner(InfiniteEncoder(12), clips)


class TestFrontEnd:
    def test_paper_is_log1p(self, rng):
        y = vowel(150, (500, 1500), rng, 0.5)
        frames = FrontEnd()(y)
        assert frames.shape == (1025, 1 + len(y) // 1024)  # none is centred after the end
        np.testing.assert_array_equal(frames, torch.log1p(stft(y, cover=False).abs()))

    def test_unit_and_centred_frames(self, rng):
        X = FrontEnd(exponent=0.1, centre=True, unit=True)(vowel(150, (500, 1500), rng, 0.5))
        np.testing.assert_allclose(X.norm(dim=0), 1, rtol=1e-5)
        np.testing.assert_allclose(X.mean(dim=0), 0, atol=1e-6)

    def test_level_does_not_matter_to_the_recommended_front_ends(self, rng):
        y = vowel(150, (500, 1500), rng, 0.5)
        for front_end in METHODS["best"].front_ends:
            # A power of two, so that no rounding differs before the exponent is applied.
            np.testing.assert_allclose(front_end(y), front_end(y / 128), atol=2e-6)

    def test_silence_takes_no_part(self):
        y = np.zeros(8192, dtype=np.float32)
        y[:2000] = 0.1
        for front_end in METHODS["best"].front_ends:
            X = front_end(y)
            assert torch.isfinite(X).all()
            assert X[:, -1].abs().max() == 0

    def test_pooling_averages_frames(self, rng):
        y = vowel(150, (500, 1500), rng, 0.3)
        fine, coarse = FrontEnd(n_fft=512, hop_length=256), FrontEnd(n_fft=512, hop_length=256, pool=4)
        np.testing.assert_allclose(coarse(y)[:, 0], fine(y)[:, :4].mean(1), rtol=1e-5)
        assert coarse(y).shape[1] == -(-fine(y).shape[1] // 4)

    def test_best_kernel_is_the_mean_of_cosines(self):
        items = voices(2)
        both, *single = (
            similarity(items, replace(METHODS["best"], front_ends=ends))
            for ends in (METHODS["best"].front_ends, *((end,) for end in METHODS["best"].front_ends))
        )
        np.testing.assert_allclose(both, (single[0] + single[1]) / 2)
        np.testing.assert_allclose(np.diag(both), 1)
        two = SpeakerMethod(front_ends=(FrontEnd(), FrontEnd(n_fft=512)))
        with pytest.raises(ValueError, match="cosine=True"):
            similarity(items, two)


class TestClassifiers:
    def problem(self, rng, n_each=8, spread=1.5):
        centres = 2 * rng.standard_normal((3, 5))
        points = np.concatenate([c + spread * rng.standard_normal((n_each, 5)) for c in centres])
        return points, np.repeat(["a", "b", "c"], n_each)

    def test_ridge_equals_sklearn_on_the_centred_kernel(self, rng):
        points, labels = self.problem(rng)
        train, test = np.arange(0, 24, 2), np.arange(1, 24, 2)
        X, Z = points[train] - points[train].mean(0), points[test] - points[train].mean(0)
        kernel = points @ points.T + 7  # a constant in the kernel is removed by centring
        values = np.linalg.eigvalsh(X @ X.T).clip(0)
        one_hot = np.eye(3)[np.unique(labels[train], return_inverse=True)[1]]
        errors = []
        for ridge in classifiers.RIDGES:
            # Leave-one-out by hand, the mean refitted each time and the penalty kept.
            residual = 0.0
            for i in range(len(train)):
                rest = np.delete(np.arange(len(train)), i)
                centre, level = X[rest].mean(0), one_hot[rest].mean(0)
                model = KernelRidge(alpha=ridge * values.mean()).fit(X[rest] - centre, one_hot[rest] - level)
                residual += np.square(model.predict((X[i] - centre)[None]) + level - one_hot[i]).sum()
            errors.append(residual)
        alpha = classifiers.RIDGES[int(np.argmin(errors))] * values.mean()
        expected = KernelRidge(alpha=alpha).fit(X, one_hot - one_hot.mean(0)).predict(Z) + one_hot.mean(0)
        found = classifiers.ridge_classify(
            kernel[np.ix_(train, train)], kernel[np.ix_(test, train)], labels[train]
        )
        assert found.tolist() == np.array(["a", "b", "c"])[expected.argmax(1)].tolist()

    def test_leave_one_out_residuals_are_exact(self, rng):
        points, labels = self.problem(rng)
        X = points - points.mean(0)
        one_hot = np.eye(3)[np.unique(labels, return_inverse=True)[1]]
        values, vectors = np.linalg.eigh(X @ X.T)
        found = classifiers._leave_one_out(values.clip(0), vectors, one_hot, 0.1)
        rest = np.arange(1, len(X))
        centre, level = X[rest].mean(0), one_hot[rest].mean(0)
        model = KernelRidge(alpha=0.1 * values.clip(0).mean()).fit(X[rest] - centre, one_hot[rest] - level)
        expected = one_hot[0] - model.predict((X[0] - centre)[None])[0] - level
        np.testing.assert_allclose(found[0], expected, atol=1e-9)

    def test_ridge_never_sees_the_test_half(self, rng):
        points, labels = self.problem(rng)
        kernel = points @ points.T
        one = classifiers.ridge_classify(kernel[:12, :12], kernel[12:13, :12], labels[:12])
        many = classifiers.ridge_classify(kernel[:12, :12], kernel[12:, :12], labels[:12])
        assert one[0] == many[0]

    def test_ridge_with_one_item_of_each(self):
        kernel = np.array([[1.0, 0.2, 0.1], [0.2, 1.0, 0.3], [0.1, 0.3, 1.0]])
        assert classifiers.ridge_classify(kernel, kernel, np.array(["a", "b", "c"])).tolist() == [
            "a",
            "b",
            "c",
        ]

    def test_standardised_items_do_not_depend_on_the_other_test_items(self, rng):
        train, test = rng.normal(3, 2, (50, 4)), rng.normal(0, 1, (6, 4))
        own, others = classifiers.standardise(train, test)
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(own.std(0), 1)
        np.testing.assert_allclose(others, (test - train.mean(0)) / train.std(0))
        np.testing.assert_array_equal(classifiers.standardise(train, test[:1])[1], others[:1])

    def test_wilson_interval_of_the_paper(self):
        # 74 of 80, by hand: p = .925, centre (.925 + 1.92073/80) / 1.048018, half width .0596.
        low, high = wilson_interval(74, 80)
        assert (low, high) == pytest.approx((0.8459, 0.9652), abs=1e-4)
        assert wilson_interval(0, 10)[0] == 0
        assert wilson_interval(10, 10)[1] == pytest.approx(1, abs=1e-12)


class TestSplits:
    def test_alternate_and_halves(self):
        items = voices(5)
        train, test = split_items(items, "alternate")
        assert train[:3].tolist() == [0, 2, 4]
        assert test[:2].tolist() == [1, 3]
        train, test = split_items(items, "halves")
        assert train[:3].tolist() == [0, 1, 2]
        assert test[:2].tolist() == [3, 4]
        assert sorted([*train, *test]) == list(range(15))

    @pytest.mark.parametrize("how", ["alternate", "halves"])
    def test_disjoint_texts(self, how):
        # Shifted by one from speaker to speaker, so that the plain split would share sentences.
        texts = [f"{(i + shift) % 8:03d}" for shift in range(3) for i in range(6)]
        items = voices(6, 0.2, texts=texts)
        train, test = split_items(items, how, text="disjoint")
        assert not {texts[i] for i in train} & {texts[i] for i in test}
        assert sorted([*train, *test]) == list(range(18))
        shared, tested = split_items(items, how)
        assert {texts[i] for i in shared} & {texts[i] for i in tested}

    @pytest.mark.parametrize("how", ["alternate", "halves"])
    def test_disjoint_split_orders_the_sentences_by_name(self, how):
        order = [5, 2, 11, 0, 8, 3, 7, 10, 1, 9, 4, 6]
        texts = [f"{i:03d}" for i in order] * 3
        train, _ = split_items(voices(12, 0.2, texts=texts), how, text="disjoint")
        first = range(6) if how == "halves" else range(0, 12, 2)
        assert {texts[i] for i in train} == {f"{i:03d}" for i in first}

    def test_disjoint_without_names_is_the_plain_split(self):
        items = voices(4, 0.2)
        for left, right in zip(split_items(items, text="disjoint"), split_items(items), strict=True):
            np.testing.assert_array_equal(left, right)

    def test_an_empty_side_is_an_error(self):
        items = voices(2, 0.2, texts=["a"] * 6)
        with pytest.raises(ValueError, match=r"speaker ann with 2 .* and 0 for testing"):
            split_items(items, text="disjoint")


class TestSpeakerTable:
    def test_columns_rows_and_json(self):
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

    def test_voices_are_told_apart(self):
        found = table(
            voices(), methods=("paper", "nearest", "best", "spectrum", "mfcc", "gmm", "linear", "chance")
        )
        accuracy = found.groupby("method")["accuracy"].min()
        assert accuracy.drop("chance").min() == 1
        assert accuracy["chance"] == pytest.approx(1 / 3)

    def test_shuffled_labels_cannot_be_recognised(self):
        """Whatever reached the test half from its labels would keep the accuracy at 1; chance is 1/3."""
        items = voices(12, 0.4)
        found = []
        for seed in range(6):
            order = np.random.default_rng(seed).permutation(len(items))
            shuffled = replace(items, ys=tuple(items.ys[i] for i in order))
            found.append(table(shuffled, methods=("nearest", "best", "mfcc"))["accuracy"])
        assert 0.2 < np.mean(found) < 0.5

    def test_random_encoder_has_a_row_for_each_seed(self):
        found = table(
            voices(4), methods=("paper", "best", "mfcc"), encoder="random", n_filters=256, n_seeds=2
        )
        paper = found[found["method"] == "paper"]
        assert paper["seed"].tolist() == [0, 0, 1, 1]
        assert set(paper["encoder"]) == {"random-256"}
        assert len(found[found["method"] == "mfcc"]) == 2
        assert found["accuracy"].min() == 1

    def test_seeds_change_the_filters_and_repeat(self):
        items = voices(2, 0.7)
        options = {"encoder": "random", "n_filters": 16}
        first, again, other = (similarity(items, "paper", seed=s, **options) for s in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert not np.allclose(first, other, rtol=1e-3)

    def test_stored_distances_are_those_of_their_seed(self, tmp_path):
        items, options = voices(2, 0.7), {"encoder": "random", "n_filters": 16}
        plain = [similarity(items, "paper", seed=s, **options) for s in (0, 1)]
        for _ in range(2):  # made, then read
            for seed in (0, 1):
                stored = similarity(items, "paper", seed=seed, cache=tmp_path, **options)
                np.testing.assert_array_equal(stored, plain[seed])

    def test_random_tends_to_the_infinite_encoder(self):
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

    def test_short_utterances_are_padded_counted_and_reported(self):
        items = voices(4, 0.3)
        assert count_short(items, METHODS["paper"]) == 12
        assert count_short(items, METHODS["best"]) == 0
        with pytest.warns(UserWarning, match=r"shorter than one patch .*\(paper: 12\)"):
            found = table(items)
        assert found.attrs["padded"] == {"paper": 12, "best": 0}

    def test_cache_folder_is_used_and_changes_nothing(self, tmp_path):
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
    def test_unknown_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            table(voices(2, 0.2), **options)

    def test_global_random_state_is_left_alone(self):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        np_before = np.random.get_state()[1].copy()  # noqa: NPY002
        table(voices(2, 0.7), methods=("paper", "gmm"), encoder="random", n_filters=8)
        assert torch.equal(torch.get_rng_state(), before)
        np.testing.assert_array_equal(np.random.get_state()[1], np_before)  # noqa: NPY002
