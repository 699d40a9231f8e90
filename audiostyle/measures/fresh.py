"""Losses of an actual sound under filters that no optimisation used."""

import torch

from audiostyle.encoders.random import RandomEncoder

# Far from every seed that an optimisation uses.
FRESH_SEED = 10_000


def fresh_encoder(
    n_filters: int = 4096, *, seed: int = FRESH_SEED, device: str | torch.device = "cpu"
) -> RandomEncoder:
    """Return the paper's layer, 11 frames and ReLU, with random filters that no optimisation uses."""
    return RandomEncoder(n_filters, seed=seed, device=device)
