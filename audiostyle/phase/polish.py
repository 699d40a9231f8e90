"""Waveform polish: lower the transfer's own loss on the samples of the sound.

Magnitudes that were optimised freely are seldom those of any waveform, and whatever phase is found, some of the
style is lost on the way to the sound. Here the unknowns are the samples, so that nothing is lost: what is
minimised is what is heard.
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from audiostyle.losses import Evaluation
from audiostyle.optimize import Callback, Optimum, minimize
from audiostyle.spectrogram import as_tensor, log_magnitude

# Most iterations. On the six pairs the style loss is then within 7 % of that of the magnitudes.
POLISH_ITER = 80


def polish(
    loss: Callable[[torch.Tensor], Evaluation],
    y: np.ndarray | torch.Tensor,
    *,
    n_iter: int = POLISH_ITER,
    n_fft: int = 2048,
    hop_length: int = 1024,
    callback: Callback | None = None,
) -> Optimum:
    """Minimise a loss of log magnitudes, such as `TransferLoss`, over the samples of a waveform [shape=(n_samples,)].

    The loss's clips have the frames of `y`, which is where L-BFGS starts. The rest is as for `minimize`.

    Notebook: 01_spectrogram_and_phase.ipynb
    """

    def of_samples(y: torch.Tensor) -> Evaluation:
        y = y.detach().requires_grad_(True)
        X = log_magnitude(y, n_fft=n_fft, hop_length=hop_length)
        value = loss(X.detach())
        # The loss has its own gradient; autograd takes it on through log1p, magnitude and STFT.
        return value._replace(gradient=torch.autograd.grad(X, y, value.gradient)[0])

    return minimize(of_samples, as_tensor(y), n_iter=n_iter, lower=-math.inf, callback=callback)
