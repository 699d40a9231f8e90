"""Transfer one of the six pairs and put numbers to it, for the notebooks and ``python -m audiostyle pairs``."""

from dataclasses import dataclass, replace

import joblib
import numpy as np
import pandas as pd

from audiostyle.baselines.equaliser import equaliser
from audiostyle.config import TransferConfig
from audiostyle.datasets.clips import Pair, PairAudio, load_pair
from audiostyle.measures.content import chroma_similarity, onset_f_measure, pitch_agreement
from audiostyle.measures.table import judge_losses
from audiostyle.measures.timbre import mfcc_distance, mfcc_frechet_distance
from audiostyle.measures.truth import log_spectral_distance
from audiostyle.sound.audio import fix_length, set_level
from audiostyle.spectrogram import RANGE_DB, magnitudes, to_decibels
from audiostyle.studies.presets import GRAM, Preset
from audiostyle.transfer import TransferResult, transfer_style

COPY_CONTENT = "copy the content"
COPY_STYLE = "copy the style"
EQUALISER = "equaliser"
MATCHED = "matched timbre"
# The Gram matrix at infinite width: the phase found by Algorithm 1 from a random start, or the sound polished.
PLAIN, POLISH = "infinite, Griffin-Lim", "infinite, polish"


# The references of a pair are the same beside every method.
_MEASURED: dict[str, dict[str, float]] = {}
# Columns in which a result can be better, what a sentence calls them, and whether more or less is better.
_BETTER = {
    "content_share_fresh": ("content loss", -1),
    "style_share_fresh": ("style loss", -1),
    "chroma_similarity": ("chroma", 1),
    "onset_f": ("onset F", 1),
    "pitch_agreement": ("pitch", 1),
    "mfcc_frechet": ("MFCC Fréchet distance", -1),
    "target_distance_db": ("distance to the known target", -1),
}
_GAP_DB = -60.0
_PHASES = {"griffin_lim": "Griffin-Lim", "polish": "polish"}


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
        Rows for the result, for the two copies and for the equaliser; see `score`.
    """

    pair: Pair
    audio: PairAudio
    result: TransferResult
    table: pd.DataFrame

    @property
    def method(self) -> str:
        """What tables and figures call the method of this run."""
        return method_name(self.result.config)

    @property
    def caption(self) -> str:
        """The pair and the edition, for the title of a figure or a row of players."""
        return f"{self.pair.title} · {self.pair.edition} clips"

    def row(self, method: str | None = None) -> pd.Series:
        """Return the numbers of one row of the table, by default those of the result."""
        return self.table.set_index("method").loc[method or self.method]


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
    return PairRun(pair, audio, result, score(pair, audio, result, n_fresh=preset.config.n_filters))


def methods(preset: Preset, balance: float = 0.5) -> dict[str, TransferConfig]:
    """Return the settings that the notebooks compare, one step from the paper's to the default at a time.

    ``"paper"`` has random filters and Griffin-Lim, ``"plain"`` infinite width instead of the filters,
    ``"infinite"`` the polish instead of Griffin-Lim too, ``"matched"`` the matched timbre.
    """
    limit = replace(GRAM, balance=balance, seed=preset.config.seed)
    iterations = preset.config.griffin_lim_iter
    return {
        "paper": replace(preset.config, balance=balance),
        "plain": replace(limit, phase="griffin_lim", griffin_lim_iter=iterations),
        "infinite": limit,
        "matched": TransferConfig(balance=balance, seed=preset.config.seed),
    }


def method_name(config: TransferConfig) -> str:
    """Return what a table calls the method of a configuration: the encoder and what made the sound."""
    if config.start == "matched":
        return MATCHED
    encoder = "infinite" if config.encoder == "infinite" else f"{config.n_filters} filters"
    return f"{encoder}, {_PHASES[config.phase]}"


def score(pair: Pair, audio: PairAudio, result: TransferResult, *, n_fresh: int = 4096) -> pd.DataFrame:
    """Score a transfer beside "copy the content", "copy the style" and one fixed filter, the equaliser.

    Every number but ``style_share_optimised`` is of the final sound. `n_fresh` is the size of the bank of filters,
    never optimised, under which the losses are measured.

    Returns
    -------
    pd.DataFrame
        ``pair, edition, method, phase, balance, seed``; ``content_loss_fresh`` and ``style_loss_fresh`` under the
        fresh bank, ``content_share_fresh`` and ``style_share_fresh`` the same over the patch energy of the content and
        over the content's own style loss (`audiostyle.measures.table.judge_losses`);
        ``style_share_optimised``, the style's share for the magnitudes under the encoder that was optimised;
        ``spectral_convergence_db``; ``chroma_similarity``, ``onset_f`` and ``pitch_agreement`` to the content;
        ``mfcc_distance`` and ``mfcc_frechet`` to the style; ``target_distance_db`` where the target is known;
        ``seconds``.
    """
    config = result.config
    sounds = references_and_result(audio, result)
    rows, content, style = [], sounds[COPY_CONTENT], sounds[COPY_STYLE]
    for method, y in sounds.items():
        numbers = _measured(y, content, style, audio.target, config, n_fresh)
        rows.append({"pair": pair.pair, "edition": pair.edition, "method": method, **numbers})
    table = pd.DataFrame(rows)
    own = table["method"] == method_name(config)
    table.loc[own, "style_share_optimised"] = float(result.losses["style"].iloc[-1] / result.style_unit)
    table["spectral_convergence_db"], table["phase"] = np.nan, None
    if len(result.convergence):  # samples and a filtered content need no phase
        table.loc[own, "spectral_convergence_db"] = float(result.convergence[-1])
        table.loc[own, "phase"] = config.phase
    table.loc[own, "balance"] = config.balance
    table.loc[own, "seed"] = config.seed
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


def findings(*runs: PairRun) -> str:
    """Return the numbers of one pair in words: a list in Markdown, an item for each method and the equaliser.

    Parameters
    ----------
    *runs : PairRun
        Runs of one pair with different methods.

    Returns
    -------
    str
    """
    before, other = runs[0].row(COPY_CONTENT), runs[0].row(COPY_STYLE)
    items = [finding(EQUALISER, runs[0].row(EQUALISER), before)]
    for run in runs:
        item = finding(run.method, run.row(), before)
        if len(run.result.convergence):  # magnitudes were optimised
            own = run.row().style_share_optimised
            item += f" Of the magnitudes optimised, under the filters optimised, {own:.1%} remained."
        items.append(item)
    items.append(f"The style itself, put in the content's place: {_kept(other)}.")
    items += [against_equaliser(run) for run in runs if run.method == MATCHED]
    between = gaps(*runs)
    levels = ", ".join(
        f"{level:.0f} dB{' or less' if level <= -RANGE_DB else ''} in *{name}*"
        for name, level in between.items()
    )
    items.append(
        f"Where the content is {-_GAP_DB:.0f} dB or more under its loudest cell, the median level is {levels}: "
        f"highest in *{between.idxmax()}*."
    )
    return "\n".join(f"* {item}" for item in items)


def against_equaliser(run: PairRun) -> str:
    """Say in which columns of the table a result is better than the content through one fixed filter."""
    own, other = run.row(), run.row(EQUALISER)
    compared = {heading: sign * (own[name] - other[name]) for name, (heading, sign) in _BETTER.items()}
    compared = {heading: gain for heading, gain in compared.items() if not pd.isna(gain)}
    better = [heading for heading, gain in compared.items() if gain > 0]
    return (
        f"Against the equaliser *{run.method}* is better in {len(better)} of {len(compared)} columns: "
        f"{', '.join(better) or 'none'}."
    )


def gaps(*runs: PairRun) -> pd.Series:
    """Measure what fills the gaps of the content: the median level of cells 60 dB or more under its loudest.

    Parameters
    ----------
    *runs : PairRun
        Runs of one pair with different methods.

    Returns
    -------
    pd.Series
        dB under the content's loudest cell, for the content and every method.
    """
    sounds = panels(*runs, target=False)
    spectra = {name: magnitudes(y) for name, y in sounds.items() if name != "style"}
    reference = spectra["content"].max()
    levels = {name: to_decibels(S, reference) for name, S in spectra.items()}
    empty = levels["content"] <= _GAP_DB
    medians = {name: float(np.median(level[empty])) for name, level in levels.items()}
    return pd.Series(medians).rename(lambda name: name.removeprefix("result, "))


def finding(method: str, row: pd.Series, before: pd.Series) -> str:
    """Return one row of a table (`score`) in words, beside the row of the content, `before`."""
    ratio = row.mfcc_frechet / before.mfcc_frechet
    item = (
        f"*{method[0].upper()}{method[1:]}*: {row.style_share_fresh:.0%} of the content's style loss remains; "
        f"{_kept(row)}; the MFCC Fréchet distance to the style is {ratio:.2f} times the content's, "
        f"{'nearer' if ratio < 1 else 'farther away'}"
    )
    if pd.isna(row.target_distance_db):
        return f"{item}."
    nearer = "nearer" if row.target_distance_db < before.target_distance_db else "farther away"
    return (
        f"{item}; the distance to the known target goes from {before.target_distance_db:.1f} to "
        f"{row.target_distance_db:.1f} dB, {nearer}."
    )


def _kept(row: pd.Series) -> str:
    pitch = (
        "" if pd.isna(row.pitch_agreement) else f", pitch in {row.pitch_agreement:.0%} of the voiced frames"
    )
    return f"chroma {row.chroma_similarity:.2f}{pitch}, onset F {row.onset_f:.2f}"


def by_balance(pair: Pair, preset: Preset, balances: tuple[float, ...]) -> pd.DataFrame:
    """Transfer a pair at several balances, by matched timbre and by the Gram matrix (``"plain"`` of `methods`).

    What is optimised gets its phase from Griffin-Lim, above balance 0.5 after matched timbre too: a polish would take
    most of the time.

    Returns
    -------
    pd.DataFrame
        Indexed by method and balance: ``chroma_similarity``, ``onset_f``, ``pitch_agreement``, and
        ``mfcc_frechet_ratio``, the distance to the style over the content's own.

    Notebook: 04_speech_pairs.ipynb, 05_symphonic_pairs.ipynb, 06_instrument_pairs.ipynb
    """
    rows, work = [], {name: getattr(preset.config, name) for name in ("n_iter", "phase", "griffin_lim_iter")}
    for balance in balances:
        for name in ("plain", "matched"):
            config = replace(methods(preset, balance)[name], **work)
            run = run_pair(pair, preset, config, progress=False)
            row, before = run.row(), run.row(COPY_CONTENT)
            rows.append(
                {
                    "method": run.method,
                    "balance": balance,
                    **row[["chroma_similarity", "onset_f", "pitch_agreement"]],
                    "mfcc_frechet_ratio": row.mfcc_frechet / before.mfcc_frechet,
                }
            )
    return pd.DataFrame(rows).set_index(["method", "balance"]).sort_index()


def left_by_floor(*runs: PairRun, floors: tuple[float, ...] = (60.0, 80.0)) -> pd.DataFrame:
    """Measure the MFCC Fréchet distance to the style, over the content's own, with several floors under the peak.

    Parameters
    ----------
    *runs : PairRun
        Runs of one pair with different methods.
    floors : tuple of float
        dB under each clip's peak below which levels do not count.

    Returns
    -------
    pd.DataFrame
        A row for the equaliser and each method, a column for each floor.
    """
    sounds = references_and_result(runs[0].audio, runs[0].result) | {
        run.method: run.result.y_computed for run in runs
    }
    style, sr = sounds.pop(COPY_STYLE), runs[0].result.config.sr
    distances = pd.DataFrame(
        {
            floor: {name: mfcc_frechet_distance(y, style, sr, range_db=floor) for name, y in sounds.items()}
            for floor in floors
        }
    )
    return distances.drop(index=COPY_CONTENT) / distances.loc[COPY_CONTENT]


def references_and_result(audio: PairAudio, result: TransferResult) -> dict[str, np.ndarray]:
    """Return the copies, the equaliser and the result at the level of the computation, by method."""
    config = result.config
    return {
        COPY_CONTENT: set_level(audio.content, config.level),
        COPY_STYLE: fix_length(set_level(audio.style, config.level), len(audio.content)),
        EQUALISER: set_level(equaliser(audio.content, audio.style), config.level),
        method_name(config): result.y_computed,
    }


def panels(*runs: PairRun, target: bool = True) -> dict[str, np.ndarray]:
    """Return what is shown and heard side by side: content, style, the known target if any, and each result.

    Parameters
    ----------
    *runs : PairRun
        Runs of one pair with different methods.
    target : bool
        Include the known target.

    Returns
    -------
    dict of str to np.ndarray [shape=(n_samples,)]
        Title and waveform, at the level of the computation.
    """
    first = runs[0]
    sounds = references_and_result(first.audio, first.result)
    shown = {"content": sounds[COPY_CONTENT], "style": sounds[COPY_STYLE]}
    if target and first.audio.target is not None:
        shown["known target"] = set_level(first.audio.target, first.result.config.level)
    return shown | {
        f"result, {run.method}": references_and_result(run.audio, run.result)[run.method] for run in runs
    }


# Column, heading and format of the table that a notebook shows.
_SHOWN = (
    ("content_share_fresh", "content loss / E", "{:z.3f}"),
    ("style_share_fresh", "style loss / content's own", "{:z.3f}"),
    ("spectral_convergence_db", "spectral convergence (dB)", "{:.1f}"),
    ("chroma_similarity", "chroma to content", "{:.3f}"),
    ("onset_f", "onset F to content", "{:.2f}"),
    ("pitch_agreement", "pitch of content", "{:.2f}"),
    ("mfcc_frechet", "MFCC Fréchet distance to style", "{:.1f}"),
    ("target_distance_db", "distance to target (dB)", "{:.1f}"),
)


def numbers(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the table of one or more pairs and methods as a notebook shows it.

    Every number is of the final sound, both losses under a bank of filters that was never optimised.

    Parameters
    ----------
    *tables : pd.DataFrame
        Tables of one edition as `score` makes them. The rows of the references are shown once for each pair.

    Returns
    -------
    pd.DataFrame
        Text, indexed by pair, if there are several, and method; the corner names the edition. A dash where a
        number does not apply.
    """
    table = pd.concat(tables).drop_duplicates(["pair", "method"])
    table = table.set_index(["pair", "method"]).sort_index(level="pair", sort_remaining=False, kind="stable")
    edition = table["edition"].iloc[0]
    shown = {
        heading: ["–" if pd.isna(value) else form.format(value) for value in table[column]]
        for column, heading, form in _SHOWN
        if column in table and table[column].notna().any()
    }
    frame = pd.DataFrame(shown, index=table.index.set_names([None, None]))
    if table.index.get_level_values("pair").nunique() == 1:
        frame = frame.droplevel(0)
    return frame.rename_axis(columns=f"{edition} clips")


def levelled(audio: PairAudio, level: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return content and style at one level."""
    return set_level(audio.content, level), set_level(audio.style, level)
