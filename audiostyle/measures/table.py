"""Objective measures of a transfer, none of which needs trained weights, and tables of them beside reference points."""

from typing import NamedTuple

import joblib
import librosa
import numpy as np
import pandas as pd
import torch

from audiostyle.baselines.equaliser import equaliser
from audiostyle.config import TransferConfig
from audiostyle.encoders.infinite import InfiniteEncoder
from audiostyle.encoders.random import RandomEncoder
from audiostyle.losses import content_loss, loss_units, style_loss
from audiostyle.measures.content import chroma_similarity, onset_f_measure
from audiostyle.measures.timbre import mfcc_frechet_distance, style_distance
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.sound.levels import SILENCE_RMS, rms, set_level
from audiostyle.sound.samples import of_length
from audiostyle.spectrogram import log_magnitude
from audiostyle.transfer import TransferResult

COPY_CONTENT, COPY_STYLE, EQUALISER = "copy the content", "copy the style", "equaliser"
MATCHED = "matched timbre"
_PHASES = {"griffin_lim": "Griffin-Lim", "polish": "polish"}
# Far from every seed that an optimisation uses.
_FRESH_SEED = 10_000
# The references of a pair are the same beside every method.
_MEASURED: dict[str, dict[str, float]] = {}
# What a measure must say where the answer is known (tests/measures/test_controls.py): "self", the content has the best
# value; "filter", the equaliser at least .95; "chance", a copy of the style no more than unrelated sounds; "style", it
# has the best; "gain", 6 dB change nothing; "gap", half a second of silence in the middle is seen.
_CONTENT, _STYLE = ("self", "filter", "chance", "gain", "gap"), ("style", "gain")


class Measure(NamedTuple):
    """What a column of `evaluate_sound` means, and the controls that it passes."""

    name: str
    compares: str
    unit: str
    range: str
    better: str
    source: str
    controls: tuple[str, ...]


# fmt: off
MEASURES = (
    Measure("style_distance", "style", "1 − cosine", "0 to 1", "lower", "Gram matrices by the cosine", _STYLE),
    Measure("style_share_limit", "style", "1 (content = 1)", "≥ 0", "lower", "eq. 6, the limit", ("style",)),
    Measure("mfcc_frechet", "style", "MFCC (dB-like)", "≥ 0", "lower", "Dowson & Landau 1982, on MFCCs", _STYLE),
    Measure("content_share_limit", "content", "1 (E = 1)", "≥ 0", "lower", "eq. 1, the limit", ("self", "gap")),
    Measure("chroma_similarity", "content", "cosine", "−1 to 1", "higher", "chroma of spectral peaks", _CONTENT),
    Measure("onset_f", "content", "F-measure", "0 to 1", "higher", "rises of mel bands", _CONTENT),
    Measure("haze_db", "content", "dB", "≥ 0", "lower", "lift of what is soft in the content", ("self", "gain")),
    Measure("dropout", "content", "share of frames", "0 to 1", "lower", "18 dB under", ("self", "gain", "gap")),
    Measure("target_distance_db", "target", "dB", "≥ 0", "lower", "log-spectral distance", ("gain", "gap")),
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
    with best. `judge` is the ``"limit"`` of infinitely many filters of 11 frames, or ``"fresh"``, `fresh_encoder` with
    `n_filters`; the other arguments are those of `evaluate_sound`.

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
) -> dict[str, float]:
    """Compute every measure of `MEASURES`.

    `y` [shape=(n_samples,)] is at the level of the computation (`TransferResult.y_computed`), the clips it was made
    from at any; `config` gives sample rate, level and STFT. Without a target ``target_distance_db`` is NaN.
    """
    config = config or TransferConfig()
    y, sr = of_length(np.asarray(y, dtype=np.float32), len(content)), config.sr
    judged = judge_losses(y, content, style, config=config)
    return {
        "style_distance": style_distance(y, style, sr),
        "style_share_limit": judged["style_share_limit"],
        "mfcc_frechet": mfcc_frechet_distance(y, style, sr),
        "content_share_limit": judged["content_share_limit"],
        "chroma_similarity": chroma_similarity(y, content, sr),
        "onset_f": onset_f_measure(y, content, sr),
        **artefacts(y, content, sr),
        "target_distance_db": float("nan") if target is None else log_spectral_distance(y, target, sr),
    }


def artefacts(y: np.ndarray, content: np.ndarray, sr: int) -> dict[str, float]:
    """Compute what a filter that changes too fast does to a content of the same length.

    Returns
    -------
    dict of str to float
        ``haze_db``: the mean lift of cells (80 mel bands, 23 ms) that are soft in the content, at most 6 dB over their
        band's 10th percentile and 40 dB or more under the loudest. ``dropout``: the share of frames within 20 dB of
        the content's loudest that come out 18 dB or more under it. Both at equal median gain over those frames.
    """
    C, Y = (
        librosa.feature.melspectrogram(y=x, sr=sr, n_fft=2048, hop_length=512, n_mels=80)
        for x in (content, y)
    )
    soft = np.minimum(10**0.6 * np.quantile(C, 0.1, axis=1, keepdims=True), 1e-4 * C.max()) >= C
    (C, c), (Y, own) = ([10 * np.log10(x + 1e-10 * X.max()) for x in (X, X.sum(axis=0))] for X in (C, Y))
    loud = c > c.max() - 20
    gain = (own - c)[loud]
    lift = np.maximum(Y - C - np.median(gain), 0)[soft]
    haze = float(lift.mean()) if soft.any() else 0.0
    return {"haze_db": haze, "dropout": float((gain - np.median(gain) <= -18).mean())}


def sound_numbers(
    y: np.ndarray, content: np.ndarray, style: np.ndarray, config: TransferConfig
) -> dict[str, float]:
    """Compute the three measures of `evaluate_sound` that are quick enough to stand beside every result."""
    judged = judge_losses(y, content, style, config=config)
    return {
        "style_share_limit": judged["style_share_limit"],
        "chroma_similarity": chroma_similarity(y, content, config.sr),
        "style_distance": style_distance(y, style, config.sr),
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
        COPY_STYLE: of_length(set_level(style, config.level), len(content)),
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
        ``method``; losses and shares of `judge_losses` under the fresh bank, the columns of `evaluate_sound`, and
        ``style_floor``, the `style_distance` between two halves of the style. Of the result alone
        ``style_share_optimised``, the style's share for the magnitudes under the encoder that was optimised,
        ``balance``, ``seed`` and ``seconds``.
    """
    config = result.config
    sounds = references_and_result(content, style, result)
    clips = sounds[COPY_CONTENT], sounds[COPY_STYLE], target
    table = pd.DataFrame(
        {"method": method, **_measured(y, *clips, config, n_fresh)} for method, y in sounds.items()
    )
    halves = np.array_split(set_level(style), 2)
    heard = min(map(rms, halves)) >= SILENCE_RMS
    table["style_floor"] = style_distance(*halves, config.sr) if heard else np.nan
    own = table["method"] == method_name(config)
    table.loc[own, "style_share_optimised"] = (
        result.optimum.value.style / result.optimum.loss.style_unit if result.optimum else np.nan
    )
    table.loc[own, ["balance", "seed"]] = config.balance, config.seed
    table.loc[own, "seconds"] = result.seconds
    return table


def _measured(y, content, style, target, config: TransferConfig, n_fresh: int) -> dict[str, float]:
    """Return the numbers of one sound; those of one that was measured before are remembered."""
    judged_by = config.sr, config.level, config.n_fft, config.hop_length, config.device, n_fresh
    key = joblib.hash((y, content, style, target, judged_by))
    if key not in _MEASURED:
        _MEASURED[key] = {
            **judge_losses(y, content, style, judge="fresh", n_filters=n_fresh, config=config),
            **evaluate_sound(y, content, style, config=config, target=target),
        }
    return _MEASURED[key]
