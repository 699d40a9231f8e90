from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.speakers import classifiers, gram_distance
from audiostyle.speakers.classifiers import RIDGES, classify, kernel_features, ridge_scores
from audiostyle.speakers.gram_distance import pairwise_gram_inner
from audiostyle.speakers.methods import SPEAKER_METHODS, FrontEnd, get_method, similarity
from audiostyle.spectrogram import stft

SHORT = {"n_fft": 512, "hop_length": 256}


@pytest.fixture
def y(voices):
    return voices(1, 0.5).ys[0]


def test_paper_is_log1p(y):
    frames = FrontEnd()(y)
    assert frames.shape == (1025, 1 + len(y) // 1024)  # none is centred after the end
    np.testing.assert_array_equal(frames, torch.log1p(stft(y, cover=False).abs()))


def test_each_setting_of_a_front_end_does_what_it_says(y):
    X = FrontEnd(exponent=0.1, centre=True, unit=True)(y)
    np.testing.assert_allclose(X.norm(dim=0), 1, rtol=1e-5)
    np.testing.assert_allclose(X.mean(dim=0), 0, atol=1e-6)
    # 31.25 Hz a bin: 312.5 Hz is the tenth, 3375 Hz the 108th
    banded = FrontEnd(**SHORT, exponent=0.5, band=(300, 3400))(y)
    np.testing.assert_array_equal(banded, FrontEnd(**SHORT, exponent=0.5)(y)[10:109])
    power, floored = (FrontEnd(**SHORT, exponent=2.0, floor_db=db)(y) for db in (None, -20))
    np.testing.assert_allclose(floored, power + 0.01 * power.mean(), rtol=1e-4)
    fine, coarse = (FrontEnd(**SHORT, pool=pool)(y) for pool in (1, 4))
    np.testing.assert_allclose(coarse[:, 0], fine[:, :4].mean(1), rtol=1e-5)
    assert coarse.shape[1] == -(-fine.shape[1] // 4)


def test_level_does_not_matter_to_the_recommended_front_ends_and_silence_takes_no_part(y):
    part = np.zeros(8192, dtype=np.float32)
    part[:2000] = 0.1
    for front_end in SPEAKER_METHODS["best"].front_ends:
        # A power of two, so that no rounding differs before the exponent is applied.
        np.testing.assert_allclose(front_end(y), front_end(y / 128), atol=2e-6)
        X = front_end(part)
        assert torch.isfinite(X).all()
        assert X[:, -1].abs().max() == 0


def test_best_kernel_is_the_mean_of_cosines(voices):
    ys, best = voices(2).ys, SPEAKER_METHODS["best"].views[0]
    single = [similarity(ys, replace(best, front_ends=(end,))) for end in best.front_ends]
    both = similarity(ys, best)
    np.testing.assert_allclose(both, np.mean(single, axis=0))
    np.testing.assert_allclose(np.diag(both), 1)
    with pytest.raises(ValueError, match="cosine=True"):
        similarity(ys, replace(best, cosine=False))


def test_random_filters_tend_to_the_limit_and_repeat(voices, tmp_path):
    ys = voices(2, 0.7).ys
    exact = similarity(ys, "paper")
    few, many = (
        np.mean([np.abs(similarity(ys, f"paper-{n}", seed=seed) / exact - 1).mean() for seed in range(4)])
        for n in (64, 1024)
    )
    assert many < few / 2  # 1/√N gives 1/4
    plain = [similarity(ys, "paper-16", seed=s) for s in (0, 1)]
    assert not np.allclose(*plain, rtol=1e-3)
    for seed in (0, 1, 0, 1):  # made, then read from the cache
        np.testing.assert_array_equal(similarity(ys, "paper-16", seed=seed, cache=tmp_path), plain[seed])


def test_names():
    assert get_method("best-8") == replace(SPEAKER_METHODS["best"], width=8)
    for name in ("papr", "paper-many", "gmm"):
        with pytest.raises(ValueError, match=f"method='{name}'.* paper,"):
            get_method(name)


@pytest.fixture
def clips(rng):
    lengths = (11, 12, 30, 17, 40)
    return [torch.tensor(rng.gamma(1.0, 1.0, (7, n)), dtype=torch.float32) for n in lengths]


def one_by_one(encoder, clips):
    n = np.array([encoder.n_patches(clip.shape[1]) for clip in clips])
    return np.array([[float(encoder.gram_inner(a, b)) for b in clips] for a in clips]) / n / n[:, None]


@pytest.mark.parametrize("encoder", [*map(InfiniteEncoder, (1, 4, 11)), RandomEncoder(64, kernel_size=5)])
@pytest.mark.parametrize(("group", "band_bytes"), [(8, 1), (8, 2**14), (40, 2**28), (512, 2**28)])
def test_equals_pair_by_pair(clips, encoder, group, band_bytes, monkeypatch):
    # Groups of 8 patches cut clips into pieces, groups of 512 hold them all; so do bands of features.
    monkeypatch.setattr(gram_distance, "GROUP_PATCHES", group)
    monkeypatch.setattr(gram_distance, "BAND_BYTES", band_bytes)
    found = pairwise_gram_inner(encoder, clips)
    np.testing.assert_allclose(found, one_by_one(encoder, clips), rtol=2e-5)
    values = np.linalg.eigvalsh(found)
    assert values.min() > -1e-6 * values.max()


def test_a_stopped_run_goes_on_and_other_settings_and_clips_are_computed(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(gram_distance, "GROUP_PATCHES", 16)
    encoder, calls = InfiniteEncoder(1), []
    kernel, stop = encoder.kernel, 9

    def counted(X, Y):
        calls.append(1)
        if len(calls) > stop:
            raise KeyboardInterrupt
        return kernel(X, Y)

    encoder.kernel = counted
    with pytest.raises(KeyboardInterrupt):
        pairwise_gram_inner(encoder, clips, cache=tmp_path, settings="one")
    assert list(tmp_path.glob("*.npz"))

    def run(clips, settings="one"):
        calls.clear()
        return pairwise_gram_inner(encoder, clips, cache=tmp_path, settings=settings), len(calls)

    stop = 10**6
    first, needed = run(clips)
    again, none = run(clips)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_allclose(first, one_by_one(InfiniteEncoder(1), clips), rtol=2e-5)
    assert 0 == none < needed < run(clips, "two")[1]
    changed = [clip + (i == 4) for i, clip in enumerate(clips)]
    np.testing.assert_allclose(run(changed)[0], one_by_one(InfiniteEncoder(1), changed), rtol=2e-5)


@pytest.mark.parametrize(("n", "message"), [(0, "one clip"), (5, "kernel_size=12")])
def test_bad_input(clips, n, message):
    with pytest.raises(ValueError, match=message):
        pairwise_gram_inner(InfiniteEncoder(12), clips[:n])


CLASSES = np.array(["a", "b", "c"])


def problem(rng, n_each=8, spread=1.5, n_features=5):
    centres = 2 * rng.standard_normal((3, n_features))
    points = np.concatenate([c + spread * rng.standard_normal((n_each, n_features)) for c in centres])
    return points, np.repeat(CLASSES, n_each)


def regression(known, labels, ridge):
    """Ridge regression with an intercept, the ridge in units of the mean eigenvalue of the kernel; its targets."""
    alpha = ridge * np.square(known - known.mean(0)).sum() / len(known)
    return Ridge(alpha=alpha, solver="svd"), (labels[:, None] == np.unique(labels)).astype(float)


def by_hand(known, labels, new, ridge):
    model, targets = regression(known, labels, ridge)
    return model.fit(known, targets).predict(new)


def left_out(known, labels, ridge):
    """Squared leave-one-out error, the intercept refitted each time and the penalty kept."""
    model, targets = regression(known, labels, ridge)
    off = 0.0
    for i in range(len(known)):
        model.fit(np.delete(known, i, axis=0), np.delete(targets, i, axis=0))
        off += np.square(model.predict(known[i : i + 1]) - targets[i]).sum()
    return off


@pytest.mark.parametrize("n_features", [5, 40], ids=["more items", "more features"])
@pytest.mark.parametrize("offset", [0, 7])
def test_ridge_is_the_one_that_leaves_one_out_best(rng, n_features, offset):
    points, labels = problem(rng, n_features=n_features)
    points += offset  # a constant is the intercept's affair
    known, new, own = points[::2], points[1::2], labels[::2]
    best = min(RIDGES, key=lambda ridge: left_out(known, own, ridge))
    np.testing.assert_allclose(ridge_scores(known, own, new), by_hand(known, own, new, best), atol=1e-6)
    one = ridge_scores(known, own, new[:1])
    np.testing.assert_allclose(one, ridge_scores(known, own, new)[:1], atol=1e-9)


def test_of_many_items_all_are_fitted(rng):
    points, labels = problem(rng, n_each=1500)
    order = rng.permutation(len(points))
    known, own, new = points[order], labels[order], rng.standard_normal((1100, 5))
    found = ridge_scores(known.astype(np.float32), own, new)
    off = [np.abs(by_hand(known, own, new, ridge) - found).max() for ridge in RIDGES]
    assert min(off) < 1e-6  # float32 features
    assert np.abs(by_hand(known[::2], own[::2], new, RIDGES[np.argmin(off)]) - found).max() > 1e-4


def test_one_item_of_each_names_itself():
    kernel = np.array([[1.0, 0.2, 0.1], [0.2, 1.0, 0.3], [0.1, 0.3, 1.0]])
    Z = kernel_features(kernel)
    np.testing.assert_allclose(Z @ Z.T, kernel, atol=1e-12)
    assert np.argmax(ridge_scores(Z, CLASSES, Z), axis=1).tolist() == [0, 1, 2]


def test_nearest_is_the_nearest_of_all(rng):
    Z, speakers = rng.standard_normal((41, 3)), rng.permutation(41)
    train, test = np.arange(30), np.arange(30, 41)
    expected = np.linalg.norm(Z[test, None] - Z[train], axis=-1).argmin(axis=1)
    found = classify([Z], speakers, train, test, "nearest")
    np.testing.assert_array_equal(found, speakers[train][expected])


def test_labels_of_the_test_half_are_not_looked_at(rng):
    points, speakers = problem(rng)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    train, test = np.arange(0, 24, 2), np.arange(1, 24, 2)
    hidden = speakers.copy()
    hidden[test] = "?"
    ys = [0.05 * rng.standard_normal(4000).astype(np.float32) for _ in points]
    for classifier in ("nearest", "ridge"):
        found = classify([points, points], speakers, train, test, classifier)
        assert found.tolist() == classify([points, points], hidden, train, test, classifier).tolist()
    for method in ("spectrum", "mfcc", "gmm"):
        found = classifiers.classify_baseline(method, ys, speakers, train, test)
        assert found.tolist() == classifiers.classify_baseline(method, ys, hidden, train, test).tolist()


def test_the_second_counts_for_what_is_rare_to_the_first(rng):
    scores = [np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.4, 0.6], [0.4, 0.6]])]
    total = classifiers.weigh(scores, [np.array([1.0, 3.0]), np.array([1.0, 1.0])])
    # 8/9 of 0.6 and a ninth of 0.1 beside 8/9 of 0.4 and a ninth of 0.9
    np.testing.assert_allclose(total, [[0.9, 0.1], [(0.9 + 3.2) / 9, (0.1 + 4.8) / 9]])
    np.testing.assert_array_equal(classifiers.weigh(scores[:1], [np.ones(2)]), scores[0])
    near, far = rng.standard_normal((2, 6, 4)) + np.array([[[9.0]], [[-9.0]]])
    near, far = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (near, far))
    labels = np.array(list("aabb"))
    _, rare = classifiers.scores_and_rarity([(near[:4], far[4:])], labels)
    assert np.all(rare > 2)
    _, rare = classifiers.scores_and_rarity([(near[:4], far[:2]), (near[:4], near[:2])], labels)
    np.testing.assert_array_equal(rare, 1)  # to the classifier that knows it best
