"""`nas search`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from nas.cli import output
from nas.cli.progress_display import display
from nas.cli.search_flags import add_flags, config_of
from nas.percent import percent
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
    show(args, report, out)
    return 0


def quieten_optuna(*, verbose: bool) -> None:
    """Optuna configures its own logger when imported, so its news is turned off after that."""
    import optuna

    if not verbose:
        optuna.logging.set_verbosity(optuna.logging.WARNING)


def show(args: argparse.Namespace, report: dict[str, Any], out: Path, *, pages: Path | None = None) -> None:
    """The front, the winner beside its baselines, the sentence and the files; page and picture lie in `pages`, or beside the others."""
    output.emit(
        args, report, front_rows(report), title=f"Pareto front, {report['task']['metric']} on the validation split"
    )
    if args.format == "json":
        return
    output.table(
        test_rows(report), title=f"{report['task']['metric'].capitalize()} on the test split, read for this report only"
    )
    output.line(report["sentence"])
    output.line()
    for name in ("best.onnx", "report.html", "pareto.png", "report.json", "trials.csv", "config.toml"):
        output.line(str((pages if pages is not None and name in ("report.html", "pareto.png") else out) / name))
    sys.stdout.flush()


def front_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The Pareto front as a table: measured beside predicted."""
    return [
        {
            "trial": row["trial"],
            "candidate": row["digest"][:8],
            "measured": percent(row["accuracy"]),
            "trainings": len(row["accuracies"]),
            "predicted": percent(row["score"]["mean"], row["score"]["std"]) if row["score"] else "",
            "non-zeros": row["nnz"],
            "bytes": row["bytes"],
            "latency ms": f"{row['latency']:.3f}",
        }
        for row in report["front"]
    ]


def test_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Winner and baselines as a table."""
    return [
        {
            "network": row["name"],
            "measured": percent(row["test"]["mean"], row["test"]["std"]),
            "trainings": row["test"]["trainings"],
            "non-zeros": row["nnz"],
            "bytes": row["bytes"],
            "latency ms": f"{row['latency']:.3f}",
            "largest export error": f"{row['largest_error']:.1e}",
        }
        for row in (report["best"], *report["baselines"].values())
    ]


def _dry_run(args: argparse.Namespace, config: SearchConfig) -> int:
    """The pre-flight table: smallest, middle and largest candidate, and how many meet the constraints."""
    from nas.verbs.search import checked, sizes

    plan, remark = checked(config)
    if remark and not args.quiet:
        output.remark(remark)
    rows = sizes(plan)
    data = {"config": config.to_json(), "sizes": rows}
    output.emit(args, data, rows, title=f"candidates of {config.space} on {plan.task.name}")
    return 0
