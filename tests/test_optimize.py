import itertools
import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from scipy import optimize

from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import TransferLoss
from audiostyle.optimize import minimize
from tests.signals import DOUBLE, clip


def quadratic(target, scale):
    def function(x):
        residual = x - target
        return SimpleNamespace(total=float((scale * residual**2).sum()), gradient=2 * scale * residual)

    return function


def test_the_minimum_is_projected_onto_the_bound():
    target, scale = torch.tensor([1.0, -2.0, 3.0, -0.5]), torch.tensor([1.0, 10.0, 100.0, 3.0])
    for lower in (0.0, 0.5, -math.inf):
        function, start = quadratic(target.double(), scale), -torch.ones(4, dtype=DOUBLE)
        assert minimize(function, start, n_iter=0, lower=lower).x.min() == max(-1, lower)
        found = minimize(function, start, n_iter=100, lower=lower)
        assert found.x.numpy() == pytest.approx(target.clamp_min(lower).numpy(), abs=1e-4)


@pytest.mark.parametrize("kind", [partial(RandomEncoder, 30), InfiniteEncoder])
@pytest.mark.parametrize("balance", [0.3, 0.7])
def test_same_minimum_as_scipys_lbfgsb(kind, balance):
    content, style = clip(0, 12, 8) ** 3, 2 * clip(1, 15, 8) ** 3
    style[::2] = 0  # bands the style does not have: the result wants to go below zero there
    loss = TransferLoss(kind(kernel_size=3, dtype=DOUBLE), content, style, balance=balance)
    ours = minimize(loss, content, n_iter=2000, tolerance=1e-12)

    def projected(x):
        gradient = loss(x).gradient
        return float(torch.where((x > 0) | (gradient < 0), gradient, 0.0).norm())

    def for_scipy(x):
        value = loss(torch.from_numpy(x.reshape(content.shape)))
        return value.total, value.gradient.numpy().ravel()

    def scipy_from(start):
        options = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-10}
        how = {"jac": True, "method": "L-BFGS-B", "bounds": [(0, None)] * content.numel(), "options": options}
        return optimize.minimize(for_scipy, start.numpy().ravel(), **how).fun

    assert bool((ours.x >= 0).all())
    assert bool((ours.x == 0).any())  # the bound is active, or this test shows nothing
    assert projected(ours.x) < 1e-3 * projected(content)
    # Started where ours ended SciPy finds nothing better: it is a minimum under the bound.
    assert scipy_from(ours.x) == pytest.approx(ours.value.total, rel=1e-6)
    # The loss is not convex: from the same start both may end in neighbouring basins, a per cent apart.
    assert ours.value.total == pytest.approx(scipy_from(content), rel=1e-2)


def test_stop_rules():
    function = quadratic(torch.tensor([3.0, 1.0]), torch.tensor([1.0, 30.0]))
    assert minimize(function, torch.zeros(2), n_iter=1).reason == "n_iter"
    assert minimize(function, torch.zeros(2), n_iter=100).reason == "tolerance"
    stopped = minimize(function, torch.zeros(2), n_iter=100, callback=lambda i, value, x: i == 2)
    assert (stopped.reason, stopped.n_iter) == ("callback", 2)
    assert minimize(function, torch.zeros(2), n_iter=0).n_iter == 0
    at_minimum = minimize(function, torch.tensor([3.0, 1.0]), n_iter=5)
    assert (at_minimum.reason, at_minimum.n_iter) == ("tolerance", 0)


def test_tolerance_is_the_fraction_of_the_loss_that_an_iteration_must_lower():
    squares = quadratic(torch.ones(60, dtype=DOUBLE), torch.logspace(0, 3, 60, dtype=DOUBLE))

    def function(x):
        value = squares(x)
        return SimpleNamespace(total=100 + value.total, gradient=value.gradient)

    for tolerance in (1e-2, 1e-4, 1e-8):
        totals, options = [], {"n_iter": 500, "tolerance": tolerance}
        record = {"callback": lambda i, value, x, totals=totals: totals.append(value.total)}
        found = minimize(function, torch.zeros(60, dtype=DOUBLE), **options, **record)
        assert found.reason == "tolerance"
        lowered = [(a - b) / a for a, b in itertools.pairwise(totals)]
        assert lowered[-1] <= tolerance < min(lowered[:-1], default=1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("iteration", [0, 1])
def test_non_finite_loss_names_the_iteration(bad, iteration):
    calls = []

    def function(x):
        calls.append(x)
        total = float((x**2).sum()) if len(calls) <= iteration else bad
        return SimpleNamespace(total=total, gradient=2 * x)

    with pytest.raises(RuntimeError, match=rf"{bad} at iteration {iteration}"):
        minimize(function, torch.ones(2), n_iter=5)


def test_ill_conditioned_problem_takes_few_evaluations():
    function = quadratic(torch.ones(60, dtype=DOUBLE), torch.logspace(0, 3, 60, dtype=DOUBLE))
    start = torch.zeros(60, dtype=DOUBLE)
    found = minimize(function, start, n_iter=500, callback=lambda i, value, x: value.total < 1e-3)
    # steepest descent needs some thousand iterations at condition number 1000
    assert found.value.total < 1e-3
    assert found.n_evaluations < 150
