"""A report on the terminal."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.cli import output
from nas.reports.report import Report
from nas.reports.rows.front_row import FrontRow
from nas.reports.rows.network_row import NetworkRow

FILES = ("best.onnx", "report.html", "pareto.png", "report.json", "trials.csv", "config.toml")
DRAWN = ("report.html", "pareto.png")


def show(args: argparse.Namespace, report: Report, out: Path, *, pages: Path | None = None) -> None:
    """Print the front, the winner next to its baselines, the sentence and the files; or the report as JSON.

    `pages` is the folder of page and picture if they are not in `out`.
    """
    metric = report.task.metric
    output.emit(args, report.to_json(), _texts(report.front), title=f"Pareto front, {metric} on the validation split")
    if args.format == "json":
        return
    output.table(_texts(report.networks), title=f"{metric.capitalize()} on the test split, read for this report only")
    output.line(report.sentence)
    output.line()
    for name in FILES:
        output.line(str((pages if pages is not None and name in DRAWN else out) / name))
    sys.stdout.flush()


def _texts(rows: Sequence[FrontRow | NetworkRow]) -> list[dict[str, str]]:
    return [{column: cell.text for column, cell in row.cells().items()} for row in rows]
