"""Settings, with their units, and the presets of the notebooks.

Every choice that the paper leaves open is made here, once (see notebook 03 for the table).
"""

from dataclasses import dataclass, fields
from numbers import Integral

ACTIVATIONS = ("relu", "leaky_relu", "selu", "none")
ENCODERS = ("infinite", "random")
STARTS = ("matched", "content", "noise")
UNKNOWNS = ("magnitudes", "samples")
PHASES = ("polish", "griffin_lim")
KINDS = ("instrument", "voice")
# Settings of a transfer that are names, and the names allowed.
CHOICES = {
    "encoder": ENCODERS,
    "activation": ACTIVATIONS,
    "unknowns": UNKNOWNS,
    "start": STARTS,
    "kind": KINDS,
    "phase": PHASES,
}
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
    """Raise a ValueError naming the first value that is no whole number from 1 to 2^31 - 1.

    Examples
    --------
    >>> check_positive(n_filters=0)
    Traceback (most recent call last):
    ValueError: n_filters=0 is not allowed; it must be a whole number from 1 to 2^31 - 1
    """
    for name, value in values.items():
        _check_whole(name, value, 1)


def check_seed(seed: int) -> None:
    """Raise a ValueError unless every generator of random numbers takes the seed: at least 0 and below 2^64.

    Examples
    --------
    >>> check_seed(2**64)
    Traceback (most recent call last):
    ValueError: seed=18446744073709551616 is not allowed; it must be a whole number from 0 to 2^64 - 1
    """
    _check_whole("seed", seed, 0, 2**64 - 1)


@dataclass(frozen=True)
class TransferConfig:
    """Settings of one style transfer.

    Parameters
    ----------
    sr : int
        Sample rate in Hz at which an optimisation computes, from 1000 to 768 000. Results have the content's
        (`keeps_content`), and this one where they cannot.
    level : float in [1e-6, 1e6]
        Root mean square to which both clips are brought before the STFT (full scale is 1). ``log1p`` is not
        homogeneous, so the level is part of the method. The result is brought to the content's loudness
        afterwards.
    n_fft, hop_length : int
        STFT window and hop in samples. The paper prints 2048 and n_fft / 2.
    encoder : {"infinite", "random"}
        The limit for infinitely many filters, or the paper's random layer of `n_filters`.
    n_filters : int
        Number of random filters (``encoder="random"`` only).
    kernel_size : int
        Width of the filters in frames.
    activation : {"relu", "leaky_relu", "selu", "none"}
        Nonlinearity after the convolution.
    balance : float in [0, 1]
        With ``start="matched"``: 0 returns the content, 0.5 the matched timbre, up to there in proportion in decibels;
        from there to 1 the optimisation adds the style's texture. Otherwise 0 returns the content, 1 matches the
        style alone, 0.5 weighs both alike; see `audiostyle.losses`.
    match : float in (0, 0.9] or None
        Instead of a balance, the share of the style distance √(style loss) to remove. The balance is searched
        for in up to 12 rounds of at most `n_iter` iterations each, and is found in `TransferResult.balance`.
    unknowns : {"magnitudes", "samples"}
        What is optimised. ``"magnitudes"``: a spectrogram, as the paper; `phase` then makes the sound.
        ``"samples"``: the sound itself; keeps melody better and style less.
    start : {"matched", "content", "noise"} or None
        What the optimisation starts from, and what it holds on to. ``"matched"``: the content with the matched
        timbre (`audiostyle.matching`); the other two hold on to the content. The paper starts from the content
        (section 2.3). None takes ``"matched"`` with the infinite encoder and magnitudes, else ``"content"``; so
        does `match`, which searches the balance of the optimisation alone.
    kind : {"instrument", "voice"} or None
        Settings of the matched timbre; None tells from how steady the clips are (``start="matched"`` only).
    n_iter : int
        Most iterations of the optimiser.
    tolerance : float
        Stop when an iteration lowers the loss by less than this fraction.
    phase : {"polish", "griffin_lim"}
        How magnitudes become sound. ``"griffin_lim"``: as the paper, from a random phase. ``"polish"``: Griffin-Lim
        from the content's phase, then L-BFGS on the samples with the same loss (`audiostyle.phase.polish`).
    griffin_lim_iter : int
        Iterations of Griffin-Lim, Algorithm 1 of the paper (``phase="griffin_lim"`` only).
    momentum : float in [0, 1)
        Momentum of Griffin-Lim; 0 is the original algorithm (``phase="griffin_lim"`` only).
    polish_iter : int
        Most iterations on the samples (``phase="polish"`` only).
    seed : int in [0, 2^64)
        Seeds the filters, the noise start and the initial phase.
    device : str
        ``"cpu"``, ``"cuda"`` or any other torch device.

    Notebook: 03_transfer_one_pair.ipynb

    Examples
    --------
    >>> TransferConfig(balance=0.8).balance
    0.8
    """

    sr: int = 22050
    level: float = 0.05
    n_fft: int = 2048
    hop_length: int = 1024
    encoder: str = "infinite"
    n_filters: int = 4096
    kernel_size: int = 11
    activation: str = "relu"
    balance: float = 0.5
    match: float | None = None
    unknowns: str = "magnitudes"
    start: str | None = None
    kind: str | None = None
    n_iter: int = 300
    tolerance: float = 1e-6
    phase: str = "polish"
    griffin_lim_iter: int = 200
    momentum: float = 0.0
    polish_iter: int = 80
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("n_fft", "hop_length", "n_filters", "kernel_size"):
            _check_whole(name, getattr(self, name), 1)
        for name in ("n_iter", "griffin_lim_iter", "polish_iter"):
            _check_whole(name, getattr(self, name), 0)
        check_seed(self.seed)
        low, high = SAMPLE_RATES
        fits = isinstance(self.sr, Integral) and low <= self.sr <= high
        check_allowed(fits, "sr", self.sr, f"a whole number from {low} to {high} (Hz)")
        check_allowed(self.n_fft % 2 == 0, "n_fft", self.n_fft, "even")
        # Farther apart than half a window, frames do not determine the sound between them.
        check_allowed(
            self.hop_length <= self.n_fft // 2,
            "hop_length",
            self.hop_length,
            f"at most n_fft / 2 = {self.n_fft // 2}",
        )
        check_allowed(
            0.0 <= self.balance <= 1.0, "balance", self.balance, "between 0 (content) and 1 (style)"
        )
        check_allowed(
            self.match is None or 0.0 < self.match <= 0.9, "match", self.match, "above 0 and at most 0.9"
        )
        check_allowed(0.0 <= self.momentum < 1.0, "momentum", self.momentum, "at least 0 and below 1")
        low, high = LEVELS
        check_allowed(low <= self.level <= high, "level", self.level, f"from {low:g} to {high:g}")
        check_allowed(self.tolerance >= 0.0, "tolerance", self.tolerance, "at least 0")
        if self.phase == "waveform":
            raise ValueError("phase='waveform' is now unknowns='samples'")
        if self.start is None:
            paper = self.encoder == "random" or self.unknowns == "samples"
            object.__setattr__(self, "start", "content" if paper else "matched")
        if self.start == "matched" and self.match is not None:
            object.__setattr__(self, "start", "content")
        for name, allowed in CHOICES.items():
            fits = getattr(self, name) in allowed or (name == "kind" and self.kind is None)
            check_allowed(fits, name, getattr(self, name), f"one of {', '.join(allowed)}")
        for setting in fields(self):  # NumPy's whole numbers are taken, but JSON cannot hold them
            if isinstance(value := getattr(self, setting.name), Integral):
                object.__setattr__(self, setting.name, int(value))

    @property
    def filters(self) -> bool:
        """Whether the content is filtered and nothing optimised."""
        return self.start == "matched" and self.balance <= 0.5

    @property
    def keeps_content(self) -> bool:
        """Whether the result has the content's sample rate and channels, a gain on the content over time and frequency.

        It is mono at `sr` where its phase has nothing to do with the content's: after ``phase="griffin_lim"``, as in
        the paper, or from noise.
        """
        found_anew = self.start == "noise" or (self.unknowns == "magnitudes" and self.phase == "griffin_lim")
        return self.filters or not found_anew

    @property
    def min_duration(self) -> float:
        """Shortest clip in seconds that holds one patch of `kernel_size` frames."""
        return max(self.kernel_size - 1, 1) * self.hop_length / self.sr


def option(name: str) -> str:
    """Return the option of ``python -m audiostyle transfer`` that gives a field of `TransferConfig`.

    Examples
    --------
    >>> option("kernel_size")
    '--kernel-size'
    """
    # --start, as start= of `load_audio`, is where to begin reading; --sr is the rate of the file that is written.
    other = {"start": "--start-from", "sr": "--analysis-sr"}
    return other.get(name, f"--{name.replace('_', '-')}")
