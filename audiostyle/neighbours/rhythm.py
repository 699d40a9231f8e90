"""Rhythm: how far two onset-strength functions are apart, with the gradient in the log magnitudes."""

import numpy as np
import torch

from audiostyle.spectrogram import as_tensor

# Onset strengths of silence are raised to this, far under those of any audible change.
_LEAST = 1e-6


def onset_strength(X: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Compute how much the log magnitudes rise from each frame to the next, summed over bins (spectral flux).

    Parameters
    ----------
    X : array or tensor [shape=(n_bins, n_frames)]
        Log magnitudes.

    Returns
    -------
    torch.Tensor [shape=(n_frames - 1,), non-negative]

    Examples
    --------
    >>> onset_strength(torch.tensor([[0.0, 2.0, 1.0], [0.0, 1.0, 4.0]])).tolist()
    [3.0, 3.0]
    """
    return as_tensor(X).diff(dim=1).clamp_min(0).sum(dim=0)


class RhythmLoss:
    """Cosine distance between the onset strengths of a clip and of a reference (Tomczak and others 2018).

    Parameters
    ----------
    reference : array or tensor [shape=(n_bins, n_frames_reference)]
        Log magnitudes of the clip whose rhythm is wanted.
    n_frames : int > 1
        Frames of the clips to judge. A longer reference is cut, a shorter one repeated.
    weight : float >= 0
        Factor of the distance.

    Raises
    ------
    ValueError
        If there are fewer than two frames.

    Notebook: 12_neighbours.ipynb

    Examples
    --------
    >>> X = torch.rand(5, 8)
    >>> RhythmLoss(X, 8)(2 * X)[0]  # louder is no other rhythm
    0.0
    """

    def __init__(self, reference: np.ndarray | torch.Tensor, n_frames: int, *, weight: float = 1.0) -> None:
        strength = onset_strength(reference)
        if min(n_frames - 1, len(strength)) < 1:
            raise ValueError("a rhythm needs clips of two frames at least; take longer ones")
        wanted = strength.repeat(-(-(n_frames - 1) // len(strength)))[: n_frames - 1]
        self.weight = weight
        self._wanted = wanted / wanted.norm().clamp_min(_LEAST)

    def distance(self, X: torch.Tensor) -> torch.Tensor:
        """Compute 1 − cosine, 0 to 1 [shape=()]; as half the squared chord, which does not cancel."""
        strength = onset_strength(X)
        return 0.5 * (strength / strength.norm().clamp_min(_LEAST) - self._wanted.to(X)).square().sum()

    def __call__(self, X: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Return the weighted distance and its gradient in X [shape=(n_bins, n_frames)]."""
        X = X.detach().requires_grad_(True)
        value = self.weight * self.distance(X)
        (gradient,) = torch.autograd.grad(value, X)
        return float(value.detach()), gradient
