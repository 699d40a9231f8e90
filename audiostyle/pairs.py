"""Transfer one of the six pairs and put numbers to it, for the notebooks and ``python -m audiostyle pairs``."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from audiostyle.audio import fix_length, rms, set_level
from audiostyle.clips import Pair, PairAudio, load_pair
from audiostyle.config import Preset, TransferConfig
from audiostyle.infinite import make_encoder
from audiostyle.metrics import chroma_similarity, log_spectral_distance, mfcc_distance, sound_losses
from audiostyle.plots import show_triptych
from audiostyle.results import Results
from audiostyle.transfer import TransferResult, transfer_style

# Far from every seed an optimisation uses.
FRESH_SEED = 10_000
COPY_CONTENT = "copy the content"
COPY_STYLE = "copy the style"


@dataclass(frozen=True)
class PairRun:
    """A pair, its transfer and its numbers.

    Parameters
    ----------
    pair : Pair
    audio : PairAudio
        Content, style and target as loaded.
    result : TransferResult
    table : pd.DataFrame
        A row for the result and one for each of the two copies; see `score`.
    """

    pair: Pair
    audio: PairAudio
    result: TransferResult
    table: pd.DataFrame


def run_pair(
    pair: Pair, preset: Preset, config: TransferConfig | None = None, *, progress: bool = True
) -> PairRun:
    """Load, transfer and score a pair.

    Parameters
    ----------
    pair : Pair
    preset : Preset
        Gives the duration, and the settings unless `config` is given.
    config : TransferConfig or None
    progress : bool
        Show a progress bar.

    Returns
    -------
    PairRun
    """
    config = config or preset.config
    audio = load_pair(pair, duration=preset.duration, sr=config.sr)
    result = transfer_style(audio.content, audio.style, audio.sr, config, progress=progress)
    return PairRun(pair, audio, result, score(pair, audio, result))


def method_name(config: TransferConfig) -> str:
    """Return what a table calls the method of a configuration."""
    return "infinite width" if config.encoder == "infinite" else f"{config.n_filters} filters"


def score(pair: Pair, audio: PairAudio, result: TransferResult) -> pd.DataFrame:
    """Score a transfer beside "copy the content" and "copy the style".

    Every number but ``style_share_optimised`` is of the final sound.

    Returns
    -------
    pd.DataFrame
        ``pair, edition, method, balance, seed``; ``content_loss`` and ``style_loss`` under a bank of filters never
        optimised; ``style_share``, that style loss over the content's own; ``style_share_optimised``, the same
        ratio for the magnitudes under the filters that were optimised; ``spectral_convergence_db``;
        ``chroma_similarity`` to the content; ``mfcc_distance`` to the style; ``target_distance_db`` where the
        target is known; ``seconds``.
    """
    config = result.config
    sounds = levelled(audio, result)
    fresh = make_encoder(replace(config, encoder="random", seed=FRESH_SEED))
    stft = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    rows = []
    for method, y in sounds.items():
        kept, style = sound_losses(fresh, y, sounds[COPY_CONTENT], sounds[COPY_STYLE], **stft)
        rows.append(
            {
                "pair": pair.pair,
                "edition": pair.edition,
                "method": method,
                "content_loss": kept,
                "style_loss": style,
                "chroma_similarity": chroma_similarity(y, sounds[COPY_CONTENT], config.sr),
                "mfcc_distance": mfcc_distance(y, sounds[COPY_STYLE], config.sr),
                "target_distance_db": np.nan
                if audio.target is None
                else log_spectral_distance(y, audio.target, config.sr),
            }
        )
    table = pd.DataFrame(rows)
    before = float(table.loc[table["method"] == COPY_CONTENT, "style_loss"].iloc[0])
    table.insert(5, "style_share", table["style_loss"] / before)
    own = table["method"] == method_name(config)
    table.loc[own, "style_share_optimised"] = float(result.losses["style"].iloc[-1] / result.style_unit)
    table.loc[own, "spectral_convergence_db"] = float(result.convergence[-1])
    table.loc[own, "balance"] = config.balance
    table.loc[own, "seed"] = config.seed
    table.loc[own, "seconds"] = sum(result.seconds.values())
    return table


def levelled(audio: PairAudio, result: TransferResult) -> dict[str, np.ndarray]:
    """Return the copies and the result at the level of the computation, by method.

    The result is scaled like the content, so that its own loudness stays what the transfer made it.
    """
    config = result.config
    gain = config.level / rms(audio.content)
    return {
        COPY_CONTENT: set_level(audio.content, config.level),
        COPY_STYLE: fix_length(set_level(audio.style, config.level), len(audio.content)),
        method_name(config): (result.y * gain).astype(np.float32),
    }


def write_pair(pair: Pair, preset: Preset, results: Results) -> PairRun:
    """Run a pair and write its numbers, figures and sound, as its notebook does.

    Returns
    -------
    PairRun
    """
    run = run_pair(pair, preset)
    write_run(run, results)
    return run


def write_run(run: PairRun, results: Results) -> None:
    """Write the rows of a run into ``pairs.csv``, its result as sound, and its settings into the manifest."""
    results.update_table(run.table, "pairs", keys=["pair", "method"])
    results.save_figure(triptych(run), run.pair.pair)
    if run.pair.edition == "bundled":  # sound made from recordings stays out of the results
        results.save_sound(run.result.y, run.result.sr, run.pair.pair)
    results.save_manifest(
        **{f"pair {run.pair.pair}": {"config": asdict(run.result.config), **run.result.seconds}}
    )


def triptych(run: PairRun) -> Figure:
    """Draw content, style and result on one scale; the title names the pair and the edition."""
    names = ("content", "style", "result")
    sounds = dict(zip(names, levelled(run.audio, run.result).values(), strict=True))
    title = f"{run.pair.title} · {run.pair.edition} clips · {method_name(run.result.config)}"
    return show_triptych(sounds, sr=run.result.sr, title=title)
