"""`nas search`."""

import argparse
from pathlib import Path

from nas.cli import output
from nas.cli.progress_display import display
from nas.cli.search_flags import add_flags, config_of
from nas.study.config import SearchConfig

EXAMPLES = """\
examples:
  nas search --task digits --space mlp --constraint "nnz<=600" --trainings 48 --out runs/digits
  nas search --task embedded-reber --space rnn --objective accuracy --objective -nnz --out runs/reber
  nas search --task data.csv --target label --constraint "bytes<=20000" --out runs/mine
  nas search --task digits --space onnx --model model.onnx --constraint "nnz<=10%" --out runs/pruned
  nas search --config run.toml --seed 3 --out runs/three
  nas search --task digits --constraint "nnz<=600" --dry-run
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--config", metavar="FILE", help="TOML file with the names of the flags; flags win over it")
    parser.add_argument("--out", "-o", metavar="FOLDER", help="folder of the run (default: runs/TASK-SPACE-SEED)")
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, show the sizes of the space, train nothing"
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
    out = Path(args.out or f"runs/{Path(config.task).stem}-{config.space}-{config.seed}")
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


def quieten_optuna(*, verbose: bool) -> None:
    """Silence Optuna. It configures its own logger when it is imported, so it is imported first."""
    import optuna

    if not verbose:
        optuna.logging.set_verbosity(optuna.logging.WARNING)


def _dry_run(args: argparse.Namespace, config: SearchConfig) -> int:
    """The pre-flight table: smallest, middle and largest candidate, and the share that meets the constraints."""
    from nas.verbs.search import checked, sizes

    plan, remark = checked(config)
    if remark and not args.quiet:
        output.remark(remark)
    rows = sizes(plan)
    data = {"config": config.to_json(), "sizes": rows}
    output.emit(args, data, rows, title=f"candidates of {config.space} on {plan.task.name}")
    return 0
