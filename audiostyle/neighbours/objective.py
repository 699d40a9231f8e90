"""The objective that a configuration names: front ends, rhythm, and what the losses are divided by."""

from dataclasses import replace

import torch

from audiostyle.config import TransferConfig
from audiostyle.encoders import make_encoder
from audiostyle.encoders.base import Encoder
from audiostyle.losses import TransferLoss, loss_units
from audiostyle.neighbours.front_ends import (
    FrontEnd,
    FrontEndEncoder,
    Patches,
    constant_q_bands,
    mel_bands,
)
from audiostyle.neighbours.layered import LayeredEncoder
from audiostyle.neighbours.names import Branch, branches
from audiostyle.neighbours.rhythm import RhythmLoss


def make_layers(config: TransferConfig) -> Encoder:
    """Return the encoder that a configuration names behind its front ends, several of them as layers.

    Raises
    ------
    ValueError
        If the activation has no closed form and the infinite encoder is asked for.
    """
    named = branches(config.front_ends, config.kernel_size, config.n_filters)
    layers = [_layer(branch, config) for branch in named]
    if len(layers) == 1 and named[0].weight == 1:
        return layers[0]
    total = sum(branch.weight for branch in named)
    return LayeredEncoder(layers, [branch.weight / total for branch in named])


def _layer(branch: Branch, config: TransferConfig) -> Encoder:
    pooled = branch.pooled
    own = {"kernel_size": 1 if pooled else branch.kernel_size, "n_filters": branch.n_filters}
    encoder = make_encoder(replace(config, **own))
    if branch.front_end == "linear" and not pooled:
        return encoder
    bands = _bands(branch.front_end, config)
    # Side by side in time: with one at every frame there would be kernel_size² times the pairs to compare.
    stride = branch.kernel_size
    return FrontEndEncoder(encoder, Patches(bands, branch.kernel_size, stride=stride) if pooled else bands)


def _bands(name: str, config: TransferConfig) -> FrontEnd:
    if name == "linear":
        return FrontEnd(1 + config.n_fft // 2)
    make = {"mel": mel_bands, "cqt": constant_q_bands}[name]
    return make(config.sr, config.n_fft)


def make_loss(
    config: TransferConfig, content: torch.Tensor, style: torch.Tensor, *, encoder: Encoder | None = None
) -> TransferLoss:
    """Return the objective of a transfer that a configuration names.

    With several front ends each has its own E and s0, so that each weighs as its weight says. With
    ``units="gradients"`` every term, the rhythm too, is divided by the norm of its gradient at noise instead, that of
    ``start="noise"``, as Barry & Kim balance theirs.

    Parameters
    ----------
    config : TransferConfig
    content, style : torch.Tensor [shape=(n_bins, n_frames)]
        Log magnitudes.
    encoder : Encoder or None
        None makes that of the configuration.

    Returns
    -------
    TransferLoss
        Its ``extra`` is the rhythm's term, if there is one.
    """
    encoder = encoder or make_layers(config)
    at_noise = noise_like(content, config.seed) if config.units == "gradients" else None
    units, rhythm = None, None
    if at_noise is not None:
        encoder, units = _in_gradients(encoder, content, style, at_noise)
    elif "+" in config.front_ends:
        encoder = _in_units(encoder, content, style)
    if config.rhythm != "none":
        rhythm = RhythmLoss(style if config.rhythm == "style" else content, content.shape[1])
        unit = 1.0 if units is None else units[1] * float(rhythm(at_noise)[1].norm())
        rhythm.weight = config.rhythm_weight / unit
    return TransferLoss(encoder, content, style, balance=config.balance, units=units, extra=rhythm)


def noise_like(content: torch.Tensor, seed: int) -> torch.Tensor:
    """Return uniform noise of the content's mean, as log magnitudes [shape=(n_bins, n_frames)]."""
    noise = torch.rand(content.shape, generator=torch.Generator().manual_seed(seed))
    return noise.to(content) * 2 * content.mean()


def _in_units(encoder: Encoder, content: torch.Tensor, style: torch.Tensor) -> LayeredEncoder:
    """Divide the losses of each layer by its own E and s0."""
    units = [loss_units(layer, content, style) for layer in encoder.layers]
    weights = encoder.layer_weights
    return LayeredEncoder(
        encoder.layers,
        [w / s0 for w, (_, s0) in zip(weights, units, strict=True)],
        content_weights=[w / E for w, (E, _) in zip(weights, units, strict=True)],
    )


def _in_gradients(
    encoder: Encoder, content: torch.Tensor, style: torch.Tensor, at_noise: torch.Tensor
) -> tuple[LayeredEncoder, tuple[float, float]]:
    """Divide each loss of each layer by the norm of its gradient at noise; returns the units of both sums too.

    The unit is the style loss of the content for both, which leaves the norms alike.
    """
    norms = []
    for layer in encoder.layers:
        loss = TransferLoss(layer, content, style, units=(1.0, 1.0))
        norms.append([float(loss.at(b)(at_noise).gradient.norm()) for b in (0.0, 1.0)])
    weights = encoder.layer_weights
    balanced = LayeredEncoder(
        encoder.layers,
        [w / of_style for w, (_, of_style) in zip(weights, norms, strict=True)],
        content_weights=[w / of_content for w, (of_content, _) in zip(weights, norms, strict=True)],
    )
    _, s0 = loss_units(balanced, content, style)
    return balanced, (s0, s0)
