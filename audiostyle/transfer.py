"""Style transfer: one clip's content, another's style."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import librosa
import numpy as np
import pandas as pd
import torch
from tqdm.std import tqdm

from audiostyle.audio import check_waveform, fix_length, set_level
from audiostyle.config import MATCH_ROUNDS, TransferConfig
from audiostyle.cost import check_memory
from audiostyle.encoders import make_encoder
from audiostyle.levels import match_loudness
from audiostyle.losses import TransferLoss
from audiostyle.optimize import Minimum, Step, minimize
from audiostyle.phase.griffin_lim import griffin_lim, spectral_convergence
from audiostyle.phase.polish import WaveformLoss, polished_phase
from audiostyle.spectrogram import log_magnitude, stft

# The search for `TransferConfig.match`: the tolerance from which a round counts, and how close in log(style distance)
# is close enough.
_MATCH_TOLERANCE = 1e-5
_MATCH_MISS = 0.01
Callback = Callable[[int, dict, torch.Tensor], bool]


@dataclass(frozen=True)
class TransferResult:
    """What a transfer returns.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
        The result, as long as the content, at the content's loudness and with no peak above −1 dBFS
        (`audiostyle.levels.match_loudness`).
    sr : int
        Its sample rate in Hz.
    S : np.ndarray [shape=(n_bins, n_frames), non-negative]
        The optimised linear magnitudes, at the level of the configuration, before any phase was found; with
        ``phase="waveform"`` those of the sound itself.
    losses : pd.DataFrame
        Columns ``iteration, content, style, total``; row 0 is the start. With ``match`` the weights in the total
        change from round to round.
    config : TransferConfig
        The settings.
    convergence : np.ndarray [shape=(n,)]
        Spectral convergence in dB after 0, 1, ... Griffin-Lim iterations; with ``phase="polish"`` the last entry
        is that of the polished sound, which gives up these magnitudes for the loss. Empty for ``"waveform"``.
    content_unit, style_unit : float
        E and s0 of the balance (`audiostyle.losses.TransferLoss`): divide the two losses by them to compare pairs.
    balance : float
        The balance of the result: that of the configuration, or what ``match`` found.
    n_evaluations : int
        Evaluations of the loss.
    reason : str
        Why the optimiser stopped; ``"callback"`` also if the callback ended the polish.
    seconds : dict
        Wall time of ``optimize`` and ``phase``.
    polish_losses : pd.DataFrame or None
        As `losses`, of the sound during the polish; None for other phases.
    gain : float
        Factor from the level of the computation to that of `y`, before single peaks were limited.
    level_note : str
        What was done to the level, in one sentence.
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
        """The sound at the level of the computation, at which its losses mean something [shape=(n_samples,)].

        ``log1p`` is not homogeneous: 3 dB more or less can double the style loss of one and the same sound.
        """
        return (self.y / self.gain).astype(np.float32)

    @property
    def style_removed(self) -> float:
        """Share of the content's style loss that is gone, 0 to 1.

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

    Minimises ``(1 − b)² L_content / E + b² L_style / s0`` over non-negative magnitudes
    (`audiostyle.losses.TransferLoss`), then makes the sound as ``config.phase`` says.

    Parameters
    ----------
    content, style : np.ndarray [shape=(n_samples,)]
        Mono waveforms, of any lengths that hold one patch.
    sr : int > 0
        Their sample rate in Hz; resampled to ``config.sr`` if different.
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
        If a clip is silent, not finite, not mono or shorter than one patch.
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
    content, style = (_prepare(y, name, sr, config) for y, name in ((content, "content"), (style, "style")))
    check_memory(config, len(content), len(style))
    log_content, log_style = (
        _log_magnitude(y, name, config) for y, name in ((content, "content"), (style, "style"))
    )

    started = time.perf_counter()
    loss = TransferLoss(make_encoder(config), log_content, log_style, balance=config.balance)
    if config.phase == "waveform":
        objective = WaveformLoss(loss, n_fft=config.n_fft, hop_length=config.hop_length)
        start = _start_waveform(content, config)
    else:
        objective, start = loss, start_spectrogram(log_content, config)
    with tqdm(desc="transfer", disable=not progress) as bar:
        record = _Record(bar, callback, config)
        minimum = _optimise(objective, start, config, record)
        S = _magnitudes(minimum.x, config).cpu().numpy()
        optimised = time.perf_counter()
        y, convergence, polish_losses = _sound(loss, minimum.x, S, content, config, record)
        record.begin("done", 0)
    levelled = match_loudness(y, content, config.sr)
    return TransferResult(
        y=levelled.y,
        sr=config.sr,
        S=S,
        losses=pd.DataFrame(record.rows),
        config=config,
        convergence=convergence,
        content_unit=loss.content_unit,
        style_unit=loss.style_unit,
        balance=loss.balance,
        n_evaluations=minimum.n_evaluations,
        reason="callback" if record.stopped else minimum.reason,
        seconds={"optimize": optimised - started, "phase": time.perf_counter() - optimised},
        polish_losses=polish_losses,
        gain=levelled.gain,
        level_note=levelled.note,
    )


def _sound(
    loss: TransferLoss,
    x: torch.Tensor,
    S: np.ndarray,
    content: np.ndarray,
    config: TransferConfig,
    record: "_Record",
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame | None]:
    """Make the sound; returns it with the spectral convergence and, where it was polished, the losses."""
    if config.phase == "waveform":
        return x.cpu().numpy(), np.empty(0), None
    shared = {"hop_length": config.hop_length, "device": config.device, "return_convergence": True}
    if config.phase == "griffin_lim":
        options = {"n_iter": config.griffin_lim_iter, "momentum": config.momentum, "seed": config.seed}
        return *griffin_lim(S, length=len(content), **options, **shared), None
    rows: list[dict] = []

    def follow(step: Step) -> bool:
        rows.append({"iteration": step.iteration, **_losses(step)})
        record.show(len(record.rows) - 1 + step.iteration, rows[-1])
        return step.iteration > 0 and record.ask(len(record.rows) - 1 + step.iteration, step)

    # Who stops the optimiser wants the sound now.
    n_iter = 0 if record.stopped else config.polish_iter
    record.begin("polish", n_iter)
    minimum, convergence = polished_phase(
        loss, S, content, n_iter=n_iter, hop_length=config.hop_length, callback=follow
    )
    y = minimum.x.cpu().numpy()
    final = spectral_convergence(S, y, hop_length=config.hop_length)
    return y, np.append(convergence, final), pd.DataFrame(rows)


def _losses(step: Step) -> dict[str, float]:
    return {name: getattr(step.value, name) for name in ("content", "style", "total")}


def _magnitudes(x: torch.Tensor, config: TransferConfig) -> torch.Tensor:
    """Return the linear magnitudes of what is optimised: log magnitudes [2 axes], or samples [1 axis]."""
    if x.ndim == 1:
        return stft(x, n_fft=config.n_fft, hop_length=config.hop_length).abs()
    return torch.expm1(x)


def _prepare(y: np.ndarray, name: str, sr: int, config: TransferConfig) -> np.ndarray:
    y = check_waveform(y, name=name)
    if sr != config.sr:
        y = fix_length(librosa.resample(y, orig_sr=sr, target_sr=config.sr), round(len(y) * config.sr / sr))
    if len(y) < config.min_duration * config.sr:
        raise ValueError(
            f"{name} lasts {len(y) / config.sr:.3f} s, less than one patch of kernel_size={config.kernel_size} "
            f"frames ({config.min_duration:.3f} s); use a longer clip or a smaller kernel_size"
        )
    return y


def _log_magnitude(y: np.ndarray, name: str, config: TransferConfig) -> torch.Tensor:
    levelled = torch.as_tensor(set_level(y, config.level, name=name), device=config.device)
    return log_magnitude(levelled, n_fft=config.n_fft, hop_length=config.hop_length)


def start_spectrogram(log_content: torch.Tensor, config: TransferConfig) -> torch.Tensor:
    """Return where the optimisation of magnitudes starts: the content, or uniform noise of its mean."""
    if config.start == "content":
        return log_content
    generator = torch.Generator().manual_seed(config.seed)
    noise = torch.rand(log_content.shape, generator=generator).to(log_content)
    return noise * 2 * log_content.mean()


def _start_waveform(content: np.ndarray, config: TransferConfig) -> torch.Tensor:
    start = set_level(content, config.level)
    if config.start == "noise":
        start = set_level(np.random.default_rng(config.seed).normal(size=len(content)), config.level)
    return torch.as_tensor(start, device=config.device)


def _optimise(
    objective: TransferLoss | WaveformLoss, start: torch.Tensor, config: TransferConfig, record: "_Record"
) -> Minimum:
    if config.match is None:
        return _minimise(objective, start, config, config.tolerance, record)
    return _match(objective, start, config, record)


def _minimise(
    objective, x: torch.Tensor, config: TransferConfig, tolerance: float, record: "_Record"
) -> Minimum:
    record.begin("transfer", config.n_iter)
    lower = None if config.phase == "waveform" else 0.0
    return minimize(objective, x, n_iter=config.n_iter, tolerance=tolerance, lower=lower, callback=record)


class _Record:
    """Callback of the optimiser: keeps the losses, moves the progress bar, asks the user's callback."""

    def __init__(self, bar: tqdm, callback: Callback | None, config: TransferConfig) -> None:
        self.rows: list[dict] = []
        self.bar = bar
        self.callback = callback
        self.config = config
        self.stopped = False

    def __call__(self, step: Step) -> bool:
        if self.rows and step.iteration == 0:
            return False  # a continued run begins where the last one ended
        value = _losses(step)
        self.rows.append({"iteration": len(self.rows), **value})
        self.show(len(self.rows) - 1, value)
        return self.ask(len(self.rows) - 1, step)

    def begin(self, stage: str, n_iter: int) -> None:
        """Name what comes next on the progress bar, of at most `n_iter` iterations more than were made."""
        self.bar.total = self.bar.n + n_iter
        self.bar.set_description(stage)

    def show(self, iteration: int, value: dict[str, float]) -> None:
        """Move the progress bar to an iteration."""
        self.bar.update(iteration - self.bar.n)
        self.bar.set_postfix(content=f"{value['content']:.3g}", style=f"{value['style']:.3g}")

    def ask(self, iteration: int, step: Step) -> bool:
        """Return whether the user's callback wants to stop here."""
        self.stopped = self.callback is not None and bool(
            self.callback(iteration, _losses(step), _magnitudes(step.x, self.config))
        )
        return self.stopped


def _match(
    objective: TransferLoss | WaveformLoss, start: torch.Tensor, config: TransferConfig, record: _Record
) -> Minimum:
    """Find the balance at which the share `config.match` of the style distance is removed.

    Secant on log(style distance) against the log of the weights' ratio. Each round is warm-started and runs to a
    finer tolerance than the one before.
    """
    wanted = math.log(1 - config.match)
    points: list[tuple[float, float]] = []
    log_ratio, x, evaluations = 0.0, start, 0
    for round_ in range(MATCH_ROUNDS):
        tolerance = max(config.tolerance, 10.0 ** -(3 + round_))
        minimum, reached = _minimise_at(objective, x, log_ratio, config, tolerance, record)
        evaluations += minimum.n_evaluations
        x = minimum.x
        points.append((log_ratio, reached))
        if record.stopped or (abs(reached - wanted) < _MATCH_MISS and tolerance <= _MATCH_TOLERANCE):
            break
        log_ratio = _secant(points, wanted)
    return replace(minimum, n_evaluations=evaluations, n_iter=len(record.rows) - 1)


def _minimise_at(objective, x, log_ratio: float, config: TransferConfig, tolerance: float, record: _Record):
    """Minimise at the weights' ratio (b / (1 − b))² = exp(log_ratio); returns also log √(style / s0)."""
    odds = math.exp(log_ratio / 2)
    objective.set_balance(odds / (1 + odds))
    minimum = _minimise(objective, x, config, tolerance, record)
    style = max(record.rows[-1]["style"], 1e-12 * objective.style_unit)
    return minimum, 0.5 * math.log(style / objective.style_unit)


def _secant(points: list[tuple[float, float]], wanted: float) -> float:
    (x1, y1) = points[-1]
    slope = -0.5  # typical: the distance falls with the square root of the ratio of weights
    if len(points) > 1:
        (x0, y0) = points[-2]
        if abs(x1 - x0) > 0.05:  # nearer points differ by how far each round got, not by the weights
            slope = min(max((y1 - y0) / (x1 - x0), -1.5), -0.1)
    return x1 + max(-4.0, min(4.0, (wanted - y1) / slope))
