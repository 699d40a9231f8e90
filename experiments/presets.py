"""Settings that studies share: the presets of the notebooks, and the optimisation alone at infinite width."""

from dataclasses import replace

from audiostyle.config import TransferConfig
from audiostyle.files.presets import PRESETS, Preset, get_preset

__all__ = ["GRAM", "NEIGHBOURS", "PRESETS", "Preset", "get_preset"]

# Nothing matched before it.
GRAM = TransferConfig(start="content")
# Systems that the paper builds on, as close as their texts give (notebook 12 has what differs).
_SAMPLES = TransferConfig(encoder="random", activation="selu", unknowns="samples", start="noise")
NEIGHBOURS = {
    # Tomczak, Southall & Hockman 2018: filters of 16 frames, rhythm held by the onset strengths.
    "tomczak": replace(_SAMPLES, kernel_size=16, balance=0.8, rhythm="content"),
    # Barry & Kim 2018: three front ends, style of the third pooled over frequency, gradients balanced.
    "barry_kim": replace(
        _SAMPLES, front_ends="linear:k5:n4096+mel:k50:n1024+pooled_cqt:k11:n256", units="gradients"
    ),
}
