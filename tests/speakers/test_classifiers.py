"""Classifiers by hand and against scikit-learn; nothing but the training half is learned from."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from audiostyle.speakers import classifiers
from audiostyle.speakers.classifiers import RIDGES, classify, kernel_features, ridge_scores

CLASSES = np.array(["a", "b", "c"])


def problem(rng, n_each=8, spread=1.5, n_features=5):
    centres = 2 * rng.standard_normal((3, n_features))
    points = np.concatenate([c + spread * rng.standard_normal((n_each, n_features)) for c in centres])
    return points, np.repeat(CLASSES, n_each)


def by_hand(known, labels, new, ridge):
    """Kernel ridge regression on centred features, the ridge in units of the mean eigenvalue of their kernel."""
    targets = (labels[:, None] == np.unique(labels)).astype(float)
    X, prior = known - known.mean(0), targets.mean(0)
    alpha = ridge * np.trace(X @ X.T) / len(X)
    return KernelRidge(alpha=alpha).fit(X, targets - prior).predict(new - known.mean(0)) + prior


def left_out(known, labels, ridge):
    """Squared leave-one-out error, the mean refitted each time and the penalty kept."""
    targets = (labels[:, None] == np.unique(labels)).astype(float)
    alpha = ridge * np.square(known - known.mean(0)).sum() / len(known)
    error = 0.0
    for i in range(len(known)):
        rest = np.delete(np.arange(len(known)), i)
        centre, level = known[rest].mean(0), targets[rest].mean(0)
        model = KernelRidge(alpha=alpha).fit(known[rest] - centre, targets[rest] - level)
        error += np.square(model.predict((known[i] - centre)[None]) + level - targets[i]).sum()
    return error


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


def test_rarity_by_hand():
    kernel = np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])
    # nearest others .9, .9, .2: median .9, 5 % quantile .2 + .1 × .7 = .27
    found = classifiers.rarity(kernel, np.array([[0.2, 0.9, 0.1], [0.0, -0.36, -0.5]]))
    np.testing.assert_allclose(found, [1, 0.9 / 0.63])


def test_the_second_counts_for_what_is_rare_to_the_first(rng):
    scores = [np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.4, 0.6], [0.4, 0.6]])]
    total = classifiers.weigh(scores, [np.array([1.0, 3.0]), np.array([1.0, 1.0])])
    # 8/9 of 0.6 and a ninth of 0.1 beside 8/9 of 0.4 and a ninth of 0.9
    np.testing.assert_allclose(total, [[0.9, 0.1], [(0.9 + 3.2) / 9, (0.1 + 4.8) / 9]])
    np.testing.assert_array_equal(classifiers.weigh(scores[:1], [np.ones(2)]), scores[0])
    near, far = rng.standard_normal((2, 6, 4)) + np.array([[[9.0]], [[-9.0]]])
    near, far = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (near, far))
    _, rare = classifiers.scores_and_rarity([(near[:4], far[4:])], np.array(list("aabb")))
    assert np.all(rare > 2)
    _, rare = classifiers.scores_and_rarity(
        [(near[:4], far[:2]), (near[:4], near[:2])], np.array(list("aabb"))
    )
    np.testing.assert_array_equal(rare, 1)  # to the classifier that knows it best
