"""`nas corpus build`, `card`, `export` and `fit`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli import output
from nas.cli.workers import add_workers, workers
from nas.ranges import LARGEST_SEED, require_whole

if TYPE_CHECKING:
    from nas.corpus.corpus import Corpus
    from nas.corpus.domain import Domain

EXAMPLES = """\
examples:
  nas corpus build my-corpus --plan plan.toml --workers 2
  nas corpus build benchmarks/corpus --domain mlp-digits
  nas corpus card my-corpus
  nas corpus export my-corpus --domain mlp-digits --out networks
  nas corpus fit my-corpus --out my-predictor

a plan is a TOML file of tables such as
  [[domain]]
  name = "mine"
  task = "data.csv"
  target = "label"
  space = "mlp"
  networks = 320
  training = {epochs = 20}
without --plan the project's own is built (about three hours of two cores); a build that was stopped goes on where it was
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verbs below."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="draw networks, train them, keep what was measured")
    build.add_argument("--plan", metavar="PLAN.toml", help="what to build (default: the project's own corpus)")
    add_workers(build, "processes")
    build.add_argument("--data-dir", metavar="FOLDER", help="of the image data sets (default: $NAS_DATA_DIR)")
    build.add_argument("-q", "--quiet", action="store_true", help="no progress")
    card = actions.add_parser("card", help="what a corpus holds and how noisy it is; writes README.md into it")
    export = actions.add_parser("export", help="its networks as ONNX files, with a table for `nas predictor`")
    export.add_argument("--out", "-o", required=True, metavar="FOLDER")
    fit = actions.add_parser("fit", help="a predictor on all its networks; of several tasks it asks which")
    fit.add_argument("--out", "-o", required=True, metavar="FOLDER")
    fit.add_argument(
        "--predictor", default="ensemble", metavar="NAME", help="see `nas list predictors` (default: ensemble)"
    )
    fit.add_argument("--seed", type=int, default=0, metavar="N")
    for action in (build, export, fit):
        action.add_argument("--domain", action="append", metavar="NAME", help="only this one; repeatable")
    for action in (build, card, export, fit):
        action.add_argument("folder", metavar="FOLDER", help="of the corpus")
        output.add_format(action)


def run(args: argparse.Namespace) -> int:
    """Build, describe, export or fit."""
    return {"build": _build, "card": _card, "export": _export, "fit": _fit}[args.action](args)


def _build(args: argparse.Namespace) -> int:
    from nas.cli.progress_display import display
    from nas.corpus.build import Built, build
    from nas.corpus.domain import DOMAINS, read_plan

    processes = workers(args)
    domains = read_plan(Path(args.plan)) if args.plan else DOMAINS
    domains = _chosen(domains, args.domain)
    with display(quiet=args.quiet) as shown:

        def say(built: Built) -> None:
            rate = built.trainings / built.seconds
            shown.stage(
                f"{built.domain} · {built.networks:,} networks, {built.trainings:,} trainings, {rate:.1f} a second · "
                f"{built.left} shards left, about {built.seconds_left / 60:.0f} min"
            )

        build(
            Path(args.folder),
            domains,
            data_dir=Path(args.data_dir) if args.data_dir else None,
            workers=processes,
            progress=say,
        )
    return _card(args)


def _card(args: argparse.Namespace) -> int:
    from nas.corpus.card import card, cell_rows, domain_rows
    from nas.corpus.corpus import Corpus
    from nas.study.run_folder import write_text

    folder = Path(args.folder)
    corpus = Corpus.read(folder)
    write_text(folder / "README.md", card(corpus))
    rows = domain_rows(corpus)
    output.emit(args, {"domains": rows, "cells": cell_rows(corpus)}, rows, title=f"{folder}: {len(corpus):,} networks")
    return 0


def _fit(args: argparse.Namespace) -> int:
    from nas.corpus.predictor_fit import fit

    require_whole("--seed", args.seed, 0, LARGEST_SEED)
    fitted = fit(_corpus(args), Path(args.out), args.predictor, seed=args.seed)
    data = {
        "predictor": fitted.name,
        "folder": args.out,
        "networks": fitted.training_graphs,
        "tasks": list(fitted.tasks),
    }
    output.emit(args, data, [data | {"tasks": ", ".join(fitted.tasks)}])
    return 0


def _corpus(args: argparse.Namespace) -> "Corpus":
    from nas.corpus.corpus import Corpus

    corpus = Corpus.read(Path(args.folder))
    return corpus.of(*args.domain) if args.domain else corpus


def _export(args: argparse.Namespace) -> int:
    from nas.corpus.onnx_files import export
    from nas.errors import UsageError

    corpus = _corpus(args)
    out = Path(args.out)
    if out.is_file() or (out.exists() and any(out.iterdir())):
        raise UsageError(f"{out} is not an empty folder; choose another --out")
    table = export(corpus, out)
    data = {"table": str(table), "networks": len(corpus)}
    output.emit(args, data, [data])
    return 0


def _chosen(domains: "tuple[Domain, ...]", names: list[str] | None) -> "tuple[Domain, ...]":
    """The domains with these names, in the order of the plan."""
    from nas.errors import UsageError
    from onnx_graph import nearest

    known = [domain.name for domain in domains]
    for name in names or ():
        if name not in known:
            raise UsageError(f"the plan has no domain {name!r}; did you mean {nearest(name, known)[0]!r}?")
    return tuple(domain for domain in domains if not names or domain.name in names)
