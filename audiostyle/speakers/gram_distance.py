"""Inner products of Gram matrices between all pairs of many clips.

The Gram matrices of the paper are 4096 × 4096; their inner products only need the frame kernel, ‖K_ab‖²_F. Many
short clips are laid side by side, so that one evaluation of the kernel serves hundreds of pairs.
"""

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from tqdm import tqdm

from audiostyle.datasets.keys import cache_key
from audiostyle.encoders.base import Encoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.sound.files import whole_file
from audiostyle.sound.processes import processes

# Patches of a group. 512 × 512 kernel values in float32 are 1 MB and stay in the cache of one core.
GROUP_PATCHES = 512
# Random features are dear: those of a band of groups are kept while all later groups pass by once.
BAND_BYTES = 256 * 2**20


@dataclass(frozen=True)
class _Group:
    """Pieces of clips side by side, and to which clip each of their patches belongs."""

    frames: np.ndarray  # [shape=(n_bins, n_frames)]
    membership: np.ndarray  # [shape=(n_patches, n_members)], 0 or 1; all 0 where a patch crosses a seam
    members: np.ndarray  # [shape=(n_members,)], indices of the clips


def pairwise_gram_inner(
    encoder: Encoder,
    spectrograms: Iterable[np.ndarray | torch.Tensor],
    *,
    n_jobs: int = 1,
    cache: str | Path | None = None,
    settings: str = "",
    progress: bool = False,
) -> np.ndarray:
    """Compute mean(K_ab²), the inner product of the Gram matrices per pair of patches, for all pairs of clips.

    Memory does not grow with the number of pairs, time does.

    Parameters
    ----------
    encoder : Encoder
        Gives the frame kernel.
    spectrograms : iterable of arrays [shape=(n_bins, n_frames_i)]
        The clips, each of at least one patch; a generator saves memory.
    n_jobs : int
        Processes, as in joblib.
    cache : path or None
        Folder in which finished rows of blocks are kept, named after the content and the settings, so that a
        stopped run continues where it stopped. A damaged block is made again, with a warning that names it.
    settings : str
        Everything that identifies the encoder, its code included (`audiostyle.datasets.keys.cache_key`), for the
        names of the stored blocks.
    progress : bool
        Show a progress bar.

    Returns
    -------
    np.ndarray [shape=(n_clips, n_clips), dtype=float64]
        Symmetric and positive semi-definite.

    Raises
    ------
    ValueError
        If there is no clip, or one is shorter than a patch.

    Notebook: 08_vctk_speakers.ipynb
    """
    groups, n_patches = _side_by_side(spectrograms, encoder)
    bands = _bands(encoder, len(groups), n_jobs)
    names = _block_names(groups, bands, settings) if cache else [None] * len(bands)
    folder = Path(cache) if cache else None
    total = np.zeros((len(n_patches), len(n_patches)))
    work = (
        joblib.delayed(_compute_band)(encoder, groups, band, folder, name)
        for band, name in zip(bands, names, strict=True)
    )
    damaged = []
    shown = {"total": len(bands), "desc": "distances", "disable": not progress, "leave": False}
    with processes(n_jobs, return_as="generator_unordered") as workers:
        for band, rows, mended in tqdm(workers(work), **shown):
            for i, row in zip(band, rows, strict=True):
                _add_row(total, groups, i, row)
            damaged += [mended] if mended else []
    if damaged:
        warnings.warn(
            f"{folder}: {len(damaged)} stored blocks of distances were damaged and have been made again: "
            + ", ".join(sorted(damaged)),
            stacklevel=2,
        )
    return total / n_patches / n_patches[:, None]


def _side_by_side(spectrograms, encoder: Encoder) -> tuple[list[_Group], np.ndarray]:
    """Cut clips into pieces of at most `GROUP_PATCHES` patches and lay them side by side in groups.

    Clips are taken one at a time, so that a generator need not hold them all beside the groups.
    """
    width = encoder.kernel_size
    groups: list[_Group] = []
    waiting: list[tuple[int, np.ndarray]] = []
    n_patches = []
    for owner, X in enumerate(spectrograms):
        n_patches.append(encoder.n_patches(X.shape[1]))
        for first in range(0, n_patches[-1], GROUP_PATCHES):
            last = min(first + GROUP_PATCHES, n_patches[-1])
            piece = np.asarray(X[:, first : last + width - 1], dtype=np.float32)
            held = sum(part.shape[1] for _, part in waiting)
            if waiting and held + piece.shape[1] > GROUP_PATCHES + width - 1:
                groups.append(_make_group(waiting, width))
                waiting = []
            waiting.append((owner, piece))
    if not waiting:
        raise ValueError("at least one clip is needed")
    groups.append(_make_group(waiting, width))
    return groups, np.array(n_patches)


def _make_group(pieces: list[tuple[int, np.ndarray]], width: int) -> _Group:
    frames = np.ascontiguousarray(np.concatenate([piece for _, piece in pieces], axis=1))
    membership = np.zeros((frames.shape[1] - width + 1, len(pieces)), dtype=np.float32)
    first = 0
    for column, (_, piece) in enumerate(pieces):
        membership[first : first + piece.shape[1] - width + 1, column] = 1
        first += piece.shape[1]
    return _Group(frames, membership, np.array([owner for owner, _ in pieces]))


def _bands(encoder: Encoder, n_groups: int, n_jobs: int) -> list[range]:
    """Cut the groups into bands, the unit of work and of what is stored."""
    size = 1
    if isinstance(encoder, RandomEncoder):
        size = max(1, BAND_BYTES // (4 * encoder.n_filters * GROUP_PATCHES))
        if n_jobs != 1:  # the first band has the most to do, so that there must be more bands than processes
            size = min(size, max(1, n_groups // (2 * joblib.effective_n_jobs(n_jobs))))
    return [range(first, min(first + size, n_groups)) for first in range(0, n_groups, size)]


def _block_names(groups: list[_Group], bands: list[range], settings: str) -> list[str]:
    """Name each band after the frames of its groups and of the groups that follow, the settings and the code."""
    digests = []
    for group in groups:
        digest = hashlib.sha256(group.frames)
        digest.update(group.membership)
        digests.append(digest.digest())
    about = cache_key(__name__, settings=settings, n_bins=len(groups[0].frames))
    return [
        hashlib.sha256(f"{about} {len(band)}".encode() + b"".join(digests[band[0] :])).hexdigest()[:32]
        for band in bands
    ]


def _compute_band(encoder, groups, band, folder, name) -> tuple[range, list[np.ndarray], str | None]:
    """Compute Σ K² between the members of each group of a band and those of the groups from that one on.

    Returns the band, its rows, and the name of the stored block if there was one and it was damaged.
    """
    file = folder / f"{name}.npy" if folder else None
    present = file is not None and file.exists()
    if present and (stored := _load_band(file, groups, band)) is not None:
        return band, stored, None
    own = [_encode(encoder, groups[i]) for i in band]
    blocks: list[list[np.ndarray]] = [[] for _ in band]
    for j in range(band[0], len(groups)):
        Y = own[j - band[0]] if j in band else _encode(encoder, groups[j])
        for i, X, row in zip(band, own, blocks, strict=True):
            if i <= j:
                row.append(_block(encoder, X, Y, groups[i], groups[j]))
    rows = [np.concatenate(row, axis=1) for row in blocks]
    if file:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as temporary:
            np.save(temporary, np.concatenate([row.ravel() for row in rows]), allow_pickle=False)
    return band, rows, file.name if present else None


@torch.no_grad()
def _block(encoder, X, Y, rows: _Group, columns: _Group) -> np.ndarray:
    squares = encoder.kernel(X, Y).to(torch.float32).square_()
    left = torch.as_tensor(rows.membership, device=squares.device)
    right = torch.as_tensor(columns.membership, device=squares.device)
    return (left.T @ (squares @ right)).double().cpu().numpy()


def _load_band(file: Path, groups: list[_Group], band: range) -> list[np.ndarray] | None:
    """Return stored rows, None where the file is damaged and has to be made again."""
    widths = [sum(len(group.members) for group in groups[i:]) for i in band]
    heights = [len(groups[i].members) for i in band]
    ends = np.cumsum([height * width for height, width in zip(heights, widths, strict=True)])
    try:
        with open(file, "rb") as opened:
            values = np.load(opened, allow_pickle=False)
    # numpy evaluates the header as an expression and allocates what it says: a damaged one raises nearly anything.
    except Exception:
        return None
    whole = isinstance(values, np.ndarray) and values.shape == (ends[-1],) and values.dtype == np.float64
    if not whole or not np.isfinite(values).all():
        return None
    parts = np.split(values, ends[:-1])
    return [part.reshape(h, w) for part, h, w in zip(parts, heights, widths, strict=True)]


@torch.no_grad()
def _encode(encoder: Encoder, group: _Group):
    # A copy: memory-mapped frames of a worker process are read-only, which torch warns about.
    return encoder.encode(torch.tensor(group.frames))


def _add_row(total: np.ndarray, groups: list[_Group], i: int, row: np.ndarray) -> None:
    members = np.concatenate([group.members for group in groups[i:]])
    own = len(groups[i].members)
    np.add.at(total, (groups[i].members[:, None], members[None]), row)
    # The mirror image; the block of the group with itself holds both halves already.
    np.add.at(total, (members[own:, None], groups[i].members[None]), row[:, own:].T)


def speaker_map(squared: np.ndarray) -> np.ndarray:
    """Place utterances on a plane so that their distances come out as well as they can.

    Classical scaling (Torgerson 1952): the two leading eigenvectors of −½ J D² J, J removing the mean.

    Parameters
    ----------
    squared : np.ndarray [shape=(n, n), non-negative]
        Squared distances.

    Returns
    -------
    np.ndarray [shape=(n, 2)]

    Examples
    --------
    >>> line = np.array([0.0, 1.0, 3.0])
    >>> x = speaker_map((line[:, None] - line) ** 2)[:, 0]
    >>> np.round(np.abs(np.diff(x)), 6).tolist()
    [1.0, 2.0]
    """
    centred = squared - squared.mean(axis=0)
    centred = -0.5 * (centred - centred.mean(axis=1, keepdims=True))
    values, vectors = np.linalg.eigh((centred + centred.T) / 2)
    return vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0.0))
