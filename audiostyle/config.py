"""Settings of a transfer, with their units: every choice that the paper leaves open (table in notebook 00)."""

from dataclasses import dataclass, fields
from numbers import Integral

METHODS = ("matched", "gram")
ENCODERS = ("infinite", "random")
ACTIVATIONS = ("relu", "leaky_relu", "selu", "none")
PHASES = ("polish", "griffin_lim")
# Settings that are names, and the names allowed.
CHOICES = {"method": METHODS, "encoder": ENCODERS, "activation": ACTIVATIONS, "phase": PHASES}
SAMPLE_RATES = (1000, 768_000)  # lowest and highest in Hz
# Lowest and highest root mean square to compute at. Far outside, the squares of magnitudes leave float32.
LEVELS = (1e-6, 1e6)


def check_allowed(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise a ValueError that quotes the setting and what is allowed, unless the condition holds."""
    if not condition:
        shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."
        raise ValueError(f"{name}={shown} is not allowed; it must be {allowed}")


def _check_whole(name: str, value: object, least: int, most: int = 2**31 - 1) -> None:
    power = f"2^{(most + 1).bit_length() - 1} - 1"
    fits = isinstance(value, Integral) and least <= value <= most
    check_allowed(fits, name, value, f"a whole number from {least} to {power}")


def check_positive(**values: int) -> None:
    """Raise a ValueError naming the first value that is not a whole number from 1 to 2^31 - 1."""
    for name, value in values.items():
        _check_whole(name, value, 1)


def check_seed(seed: int) -> None:
    """Raise a ValueError unless every generator of random numbers takes the seed: at least 0 and below 2^64."""
    _check_whole("seed", seed, 0, 2**64 - 1)


@dataclass(frozen=True)
class TransferConfig:
    """Settings of one style transfer.

    Parameters
    ----------
    method : {"matched", "gram"} or None
        ``"matched"`` filters the content to the matched timbre (`audiostyle.matching`). ``"gram"``, the paper's method,
        optimises a spectrogram whose Gram matrix is the style's. None takes ``"gram"`` with the random encoder, else
        ``"matched"``.
    balance : float in [0, 1]
        0 returns the content. Matched: 0.5 is the matched timbre, up to there in proportion in decibels; from there to
        1 an optimisation adds the style's texture. Gram: 1 matches the style alone, 0.5 weighs content and style alike
        (`audiostyle.losses`).
    sr : int
        Sample rate in Hz at which an optimisation computes, from 1000 to 768 000. Results have the content's
        (`keeps_content`), and this one where they cannot.
    level : float in [1e-6, 1e6]
        Root mean square to which both clips are brought before the STFT (full scale is 1). ``log1p`` is not
        homogeneous, so the level is part of the method. The result has the content's loudness.
    n_fft, hop_length : int
        STFT window and hop in samples. The paper prints 2048 and n_fft / 2.
    encoder : {"infinite", "random"}
        The limit of infinitely many filters, or the paper's random layer of `n_filters`.
    n_filters : int
        Number of random filters (``encoder="random"`` only).
    kernel_size : int
        Width of the filters in frames.
    activation : {"relu", "leaky_relu", "selu", "none"}
        Nonlinearity after the convolution.
    n_iter : int
        Most iterations of the optimiser.
    phase : {"polish", "griffin_lim"}
        How magnitudes become sound. ``"griffin_lim"``: as the paper, from a random phase. ``"polish"``: Griffin-Lim
        from the content's phase, then L-BFGS on the samples with the same loss (`audiostyle.phase.polish`).
    seed : int in [0, 2^64)
        Seeds the filters and the initial phase.
    device : str
        ``"cpu"``, ``"cuda"`` or any other torch device.

    Notebook: 09_matched_timbre.ipynb

    Examples
    --------
    >>> TransferConfig(balance=0.8).method, TransferConfig(encoder="random").method
    ('matched', 'gram')
    """

    method: str | None = None
    balance: float = 0.5
    sr: int = 22050
    level: float = 0.05
    n_fft: int = 2048
    hop_length: int = 1024
    encoder: str = "infinite"
    n_filters: int = 4096
    kernel_size: int = 11
    activation: str = "relu"
    n_iter: int = 300
    phase: str = "polish"
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.method is None:
            object.__setattr__(self, "method", "gram" if self.encoder == "random" else "matched")
        for name, allowed in CHOICES.items():
            check_allowed(
                getattr(self, name) in allowed, name, getattr(self, name), f"one of {', '.join(allowed)}"
            )
        check_positive(**{k: getattr(self, k) for k in ("n_fft", "hop_length", "n_filters", "kernel_size")})
        _check_whole("n_iter", self.n_iter, 0)
        check_seed(self.seed)
        for name, (low, high) in {"sr": SAMPLE_RATES, "level": LEVELS, "balance": (0, 1)}.items():
            fits = low <= getattr(self, name) <= high
            check_allowed(fits, name, getattr(self, name), f"a number from {low:g} to {high:g}")
        check_allowed(isinstance(self.sr, Integral), "sr", self.sr, "a whole number")
        check_allowed(self.n_fft % 2 == 0, "n_fft", self.n_fft, "even")
        # Farther apart than half a window, frames do not determine the sound between them.
        half = self.n_fft // 2
        check_allowed(self.hop_length <= half, "hop_length", self.hop_length, f"at most n_fft / 2 = {half}")
        for setting in fields(self):  # NumPy's whole numbers are taken, but JSON cannot hold them
            if isinstance(value := getattr(self, setting.name), Integral):
                object.__setattr__(self, setting.name, int(value))

    @classmethod
    def paper(cls, **changes: object) -> "TransferConfig":
        """Return the paper's settings (section 2 and Algorithm 1), some of them changed."""
        return cls(**{"method": "gram", "encoder": "random", "phase": "griffin_lim"} | changes)

    @property
    def filters(self) -> bool:
        """Whether the content is filtered and nothing optimised."""
        return self.method == "matched" and self.balance <= 0.5

    @property
    def keeps_content(self) -> bool:
        """Whether the result has the content's rate and channels; after Griffin-Lim it is mono at `sr`."""
        return self.filters or self.phase == "polish"

    @property
    def min_duration(self) -> float:
        """Shortest clip in seconds that holds one patch of `kernel_size` frames."""
        return max(self.kernel_size - 1, 1) * self.hop_length / self.sr
