"""What an encoder offers: the frame kernel of random convolutional features.

An encoder maps patches of `kernel_size` frames to features and compares clips through the frame kernel
``K_xy[s, t] = (1/N) Σ_i f_i(x, s) f_i(y, t)``. Both losses of the paper and the Gram distance are functions of K
alone: everything else is written on `gram_inner` and `patch_distance`.
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
    """A clip as its encoder sees it, so that a clip compared often is encoded once; not to be changed in place.

    `features` are what the kernel needs; for `RandomEncoder` the features [shape=(n_filters, n_patches)].
    """

    features: torch.Tensor
    n_patches: int
    _kept: dict = field(default_factory=dict, repr=False, compare=False)

    def keep(self, key: object, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Return ``compute()`` of this clip alone, kept from the first call on unless the clip needs a gradient."""
        if self.features.requires_grad:
            return compute()
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


Clip = Spectrogram | Encoded


class Encoder:
    """What losses, transfer and speaker identification use of an encoder.

    Subclasses define `_encode`, `_kernel`, `_gram_inner` and `_patch_distance`, and keep to
    `tests/encoders/test_contract.py`. A clip is a log magnitude spectrogram [shape=(n_bins, n_frames)] as array or
    tensor, or the result of `encode`.
    """

    kernel_size: int
    device: torch.device
    dtype: torch.dtype

    def n_patches(self, n_frames: int) -> int:
        """Return the number of patches in a clip, at least one."""
        if n_frames < self.kernel_size:
            raise ValueError(
                f"the clip has {n_frames} frames, fewer than one patch of kernel_size={self.kernel_size}; "
                f"use a longer clip, a smaller kernel_size or a smaller hop_length"
            )
        return n_frames - self.kernel_size + 1

    def encode(self, X: Clip) -> Encoded:
        """Prepare a clip for repeated comparison; what is encoded already is returned unchanged."""
        if isinstance(X, Encoded):
            return X
        X = as_tensor(X, device=self.device).to(self.dtype)
        if X.ndim != 2:
            raise ValueError(f"a spectrogram of shape (n_bins, n_frames) is needed, not {tuple(X.shape)}")
        self.n_patches(X.shape[1])
        return self._encode(X)

    def kernel(self, X: Clip, Y: Clip) -> torch.Tensor:
        """Compute the frame kernel K_xy [shape=(n_patches_x, n_patches_y)]."""
        return self._kernel(*self._encode_both(X, Y))

    def gram_inner(self, X: Clip, Y: Clip) -> torch.Tensor:
        """Compute ‖K_xy‖²_F, the inner product of both Gram matrices over N² [shape=(), dtype=float64]; differentiable.

        As ``tr(F_x F_xᵀ F_y F_yᵀ) = ‖F_xᵀ F_y‖²_F``, no N × N matrix is needed. Chunks keep memory linear in length.
        """
        x, y = self._encode_both(X, Y)
        if y is x:
            return x.keep((self, "gram_inner"), lambda: self._gram_inner(x, x))
        return self._gram_inner(x, y)

    def patch_distance(self, X: Clip, Y: Clip) -> torch.Tensor:
        """Compute ½ (K_xx + K_yy − 2 K_xy) on the diagonal [shape=(n_patches,), non-negative]; differentiable."""
        x, y = self._encode_both(X, Y)
        if x.n_patches != y.n_patches:
            raise ValueError(f"clips of equal length are needed, not {x.n_patches} and {y.n_patches} patches")
        return self._patch_distance(x, y)

    def patch_energy(self, X: Spectrogram) -> float:
        """Compute the mean of ½ ‖patch‖² over the patches of a clip, the unit of the content loss."""
        power = as_tensor(X).square().sum(dim=0, dtype=torch.float64)
        return float(0.5 * power.unfold(0, self.kernel_size, 1).sum(dim=1).mean())

    def _encode_both(self, X: Clip, Y: Clip) -> tuple[Encoded, Encoded]:
        x = self.encode(X)  # a clip given twice once: that it is one and the same must not be lost
        return x, x if Y is X else self.encode(Y)
