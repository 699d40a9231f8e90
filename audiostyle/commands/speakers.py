"""``audiostyle speakers``: who is speaking, by Gram distance."""

import argparse
import json
import math
import os
import sys
from pathlib import Path

from audiostyle import config
from audiostyle.commands.common import UserError, add_command, check_device, check_output, say
from audiostyle.datasets import paths

_EXAMPLES = """examples:
  audiostyle speakers                              ten synthetic voices that come with the package
  audiostyle speakers LibriSpeech/test-clean --speakers 61,121,237,260 --per-speaker 40 --json table.json
  audiostyle speakers VCTK --n-speakers 4 --per-speaker 40 --encoder random --seeds 10
  audiostyle speakers VCTK --jobs 2                 all of it, by sketches
  audiostyle speakers VCTK --sketches known --identify new.wav another.wav
  audiostyle speakers known --identify new.wav      from the sketches alone
"""


def add(commands) -> None:
    """Add the command to a group of subparsers."""
    text = "Tell who is speaking by Gram distance (Table 1)."
    parser = add_command(commands, "speakers", _run, text, examples=_EXAMPLES)
    parser.add_argument(
        "corpus",
        type=Path,
        nargs="?",
        default=paths.registry_dir() / "mini_corpus",
        help="VCTK, LibriSpeech or any folder of <speaker>/<utterance> (the bundled voices)",
    )
    parser.add_argument("--speakers", help="names a,b,c (all)")
    parser.add_argument("--n-speakers", type=int, help="the first so many speakers, in string order (all)")
    parser.add_argument("--per-speaker", type=int, help="utterances of each, in the order of names (all)")
    parser.add_argument("--methods", default="paper,best", help="names a,b,c (%(default)s)")
    parser.add_argument("--split", choices=("alternate", "halves"), help="one split (both)")
    parser.add_argument("--text", choices=("any", "disjoint"), default="any")
    parser.add_argument("--encoder", choices=config.ENCODERS, default="infinite")
    parser.add_argument("--n-filters", type=int, default=4096, help="random filters (%(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="banks of random filters (%(default)s)")
    parser.add_argument("--exact", action="store_true", help="compare all pairs, however many utterances")
    parser.add_argument("--pairs", type=int, default=2048, help="numbers of a sketch (%(default)s)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes, at most one for each core (%(default)s)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")
    parser.add_argument(
        "--identify", type=Path, nargs="+", metavar="FILE", help="name who speaks in these by `best`"
    )
    parser.add_argument(
        "--sketches", type=Path, metavar="FOLDER", help="keep those that --identify compares here"
    )
    parser.add_argument("--json", type=Path, help="write the rows as a JSON list")
    parser.add_argument("--no-cache", action="store_true", help="compute all distances anew")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _run(args: argparse.Namespace) -> None:
    check_device(args.device)
    if args.json is not None:
        recordings = (args.json,) if args.json.resolve().is_relative_to(args.corpus.resolve()) else ()
        check_output(args.json, recordings)
    if args.jobs < 1:
        raise UserError(f"--jobs {args.jobs} is not allowed; it must be at least 1")
    if args.pairs < 1 or args.pairs % 4:
        raise UserError(f"--pairs {args.pairs} is not allowed; it must be a multiple of 4 from 4 on")
    if args.sketches and not args.identify:
        raise UserError("--sketches keeps what --identify compares; give both")
    from audiostyle.speakers.sketch import workers

    part = {"per_speaker": args.per_speaker}
    part["speakers"] = args.speakers.split(",") if args.speakers else args.n_speakers
    how = {"progress": not args.quiet, "cache": None if args.no_cache else paths.cache_dir() / "speakers"}
    with workers(min(args.jobs, os.cpu_count() or 1), args.scheduler):
        table, rows = (_identify if args.identify else _table)(args, part, how)
    if args.json is not None:
        from audiostyle.system import whole_file

        with whole_file(args.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=2) + "\n")
    say(table.to_string(index=False))


def _identify(args: argparse.Namespace, part: dict, how: dict) -> tuple:
    from audiostyle.speakers.identify import identify, is_known, load_known, save_known
    from audiostyle.speakers.methods import get_method
    from audiostyle.speakers.sketch import Sketcher, sketch_corpus

    sketcher = Sketcher(get_method("best"), args.pairs, device=args.device)
    if not is_known(args.corpus):
        items, rows, _ = sketch_corpus(_found(args, part), sketcher, **part, **how)
        speakers = items.speakers
        if args.sketches:
            save_known(args.sketches, rows, speakers, sketcher)
    elif args.speakers or args.n_speakers or args.per_speaker or args.sketches:
        raise UserError(
            f"{args.corpus} holds sketches, all of which are compared; --speakers, --n-speakers, --per-speaker and "
            "--sketches go with a corpus"
        )
    else:
        rows, speakers = load_known(args.corpus, sketcher)
    table = identify(rows, speakers, sketcher, args.identify)
    return table, table.to_dict("records")


def _table(args: argparse.Namespace, part: dict, how: dict) -> tuple:
    from audiostyle.speakers import table

    random = f"-{args.n_filters}" if args.encoder == "random" else ""
    methods = [name if name in table.BASELINES else name + random for name in args.methods.split(",")]
    table.check_arguments(methods, n_seeds=args.seeds)
    scored = table.score_methods(
        _found(args, part),
        methods,
        n_seeds=args.seeds,
        split=args.split or table.SPLITS,
        text=args.text,
        sketch_from=math.inf if args.exact else table.SKETCH_FROM,
        n_pairs=args.pairs,
        device=args.device,
        **part,
        **how,
    )
    return scored, table.table_records(scored)


def _found(args: argparse.Namespace, part: dict):
    """List a corpus, and say what was found before the work begins."""
    from audiostyle.datasets.corpora import choose_speakers, find_corpus

    corpus = find_corpus(args.corpus)
    choose_speakers(corpus, **part)
    sys.stderr.write(f"audiostyle speakers: {corpus}\n")
    return corpus
