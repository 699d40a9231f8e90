"""What a transfer will take, estimated before it begins."""

from dataclasses import dataclass

from audiostyle.config import TransferConfig
from audiostyle.encoders.random import free_memory
from audiostyle.matching import HOP, SR, STYLE_FRAMES
from audiostyle.neighbours.names import branches
from audiostyle.optimize import MOST_ROUNDS

# Measured on clips of 10 s to 3 min: arrays of a spectrogram's size that are held at once, for content and style.
_CONTENT_COPIES, _STYLE_COPIES = 40, 12
# The same for features, and for filters, which convolution rearranges.
_FEATURE_COPIES, _FILTER_COPIES = 12, 2
# The kernel of the limit is computed in chunks of so many entries or of one row of patches.
_CHUNK, _CHUNK_COPIES = 4_000_000, 24
# Numbers that matching holds for each of its frames, and for each frame of the style that is used.
_MATCH_PER_FRAME, _MATCH_PER_USED = 7_000, 210_000
# Two cores: operations of matrix products in a second, and seconds for an entry of the kernel.
_RATE, _SECONDS_PER_ENTRY = 1e11, 1e-8
_FLOAT = 4  # bytes


@dataclass(frozen=True)
class Cost:
    """What a transfer will take.

    Parameters
    ----------
    memory : int
        Bytes.
    seconds : float
        Of one iteration on two cores of some 50 G operations a second each; an order of magnitude.
    n_iter : int
        Most iterations; 1 where the content is filtered alone, which takes one evaluation of the losses.
    """

    memory: int
    seconds: float
    n_iter: int


def expected_cost(config: TransferConfig, n_content: int, n_style: int) -> Cost:
    """Estimate memory and time of a transfer.

    Parameters
    ----------
    config : TransferConfig
    n_content, n_style : int
        Samples of content and style at ``config.sr``.

    Returns
    -------
    Cost

    Examples
    --------
    >>> expected_cost(TransferConfig(), 220500, 220500).seconds < 0.1
    True
    >>> expected_cost(TransferConfig(hop_length=1), 220500, 220500).seconds > 3600
    True
    """
    n_bins, k = 1 + config.n_fft // 2, config.kernel_size
    content, style = (1 + n // config.hop_length for n in (n_content, n_style))
    named = branches(config.front_ends, config.kernel_size, config.n_filters)
    patches = [[branch.n_patches(n, n_bins) for n in (content, style)] for branch in named]
    entries = sum(n * (n + other) for n, other in patches)
    numbers = n_bins * (_CONTENT_COPIES * content + _STYLE_COPIES * style)
    if config.encoder == "infinite":
        numbers += _CHUNK_COPIES * max(min(_CHUNK, entries), k * (content + style))
        seconds = 4 * n_bins * entries / _RATE + entries * _SECONDS_PER_ENTRY
    else:
        filters = config.n_filters * n_bins * k
        numbers += _FILTER_COPIES * filters + _FEATURE_COPIES * config.n_filters * (content + style)
        seconds = (4 * filters * content + 6 * config.n_filters * entries) / _RATE
    if config.start == "matched":
        # matching comes first, and is done when the optimisation begins
        content, style = (1 + round(n / config.sr * SR / HOP) for n in (n_content, n_style))
        used = min(style, STYLE_FRAMES)
        numbers = max(numbers, _MATCH_PER_FRAME * (content + style) + _MATCH_PER_USED * used)
        if config.balance <= 0.5:
            return Cost(_FLOAT * numbers, seconds, 1)
    n_iter = config.n_iter * (1 if config.match is None else MOST_ROUNDS)
    if config.unknowns == "magnitudes" and config.phase == "polish":
        n_iter += config.polish_iter
    return Cost(_FLOAT * numbers, seconds, n_iter)


def check_memory(config: TransferConfig, n_content: int, n_style: int) -> None:
    """Raise a MemoryError if a transfer needs more memory than its device has free."""
    needed, free = expected_cost(config, n_content, n_style).memory, free_memory(config.device)
    if needed > free:
        raise MemoryError(
            f"n_fft={config.n_fft}, hop_length={config.hop_length} and clips of {n_content / config.sr:.1f} and "
            f"{n_style / config.sr:.1f} s need about {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are "
            f"free; take a longer hop_length, a shorter n_fft, fewer filters or shorter clips"
        )
