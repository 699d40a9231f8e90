"""Settings that studies share: the presets of the notebooks, and the optimisation alone at infinite width."""

from audiostyle.config import TransferConfig
from audiostyle.files.presets import PRESETS, Preset, get_preset

__all__ = ["GRAM", "PRESETS", "Preset", "get_preset"]

# Nothing matched before it.
GRAM = TransferConfig(method="gram")
