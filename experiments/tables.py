"""Write the tables of README.md and results/README.md from the committed results: ``python -m experiments.tables``.

Each table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; a test compares them.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from audiostyle.datasets import clips, paths
from audiostyle.system import whole_file
from experiments.results import committed
from experiments.table1 import PAPER_TABLE

_MARK = re.compile(r"(<!-- table: (?P<name>[a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Rows of the page; the files have more.
_LISTENED = (
    "style_distance: RMS .5, patch of 1 s", "Gram, cosine", "Gram, without ReLU", "Gram, patch of 1 frame",
    "Gram, without log1p", "Gram, Euclidean as eq. 6", "mean log1p spectrum", "MFCC by frame", "mean MFCC",
    "CLAP laion-music, in print", "MFCC by frame, in print",
)  # fmt: skip
_JUDGED = (
    "copy the content", "copy the style", "equaliser", "cross-synthesis", "NMF musaicing transposed",
    "paper's setting", "default", "default at 0.75", "oracle 40 bands",
)  # fmt: skip
TABLES: dict[str, Callable[[], pd.DataFrame]] = {}


def _table(function: Callable[[], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
    """Register what makes a table under its name with dashes."""
    TABLES[function.__name__.replace("_", "-")] = function
    return function


def render(text: str) -> str:
    """Return a text with every marked table made from its CSV; a mark that names no table is a ValueError."""

    def made(match: re.Match) -> str:
        name = match["name"]
        if name not in TABLES:
            raise ValueError(f"table {name!r} does not exist; there are {', '.join(TABLES)}")
        table = TABLES[name]()
        lines = [list(table), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
        rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"{match[1]}\n{rows}\n\n{match[3]}"

    return _MARK.sub(made, text)


def _shown(table: pd.DataFrame, columns: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Return columns as text, a dash for what is missing: heading to name and format."""
    return pd.DataFrame(
        {
            heading: ["–" if pd.isna(value) else form.format(value) for value in table[name]]
            for heading, (name, form) in columns.items()
        }
    )


def _by_method(means: pd.DataFrame, columns: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Return `_shown` with a row for each method, first of the triples that choose, then of those that confirm."""
    parts = {which: means[means["set"] == which].set_index("method") for which in ("choose", "confirm")}
    methods = parts["choose"].index
    shown = [_shown(part.loc[methods], columns).add_suffix(f", {which}") for which, part in parts.items()]
    return pd.concat([pd.Series(methods), *shown], axis=1)


@_table
def truth() -> pd.DataFrame:
    columns = {"LSD (dB)": ("lsd", "{:.2f}"), "MCD": ("mcd", "{:.1f}"), "chroma": ("chroma", "{:.3f}")}
    means = committed("truth_mean")
    return _by_method(means[means["method"].isin(_JUDGED)], columns)


@_table
def truth_short() -> pd.DataFrame:
    columns = {"LSD (dB)": ("lsd", "{:.1f}"), "distance": ("style_distance", "{:.3f}")}
    means, shown = committed("truth_mean"), ["copy the content", "equaliser", "paper's setting", "default"]
    parts = [
        _shown(means[means["set"] == kept].set_index("method").loc[shown], columns).add_suffix(f", {name}")
        for kept, name in (("confirm", "renders"), ("truth_real", "real notes"))
    ]
    return pd.concat([pd.Series(shown, name="method"), *parts], axis=1)


@_table
def pairs() -> pd.DataFrame:
    columns = {
        "pair": ("pair", "{}"),
        "method": ("method", "{}"),
        "style share": ("style_share_limit", "{:.3f}"),
        "distance to style": ("style_distance", "{:.3f}"),
        "chroma to content": ("chroma_similarity", "{:.3f}"),
        "haze (dB)": ("haze_db", "{:.1f}"),
    }
    shown = ("equaliser", "the paper", "matched timbre")
    table = committed("recorded/trade_offs")
    table = table[table["balance"].isin([0.5, float("nan")])].set_index(["pair", "method"])
    rows = [(pair.pair, method) for pair in clips.pairs("recorded") for method in shown]
    return _shown(table.loc[rows].reset_index(), columns)


@_table
def listening() -> pd.DataFrame:
    table = committed("listening")
    columns = {
        "distance": ("distance", "{}"),
        "Kendall": ("kendall", "{:.3f}"),
        "triplets": ("triplets", "{:.3f}"),
    }
    return _shown(table[table["distance"].isin(_LISTENED)], columns)


@_table
def table1_short() -> pd.DataFrame:
    table = committed("recorded/table1").query("corpus == 'librispeech' and n_test == 80")
    by = table.groupby([table["encoder"].fillna(table["method"]), "n_speakers", "split"])["accuracy"].mean()
    methods = {"ours, on LibriSpeech": "random-4096", "average spectrum": "spectrum", "chance": "chance"}
    rows = [
        {"speakers": speakers, "the paper, on VCTK": f"{accuracy:.3f}"}
        | {h: " and ".join(f"{value:.3f}" for value in by[m, speakers].unique()) for h, m in methods.items()}
        for speakers, _, _, accuracy in PAPER_TABLE
    ]
    return pd.DataFrame(rows)


@_table
def table1() -> pd.DataFrame:
    rows = []
    design = ["corpus", "n_speakers", "n_train", "split"]
    for (corpus, speakers, train, split), part in committed("recorded/table1").groupby(design, sort=False):
        limit = part[part["encoder"] != "random-4096"].set_index("method")
        row = {"corpus": f"{corpus}, {speakers} × {2 * train // speakers}", "split": split}
        for method in ("paper", "linear", "ridge", "best", "spectrum", "mfcc", "gmm", "chance"):
            row[method] = f"{limit.at[method, 'accuracy']:.3f}" if method in limit.index else "–"
            # A bootstrap over speakers says nothing of fewer, nor where every one is always right.
            if method in ("paper", "linear", "best") and speakers >= 10 and limit.at[method, "ci_low"] < 1:
                row[method] += f" [{limit.at[method, 'ci_low']:.3f}, {limit.at[method, 'ci_high']:.3f}]"
        seeds = part.loc[part["encoder"] == "random-4096", "accuracy"]
        spread = f"{seeds.mean():.3f} ± {seeds.std():.3f} ({len(seeds)})" if len(seeds) else "–"
        rows.append(row | {"paper, 4096 filters (seeds)": spread})
    return pd.DataFrame(rows)


@_table
def channels() -> pd.DataFrame:
    table = committed("recorded/channels")
    said = table["n_correct"].astype(str) + " of " + table["n_test"].astype(str)
    wide = table.assign(said=said).pivot_table(
        index="method", columns="channel", values="said", aggfunc="first", sort=False
    )
    return wide.reset_index()


@_table
def benchmarks() -> pd.DataFrame:
    rows = []
    about = ["benchmark", "content_s", "hop"]
    for (what, seconds, hop), part in committed("benchmarks").groupby(about, sort=False):
        before, after = part.iloc[0], part.iloc[-1]
        times = (f"{1000 * row['min_s']:,.1f}" for row in (before, after))
        row = {"what": what, "seconds": f"{seconds:g}", "hop": hop}
        row |= dict(zip(("explicit Gram, or librosa (ms)", "ours (ms)"), times, strict=True))
        rows.append(row | {"times faster": f"{after['times_faster']:.1f}"})
    return pd.DataFrame(rows)


def pages() -> list[Path]:
    """Return the files with tables."""
    return [paths.root() / "README.md", paths.root() / "results" / "README.md"]


def main() -> None:
    """Rewrite the pages."""
    for path in pages():
        text = render(path.read_text())
        with whole_file(path) as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    main()
