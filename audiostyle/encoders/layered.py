"""Several encoders whose losses are added, eq. 4 of the paper."""

from audiostyle.encoders.base import Spectrogram


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
    >>> from audiostyle import RandomEncoder
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
