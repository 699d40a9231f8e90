"""How near methods come to a known truth: triples of content, style and target.

``python -m benchmarks.truth`` writes the tables. A method sees content and style alone; an oracle, which bounds what
a filter can do, sees the target.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import librosa
import numpy as np
import pandas as pd

from audiostyle.baselines.cross_synthesis import cross_synthesis
from audiostyle.baselines.equaliser import equaliser
from audiostyle.baselines.musaicing import nmf_musaicing
from audiostyle.config import TransferConfig
from audiostyle.datasets import paths
from audiostyle.datasets.keys import cache_key
from audiostyle.datasets.triples import Triple, load_triple
from audiostyle.measures.timbre import mfcc_distance
from audiostyle.measures.truth import truth_numbers
from audiostyle.sound.audio import fix_length, set_level
from audiostyle.sound.files import whole_file
from audiostyle.spectrogram import istft, stft
from audiostyle.studies.trade_offs import CROSS, MUSAICING
from audiostyle.transfer import transfer_style
from experiments.pairs import COPY_CONTENT, COPY_STYLE, EQUALISER, MATCHED

TRANSPOSED = "NMF musaicing transposed"
PAPER = "paper's setting"
FIRST = "0.1.0 default"
DEFAULT = "default"
KEYS = ["set", "pair", "method"]
MEASURES = ("lsd", "mcd", "chroma", "onset_f")
_N_FFT, _HOP = 2048, 512
# Power of a band, at a root mean square of 0.05, below which it is taken for silence.
_LEAST = 1e-7


@dataclass(frozen=True)
class Method:
    """A function of content, style and sample rate to a waveform at that rate, and what names its stored results.

    Parameters
    ----------
    make : callable
        ``make(content, style, sr, **settings) -> y``.
    code : str
        Full name of the module whose code makes the sound; empty for what is not worth storing.
    settings : dict
        What JSON can hold, and dataclasses of that.

    Examples
    --------
    >>> half = Method(lambda content, style, sr, gain: gain * content, settings={"gain": 0.5})
    >>> half(np.ones(2), np.zeros(2), 22050).tolist()
    [0.5, 0.5]
    """

    make: Callable[..., np.ndarray]
    code: str = ""
    settings: dict = field(default_factory=dict)

    def __call__(self, content: np.ndarray, style: np.ndarray, sr: int) -> np.ndarray:
        """Return the sound [shape=(n_samples,)]."""
        return self.make(content, style, sr, **self.settings)


def _of_any_rate(function: Callable[..., np.ndarray], **settings: object) -> Method:
    """Make a method of a function that knows no sample rate."""

    def make(content: np.ndarray, style: np.ndarray, sr: int, **given: object) -> np.ndarray:
        return function(content, style, **given)

    return Method(make, function.__module__, settings)


def transferred(
    content: np.ndarray, style: np.ndarray, sr: int, config: TransferConfig | None = None
) -> np.ndarray:
    """Return the sound of a transfer at the sample rate given, as long as the content."""
    result = transfer_style(content, style, sr, config, progress=False)
    if result.sr == sr:
        return result.y
    return fix_length(librosa.resample(result.y, orig_sr=result.sr, target_sr=sr), len(content))


def _matched(content: np.ndarray, style: np.ndarray, sr: int) -> np.ndarray:
    from audiostyle.matching import match_timbre

    return match_timbre(content, style, sr=sr).y


METHODS: dict[str, Method] = {
    COPY_CONTENT: Method(lambda content, style, sr: content),
    COPY_STYLE: Method(lambda content, style, sr: fix_length(style, len(content))),
    EQUALISER: _of_any_rate(equaliser),
    CROSS: _of_any_rate(cross_synthesis),
    MUSAICING: _of_any_rate(nmf_musaicing),
    TRANSPOSED: _of_any_rate(nmf_musaicing, transpositions=tuple(range(-12, 13)), most_templates=2000),
    # After 40 iterations the loss is within 0.2 % of where 150 would take it (one pair, 0.05 dB of LSD), in minutes.
    PAPER: Method(
        transferred,
        "audiostyle.transfer",
        {"config": TransferConfig(encoder="random", n_filters=4096, phase="griffin_lim", n_iter=40)},
    ),
    FIRST: Method(
        transferred,
        "audiostyle.transfer",
        {"config": TransferConfig(encoder="infinite", phase="polish", method="gram", balance=0.5)},
    ),
    MATCHED: Method(_matched, "audiostyle.matching"),
    DEFAULT: Method(transferred, "audiostyle.transfer"),
    # What the style loss after the match does to the distance.
    **{
        f"default at {balance}": Method(
            transferred, "audiostyle.transfer", {"config": TransferConfig(balance=balance)}
        )
        for balance in (0.6, 0.75, 1.0)
    },
}
ORACLES = {f"oracle {n} bands": n for n in (20, 40, 80)}
NAMES = (*METHODS, *ORACLES)


def oracle_filter(content: np.ndarray, target: np.ndarray, sr: int, n_bands: int) -> np.ndarray:
    """Filter the content so that every frame has the target's own band levels.

    What a gain for each of so many mel bands and each frame (2048 samples every 512) can do at best, or nearly: the
    gains in dB are interpolated to the bins of the content's complex transform.

    Parameters
    ----------
    content, target : np.ndarray [shape=(n_samples,)]
        Waveforms of the same length.
    sr : int
        Sample rate in Hz.
    n_bands : int > 0
        Number of mel bands.

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32]
        About as loud as the content.

    Raises
    ------
    ValueError
        If a clip is silent.
    """
    bank = librosa.filters.mel(sr=sr, n_fft=_N_FFT, n_mels=n_bands)
    log_bands = []
    for y, name in ((target, "target"), (content, "content")):
        D = stft(set_level(y, name=name), n_fft=_N_FFT, hop_length=_HOP).numpy()
        log_bands.append(np.log(bank @ np.abs(D) ** 2 + _LEAST))
    log_gain = 0.5 * (log_bands[0] - log_bands[1])
    # Bins in no band, at both ends, keep their level.
    to_bins = bank.T / np.maximum(bank.sum(axis=0), np.finfo(bank.dtype).tiny)[:, None]
    D = stft(content, n_fft=_N_FFT, hop_length=_HOP).numpy() * np.exp(to_bins @ log_gain)
    return istft(D, hop_length=_HOP, length=len(content)).numpy()


def make_sound(
    name: str, content: np.ndarray, style: np.ndarray, sr: int, method: Method | None = None
) -> np.ndarray:
    """Return the result of a method, read from ``results/cache/truth`` where the same was made before.

    Parameters
    ----------
    name : str
        Of `METHODS`.
    content, style : np.ndarray [shape=(n_samples,), dtype=float32]
        Waveforms.
    sr : int
        Sample rate in Hz.
    method : Method or None
        One that is not in `METHODS`, of any name.

    Returns
    -------
    np.ndarray [shape=(n_samples,)]
    """
    method = method or METHODS[name]
    if not method.code:
        return method(content, style, sr)
    digests = [hashlib.sha256(np.ascontiguousarray(y).tobytes()).hexdigest() for y in (content, style)]
    key = cache_key(method.code, method=name, made_with=method.settings, sounds=digests, sr=sr)
    path = paths.cache_dir() / "truth" / f"{key}.npy"
    if path.is_file():
        return np.load(path, allow_pickle=False)
    y = np.asarray(method(content, style, sr), dtype=np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        np.save(temporary, y)
    return y


def set_of(triple: Triple) -> str:
    """Return the half that a triple of the repository is in, or the name of its folder."""
    return triple.split or triple.content.resolve().parent.name


def triple_rows(triple: Triple, names: Iterable[str] = NAMES) -> Iterator[dict]:
    """Yield a row for each method.

    Parameters
    ----------
    triple : Triple
    names : iterable of str
        Of `NAMES`.

    Yields
    ------
    dict
        ``set, pair, method``; ``lsd, mcd, chroma, onset_f``, the distance to the target
        (`audiostyle.measures.truth.truth_numbers`); ``style_to_target``, the distance between the mean MFCCs of style
        and target: what the style clip does not contain cannot be taken from it.
    """
    audio = load_triple(triple)
    apart = mfcc_distance(audio.style, audio.target, audio.sr)
    for name in names:
        if name in ORACLES:
            y = oracle_filter(audio.content, audio.target, audio.sr, ORACLES[name])
        else:
            y = make_sound(name, audio.content, audio.style, audio.sr)
        yield {
            "set": set_of(triple),
            "pair": triple.name,
            "method": name,
            **truth_numbers(y, audio.target, audio.sr),
            "style_to_target": apart,
        }


def mean_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of `triple_rows` over pairs.

    Parameters
    ----------
    table : pd.DataFrame

    Returns
    -------
    pd.DataFrame
        For each set and method ``pairs``, their number, the mean of each measure, and the number of pairs on which the
        method is nearer to the target than the content and than the equaliser, by LSD and by MCD; NaN where
        those two were not scored.
    """
    rows = []
    for (which, method), own in table.groupby(["set", "method"], sort=False):
        row = {"set": which, "method": method, "pairs": len(own), **own[list(MEASURES)].mean()}
        for reference, short in ((COPY_CONTENT, "content"), (EQUALISER, "equaliser")):
            for measure in ("lsd", "mcd"):
                row[f"nearer_than_{short}_{measure}"] = _ahead(table, own, reference, measure)
        rows.append(row)
    return in_order(pd.DataFrame(rows))


def _ahead(table: pd.DataFrame, own: pd.DataFrame, reference: str, measure: str) -> float:
    """Count the pairs of `own` with a lower measure than the reference; NaN unless it has all of them."""
    other = table[(table["set"] == own["set"].iloc[0]) & (table["method"] == reference)]
    both = own.merge(other, on="pair", suffixes=("", "_reference"))
    if len(both) < len(own):
        return float("nan")
    return float((both[measure] < both[f"{measure}_reference"]).sum())


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of methods that there are, in the order of `NAMES` within the columns before the method."""
    table = table[table["method"].isin(NAMES)]
    columns = list(table.columns[: table.columns.get_loc("method")])
    places = {column: list(dict.fromkeys(table[column])) for column in columns} | {"method": list(NAMES)}
    return table.sort_values(
        [*columns, "method"],
        key=lambda values: values.map(places[values.name].index),
        kind="stable",
        ignore_index=True,
    )
