"""Objective measures of a transfer, none of which needs trained weights, and tables of them beside reference points."""

from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from librosa.util import fix_length

from audiostyle.baselines.equaliser import equaliser
from audiostyle.config import TransferConfig
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import content_loss, loss_units, style_loss
from audiostyle.measures.content import chroma_similarity, onset_f_measure, pitch_agreement, tempo_ratio
from audiostyle.measures.timbre import copied_from, mfcc_distance, mfcc_frechet_distance, texture_distance
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.sound.levels import set_level
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import TransferResult

COPY_CONTENT, COPY_STYLE, EQUALISER = "copy the content", "copy the style", "equaliser"
MATCHED = "matched timbre"
_PHASES = {"griffin_lim": "Griffin-Lim", "polish": "polish"}
# Far from every seed that an optimisation uses.
_FRESH_SEED = 10_000
# The references of a pair are the same beside every method.
_MEASURED: dict[str, dict[str, float]] = {}


class Measure(NamedTuple):
    """What a column of `evaluate_sound` means."""

    name: str
    compares: str
    unit: str
    range: str
    better: str
    source: str


# fmt: off
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
    Measure("spectral_convergence_db", "own magnitudes", "dB", "≤ 0 as a rule", "lower", "Sturmel & Daudet 2011"),
    Measure("copied_from_style", "style", "correlation", "0 to 1", "lower", "normalised cross-correlation, 1 s"),
    Measure("target_distance_db", "target", "dB", "≥ 0", "lower", "log-spectral distance, 80 mel bands"),
)
# fmt: on


def fresh_encoder(n_filters: int = 4096, *, device: str | torch.device = "cpu") -> RandomEncoder:
    """Return the layer of the preset ``paper``, 11 frames and ReLU, with random filters that no optimisation uses."""
    return RandomEncoder(n_filters, seed=_FRESH_SEED, device=device)


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
    with best; this is what a sound keeps of either, whatever the transfer's kernel and activation were.

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
    if judge not in ("limit", "fresh"):
        raise ValueError(f"judge={judge!r} is not allowed; it must be one of limit, fresh")
    config = config or TransferConfig()
    device = config.device
    encoder = InfiniteEncoder(device=device) if judge == "limit" else fresh_encoder(n_filters, device=device)
    X, C, A = (
        log_magnitude(torch.as_tensor(clip, device=device), n_fft=config.n_fft, hop_length=config.hop_length)
        for clip in (np.float32(y), set_level(content, config.level), set_level(style, config.level))
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
    y, sr = fix_length(np.asarray(y, dtype=np.float32), size=len(content)), config.sr
    judged = judge_losses(y, content, style, config=config)
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
    """Compute the three measures of `evaluate_sound` that are quick enough to stand beside every result."""
    judged = judge_losses(y, content, style, config=config)
    return {
        "style_share_limit": judged["style_share_limit"],
        "chroma_similarity": chroma_similarity(y, content, config.sr),
        "mfcc_distance": mfcc_distance(y, style, config.sr),
    }


def method_name(config: TransferConfig) -> str:
    """Return what a table calls the method of a configuration: the encoder and what made the sound."""
    if config.method == "matched":
        return MATCHED
    encoder = "infinite" if config.encoder == "infinite" else f"{config.n_filters} filters"
    return f"{encoder}, {_PHASES[config.phase]}"


def references_and_result(content: np.ndarray, style: np.ndarray, result: TransferResult) -> dict:
    """Return the copies, the equaliser and the result at the level of the computation, by method."""
    config = result.config
    return {
        COPY_CONTENT: set_level(content, config.level),
        COPY_STYLE: fix_length(set_level(style, config.level), size=len(content)),
        EQUALISER: set_level(equaliser(content, style), config.level),
        method_name(config): result.y_computed,
    }


def score(
    result: TransferResult,
    content: np.ndarray,
    style: np.ndarray,
    target: np.ndarray | None = None,
    *,
    n_fresh: int = 4096,
) -> pd.DataFrame:
    """Score a transfer beside "copy the content", "copy the style" and one fixed filter, the equaliser.

    Every number but ``style_share_optimised`` is of the final sound. `n_fresh` is the size of the bank of filters,
    never optimised, under which the losses are measured.

    Returns
    -------
    pd.DataFrame
        ``method``; losses and shares of `judge_losses` under the fresh bank; ``chroma_similarity``, ``onset_f`` and
        ``pitch_agreement`` to the content; ``mfcc_distance`` and ``mfcc_frechet`` to the style;
        ``target_distance_db`` where the target is known. Of the result alone: ``style_share_optimised``, the style's
        share for the magnitudes under the encoder that was optimised, ``spectral_convergence_db``, ``phase``,
        ``balance``, ``seed`` and ``seconds``.
    """
    config = result.config
    sounds = references_and_result(content, style, result)
    clips = sounds[COPY_CONTENT], sounds[COPY_STYLE], target
    table = pd.DataFrame(
        {"method": method, **_measured(y, *clips, config, n_fresh)} for method, y in sounds.items()
    )
    own = table["method"] == method_name(config)
    optimised = len(result.convergence) > 0  # a filtered content needs no phase
    table.loc[own, "style_share_optimised"] = (
        float(result.losses["style"].iloc[-1] / result.style_unit) if optimised else np.nan
    )
    table["spectral_convergence_db"], table["phase"] = np.nan, None
    if optimised:
        table.loc[own, "spectral_convergence_db"] = float(result.convergence[-1])
        table.loc[own, "phase"] = config.phase
    table.loc[own, ["balance", "seed"]] = config.balance, config.seed
    table.loc[own, "seconds"] = sum(result.seconds.values())
    return table


def _measured(y, content, style, target, config: TransferConfig, n_fresh: int) -> dict[str, float]:
    """Return the numbers of one sound; those of one that was measured before are remembered."""
    judged_by = config.sr, config.level, config.n_fft, config.hop_length, config.device, n_fresh
    key = joblib.hash((y, content, style, target, judged_by))
    if key not in _MEASURED:
        _MEASURED[key] = {
            **judge_losses(y, content, style, judge="fresh", n_filters=n_fresh, config=config),
            "chroma_similarity": chroma_similarity(y, content, config.sr),
            "onset_f": onset_f_measure(y, content, config.sr),
            "pitch_agreement": pitch_agreement(y, content, config.sr),
            "mfcc_distance": mfcc_distance(y, style, config.sr),
            "mfcc_frechet": mfcc_frechet_distance(y, style, config.sr),
            "target_distance_db": np.nan if target is None else log_spectral_distance(y, target, config.sr),
        }
    return _MEASURED[key]
