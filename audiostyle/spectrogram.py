"""Short-time Fourier transform and back, log magnitudes, and axes in hertz and seconds.

Arrays have the axis order (n_bins, n_frames), with n_fft = 2 (n_bins - 1). The transform is torch's, so that it can be
differentiated and moved to a GPU, with librosa's padding (zeros, half a window on both sides) and zeros up to a whole
number of hops, so that the last frame is centred at or after the last sample, and `istft` recovers every sample.
"""

from functools import lru_cache

import numpy as np
import torch

# Share of the largest sum of squared windows below which no sample is divided by it.
_LEAST_ENERGY = 1e-3


def as_tensor(x: np.ndarray | torch.Tensor, *, device: str | torch.device | None = None) -> torch.Tensor:
    """Return `x` as a floating-point tensor on `device`, or where it is; integers become float32."""
    tensor = torch.as_tensor(x, device=device)
    return tensor if tensor.is_floating_point() or tensor.is_complex() else tensor.to(torch.float32)


def stft(
    y: np.ndarray | torch.Tensor, *, n_fft: int = 2048, hop_length: int = 1024, cover: bool = True
) -> torch.Tensor:
    """Compute the complex short-time Fourier transform with a Hann window.

    Equal to ``librosa.stft`` of the waveform with zeros appended up to a whole number of hops. Without them the last
    ``n_samples % hop_length`` samples would lie under the end of the last window alone, which is nearly zero.

    Parameters
    ----------
    y : array or tensor [shape=(n_samples,)]
    n_fft, hop_length : int > 0
        Window length, and samples between frames.
    cover : bool
        Append the zeros. Without them no frame is centred after the end: for what is compared frame by frame and never
        inverted.

    Returns
    -------
    torch.Tensor [shape=(1 + n_fft // 2, n_frames_for(n_samples, hop_length)), complex]

    Notebook: 01_spectrogram_and_phase.ipynb
    """
    y = as_tensor(y)
    if cover:
        y = torch.nn.functional.pad(y, (0, -y.shape[-1] % hop_length))
    window = torch.hann_window(n_fft, dtype=y.dtype, device=y.device)
    return torch.stft(
        y, n_fft, hop_length, window=window, center=True, pad_mode="constant", return_complex=True
    )


def istft(D: np.ndarray | torch.Tensor, *, hop_length: int = 1024, length: int) -> torch.Tensor:
    """Invert `stft` in the least-squares sense (Griffin & Lim 1984, eq. 6).

    Samples up to the last frame's centre are determined by the frames, as in ``torch.istft``, which takes more than
    twice the time. Beyond it, where fewer windows reach, the sound fades out with the last window instead of being
    divided by its end, and is 0 after it.

    Parameters
    ----------
    D : array or tensor [shape=(n_bins, n_frames), complex]
    hop_length, length : int > 0
        Samples between frames, and samples to return.
    """
    D = as_tensor(D)
    n_fft = 2 * (D.shape[0] - 1)
    window, inverse_energy = _synthesis(n_fft, hop_length, D.shape[1], D.real.dtype, D.device)
    # Bins are adjacent in memory in what `stft` returns: transforming along them spares a copy.
    y = _overlap_add(torch.fft.irfft(D.T, n=n_fft, dim=-1) * window, hop_length) * inverse_energy
    y = y[n_fft // 2 : n_fft // 2 + length]
    return torch.nn.functional.pad(y, (0, length - len(y)))


def _overlap_add(frames: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Add frames [shape=(n_frames, n_fft)] that begin `hop_length` samples apart.

    A few additions of whole blocks; torch's `fold` moves sample by sample and takes six times as long.
    """
    n_frames, n_fft = frames.shape
    blocks = torch.nn.functional.pad(frames, (0, -n_fft % hop_length)) if n_fft % hop_length else frames
    blocks = blocks.reshape(n_frames, -1, hop_length)
    y = frames.new_zeros(n_frames + blocks.shape[1] - 1, hop_length)
    for j in range(blocks.shape[1]):
        y[j : j + n_frames] += blocks[:, j]
    return y.flatten()[: n_fft + hop_length * (n_frames - 1)]


@lru_cache(maxsize=8)
def _synthesis(n_fft: int, hop_length: int, n_frames: int, dtype: torch.dtype, device: torch.device):
    """Return the window, and 1 over the sum of squared windows at every sample, that sum raised to its least.

    Within the frames' cover, from the first frame's centre to the last one's, the sum is as it is, but for hops so near
    to n_fft that it (nearly) vanishes between two frames.
    """
    window = torch.hann_window(n_fft, dtype=dtype, device=device)
    energy = _overlap_add((window**2).expand(n_frames, n_fft), hop_length)
    covered = energy[n_fft // 2 : n_fft // 2 + n_samples_for(n_frames, hop_length) + 1]
    least = max(float(covered.min()), _LEAST_ENERGY * float(covered.max()))
    return window, energy.clamp_min(least).reciprocal()


def log_magnitude(y: np.ndarray | torch.Tensor, *, n_fft: int = 2048, hop_length: int = 1024) -> torch.Tensor:
    """Compute log magnitudes, ``log1p(|stft(y)|)`` [shape=(n_bins, n_frames), non-negative]."""
    return torch.log1p(stft(y, n_fft=n_fft, hop_length=hop_length).abs())


def magnitudes(y: np.ndarray, *, n_fft: int = 2048, hop_length: int = 1024) -> np.ndarray:
    """Return the magnitude spectrogram of a waveform as an array [shape=(n_bins, n_frames)]."""
    return stft(y, n_fft=n_fft, hop_length=hop_length).abs().numpy()


def n_samples_for(n_frames: int, hop_length: int = 1024) -> int:
    """Return the samples that `n_frames` frames cover, the most whose `stft` has so many frames."""
    return (n_frames - 1) * hop_length


def frequencies(sr: int = 22050, n_fft: int = 2048) -> np.ndarray:
    """Return the centre frequencies of the bins in Hz [shape=(1 + n_fft // 2,)]."""
    return np.fft.rfftfreq(n_fft, 1.0 / sr)


def times(n_frames: int, sr: int = 22050, hop_length: int = 1024) -> np.ndarray:
    """Return the centre times of the frames in seconds [shape=(n_frames,)]."""
    return np.arange(n_frames) * hop_length / sr
