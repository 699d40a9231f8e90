"""Front ends as they are written in a configuration, such as ``"linear+mel:k50+pooled_cqt:w2"``."""

import re
from dataclasses import dataclass

# Mel bands, and semitones of constant Q; Barry & Kim's patches have 11 bands.
N_MELS, N_SEMITONES, N_BANDS = 128, 84, 11
FRONT_ENDS = ("linear", "mel", "cqt")
_POOLED = "pooled_"
_ITEM = re.compile(rf"(?P<name>(?:{_POOLED})?(?:{'|'.join(FRONT_ENDS)}))(?P<options>(?::[knw][0-9.]+)*)")


@dataclass(frozen=True)
class Branch:
    """A front end, and what stands behind it.

    Parameters
    ----------
    front_end : {"linear", "mel", "cqt"}
    pooled : bool
        Whether the Gram matrix is pooled over frequency as well as time.
    kernel_size, n_filters : int
        As in `audiostyle.TransferConfig`.
    weight : float > 0
        Of both its losses, relative to the other branches'.
    """

    front_end: str
    pooled: bool
    kernel_size: int
    n_filters: int
    weight: float = 1.0

    def n_patches(self, n_frames: int, n_bins: int) -> int:
        """Return about how many patches are compared, in a clip of so many frames and an STFT of so many bins.

        Examples
        --------
        >>> branches("cqt+pooled_cqt", 11, 4096)[1].n_patches(220, 1025)  # 74 offsets × 20 times
        1480
        """
        if not self.pooled:
            return n_frames
        rows = {"linear": n_bins, "mel": N_MELS, "cqt": N_SEMITONES}[self.front_end]
        return max(1, rows - N_BANDS + 1) * -(-n_frames // self.kernel_size)


def branches(text: str, kernel_size: int, n_filters: int) -> tuple[Branch, ...]:
    """Read the front ends of a configuration.

    Parameters
    ----------
    text : str
        ``NAME[:kFRAMES][:nFILTERS][:wWEIGHT]``, joined by ``+``; NAME is linear, mel or cqt, with ``pooled_`` before
        it where the style is pooled over frequency.
    kernel_size, n_filters : int
        Of front ends that name none.

    Returns
    -------
    tuple of Branch

    Raises
    ------
    ValueError
        If the text is none of these, or a number is not above 0 or not whole where it counts something.

    Examples
    --------
    >>> [(b.front_end, b.pooled, b.kernel_size, b.weight) for b in branches("linear+pooled_cqt:k5:w2", 11, 4096)]
    [('linear', False, 11, 1.0), ('cqt', True, 5, 2.0)]
    """
    return tuple(_branch(item, text, kernel_size, n_filters) for item in text.split("+"))


def _branch(item: str, text: str, kernel_size: int, n_filters: int) -> Branch:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(
            f"front_ends={text!r} is not allowed; it must be names joined by +, each of {', '.join(FRONT_ENDS)} "
            f"or {_POOLED}NAME, followed by :kFRAMES, :nFILTERS or :wWEIGHT where wanted"
        )
    given = {option[0]: option[1:] for option in match["options"].split(":")[1:]}
    try:
        counts = [
            int(given.get(letter, default)) for letter, default in (("k", kernel_size), ("n", n_filters))
        ]
        weight = float(given.get("w", 1))
    except ValueError:
        raise ValueError(f"front_ends={text!r}: {item} holds what is no number, or no whole one") from None
    if min(*counts, weight) <= 0:
        raise ValueError(f"front_ends={text!r}: the numbers of {item} must be above 0")
    name = match["name"]
    return Branch(name.removeprefix(_POOLED), name.startswith(_POOLED), *counts, weight)
