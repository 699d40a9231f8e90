"""Write the tables of README.md and results/README.md from the committed results: ``python -m experiments.tables``.

Each table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; a test compares them.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from audiostyle.datasets import clips, paths
from audiostyle.measures.table import EQUALISER, MATCHED
from audiostyle.speakers.sketch import N_PAIRS
from audiostyle.system import whole_file
from experiments import trade_offs
from experiments.neighbours import mean_table
from experiments.results import committed
from experiments.table1 import PAPER_TABLE

# As in notebook 13: what is less ahead is level.
_TIE = 0.02
_MARK = re.compile(r"(<!-- table: (?P<name>[a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TABLES: dict[str, Callable[[], str]] = {}


def _table(function: Callable[[], str | list[dict]]) -> Callable:
    """Register what makes a table, rows or sentences, under its name with dashes."""
    TABLES[function.__name__.replace("_", "-")] = function
    return function


def render(text: str) -> str:
    """Return a text with every marked table made from its CSV.

    Raises
    ------
    ValueError
        If a mark names no table.
    """

    def made(match: re.Match) -> str:
        name = match["name"]
        if name not in TABLES:
            raise ValueError(f"table {name!r} does not exist; there are {', '.join(TABLES)}")
        content = TABLES[name]()
        return f"{match[1]}\n{content if isinstance(content, str) else _markdown(content)}\n\n{match[3]}"

    return _MARK.sub(made, text)


def _markdown(rows: list[dict]) -> str:
    header = list(rows[0])
    lines = [header, ["---"] * len(header), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def _by_method(means: pd.DataFrame, columns: dict[str, tuple[str, int]]) -> list[dict]:
    """Rows for each method; columns, heading to name and digits, for both sets of triples."""
    rows = []
    for method, found in means.groupby("method", sort=False):
        of = found.set_index("set")
        rows.append({"method": method})
        for part in ("choose", "confirm"):
            rows[-1] |= {
                f"{head}, {part}": _number(of.at[part, name], n) for head, (name, n) in columns.items()
            }
    return rows


@_table
def truth() -> list[dict]:
    columns = {"LSD (dB)": ("lsd", 2), "MCD": ("mcd", 1), "chroma": ("chroma", 3)}
    return _by_method(committed("truth_mean"), columns)


@_table
def truth_short() -> list[dict]:
    shown = ("copy the content", "equaliser", "paper's setting", "default")
    means = committed("truth_mean")
    columns = {"LSD (dB)": ("lsd", 1), "chroma": ("chroma", 2)}
    return _by_method(means[means["method"].isin(shown)], columns)


@_table
def recordings_said() -> str:
    table = committed("recorded/pairs").set_index(["pair", "method"])
    ours, plain = (table.xs(name, level="method") for name in (MATCHED, EQUALISER))
    nearer = int((ours["style_share_fresh"] < plain["style_share_fresh"]).sum())
    kept = int((ours["chroma_similarity"] > plain["chroma_similarity"]).sum())
    return (
        f"On the six pairs of recordings nobody knows the truth. There the default leaves less of the style loss than "
        f"the equaliser on {nearer}, and keeps more of the content's chroma on {kept}."
    )


@_table
def farthest() -> str:
    distance = committed("truth").pivot(index="pair", columns="method", values="lsd")
    worst = distance["default"].nlargest(2)
    said = ", ".join(f"{pair} ({value:.1f} dB)" for pair, value in worst.items())
    behind = ", ".join(distance.index[distance["default"] > distance["equaliser"]])
    return f"Farthest: {said}. The equaliser is nearer on {behind or 'none'}.".replace("_", " → ")


@_table
def pairs() -> list[dict]:
    columns = {
        "style share": ("style_share_fresh", 3),
        "content loss": ("content_loss_fresh", 1),
        "chroma to content": ("chroma_similarity", 3),
        "MFCC to style": ("mfcc_distance", 1),
        "spectral convergence (dB)": ("spectral_convergence_db", 1),
    }
    order = [pair.pair for pair in clips.pairs("recorded")]
    table = committed("recorded/pairs")
    table = table.sort_values("pair", key=lambda names: names.map(order.index), kind="stable")
    return [
        {"pair": row["pair"], "method": row["method"]}
        | {heading: _number(row[name], digits) for heading, (name, digits) in columns.items()}
        for _, row in table.iterrows()
    ]


@_table
def width() -> list[dict]:
    totals, curves = (
        committed(f"recorded/width_{name}").groupby(["pair", "balance"], sort=False)["ratio"]
        for name in ("totals", "curves")
    )
    rows = []
    for (pair, balance), total in totals:
        equal = curves.get_group((pair, balance))
        spread = {
            "total objective": f"{total.mean():.3f} ± {total.std():.3f}",
            "style loss at equal content": f"{equal.mean():.3f} ± {equal.std():.3f}",
            "lower on": f"{(total < 1).sum()} and {(equal < 1).sum()} of {len(total)} banks",
        }
        rows.append({"pair": pair, "balance": f"{balance:g}"} | spread)
    return rows


@_table
def trade_offs_said() -> str:
    names = ("trade_offs", "trade_offs_curves", "trade_offs_paper")
    everything = pd.concat(committed(f"recorded/{name}") for name in names)
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


@_table
def own_rate_said() -> str:
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


@_table
def neighbours() -> list[dict]:
    means = mean_table(committed("neighbours"))
    columns = {"LSD (dB)": ("lsd", 2), "chroma": ("chroma", 3), "onset F": ("target_onset_f", 3)}
    return _by_method(means[means["set"] != "pairs"], columns)


@_table
def neighbours_said() -> str:
    means = mean_table(committed("neighbours")).set_index(["set", "method"])["lsd"].unstack("set")
    of = {name: f"{row['choose']:.2f} / {row['confirm']:.2f}" for name, row in means.iterrows()}
    ahead = [name for name, row in means.iterrows() if (row < means.loc[MATCHED]).all()]
    return (
        f"In dB on the triples chosen on / kept for confirmation: three front ends bring the optimisation from "
        f"{of['linear']} to {of['three']}; {MATCHED} is at {of[MATCHED]}, and "
        f"{', '.join(ahead) if ahead else 'nothing here'} improves on it on both."
    )


@_table
def table1_short() -> list[dict]:
    table = committed("recorded/table1").query("corpus == 'librispeech' and n_test == 80")
    by = table.groupby([table["encoder"].fillna(table["method"]), "n_speakers", "split"])["accuracy"].mean()
    methods = {"ours, on LibriSpeech": "random-4096", "average spectrum": "spectrum", "chance": "chance"}
    rows = []
    for speakers, _, _, accuracy in PAPER_TABLE:
        row = {"speakers": speakers, "the paper, on VCTK": f"{accuracy:.3f}"}
        for heading, method in methods.items():
            row[heading] = " and ".join(f"{value:.3f}" for value in by[method, speakers].unique())
        rows.append(row)
    return rows


@_table
def table1() -> list[dict]:
    rows = []
    design = ["corpus", "n_speakers", "n_train", "split"]
    for (corpus, speakers, train, split), part in committed("recorded/table1").groupby(design, sort=False):
        limit = part[part["encoder"] != "random-4096"].set_index("method")
        row = {"corpus": f"{corpus}, {speakers} × {2 * train // speakers}", "split": split}
        for method in ("paper", "linear", "ridge", "best", "spectrum", "mfcc", "gmm", "chance"):
            row[method] = f"{limit.at[method, 'accuracy']:.3f}" if method in limit.index else "–"
            if method in ("paper", "best") and method in limit.index:
                row[method] += f" [{limit.at[method, 'ci_low']:.3f}, {limit.at[method, 'ci_high']:.3f}]"
        seeds = part.loc[part["encoder"] == "random-4096", "accuracy"]
        spread = f"{seeds.mean():.3f} ± {seeds.std():.3f} ({len(seeds)})" if len(seeds) else "–"
        rows.append(row | {"paper, 4096 filters (seeds)": spread})
    return rows


@_table
def channels() -> list[dict]:
    table = committed("recorded/channels")
    lowest = table.groupby(["design", "channel", "method"], sort=False)[["n_correct", "n_test"]].min()
    rows = []
    for design, part in lowest.groupby("design", sort=False):
        for method in ("ridge", "best"):
            own = part.xs(method, level="method").reset_index("channel")
            heard = {row.channel: f"{row.n_correct:g} of {row.n_test:g}" for row in own.itertuples()}
            rows.append({"corpus": design, "method": method} | heard)
    return rows


@_table
def few_shot() -> str:
    table = committed("recorded/few_shot")
    rows = []
    for (design, value), part in table.groupby(["design", "value"], sort=False):
        right = {row.method: f"{row.n_correct} of {row.n_test}" for row in part.itertuples()}
        few = {name: right[name] for name in ("paper", "ridge", "best", "gmm")}
        rows.append({"corpus": design, "train with": value} | few)
    of = table.pivot(index=["design", "value"], columns="method", values="n_correct")
    more, fewer = int((of["ridge"] > of["best"]).sum()), int((of["ridge"] < of["best"]).sum())
    return (
        f"{_markdown(rows)}\n\n`ridge`, which hears the whole spectrum, names more than `best` in "
        f"{more} of {len(of)} rows, fewer in {fewer}."
    )


@_table
def sketch_said() -> str:
    table = committed("recorded/sketch").set_index(["design", "split"])
    exact = table.loc[table["n_pairs"] == 0, "n_correct"]
    own = table[table["n_pairs"] == N_PAIRS]
    off = int((own["n_correct"] - exact.loc[own.index]).abs().max())
    return (
        f"By sketches of {N_PAIRS} numbers the {len(exact)} tables above (designs and splits), each with "
        f"{own['seed'].nunique()} seeds, are within {off} test {'item' if off == 1 else 'items'} of those of whole "
        f"Gram matrices. An utterance is {own['bytes_each'].max():,.0f} bytes and costs "
        f"{own['cpu_ms_each'].mean():.0f} ms of one core after reading."
    )


@_table
def scale() -> list[dict]:
    return [
        {
            "utterances": f"{row.n_utterances:,}".replace(",", " "),
            "made and sketched (s)": _number(row.made_and_sketched_s, 0),
            "classified (s)": _number(row.classified_s, 0),
            "peak (MB)": row.peak_mb,
            "named rightly": f"{row.n_correct} of {row.n_test}",
        }
        for row in committed("recorded/scale").itertuples()
    ]


@_table
def scale_said() -> str:
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


@_table
def benchmarks() -> list[dict]:
    # Beginnings of what the benchmarks are called, in the order in which they are shown.
    order = (
        "loss and gradient", "lower", "transfer", "loss and gradient by", "prep", "30", "optim", "beside"
    )  # fmt: skip
    table = committed("benchmarks")
    place = {n: max(i for i, p in enumerate(order) if n.startswith(p)) for n in table["benchmark"]}
    rows = []
    for _, row in table.sort_values("benchmark", key=lambda n: n.map(place), kind="stable").iterrows():
        lengths = {f"{s:g}" for s in (row["content_s"], row["style_s"]) if not pd.isna(s)}
        spread = f"{_seconds(row['low_s'])} – {_seconds(row['high_s'])}"
        rows.append(
            {
                "what": row["benchmark"],
                "method": row["method"] if pd.isna(row["note"]) else f"{row['method']} ({row['note']})",
                "seconds": ", ".join(sorted(lengths, key=float, reverse=True)),
                "hop": f"{row['hop']:g}",
                "median": _seconds(row["median_s"]),
                "quartiles": spread if row["repeats"] >= 4 and not pd.isna(row["low_s"]) else "–",
                "repeats": _number(row["repeats"], 0),
                "times faster": _number(row["ratio_to_explicit"], 1),
                "peak (MB)": _number(row.get("peak_mb"), 0),
            }
        )
    return rows


@_table
def peers() -> list[dict]:
    signs = {"yes": "●", "partly": "◐", "no": "○", "-": "–", "?": "?"}
    table = pd.read_csv(paths.root() / "results" / "peers.csv")
    links = pd.read_csv(paths.root() / "results" / "peers_systems.csv", index_col="system")["link"].dropna()
    table = table.rename(columns={name: f"[{name}]({link})" for name, link in links.items()})
    rows = table.to_dict("records")
    return [{name: signs.get(value, value) for name, value in row.items()} for row in rows]


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
