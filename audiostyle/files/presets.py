"""Presets: settings by what a transfer is for, and how much work the six pairs are worth."""

import os
from dataclasses import replace
from typing import NamedTuple

from audiostyle.config import TransferConfig, check_allowed


class Use(NamedTuple):
    """Settings for one purpose, and what it is called in the user's words."""

    label: str
    config: TransferConfig


_PAPER = TransferConfig.paper()
# By name: the command line's ``--preset``, and the choices of the style lab.
USES = {
    "melody": Use("melody on another instrument", TransferConfig()),
    "voice": Use("voice", TransferConfig()),
    "texture": Use("drums and texture", TransferConfig(balance=0.8)),
    "paper": Use("paper", _PAPER),
}


def get_use(name: str) -> Use:
    """Return the settings for a purpose, one of `USES`."""
    check_allowed(name in USES, "preset", name, f"one of {', '.join(USES)}")
    return USES[name]


class Preset(NamedTuple):
    """How much work the notebooks do.

    Parameters
    ----------
    name : {"paper", "quick", "smoke"}
    duration : float
        Length in seconds of every clip that is transferred.
    config : TransferConfig
        Settings of the paper's method.
    n_seeds : int
        Repetitions where a spread is shown.
    max_style_share : float
        What the notebooks assert: the style loss of every final sound, under filters never optimised, is at most
        this share of the content's own. With fewer filters the result fits its own bank and little else.
    """

    name: str
    duration: float
    config: TransferConfig
    n_seeds: int
    max_style_share: float

    def methods(self, balance: float = 0.5) -> dict[str, TransferConfig]:
        """Return what is compared, one step from the paper's method to the default at a time.

        ``"paper"`` has random filters and Griffin-Lim, ``"plain"`` infinite width instead of the filters,
        ``"infinite"`` the polish instead of Griffin-Lim too, ``"matched"`` the matched timbre.
        """
        limit = TransferConfig("gram", balance)
        return {
            "paper": replace(self.config, balance=balance),
            "plain": replace(limit, phase="griffin_lim"),
            "infinite": limit,
            "matched": TransferConfig(balance=balance),
        }


_QUICK = replace(_PAPER, n_filters=1024, n_iter=60)
_SMOKE = replace(_PAPER, n_filters=256, n_iter=15)
PRESETS = {
    "paper": Preset("paper", 10.0, _PAPER, n_seeds=10, max_style_share=0.25),
    "quick": Preset("quick", 10.0, _QUICK, n_seeds=3, max_style_share=0.65),
    "smoke": Preset("smoke", 3.0, _SMOKE, n_seeds=2, max_style_share=0.99),
}


def get_preset(name: str | None = None) -> Preset:
    """Return one of `PRESETS`, by default the one named in ``AUDIOSTYLE_PRESET``, else ``"quick"``.

    Only notebooks, experiments and ``audiostyle pairs`` call this; scripts do not depend on the environment.
    """
    chosen = name or os.environ.get("AUDIOSTYLE_PRESET", "").strip() or "quick"
    check_allowed(chosen in PRESETS, "preset", chosen, f"one of {', '.join(PRESETS)}")
    return PRESETS[chosen]
