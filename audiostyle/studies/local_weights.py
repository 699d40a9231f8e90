"""Consistency of a spectrogram through truncated local weights, the approximation the paper cites.

A complex spectrogram H is that of a signal when it equals STFT(ISTFT(H)). Every bin of that projection is a weighted
sum over neighbours, ``Σ_q Σ_p A_q[p] H[m − p, n + q] exp(−2πi (m − p) q hop / n_fft)``, whose weights decay quickly
in frequency: a few of them stand for two Fourier transforms (Le Roux, Kameoka, Ono & Sagayama 2010, the
paper's reference [14]).
"""

import numpy as np
import torch

from audiostyle.phase.griffin_lim import check_magnitudes, decibels, fit_frames, target_and_phase
from audiostyle.spectrogram import istft, n_samples_for, stft, window


def consistency_weights(n_fft: int, hop_length: int, width: int, like: torch.Tensor) -> torch.Tensor:
    """Compute the weights ``A_q[p] = (1/n_fft) Σ_l w[l] s[l − q hop] exp(−2πi p l / n_fft)``.

    Parameters
    ----------
    n_fft, hop_length : int > 0
        `hop_length` divides `n_fft`.
    width : int in [0, n_fft // 2]
        Neighbours kept on each side in frequency.
    like : torch.Tensor
        Gives the device and the precision.

    Returns
    -------
    torch.Tensor [shape=(2 n_fft / hop_length - 1, 2 width + 1), complex]
        Rows q = 1 − n_fft / hop_length, ...; columns p = −width, ..., width. w is the Hann window and s the
        synthesis window, w over the sum of squares of its shifts.

    Raises
    ------
    ValueError
        If `hop_length` does not divide `n_fft` or `width` is out of range.
    """
    if n_fft % hop_length:
        raise ValueError(f"hop_length={hop_length} must divide n_fft={n_fft} for local weights")
    if not 0 <= width <= n_fft // 2:
        raise ValueError(f"width={width} is not allowed; it must be between 0 and n_fft // 2 = {n_fft // 2}")
    w = window(n_fft, like).double()
    overlap = n_fft // hop_length
    energy = w.square().reshape(overlap, hop_length).sum(0).repeat(overlap)
    synthesis = w / energy
    columns = torch.arange(-width, width + 1, device=w.device)
    rows = []
    for q in range(1 - overlap, overlap):
        shifted = torch.roll(synthesis, q * hop_length)
        keep = torch.arange(n_fft, device=w.device) - q * hop_length
        product = torch.where((keep >= 0) & (keep < n_fft), w * shifted, torch.zeros_like(w))
        rows.append((torch.fft.fft(product) / n_fft)[columns % n_fft])
    return torch.stack(rows).to(torch.complex64 if like.dtype == torch.float32 else torch.complex128)


def weighted_neighbours(
    H: torch.Tensor, weights: torch.Tensor, hop_length: int, *, with_centre: bool = False
) -> torch.Tensor:
    """Apply the truncated projection to a spectrogram.

    Parameters
    ----------
    H : torch.Tensor [shape=(n_bins, n_frames), complex]
    weights : torch.Tensor
        From `consistency_weights`.
    hop_length : int > 0
    with_centre : bool
        Include each bin's own term; without it the bin follows its neighbours alone.

    Returns
    -------
    torch.Tensor [shape=(n_bins, n_frames), complex]
        With all terms (``width = n_fft // 2``) the STFT of the inverse STFT, except in the outer frames, which
        lack neighbours.
    """
    n_bins, n_frames = H.shape
    n_fft = 2 * (n_bins - 1)
    reach, width = weights.shape[0] // 2, weights.shape[1] // 2
    # Bins beyond zero and the Nyquist frequency are those of a real signal: conjugates mirrored.
    whole = torch.cat([H, H[1:-1].flip(0).conj()])
    bins = torch.arange(-width, n_bins + width, device=H.device)
    extended = torch.nn.functional.pad(whole[bins % n_fft], (reach, reach))
    total = torch.zeros_like(H)
    for row in range(2 * reach + 1):
        q = row - reach
        angle = ((bins * q * hop_length) % n_fft).double() * (-2 * torch.pi / n_fft)
        turn = torch.polar(torch.ones_like(angle), angle).to(H.dtype)
        frames = extended[:, row : row + n_frames] * turn[:, None]
        # At p = ±n_fft / 2 both ends are the same bin: count it once.
        for column in range(2 * width + (0 if 2 * width == n_fft else 1)):
            p = column - width
            if with_centre or p != 0 or q != 0:
                total += weights[row, column] * frames[width - p : width - p + n_bins]
    return total


# Overlapping windows from which on local weights leave out a bin's own term.
_DENSE = 4


def local_weights(
    S: np.ndarray,
    *,
    n_iter: int = 200,
    hop_length: int = 1024,
    width: int = 2,
    init: str | np.ndarray = "random",
    seed: int = 0,
    length: int | None = None,
    return_convergence: bool = False,
    device: str | torch.device = "cpu",
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Reconstruct a waveform from magnitudes by truncated local weights (Le Roux et al. 2010).

    Every iteration gives each bin the phase of the weighted sum of its neighbours
    (`audiostyle.studies.local_weights.weighted_neighbours`), which approximates the projection of Griffin-Lim.

    Parameters
    ----------
    S, n_iter, hop_length, init, seed, length, return_convergence, device
        As for `griffin_lim`; `hop_length` must divide n_fft.
    width : int in [1, n_fft // 2]
        Neighbours on each side in frequency.

    Returns
    -------
    y, convergence
        As for `griffin_lim`.

    Raises
    ------
    ValueError
        If S is not a matrix of finite non-negative numbers, or an option is out of range.

    Notes
    -----
    All bins are updated at once; the authors' faster variants visit loud bins more often. A bin's own term is left
    out from four overlapping windows on, which lets the phase move further in each iteration (some 2 dB after 50);
    with two it is half of the whole, and without it the iteration does not settle (-7 dB against -21 dB on speech).

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    S = check_magnitudes(S, n_iter, hop_length, 0.0)
    length = n_samples_for(S.shape[1], hop_length) if length is None else length
    target, unit = target_and_phase(S, init, seed, hop_length, device)
    n_fft = 2 * (target.shape[0] - 1)
    weights = consistency_weights(n_fft, hop_length, width, target)
    with_centre = n_fft < _DENSE * hop_length
    convergence = []
    for i in range(n_iter + 1):
        if return_convergence:
            y = istft(target * unit, hop_length=hop_length, length=length)
            rebuilt = fit_frames(stft(y, n_fft=n_fft, hop_length=hop_length), target.shape[1])
            convergence.append(decibels((rebuilt.abs() - target).norm(), target.norm()))
        if i < n_iter:
            unit = torch.sgn(weighted_neighbours(target * unit, weights, hop_length, with_centre=with_centre))
    y = istft(target * unit, hop_length=hop_length, length=length).cpu().numpy()
    return (y, np.array(convergence)) if return_convergence else y
