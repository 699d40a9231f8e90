"""A sketch of the Gram matrix: two thousand numbers whose inner products are those of whole Gram matrices.

The inner product of two Gram matrices is a mean over pairs of filters of products of entries. A random sample of D
pairs estimates it without bias (Rahimi & Recht 2007, with the product of two features as the feature):

    z_i = (1/√D) mean over patches p of φ(w_i·p) φ(w'_i·p),    E ⟨z_a, z_b⟩ = ‖K_ab‖² / (n_a n_b).

So an utterance is a short vector, and comparing n of them costs n and not n².
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import joblib
import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor
from torch.nn import functional
from tqdm import tqdm

from audiostyle.cache import cache_key, read_arrays, write_arrays
from audiostyle.datasets.corpora import Corpus, Recordings, Utterance, collect, read_utterance
from audiostyle.sound.samples import of_length
from audiostyle.speakers.methods import SpeakerMethod

# On 20 speakers of LibriSpeech, 512 pairs already name as many test items (`sketch.csv` of `experiments.table1`).
N_PAIRS = 2048
# Utterances of a task: a second's work, and what a stopped run repeats.
CHUNK = 32
# Those with φ(a x) = a φ(x) for a > 0: only there do filters of one length stand for Gaussian ones.
_HOMOGENEOUS = {"relu": functional.relu, "none": lambda x: x}
_SIGNS = tuple(itertools.product((1.0, -1.0), repeat=2))


@torch.no_grad()
def gram_sketch(
    X: np.ndarray | torch.Tensor,
    n_pairs: int = N_PAIRS,
    *,
    kernel_size: int = 11,
    activation: str = "relu",
    seed: int = 0,
) -> torch.Tensor:
    """Return random-pair features of the Gram matrix of a clip.

    Filters have equal length and are orthogonal in blocks (Yu et al. 2016), apart for the first and the second of a
    pair. There are a quarter of the pairs, each taken with all four choices of sign, which costs a quarter of the
    products and errs no more.

    Parameters
    ----------
    X : array or tensor [shape=(n_bins, n_frames)]
        Spectrogram of at least `kernel_size` frames.
    n_pairs : int > 0
        Numbers D of a sketch, a multiple of 4.
    kernel_size, activation, seed
        Width of a filter in frames, ``"relu"`` or ``"none"``, and the seed of the filters.

    Examples
    --------
    >>> gram_sketch(torch.ones(5, 10), 8, kernel_size=3).shape
    torch.Size([8])
    """
    if n_pairs < 4 or n_pairs % 4:
        raise ValueError(f"n_pairs={n_pairs} is not allowed; it must be a multiple of 4 from 4 on")
    if activation not in _HOMOGENEOUS:
        raise ValueError(f"activation={activation!r} is not allowed; sketches know {', '.join(_HOMOGENEOUS)}")
    X = torch.as_tensor(X, dtype=torch.float32)
    filters = pair_filters(n_pairs // 4, X.shape[0], kernel_size, seed).to(X.device)
    P = filters[..., 0] @ X if kernel_size == 1 else functional.conv1d(X[None], filters)[0]
    first, second = P.chunk(2)
    phi = _HOMOGENEOUS[activation]
    return torch.cat([(phi(a * first) * phi(b * second)).mean(dim=1) for a, b in _SIGNS]) / n_pairs**0.5


@lru_cache(maxsize=8)
def pair_filters(n: int, n_channels: int, kernel_size: int, seed: int) -> torch.Tensor:
    """Return the first filters of all pairs, then the second [shape=(2 n, n_channels, kernel_size)].

    Each is uniform on the sphere of radius √(n_channels · kernel_size).
    """
    # Drawn on the CPU whatever the device, so that a seed means the same filters everywhere.
    generator, size, blocks = torch.Generator().manual_seed(seed), n_channels * kernel_size, []
    for _ in range(2):
        for first in range(0, n, size):
            shape = size, min(size, n - first)
            # In double precision, and with a positive diagonal of R: the same on every machine up to rounding.
            Q, R = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=torch.float64))
            blocks.append((Q * torch.diagonal(R).sign()).T * size**0.5)
    return torch.cat(blocks).to(torch.float32).reshape(-1, n_channels, kernel_size)


@dataclass(frozen=True)
class Sketcher:
    """From a waveform to the sketches of a method's front ends, each of `n_pairs` numbers, side by side in one row."""

    method: SpeakerMethod
    n_pairs: int = N_PAIRS
    seed: int = 0
    device: str = "cpu"

    @torch.no_grad()
    def __call__(self, y: np.ndarray) -> np.ndarray:
        """Return the row of a waveform at 16 kHz [shape=(width,)].

        In half precision where rows have norm 1: that errs by 2⁻¹² of a number, and the estimate itself by some D^-1/2
        of the inner product.
        """
        method = self.method
        y = torch.as_tensor(of_length(y, max(len(y), method.shortest)), device=self.device)
        rows, magnitudes = [], {}
        for view in method.views:
            for end in view.front_ends:
                window = end.n_fft, end.hop_length
                if window not in magnitudes:
                    magnitudes[window] = end.magnitudes(y)
                how = {"kernel_size": method.kernel_size, "activation": method.activation, "seed": self.seed}
                z = gram_sketch(end.frames(magnitudes[window]), self.n_pairs, **how)
                if method.cosine:
                    # A clip without any energy stays zero.
                    z = z / z.norm().clamp_min(torch.finfo(z.dtype).tiny) / len(view.front_ends) ** 0.5
                rows.append(z)
        return torch.cat(rows).cpu().numpy().astype(np.float16 if method.cosine else np.float32)

    def views(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return the columns of each view of the method [shape=(n, width_i)] of rows [shape=(n, width)]."""
        widths = [self.n_pairs * len(view.front_ends) for view in self.method.views]
        return np.split(rows, np.cumsum(widths)[:-1], axis=1)

    def settings(self) -> dict:
        """Return what the numbers depend on."""
        return asdict(replace(self, device="cpu"))


def sketch_corpus(
    corpus: Corpus | str | os.PathLike,
    sketcher: Sketcher,
    *,
    cache: str | os.PathLike | None = None,
    progress: bool = False,
    **part,
) -> tuple[Recordings, np.ndarray, np.ndarray]:
    """Read and sketch the utterances of a corpus, a few at a time, so that memory does not hold the sound.

    The work is spread as `workers` says. Every task works on one thread, so that the rows are the same however it is
    spread.

    Parameters
    ----------
    corpus, **part
        As in `audiostyle.datasets.corpora.collect`, with the same errors and warnings.
    cache : path or None
        Folder that keeps what was sketched: a stopped run goes on from there.

    Returns
    -------
    items : Recordings
        What was sketched, without waveforms.
    rows, n_samples : np.ndarray [shape=(n_items, width)], [shape=(n_items,)]
        Their sketches, and the length of each at 16 kHz.
    """
    compute = partial(sketch_utterances, sketcher=sketcher, cache=cache, progress=progress)
    items, sketched = collect(corpus, compute, **part)
    n_samples = np.array([n for _, n in sketched])
    rows = np.empty((len(items), len(sketched[0][0])), dtype=sketched[0][0].dtype)
    for i, place in enumerate(rows):
        place[:] = sketched[i][0]
        sketched[i] = None  # so that memory holds the sketches once
    return items, rows, n_samples


def sketch_utterances(
    items: Sequence[Utterance],
    sketcher: Sketcher,
    *,
    read=read_utterance,
    cache: str | os.PathLike | None = None,
    progress: bool = False,
) -> Iterator[tuple[np.ndarray, int] | None]:
    """Yield the sketch and the number of samples of each utterance, None where `read` gives no waveform."""
    chunks, files = [], []
    for _, own in itertools.groupby(items, key=lambda item: item.speaker):
        while chunk := list(itertools.islice(own, CHUNK)):
            chunks.append(chunk)
            key = cache_key("sketch", sketcher=sketcher.settings(), files=list(map(_identity, chunk)))
            files.append(None if cache is None else Path(cache) / f"{key}.npz")
    absent = [file is None or not file.exists() for file in files]
    tasks = (
        joblib.delayed(sketch_chunk)(sketcher, read, chunk) for chunk in itertools.compress(chunks, absent)
    )
    made = iter(joblib.Parallel(return_as="generator")(tasks))
    with tqdm(total=len(items), desc="sketches", disable=not progress, leave=False) as bar:
        for chunk, file, new in zip(chunks, files, absent, strict=True):
            arrays = None if new else read_arrays(file)
            if arrays is None:
                # A file that is damaged is made again, here.
                arrays = next(made) if new else sketch_chunk(sketcher, read, chunk)
                if (
                    file is not None and arrays["n_samples"].all()
                ):  # what cannot be read today may be tomorrow
                    write_arrays(file, arrays)
            rows = iter(arrays["rows"])
            yield from ((next(rows), int(n)) if n else None for n in arrays["n_samples"])
            bar.update(len(chunk))


def sketch_chunk(sketcher: Sketcher, read, chunk: Sequence[Utterance]) -> dict[str, np.ndarray]:
    """Return ``rows`` of those utterances that can be read, and ``n_samples`` of all, 0 for the others."""
    rows, n_samples = [], []
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for item in chunk:
            y = read(item)
            n_samples.append(0 if y is None else len(y))
            rows += [] if y is None else [sketcher(y)]
    finally:
        torch.set_num_threads(n_threads)
    return {"rows": np.array(rows), "n_samples": np.array(n_samples)}


def _identity(item: Utterance) -> tuple:
    """Return the path of an utterance, and the size and time of change that tell whether the file is the same."""
    if not item.path.exists():
        return (str(item.path),)
    about = item.path.stat()
    return str(item.path.resolve()), about.st_size, about.st_mtime_ns


@contextmanager
def workers(n_jobs: int = 1, scheduler: str | None = None) -> Iterator[None]:
    """Spread what follows over processes of this machine or, through a Dask scheduler, over several machines.

    The workers of a scheduler, such as ``tcp://HOST:8786``, need this package and must see the files under the same
    paths; what a lost one had not finished is done by another.
    """
    if scheduler:
        try:
            from distributed import Client
        except ImportError as error:
            raise ValueError(
                "a scheduler needs dask.distributed; `pip install 'audiostyle[dask]'` installs it"
            ) from error
        with Client(scheduler), joblib.parallel_config(backend="dask"):
            yield
    elif n_jobs == 1:
        yield
    else:
        try:
            with joblib.parallel_config(backend="loky", n_jobs=n_jobs):
                yield
        finally:
            # A call that came as idle processes ended would wait for ever.
            get_reusable_executor().shutdown(wait=True)
