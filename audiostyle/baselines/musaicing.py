"""Musaicing: the content rebuilt from the style's frames, with no random features."""

import numpy as np
import scipy.ndimage

from audiostyle.phase.griffin_lim import griffin_lim
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
    n_fft: int = 2048,
    hop_length: int = 1024,
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
    n_fft, hop_length : int > 0
        Of the STFT.
    griffin_lim_iter : int
        Iterations for the phase.
    seed : int
        Seed of the first activations.

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32]
        As long as the content.

    Notebook: 11_trade_offs.ipynb
    """
    V = stft(content, n_fft=n_fft, hop_length=hop_length).numpy()
    # The cut of a frame centred after the end is no sound of the style.
    A = stft(style, n_fft=n_fft, hop_length=hop_length, cover=False).numpy()
    loudness = np.abs(A).sum(axis=0)
    # Normalised, the noise of a pause would be as loud a template as a note.
    templates = A[:, loudness > _QUIET * loudness.max()]
    templates = templates / np.abs(templates).sum(axis=0)
    H = activations(
        np.abs(V),
        np.abs(templates),
        n_iter=n_iter,
        repetition=repetition,
        polyphony=polyphony,
        continuity=continuity,
        seed=seed,
    )
    # The style's own phases are the start: frames in their own order then already fit together.
    D = templates @ H
    return griffin_lim(
        np.abs(D).astype(np.float32),
        n_iter=griffin_lim_iter,
        hop_length=hop_length,
        init=np.angle(D).astype(np.float32),
        length=len(content),
    )


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
    """Find the constrained activations of `nmf_musaicing`.

    Parameters
    ----------
    V : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Magnitudes to imitate.
    W : np.ndarray [shape=(n_bins, n_templates), non-negative]
        Templates.
    n_iter, repetition, polyphony, continuity, seed : int
        As for `nmf_musaicing`.

    Returns
    -------
    np.ndarray [shape=(n_templates, n_frames), non-negative]
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
