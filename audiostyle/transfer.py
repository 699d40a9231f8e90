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

from audiostyle.config import TransferConfig
from audiostyle.cost import check_memory
from audiostyle.encoders.base import Encoder, Spectrogram
from audiostyle.losses import Evaluation, TransferLoss
from audiostyle.matching import SEMITONES, Filter, match_timbre, transposed
from audiostyle.matching.own import as_it_came, strength_of
from audiostyle.neighbours.objective import make_loss, noise_like
from audiostyle.optimize import Minimum, Step, minimize, minimize_to_share
from audiostyle.phase.griffin_lim import FAST_ITER, FAST_MOMENTUM, griffin_lim, phase_of, spectral_convergence
from audiostyle.phase.polish import WaveformLoss, polish
from audiostyle.sound.audio import check_waveform, fix_length, set_level
from audiostyle.sound.channels import mid_signal
from audiostyle.sound.levels import match_loudness, without_offset
from audiostyle.spectrogram import as_tensor, log_magnitude, stft

# Transpositions of the style with at least this share of the most used one's weight take part in the texture.
_USED = 0.3
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
        The optimised linear magnitudes, at the level of the configuration, before any phase was found; with
        ``unknowns="samples"`` those of the sound itself.
    losses : pd.DataFrame
        Columns ``iteration, content, style, total``; row 0 is the start. With ``match`` the weights in the total
        change from round to round. Where the content was filtered alone, row 0 is the content and row 1 the
        filtered sound.
    config : TransferConfig
        The settings.
    convergence : np.ndarray [shape=(n,)]
        Spectral convergence in dB after 0, 1, ... Griffin-Lim iterations; with ``phase="polish"`` the last entry
        is that of the polished sound, which gives up these magnitudes for the loss. Empty with ``unknowns="samples"``.
    content_unit, style_unit : float
        E and s0 of the balance (`audiostyle.losses.TransferLoss`): divide the two losses by them to compare pairs.
        After a matched timbre they are of what the optimisation held on to, the matched sound.
    balance : float
        The balance of the result: that of the configuration, or what ``match`` found.
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
    balance: float
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
        return 0 if self.reason == "matched" else len(self.losses) - 1

    @property
    def style_removed(self) -> float:
        """Share of `style_unit` that is gone, 0 to 1.

        Of the sound; with ``phase="griffin_lim"`` of the magnitudes, before a phase was found.
        """
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

    With ``start="matched"``, the default, the content is filtered to the matched timbre (`audiostyle.matching`). A
    balance above 0.5 goes on to minimise ``(1 − b)² L_content / E + b² L_style / s0`` with b = 2 · balance − 1
    (`audiostyle.losses.TransferLoss`) from there, holding on to the matched sound, against the style at the pitches
    that were matched. The other starts minimise it with b = balance from the content or from noise, as the paper
    does. What is found are non-negative magnitudes, made sound as ``config.phase`` says, or the samples themselves.

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
        If it would need more memory than is free (`audiostyle.cost`).

    Notes
    -----
    Computes with the threads that torch has and leaves their number alone, which is the whole process's. Below some
    10 s of sound one thread is as fast as two, and steadier beside other work: ``torch.set_num_threads(1)``.

    Notebook: 03_transfer_one_pair.ipynb

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(2, 22050)).astype(np.float32)
    >>> quick = TransferConfig(n_filters=16, n_iter=3, griffin_lim_iter=3)
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
    check_memory(config, len(content), len(style))
    started = time.perf_counter()
    with tqdm(desc="transfer", disable=not progress) as bar:
        search = _Stage("transfer", config.n_iter, config, bar, callback)
        matched = _match(content, style, config) if config.start == "matched" else None
        held = content if matched is None else matched.y
        timed = time.perf_counter()
        if matched is not None and matched.balance == 0:
            optimum = _judged(content, style, held, config, search)
            sound = Sound(set_level(held, config.level), np.empty(0))
            optimised = time.perf_counter()
        else:
            within = config
            if matched is not None:
                within, style = replace(config, start="content", balance=matched.balance), matched.style
                check_memory(within, len(held), len(style))  # at several pitches the style is longer
            optimum = optimise(held, style, within, callback=search)
            optimised = time.perf_counter()
            polish = _Stage("polish", config.polish_iter, config, bar, callback, seen=len(search.rows) - 1)
            sound = make_sound(optimum, held, within, callback=polish)
        bar.total = bar.n
        bar.set_description("done")
    y, rate, note = sound.y, config.sr, mid.note
    if given.ndim == 1 and sr == rate:
        given = content
    elif config.keeps_content:
        found, changed = matched and matched.filter, None if config.filters else (held, sound.y)
        y, rate = as_it_came(given, sr, config, style=like, found=found, changed=changed), sr
    else:
        given, note = content, f"It was made mono at {rate} Hz: its phase was found anew. {note}"
    levelled = match_loudness(y, given, rate)
    stopped = sound.polish is not None and sound.polish.reason == "callback"
    return TransferResult(
        y=levelled.y,
        sr=rate,
        S=optimum.S,
        losses=pd.DataFrame(search.rows),
        config=config,
        convergence=sound.convergence,
        content_unit=optimum.loss.content_unit,
        style_unit=optimum.loss.style_unit,
        balance=config.balance if matched is not None else optimum.loss.balance,
        n_evaluations=optimum.minimum.n_evaluations,
        reason="callback" if stopped else optimum.minimum.reason,
        seconds={
            "match": timed - started,
            "optimize": optimised - timed,
            "phase": time.perf_counter() - optimised,
        },
        polish_losses=pd.DataFrame(polish.rows) if sound.polish else None,
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
    match = match_timbre(content, style, sr=config.sr, kind=config.kind, device=config.device)
    y, balance = match.y, 2 * config.balance - 1
    if balance <= 0:
        y = match.filter.apply(content, config.sr, strength=strength_of(config))
        return _Matched(y, style, 0.0, match.filter)
    most = match.semitones.max()
    used = [s for s, share in zip(SEMITONES, match.semitones, strict=True) if share > _USED * most]
    pitches = np.concatenate([transposed(style, s, sr=config.sr) for s in used])
    return _Matched(y, pitches, balance, match.filter)


def _judged(content, style, y, config: TransferConfig, search: "_Stage") -> "Optimum":
    """Record the losses of the content and of a sound that no optimisation follows."""
    C, A, X = (
        _log_magnitude(x, name, config) for x, name in ((content, "content"), (style, "style"), (y, "y"))
    )
    loss = make_loss(config, C, A)
    before = Evaluation(0.0, loss.style_unit, loss.style_weight * loss.style_unit, torch.zeros_like(C))
    search(Step(0, before, C))
    after = loss(X)
    search(Step(1, after, X))
    return Optimum(Minimum(X, after.total, 0, 1, "matched"), loss, _magnitudes(X, config).cpu().numpy())


@dataclass(frozen=True)
class Optimum:
    """What `optimise` found.

    Parameters
    ----------
    minimum : audiostyle.optimize.Minimum
        Its ``x`` are log magnitudes [shape=(n_bins, n_frames)], or the samples [shape=(n_samples,)].
    loss : TransferLoss
        The objective on log magnitudes, at the balance that was given or found.
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        Linear magnitudes.
    """

    minimum: Minimum
    loss: TransferLoss
    S: np.ndarray


def optimise(
    content: np.ndarray | Spectrogram,
    style: np.ndarray | Spectrogram,
    config: TransferConfig,
    *,
    encoder: Encoder | None = None,
    callback: Callable[[Step], bool] | None = None,
) -> Optimum:
    """Minimise the objective of a transfer over magnitudes or samples, as ``config.unknowns`` says.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)], or array or tensor [shape=(n_bins, n_frames)]
        Waveforms at ``config.sr``, which are brought to ``config.level``; or log magnitudes as they are, with
        ``unknowns="magnitudes"``.
    config : TransferConfig
    encoder : Encoder or None
        None takes that of the configuration, with its front ends.
    callback : callable or None
        As for `audiostyle.optimize.minimize`, or `audiostyle.optimize.minimize_to_share` with ``match``.

    Returns
    -------
    Optimum

    Raises
    ------
    ValueError
        If a clip is silent or shorter than one patch.
    RuntimeError
        If the loss becomes non-finite.

    Notebook: 03_transfer_one_pair.ipynb
    """
    C, A = (_log_magnitude(y, name, config) for y, name in ((content, "content"), (style, "style")))
    loss = make_loss(config, C, A, encoder=encoder)
    if config.unknowns == "samples":
        objective = WaveformLoss(loss, n_fft=config.n_fft, hop_length=config.hop_length)
        start, lower = _start_samples(content, config), None
    else:
        objective, start, lower = loss, start_spectrogram(C, config), 0.0
    limits = {"n_iter": config.n_iter, "tolerance": config.tolerance, "lower": lower, "callback": callback}
    if config.match is None:
        minimum = minimize(objective, start, **limits)
    else:
        minimum, balance = minimize_to_share(objective, start, config.match, **limits)
        loss = loss.at(balance)
    return Optimum(minimum, loss, _magnitudes(minimum.x, config).cpu().numpy())


@dataclass(frozen=True)
class Sound:
    """What `make_sound` made.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
        At the level of the computation.
    convergence : np.ndarray [shape=(n,)]
        As in `TransferResult`.
    polish : audiostyle.optimize.Minimum or None
        That of the polish, if there was one.
    """

    y: np.ndarray
    convergence: np.ndarray
    polish: Minimum | None = None


def make_sound(
    optimum: Optimum,
    content: np.ndarray,
    config: TransferConfig,
    *,
    callback: Callable[[Step], bool] | None = None,
) -> Sound:
    """Make the sound of an optimum as ``config.phase`` says; samples are a sound already.

    Parameters
    ----------
    optimum : Optimum
        What `optimise` found for the same configuration.
    content : np.ndarray [shape=(n_samples,)]
        The content's waveform: the polish starts from its phase, and the sound has its length.
    config : TransferConfig
    callback : callable or None
        Gets an `audiostyle.optimize.Step` of the polish at its start and after every iteration; True stops.

    Returns
    -------
    Sound

    Notebook: 03_transfer_one_pair.ipynb
    """
    minimum, S = optimum.minimum, optimum.S
    if config.unknowns == "samples":
        return Sound(minimum.x.cpu().numpy(), np.empty(0))
    frames = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    way = {"n_iter": config.griffin_lim_iter, "momentum": config.momentum, "seed": config.seed}
    if config.phase == "polish":
        way = {"n_iter": FAST_ITER, "momentum": FAST_MOMENTUM, "init": phase_of(content, **frames)}
    shared = {"hop_length": config.hop_length, "length": len(content), "device": config.device}
    y, convergence = griffin_lim(S, return_convergence=True, **way, **shared)
    if config.phase == "griffin_lim":
        return Sound(y, convergence)
    # Who stops the optimiser wants the sound now.
    n_iter = 0 if minimum.reason == "callback" else config.polish_iter
    polished = polish(optimum.loss, y, n_iter=n_iter, callback=callback, **frames)
    y = polished.x.cpu().numpy()
    last = spectral_convergence(S, y, hop_length=config.hop_length)
    return Sound(y, np.append(convergence, last), polished)


def _prepare(y: np.ndarray, name: str, sr: int, config: TransferConfig) -> np.ndarray:
    """Return a clip as a waveform at the configuration's sample rate that holds one patch."""
    y = check_waveform(y, name=name)
    if sr != config.sr:
        y = fix_length(librosa.resample(y, orig_sr=sr, target_sr=config.sr), round(len(y) * config.sr / sr))
    if len(y) < config.min_duration * config.sr:
        raise ValueError(
            f"{name} lasts {len(y) / config.sr:.3f} s, less than one patch of kernel_size={config.patch_frames} "
            f"frames ({config.min_duration:.3f} s); use a longer clip or a smaller kernel_size"
        )
    return y


def _log_magnitude(y: np.ndarray | Spectrogram, name: str, config: TransferConfig) -> torch.Tensor:
    """Return the log magnitudes of a waveform at the configuration's level; log magnitudes stay what they are."""
    if y.ndim == 2 and config.unknowns == "magnitudes":
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


def start_spectrogram(log_content: torch.Tensor, config: TransferConfig) -> torch.Tensor:
    """Return where the optimisation of magnitudes starts: what it holds on to, or uniform noise of its mean."""
    return noise_like(log_content, config.seed) if config.start == "noise" else log_content


def _start_samples(content: np.ndarray, config: TransferConfig) -> torch.Tensor:
    start = set_level(content, config.level)
    if config.start == "noise":
        start = set_level(np.random.default_rng(config.seed).normal(size=len(content)), config.level)
    return torch.as_tensor(start, device=config.device)


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

    def __call__(self, step: Step) -> bool:
        if step.iteration == 0:
            self.bar.total = self.bar.n + self.n_iter
            self.bar.set_description(self.name)
            if self.rows:  # another round begins where the last one ended
                return False
        losses = {name: getattr(step.value, name) for name in ("content", "style", "total")}
        self.rows.append({"iteration": len(self.rows), **losses})
        iteration = max(self.seen, 0) + len(self.rows) - 1
        self.bar.update(iteration - self.bar.n)
        self.bar.set_postfix(content=f"{losses['content']:.3g}", style=f"{losses['style']:.3g}")
        if self.callback is None or iteration <= self.seen:
            return False
        return bool(self.callback(iteration, losses, _magnitudes(step.x, self.config)))
