"""Front ends: fixed maps of log magnitudes to what an encoder sees.

``log1p(M · S)`` with one matrix M for mel bands or for bands of constant Q, and patches of a few bands and frames at
every band and time, whose Gram matrix is one pooled over frequency. An encoder behind a front end is an encoder like
any other (`FrontEndEncoder`): its closed form serves, and its gradient goes on through the map.
"""

import librosa
import numpy as np
import torch

from audiostyle.config import check_positive
from audiostyle.encoders.base import Encoded, Encoder
from audiostyle.neighbours.names import N_BANDS, N_MELS, N_SEMITONES
from audiostyle.spectrogram import frequencies

# Semitones upwards from C1, in Hz.
LOWEST, PER_OCTAVE = 32.703, 12


class FrontEnd:
    """A fixed map of log magnitudes [shape=(n_bins, n_frames)]; by itself the identity.

    Parameters
    ----------
    n_bins : int > 0
        Rows of what it returns.

    Attributes
    ----------
    frames : int
        Frames that a column of the result depends on.
    """

    frames = 1

    def __init__(self, n_bins: int) -> None:
        check_positive(n_bins=n_bins)
        self.n_bins = n_bins

    def n_columns(self, n_frames: int) -> int:
        """Return the columns of the result for that many frames."""
        return n_frames

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Map a clip; differentiable.

        Returns
        -------
        torch.Tensor [shape=(n_bins, n_columns)]
        """
        return X


class Bands(FrontEnd):
    """Log magnitudes of bands, ``log1p(M · S)`` for linear magnitudes S.

    Parameters
    ----------
    matrix : np.ndarray [shape=(n_bands, n_bins), non-negative]
        Weights of the bins in each band.

    Examples
    --------
    >>> pairs = Bands(np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]))
    >>> pairs(torch.log1p(torch.tensor([[1.0], [2.0], [0.0], [0.0]]))).exp().round(decimals=4).tolist()
    [[4.0], [1.0]]
    """

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__(len(matrix))
        self.matrix = torch.as_tensor(matrix, dtype=torch.float32)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Map log magnitudes to those of the bands [shape=(n_bands, n_frames)].

        Raises
        ------
        ValueError
            If there are not as many bins as the matrix has columns.
        """
        if X.shape[0] != self.matrix.shape[1]:
            raise ValueError(
                f"the spectrogram has {X.shape[0]} bins and the front end is made for {self.matrix.shape[1]}; "
                f"make it with the n_fft of the spectrogram"
            )
        return torch.log1p(self.matrix.to(X) @ torch.expm1(X))


def _of_unit_norm(matrix: np.ndarray) -> np.ndarray:
    """Scale rows so that noise is as strong in a wide band as in a narrow one; rows of nothing stay."""
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.finfo(matrix.dtype).tiny)


def mel_bands(sr: int, n_fft: int, n_mels: int = N_MELS) -> Bands:
    """Return the front end of triangular mel bands (librosa's, Slaney's scale), each of unit norm."""
    return Bands(_of_unit_norm(librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, norm=None)))


def constant_q_bands(sr: int, n_fft: int) -> Bands:
    """Return the front end of constant Q: 84 semitones upwards from 32.7 Hz, each of unit norm.

    A row is the magnitude response of a Hann-windowed exponential of ``Q · sr / f`` samples (Brown 1991), on the bins
    of the STFT. No row is narrower than the STFT's own resolution: below some Q · sr / n_fft (180 Hz as configured) all
    have the bandwidth of its window. Semitones above half the sample rate are left out.

    Parameters
    ----------
    sr : int
        Sample rate in Hz.
    n_fft : int > 0

    Returns
    -------
    Bands
    """
    centres = LOWEST * 2.0 ** (np.arange(N_SEMITONES) / PER_OCTAVE)
    centres = centres[centres < sr / 2]
    q = 1 / (2 ** (1 / PER_OCTAVE) - 1)
    lengths = np.minimum(q * sr / centres, n_fft)
    time = np.arange(n_fft) - n_fft // 2
    inside = np.abs(time) < lengths[:, None] / 2
    windows = inside * (0.5 + 0.5 * np.cos(2 * np.pi * time / lengths[:, None]))
    atoms = windows * np.exp(2j * np.pi * centres[:, None] / sr * time)
    response = np.abs(np.fft.fft(atoms, axis=1))[:, : len(frequencies(sr, n_fft))]
    # Side lobes of the Hann window, 31 dB down and lower, would let every row see every bin.
    response[response < 0.02 * response.max(axis=1, keepdims=True)] = 0
    return Bands(_of_unit_norm(response))


class Patches(FrontEnd):
    """Patches of a few bands and frames, at every band and every few frames, each a column.

    The patches of all bands are one set, so that a Gram matrix of what an encoder with one frame makes of them is
    pooled over frequency as well as time, and a clip moved up by whole bands has the same one (Barry & Kim 2018,
    constant-Q branch): the frame kernel compares the patch at each band with those at all others.

    Parameters
    ----------
    below : FrontEnd
        Gives the bands.
    kernel_size : int > 0
        Frames of a patch.
    n_bands : int > 0
        Bands of a patch; there are as many as `below` has at most.
    stride : int > 0
        Frames between patches. The pairs of patches, and so the time, fall with its square.

    Notes
    -----
    Zeros follow up to a whole number of strides, so that no frame is left out.

    Examples
    --------
    >>> Patches(FrontEnd(5), kernel_size=2, n_bands=3)(torch.ones(5, 4)).shape  # 3 bands × 3 times
    torch.Size([6, 9])
    """

    def __init__(
        self, below: FrontEnd, kernel_size: int = 11, *, n_bands: int = N_BANDS, stride: int = 1
    ) -> None:
        check_positive(kernel_size=kernel_size, n_bands=n_bands, stride=stride)
        self.below, self.stride, self.frames = below, stride, kernel_size
        self.n_bands = min(n_bands, below.n_bins)
        super().__init__(self.n_bands * kernel_size)

    def n_columns(self, n_frames: int) -> int:
        """Return the number of patches in that many frames."""
        return (self.below.n_bins - self.n_bands + 1) * (1 + -(-(n_frames - self.frames) // self.stride))

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Cut patches [shape=(n_bands · kernel_size, n_columns)]."""
        Y = self.below(X)
        Y = torch.nn.functional.pad(Y, (0, -(Y.shape[1] - self.frames) % self.stride))
        cut = Y.unfold(0, self.n_bands, 1).unfold(1, self.frames, self.stride)
        return cut.permute(2, 3, 0, 1).reshape(self.n_bins, -1)


class FrontEndEncoder(Encoder):
    """An encoder behind a front end.

    Parameters
    ----------
    inner : Encoder
        A single layer.
    front_end : FrontEnd

    Raises
    ------
    ValueError
        If the encoder has layers, or a patch of `Patches` is not one frame of it.

    Notebook: 12_neighbours.ipynb

    Examples
    --------
    >>> from audiostyle import InfiniteEncoder
    >>> pooled = FrontEndEncoder(InfiniteEncoder(1), Patches(FrontEnd(4), kernel_size=1, n_bands=2))
    >>> X = torch.tensor([[0.0, 1.0, 2.0, 0.0]]).T
    >>> pooled.n_patches(1), bool(pooled.gram_inner(X, X) == pooled.gram_inner(X, X.roll(1, 0)))
    (3, False)
    """

    def __init__(self, inner: Encoder, front_end: FrontEnd) -> None:
        if inner.layers != (inner,):
            raise ValueError(
                "a front end stands before one layer; give each layer of a LayeredEncoder its own"
            )
        if front_end.frames > 1 and inner.receptive_field > 1:
            raise ValueError(
                f"an encoder of patches has kernel_size=1, not {inner.receptive_field}: Patches cut the frames"
            )
        self.front_end, self._inner = front_end, inner
        self.kernel_size = self.receptive_field = front_end.frames + inner.receptive_field - 1
        self.device, self.dtype = inner.device, inner.dtype

    @property
    def inner(self) -> Encoder:
        """Encoder of what the front end returns."""
        return self._inner

    def view(self, X: torch.Tensor) -> torch.Tensor:
        """Map a clip as the front end does."""
        return self.front_end(X)

    def n_patches(self, n_frames: int) -> int:
        """Return the number of patches in a clip of `n_frames` frames; over all bands where they are pooled."""
        super().n_patches(n_frames)
        return self._inner.n_patches(self.front_end.n_columns(n_frames))

    def _encode(self, X: torch.Tensor) -> Encoded:
        return self._inner.encode(self.view(X))

    def _kernel(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return self._inner.kernel(x, y)

    def _gram_inner(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return self._inner.gram_inner(x, y)

    def _patch_distance(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return self._inner.patch_distance(x, y)
