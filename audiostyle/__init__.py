"""Audio style transfer with random convolutional features.

One clip's content, another's style, no training. See README.md and the notebooks.
"""

import os

from audiostyle.system import find_cache

# Two OpenMP threads that wait actively beside another busy process cost a hundredfold. torch reads this when it is
# first imported, so it is set before any module here imports torch; a value of the user's is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
find_cache()

__version__ = "0.2.0"

# Names whose modules import torch are looked up on first use, so that `--help` and the registry answer at once.
_HOME = {
    "load_audio": "sound.read",
    "save_audio": "sound.write",
    "TransferConfig": "config",
    "RandomEncoder": "encoders.random",
    "InfiniteEncoder": "encoders.infinite",
    "griffin_lim": "phase.griffin_lim",
    "spectral_convergence": "phase.griffin_lim",
    "TransferResult": "transfer",
    "speaker_table": "speakers.table",
    "transfer_style": "transfer",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'audiostyle' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"audiostyle.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
