"""Griffin-Lim: phase from a magnitude spectrogram by alternating projections."""

import numpy as np
import torch

from audiostyle.config import check_allowed, check_seed
from audiostyle.spectrogram import as_tensor, istft, n_samples_for, stft

# Fast Griffin-Lim, Perraudin et al. 2013: its momentum, and iterations that come as close as some hundred plain ones
# (notebook 01).
FAST_MOMENTUM = 0.99
FAST_ITER = 30


def griffin_lim(
    S: np.ndarray,
    *,
    n_iter: int = 200,
    hop_length: int = 1024,
    momentum: float = 0.0,
    init: str | np.ndarray = "random",
    seed: int = 0,
    length: int | None = None,
    return_convergence: bool = False,
    device: str | torch.device = "cpu",
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Reconstruct a waveform from magnitudes by Griffin-Lim, Algorithm 1 of the paper.

    Fixes an initial phase and alternates the projection onto the given magnitudes, P_C2, with the projection
    onto the spectrograms of real signals, P_C1 = STFT of the inverse STFT: ``c_n = P_C1(P_C2(c_{n-1}))``, then
    ``x* = G†(P_C2(c_n))``. Griffin & Lim 1984; the momentum is the acceleration of Perraudin et al. 2013.

    Parameters
    ----------
    S : np.ndarray [shape=(n_bins, n_frames), finite and non-negative]
        Magnitudes with n_fft = 2 (n_bins - 1).
    n_iter : int >= 0
    hop_length : int > 0
    momentum : float in [0, 1)
        0 is the original algorithm.
    init : "random" or np.ndarray [shape=(n_bins, n_frames)]
        Initial phase: uniform from `seed`, or in radians.
    seed : int
    length : int or None
        Samples to return; None returns the (n_frames - 1) * hop_length that the frames cover. Samples beyond these
        fade out with the last window (`audiostyle.spectrogram.istft`).
    return_convergence : bool
        Also return the spectral convergence of the waveform after 0, 1, ... `n_iter` iterations.
    device : str

    Returns
    -------
    y : np.ndarray [shape=(length,), dtype=float32 or float64 as S]
    convergence : np.ndarray [shape=(n_iter + 1,)], only with `return_convergence`
        `spectral_convergence` in dB, at the `length` returned.

    Notes
    -----
    Algorithm 1 as printed returns ``G† c_n``. As librosa does, one more projection onto the magnitudes comes
    before the last inversion; n iterations here are n + 1 as printed.

    Notebook: 01_spectrogram_and_phase.ipynb

    Examples
    --------
    >>> griffin_lim(np.ones((5, 4), dtype=np.float32), n_iter=2, hop_length=4).shape
    (12,)
    """
    check_allowed(n_iter >= 0, "n_iter", n_iter, "at least 0")
    check_allowed(hop_length >= 1, "hop_length", hop_length, "at least 1")
    check_allowed(0 <= momentum < 1, "momentum", momentum, "at least 0 and below 1")
    target, unit = target_and_phase(S, init, seed, device)
    length = n_samples_for(target.shape[1], hop_length) if length is None else length
    previous, convergence = torch.zeros_like(unit), []
    for i in range(n_iter + 1):
        y = istft(target * unit, hop_length=hop_length, length=length)
        if i == n_iter and not return_convergence:
            break
        rebuilt = stft_like(target, y, hop_length)
        convergence.append(_convergence(target, rebuilt) if return_convergence else None)
        # Perraudin's c + m (c − c') is (1 + m) times what stands here: the sign forgets the factor.
        unit = torch.sgn(rebuilt if momentum == 0 else rebuilt - (momentum / (1 + momentum)) * previous)
        previous = rebuilt
    y = y.cpu().numpy()
    return (y, np.array(convergence)) if return_convergence else y


def phase_of(y: np.ndarray, *, n_fft: int = 2048, hop_length: int = 1024) -> np.ndarray:
    """Return the phase of a waveform's STFT in radians [shape=(n_bins, n_frames)], to start another from."""
    return stft(y, n_fft=n_fft, hop_length=hop_length).angle().cpu().numpy()


def spectral_convergence(S: np.ndarray, y: np.ndarray, *, hop_length: int = 1024) -> float:
    """Compute ``20 log10(‖|STFT(y)| − S‖_F / ‖S‖_F)``, how far a waveform is from the magnitudes asked for.

    In dB; lower is better, 0 is the score of silence, −∞ of a waveform [shape=(n_samples,)] with exactly the magnitudes
    S [shape=(n_bins, n_frames), non-negative], which have n_fft = 2 (n_bins - 1).
    """
    target = as_tensor(S)
    return _convergence(target, stft_like(target, as_tensor(y).to(target.dtype), hop_length))


def _convergence(target: torch.Tensor, D: torch.Tensor) -> float:
    tiny = torch.finfo(target.dtype).tiny
    return float(20 * torch.log10((D.abs() - target).norm() / target.norm().clamp_min(tiny)))


def stft_like(target: torch.Tensor, y: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Compute the STFT of a waveform, cut or padded with silence to the frames of magnitudes of another length."""
    D = stft(y, n_fft=2 * (target.shape[0] - 1), hop_length=hop_length)
    more = target.shape[1] - D.shape[1]
    return torch.nn.functional.pad(D, (0, more)) if more else D


def target_and_phase(S: np.ndarray, init, seed: int, device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return magnitudes and the unit phasors of the initial phase, laid out in memory as `stft` lays out its result."""
    check_seed(seed)
    S = np.asarray(S)
    if S.ndim != 2 or S.shape[0] < 2 or S.shape[1] < 1:
        raise ValueError(f"S has shape {S.shape}; a magnitude spectrogram (n_bins, n_frames) is needed")
    if not np.isfinite(S).all() or (S < 0).any():
        raise ValueError(f"S must be finite and non-negative; its range is [{np.min(S)}, {np.max(S)}]")
    target = as_tensor(S, device=device).T.contiguous().T
    if isinstance(init, str):
        check_allowed(init == "random", "init", init, "random or a phase array")
        generator = torch.Generator().manual_seed(seed)
        init = 2 * torch.pi * torch.rand(target.shape, generator=generator, dtype=torch.float64)
    phase = as_tensor(init, device=target.device).to(target.dtype)
    if phase.shape != target.shape:
        raise ValueError(f"init has shape {tuple(phase.shape)}; the phase of S needs {tuple(target.shape)}")
    return target, torch.polar(torch.ones_like(target), phase.T.contiguous().T)
