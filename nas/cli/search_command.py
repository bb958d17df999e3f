"""`nas search`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli import output
from nas.cli.progress_display import display
from nas.cli.search_flags import add_flags, config_of
from nas.duration import duration
from nas.study.config import SearchConfig

if TYPE_CHECKING:
    from nas.engine.plan import SearchPlan
    from nas.tasks.accuracy_table import AccuracyTable

EXAMPLES = """\
examples:
  nas search --task digits --space mlp --constraint "nnz<=600" --trainings 48 --out runs/digits
  nas search --task embedded-reber --space rnn --objective accuracy --objective -nnz --out runs/reber
  nas search --task data.csv --target label --constraint "bytes<=20000" --out runs/mine
  nas search --task digits --space onnx --model model.onnx --constraint "nnz<=10%" --out runs/pruned
  nas search --space nasbench201 --table nb201.csv.gz --column cifar10_val_200ep --trainings 100 --out runs/table
  nas search --config run.toml --seed 3 --out runs/three
  nas search --task digits --constraint "nnz<=600" --dry-run
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--config", metavar="FILE", help="TOML file with the names of the flags; flags win over it")
    parser.add_argument("--out", "-o", metavar="FOLDER", help="folder of the run (default: runs/TASK-SPACE-SEED)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything, show what would be tried first and how long it takes, write nothing",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    output.add_format(parser)
    add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Search and print the front."""
    config = config_of(args)
    if args.dry_run:
        return _dry_run(args, config)
    from nas.cli.result import show
    from nas.reports.report import Report
    from nas.verbs.search import search

    quieten_optuna(verbose=args.verbose)
    out = folder_of(args, config)
    with display(quiet=args.quiet) as shown:
        report = search(
            config,
            out,
            on_progress=shown.progress,
            on_stage=shown.stage,
            on_remark=lambda text: None if args.quiet else output.remark(text),
        )
    show(args, Report.from_json(report), out)
    return 0


def folder_of(args: argparse.Namespace, config: SearchConfig) -> Path:
    """The folder of the run."""
    return Path(args.out or f"runs/{config.column or Path(config.task).stem}-{config.space}-{config.seed}")


def quieten_optuna(*, verbose: bool) -> None:
    """Silence Optuna. It configures its own logger when it is imported, so it is imported first."""
    import optuna

    if not verbose:
        optuna.logging.set_verbosity(optuna.logging.WARNING)


def _dry_run(args: argparse.Namespace, config: SearchConfig) -> int:
    """What the search would do: sizes, what is tried first, methods, space, budget and time. No folder is written."""
    from nas.verbs.outlook import outlook
    from nas.verbs.search import checked

    plan, remark = checked(config)
    if remark and not args.quiet:
        output.remark(remark)
    if plan.table is not None:
        return _dry_lookup(args, plan, plan.table)
    found = outlook(plan)
    where = f"{plan.space.name} on {plan.task.name}"
    output.emit(
        args, {"config": config.to_json()} | found.to_json(), found.sizes, title=f"random candidates of {where}"
    )
    if args.format == "json":
        return 0
    output.table(found.plain, title=f"plain networks of {where}, without a mask")
    if found.references:
        output.table(found.references, title="tried first, as an expert would")
    output.table(found.methods, title="methods, with their costs")
    output.table(found.space, title="the space")
    output.table(found.budget, title=f"budget: {config.trainings} trainings of {plan.training.epochs} epochs")
    output.line(f"Estimated time: {duration(found.seconds)}. {found.how}.")
    return 0


def _dry_lookup(args: argparse.Namespace, plan: "SearchPlan", table: "AccuracyTable") -> int:
    """The sizes of networks of a table, and how many there are. Nothing is trained, so that there is no time to measure."""
    from nas.verbs.search import sizes

    rows, count = sizes(plan), len(table.candidates)
    data = {"config": plan.config.to_json(), "sizes": rows, "networks": count}
    output.emit(args, data, rows, title=f"random networks of {count:,} to look up: {table}")
    return 0
