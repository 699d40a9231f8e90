"""Objective measures of a transfer, none of which needs trained weights.

Each has a known-answer test in ``tests/measures/test_table.py``; `MEASURES` lists them with unit, range and direction.
"""

from typing import NamedTuple

import numpy as np
import torch

from audiostyle.config import TransferConfig
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.losses import content_loss, loss_units, style_loss
from audiostyle.measures.content import chroma_similarity, onset_f_measure, pitch_agreement, tempo_ratio
from audiostyle.measures.copies import copied_from
from audiostyle.measures.fresh import fresh_encoder
from audiostyle.measures.texture import texture_distance
from audiostyle.measures.timbre import mfcc_distance, mfcc_frechet_distance
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.sound.audio import fix_length, set_level
from audiostyle.spectrogram import log_magnitude

JUDGES = ("limit", "fresh")


class Measure(NamedTuple):
    """What a column of `evaluate_sound` means.

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


def sound_numbers(
    y: np.ndarray, content: np.ndarray, style: np.ndarray, config: TransferConfig
) -> dict[str, float]:
    """Put numbers to a sound.

    Parameters
    ----------
    y, content, style : np.ndarray [shape=(n_samples,)]
        The result at the level of the computation, and the clips at any level.
    config : TransferConfig
        Gives level and STFT.

    Returns
    -------
    dict
        ``style_share_limit``: style loss of the sound over that of the content (`judge_losses`),
        whatever the encoder of `config`; 1 is the content, 0 the style. ``chroma_similarity`` to the content and
        ``mfcc_distance`` to the style as in `audiostyle.measures.table`.
    """
    judged = judge_losses(y, content, style, config=config)
    return {
        "style_share_limit": judged["style_share_limit"],
        "chroma_similarity": chroma_similarity(y, content, config.sr),
        "mfcc_distance": mfcc_distance(y, style, config.sr),
    }
