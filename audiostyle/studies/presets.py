"""Presets: settings by what a transfer is for, and how much work the notebooks do."""

import os
from dataclasses import dataclass, field, replace

from audiostyle.config import TransferConfig, check_allowed


@dataclass(frozen=True)
class Preset:
    """How much work the notebooks do.

    Parameters
    ----------
    name : str
        ``"paper"``, ``"quick"`` or ``"smoke"``.
    duration : float
        Length in seconds of every clip that is transferred.
    config : TransferConfig
        Settings of each transfer.
    n_seeds : int
        Repetitions where a spread is shown.
    max_style_share : float
        What the notebooks assert: the style loss of every final sound, under filters never optimised, is at most
        this share of the content's own. With fewer filters the result fits its own bank and little else.
    """

    name: str
    duration: float
    config: TransferConfig = field(default_factory=TransferConfig)
    n_seeds: int = 3
    max_style_share: float = 0.25


# The optimisation alone at infinite width, with nothing matched before it.
GRAM = TransferConfig(start="content")
_PAPER = TransferConfig(encoder="random", phase="griffin_lim")
PRESETS = {
    "paper": Preset("paper", 10.0, _PAPER, n_seeds=10),
    "quick": Preset(
        "quick",
        10.0,
        replace(_PAPER, n_filters=1024, n_iter=60, griffin_lim_iter=60),
        n_seeds=3,
        max_style_share=0.65,
    ),
    "smoke": Preset(
        "smoke",
        3.0,
        replace(_PAPER, n_filters=256, n_iter=15, griffin_lim_iter=16),
        n_seeds=2,
        max_style_share=0.99,
    ),
}


@dataclass(frozen=True)
class Use:
    """Settings for one purpose.

    Parameters
    ----------
    label : str
        What it is for, in the user's words.
    config : TransferConfig
        The settings.
    """

    label: str
    config: TransferConfig


# By name: the command line's ``--preset``, and the choices of the style lab.
USES = {
    "melody": Use("melody on another instrument", TransferConfig(kind="instrument")),
    "voice": Use("voice", TransferConfig(kind="voice")),
    "texture": Use("drums and texture", TransferConfig(balance=0.8)),
    "paper": Use("paper", _PAPER),
}


def get_use(name: str) -> Use:
    """Return the settings for a purpose.

    Raises
    ------
    ValueError
        If there are none of that name.

    Examples
    --------
    >>> get_use("texture").config.balance
    0.8
    """
    check_allowed(name in USES, "preset", name, f"one of {', '.join(USES)}")
    return USES[name]


def get_preset(name: str | None = None) -> Preset:
    """Return a preset by name, by default the one named in ``AUDIOSTYLE_PRESET``, else ``"quick"``.

    Only notebooks and ``python -m audiostyle pairs`` call this; `TransferConfig` and scripts do not depend on
    the environment.

    Parameters
    ----------
    name : {"paper", "quick", "smoke"} or None

    Returns
    -------
    Preset

    Raises
    ------
    ValueError
        If there is no preset of that name.

    Examples
    --------
    >>> get_preset("paper").config.n_filters
    4096
    """
    chosen = name or os.environ.get("AUDIOSTYLE_PRESET", "").strip() or "quick"
    check_allowed(chosen in PRESETS, "preset", chosen, f"one of {', '.join(PRESETS)}")
    return PRESETS[chosen]
