"""`nas predict`."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from nas.cli import output
from nas.cli.exit_code import exit_code
from nas.cli.task_file import read_task
from nas.cli.workers import add_workers, workers
from nas.errors import UsageError
from nas.percent import percent
from nas.reports.explained import feature_rows, layer_rows
from onnx_graph import GraphError

if TYPE_CHECKING:
    from predictors import FittedPredictor, Prediction, StructureGraph
    from predictors.library.explanation import Explanation

T = TypeVar("T")

EXAMPLES = """\
examples:
  nas predict model.onnx
  nas predict model.onnx --task digits
  nas predict model.onnx --task my-task.json
  nas predict model.onnx --predictor runs/digits
  nas predict a.onnx b.onnx --predictor my-predictor --format json
  nas predict model.onnx --predictor runs/digits --explain
  nas predict model.onnx --predictor runs/digits --latency this-machine

without --predictor, the one that comes with this package answers: it learnt accuracies of small sparse networks, trained
with static masks, on the tasks that `nas predictor card default` lists; without --task, it is asked for every task of
those whose inputs and outputs the network has

a task of one's own is described by a JSON file: samples, classes, inputs, one_nn (accuracy of the nearest neighbour) and
linear_probe (accuracy of a linear classifier); `nas predictor describe NAME` prints it
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx", help="ONNX files, trained or not")
    parser.add_argument(
        "--predictor",
        default="default",
        metavar="FOLDER",
        help="a run, or what `nas predictor fit` wrote (default: the shipped one)",
    )
    parser.add_argument("--task", metavar="NAME", help="for a predictor of several tasks: which, or a .json file")
    parser.add_argument(
        "--latency", metavar="FOLDER", help="milliseconds and bytes too: what `nas predictor calibrate-latency` wrote"
    )
    parser.add_argument("--explain", action="store_true", help="which layers and which features moved the prediction")
    add_workers(parser)
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print a score for every file, nine times in ten in an interval, and whether it is like what the predictor knows.

    A file that cannot be read does not end the batch: it gets a line of error, and the exit code says so at the end.
    """
    import predictors

    processes = workers(args)
    predictor = predictors.load(args.predictor)
    predictor.require_accuracy()
    latency = predictors.load(args.latency) if args.latency else None
    task = read_task(args.task)
    predictor.described(task)  # what is wrong with it is said before any file is read
    batch = _Batch.read(args.models, processes)
    questions = batch.each(lambda model, graph: _questions(predictor, model, graph, task))
    costs = batch.each(lambda model, _: _costs(predictor, model, latency)) if latency is not None else {}
    explained = (
        batch.each(lambda model, _: [_explained(predictor, one) for one in questions[model]]) if args.explain else {}
    )
    asked = [question for model in batch.graphs for question in questions[model]]
    prediction = predictor.predict([question.graph for question in asked])
    rows = [_row(question, prediction, place) | costs.get(question.model, {}) for place, question in enumerate(asked)]
    effects = [effect for model in batch.graphs for effect in explained.get(model, ())]
    _print(args, rows, effects, batch)
    return batch.exit_code()


def _print(
    args: argparse.Namespace, rows: list[dict[str, Any]], effects: "Sequence[Explanation]", batch: "_Batch"
) -> None:
    """Rows with their explanations, if there are any, then the remarks and the errors."""
    if args.format == "json":
        for row, found in zip(rows, effects, strict=False):
            row["explanation"] = asdict(found)
        output.emit(args, [*rows, *batch.refused()], [])
    elif rows:
        output.table([_shown(row) for row in rows], title="predicted accuracy")
        for row, found in zip(rows, effects, strict=False):
            output.table(layer_rows(found), title=f"{row['model']}: layers, by changing their masks and asking again")
            output.table(feature_rows(found), title=f"features, against {found.typical:.2%} with the typical ones")
    if any(row["outside"] for row in rows):
        output.remark("outside: unlike every network that the predictor was fitted on; do not trust the number")
    if any(row["unseen"] for row in rows):
        output.remark(
            "unseen: a task, or a kind of network for it, that the predictor was not fitted on; trust the order more than the numbers"
        )
    if any(row.get("latency_outside") for row in rows):
        output.remark("?: the network has operators that were never measured; do not trust its milliseconds")
    for error in batch.errors.values():
        output.error(str(error))


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """The files of one call.

    Attributes:
        graphs: what was read, by path.
        errors: why a file gets no prediction, by path.
    """

    graphs: "dict[str, StructureGraph]"
    errors: dict[str, Exception]

    @classmethod
    def read(cls, models: Sequence[str], processes: int) -> "_Batch":
        """Encode the files, each path once."""
        import predictors

        paths = list(dict.fromkeys(models))
        batch = cls(graphs={}, errors={})
        for path, found in zip(paths, predictors.encode_each(paths, workers=processes), strict=True):
            if isinstance(found, Exception):
                batch.errors[path] = found
            else:
                batch.graphs[path] = found
        return batch

    def each(self, work: "Callable[[str, StructureGraph], T]") -> dict[str, T]:
        """Do something for every file that was read; one for which it fails is one of the errors from then on."""
        found = {}
        for model, graph in list(self.graphs.items()):
            try:
                found[model] = work(model, graph)
            except (GraphError, UsageError) as error:
                self.errors[model] = error
                del self.graphs[model]
        return found

    def refused(self) -> list[dict[str, str]]:
        """The files without a prediction, as JSON rows."""
        return [{"model": model, "error": str(error)} for model, error in self.errors.items()]

    def exit_code(self) -> int:
        """0, or the largest of the errors' codes."""
        return max((exit_code(error) or 0 for error in self.errors.values()), default=0)


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A model and a task that it may be for; None where the predictor knows one alone."""

    model: str
    graph: "StructureGraph"
    task: Any

    @property
    def name(self) -> str | None:
        """Of the task; a description has none."""
        from predictors.library.fitting import DESCRIBED

        return self.task if self.task is None or isinstance(self.task, str) else DESCRIBED


def _questions(predictor: "FittedPredictor", model: str, graph: "StructureGraph", task: Any) -> list[_Question]:
    """A model for the task; without one, for every known task that it fits."""
    if task is None and predictor.described(None) is not None:
        task = next(iter(predictor.tasks))  # the only one
    tasks = _tasks_for(predictor, model, graph) if task is None and predictor.tasks else [task]
    return [_Question(model=model, graph=graph.on(predictor.described(one)), task=one) for one in tasks]


def _tasks_for(predictor: "FittedPredictor", model: str, graph: "StructureGraph") -> list[str]:
    found = predictor.tasks_for(graph)
    if found:
        return found
    sizes = dict.fromkeys(f"{task.inputs} inputs and {task.classes} classes" for task in predictor.tasks.values())
    raise UsageError(
        f"{model} fits no task that the predictor knows ({'; '.join(sizes)}): say with --task what it is for, by name or by "
        "a description (`nas predictor describe DATA > my-task.json`)"
    )


def _row(question: _Question, prediction: "Prediction", place: int) -> dict[str, Any]:
    distance = float(prediction.distance[place])
    known = distance == distance
    return {
        "model": question.model,
        "task": question.name,
        "score": float(prediction.mean[place]),
        "std": float(prediction.std[place]),
        "low": float(prediction.low[place]),
        "high": float(prediction.high[place]),
        "distance": distance if known else None,
        "outside": distance > 1 if known else None,
        "unseen": bool(prediction.unseen[place]),
    }


def _explained(predictor: "FittedPredictor", question: _Question) -> "Explanation":
    return predictor.explain(question.model, task=question.task)


def _costs(predictor: "FittedPredictor", model: str, calibration: "FittedPredictor") -> dict[str, Any]:
    """Columns of latency and bytes: they are the same for every task."""
    said = predictor.predict([model], targets=("latency", "bytes"), latency=calibration)
    return {
        "latency": float(said["latency"].mean[0]),
        "latency_std": float(said["latency"].std[0]),
        "latency_outside": bool(said["latency"].outside[0]),
        "bytes": int(said["bytes"].mean[0]),
    }


def _shown(row: dict[str, Any]) -> dict[str, str]:
    """A row for people."""
    support = {None: "", True: "outside", False: "inside"}[row["outside"]]
    if row["unseen"] and not row["outside"]:
        support = "unseen"
    interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
    shown = {
        "model": row["model"],
        **({"task": row["task"]} if row["task"] else {}),
        "predicted": percent(row["score"], row["std"]),
        "9 times in 10": interval,
        "support": support,
    }
    if "latency" in row:
        doubt = " ?" if row["latency_outside"] else ""
        shown |= {"ms": f"{row['latency']:.4f} ± {row['latency_std']:.4f}{doubt}", "bytes": f"{row['bytes']:,}"}
    return shown
