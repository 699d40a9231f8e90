"""Random convolutional features and their frame kernel.

An encoder maps patches of `kernel_size` frames to features and compares clips through the frame kernel
``K_xy[s, t] = (1/N) Σ_i f_i(x, s) f_i(y, t)``. Both losses of the paper and the Gram distance are functions of K
alone, so everything else in this package is written on `gram_inner` and `patch_distance`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import psutil
import torch
from torch.nn import functional

from audiostyle.config import ACTIVATIONS, check_positive, check_seed
from audiostyle.spectrogram import as_tensor

Spectrogram = np.ndarray | torch.Tensor
LEAKY_SLOPE = 0.2

_ACTIVATION = {
    "relu": functional.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, LEAKY_SLOPE),
    "selu": functional.selu,
    "none": lambda x: x,
}
# Rows of a frame kernel that are held at once; bounds the memory of long clips.
_ROWS = 2048


@dataclass(frozen=True)
class Encoded:
    """A clip as its encoder sees it, so that a clip compared often is encoded once.

    It also keeps what is computed from a constant clip alone: its Gram matrix and the inner product of that with
    itself. Its numbers must not be changed in place.

    Parameters
    ----------
    features : torch.Tensor
        What the encoder needs for its kernel; for `RandomEncoder` the features
        [shape=(n_filters, n_patches)].
    n_patches : int
        Number of patches.
    """

    features: torch.Tensor
    n_patches: int
    _kept: dict = field(default_factory=dict, repr=False, compare=False)

    def keep(self, key: object, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Return ``compute()``, at the first call with this key only; every time if the clip needs a gradient."""
        if self.features.requires_grad:
            return compute()
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


class Encoder:
    """What losses, transfer and speaker identification use of an encoder.

    Subclasses define `encode`, `_kernel`, `_gram_inner` and `_patch_distance`. Wherever a clip is asked for, a
    log magnitude spectrogram [shape=(n_bins, n_frames)] as array or tensor, or the result of `encode`, will do.
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
        """Weights w_l of eq. 4."""
        return (1.0,)

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
        """Compute ‖K_xy‖²_F, the inner product of the two Gram matrices divided by N².

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

    def fused_losses(self, content: Spectrogram, style: Spectrogram):
        """Return a faster way than autograd to evaluate the losses and their gradient, or None.

        See `audiostyle.losses.TransferLoss`.
        """
        return None


class RandomEncoder(Encoder):
    """One convolution over time with frozen random filters, the paper's encoder (sections 2.1 and 2.3).

    The bins are the channels; the filters have unit variance and no bias. They are drawn at the first use, when
    the number of bins is known, by a generator of their own: the global random state is neither read nor moved.

    Parameters
    ----------
    n_filters : int > 0
        Number of filters N. The paper has 4096.
    kernel_size : int > 0
        Width of a filter in frames.
    activation : {"relu", "leaky_relu", "selu", "none"}
        Nonlinearity; the slope of ``leaky_relu`` is 0.2.
    seed : int in [0, 2^64)
        Seed of the filters.
    below : RandomEncoder or None
        Encoder whose features, divided by √N, this one convolves: a deeper layer. None takes the spectrogram.
    device : str
        Torch device.
    dtype : torch.dtype
        ``torch.float32`` or ``torch.float64``.

    Raises
    ------
    ValueError
        If `n_filters` or `kernel_size` is below 1, the seed is out of range or the activation is unknown.

    Notebook: 02_random_features_and_gram.ipynb

    Examples
    --------
    >>> encoder = RandomEncoder(n_filters=8, kernel_size=3)
    >>> encoder.features(np.ones((5, 10), dtype=np.float32)).shape
    torch.Size([8, 8])
    """

    def __init__(
        self,
        n_filters: int = 4096,
        *,
        kernel_size: int = 11,
        activation: str = "relu",
        seed: int = 0,
        below: "RandomEncoder | None" = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        check_positive(n_filters=n_filters, kernel_size=kernel_size)
        check_seed(seed)
        check_activation(activation, ACTIVATIONS)
        self.n_filters = n_filters
        self.kernel_size = kernel_size
        self.activation = activation
        self.seed = seed
        self.below = below
        self.receptive_field = kernel_size + (below.receptive_field - 1 if below else 0)
        self.device = torch.device(device)
        self.dtype = dtype
        self._filters: torch.Tensor | None = None

    def filters(self, n_channels: int) -> torch.Tensor:
        """Return the filters [shape=(n_filters, n_channels, kernel_size)] for that many channels."""
        if self._filters is None or self._filters.shape[1] != n_channels:
            # Drawn on the CPU in float32 whatever the device, so that a seed means the same filters everywhere.
            generator = torch.Generator().manual_seed(self.seed)
            drawn = torch.randn(self.n_filters, n_channels, self.kernel_size, generator=generator)
            self._filters = drawn.to(self.device, self.dtype)
        return self._filters

    def features(self, X: "Spectrogram | Encoded") -> torch.Tensor:
        """Compute the features of every patch, F in the paper.

        Parameters
        ----------
        X : array or tensor [shape=(n_bins, n_frames)], or Encoded
            Log magnitude spectrogram.

        Returns
        -------
        torch.Tensor [shape=(n_filters, n_patches)]
        """
        return self.encode(X).features

    def gram_matrix(self, X: "Spectrogram | Encoded") -> torch.Tensor:
        """Compute the Gram matrix of eq. 5, ``G_ij = Σ_k F_ik F_jk``, explicitly.

        The reference for tests and benchmarks; the losses use `gram_inner` instead.

        Returns
        -------
        torch.Tensor [shape=(n_filters, n_filters)]

        Raises
        ------
        MemoryError
            If the matrix does not fit into the memory that is free.
        """
        x = self.encode(X)
        return x.keep((self, "gram_matrix"), lambda: self._explicit_gram(x.features))

    def _explicit_gram(self, F: torch.Tensor) -> torch.Tensor:
        self._check_gram_fits()
        return F @ F.T

    def _check_gram_fits(self) -> None:
        needed = self.n_filters**2 * torch.finfo(self.dtype).bits // 8
        free = free_memory(self.device)
        if needed > free:
            raise MemoryError(
                f"an explicit Gram matrix of n_filters={self.n_filters} needs {needed / 1e9:.1f} GB and "
                f"{free / 1e9:.1f} GB are free; use gram_inner or style_loss, which never form it, fewer "
                f"filters, or InfiniteEncoder"
            )

    def _encode(self, X: torch.Tensor) -> Encoded:
        if self.below is None:
            inputs = X
        else:
            inputs = self.below.encode(X).features / self.below.n_filters**0.5
        F = functional.conv1d(inputs[None], self.filters(inputs.shape[0]))[0]
        F = _ACTIVATION[self.activation](F)
        return Encoded(F, F.shape[1])

    def _kernel(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return x.features.T @ y.features / self.n_filters

    def _gram_inner(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return _SquaredInner.apply(x.features, y.features) / self.n_filters**2

    def _patch_distance(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return 0.5 * (x.features - y.features).square().mean(dim=0)


class LayeredEncoder:
    """Several encoders whose losses are added with weights w_l (eq. 4 of the paper).

    The layers may be stacked (`RandomEncoder` with `below`) or stand side by side, such as several kernel sizes.

    Parameters
    ----------
    layers : sequence of Encoder
        The layers.
    weights : sequence of float or None
        Weight of each layer; None weighs all alike with 1 / number of layers.

    Raises
    ------
    ValueError
        If there is no layer, or not one non-negative weight for each.

    Examples
    --------
    >>> both = LayeredEncoder([RandomEncoder(8, kernel_size=1), RandomEncoder(8, kernel_size=3)])
    >>> both.layer_weights
    (0.5, 0.5)
    """

    def __init__(self, layers, weights=None) -> None:
        self.layers = tuple(layers)
        if not self.layers:
            raise ValueError("a LayeredEncoder needs at least one layer")
        self.layer_weights = (
            tuple(weights) if weights is not None else (1 / len(self.layers),) * len(self.layers)
        )
        if len(self.layer_weights) != len(self.layers) or min(self.layer_weights) < 0:
            raise ValueError(f"weights={weights!r} must be {len(self.layers)} numbers of at least 0")
        self.receptive_field = max(layer.receptive_field for layer in self.layers)
        self.device = self.layers[0].device
        self.dtype = self.layers[0].dtype

    def fused_losses(self, content: Spectrogram, style: Spectrogram):
        """Return the layers' faster evaluations added up, or None where a layer has none."""
        fused = [layer.fused_losses(content, style) for layer in self.layers]
        if any(evaluate is None for evaluate in fused):
            return None

        def evaluate(X, content_weight, style_weight):
            terms = [
                (w * c, w * s, w * g)
                for w, (c, s, g) in zip(
                    self.layer_weights, (f(X, content_weight, style_weight) for f in fused), strict=True
                )
            ]
            return tuple(sum(column) for column in zip(*terms, strict=True))

        return evaluate


class _SquaredInner(torch.autograd.Function):
    """‖AᵀB‖²_F in row chunks, summed in float64; autograd would keep the whole product."""

    @staticmethod
    def forward(ctx, A, B):
        ctx.save_for_backward(A, B)
        total = torch.zeros((), dtype=torch.float64, device=A.device)
        for rows in A.split(_ROWS, dim=1):
            total += (rows.T @ B).square().sum(dtype=torch.float64)
        return total

    @staticmethod
    def backward(ctx, grad):
        A, B = ctx.saved_tensors
        needs_A, needs_B = ctx.needs_input_grad
        of_A = _SquaredInner._half(A, B, grad) if needs_A else None
        if needs_A and needs_B and same_numbers(A, B):
            return of_A, of_A
        return of_A, _SquaredInner._half(B, A, grad) if needs_B else None

    @staticmethod
    def _half(A, B, grad):
        scale = 2 * grad.to(A.dtype)
        return torch.cat([scale * (B @ (B.T @ rows)) for rows in A.split(_ROWS, dim=1)], dim=1)


def same_numbers(X: torch.Tensor, Y: torch.Tensor) -> bool:
    """Whether two clips are the same numbers in memory; a part of a clip, or its transpose, is another one."""
    return X.data_ptr() == Y.data_ptr() and X.shape == Y.shape and X.stride() == Y.stride()


def check_activation(activation: str, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError if the activation is not among those allowed."""
    if activation not in allowed:
        raise ValueError(f"activation={activation!r} is not allowed; it must be one of {', '.join(allowed)}")


def free_memory(device: str | torch.device = "cpu") -> int:
    """Return the bytes of memory that are free on a device; of one that does not tell, those of this machine."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
