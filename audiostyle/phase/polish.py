"""Waveform polish: lower the transfer's own loss on the samples of the sound.

Magnitudes that were optimised freely are seldom those of any waveform, and whatever phase is found, some of the
style is lost on the way to the sound. Here the unknowns are the samples, so that nothing is lost: what is
minimised is what is heard.
"""

from collections.abc import Callable

import numpy as np
import torch

from audiostyle.losses import Evaluation, TransferLoss
from audiostyle.optimize import Optimum, minimize
from audiostyle.spectrogram import as_tensor, overlap_add, stft, window

POLISH_ITER = 80


class WaveformLoss:
    """A `TransferLoss` of the log magnitudes of a waveform, with its gradient in the samples.

    The chain rule is written out: for S = |D| the gradient G in log1p(S) becomes ``G / (1 + S) · D / S`` on the
    transform (0 where S is 0, where the magnitude has no direction), and the transpose of the STFT brings it back
    to the samples: inverse transform, window, overlap-add.

    Parameters
    ----------
    loss : TransferLoss
        The objective on log magnitudes.
    n_fft, hop_length : int > 0
        Of the STFT.

    Notebook: 01_spectrogram_and_phase.ipynb
    """

    def __init__(
        self,
        loss: TransferLoss,
        *,
        n_fft: int = 2048,
        hop_length: int = 1024,
    ) -> None:
        self.loss = loss
        self.n_fft = n_fft
        self.hop_length = hop_length

    def __call__(self, y: torch.Tensor) -> Evaluation:
        """Evaluate at a waveform y [shape=(n_samples,)]; the gradient has its shape."""
        D = stft(y, n_fft=self.n_fft, hop_length=self.hop_length)
        S = D.abs()
        value = self.loss(torch.log1p(S))
        tiny = torch.finfo(S.dtype).tiny
        outer = D * (value.gradient / ((1 + S) * S.clamp_min(tiny)))
        return Evaluation(value.content, value.style, value.total, self._to_samples(outer, len(y)))

    def _to_samples(self, G: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Apply the transpose of the STFT, as a real linear map, to G [shape=(n_bins, n_frames), complex]."""
        # irfft counts every bin but the first and the last twice (its conjugate), and divides by n_fft.
        G = G.T.clone()
        G[:, 1:-1] *= 0.5
        frames = torch.fft.irfft(G, n=self.n_fft, dim=-1) * (self.n_fft * window(self.n_fft, G))
        half = self.n_fft // 2
        y = overlap_add(frames, self.hop_length)[half : half + n_samples]
        return torch.nn.functional.pad(y, (0, n_samples - len(y)))


def polish(
    loss: TransferLoss,
    y: np.ndarray,
    *,
    n_iter: int = POLISH_ITER,
    n_fft: int = 2048,
    hop_length: int = 1024,
    callback: Callable | None = None,
) -> Optimum:
    """Minimise a transfer's loss over the samples of a waveform with L-BFGS.

    Parameters
    ----------
    loss : TransferLoss
        The objective on log magnitudes; its clips have the frames of `y`.
    y : np.ndarray [shape=(n_samples,)]
        Start, at the level of the computation: the content itself, or a waveform from a phase reconstruction.
    n_iter : int >= 0
        Most iterations.
    n_fft, hop_length : int > 0
        Of the STFT.
    callback : callable or None
        As for `audiostyle.optimize.minimize`.

    Returns
    -------
    Optimum
        ``x`` is the waveform [shape=(n_samples,)].

    Raises
    ------
    RuntimeError
        If the loss is not finite.
    """
    objective = WaveformLoss(loss, n_fft=n_fft, hop_length=hop_length)
    start = as_tensor(y, device=loss.encoder.device).to(loss.encoder.dtype)
    return minimize(objective, start, n_iter=n_iter, lower=None, callback=callback)
