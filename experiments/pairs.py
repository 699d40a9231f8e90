"""The six pairs: transferred, scored, compared, drawn and written; notebooks 03 to 05, 09 and 10.

``audiostyle pairs`` writes the same table without notebooks.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import librosa
import numpy as np
import pandas as pd
from librosa.util import fix_length

from audiostyle.baselines.equaliser import equaliser
from audiostyle.cache import cached
from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.clips import Pair, PairAudio, load_pair, made_of
from audiostyle.measures import table as measures
from audiostyle.measures.content import chroma_similarity, note_similarity, onset_f_measure
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER, judge_losses, method_name
from audiostyle.sound.levels import rms, set_level
from audiostyle.spectrogram import magnitudes, to_decibels
from audiostyle.transfer import TransferResult, transfer_style
from audiostyle.widgets import renders
from experiments.presets import Preset

# The Gram matrix at infinite width: the phase found by Algorithm 1 from a random start, or the sound polished.
PLAIN, POLISH = "infinite, Griffin-Lim", "infinite, polish"
# Column, heading and format of the table that a notebook shows.
_SHOWN = {
    "content_share_fresh": ("content loss / E", "{:z.3f}"),
    "style_share_fresh": ("style loss left", "{:z.3f}"),
    "spectral_convergence_db": ("spectral convergence (dB)", "{:.1f}"),
    "chroma_similarity": ("chroma to content", "{:.3f}"),
    "onset_f": ("onset F to content", "{:.2f}"),
    "style_distance": ("distance to style", "{:.3f}"),
    "mfcc_frechet": ("MFCC Fréchet distance to style", "{:.1f}"),
    "target_distance_db": ("distance to target (dB)", "{:.1f}"),
}
# Cells of the content so far under its loudest are its gaps.
_GAP_DB = -60.0


class PairRun(NamedTuple):
    """A pair as loaded, its transfer, and rows for the result, the two copies and the equaliser (`score`)."""

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
    """Load, transfer and score a pair, by the preset's settings unless others are given."""
    config = config or preset.config
    audio = load_pair(pair, duration=preset.duration, sr=config.sr)
    result = transfer_style(audio.content, audio.style, audio.sr, config, progress=progress)
    return PairRun(pair, audio, result, score(pair, audio, result, n_fresh=preset.config.n_filters))


def score(pair: Pair, audio: PairAudio, result: TransferResult, *, n_fresh: int = 4096) -> pd.DataFrame:
    """Score a transfer of a pair (`audiostyle.measures.table.score`), with columns ``pair`` and ``edition``."""
    table = measures.score(result, audio.content, audio.style, audio.target, n_fresh=n_fresh)
    table.insert(0, "pair", pair.pair)
    table.insert(1, "edition", pair.edition)
    return table


def numbers(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return tables of `score`, of one edition, as a notebook shows them: text, a dash where nothing applies.

    Every number is of the final sound, both losses under a bank of filters that was never optimised; the rows of the
    references are shown once for each pair. The corner names the edition.
    """
    table = pd.concat(tables).drop_duplicates(["pair", "method"])
    table = table.set_index(["pair", "method"]).sort_index(level="pair", sort_remaining=False, kind="stable")
    shown = {
        heading: ["–" if pd.isna(value) else form.format(value) for value in table[column]]
        for column, (heading, form) in _SHOWN.items()
        if column in table and table[column].notna().any()
    }
    frame = pd.DataFrame(shown, index=table.index.set_names([None, None]))
    if table.index.get_level_values("pair").nunique() == 1:
        frame = frame.droplevel(0)
    return frame.rename_axis(columns=f"{table['edition'].iloc[0]} clips")


def by_the_paper(pair: Pair, preset: Preset, balance: float = 0.5) -> dict[str, np.ndarray]:
    """Return content, style and the paper's result, waveforms [shape=(n_samples,)] at the preset's rate.

    Content and style have one level; the result has the level at which the losses were measured, its own. It is kept
    under ``results/cache/paper`` and not made again.
    """
    config = replace(preset.config, balance=balance)
    audio = load_pair(pair, duration=preset.duration, sr=config.sr)

    def compute() -> dict[str, np.ndarray]:
        return {"y": transfer_style(audio.content, audio.style, audio.sr, config).y_computed}

    made = {"sources": made_of(pair, preset.duration), "config": config}
    found = cached(compute, paths.cache_dir() / "paper", "paper", **made)
    levelled = (set_level(y, config.level) for y in (audio.content, audio.style))
    return dict(zip(("content", "style", "result"), (*levelled, found["y"]), strict=True))


def caption(pair: Pair, preset: Preset) -> str:
    """Return the pair, the edition and the number of filters, for the title of a figure or a row of players."""
    return f"{pair.title} · {pair.edition} clips · {preset.config.n_filters} filters"


def judged(sounds: dict[str, np.ndarray], preset: Preset) -> pd.DataFrame:
    """Return the numbers of a pair that notebooks 03 to 05 show, rounded: of copies, equaliser and result.

    Its level over the content's; style loss left under fresh filters, at this level and at the content's. At equal
    level, chroma and onsets in common with the content; notes in common with the style,
    whenever they sound; and of the picture in dB its correlation with the content's and with the style's, cell by
    cell, the distance of its average from the style's, in 40 mel bands, and its median where the content is 60 dB
    under its loudest cell. `sounds` as of `by_the_paper`, and more to compare by their names.
    """
    content, style = sounds["content"], sounds["style"]
    sr, n = preset.config.sr, len(content)
    made = {
        COPY_CONTENT: content,
        COPY_STYLE: fix_length(style, size=n),
        EQUALISER: equaliser(content, style),
    }
    made |= {name: y for name, y in sounds.items() if name not in ("content", "style")}
    raw, made = made, {name: set_level(y, preset.config.level) for name, y in made.items()}
    spectra = {name: magnitudes(y) for name, y in made.items()}
    level = {name: to_decibels(S, spectra[COPY_CONTENT].max()) for name, S in spectra.items()}
    bands = librosa.filters.mel(sr=sr, n_fft=preset.config.n_fft, n_mels=40)
    mean = {name: librosa.power_to_db(bands @ (S**2).mean(axis=1)) for name, S in spectra.items()}
    gaps = level[COPY_CONTENT] <= _GAP_DB
    rows = {
        name: {
            "level (dB)": 20 * np.log10(rms(raw[name]) / rms(content)),
            "style loss left": _style_left(raw[name], content, style, preset),
            "at equal level": _style_left(y, content, style, preset),
            "notes kept": chroma_similarity(y, content, sr),
            "attacks kept": onset_f_measure(y, content, sr),
            "the style's notes": note_similarity(y, style, sr),
            "like the content": np.corrcoef(level[name].ravel(), level[COPY_CONTENT].ravel())[0, 1],
            "like the style": np.corrcoef(level[name].ravel(), level[COPY_STYLE].ravel())[0, 1],
            "average from the style (dB)": rms(mean[name] - mean[COPY_STYLE]),
            "in the gaps (dB)": np.median(level[name][gaps]),
        }
        for name, y in made.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").astype(float).round(2) + 0.0
    return table.round(dict.fromkeys([name for name in table if name.endswith("(dB)")], 1))


def _style_left(y: np.ndarray, content: np.ndarray, style: np.ndarray, preset: Preset) -> float:
    judge = {"judge": "fresh", "n_filters": preset.config.n_filters}
    return judge_losses(y, content, style, **judge)["style_share_fresh"]


def store_run(run: PairRun) -> None:
    """Keep the result of a whole pair, with its numbers, for the pair explorer."""
    content, style, sr = run.audio.content, run.audio.style, run.audio.sr
    rendered = renders.rendered(run.result, content, style, sr)
    renders.store(run.pair, len(content) / sr, rendered)


def fill_grid(
    pair: Pair, preset: Preset, balances: Sequence[float], *, methods: Sequence[str] = renders.METHODS
) -> dict[tuple[str, float], renders.Rendered]:
    """Make sure that results of a pair are stored for the pair explorer; returns them by method and balance."""
    found, audio = {}, load_pair(pair, duration=preset.duration)
    for method in methods:
        for balance in balances:
            config = renders.method_config(method, balance, preset)
            kept = renders.load_stored(pair, preset.duration, config)
            if kept is None:
                kept, _ = renders.render(audio.content, audio.style, audio.sr, config)
                renders.store(pair, preset.duration, kept)
            found[method, balance] = kept
    return found
