"""Style transfer, one clip's content and another's style: prepare, match or optimise, make the sound, set its level."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from tqdm.std import tqdm

from audiostyle.config import TransferConfig
from audiostyle.encoders import make_encoder
from audiostyle.encoders.base import Encoder, Spectrogram
from audiostyle.losses import Evaluation, TransferLoss, check_memory
from audiostyle.matching import LEVEL, SEMITONES, SR, Clip, filtered, match_blocks, transposed
from audiostyle.matching.own import regained, with_treble_of
from audiostyle.optimize import Optimum, minimize
from audiostyle.phase.griffin_lim import FAST_ITER, FAST_MOMENTUM, griffin_lim, phase_of
from audiostyle.phase.polish import POLISH_ITER, polish
from audiostyle.sound.channels import in_channels, keep_balance, mid_sound
from audiostyle.sound.levels import Meter, at_level, match_loudness, set_level, without_offset
from audiostyle.sound.read import check_waveform
from audiostyle.sound.samples import Sound
from audiostyle.spectrogram import as_tensor, log_magnitude, stft
from audiostyle.system import single_precision

# Transpositions of the style with at least this share of the most used one's weight take part in the texture.
_USED = 0.3
Callback = Callable[[int, dict, torch.Tensor], bool]
_CANCELLED = "Its channels cancel in their mean: the loudest one stands for them."


@dataclass(frozen=True)
class TransferResult:
    """What a transfer returns.

    Parameters
    ----------
    sound : Sound
        The result, with the content's channels and length, at its loudness and with no peak above −1 dBFS. Mono, at the
        configuration's rate, where its phase was found anew (`TransferConfig.keeps_content`).
    config : TransferConfig
    gain : float
        Factor from the level of the computation to that of `y`, before single peaks were limited.
    level_note : str
        What was done to the level, and to rate and channels where they are not the content's, in sentences.
    seconds : float
        Wall time.
    optimum, polished : Optimum or None
        What `optimise` found, and what its polish did; None where the content was filtered alone.
    history : list of dict
        The rows of `losses`.
    """

    sound: Sound
    config: TransferConfig
    gain: float
    level_note: str
    seconds: float
    optimum: Optimum | None = None
    polished: Optimum | None = None
    history: list[dict] = field(default_factory=list)

    @property
    def sr(self) -> int:
        """Sample rate of the result in Hz."""
        return self.sound.sr

    @cached_property
    def y(self) -> np.ndarray:
        """The result [shape=(n_samples,) or (n_channels, n_samples), dtype=float32]."""
        return self.sound.waveform()

    @property
    def y_computed(self) -> np.ndarray:
        """The sound at the level of the computation, at which its losses mean something [shape=as y].

        ``log1p`` is not homogeneous: 3 dB more or less can double the style loss of one and the same sound.
        """
        return (self.y / self.gain).astype(np.float32)

    @cached_property
    def losses(self):
        """A table, ``iteration, content, style, total``, of the optimisation; row 0 is the start, a filter has none."""
        import pandas as pd  # a fifth of a second that a filter needs not wait for

        return pd.DataFrame(self.history, columns=["iteration", "content", "style", "total"])

    @cached_property
    def S(self) -> np.ndarray:
        """Linear magnitudes [shape=(n_bins, n_frames)]: optimised, before any phase was found, or of a filtered sound.

        At the level and the rate of the configuration.
        """
        if self.optimum is not None:
            return self.optimum.S
        mid = mid_sound(self.sound)[0].at(self.config.sr).waveform()
        return torch.expm1(_log_magnitude(mid, "y", self.config)).numpy()

    @property
    def n_iter(self) -> int:
        """Iterations of the optimiser, those of the polish apart; 0 where the content was filtered."""
        return self.optimum.n_iter if self.optimum else 0

    @property
    def style_removed(self) -> float:
        """Share that is gone of the style loss s0 of what the optimisation held on to, 0 to 1; NaN for a filter.

        Of the sound; with ``phase="griffin_lim"`` of the magnitudes, before a phase was found.
        """
        if self.optimum is None:
            return float("nan")
        return max(0.0, 1 - (self.polished or self.optimum).value.style / self.optimum.loss.style_unit)


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
        Waveforms of any lengths; an optimisation needs one patch. What is found is found on one channel that stands for
        all, at ``config.sr``, and applied to every channel of the content at its own rate.
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

    Notebook: 09_matched_timbre.ipynb

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(2, 22050)).astype(np.float32)
    >>> quick = TransferConfig.paper(n_filters=16, n_iter=3)
    >>> transfer_style(noise[0], noise[1], config=quick, progress=False).y.shape
    (22050,)
    """
    sounds = (
        Sound.of(check_waveform(y, name=name, mono=False), sr)
        for y, name in ((content, "content"), (style, "style"))
    )
    return transfer_sound(*sounds, config or TransferConfig(), progress=progress, callback=callback)


@single_precision()
def transfer_sound(
    content: Sound,
    style: Sound,
    config: TransferConfig,
    *,
    rate: int | None = None,
    n_channels: int | None = None,
    progress: bool = True,
    callback: Callback | None = None,
) -> TransferResult:
    """Give a sound of any length the style of another at its sample rate: what `transfer_style` does, of files too.

    A filter is found and applied block by block; an optimisation needs both clips in memory. The result has the sample
    rate `rate` and its channels become one, or one many, before its level is set; None leaves what
    `TransferConfig.keeps_content` says.
    """
    started = time.perf_counter()
    if config.balance > 0:  # else the content stays as it is
        content, style = without_offset(content), without_offset(style)
    (mid, cancels), (style_mid, _) = mid_sound(content), mid_sound(style)
    analysed = at_level(mid, LEVEL, name="content"), at_level(style_mid, LEVEL, name="style")
    sound, note, used, found, at_config_level = content, _CANCELLED * cancels, (0,), {}, False
    with tqdm(desc="transfer", disable=not progress) as bar:
        if config.method == "matched" and config.balance > 0:
            sound, used = _matched(content, *analysed, config, bar)
        if not config.filters:
            held, A = _at_rate(mid_sound(sound)[0], "content", config), _at_rate(style_mid, "style", config)
            A = np.concatenate([transposed(A, semitones, sr=config.sr) for semitones in used])
            y, found = _optimised(held, A, config, bar, callback)
            at_config_level = (content.sr, content.n_channels) == (config.sr, 1) or not config.keeps_content
            if at_config_level:
                sound = Sound.of(y, config.sr)
            else:
                sound = regained(sound, before=held, after=y, found_at=config.sr)
        bar.total = bar.n
        bar.set_description("done")
    if not config.keeps_content:
        if (content.sr, content.n_channels) != (config.sr, 1):
            note = f"It was made mono at {config.sr} Hz: its phase was found anew. {note}"
        content = mid
    elif config.balance > 0:
        if content.sr > config.sr:
            strength = config.balance if config.method == "gram" else min(1.0, 2 * config.balance)
            sound = with_treble_of(style, sound, content, strength=strength)
        sound = keep_balance(sound, content)
    # Channels and rate first, then the level: mixed channels are as loud as mixed content.
    sound, content = (in_channels(x, n_channels) for x in (sound, content))
    sound = sound.at(rate or sound.sr)
    met = Meter(sound)
    gain, level_note = 1.0, "The content as it was."
    if met.peak > 1 or not (config.filters and config.balance == 0):
        sound, gain, level_note = match_loudness(sound, met, Meter(content))
    # `TransferResult.gain` starts from the configuration's level. Optimised samples have it; others are at `met.rms`.
    gain *= 1.0 if at_config_level else met.rms / config.level
    note = f"{level_note} {note}".strip()
    return TransferResult(sound, config, gain, note, time.perf_counter() - started, **found)


def _matched(
    content: Sound, mid: Sound, style: Sound, config: TransferConfig, bar: tqdm
) -> tuple[Sound, list[int]]:
    """Filter the content to the matched timbre; returns the pitches at which the style was used, too."""
    clip, A = Clip(mid.at(SR), device=config.device), style.at(SR).waveform()
    bar.total = clip.n_frames
    shares = np.zeros(len(SEMITONES))

    def gains():
        for match in match_blocks(clip, A):
            shares[:] += match.bands.shape[1] * match.semitones
            bar.update(match.bands.shape[1])
            yield match.gain

    sound = Sound.stored(filtered(gains(), content, strength=min(1.0, 2 * config.balance)), content.sr)
    return sound, [s for s, share in zip(SEMITONES, shares, strict=True) if share > _USED * shares.max()]


def _optimised(
    held: np.ndarray,
    style: np.ndarray,
    config: TransferConfig,
    bar: tqdm,
    callback: Callback | None,
) -> tuple[np.ndarray, dict]:
    """Optimise one channel and make its sound; returns it with what `TransferResult` says of it."""
    if config.method == "matched":  # the upper half of the slider is the optimisation's own
        config = replace(config, method="gram", balance=2 * config.balance - 1)
    check_memory(config, len(held), len(style))
    rows = []
    watch = _watched("transfer", config.n_iter, config, bar, callback, rows)
    optimum = optimise(held, style, config, callback=watch)
    watch = _watched("polish", POLISH_ITER, config, bar, callback, [], first=optimum.n_iter)
    y, polished = make_sound(optimum, held, config, callback=watch)
    return y, {"optimum": optimum, "polished": polished, "history": rows}


@single_precision()
def optimise(
    content: np.ndarray | Spectrogram,
    style: np.ndarray | Spectrogram,
    config: TransferConfig,
    *,
    encoder: Encoder | None = None,
    extra: Callable[[torch.Tensor], tuple[float, torch.Tensor]] | None = None,
    start: Spectrogram | None = None,
    callback: Callable | None = None,
) -> Optimum:
    """Minimise the objective of a transfer, `audiostyle.losses.TransferLoss`, over log magnitudes.

    Content and style are waveforms [shape=(n_samples,)] at ``config.sr``, which are brought to ``config.level``, or log
    magnitudes [shape=(n_bins, n_frames)] as they are. The optimisation starts from the log magnitudes `start`; without
    them from the content's, as the paper does. Without an `encoder` it takes the configuration's. `extra` is as for
    `TransferLoss`, the callback as for `audiostyle.optimize.minimize`.

    Notebook: 09_matched_timbre.ipynb
    """
    C, A = (_log_magnitude(y, name, config) for y, name in ((content, "content"), (style, "style")))
    loss = TransferLoss(encoder or make_encoder(config), C, A, balance=config.balance, extra=extra)
    x0 = C if start is None else as_tensor(start, device=config.device)
    return minimize(loss, x0, n_iter=config.n_iter, callback=callback)


def make_sound(
    optimum: Optimum, content: np.ndarray, config: TransferConfig, callback: Callable | None = None
) -> tuple[np.ndarray, Optimum | None]:
    """Make the sound of an optimum as ``config.phase`` says.

    Returns the sound [shape=as content] at the level of the computation, and what the polish found, if there was one.
    The polish starts from the content's phase, and the callback sees its iterations.
    """
    frames = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    shared = {"hop_length": config.hop_length, "length": len(content), "device": config.device}
    if config.phase == "griffin_lim":
        return griffin_lim(optimum.S, seed=config.seed, **shared), None
    fast = {"n_iter": FAST_ITER, "momentum": FAST_MOMENTUM, "init": phase_of(content, **frames)}
    start = torch.as_tensor(griffin_lim(optimum.S, **fast, **shared), device=config.device)
    polished = polish(optimum.loss, start, callback=callback, **frames)
    return polished.x.cpu().numpy(), polished


def _at_rate(sound: Sound, name: str, config: TransferConfig) -> np.ndarray:
    """Return one channel as a waveform at the configuration's sample rate that holds one patch."""
    y = sound.at(config.sr).waveform()
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
    y = as_tensor(set_level(check_waveform(y, name=name), config.level, name=name), device=config.device)
    return log_magnitude(y, n_fft=config.n_fft, hop_length=config.hop_length)


def _magnitudes(x: torch.Tensor, config: TransferConfig) -> torch.Tensor:
    """Return the linear magnitudes of log magnitudes [2 axes] or of samples [1 axis]."""
    if x.ndim == 1:
        return stft(x, n_fft=config.n_fft, hop_length=config.hop_length).abs()
    return torch.expm1(x)


def _watched(
    name: str,
    n_iter: int,
    config: TransferConfig,
    bar: tqdm,
    callback: Callback | None,
    rows: list[dict],
    first: int | None = None,
) -> Callable:
    """Return what an optimiser calls: it keeps the losses, moves the progress bar, asks the user's callback.

    A polish counts on from `first`, an iteration that the user's callback has seen.
    """

    def watch(iteration: int, value: Evaluation, x: torch.Tensor) -> bool:
        if iteration == 0:
            bar.total = bar.n + n_iter
            bar.set_description(name)
        losses = {key: getattr(value, key) for key in ("content", "style", "total")}
        rows.append({"iteration": iteration, **losses})
        bar.update(iteration > 0)
        bar.set_postfix(content=f"{losses['content']:.3g}", style=f"{losses['style']:.3g}")
        if callback is None or (first is not None and iteration == 0):
            return False
        return bool(callback((first or 0) + iteration, losses, _magnitudes(x, config)))

    return watch
