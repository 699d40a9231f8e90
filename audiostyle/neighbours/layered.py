"""Several encoders whose losses are added, eq. 4 of the paper."""

from collections.abc import Sequence

import torch

from audiostyle.encoders.base import Encoded, Encoder


class LayeredEncoder(Encoder):
    """Several encoders whose losses are added with weights w_l (eq. 4 of the paper).

    The layers may be stacked (`RandomEncoder` with `below`) or stand side by side, such as several kernel sizes or
    several front ends (`audiostyle.neighbours.front_ends`).
    Gram matrices of different layers never meet: `gram_inner` is the weighted sum of those of the layers. So are
    `kernel` and `patch_distance`, where the layers have patches of one length.

    Parameters
    ----------
    layers : sequence of Encoder
        The layers.
    weights : sequence of float or None
        Weight of each layer; None weighs all alike with 1 / number of layers.
    content_weights : sequence of float or None
        Weights of the content losses, where they are others: losses of layers that stand behind different front ends
        (`audiostyle.neighbours`) have different units. None takes `weights`.

    Raises
    ------
    ValueError
        If there is no layer, or not one non-negative weight for each; from `kernel` and `patch_distance` if the
        layers have patches of different lengths.

    Examples
    --------
    >>> from audiostyle import RandomEncoder
    >>> both = LayeredEncoder([RandomEncoder(8, kernel_size=1), RandomEncoder(8, kernel_size=3)])
    >>> both.layer_weights
    (0.5, 0.5)
    """

    layers: tuple[Encoder, ...] = ()
    layer_weights: tuple[float, ...] = ()
    content_weights: tuple[float, ...] = ()

    def __init__(
        self,
        layers: Sequence[Encoder],
        weights: Sequence[float] | None = None,
        *,
        content_weights: Sequence[float] | None = None,
    ) -> None:
        self.layers = tuple(layers)
        if not self.layers:
            raise ValueError("a LayeredEncoder needs at least one layer")
        n = len(self.layers)
        self.layer_weights = (1 / n,) * n if weights is None else tuple(weights)
        self.content_weights = self.layer_weights if content_weights is None else tuple(content_weights)
        for name, given in (("weights", self.layer_weights), ("content_weights", self.content_weights)):
            if len(given) != n or not all(0 <= w < float("inf") for w in given):
                raise ValueError(f"{name}={given!r} must be {n} numbers of at least 0")
        self.kernel_size = max(layer.kernel_size for layer in self.layers)
        self.receptive_field = max(layer.receptive_field for layer in self.layers)
        self.device = self.layers[0].device
        self.dtype = self.layers[0].dtype

    def _encode(self, X: torch.Tensor) -> Encoded:
        return Encoded(tuple(layer.encode(X) for layer in self.layers), self.n_patches(X.shape[1]))

    def _kernel(self, x: Encoded, y: Encoded) -> torch.Tensor:
        self._check_one_length()
        return self._sum("kernel", self.layer_weights, x, y)

    def _gram_inner(self, x: Encoded, y: Encoded) -> torch.Tensor:
        return self._sum("gram_inner", self.layer_weights, x, y)

    def _patch_distance(self, x: Encoded, y: Encoded) -> torch.Tensor:
        self._check_one_length()
        return self._sum("patch_distance", self.content_weights, x, y)

    def _sum(self, method: str, weights: tuple[float, ...], x: Encoded, y: Encoded) -> torch.Tensor:
        parts = zip(weights, self.layers, x.layers, y.layers, strict=True)
        return sum(w * getattr(layer, method)(a, b) for w, layer, a, b in parts)

    def _check_one_length(self) -> None:
        lengths = [layer.receptive_field for layer in self.layers]
        if len(set(lengths)) > 1:
            raise ValueError(f"layers whose patches have one length are needed, not {lengths} frames")
