"""The six pairs: the paper's results and their numbers for notebooks 03 to 05, stored results for notebook 10."""

from collections.abc import Sequence
from dataclasses import replace

import librosa
import numpy as np
import pandas as pd
from librosa.util import fix_length

from audiostyle.baselines.equaliser import equaliser
from audiostyle.cache import cached
from audiostyle.datasets import paths
from audiostyle.datasets.clips import Pair, load_pair, made_of
from audiostyle.figures.spectrograms import to_decibels
from audiostyle.measures.content import chroma_similarity, note_similarity, onset_f_measure
from audiostyle.measures.table import COPY_CONTENT, COPY_STYLE, EQUALISER, judge_losses
from audiostyle.sound.levels import rms, set_level
from audiostyle.spectrogram import magnitudes
from audiostyle.transfer import transfer_style
from audiostyle.widgets import renders
from experiments.presets import Preset

# The Gram matrix at infinite width: the phase found by Algorithm 1 from a random start, or the sound polished.
PLAIN, POLISH = "infinite, Griffin-Lim", "infinite, polish"
# Cells of the content so far under its loudest are its gaps.
_GAP_DB = -60.0


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
    level, chroma and onsets in common with the content; notes in common with the style, whenever they sound; and of the
    picture in dB its correlation with the content's and with the style's, cell by cell, the distance of its average
    from the style's, in 40 mel bands, and its median where the content is 60 dB under its loudest cell. `sounds` as of
    `by_the_paper`, and more to compare by their names.
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
