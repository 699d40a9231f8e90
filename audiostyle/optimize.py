"""Limited-memory BFGS with a lower bound, on torch tensors.

SciPy's L-BFGS-B solves the same problem and is the oracle in the tests. It works on float64 NumPy vectors: with the
200 000 magnitudes of ten seconds each of its iterations spends 30 to 200 ms on copies and on its own active set, ten
times and more what an evaluation of the losses takes.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

_HISTORY, _ARMIJO, _MAX_BACKTRACKS = 10, 1e-4, 20
# Gets the iteration (0 for the start), what the function returned, and the iterate; returning True stops.
Callback = Callable[[int, object, torch.Tensor], bool]


@dataclass(frozen=True)
class Optimum:
    """Result of `minimize`: the iterate with the lowest loss, what the function `loss` returned there, and how it went.

    `reason` says why it stopped: ``"tolerance"``, ``"n_iter"``, ``"callback"`` or ``"line search"``.
    """

    x: torch.Tensor
    value: object
    n_iter: int
    n_evaluations: int
    reason: str
    loss: Callable[[torch.Tensor], object]

    @property
    def S(self) -> np.ndarray:
        """Linear magnitudes [shape=(n_bins, n_frames)], where x are log magnitudes."""
        return torch.expm1(self.x).cpu().numpy()


def minimize(
    function: Callable[[torch.Tensor], object],
    x0: torch.Tensor,
    *,
    n_iter: int,
    tolerance: float = 1e-6,
    lower: float = 0.0,
    callback: Callback | None = None,
) -> Optimum:
    """Minimise a function of one tensor with projected L-BFGS.

    Nocedal & Wright 2006: the two-loop recursion (algorithm 7.4) for the direction, the projection of section 16.7
    for the bound, Armijo's rule along the projected step.

    Parameters
    ----------
    function : callable
        Maps x to an object with ``total`` (float) and ``gradient`` (tensor like x).
    x0 : torch.Tensor
        Start; raised to the bound where it lies below.
    n_iter : int >= 0
    tolerance : float >= 0
        Stop when an iteration lowers the loss by less than this fraction of it. Rounding in float32 is about 1e-7:
        below that the line search would chase noise.
    lower : float
        Lower bound of every variable; −∞ for none.
    callback : callable or None
        ``callback(iteration, value, x)`` for the start and after every iteration; True stops.

    Raises
    ------
    RuntimeError
        If the loss is not finite; the message names the iteration.
    """
    x = x0.detach().clamp_min(lower)
    value = _finite(function(x), 0)
    n_evaluations, iteration, reason = 1, 0, "n_iter"
    pairs: deque = deque(maxlen=_HISTORY)
    stopped = callback is not None and callback(0, value, x)
    while iteration < n_iter and not stopped:
        # The active set: variables at the bound that the gradient pushes out of the domain. They stay where they are
        # in this step. Left in, their gradients would fill the history with curvature along directions that the
        # projection undoes; so they are masked before the recursion and, as it mixes all variables, after it.
        free = (x > lower) | (value.gradient <= 0)
        gradient = value.gradient * free
        if not bool(gradient.any()):
            reason = "tolerance"
            break
        direction = _direction(gradient, pairs) * free
        if float(torch.dot(gradient.flatten(), direction.flatten())) >= 0:
            pairs.clear()  # the history misleads: fall back to steepest descent
            direction = _direction(gradient, pairs)
        # Without curvature information the first trial moves the largest entry by the typical magnitude.
        t = 1.0 if pairs else float(x.abs().mean().clamp_min(1e-3)) / float(direction.abs().max())
        new_x, new_value, used = _line_search(function, x, value, direction, lower, t)
        n_evaluations += used
        if new_x is None:
            _finite(new_value, iteration + 1)
            if not pairs:
                reason = "line search"
                break
            pairs.clear()  # the step that the history suggested failed everywhere: try once more without
            continue
        iteration += 1
        _remember(pairs, new_x - x, new_value.gradient - value.gradient)
        decrease = value.total - new_value.total
        done = decrease <= tolerance * abs(value.total)
        x, value = new_x, new_value
        stopped = callback is not None and callback(iteration, value, x)
        if done and not stopped:
            reason = "tolerance"
            break
    return Optimum(x, value, iteration, n_evaluations, "callback" if stopped else reason, function)


def _finite(value, iteration: int):
    if not math.isfinite(value.total):
        raise RuntimeError(
            f"the loss is {value.total} at iteration {iteration}; check the input for extreme values"
        )
    return value


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
        pairs.clear()  # curvature turned over: older pairs describe another region


def _line_search(function, x, value, direction, lower: float, t: float):
    """Backtrack along the projected direction; returns None for x, and the last trial, when none lowers the loss."""
    for used in range(1, _MAX_BACKTRACKS + 1):
        new_x = torch.add(x, direction, alpha=t).clamp_min_(lower)
        # The bound bends the path: what was really moved, not t times the slope of the direction, is to pay.
        slope = float(torch.dot(value.gradient.flatten(), (new_x - x).flatten()))
        new_value = function(new_x)
        if slope < 0 and new_value.total <= value.total + _ARMIJO * slope:
            return new_x, new_value, used
        # Minimum of the parabola through the loss, the slope and the trial, kept within a factor of ten.
        curvature = 2 * (new_value.total - value.total - slope)
        t *= min(max(-slope / curvature, 0.1), 0.5) if 0 < curvature < math.inf else 0.1
    return None, new_value, used
