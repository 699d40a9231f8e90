"""Style transfer, one clip's content and another's style: prepare, optimise, make the sound, set its level."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import librosa
import numpy as np
import pandas as pd
import torch
from tqdm.std import tqdm

from audiostyle.config import TransferConfig, check_allowed
from audiostyle.encoders import make_encoder
from audiostyle.encoders.base import Encoder, Spectrogram
from audiostyle.losses import Evaluation, TransferLoss, check_memory
from audiostyle.matching import SEMITONES, Filter, match_timbre, transposed
from audiostyle.matching.own import as_it_came, strength_of
from audiostyle.optimize import Optimum, minimize
from audiostyle.phase.griffin_lim import FAST_ITER, FAST_MOMENTUM, griffin_lim, phase_of, spectral_convergence
from audiostyle.phase.polish import WaveformLoss, polish
from audiostyle.sound.audio import check_waveform, fix_length, set_level
from audiostyle.sound.channels import mid_signal
from audiostyle.sound.levels import match_loudness, without_offset
from audiostyle.spectrogram import as_tensor, log_magnitude, stft

# Transpositions of the style with at least this share of the most used one's weight take part in the texture.
_USED = 0.3
# What `optimise` starts from.
STARTS = ("content", "noise")
Callback = Callable[[int, dict, torch.Tensor], bool]


@dataclass(frozen=True)
class TransferResult:
    """What a transfer returns.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]
        The result, with the content's channels and length, at its loudness and with no peak above −1 dBFS
        (`audiostyle.sound.levels.match_loudness`). Mono where the configuration does not keep the content
        (`TransferConfig.keeps_content`).
    sr : int
        Its sample rate in Hz: the content's, or that of the configuration where y is mono.
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        The optimised linear magnitudes, at the level of the configuration, before any phase was found; those of the
        sound where the content was filtered alone.
    losses : pd.DataFrame
        Columns ``iteration, content, style, total``; row 0 is the start. Empty where the content was filtered alone.
    config : TransferConfig
        The settings.
    convergence : np.ndarray [shape=(n,)]
        Spectral convergence in dB after 0, 1, ... Griffin-Lim iterations; with ``phase="polish"`` the last entry
        is that of the polished sound, which gives up these magnitudes for the loss. Empty for a filtered sound.
    content_unit, style_unit : float
        E and s0 of the balance (`audiostyle.losses.TransferLoss`): divide the two losses by them to compare pairs.
        After a matched timbre they are of what the optimisation held on to, the matched sound; NaN for a filter.
    n_evaluations : int
        Evaluations of the loss.
    reason : str
        Why the optimiser stopped; ``"callback"`` also if the callback ended the polish, ``"matched"`` where the
        content was filtered alone.
    seconds : dict
        Wall time of ``match``, ``optimize`` and ``phase``.
    polish_losses : pd.DataFrame or None
        As `losses`, of the sound during the polish; None where there is none.
    gain : float
        Factor from the level of the computation to that of `y`, before single peaks were limited.
    level_note : str
        What was done to the level, and to rate and channels where they are not the content's, in sentences.
    """

    y: np.ndarray
    sr: int
    S: np.ndarray
    losses: pd.DataFrame
    config: TransferConfig
    convergence: np.ndarray
    content_unit: float
    style_unit: float
    n_evaluations: int
    reason: str
    seconds: dict = field(default_factory=dict)
    polish_losses: pd.DataFrame | None = None
    gain: float = 1.0
    level_note: str = ""

    @property
    def y_computed(self) -> np.ndarray:
        """The sound at the level of the computation, at which its losses mean something [shape=as y].

        ``log1p`` is not homogeneous: 3 dB more or less can double the style loss of one and the same sound.
        """
        return (self.y / self.gain).astype(np.float32)

    @property
    def n_iter(self) -> int:
        """Iterations of the optimiser that were made, those of the polish apart; 0 where the content was filtered."""
        return max(len(self.losses) - 1, 0)

    @property
    def style_removed(self) -> float:
        """Share of `style_unit` that is gone, 0 to 1.

        Of the sound; with ``phase="griffin_lim"`` of the magnitudes, before a phase was found. NaN for a filter.
        """
        if self.losses.empty:
            return float("nan")
        last = (self.losses if self.polish_losses is None else self.polish_losses).iloc[-1]
        return max(0.0, 1 - last["style"] / self.style_unit)


def transfer_style(
    content: np.ndarray,
    style: np.ndarray,
    sr: int = 22050,
    config: TransferConfig | None = None,
    *,
    progress: bool = True,
    callback: Callback | None = None,
) -> TransferResult:
    """Give the content the style of another clip.

    With ``method="matched"``, the default, the content is filtered to the matched timbre (`audiostyle.matching`). A
    balance above 0.5 goes on to minimise ``(1 − b)² L_content / E + b² L_style / s0`` with b = 2 · balance − 1
    (`audiostyle.losses.TransferLoss`) from there, holding on to the matched sound, against the style at the pitches
    that were matched. ``method="gram"`` minimises it with b = balance from the content, as the paper does. What is
    found are non-negative magnitudes, made sound as ``config.phase`` says.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        Waveforms, of any lengths that hold one patch. What is found is found on the mean of their channels, at
        ``config.sr``, and applied to every channel of the content at its own rate (`audiostyle.matching.own`).
    sr : int > 0
        Their sample rate in Hz.
    config : TransferConfig or None
        Settings; None takes the defaults.
    progress : bool
        Show a progress bar with both losses on standard error.
    callback : callable or None
        ``callback(iteration, losses, S) -> bool`` after every iteration, with ``losses`` a dict of content,
        style and total, and S the magnitudes as a tensor; those of the polish go on counting. True stops and
        keeps the best so far.

    Returns
    -------
    TransferResult

    Raises
    ------
    ValueError
        If a clip is silent, not finite, of another shape or shorter than one patch.
    RuntimeError
        If the loss becomes non-finite; the message names the iteration.
    MemoryError
        If an optimisation would need more memory than is free (`audiostyle.losses.check_memory`).

    Notes
    -----
    Computes with the threads that torch has and leaves their number alone, which is the whole process's. Below some
    10 s of sound one thread is as fast as two, and steadier beside other work: ``torch.set_num_threads(1)``.

    Notebook: 03_transfer_one_pair.ipynb

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(2, 22050)).astype(np.float32)
    >>> quick = TransferConfig.paper(n_filters=16, n_iter=3)
    >>> transfer_style(noise[0], noise[1], config=quick, progress=False).y.shape
    (22050,)
    """
    config = config or TransferConfig()
    given, like = (
        check_waveform(y, name=name, mono=False) for y, name in ((content, "content"), (style, "style"))
    )
    like = without_offset(like)
    if config.balance > 0:  # else the content stays as it is
        given = without_offset(given)
    mid = mid_signal(given)
    content, style = (
        _prepare(y, name, sr, config) for y, name in ((mid.y, "content"), (mid_signal(like).y, "style"))
    )
    started = time.perf_counter()
    with tqdm(desc="transfer", disable=not progress) as bar:
        search = _Stage("transfer", config.n_iter, config, bar, callback)
        matched = _match(content, style, config) if config.method == "matched" else None
        held = content if matched is None else matched.y
        timed = time.perf_counter()
        if matched is not None and matched.balance == 0:
            y, convergence, polished = set_level(held, config.level), np.empty(0), None
            optimum, optimised = None, time.perf_counter()
            S = _magnitudes(as_tensor(y), config).numpy()
        else:
            within = config
            if matched is not None:
                within, style = replace(config, method="gram", balance=matched.balance), matched.style
            check_memory(within, len(held), len(style))  # at several pitches the style is longer
            optimum = optimise(held, style, within, callback=search)
            S, optimised = optimum.S, time.perf_counter()
            polish = _Stage("polish", 80, config, bar, callback, seen=len(search.rows) - 1)
            y, convergence, polished = make_sound(optimum, held, within, callback=polish)
        bar.total = bar.n
        bar.set_description("done")
    rate, note = config.sr, mid.note
    if given.ndim == 1 and sr == rate:
        given = content
    elif config.keeps_content:
        found, changed = matched and matched.filter, None if config.filters else (held, y)
        y, rate = as_it_came(given, sr, config, style=like, found=found, changed=changed), sr
    else:
        given, note = content, f"It was made mono at {rate} Hz: its phase was found anew. {note}"
    levelled = match_loudness(y, given, rate)
    stopped = polished is not None and polished.reason == "callback"
    return TransferResult(
        y=levelled.y,
        sr=rate,
        S=S,
        losses=pd.DataFrame(search.rows, columns=["iteration", "content", "style", "total"]),
        config=config,
        convergence=convergence,
        content_unit=optimum.loss.content_unit if optimum else float("nan"),
        style_unit=optimum.loss.style_unit if optimum else float("nan"),
        n_evaluations=optimum.n_evaluations if optimum else 0,
        reason="callback" if stopped else optimum.reason if optimum else "matched",
        seconds={
            "match": timed - started,
            "optimize": optimised - timed,
            "phase": time.perf_counter() - optimised,
        },
        polish_losses=pd.DataFrame(polish.rows) if polished else None,
        gain=levelled.gain,
        level_note=f"{levelled.note} {note}".strip(),
    )


class _Matched(NamedTuple):
    """The content with the matched timbre, the style at the pitches it was used at, the balance that is left."""

    y: np.ndarray
    style: np.ndarray
    balance: float
    filter: Filter


def _match(content: np.ndarray, style: np.ndarray, config: TransferConfig) -> _Matched:
    match = match_timbre(content, style, sr=config.sr, device=config.device)
    y, balance = match.y, 2 * config.balance - 1
    if balance <= 0:
        y = match.filter.apply(content, config.sr, strength=strength_of(config))
        return _Matched(y, style, 0.0, match.filter)
    most = match.semitones.max()
    used = [s for s, share in zip(SEMITONES, match.semitones, strict=True) if share > _USED * most]
    pitches = np.concatenate([transposed(style, s, sr=config.sr) for s in used])
    return _Matched(y, pitches, balance, match.filter)


def optimise(
    content: np.ndarray | Spectrogram,
    style: np.ndarray | Spectrogram,
    config: TransferConfig,
    *,
    encoder: Encoder | None = None,
    units: tuple[float, float] | None = None,
    extra: Callable[[torch.Tensor], tuple[float, torch.Tensor]] | None = None,
    start: str = "content",
    samples: bool = False,
    tolerance: float = 1e-6,
    callback: Callable | None = None,
) -> Optimum:
    """Minimise the objective of a transfer, `audiostyle.losses.TransferLoss`.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)], or array or tensor [shape=(n_bins, n_frames)]
        Waveforms at ``config.sr``, which are brought to ``config.level``; or log magnitudes as they are.
    config : TransferConfig
    encoder : Encoder or None
        None takes that of the configuration.
    units, extra
        As for `audiostyle.losses.TransferLoss`.
    start : {"content", "noise"}
        Where to begin: with the content as the paper does, or with noise of its mean or level from ``config.seed``.
    samples : bool
        Optimise the samples of the sound instead of magnitudes; ``x`` is the sound [shape=(n_samples,)].
    tolerance, callback
        As for `audiostyle.optimize.minimize`.

    Returns
    -------
    Optimum
        Its ``x`` are log magnitudes [shape=(n_bins, n_frames)].

    Raises
    ------
    ValueError
        If a clip is silent or shorter than one patch.
    RuntimeError
        If the loss becomes non-finite.

    Notebook: 03_transfer_one_pair.ipynb
    """
    check_allowed(start in STARTS, "start", start, f"one of {', '.join(STARTS)}")
    C, A = (_log_magnitude(y, name, config) for y, name in ((content, "content"), (style, "style")))
    loss = TransferLoss(
        encoder or make_encoder(config), C, A, balance=config.balance, units=units, extra=extra
    )
    limits = {"n_iter": config.n_iter, "tolerance": tolerance, "callback": callback}
    if samples:
        y = content if start == "content" else np.random.default_rng(config.seed).normal(size=len(content))
        y = as_tensor(set_level(check_waveform(y), config.level), device=config.device)
        return minimize(
            WaveformLoss(loss, n_fft=config.n_fft, hop_length=config.hop_length), y, lower=None, **limits
        )
    return minimize(loss, noise_like(C, config.seed) if start == "noise" else C, **limits)


def noise_like(log_S: torch.Tensor, seed: int) -> torch.Tensor:
    """Return uniform noise with the mean of log magnitudes [shape=(n_bins, n_frames)]."""
    noise = torch.rand(log_S.shape, generator=torch.Generator().manual_seed(seed))
    return noise.to(log_S) * 2 * log_S.mean()


def make_sound(
    optimum: Optimum,
    content: np.ndarray,
    config: TransferConfig,
    callback: Callable | None = None,
) -> tuple[np.ndarray, np.ndarray, Optimum | None]:
    """Make the sound of an optimum as ``config.phase`` says; samples are a sound already.

    Parameters
    ----------
    optimum : Optimum
        What `optimise` found for the same configuration.
    content : np.ndarray [shape=(n_samples,)]
        The content's waveform: the polish starts from its phase, and the sound has its length.
    config : TransferConfig
    callback : callable or None
        As for `audiostyle.optimize.minimize`, of the polish.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
        At the level of the computation.
    convergence : np.ndarray [shape=(n,)]
        As in `TransferResult`.
    polished : Optimum or None
        Of the polish, if there was one.

    Notebook: 03_transfer_one_pair.ipynb
    """
    if optimum.x.ndim == 1:
        return optimum.x.cpu().numpy(), np.empty(0), None
    frames = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    shared = {"hop_length": config.hop_length, "length": len(content), "device": config.device}
    S = optimum.S
    if config.phase == "griffin_lim":
        return *griffin_lim(S, seed=config.seed, return_convergence=True, **shared), None
    fast = {"n_iter": FAST_ITER, "momentum": FAST_MOMENTUM, "init": phase_of(content, **frames)}
    y, convergence = griffin_lim(S, return_convergence=True, **fast, **shared)
    # Who stops the optimiser wants the sound now.
    limit = {"n_iter": 0} if optimum.reason == "callback" else {}
    polished = polish(
        optimum.loss, torch.as_tensor(y, device=config.device), callback=callback, **limit, **frames
    )
    y = polished.x.cpu().numpy()
    last = spectral_convergence(S, y, hop_length=config.hop_length)
    return y, np.append(convergence, last), polished


def _prepare(y: np.ndarray, name: str, sr: int, config: TransferConfig) -> np.ndarray:
    """Return a clip as a waveform at the configuration's sample rate that holds one patch."""
    y = check_waveform(y, name=name)
    if sr != config.sr:
        y = fix_length(librosa.resample(y, orig_sr=sr, target_sr=config.sr), round(len(y) * config.sr / sr))
    if len(y) < config.min_duration * config.sr:
        raise ValueError(
            f"{name} lasts {len(y) / config.sr:.3f} s, less than one patch of kernel_size={config.kernel_size} "
            f"frames ({config.min_duration:.3f} s); use a longer clip or a smaller kernel_size"
        )
    return y


def _log_magnitude(y: np.ndarray | Spectrogram, name: str, config: TransferConfig) -> torch.Tensor:
    """Return the log magnitudes of a waveform at the configuration's level; log magnitudes stay what they are."""
    if y.ndim == 2:
        return as_tensor(y, device=config.device)
    levelled = as_tensor(
        set_level(check_waveform(y, name=name), config.level, name=name), device=config.device
    )
    return log_magnitude(levelled, n_fft=config.n_fft, hop_length=config.hop_length)


def _magnitudes(x: torch.Tensor, config: TransferConfig) -> torch.Tensor:
    """Return the linear magnitudes of log magnitudes [2 axes] or of samples [1 axis]."""
    if x.ndim == 1:
        return stft(x, n_fft=config.n_fft, hop_length=config.hop_length).abs()
    return torch.expm1(x)


class _Stage:
    """Callback of an optimiser: keeps the losses, moves the progress bar, asks the user's callback.

    `seen` is the last iteration that the user's callback saw; this stage goes on counting from there.
    """

    def __init__(
        self,
        name: str,
        n_iter: int,
        config: TransferConfig,
        bar: tqdm,
        callback: Callback | None,
        seen: int = -1,
    ) -> None:
        self.name, self.n_iter, self.config = name, n_iter, config
        self.bar, self.callback, self.seen = bar, callback, seen
        self.rows: list[dict] = []

    def __call__(self, iteration: int, value: Evaluation, x: torch.Tensor) -> bool:
        if iteration == 0:
            self.bar.total = self.bar.n + self.n_iter
            self.bar.set_description(self.name)
        losses = {name: getattr(value, name) for name in ("content", "style", "total")}
        self.rows.append({"iteration": iteration, **losses})
        iteration += max(self.seen, 0)
        self.bar.update(iteration - self.bar.n)
        self.bar.set_postfix(content=f"{losses['content']:.3g}", style=f"{losses['style']:.3g}")
        if self.callback is None or iteration <= self.seen:
            return False
        return bool(self.callback(iteration, losses, _magnitudes(x, self.config)))
