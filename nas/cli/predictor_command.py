"""`nas predictor fit` and `nas predictor evaluate`."""

import argparse
from pathlib import Path
from typing import Any

from nas.cli import output

EXAMPLES = """\
examples:
  nas predictor fit --table rows.csv --out my-predictor
  nas predictor evaluate --table rows.csv
  nas predictor evaluate --table rows.csv --predictor forest --predictor gnn --format json

the table is a CSV file with the columns model (path of an ONNX file, from the table's folder), accuracy (0 to 1)
and, if you like, cell (a group inside which ranks are compared, such as task and density)
"""

LABELS = {
    "tau": "τ",
    "rho": "ρ",
    "r2": "R²",
    "rmse": "RMSE",
    "tau_inside": "τ inside cells",
    "coverage_90": "in 90 % interval",
}
"""Columns of the table by their names in the JSON."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the two verbs below."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    fit = actions.add_parser("fit", help="learn from a table and save")
    fit.add_argument("--out", "-o", required=True, metavar="FOLDER")
    fit.add_argument(
        "--predictor", default="forest", metavar="NAME", help="see `nas list predictors` (default: forest)"
    )
    evaluate = actions.add_parser("evaluate", help="cross-validated rank correlation, against baselines")
    evaluate.add_argument("--predictor", action="append", metavar="NAME", help="repeatable (default: all)")
    evaluate.add_argument("--folds", type=int, default=5, metavar="N")
    for action in (fit, evaluate):
        action.add_argument("--table", required=True, metavar="ROWS.csv")
        action.add_argument("--seed", type=int, default=0, metavar="N")
        output.add_format(action)


def run(args: argparse.Namespace) -> int:
    """Fit or evaluate."""
    from predictors import PREDICTORS, table

    if args.action == "fit":
        table.fit_table(Path(args.table), args.predictor, Path(args.out), seed=args.seed)
        data = {"predictor": args.predictor, "folder": args.out}
        output.emit(args, data, [data])
        return 0
    result: dict[str, Any] = table.evaluate_table(
        Path(args.table), args.predictor or list(PREDICTORS), folds=args.folds, seed=args.seed
    )
    output.emit(args, result, [_row(score) for score in result["predictors"]], title=_title(args.table, result))
    return 0


def _title(path: str, result: dict[str, Any]) -> str:
    return f"{path}: {result['rows']} networks, {result['folds']}-fold cross-validation, mean ± deviation of {result['repeats']} splits"


def _row(score: dict[str, Any]) -> dict[str, str]:
    """A predictor's figures, each with its spread; empty where there is nothing to rank."""
    shown = {"predictor": str(score["name"])}
    for name, label in LABELS.items():
        value = score[name]
        shown[label] = "" if value is None else f"{value:.3f} ± {score['spread'][name]:.3f}"
    return shown
