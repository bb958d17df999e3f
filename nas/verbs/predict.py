"""Predictions for ONNX files: for the given task, else for every known task that the network fits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import isnan
from typing import TYPE_CHECKING, Any, Literal

import onnx_graph
from nas.errors import NasError, UnfitModelError
from nas.reports.rows.prediction_row import PredictedCost, PredictionRow
from nas.training.methods import METHODS

if TYPE_CHECKING:
    from predictors import Explanation, FittedPredictor, Origin, Prediction, StructureGraph

DESCRIBED = "described"
"""Name of a task that is given by a description without a name."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A network, a task for which to predict it, and the weights that it is predicted with.

    The task is None if the predictor knows only one, the weights are None if it knows only fresh ones.
    """

    model: str
    graph: "StructureGraph"
    task: Any
    weights: str | None = None

    @property
    def name(self) -> str | None:
        """Name of the task."""
        return self.task if self.task is None or isinstance(self.task, str) else DESCRIBED


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions for a batch of files.

    Attributes:
        rows: one row for every file and task, in the order of the files.
        errors: the error of each file without a row, by path.
    """

    rows: list[PredictionRow]
    errors: dict[str, Exception]


def predict_files(
    predictor: "FittedPredictor",
    models: Sequence[str],
    task: Any = None,
    *,
    latency: str | None = None,
    explain: bool = False,
    workers: int = 1,
    method: str | None = None,
    weights: Literal["own", "fresh"] | None = None,
    nnz: int | None = None,
) -> Predictions:
    """Predict every file for its tasks. A file that cannot be read, or fits no task, does not stop the batch.

    Args:
        predictor: predictor of accuracy.
        models: paths of ONNX files; a path that is given twice is predicted only once.
        task: name or description; None for every known task that a network fits.
        latency: folder of a latency calibration; if given, the rows also contain costs.
        explain: whether the rows contain explanations of the predictions.
        workers: number of processes that read files.
        method: name of the method that found the masks, if it is known.
        weights: ``own`` or ``fresh``; None for one row with either, if the predictor knows both.
        nnz: predict what `method` would reach on these dense networks if it kept so many weights.

    Raises:
        UsageError: there is no such method.
        PredictorError: the predictor does not predict accuracy, or does not know the task; or the folder has no latency.
    """
    import predictors

    predictor.require_accuracy()
    predictor.described(task)  # raises its errors before any file is read
    family = None if method is None else METHODS.load(method).kind
    origin = predictor.origin(method=method, weights=weights, nnz=nnz, family=family)
    calibration = predictors.load(latency) if latency else None
    paths = list(dict.fromkeys(models))
    found = dict(zip(paths, predictors.encode_each(paths, workers=workers), strict=True))
    asked: list[tuple[list[Question], PredictedCost | None, list[Explanation | None]]] = []
    errors: dict[str, Exception] = {}
    for model, graph in found.items():
        try:
            asked.append(_asked(predictor, model, graph, task, origin, calibration, explain=explain))
        except (onnx_graph.GraphError, NasError) as error:
            errors[model] = error
    prediction = predictor.predict([question.graph for questions, _, _ in asked for question in questions])
    places = count()
    rows = [
        _row(predictor, question, prediction, next(places), cost, explanation)
        for questions, cost, explanations in asked
        for question, explanation in zip(questions, explanations, strict=True)
    ]
    return Predictions(rows=rows, errors=errors)


def _asked(
    predictor: "FittedPredictor",
    model: str,
    graph: "StructureGraph | onnx_graph.GraphError",
    task: Any,
    origin: "Origin | None",
    calibration: "FittedPredictor | None",
    *,
    explain: bool,
) -> "tuple[list[Question], PredictedCost | None, list[Explanation | None]]":
    """The questions about one file, its cost, and an explanation for each question; raises the error of a bad file."""
    if isinstance(graph, onnx_graph.GraphError):
        raise graph
    questions = [
        one for known in _questions(predictor, model, graph, task) for one in _of_origin(predictor, known, origin)
    ]
    cost = None if calibration is None else _cost(predictor, model, calibration)
    return (
        questions,
        cost,
        [predictor.explain(model, task=one.task, origin=one.graph.origin) if explain else None for one in questions],
    )


def _questions(predictor: "FittedPredictor", model: str, graph: "StructureGraph", task: Any) -> list[Question]:
    """One question for the given task; without a task, one for every known task that the network fits."""
    if task is None and predictor.described(None) is not None:
        task = next(iter(predictor.tasks))  # the only one
    tasks = _tasks_for(predictor, model, graph) if task is None and predictor.tasks else [task]
    questions = [Question(model=model, graph=graph.on(predictor.described(one)), task=one) for one in tasks]
    for question in questions:
        _require_fit(predictor, question)
    return questions


def _of_origin(predictor: "FittedPredictor", question: Question, origin: "Origin | None") -> list[Question]:
    """The question for each kind of weights that was not ruled out and that the predictor knows."""
    if origin is None:
        return [question]
    kinds: list[Literal["own", "fresh"]] = (
        ["own"] if origin.nnz is not None else [origin.weights] if origin.weights else list(predictor.weights_known)
    )
    return [
        replace(question, weights=kind, graph=question.graph.of_origin(replace(origin, weights=kind))) for kind in kinds
    ]


def _require_fit(predictor: "FittedPredictor", question: Question) -> None:
    """`UnfitModelError` if the network does not fit the given task or the task of the predictor."""
    why = predictor.misfit(question.graph, question.task)
    if why is None or not _sizes_are_known(question.model):
        return
    name = predictor.provenance.get("task") if question.task is None else question.name
    task = "the task" if name is None else f"task {name!r}"
    raise UnfitModelError(f"{question.model} does not fit {task}: {why}")


def _sizes_are_known(model: str) -> bool:
    """Whether the sizes of inputs and outputs are known, except for the batch; a network with free sizes may fit any task."""
    graph = onnx_graph.load(model).graph
    values = [*(value for value in graph.inputs if not value.is_initializer()), *graph.outputs]
    return all(
        value.shape is not None and all(isinstance(size, int) for size in list(value.shape)[1:]) for value in values
    )


def _tasks_for(predictor: "FittedPredictor", model: str, graph: "StructureGraph") -> list[str]:
    """Names of the known tasks that a network fits."""
    found = predictor.tasks_for(graph)
    if found:
        return found
    sizes = dict.fromkeys(f"{task.inputs} inputs and {task.classes} classes" for task in predictor.tasks.values())
    raise UnfitModelError(
        f"{model} fits no task that the predictor knows ({'; '.join(sizes)}): say with --task what it is for, by name or by "
        "a description (`nas predictor describe DATA > my-task.json`)"
    )


def _row(
    predictor: "FittedPredictor",
    question: Question,
    prediction: "Prediction",
    place: int,
    cost: PredictedCost | None,
    explanation: "Explanation | None",
) -> PredictionRow:
    distance = float(prediction.distance[place])
    return PredictionRow(
        model=question.model,
        task=question.name,
        weights=question.weights,
        score=float(prediction.mean[place]),
        std=float(prediction.std[place]),
        low=float(prediction.low[place]),
        high=float(prediction.high[place]),
        distance=None if isnan(distance) else distance,
        unseen=bool(prediction.unseen[place]),
        doubtful=bool(prediction.doubtful[place]),
        why=predictor.unlike(question.graph) if distance > 1 else "",
        cost=cost,
        explanation=explanation,
    )


def _cost(predictor: "FittedPredictor", model: str, calibration: "FittedPredictor") -> PredictedCost:
    """Latency and bytes, which are the same for every task."""
    said = predictor.predict([model], targets=("latency", "bytes"), latency=calibration)
    return PredictedCost(
        latency=float(said["latency"].mean[0]),
        latency_std=float(said["latency"].std[0]),
        latency_outside=bool(said["latency"].outside[0]),
        bytes=int(said["bytes"].mean[0]),
    )
