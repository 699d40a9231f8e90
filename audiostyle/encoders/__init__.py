"""Encoders: random features of patches and their frame kernel, and the one that a configuration names."""

from audiostyle.config import TransferConfig
from audiostyle.encoders.base import Encoder
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder


def make_encoder(config: TransferConfig) -> Encoder:
    """Return the encoder that a configuration names, on its device; SELU needs the random one."""
    shared = {"kernel_size": config.kernel_size, "activation": config.activation, "device": config.device}
    if config.encoder == "infinite":
        return InfiniteEncoder(**shared)
    return RandomEncoder(config.n_filters, seed=config.seed, **shared)
