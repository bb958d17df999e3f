"""Predictions for ONNX files: for the task that is named, else for every known task that a network fits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import onnx_graph
from nas.errors import UnfitModelError
from nas.reports.prediction_row import PredictedCost, PredictionRow

if TYPE_CHECKING:
    from predictors import Explanation, FittedPredictor, Prediction, StructureGraph

DESCRIBED = "described"
"""Name of a task that is told by a description and has none."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A network and a task that it may be for; None where the predictor knows only one."""

    model: str
    graph: "StructureGraph"
    task: Any

    @property
    def name(self) -> str | None:
        """Name of the task."""
        return self.task if self.task is None or isinstance(self.task, str) else DESCRIBED


def predict_files(
    predictor: "FittedPredictor",
    models: Sequence[str],
    task: Any = None,
    *,
    latency: str | None = None,
    explain: bool = False,
    workers: int = 1,
) -> list[PredictionRow]:
    """One row for every file and task.

    Args:
        predictor: predicts accuracy.
        models: paths of ONNX files.
        task: name or description; None for every known task that a network fits.
        latency: folder of a latency calibration; then the rows tell costs too.
        explain: whether the rows tell what moved the predictions.
        workers: processes that read files.

    Raises:
        UnfitModelError: a network that fits no known task, or not the one that is named.
        PredictorError, GraphError: see `FittedPredictor.predict`.
    """
    import predictors

    predictor.require_accuracy()
    predictor.described(task)  # what is wrong with it is said before any file is read
    graphs = predictors.encode_all(models, workers=workers)
    questions = _questions(predictor, dict(zip(models, graphs, strict=True)), task)
    prediction = predictor.predict([question.graph for question in questions])
    costs = _costs(predictor, models, latency) if latency else {}
    explanations = [predictor.explain(one.model, task=one.task) if explain else None for one in questions]
    return [
        _row(question, prediction, place, costs.get(question.model), explanation)
        for place, (question, explanation) in enumerate(zip(questions, explanations, strict=True))
    ]


def _questions(predictor: "FittedPredictor", models: "Mapping[str, StructureGraph]", task: Any) -> list[Question]:
    """Every network for the task; without one, for every known task that it fits."""
    found = []
    if task is None and predictor.described(None) is not None:
        task = next(iter(predictor.tasks))  # the only one
    for model, graph in models.items():
        tasks = _tasks_for(predictor, model, graph) if task is None and predictor.tasks else [task]
        for one in tasks:
            question = Question(model=model, graph=graph.on(predictor.described(one)), task=one)
            _require_fit(predictor, question)
            found.append(question)
    return found


def _require_fit(predictor: "FittedPredictor", question: Question) -> None:
    """`UnfitModelError` where the network cannot be for the task that it is asked about, or that the predictor learnt."""
    why = predictor.misfit(question.graph, question.task)
    if why is None or not _sizes_are_known(question.model):
        return
    name = predictor.provenance.get("task") if question.task is None else question.name
    task = "the task" if name is None else f"task {name!r}"
    raise UnfitModelError(f"{question.model} does not fit {task}: {why}")


def _sizes_are_known(model: str) -> bool:
    """Whether the sizes of inputs and outputs are given, but for the batch: a network of free sizes may fit any task."""
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
        score=float(prediction.mean[place]),
        std=float(prediction.std[place]),
        low=float(prediction.low[place]),
        high=float(prediction.high[place]),
        distance=None if isnan(distance) else distance,
        unseen=bool(prediction.unseen[place]),
        cost=cost,
        explanation=explanation,
    )


def _costs(predictor: "FittedPredictor", models: Sequence[str], calibration: str) -> dict[str, PredictedCost]:
    """Latency and bytes by model: they are the same for every task."""
    said = predictor.predict(models, targets=("latency", "bytes"), latency=calibration)
    return {
        model: PredictedCost(
            latency=float(said["latency"].mean[place]),
            latency_std=float(said["latency"].std[place]),
            latency_outside=bool(said["latency"].outside[place]),
            bytes=int(said["bytes"].mean[place]),
        )
        for place, model in enumerate(models)
    }
