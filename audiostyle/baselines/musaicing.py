"""Musaicing: the content rebuilt from the style's frames, with no random features."""

from collections.abc import Sequence

import numpy as np
import scipy.ndimage

from audiostyle.phase.griffin_lim import griffin_lim
from audiostyle.sound.samples import resample
from audiostyle.spectrogram import stft

_LEAST = 1e-8
# Frames of the style under this share of the loudest are no templates.
_QUIET = 0.05


def nmf_musaicing(
    content: np.ndarray,
    style: np.ndarray,
    *,
    n_iter: int = 20,
    repetition: int = 3,
    polyphony: int = 10,
    continuity: int = 3,
    transpositions: Sequence[int] = (0,),
    most_templates: int | None = None,
    griffin_lim_iter: int = 50,
    seed: int = 0,
) -> np.ndarray:
    """Rebuild the content from the style's frames (Driedger, Prätzlich & Müller 2015, "Let it Bee").

    Non-negative matrix factorisation ``V ≈ W H`` of the content's magnitudes V with the style's frames as fixed
    templates W. Every iteration makes the activations H sparser: no frame is repeated within `repetition` frames,
    no more than `polyphony` sound at once, and runs along diagonals (the style's own order in time) are favoured.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)]
        Waveforms.
    n_iter : int > 0
        Iterations.
    repetition, polyphony, continuity : int
        The three constraints; the defaults are the authors'.
    transpositions : sequence of int
        Semitones by which the style is transposed (read at another speed); the frames of all are templates.
    most_templates : int > 0 or None
        Of more templates than these, those are kept that come nearest to some frame of the content by cosine.
    griffin_lim_iter : int
        Iterations for the phase.
    seed : int
        Seed of the first activations.

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32]
        As long as the content.

    Notebook: 13_trade_offs_and_neighbours.ipynb
    """
    V = np.abs(stft(content).numpy())
    W = np.concatenate([_templates(transposed(style, steps)) for steps in transpositions], axis=1)
    if most_templates is not None and W.shape[1] > most_templates:
        W = W[:, _nearest(V, np.abs(W), most_templates)]
    constraints = {"repetition": repetition, "polyphony": polyphony, "continuity": continuity}
    H = activations(V, np.abs(W), n_iter=n_iter, seed=seed, **constraints)
    # The style's own phases are the start: frames in their own order then already fit together.
    D = W @ H
    init = np.angle(D).astype(np.float32)
    return griffin_lim(np.abs(D).astype(np.float32), n_iter=griffin_lim_iter, init=init, length=len(content))


def transposed(y: np.ndarray, semitones: float) -> np.ndarray:
    """Transpose a waveform by reading it at another speed, so that it becomes shorter or longer.

    Examples
    --------
    >>> len(transposed(np.ones(4800, np.float32), 12))
    2400
    """
    if semitones == 0:
        return y
    return resample(y, 2 ** (semitones / 12), 1.0)


def _templates(style: np.ndarray) -> np.ndarray:
    """Complex frames of the style that sound, magnitudes summing to 1 [shape=(n_bins, n_templates)]."""
    # The cut of a frame centred after the end is no sound of the style.
    A = stft(style, cover=False).numpy()
    loudness = np.abs(A).sum(axis=0)
    # Normalised, the noise of a pause would be as loud a template as a note.
    templates = A[:, loudness > _QUIET * loudness.max()]
    return templates / np.abs(templates).sum(axis=0)


def _nearest(V: np.ndarray, W: np.ndarray, n: int) -> np.ndarray:
    """Find the templates that come nearest to some frame by cosine; their indices in order [shape=(n,)]."""
    frames, templates = (X / np.maximum(np.linalg.norm(X, axis=0), _LEAST) for X in (V, W))
    cosine = (templates.T @ frames).max(axis=1)
    return np.sort(np.argsort(-cosine, kind="stable")[:n])


def activations(
    V: np.ndarray,
    W: np.ndarray,
    *,
    n_iter: int,
    repetition: int,
    polyphony: int,
    continuity: int,
    seed: int = 0,
) -> np.ndarray:
    """Find the constrained activations of `nmf_musaicing` [shape=(n_templates, n_frames), non-negative].

    V [shape=(n_bins, n_frames)] are the magnitudes to imitate, W [shape=(n_bins, n_templates)] the templates, both
    non-negative.
    """
    H = np.random.default_rng(seed).uniform(0.1, 1.0, (W.shape[1], V.shape[1]))
    kernel = np.eye(2 * continuity + 1)
    weight = np.maximum(W.sum(axis=0), _LEAST)[:, None]
    for i in range(n_iter):
        fade = 1 - (i + 1) / n_iter
        nearby = scipy.ndimage.maximum_filter1d(H, 2 * repetition + 1, axis=1)
        H = np.where(nearby <= H, H, H * fade)
        if polyphony < H.shape[0]:
            least = np.partition(H, -polyphony, axis=0)[-polyphony]
            H = np.where(least <= H, H, H * fade)
        H = scipy.ndimage.convolve(H, kernel, mode="constant")
        # One multiplicative update for the Kullback-Leibler divergence (Lee & Seung 2000).
        H = H * (W.T @ (V / np.maximum(W @ H, _LEAST))) / weight
    return H
