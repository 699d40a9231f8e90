"""The paper's encoder: one convolution over time with frozen random filters."""

import torch
from torch.nn import functional

from audiostyle.config import ACTIVATIONS, check_allowed, check_positive, check_seed
from audiostyle.encoders.base import LEAKY_SLOPE, Clip, Encoded, Encoder

_ACTIVATION = {
    "relu": functional.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, LEAKY_SLOPE),
    "selu": functional.selu,
    "none": lambda x: x,
}
# Rows of a frame kernel that are held at once; bounds the memory of long clips.
_ROWS = 2048


class RandomEncoder(Encoder):
    """One convolution over time with frozen random filters, the paper's encoder (sections 2.1 and 2.3).

    The bins are the channels, though the paper speaks of T of them (section 2.2): a filter spans all frequencies. The
    filters have unit variance and no bias. They are drawn at the first use, when the number of bins is known, by a
    generator of their own.

    Parameters
    ----------
    n_filters, kernel_size : int > 0
        Number of filters N, and their width in frames. The paper has 4096.
    activation : {"relu", "leaky_relu", "selu", "none"}
        Nonlinearity; the slope of ``leaky_relu`` is 0.2.
    seed : int in [0, 2^64)
    device : str
    dtype : {torch.float32, torch.float64}

    Notebook: 02_random_features_and_gram.ipynb

    Examples
    --------
    >>> encoder = RandomEncoder(n_filters=8, kernel_size=3)
    >>> encoder.features(torch.ones(5, 10)).shape
    torch.Size([8, 8])
    """

    def __init__(
        self,
        n_filters: int = 4096,
        *,
        kernel_size: int = 11,
        activation: str = "relu",
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        check_positive(n_filters=n_filters, kernel_size=kernel_size)
        check_seed(seed)
        check_allowed(activation in ACTIVATIONS, "activation", activation, f"one of {', '.join(ACTIVATIONS)}")
        self.n_filters, self.kernel_size = n_filters, kernel_size
        self.activation, self.seed = activation, seed
        self.device, self.dtype = torch.device(device), dtype
        self._filters: torch.Tensor | None = None

    def filters(self, n_channels: int) -> torch.Tensor:
        """Return the filters [shape=(n_filters, n_channels, kernel_size)] for that many channels."""
        if self._filters is None or self._filters.shape[1] != n_channels:
            # Drawn on the CPU in float32 whatever the device, so that a seed means the same filters everywhere.
            generator = torch.Generator().manual_seed(self.seed)
            shape = (self.n_filters, n_channels, self.kernel_size)
            drawn = torch.randn(shape, generator=generator, dtype=torch.float32)
            self._filters = drawn.to(self.device, self.dtype)
        return self._filters

    def features(self, X: Clip) -> torch.Tensor:
        """Compute the features of every patch, F in the paper [shape=(n_filters, n_patches)]."""
        return self.encode(X).features

    def gram_matrix(self, X: Clip) -> torch.Tensor:
        """Compute the Gram matrix of eq. 5, ``G_ij = Σ_k F_ik F_jk`` [shape=(n_filters, n_filters)].

        The reference for tests; the losses use `gram_inner`, which never forms it.
        """
        x = self.encode(X)
        return x.keep((self, "gram_matrix"), lambda: x.features @ x.features.T)

    def _encode(self, X: torch.Tensor) -> Encoded:
        F = _ACTIVATION[self.activation](functional.conv1d(X[None], self.filters(X.shape[0]))[0])
        return Encoded(F, F.shape[1])

    def _kernel(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return x.features.T @ y.features / self.n_filters

    def _gram_inner(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return _SquaredProduct.apply(x.features, y.features, y is x) / self.n_filters**2

    def _patch_distance(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return 0.5 * (x.features - y.features).square().mean(dim=0)


class _SquaredProduct(torch.autograd.Function):
    """‖AᵀB‖²_F in row chunks, summed in float64; autograd would keep the whole product."""

    @staticmethod
    def forward(ctx, A, B, same):
        ctx.save_for_backward(A, B)
        ctx.same = same
        return sum((rows.T @ B).square().sum(dtype=torch.float64) for rows in A.split(_ROWS, dim=1))

    @staticmethod
    def backward(ctx, grad):
        def half(A, B):
            scale = 2 * grad.to(A.dtype)
            return torch.cat([scale * (B @ (B.T @ rows)) for rows in A.split(_ROWS, dim=1)], dim=1)

        A, B = ctx.saved_tensors
        needs_A, needs_B, _ = ctx.needs_input_grad
        of_A = half(A, B) if needs_A else None
        return of_A, of_A if ctx.same else half(B, A) if needs_B else None, None
