"""`nas predict`."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas.cli import output
from nas.cli.exit_code import exit_code
from nas.cli.task_file import read_task
from nas.cli.workers import add_workers, workers
from nas.reports.explained import feature_rows, layer_rows

if TYPE_CHECKING:
    from nas.reports.rows.prediction_row import PredictionRow
    from nas.verbs.predict import Predictions

EXAMPLES = """\
examples:
  nas predict model.onnx
  nas predict model.onnx --task digits
  nas predict model.onnx --task my-task.json
  nas predict model.onnx --predictor runs/digits
  nas predict a.onnx b.onnx --predictor my-predictor --format json
  nas predict pruned.onnx --predictor my-predictor --task digits --method espn
  nas predict dense.onnx --predictor my-predictor --task digits --method espn --nnz 500
  nas predict model.onnx --predictor runs/digits --explain
  nas predict model.onnx --predictor runs/digits --latency this-machine

without --predictor, the one that comes with this package answers: it learnt accuracies of small sparse networks, trained
with static masks, on the tasks that `nas predictor card default` lists; without --task, it is asked for every task of
those whose inputs and outputs the network has

a task of one's own is described by a JSON file: samples, classes, inputs, one_nn (accuracy of the nearest neighbour),
linear_probe (accuracy of a linear classifier) and, if known, relevance (one number for every input);
`nas predictor describe NAME` prints it
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx", help="ONNX files, trained or not")
    parser.add_argument(
        "--predictor",
        default="default",
        metavar="FOLDER",
        help="a folder that `nas search` or `nas predictor fit` wrote (default: the predictor that is installed with the package)",
    )
    parser.add_argument(
        "--task", metavar="NAME", help="the task, for a predictor that knows several: its name, or a .json file"
    )
    parser.add_argument(
        "--latency",
        metavar="FOLDER",
        help="a folder that `nas predictor calibrate-latency` wrote: answer milliseconds and bytes too",
    )
    parser.add_argument(
        "--method", metavar="NAME", help="the mask method that pruned the networks, see `nas list methods`"
    )
    parser.add_argument(
        "--weights",
        choices=("own", "fresh"),
        help="accuracy with the weights that the method left, or with weights trained again from a fresh start (default: both)",
    )
    parser.add_argument(
        "--nnz",
        type=int,
        metavar="N",
        help="the networks are still dense: the accuracy that --method would reach if it kept N weights",
    )
    parser.add_argument("--explain", action="store_true", help="which layers and which features moved the prediction")
    add_workers(parser)
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print for every file a score, a 90 % interval, and whether the network is similar to those that the predictor knows.

    A file that cannot be read does not stop the batch: its error is printed, and the exit code shows it at the end.
    """
    import predictors
    from nas.verbs.predict import predict_files

    processes = workers(args)
    predictor = predictors.load(args.predictor)
    found = predict_files(
        predictor,
        args.models,
        read_task(args.task),
        latency=args.latency,
        explain=args.explain,
        workers=processes,
        method=args.method,
        weights=args.weights,
        nnz=args.nnz,
    )
    _show(args, found)
    for remark in remarks(found.rows):
        output.remark(remark)
    for error in found.errors.values():
        output.error(str(error))
    return max((exit_code(error) or 0 for error in found.errors.values()), default=0)


def _show(args: argparse.Namespace, found: "Predictions") -> None:
    """The rows with their explanations, if there are any; in JSON, files with an error are rows too."""
    refused = [{"model": model, "error": str(error)} for model, error in found.errors.items()]
    if args.format == "json":
        output.emit(args, [*(row.to_json() for row in found.rows), *refused], [])
    elif found.rows:
        shown = [{column: cell.text for column, cell in row.cells().items()} for row in found.rows]
        output.table(shown, title="predicted accuracy")
        _show_explanations(found.rows)


def _show_explanations(rows: "Sequence[PredictionRow]") -> None:
    """The explanation of each prediction, if requested."""
    for row in rows:
        found = row.explanation
        if found is not None:
            output.table(layer_rows(found), title=f"{row.model}: layers, by changing their masks and asking again")
            output.table(feature_rows(found), title=f"features, against {found.typical:.2%} with the typical ones")


def remarks(rows: "Sequence[PredictionRow]") -> list[str]:
    """The meaning of the words in the table, printed once."""
    said = {
        "outside: unlike every network that the predictor was fitted on; do not trust the number": any(
            row.outside for row in rows
        ),
        "doubtful: the interval is wide, the true accuracy may lie far from the number; train such a network to know": any(
            row.doubtful and not row.outside and not row.unseen for row in rows
        ),
        "unseen: a task, or a kind of network for it, that the predictor was not fitted on; trust the order more than the "
        "numbers": any(row.unseen for row in rows),
        "?: the network has operators that were never measured; do not trust its milliseconds": any(
            row.cost is not None and row.cost.latency_outside for row in rows
        ),
    }
    return [text for text, is_said in said.items() if is_said]
