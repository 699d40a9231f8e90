"""``audiostyle speakers``: who is speaking, by Gram distance."""

import argparse
import json
import math
import os
import sys
from pathlib import Path

from audiostyle.commands.common import UserError, add_command, check_device, check_jobs, check_output, say
from audiostyle.datasets import paths

_EXAMPLES = """examples:
  audiostyle speakers                              ten synthetic voices that come with the package
  audiostyle speakers LibriSpeech/test-clean --speakers 61,121,237,260 --per-speaker 40 --json table.json
  audiostyle speakers VCTK --n-speakers 4 --per-speaker 40 --methods paper-4096 --seeds 10
  audiostyle speakers VCTK --jobs 2                 all of it, by sketches
  audiostyle speakers VCTK --sketches known --identify new.wav another.wav
  audiostyle speakers known --identify new.wav      from the sketches alone
"""


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    text = "Tell who is speaking by Gram distance (Table 1)."
    parser = add_command(commands, "speakers", _run, text, _EXAMPLES)
    add = parser.add_argument
    bundled = paths.registry_dir() / "mini_corpus"
    add("corpus", type=Path, nargs="?", default=bundled, help="a folder of speakers (the bundled voices)")
    add("--speakers", type=lambda names: names.split(","), help="names a,b,c (all)")
    add("--n-speakers", type=int, help="the first so many speakers, in string order (all)")
    add("--per-speaker", type=int, help="utterances of each, in the order of names (all)")
    methods = "names a,b,c, such as paper-4096 for the paper's with so many random filters (%(default)s)"
    add("--methods", type=lambda names: names.split(","), default="paper,best", help=methods)
    add("--split", choices=("alternate", "halves"), help="one split (both)")
    add("--seeds", type=int, default=1, help="banks of random filters (%(default)s)")
    add("--exact", action="store_true", help="compare all pairs, however many utterances")
    add("--device", default="cpu")
    add("--jobs", type=int, default=1, help="processes, at most one for each core (%(default)s)")
    add("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")
    add("--identify", type=Path, nargs="+", metavar="FILE", help="name who speaks in these by `best`")
    add("--sketches", type=Path, metavar="FOLDER", help="keep those that --identify compares here")
    add("--json", type=Path, help="write the rows as a JSON list")
    add("--no-cache", action="store_true", help="compute all distances anew")
    add("--quiet", action="store_true", help="no progress bar")


def _run(args: argparse.Namespace) -> None:
    check_device(args.device)
    if args.json is not None:
        recordings = (args.json,) if args.json.resolve().is_relative_to(args.corpus.resolve()) else ()
        check_output(args.json, recordings)
    check_jobs(args.jobs)
    if args.sketches and not args.identify:
        raise UserError("--sketches keeps what --identify compares; give both")
    from audiostyle.speakers.sketch import workers
    from audiostyle.system import whole_file

    how = {"progress": not args.quiet, "cache": None if args.no_cache else paths.cache_dir() / "speakers"}
    with workers(min(args.jobs, os.cpu_count() or 1), args.scheduler):
        table, rows = (_identify if args.identify else _table)(args, how)
    if args.json is not None:
        with whole_file(args.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=2) + "\n")
    say(table.to_string(index=False))


def _identify(args: argparse.Namespace, how: dict) -> tuple:
    from audiostyle.speakers.identify import identify, is_known, load_known, save_known
    from audiostyle.speakers.methods import get_method
    from audiostyle.speakers.sketch import Sketcher, sketch_corpus

    sketcher = Sketcher(get_method("best"), device=args.device)
    if not is_known(args.corpus):
        items, rows, _ = sketch_corpus(sketcher=sketcher, **_found(args), **how)
        speakers = items.speakers
        if args.sketches:
            save_known(args.sketches, rows, speakers, sketcher)
    elif args.speakers or args.n_speakers or args.per_speaker or args.sketches:
        options = "--speakers, --n-speakers, --per-speaker and --sketches"
        raise UserError(
            f"{args.corpus} holds sketches, all of which are compared; {options} go with a corpus"
        )
    else:
        rows, speakers = load_known(args.corpus, sketcher)
    table = identify(rows, speakers, sketcher, args.identify)
    return table, table.to_dict("records")


def _table(args: argparse.Namespace, how: dict) -> tuple:
    from audiostyle.speakers import table

    splits, seeds = args.split or table.SPLITS, args.seeds
    table.check_arguments(args.methods, n_seeds=seeds)
    how |= {"sketch_from": math.inf if args.exact else table.SKETCH_FROM, "device": args.device}
    scored = table.score_methods(methods=args.methods, n_seeds=seeds, split=splits, **_found(args), **how)
    return scored, json.loads(scored.to_json(orient="records", double_precision=15))


def _found(args: argparse.Namespace) -> dict:
    """List a corpus and the part of it that is asked for, and say what was found before the work begins."""
    from audiostyle.datasets.corpora import choose_speakers, find_corpus

    corpus, part = find_corpus(args.corpus), {"per_speaker": args.per_speaker}
    part["speakers"] = args.speakers or args.n_speakers
    choose_speakers(corpus, **part)
    sys.stderr.write(f"audiostyle speakers: {corpus}\n")
    return {"corpus": corpus} | part
