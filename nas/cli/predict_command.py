"""`nas predict`."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nas.cli import output
from nas.cli.task_file import read_task
from nas.cli.workers import add_workers, workers
from nas.errors import UnfitModelError
from nas.percent import percent
from nas.reports.explained import feature_rows, layer_rows

if TYPE_CHECKING:
    from predictors import FittedPredictor, Prediction, StructureGraph

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
    """Print a score for every file, nine times in ten in an interval, and whether it is like what the predictor knows."""
    import predictors

    processes = workers(args)
    predictor = predictors.load(args.predictor)
    predictor.require_accuracy()
    task = read_task(args.task)
    predictor.described(task)  # what is wrong with it is said before any file is read
    graphs = predictors.encode_all(args.models, workers=processes)
    questions = _questions(predictor, dict(zip(args.models, graphs, strict=True)), task)
    prediction = predictor.predict([question.graph for question in questions])
    rows = [_row(question, prediction, place) for place, question in enumerate(questions)]
    if args.latency:
        costs = _costs(predictor, args)
        rows = [row | costs[row["model"]] for row in rows]
    explained = (
        [(row, predictor.explain(one.model, task=one.task)) for row, one in zip(rows, questions, strict=True)]
        if args.explain
        else []
    )
    for row, found in explained:
        row["explanation"] = asdict(found)
    output.emit(args, rows, [_shown(row) for row in rows], title="predicted accuracy")
    if args.format == "table":
        for row, found in explained:
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
    return 0


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


def _questions(predictor: "FittedPredictor", models: "Mapping[str, StructureGraph]", task: Any) -> list[_Question]:
    """Every model for the task; without one, for every known task that it fits. `UnfitModelError` for one that fits none."""
    found = []
    if task is None and predictor.described(None) is not None:
        task = next(iter(predictor.tasks))  # the only one
    for model, graph in models.items():
        open_ = task is None and predictor.tasks
        for one in _tasks_for(predictor, model, graph) if open_ else [task]:
            question = _Question(model=model, graph=graph.on(predictor.described(one)), task=one)
            _require_fit(predictor, question)
            found.append(question)
    return found


def _require_fit(predictor: "FittedPredictor", question: _Question) -> None:
    """`UnfitModelError` where the network cannot be for the task that it is asked about, or that the predictor learnt."""
    from predictors.library.fitted import misfit

    description, origin = predictor.described(question.task), predictor.provenance
    sizes: tuple[Any, Any] = (origin.get("inputs"), origin.get("outputs"))  # a run tells them; other tables do not
    if description is not None:
        sizes = (description.inputs, description.classes)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        return
    why = misfit(question.graph, *sizes)
    if why is not None:
        name = origin.get("task") if question.task is None else question.name
        task = "the task" if name is None else f"task {name!r}"
        raise UnfitModelError(f"{question.model} does not fit {task}: {why}")


def _tasks_for(predictor: "FittedPredictor", model: str, graph: "StructureGraph") -> list[str]:
    found = predictor.tasks_for(graph)
    if found:
        return found
    sizes = dict.fromkeys(f"{task.inputs} inputs and {task.classes} classes" for task in predictor.tasks.values())
    raise UnfitModelError(
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


def _costs(predictor: "FittedPredictor", args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Columns of latency and bytes by model: they are the same for every task."""
    said = predictor.predict(args.models, targets=("latency", "bytes"), latency=args.latency)
    return {
        model: {
            "latency": float(said["latency"].mean[place]),
            "latency_std": float(said["latency"].std[place]),
            "latency_outside": bool(said["latency"].outside[place]),
            "bytes": int(said["bytes"].mean[place]),
        }
        for place, model in enumerate(args.models)
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
