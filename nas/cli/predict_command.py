"""`nas predict`."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.cli import output
from nas.explained import feature_rows, layer_rows
from nas.percent import percent

EXAMPLES = """\
examples:
  nas predict model.onnx --predictor runs/digits
  nas predict a.onnx b.onnx --predictor my-predictor --format json
  nas predict model.onnx --predictor runs/digits --explain
  nas predict model.onnx --predictor runs/digits --latency this-machine
  nas predict model.onnx --predictor many-tasks --task digits
  nas predict model.onnx --predictor many-tasks --task my-task.json

a task of one's own is described by a JSON file: samples, classes, inputs, one_nn (accuracy of the nearest neighbour) and
linear_probe (accuracy of a linear classifier); `nas predictor describe NAME` prints it
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx", help="ONNX files, trained or not")
    parser.add_argument("--predictor", required=True, metavar="FOLDER", help="a run, or what `nas predictor fit` wrote")
    parser.add_argument("--task", metavar="NAME", help="for a predictor of several tasks: which, or a .json file")
    parser.add_argument(
        "--latency", metavar="FOLDER", help="milliseconds and bytes too: what `nas predictor calibrate-latency` wrote"
    )
    parser.add_argument("--explain", action="store_true", help="which layers and which features moved the prediction")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print a score for every file, nine times in ten in an interval, and whether it is like what the predictor knows."""
    import predictors

    predictor, task = predictors.load(args.predictor), _task(args.task)
    targets = ("accuracy", "latency", "bytes") if args.latency else ("accuracy",)
    said = predictor.predict(args.models, task=task, targets=targets, latency=args.latency)
    prediction = said["accuracy"]
    rows: list[dict[str, Any]] = []
    for place, model in enumerate(args.models):
        distance = float(prediction.distance[place])
        rows.append(
            {
                "model": model,
                "score": float(prediction.mean[place]),
                "std": float(prediction.std[place]),
                "low": float(prediction.low[place]),
                "high": float(prediction.high[place]),
                "distance": None if distance != distance else distance,
                "outside": None if distance != distance else distance > 1,
            }
        )
        if args.latency:
            rows[-1] |= {
                "latency": float(said["latency"].mean[place]),
                "latency_std": float(said["latency"].std[place]),
                "latency_outside": bool(said["latency"].outside[place]),
                "bytes": int(said["bytes"].mean[place]),
            }
    explained = [(row, predictor.explain(row["model"], task=task)) for row in rows] if args.explain else []
    for row, found in explained:
        row["explanation"] = asdict(found)
    output.emit(args, rows, [_shown(row) for row in rows], title="predicted accuracy")
    if args.format == "table":
        for row, found in explained:
            output.table(layer_rows(found), title=f"{row['model']}: layers, by changing their masks and asking again")
            output.table(feature_rows(found), title=f"features, against {found.typical:.2%} with the typical ones")
    if any(row["outside"] for row in rows):
        output.remark("outside: unlike every network that the predictor was fitted on; do not trust the number")
    if any(row.get("latency_outside") for row in rows):
        output.remark("?: the network has operators that were never measured; do not trust its milliseconds")
    return 0


def _task(text: str | None) -> Any:
    from nas.errors import UsageError

    if text is None or not text.endswith(".json"):
        return text
    try:
        return json.loads(Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {text}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{text} is not JSON: {error}") from error


def _shown(row: dict[str, Any]) -> dict[str, str]:
    """A row for people."""
    support = {None: "", True: "outside", False: "inside"}[row["outside"]]
    interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
    shown = {
        "model": row["model"],
        "predicted": percent(row["score"], row["std"]),
        "9 times in 10": interval,
        "support": support,
    }
    if "latency" in row:
        doubt = " ?" if row["latency_outside"] else ""
        shown |= {"ms": f"{row['latency']:.4f} ± {row['latency_std']:.4f}{doubt}", "bytes": f"{row['bytes']:,}"}
    return shown
