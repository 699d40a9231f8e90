"""A sketch of the Gram matrix: two thousand numbers whose inner products are those of whole Gram matrices.

The inner product of two Gram matrices is a mean over pairs of filters of products of entries. A random sample of D
pairs estimates it without bias (Rahimi & Recht 2007, with the product of two features as the feature):

    z_i = (1/√D) mean over patches p of φ(w_i·p) φ(w'_i·p),    E ⟨z_a, z_b⟩ = ‖K_ab‖² / (n_a n_b).

So an utterance is a short vector, and comparing n of them costs n and not n².
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from audiostyle.config import check_positive, check_seed
from audiostyle.sound.audio import fix_length
from audiostyle.speakers import classifiers
from audiostyle.speakers.methods import SpeakerMethod, shortest

# The fewest for which every design of `benchmarks.table1` comes out as with whole Gram matrices, but for one item.
N_PAIRS = 2048
DRAWS = ("gaussian", "orthogonal", "signs")
# Those with φ(a x) = a φ(x) for a > 0: only there do filters of one length stand for Gaussian ones.
_HOMOGENEOUS = {"relu": functional.relu, "none": lambda x: x}
_SIGNS = tuple(itertools.product((1.0, -1.0), repeat=2))


class GramSketch:
    """Random-pair features of the Gram matrix of a clip.

    Parameters
    ----------
    n_pairs : int > 0
        Numbers D of a sketch; a multiple of 4 with ``draw="signs"``.
    kernel_size : int > 0
        Width of a filter in frames.
    activation : {"relu", "none"}
        Nonlinearity of the encoder.
    draw : {"signs", "orthogonal", "gaussian"}
        ``"gaussian"``: independent filters, as those of `RandomEncoder`. ``"orthogonal"``: filters of equal length
        that are orthogonal in blocks (Yu et al. 2016), apart for the first and the second of a pair.
        ``"signs"``: the same for a quarter of the pairs, each taken with all four choices of sign, which costs
        a quarter of the products and errs no more. All are unbiased.
    seed : int in [0, 2^64)
        Seed of the filters.
    device : str
        Torch device.

    Raises
    ------
    ValueError
        For a size below 1, an unknown draw or activation.

    Notebook: 08_vctk_speakers.ipynb

    Examples
    --------
    >>> GramSketch(8, kernel_size=3)(torch.ones(5, 10)).shape
    torch.Size([8])
    """

    def __init__(
        self,
        n_pairs: int = N_PAIRS,
        *,
        kernel_size: int = 11,
        activation: str = "relu",
        draw: str = "signs",
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        check_positive(n_pairs=n_pairs, kernel_size=kernel_size)
        check_seed(seed)
        for name, value, allowed in (("draw", draw, DRAWS), ("activation", activation, _HOMOGENEOUS)):
            if value not in allowed:
                raise ValueError(f"{name}={value!r} is not allowed; it must be one of {', '.join(allowed)}")
        if draw == "signs" and n_pairs % len(_SIGNS):
            raise ValueError(
                f"n_pairs={n_pairs} is not allowed with draw='signs'; it must be a multiple of 4"
            )
        self.n_pairs, self.kernel_size, self.activation = n_pairs, kernel_size, activation
        self.draw, self.seed, self.device = draw, seed, torch.device(device)
        self._drawn: dict[int, torch.Tensor] = {}

    def filters(self, n_channels: int) -> torch.Tensor:
        """Return the first filters of all pairs, then the second [shape=(n_filters, n_channels, kernel_size)]."""
        if n_channels not in self._drawn:
            # Drawn on the CPU whatever the device, so that a seed means the same filters everywhere.
            generator = torch.Generator().manual_seed(self.seed)
            size = n_channels * self.kernel_size
            each = self.n_pairs // len(_SIGNS) if self.draw == "signs" else self.n_pairs
            rows = _gaussian if self.draw == "gaussian" else _orthogonal
            drawn = torch.cat([rows(each, size, generator) for _ in range(2)])
            self._drawn[n_channels] = drawn.reshape(-1, n_channels, self.kernel_size).to(self.device)
        return self._drawn[n_channels]

    @torch.no_grad()
    def __call__(self, X: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return the sketch of a clip.

        Parameters
        ----------
        X : array or tensor [shape=(n_bins, n_frames)]
            Spectrogram of at least `kernel_size` frames.

        Returns
        -------
        torch.Tensor [shape=(n_pairs,), dtype=float32]
        """
        X = torch.as_tensor(X, dtype=torch.float32, device=self.device)
        filters = self.filters(X.shape[0])
        P = filters[..., 0] @ X if self.kernel_size == 1 else functional.conv1d(X[None], filters)[0]
        first, second = P.chunk(2)
        phi = _HOMOGENEOUS[self.activation]
        signs = _SIGNS if self.draw == "signs" else _SIGNS[:1]
        return (
            torch.cat([(phi(a * first) * phi(b * second)).mean(dim=1) for a, b in signs]) / self.n_pairs**0.5
        )


def _gaussian(n: int, size: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(n, size, generator=generator)


def _orthogonal(n: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Draw rows of length √size that are orthogonal in blocks, each uniform on its sphere."""
    blocks = []
    while n > 0:
        taken = min(n, size)
        # In double precision, and with a positive diagonal of R: the same on every machine up to rounding.
        Q, R = torch.linalg.qr(torch.randn(size, taken, generator=generator, dtype=torch.float64))
        blocks.append((Q * torch.diagonal(R).sign()).T * size**0.5)
        n -= taken
    return torch.cat(blocks).to(torch.float32)


@dataclass(frozen=True)
class Sketcher:
    """From a waveform to the sketches that a method compares, side by side in one row.

    Parameters
    ----------
    method : SpeakerMethod
        Front ends, patches and activation.
    n_pairs : int
        Numbers of the sketch of one front end.
    draw, seed, device
        As in `GramSketch`.
    """

    method: SpeakerMethod
    n_pairs: int = N_PAIRS
    draw: str = "signs"
    seed: int = 0
    device: str = "cpu"

    @property
    def widths(self) -> list[int]:
        """Numbers of each view of the method."""
        return [self.n_pairs * len(view.front_ends) for view in self.method.views]

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return sum(self.widths)

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers: half precision where rows have norm 1, single where they have any."""
        # Half precision errs by 2⁻¹² of a number, the estimate itself by some D^-1/2 of the inner product.
        return np.dtype(np.float16 if self.method.cosine else np.float32)

    def views(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return the columns of each view of the method [shape=(n, widths[i])] of rows [shape=(n, width)].

        The inner product of two is the kernel of that view.
        """
        return np.split(rows, np.cumsum(self.widths)[:-1], axis=1)

    @torch.no_grad()
    def __call__(self, y: np.ndarray) -> np.ndarray:
        """Return the row of a waveform at 16 kHz [shape=(width,), dtype of `dtype`]."""
        sketch, method = _sketch_of(self), self.method
        y = torch.as_tensor(fix_length(y, max(len(y), shortest(method))), device=self.device)
        rows, magnitudes = [], {}
        for view in method.views:
            for front_end in view.front_ends:
                window = front_end.n_fft, front_end.hop_length
                if window not in magnitudes:
                    magnitudes[window] = front_end.magnitudes(y)
                z = sketch(front_end.frames(magnitudes[window]))
                if method.cosine:
                    # A clip without any energy stays zero.
                    z = z / z.norm().clamp_min(torch.finfo(z.dtype).tiny) / len(view.front_ends) ** 0.5
                rows.append(z)
        return torch.cat(rows).cpu().numpy().astype(self.dtype)


@lru_cache(maxsize=4)
def _sketch_of(sketcher: Sketcher) -> GramSketch:
    """Return the filters of a sketcher, which a process draws once."""
    return GramSketch(
        sketcher.n_pairs,
        kernel_size=sketcher.method.kernel_size,
        activation=sketcher.method.activation,
        draw=sketcher.draw,
        seed=sketcher.seed,
        device=sketcher.device,
    )


def sketch_classify(
    sketcher: Sketcher, rows: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Classify by sketches as the method that was sketched does by kernels.

    Parameters
    ----------
    sketcher : Sketcher
        What made the rows.
    rows : np.ndarray [shape=(n_items, width)]
        Sketches.
    labels : np.ndarray [shape=(n_train,)]
        Labels of the training items.
    train, test : np.ndarray of int
        Rows of each.

    Returns
    -------
    np.ndarray [shape=(n_test,)]
        A label for each.
    """
    parts = [(classifiers.Part(Z, train), classifiers.Part(Z, test)) for Z in sketcher.views(rows)]
    if sketcher.method.classifier == "ridge":
        return classifiers.feature_vote(parts, labels)
    return classifiers.nearest_features(*parts[0], labels)
