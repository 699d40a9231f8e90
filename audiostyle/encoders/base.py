"""Random convolutional features and their frame kernel.

An encoder maps patches of `kernel_size` frames to features and compares clips through the frame kernel
``K_xy[s, t] = (1/N) Σ_i f_i(x, s) f_i(y, t)``. Both losses of the paper and the Gram distance are functions of K
alone, so everything else in this package is written on `gram_inner` and `patch_distance`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from audiostyle.spectrogram import as_tensor

Spectrogram = np.ndarray | torch.Tensor
LEAKY_SLOPE = 0.2


@dataclass(frozen=True)
class Encoded:
    """A clip as its encoder sees it, so that a clip compared often is encoded once.

    It also keeps what is computed from a constant clip alone: its Gram matrix and the inner product of that with
    itself. Its numbers must not be changed in place.

    Parameters
    ----------
    features : torch.Tensor or tuple of Encoded
        What the encoder needs for its kernel; for `RandomEncoder` the features
        [shape=(n_filters, n_patches)], for a `LayeredEncoder` the clip as each layer sees it.
    n_patches : int
        Number of patches; of several layers, the fewest.
    """

    features: "torch.Tensor | tuple[Encoded, ...]"
    n_patches: int
    _kept: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def layers(self) -> tuple["Encoded", ...]:
        """The clip as each of `Encoder.layers` sees it."""
        return self.features if isinstance(self.features, tuple) else (self,)

    def keep(self, key: object, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Return ``compute()``, at the first call with this key only; every time if the clip needs a gradient."""
        if any(layer.features.requires_grad for layer in self.layers):
            return compute()
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


class Encoder:
    """What losses, transfer and speaker identification use of an encoder.

    Subclasses define `_encode`, `_kernel`, `_gram_inner` and `_patch_distance`. Wherever a clip is asked for, a
    log magnitude spectrogram [shape=(n_bins, n_frames)] as array or tensor, or the result of `encode`, will do.

    Every encoder keeps to these (`tests/encoders/test_contract.py`): kernels are symmetric, K_yx = K_xyᵀ;
    `patch_distance` is the kernel distance on the diagonal, 0 between equal clips; `gram_inner` is Σ_l w_l ‖K_l‖²_F
    over `layers`, whatever the chunks; the gradients of both are those of their values; no clip is changed.
    """

    kernel_size: int
    receptive_field: int
    device: torch.device
    dtype: torch.dtype

    @property
    def layers(self) -> tuple["Encoder", ...]:
        """Layers over which the losses are summed (eq. 4 of the paper); one, unless it is a `LayeredEncoder`."""
        return (self,)

    @property
    def layer_weights(self) -> tuple[float, ...]:
        """Weights w_l of eq. 4, of the Gram matrices."""
        return (1.0,)

    @property
    def content_weights(self) -> tuple[float, ...]:
        """Weights of the content loss of each layer; w_l, unless a `LayeredEncoder` has others."""
        return self.layer_weights

    @property
    def inner(self) -> "Encoder":
        """Encoder of what `view` returns; itself, unless it stands behind a front end."""
        return self

    def view(self, X: torch.Tensor) -> torch.Tensor:
        """Return the spectrogram from which patches are cut: X itself, unless a front end maps it."""
        return X

    def n_patches(self, n_frames: int) -> int:
        """Return the number of patches in a clip of `n_frames` frames.

        Raises
        ------
        ValueError
            If the clip is shorter than one patch.
        """
        if n_frames < self.receptive_field:
            raise ValueError(
                f"the clip has {n_frames} frames, fewer than one patch of kernel_size={self.receptive_field}; "
                f"use a longer clip, a smaller kernel_size or a smaller hop_length"
            )
        return n_frames - self.receptive_field + 1

    def encode(self, X: "Spectrogram | Encoded") -> Encoded:
        """Prepare a clip for repeated comparison; what is encoded already is returned unchanged."""
        if isinstance(X, Encoded):
            return X
        X = as_tensor(X, device=self.device).to(self.dtype)
        if X.ndim != 2:
            raise ValueError(f"a spectrogram of shape (n_bins, n_frames) is needed, not {tuple(X.shape)}")
        self.n_patches(X.shape[1])
        return self._encode(X)

    def kernel(self, X: "Spectrogram | Encoded", Y: "Spectrogram | Encoded") -> torch.Tensor:
        """Compute the frame kernel K_xy.

        Returns
        -------
        torch.Tensor [shape=(n_patches_x, n_patches_y)]
        """
        return self._kernel(*self._encode_both(X, Y))

    def gram_inner(self, X: "Spectrogram | Encoded", Y: "Spectrogram | Encoded") -> torch.Tensor:
        """Compute ‖K_xy‖²_F, the inner product of the two Gram matrices divided by N²; of layers, the weighted sum.

        Differentiable; row chunks keep the memory linear in the length of the longer clip.

        Returns
        -------
        torch.Tensor, scalar, float64
        """
        x, y = self._encode_both(X, Y)
        if y is x:
            return x.keep((self, "gram_inner"), lambda: self._gram_inner(x, x))
        return self._gram_inner(x, y)

    def patch_distance(self, X: "Spectrogram | Encoded", Y: "Spectrogram | Encoded") -> torch.Tensor:
        """Compute ½ (K_xx + K_yy − 2 K_xy) on the diagonal, without cancellation.

        Returns
        -------
        torch.Tensor [shape=(n_patches,), non-negative]

        Raises
        ------
        ValueError
            If the clips differ in length.
        """
        x, y = self._encode_both(X, Y)
        if x.n_patches != y.n_patches:
            raise ValueError(f"clips of equal length are needed, not {x.n_patches} and {y.n_patches} patches")
        return self._patch_distance(x, y)

    def _encode_both(self, X: "Spectrogram | Encoded", Y: "Spectrogram | Encoded") -> tuple[Encoded, Encoded]:
        """Encode two clips, a clip given twice once: that it is one and the same must not be lost."""
        x = self.encode(X)
        return x, x if Y is X else self.encode(Y)


def same_numbers(X: torch.Tensor, Y: torch.Tensor) -> bool:
    """Whether two clips are the same numbers in memory; a part of a clip, or its transpose, is another one."""
    return X.data_ptr() == Y.data_ptr() and X.shape == Y.shape and X.stride() == Y.stride()


def check_activation(activation: str, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError if the activation is not among those allowed."""
    if activation not in allowed:
        raise ValueError(f"activation={activation!r} is not allowed; it must be one of {', '.join(allowed)}")
