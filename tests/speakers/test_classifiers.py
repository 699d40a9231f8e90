import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from audiostyle.speakers import classifiers
from audiostyle.speakers.table import wilson_interval


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
