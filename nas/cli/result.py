"""A report on the terminal."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from nas.cli import output
from nas.reports.report import Report
from nas.reports.rows.cell import Cells

FILES = ("best.onnx", "report.html", "pareto.png", "report.json", "trials.csv", "config.toml")
DRAWN = ("report.html", "pareto.png")


def show(args: argparse.Namespace, report: Report, out: Path, *, pages: Path | None = None) -> None:
    """Print the report, or the report as JSON. The sentence that says whether the search was worth it comes last.

    `pages` is the folder of page and picture if they are not in `out`.
    """
    metric = report.task.metric
    looked_up = bool(report.task.looked_up)
    where = "in the table, looked up" if looked_up else "on the validation split"
    output.emit(args, report.to_json(), _texts(report.front), title=f"Pareto front, {metric} {where}")
    if args.format == "json":
        return
    if not looked_up:
        output.table(_texts(report.ways), title="What each way of searching spent and found")
        output.table(_texts(report.family), title="Where the winner comes from")
    where = (
        "in the test column, looked up, not trained" if looked_up else "on the test split, read for this report only"
    )
    output.table(_texts(report.networks), title=f"{metric.capitalize()} {where}")
    output.line(report.sentence)
    if report.agreement.trials:
        output.line(f"Scores before the trainings against what was then measured: {report.agreement}.")
    if report.leaders:
        output.line(report.leaders)
    output.line()
    for name in FILES:
        output.line(str((pages if pages is not None and name in DRAWN else out) / name))
    output.line()
    output.line(report.verdict)
    sys.stdout.flush()


class _Row(Protocol):
    """A row of a report."""

    def cells(self) -> Cells:
        """Its cells by column."""


def _texts(rows: Sequence[_Row]) -> list[dict[str, str]]:
    return [{column: cell.text for column, cell in row.cells().items()} for row in rows]
