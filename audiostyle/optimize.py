"""Limited-memory BFGS with a lower bound, on torch tensors, and the search for a balance around it.

SciPy's L-BFGS-B solves the same problem and is the oracle in the tests; its per-iteration cost on 200 000
variables is many times that of an evaluation here.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

_HISTORY = 10
_ARMIJO = 1e-4
_MAX_BACKTRACKS = 20
# The search for a share of the style distance: most rounds, the tolerance from which a round counts, and how close in
# log(style distance) is close enough.
MOST_ROUNDS = 12
_ROUND_TOLERANCE = 1e-5
_MISS = 0.01


class Step(NamedTuple):
    """One accepted iterate, as the callback sees it.

    Parameters
    ----------
    iteration : int
        0 for the start.
    value : object
        What the function returned; has ``total`` and ``gradient``.
    x : torch.Tensor
        The iterate.
    """

    iteration: int
    value: object
    x: torch.Tensor


@dataclass(frozen=True)
class Minimum:
    """Result of `minimize`.

    Parameters
    ----------
    x : torch.Tensor
        Iterate with the lowest loss.
    value : object
        What the function returned there.
    n_iter, n_evaluations : int
        Iterations made and evaluations used.
    reason : str
        Why it stopped: ``"tolerance"``, ``"n_iter"``, ``"callback"`` or ``"line search"``.
    """

    x: torch.Tensor
    value: object
    n_iter: int
    n_evaluations: int
    reason: str

    @property
    def total(self) -> float:
        """The lowest loss."""
        return self.value.total


def minimize(
    function: Callable[[torch.Tensor], object],
    x0: torch.Tensor,
    *,
    n_iter: int,
    tolerance: float = 1e-6,
    lower: float | None = 0.0,
    callback: Callable[[Step], bool] | None = None,
) -> Minimum:
    """Minimise a function of one tensor with projected L-BFGS.

    Nocedal & Wright 2006, algorithms 7.4 and 16.5's projection: variables at the bound whose gradient points
    outward are frozen for the step, the step is projected, and Armijo's rule is tested along the projected step.

    Parameters
    ----------
    function : callable
        Maps x to an object with ``total`` (float) and ``gradient`` (tensor like x).
    x0 : torch.Tensor
        Start; raised to the bound where it lies below.
    n_iter : int >= 0
        Most iterations.
    tolerance : float >= 0
        Stop when an iteration lowers the loss by less than this fraction of it.
    lower : float or None
        Lower bound of every variable; None for none.
    callback : callable or None
        Gets a `Step` for the start and after every iteration; returning True stops.

    Returns
    -------
    Minimum

    Raises
    ------
    RuntimeError
        If the loss is not finite; the message names the iteration.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> def f(x):
    ...     return SimpleNamespace(total=float(((x - 3) ** 2).sum()), gradient=2 * (x - 3))
    >>> minimize(f, torch.zeros(2), n_iter=20).x.tolist()
    [3.0, 3.0]
    """
    x = x0.detach().clone() if lower is None else x0.detach().clamp_min(lower)
    value = _finite(function(x), 0)
    n_evaluations, iteration, reason = 1, 0, "n_iter"
    pairs: deque = deque(maxlen=_HISTORY)
    if callback is not None and callback(Step(0, value, x)):
        return Minimum(x, value, 0, 1, "callback")
    while iteration < n_iter:
        free = None if lower is None else (x > lower) | (value.gradient <= 0)
        gradient = value.gradient if free is None else value.gradient * free
        if not bool(gradient.any()):
            reason = "tolerance"
            break
        direction = _direction(gradient, pairs)
        if free is not None:
            direction *= free
        slope = float(torch.dot(gradient.flatten(), direction.flatten()))
        if slope >= 0:  # the history misleads: fall back to steepest descent
            pairs.clear()
            direction = _direction(gradient, pairs)
        new_x, new_value, used = _line_search(
            function, x, value, direction, lower, first=not pairs, iteration=iteration + 1
        )
        n_evaluations += used
        if new_value is None:
            if not pairs:
                reason = "line search"
                break
            # A step that the history suggested failed everywhere: try once more without history.
            pairs.clear()
            continue
        iteration += 1
        _remember(pairs, new_x - x, new_value.gradient - value.gradient)
        decrease = value.total - new_value.total
        x, value = new_x, new_value
        if callback is not None and callback(Step(iteration, value, x)):
            reason = "callback"
            break
        if decrease <= tolerance * abs(value.total):
            reason = "tolerance"
            break
    return Minimum(x, value, iteration, n_evaluations, reason)


def minimize_to_share(
    objective,
    x0: torch.Tensor,
    share: float,
    *,
    n_iter: int,
    tolerance: float,
    lower: float | None,
    callback: Callable[[Step], bool] | None = None,
) -> tuple[Minimum, float]:
    """Find the balance at which a share of the style distance √(style loss) is removed, and the minimum there.

    Secant on log(style distance) against the log of the weights' ratio (b / (1 − b))². Each round starts where the
    one before ended, and runs to a finer tolerance.

    Parameters
    ----------
    objective : object
        Has ``at(balance)``, a function for `minimize` whose values have ``style`` too, and ``style_unit``, the style
        loss of which the share is taken.
    x0 : torch.Tensor
        Start.
    share : float in (0, 1)
    n_iter : int >= 0
        Most iterations of a round; there are 12 rounds at most.
    tolerance, lower
        As for `minimize`.
    callback : callable or None
        As for `minimize`; every round counts from 0. Returning True stops the search.

    Returns
    -------
    minimum : Minimum
        That of the last round, with the iterations and evaluations of all.
    balance : float
    """
    wanted = math.log(1 - share)
    points: list[tuple[float, float]] = []
    log_ratio, x, n_evaluations, made = 0.0, x0, 0, 0
    for round_ in range(MOST_ROUNDS):
        odds, finest = math.exp(log_ratio / 2), max(tolerance, 10.0 ** -(3 + round_))
        balance = odds / (1 + odds)
        minimum = minimize(
            objective.at(balance), x, n_iter=n_iter, tolerance=finest, lower=lower, callback=callback
        )
        x = minimum.x
        n_evaluations, made = n_evaluations + minimum.n_evaluations, made + minimum.n_iter
        style = max(minimum.value.style, 1e-12 * objective.style_unit)
        reached = 0.5 * math.log(style / objective.style_unit)
        near = abs(reached - wanted) < _MISS and finest <= _ROUND_TOLERANCE
        if near or minimum.reason == "callback":
            break
        points.append((log_ratio, reached))
        log_ratio = _secant(points, wanted)
    return replace(minimum, n_evaluations=n_evaluations, n_iter=made), balance


def _secant(points: list[tuple[float, float]], wanted: float) -> float:
    (x1, y1) = points[-1]
    slope = -0.5  # typical: the distance falls with the square root of the ratio of weights
    if len(points) > 1:
        (x0, y0) = points[-2]
        if abs(x1 - x0) > 0.05:  # nearer points differ by how far each round got, not by the weights
            slope = min(max((y1 - y0) / (x1 - x0), -1.5), -0.1)
    return x1 + max(-4.0, min(4.0, (wanted - y1) / slope))


def _finite(value, iteration: int):
    if not _is_finite(value.total):
        raise RuntimeError(
            f"the loss is {value.total} at iteration {iteration}; check the input for extreme values"
        )
    return value


def _is_finite(number: float) -> bool:
    return abs(number) < float("inf")


def _direction(gradient: torch.Tensor, pairs: deque) -> torch.Tensor:
    """Two-loop recursion; scaled steepest descent while there is no history."""
    d = -gradient
    if not pairs:
        return d
    flat = d.flatten()
    alphas = []
    for s, y, rho in reversed(pairs):
        alpha = rho * torch.dot(s, flat)
        alphas.append(alpha)
        flat.addcmul_(y, alpha, value=-1)
    s, y, rho = pairs[-1]
    flat *= 1 / (rho * torch.dot(y, y))
    for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
        flat.addcmul_(s, alpha - rho * torch.dot(y, flat))
    return flat.view_as(gradient)


def _remember(pairs: deque, s: torch.Tensor, y: torch.Tensor) -> None:
    s, y = s.flatten(), y.flatten()
    curvature = torch.dot(s, y)
    if float(curvature) > 0:
        pairs.append((s, y, 1 / curvature))
    else:
        pairs.clear()


def _line_search(function, x, value, direction, lower, *, first: bool, iteration: int):
    """Backtrack along the projected direction; returns (None, None, used) when no step lowers the loss."""
    # Without curvature information the first trial moves the largest entry by the typical magnitude.
    t = float(x.abs().mean().clamp_min(1e-3)) / float(direction.abs().max()) if first else 1.0
    for used in range(1, _MAX_BACKTRACKS + 1):
        new_x = torch.add(x, direction, alpha=t)
        if lower is not None:
            new_x = new_x.clamp_min_(lower)
        slope = float(torch.dot(value.gradient.flatten(), (new_x - x).flatten()))
        new_value = function(new_x)
        if _is_finite(new_value.total) and new_value.total <= value.total + _ARMIJO * slope and slope < 0:
            return new_x, new_value, used
        # Minimum of the parabola through the loss, the slope and the trial, kept within a factor of ten.
        t *= _parabola_factor(value.total, slope, new_value.total)
    _finite(new_value, iteration)
    return None, None, _MAX_BACKTRACKS


def _parabola_factor(start: float, slope: float, trial: float) -> float:
    curvature = 2 * (trial - start - slope)
    if not _is_finite(curvature) or curvature <= 0:
        return 0.1
    return min(max(-slope / curvature, 0.1), 0.5)
