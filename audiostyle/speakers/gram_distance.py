"""Inner products of Gram matrices between all pairs of many clips.

The Gram matrices of the paper are 4096 × 4096; their inner products only need the frame kernel, ‖K_ab‖²_F. Many
short clips are laid side by side, so that one evaluation of the kernel serves hundreds of pairs.
"""

import hashlib
import os
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import joblib
import numpy as np
import torch
from sklearn.decomposition import KernelPCA
from tqdm import tqdm

from audiostyle.datasets.cache import cached
from audiostyle.encoders.base import Encoder
from audiostyle.encoders.random import RandomEncoder

# Patches of a group. 512 × 512 kernel values in float32 are 1 MB and stay in the cache of one core.
GROUP_PATCHES = 512
# Random features are dear: those of a band of groups are kept while all later groups pass by once.
BAND_BYTES = 256 * 2**20


class _Group(NamedTuple):
    """Pieces of clips side by side, and which piece each of their patches belongs to."""

    frames: np.ndarray  # [shape=(n_bins, n_frames)]
    membership: np.ndarray  # [shape=(n_patches, n_pieces)], 0 or 1; all 0 where a patch crosses a seam


def pairwise_gram_inner(
    encoder: Encoder,
    spectrograms: Iterable[np.ndarray | torch.Tensor],
    *,
    cache: str | os.PathLike | None = None,
    settings: object = None,
    progress: bool = False,
) -> np.ndarray:
    """Compute mean(K_ab²), the inner product of the Gram matrices per pair of patches, for all pairs of clips.

    Bands of the matrix are spread over joblib's processes (`joblib.parallel_config`).

    Parameters
    ----------
    encoder : Encoder
        Gives the frame kernel.
    spectrograms : iterable of arrays [shape=(n_bins, n_frames_i)]
        The clips, each of at least one patch; a generator saves memory.
    cache, settings : path or None, object
        Folder in which finished bands are kept, so that a stopped run continues where it stopped, and what identifies
        the encoder there.

    Returns
    -------
    np.ndarray [shape=(n_clips, n_clips), dtype=float64]
        Symmetric and positive semi-definite.

    Notebook: 06_vctk_speakers.ipynb
    """
    groups, owners, n_patches = _side_by_side(spectrograms, encoder)
    first = np.cumsum([0] + [group.membership.shape[1] for group in groups])
    bands = _bands(encoder, len(groups))
    work = (joblib.delayed(_cached_band)(encoder, groups, band, cache, settings) for band in bands)
    done = joblib.Parallel(return_as="generator")(work)
    pieces = np.zeros((len(owners), len(owners)))
    shown = {"total": len(bands), "desc": "distances", "disable": not progress, "leave": False}
    for band, rows in zip(bands, tqdm(done, **shown), strict=True):
        pieces[first[band.start] : first[band.stop], first[band.start] :] = rows
    # Below the diagonal is the mirror image.
    pieces = np.triu(pieces) + np.triu(pieces, 1).T
    total = np.zeros((len(n_patches), len(n_patches)))
    np.add.at(total, (owners[:, None], owners), pieces)
    return total / n_patches / n_patches[:, None]


def _side_by_side(spectrograms, encoder: Encoder) -> tuple[list[_Group], np.ndarray, np.ndarray]:
    """Cut clips into pieces of at most `GROUP_PATCHES` patches and lay them side by side in groups.

    Returns the groups, the clip of each piece, and the number of patches of each clip.
    """
    width = encoder.kernel_size
    groups: list[_Group] = []
    waiting: list[np.ndarray] = []
    owners, n_patches = [], []
    for owner, X in enumerate(spectrograms):
        n_patches.append(encoder.n_patches(X.shape[1]))
        for first in range(0, n_patches[-1], GROUP_PATCHES):
            last = min(first + GROUP_PATCHES, n_patches[-1])
            piece = np.asarray(X[:, first : last + width - 1], dtype=np.float32)
            held = sum(part.shape[1] for part in waiting)
            if waiting and held + piece.shape[1] > GROUP_PATCHES + width - 1:
                groups.append(_make_group(waiting, width))
                waiting = []
            waiting.append(piece)
            owners.append(owner)
    if not waiting:
        raise ValueError("at least one clip is needed")
    groups.append(_make_group(waiting, width))
    return groups, np.array(owners), np.array(n_patches)


def _make_group(pieces: list[np.ndarray], width: int) -> _Group:
    frames = np.ascontiguousarray(np.concatenate(pieces, axis=1))
    membership = np.zeros((frames.shape[1] - width + 1, len(pieces)), dtype=np.float32)
    first = 0
    for column, piece in enumerate(pieces):
        membership[first : first + piece.shape[1] - width + 1, column] = 1
        first += piece.shape[1]
    return _Group(frames, membership)


def _bands(encoder: Encoder, n_groups: int) -> list[range]:
    """Cut the groups into bands, the unit of work and of what is kept."""
    size = 1
    if isinstance(encoder, RandomEncoder):
        size = max(1, BAND_BYTES // (4 * encoder.n_filters * GROUP_PATCHES))
        # The first band has the most to do, so that there must be more bands than processes.
        if (n_jobs := joblib.effective_n_jobs(None)) > 1:
            size = min(size, max(1, n_groups // (2 * n_jobs)))
    return [range(first, min(first + size, n_groups)) for first in range(0, n_groups, size)]


def _cached_band(encoder, groups: list[_Group], band: range, cache, settings) -> np.ndarray:
    """Return Σ K² between the pieces of a band and those of the groups from its first on, 0 below the diagonal."""
    if cache is None:
        return _compute_band(encoder, groups, band)["rows"]
    digest = hashlib.sha256()
    for group in groups[band.start :]:
        digest.update(group.frames)
        digest.update(group.membership)
    about = {"settings": settings, "n_groups": len(band), "frames": digest.hexdigest()}
    return cached(partial(_compute_band, encoder, groups, band), cache, "gram_distance", **about)["rows"]


@torch.no_grad()
def _compute_band(encoder: Encoder, groups: list[_Group], band: range) -> dict[str, np.ndarray]:
    # Copies: memory-mapped frames of a worker process are read-only, which torch warns about.
    own = [encoder.encode(torch.tensor(groups[i].frames)) for i in band]
    rows: list[list[np.ndarray]] = [[] for _ in band]
    for j in range(band.start, len(groups)):
        Y = own[j - band.start] if j in band else encoder.encode(torch.tensor(groups[j].frames))
        for i, X, row in zip(band, own, rows, strict=True):
            left, right = groups[i].membership, groups[j].membership
            row.append(
                _block(encoder, X, Y, left, right) if i <= j else np.zeros((left.shape[1], right.shape[1]))
            )
    return {"rows": np.block(rows)}


def _block(encoder: Encoder, X, Y, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    squares = encoder.kernel(X, Y).to(torch.float32).square_()
    left, right = (torch.tensor(side, device=squares.device) for side in (left, right))
    return (left.T @ (squares @ right)).double().cpu().numpy()


def speaker_map(squared: np.ndarray) -> np.ndarray:
    """Place utterances on a plane so that their squared distances come out as well as they can [shape=(n, 2)].

    Classical scaling (Torgerson 1952): the two leading components of the centred kernel −½ D².

    Examples
    --------
    >>> line = np.array([0.0, 1.0, 3.0])
    >>> x = speaker_map((line[:, None] - line) ** 2)[:, 0]
    >>> np.round(np.abs(np.diff(x)), 6).tolist()
    [1.0, 2.0]
    """
    return KernelPCA(2, kernel="precomputed", eigen_solver="dense").fit_transform(-squared / 2)
