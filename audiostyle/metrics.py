"""Objective measures of a transfer, none of which needs trained weights.

Each has a known-answer test in ``tests/test_metrics.py``; `MEASURES` lists them with unit, range and direction.
"""

from typing import NamedTuple

import librosa
import numpy as np
import scipy.linalg
import scipy.signal
import torch

from audiostyle.audio import fix_length, set_level
from audiostyle.config import TransferConfig
from audiostyle.content_metrics import chroma_similarity, onset_f_measure, pitch_agreement, tempo_ratio
from audiostyle.encoders import RandomEncoder
from audiostyle.infinite import InfiniteEncoder
from audiostyle.losses import content_loss, loss_units, style_loss
from audiostyle.phase import spectral_convergence
from audiostyle.spectrogram import log_magnitude
from audiostyle.textures import texture_distance
from audiostyle.transfer import TransferResult

_HOP = 1024
_N_MFCC = 20
# Far from every seed that an optimisation uses.
FRESH_SEED = 10_000
JUDGES = ("limit", "fresh")


class Measure(NamedTuple):
    """What a column of `evaluate` means.

    Parameters
    ----------
    name : str
        Column.
    compares : str
        What the sound is compared with.
    unit, range : str
    better : {"lower", "higher", "near 1"}
    source : str
        Where the measure comes from.
    """

    name: str
    compares: str
    unit: str
    range: str
    better: str
    source: str


MEASURES = (
    Measure("style_share_limit", "style", "1 (content = 1)", "≥ 0", "lower", "eq. 6 of the paper, the limit"),
    Measure("mfcc_frechet", "style", "MFCC (dB-like)", "≥ 0", "lower", "Dowson & Landau 1982, on MFCCs"),
    Measure("mfcc_distance", "style", "MFCC (dB-like)", "≥ 0", "lower", "mean MFCC"),
    Measure("texture_distance", "style", "1", "≥ 0", "lower", "McDermott & Simoncelli 2011, reduced"),
    Measure("content_share_limit", "content", "1 (E = 1)", "≥ 0", "lower", "eq. 1 of the paper, the limit"),
    Measure("chroma_similarity", "content", "cosine", "0 to 1", "higher", "chroma of the STFT"),
    Measure("pitch_agreement", "content", "share of frames", "0 to 1", "higher", "pYIN, within 50 cents"),
    Measure("onset_f", "content", "F-measure", "0 to 1", "higher", "mir_eval, ±50 ms"),
    Measure("tempo_ratio", "content", "1", "> 0", "near 1", "autocorrelation of the onset strength"),
    Measure(
        "spectral_convergence_db", "own magnitudes", "dB", "≤ 0 as a rule", "lower", "Sturmel & Daudet 2011"
    ),
    Measure(
        "copied_from_style", "style", "correlation", "0 to 1", "lower", "normalised cross-correlation, 1 s"
    ),
    Measure("target_distance_db", "target", "dB", "≥ 0", "lower", "log-spectral distance, 80 mel bands"),
)


def mfcc_distance(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the Euclidean distance between the mean MFCC vectors of two clips.

    How far the average timbre agrees, whatever the notes; the zeroth coefficient, the level, is left out.

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,)]
        Waveforms of any lengths.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        At least 0, in dB-like MFCC units (librosa's, orthonormal DCT of 10 log10 mel power); lower is better.
    """
    means = [
        librosa.feature.mfcc(y=x, sr=sr, n_mfcc=_N_MFCC, hop_length=_HOP)[1:].mean(axis=1)
        for x in (y, reference)
    ]
    return float(np.linalg.norm(means[0] - means[1]))


def log_spectral_distance(y: np.ndarray, target: np.ndarray, sr: int) -> float:
    """Compute the mean log-spectral distance on a mel scale between a clip and the truth.

    Root mean square over 80 mel bands of the difference in dB (floored 60 dB under the target's peak), averaged
    over frames, after both are brought to one level.

    Parameters
    ----------
    y, target : np.ndarray [shape=(n_samples,)]
        Waveforms; the longer one is cut.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        dB, at least 0; lower is better.
    """
    n = min(len(y), len(target))

    def decibels(x: np.ndarray) -> np.ndarray:
        mel = librosa.feature.melspectrogram(y=x[:n], sr=sr, n_mels=80, hop_length=_HOP)
        return librosa.power_to_db(mel / mel.mean(), amin=1e-10, top_db=None)

    a, b = decibels(y), decibels(target)
    floor = b.max() - 60.0
    difference = np.maximum(a, floor) - np.maximum(b, floor)
    return float(np.sqrt((difference**2).mean(axis=0)).mean())


def judge_losses(
    y: np.ndarray,
    content: np.ndarray,
    style: np.ndarray,
    *,
    judge: str = "limit",
    n_filters: int = 4096,
    config: TransferConfig | None = None,
) -> dict[str, float]:
    """Compute content and style loss of an actual sound, through its own STFT, by a judge that is no party.

    The magnitudes that were optimised are seldom those of any waveform, and a result fits the filters it was made
    with best; this is what a sound keeps of either. The judge is the same whatever the transfer's kernel and
    activation were.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,)]
        The sound at the level of the computation (`TransferResult.y_computed`).
    content, style : np.ndarray [shape=(n_samples,)]
        The clips it was made from, at any level.
    judge : {"limit", "fresh"}
        The limit of infinitely many filters of 11 frames, or `fresh_encoder`.
    n_filters : int > 0
        Filters of the fresh bank.
    config : TransferConfig or None
        Gives level, STFT and device; None takes the defaults.

    Returns
    -------
    dict of str to float
        ``content_loss_<judge>`` and ``style_loss_<judge>``; ``content_share_<judge>`` and ``style_share_<judge>``,
        the same over E and s0 (`audiostyle.losses.loss_units`): 0 and 1 for the content itself. Those of the content
        are NaN if the sound has not the content's frames.

    Raises
    ------
    ValueError
        If there is no such judge, or a clip is silent or shorter than 11 frames.
    """
    if judge not in JUDGES:
        raise ValueError(f"judge={judge!r} is not allowed; it must be one of {', '.join(JUDGES)}")
    config = config or TransferConfig()
    encoder = (
        InfiniteEncoder(device=config.device)
        if judge == "limit"
        else fresh_encoder(n_filters, device=config.device)
    )
    levelled = (
        np.asarray(y, dtype=np.float32),
        set_level(content, config.level),
        set_level(style, config.level),
    )
    X, C, A = (
        log_magnitude(
            torch.as_tensor(clip, device=config.device), n_fft=config.n_fft, hop_length=config.hop_length
        )
        for clip in levelled
    )
    x = encoder.encode(X)
    kept = float(content_loss(encoder, x, C)) if X.shape == C.shape else float("nan")
    losses = kept, float(style_loss(encoder, x, A))
    units = loss_units(encoder, C, A)
    return {
        f"{name}_{what}_{judge}": loss / unit if what == "share" else loss
        for name, loss, unit in zip(("content", "style"), losses, units, strict=True)
        for what in ("loss", "share")
    }


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the Fréchet distance between normal distributions fitted to two sets of vectors.

    ``d² = ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)`` (Dowson & Landau 1982).

    Parameters
    ----------
    a, b : np.ndarray [shape=(n_dimensions, n_vectors)]
        The numbers of vectors may differ.

    Returns
    -------
    float
        d, at least 0, in the unit of the vectors.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 2.0]])
    >>> round(frechet_distance(x, x + 3), 6)
    3.0
    """
    gap = a.mean(axis=1) - b.mean(axis=1)
    A, B = np.atleast_2d(np.cov(a, bias=True)), np.atleast_2d(np.cov(b, bias=True))
    # The eigenvalues of Σ_a Σ_b are those of a symmetric matrix: real and non-negative but for rounding.
    root = scipy.linalg.sqrtm((A + A.T) / 2).real
    eigenvalues = np.linalg.eigvalsh(root @ B @ root)
    squared = gap @ gap + np.trace(A) + np.trace(B) - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum()
    return float(np.sqrt(max(squared, 0.0)))


def mfcc_frechet_distance(y: np.ndarray, reference: np.ndarray, sr: int) -> float:
    """Compute the Fréchet distance between the MFCC vectors of two clips.

    How far the timbre agrees in mean and in spread, whatever the order in time; the level is left out, and pauses
    (frames 40 dB under the loudest) do not count: a pause has no timbre.

    Parameters
    ----------
    y, reference : np.ndarray [shape=(n_samples,)]
        Waveforms of any lengths.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        At least 0, in librosa's MFCC units; lower is better.
    """
    return frechet_distance(_sounding_mfcc(y, sr), _sounding_mfcc(reference, sr))


def _sounding_mfcc(y: np.ndarray, sr: int) -> np.ndarray:
    """MFCCs 1 to 19 of the frames within 40 dB of the loudest, from mel power floored 60 dB under its peak."""
    mel = librosa.feature.melspectrogram(y=np.asarray(y, dtype=np.float64), sr=sr, hop_length=_HOP)
    energy = mel.sum(axis=0)
    log_mel = librosa.power_to_db(mel[:, energy >= 1e-4 * energy.max()], amin=1e-20, top_db=60.0)
    return librosa.feature.mfcc(S=log_mel, n_mfcc=_N_MFCC)[1:]


def copied_from(y: np.ndarray, source: np.ndarray, sr: int, *, seconds: float = 1.0) -> float:
    """Compute the largest normalised cross-correlation of a stretch of a clip with any stretch of another.

    Every stretch of `seconds` (half overlapping) is slid along the source; stretches 40 dB under the loudest do not
    count. It finds samples that were copied; the same magnitudes with another phase are no copy to it.

    Parameters
    ----------
    y, source : np.ndarray [shape=(n_samples,)]
        Waveforms.
    sr : int
        Sample rate in Hz.
    seconds : float > 0
        Length of a stretch.

    Returns
    -------
    float
        0 to 1, lower is better; 1 where a stretch of the source, at any level and sign, is in the clip. Steady
        tones of one pitch correlate without having been copied: compare with the row "copy the content".
    """
    n = min(int(seconds * sr), len(y), len(source))
    y, source = (np.asarray(x, dtype=np.float64) for x in (y, source))
    stretches = np.lib.stride_tricks.sliding_window_view(y, n)[:: max(1, n // 2)]
    running = np.concatenate([[0.0], np.cumsum(source**2)])
    local = np.maximum(running[n:] - running[:-n], 0.0)
    own = (stretches**2).sum(axis=1)
    best = 0.0
    for stretch, power in zip(stretches, own, strict=True):
        if power <= 1e-4 * own.max() or power == 0:
            continue
        correlation = scipy.signal.correlate(source, stretch, mode="valid", method="fft")
        loud = local > 1e-4 * local.max()
        best = max(best, float(np.max(np.abs(correlation[loud]) / np.sqrt(local[loud] * power), initial=0.0)))
    return min(best, 1.0)


def evaluate_sound(
    y: np.ndarray,
    content: np.ndarray,
    style: np.ndarray,
    *,
    config: TransferConfig | None = None,
    target: np.ndarray | None = None,
    pitch: bool = True,
) -> dict[str, float]:
    """Compute every measure that needs only sounds.

    Parameters
    ----------
    y, content, style : np.ndarray [shape=(n_samples,)]
        The sound at the level of the computation (`TransferResult.y_computed`) and the clips it was made from, at
        any level, at ``config.sr``.
    config : TransferConfig or None
        Gives sample rate, level and STFT; None takes the defaults.
    target : np.ndarray or None
        The truth, where it is known.
    pitch : bool
        Include `pitch_agreement`, which takes longer than all others together.

    Returns
    -------
    dict of str to float
        Columns of `MEASURES` but ``spectral_convergence_db``; NaN where one does not apply.
    """
    config = config or TransferConfig()
    y = fix_length(np.asarray(y, dtype=np.float32), len(content))
    judged = judge_losses(y, content, style, config=config)
    sr = config.sr
    return {
        "style_share_limit": judged["style_share_limit"],
        "mfcc_frechet": mfcc_frechet_distance(y, style, sr),
        "mfcc_distance": mfcc_distance(y, style, sr),
        "texture_distance": texture_distance(y, style, sr),
        "content_share_limit": judged["content_share_limit"],
        "chroma_similarity": chroma_similarity(y, content, sr),
        "pitch_agreement": pitch_agreement(y, content, sr) if pitch else float("nan"),
        "onset_f": onset_f_measure(y, content, sr),
        "tempo_ratio": tempo_ratio(y, content, sr),
        "copied_from_style": copied_from(y, style, sr),
        "target_distance_db": float("nan") if target is None else log_spectral_distance(y, target, sr),
    }


def fresh_encoder(
    n_filters: int = 4096, *, seed: int = FRESH_SEED, device: str | torch.device = "cpu"
) -> RandomEncoder:
    """Return the paper's layer, 11 frames and ReLU, with random filters that no optimisation uses."""
    return RandomEncoder(n_filters, seed=seed, device=device)


def evaluate(
    result: TransferResult,
    content: np.ndarray,
    style: np.ndarray,
    *,
    target: np.ndarray | None = None,
    pitch: bool = True,
) -> dict[str, float]:
    """Put numbers to a transfer: one row with all of `MEASURES`.

    Parameters
    ----------
    result : audiostyle.TransferResult
    content, style : np.ndarray [shape=(n_samples,)]
        The clips it was made from, at ``result.sr``.
    target : np.ndarray or None
        The truth, where it is known.
    pitch : bool
        As for `evaluate_sound`.

    Returns
    -------
    dict of str to float
        ``spectral_convergence_db`` is NaN for ``phase="waveform"``, which has no magnitudes to converge to.

    Notebook: 11_trade_offs.ipynb
    """
    config = result.config
    row = evaluate_sound(result.y_computed, content, style, config=config, target=target, pitch=pitch)
    row["spectral_convergence_db"] = float("nan")
    if config.phase != "waveform":
        row["spectral_convergence_db"] = spectral_convergence(
            result.S, result.y_computed, hop_length=config.hop_length
        )
    return {measure.name: row[measure.name] for measure in MEASURES}
