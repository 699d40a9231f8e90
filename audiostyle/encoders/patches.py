"""Sums over patches, k consecutive frames, from sums over frames."""

import torch
from torch.nn.functional import pad

# Patch norms are raised to this, far under the rounding of any audible patch: digital silence has norm zero.
_LEAST_NORM = 1e-6


def box_sum(P: torch.Tensor, k: int) -> torch.Tensor:
    """Sum k entries along each diagonal, ``out[s, t] = Σ_{τ<k} P[s + τ, t + τ]`` [shape=(m - k + 1, n - k + 1)].

    Examples
    --------
    >>> box_sum(torch.arange(9.0).reshape(3, 3), 2)
    tensor([[ 4.,  6.],
            [10., 12.]])
    """
    if k == 1:
        return P
    P = P.contiguous()
    m, n = P.shape
    return P.as_strided((m - k + 1, n - k + 1, k), (n, 1, n + 1)).sum(-1)


def box_sum_transposed(G: torch.Tensor, k: int) -> torch.Tensor:
    """Apply the transpose of `box_sum`: each entry is spread over k places along its diagonal."""
    return box_sum(pad(G, (k - 1, k - 1, k - 1, k - 1)), k)


def box_1d(v: torch.Tensor, k: int) -> torch.Tensor:
    """Sum k neighbours [shape=(n,) → (n - k + 1,)]."""
    return v.unfold(0, k, 1).sum(-1)


def box_1d_transposed(v: torch.Tensor, k: int) -> torch.Tensor:
    """Apply the transpose of `box_1d`."""
    return box_1d(pad(v, (k - 1, k - 1)), k)


def patch_norms(X: torch.Tensor, k: int, scratch: torch.Tensor | None = None) -> torch.Tensor:
    """Return the Euclidean norm of every patch [shape=(n_patches,)], at least 1e-6."""
    return box_1d(frame_products(X, X, scratch), k).clamp_min(_LEAST_NORM**2).sqrt()


def frame_products(X: torch.Tensor, Y: torch.Tensor, scratch: torch.Tensor | None = None) -> torch.Tensor:
    """Return ⟨x_t, y_t⟩ for every frame [shape=(n_frames,)]; the products are left in `scratch` if given."""
    return torch.mul(X, Y, out=scratch).sum(0)
