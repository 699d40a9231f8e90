"""Write the tables of README.md and results/README.md from the committed results: ``python -m benchmarks.readme``.

Each table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; a test compares them.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from audiostyle.datasets import clips, paths
from audiostyle.sound.files import whole_file
from audiostyle.speakers.sketch import N_PAIRS
from audiostyle.studies import trade_offs
from audiostyle.studies.neighbours import mean_table
from experiments.pairs import MATCHED
from experiments.results import committed

# As in notebook 11: what is less ahead is level.
_TIE = 0.02
_MARK = re.compile(r"(<!-- table: (?P<name>[a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(text: str) -> str:
    """Return a text with every marked table made from its CSV.

    Raises
    ------
    ValueError
        If a mark names no table.
    """

    def table(match: re.Match) -> str:
        name = match["name"]
        if name not in TABLES:
            raise ValueError(f"table {name!r} does not exist; there are {', '.join(TABLES)}")
        return f"{match[1]}\n{TABLES[name]()}\n\n{match[3]}"

    return _MARK.sub(table, text)


def _markdown(rows: list[dict]) -> str:
    header = list(rows[0])
    lines = [header, ["---"] * len(header), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def _pairs() -> str:
    rows = []
    table = committed("recorded/pairs")
    order = [pair.pair for pair in clips.pairs("recorded")]
    for _, row in table.sort_values(
        "pair", key=lambda names: names.map(order.index), kind="stable"
    ).iterrows():
        rows.append(
            {
                "pair": row["pair"],
                "method": row["method"],
                "style share": _number(row["style_share_fresh"], 3),
                "content loss": _number(row["content_loss_fresh"], 1),
                "chroma to content": _number(row["chroma_similarity"], 3),
                "MFCC to style": _number(row["mfcc_distance"], 1),
                "spectral convergence (dB)": _number(row["spectral_convergence_db"], 1),
            }
        )
    return _markdown(rows)


def _width() -> str:
    totals, curves = (
        committed(f"recorded/width_{name}").groupby(["pair", "balance"], sort=False)["ratio"]
        for name in ("totals", "curves")
    )
    rows = []
    for (pair, balance), total in totals:
        equal = curves.get_group((pair, balance))
        rows.append(
            {
                "pair": pair,
                "balance": f"{balance:g}",
                "total objective": f"{total.mean():.3f} ± {total.std():.3f}",
                "style loss at equal content": f"{equal.mean():.3f} ± {equal.std():.3f}",
                "lower on": f"{(total < 1).sum()} and {(equal < 1).sum()} of {len(total)} banks",
            }
        )
    return _markdown(rows)


_FEW = ("paper", "ridge", "best", "gmm")
_TABLE1 = ("paper", "ridge", "best", "spectrum", "mfcc", "gmm", "chance")


def _table1() -> str:
    table = committed("recorded/table1")
    design = ["corpus", "n_speakers", "n_train", "split"]
    rows = []
    for (corpus, speakers, train, split), part in table.groupby(design, sort=False):
        limit = part[part["encoder"] != "random-4096"].set_index("method")
        row = {"corpus": f"{corpus}, {speakers} × {2 * train // speakers}", "split": split}
        for method in _TABLE1:
            if method not in limit.index:
                row[method] = "–"
                continue
            at = limit.loc[method]
            row[method] = f"{at['accuracy']:.3f}"
            if method in ("paper", "best"):
                row[method] += f" [{at['ci_low']:.3f}, {at['ci_high']:.3f}]"
        seeds = part.loc[part["encoder"] == "random-4096", "accuracy"]
        spread = f"{seeds.mean():.3f} ± {seeds.std():.3f} ({len(seeds)})" if len(seeds) else "–"
        row["paper, 4096 filters (seeds)"] = spread
        rows.append(row)
    return _markdown(rows)


def _channels() -> str:
    table = committed("recorded/channels")
    lowest = table.groupby(["design", "channel", "method"], sort=False)[["n_correct", "n_test"]].min()
    rows = []
    for design, part in lowest.groupby("design", sort=False):
        for method in ("ridge", "best"):
            row = {"corpus": design, "method": method}
            for (_, channel, own), counts in part.iterrows():
                if own == method:
                    row[channel] = f"{counts.n_correct:g} of {counts.n_test:g}"
            rows.append(row)
    return _markdown(rows)


def _few_shot() -> str:
    table = committed("recorded/few_shot")
    rows = []
    for (design, value), part in table.groupby(["design", "value"], sort=False):
        right = {row.method: f"{row.n_correct} of {row.n_test}" for row in part.itertuples()}
        rows.append({"corpus": design, "train with": value} | {name: right[name] for name in _FEW})
    of = table.pivot(index=["design", "value"], columns="method", values="n_correct")
    more, fewer = int((of["ridge"] > of["best"]).sum()), int((of["ridge"] < of["best"]).sum())
    return (
        f"{_markdown(rows)}\n\n`ridge`, which hears the whole spectrum, names more than `best` in "
        f"{more} of {len(of)} rows, fewer in {fewer}."
    )


def _sketch_said() -> str:
    table = committed("recorded/sketch").set_index(["design", "split"])
    exact = table.loc[table["n_pairs"] == 0, "n_correct"]
    own = table[table["n_pairs"] == N_PAIRS]
    off = int((own["n_correct"] - exact.loc[own.index]).abs().max())
    items = "item" if off == 1 else "items"
    return (
        f"By sketches of {N_PAIRS} numbers the {len(exact)} tables above (designs and splits), each with "
        f"{own['seed'].nunique()} seeds, are within {off} test {items} of those of whole Gram matrices. An utterance "
        f"is {own['bytes_each'].max():,.0f} bytes and costs {own['cpu_ms_each'].mean():.0f} ms of one core after "
        "reading."
    )


def _scale() -> str:
    return _markdown(
        [
            {
                "utterances": f"{row.n_utterances:,}".replace(",", " "),
                "made and sketched (s)": _number(row.made_and_sketched_s, 0),
                "classified (s)": _number(row.classified_s, 0),
                "peak (MB)": row.peak_mb,
                "named rightly": f"{row.n_correct} of {row.n_test}",
            }
            for row in committed("recorded/scale").itertuples()
        ]
    )


def _scale_said() -> str:
    people = committed("recorded/scale_speakers")
    most = people[people["n_speakers"] == people["n_speakers"].max()]
    right = " and ".join(f"{row.n_correct} of {row.n_test} ({row.split})" for row in most.itertuples())
    spread = committed("recorded/scale_workers")
    took = {how: ", ".join(f"{s:.0f} s" for s in part["seconds"]) for how, part in spread.groupby("how")}
    equal = "the same" if spread["rows_equal"].all() else "not the same"
    return (
        f"Of {most['n_speakers'].iloc[0]} real speakers, all at hand, sketches name {right} rightly. Made and sketched "
        f"by one and by two processes, {spread['n_utterances'].iloc[0]:,} utterances take {took['processes']}, by as "
        f"many workers of Dask {took['dask']}; the rows are {equal}."
    )


def _seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


# Beginnings of what the benchmarks are called, in the order in which README shows them.
_BENCHMARKS = (
    "loss and gradient",
    "lower",
    "transfer",
    "loss and gradient by",
    "prep",
    "30",
    "optim",
    "beside",
)


def _benchmarks() -> str:
    table = committed("benchmarks")
    place = {
        name: max(i for i, p in enumerate(_BENCHMARKS) if name.startswith(p)) for name in table["benchmark"]
    }
    rows = []
    for _, row in table.sort_values(
        "benchmark", key=lambda names: names.map(place), kind="stable"
    ).iterrows():
        seconds = {f"{s:g}" for s in (row["content_s"], row["style_s"]) if not pd.isna(s)}
        rows.append(
            {
                "what": row["benchmark"],
                "method": row["method"] if pd.isna(row["note"]) else f"{row['method']} ({row['note']})",
                "seconds": ", ".join(sorted(seconds, key=float, reverse=True)),
                "hop": f"{row['hop']:g}",
                "median": _seconds(row["median_s"]),
                "quartiles": "–"
                if not row["repeats"] >= 4 or pd.isna(row["low_s"])
                else f"{_seconds(row['low_s'])} – {_seconds(row['high_s'])}",
                "repeats": _number(row["repeats"], 0),
                "times faster": "–"
                if pd.isna(row["ratio_to_explicit"])
                else f"{row['ratio_to_explicit']:.1f}",
                "peak (MB)": _number(row.get("peak_mb"), 0),
            }
        )
    return _markdown(rows)


def _by_method(means: pd.DataFrame, columns: tuple[tuple[str, str, int], ...]) -> str:
    """Return a table with a row for each method and columns (heading, column, digits) for both sets of triples."""
    rows = []
    for method, found in means.groupby("method", sort=False):
        of = found.set_index("set")
        rows.append({"method": method})
        for part in ("choose", "confirm"):
            rows[-1] |= {f"{head}, {part}": _number(of.at[part, name], n) for head, name, n in columns}
    return _markdown(rows)


def _truth() -> str:
    columns = (("LSD (dB)", "lsd", 2), ("MCD", "mcd", 1), ("chroma", "chroma", 3))
    return _by_method(committed("truth_mean"), columns)


def _neighbours() -> str:
    means = mean_table(committed("neighbours"))
    columns = (("LSD (dB)", "lsd", 2), ("chroma", "chroma", 3), ("onset F", "target_onset_f", 3))
    return _by_method(means[means["set"] != "pairs"], columns)


def _neighbours_said() -> str:
    means = mean_table(committed("neighbours")).set_index(["set", "method"])["lsd"].unstack("set")
    of = {name: f"{row['choose']:.2f} / {row['confirm']:.2f}" for name, row in means.iterrows()}
    better = [name for name, row in means.iterrows() if (row < means.loc[MATCHED]).all()]
    return (
        f"In dB on the triples chosen on / kept for confirmation: three front ends bring the optimisation from "
        f"{of['linear']} to {of['three']}; {MATCHED} is at {of[MATCHED]}, and "
        f"{', '.join(better) if better else 'nothing here'} improves on it on both."
    )


def _own_rate_said() -> str:
    t = committed("recorded/own_rate")
    off, equalised = (
        (t[f"treble_{name}_db"] - t["treble_style_db"]).abs() for name in ("result", "equaliser")
    )
    more = int((t["treble_result_db"] >= t["treble_equaliser_db"]).sum())
    return (
        f"On {len(t)} recordings brought to 48 kHz and stereo, each with another one's style, the balance of channels "
        f"is within {t['balance_off_db'].abs().max():.2f} dB of the content's and the loudness within "
        f"{t['loudness_off_db'].abs().max():.2f} dB. Above 11.5 kHz, at equal loudness, the result is "
        f"{off.median():.1f} dB (median) from the style's own level, {off.max():.0f} at most, where the style has "
        f"{t['treble_style_db'][off.idxmax()]:.0f} dB; the equaliser is {equalised.median():.1f} and "
        f"{equalised.max():.0f} dB from it, and the result has at least the equaliser's level on {more}. With the "
        f"content as style it comes back at {t['null_db'].max():.0f} dB or better."
    )


# What a reader of README needs to place the default.
_SHORT = (
    "copy the content",
    "equaliser",
    "NMF musaicing transposed",
    "paper's setting",
    "default",
    "oracle 80 bands",
)


def _truth_short() -> str:
    header, rule, *lines = _truth().splitlines()
    chosen = [line for name in _SHORT for line in lines if line.startswith(f"| {name} |")]
    return "\n".join([header, rule, *chosen])


def _trade_offs_said() -> str:
    everything = pd.concat(
        committed(f"recorded/{name}") for name in ("trade_offs", "trade_offs_curves", "trade_offs_paper")
    )
    contests = [(trade_offs.POLISH, rival) for rival in (trade_offs.PAPER, trade_offs.MUSAICING)]
    wins = trade_offs.scoreboard(everything, contests, margin=_TIE)
    paper, musaicing = (wins.loc[contest] for contest in contests)
    of = {name: paper["chroma_similarity", name] for name in trade_offs.TIMBRE_MEASURES}
    lost = committed("recorded/trade_offs_polish").groupby("method")["over_optimum_fresh"].agg(["min", "max"])
    kept, others = lost.loc[trade_offs.POLISH], lost.loc[list(trade_offs.PHASES)]
    return (
        f"The polish ends at {kept['min']:.2f} to {kept['max']:.2f} times the style loss of the magnitudes, the phases "
        f"found afterwards at {others['min'].min():.2f} to {others['max'].max():.2f}. Against the paper's setting at "
        f"balance 0.5 (two banks of filters each, at most 40 iterations) the polished limit is ahead on "
        f"{of['style_share_limit']} pairs by style loss and chroma, on {of['texture_distance']} by texture statistics "
        f"and chroma, on {of['mfcc_frechet']} by MFCC distance and chroma; with onsets in the place of chroma on "
        f"{min(paper['onset_f'])} or more by each. Ahead means that some point of its curve over six balances is "
        f"better by more than {_TIE:.0%} in one and no worse in the other. By every two of these measures it is ahead "
        f"of NMF musaicing on {min(musaicing)} or more."
    )


def _farthest() -> str:
    table = committed("truth")
    distance = table.pivot(index="pair", columns="method", values="lsd")
    worst = distance["default"].nlargest(2)
    said = ", ".join(f"{pair} ({value:.1f} dB)" for pair, value in worst.items())
    behind = ", ".join(distance.index[distance["default"] > distance["equaliser"]])
    return f"Farthest: {said}. The equaliser is nearer on {behind or 'none'}.".replace("_", " → ")


_SIGNS = {"yes": "●", "partly": "◐", "no": "○", "-": "–", "?": "?"}


def _peers() -> str:
    table = pd.read_csv(paths.root() / "results" / "peers.csv")
    links = pd.read_csv(paths.root() / "results" / "peers_systems.csv", index_col="system")["link"]
    names = {name: f"[{name}]({link})" for name, link in links.dropna().items()}
    return _markdown(
        [
            {names.get(column, column): _SIGNS.get(value, value) for column, value in row.items()}
            for row in table.to_dict("records")
        ]
    )


TABLES: dict[str, Callable[[], str]] = {
    "truth-short": _truth_short,
    "truth": _truth,
    "farthest": _farthest,
    "pairs": _pairs,
    "width": _width,
    "table1": _table1,
    "channels": _channels,
    "few-shot": _few_shot,
    "sketch-said": _sketch_said,
    "scale": _scale,
    "scale-said": _scale_said,
    "benchmarks": _benchmarks,
    "trade-offs-said": _trade_offs_said,
    "own-rate-said": _own_rate_said,
    "neighbours": _neighbours,
    "neighbours-said": _neighbours_said,
    "peers": _peers,
}


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
