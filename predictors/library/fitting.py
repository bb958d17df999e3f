"""Fit a predictor on a user's own ONNX files and their accuracies, starting from what the shipped predictor knows."""

from collections.abc import Iterable

from numpy.typing import ArrayLike

from predictors.library.batch import ModelLike, encode_all
from predictors.library.fitted import FittedPredictor, Task
from predictors.library.loading import create, shipped
from predictors.state import check_accuracies
from predictors.task_description import TaskDescription

COLD, WARM = "ensemble", "warm"
"""The predictors that are fitted by default: without a task, and with one."""
DESCRIBED = "described"
"""Name given to a task that was only described."""


def fit(
    models: "Iterable[ModelLike]",
    accuracies: ArrayLike,
    *,
    task: Task = None,
    predictor: str | None = None,
    seed: int = 0,
    workers: int = 1,
) -> FittedPredictor:
    """Fit a predictor of accuracy for one task on a few networks; 30 to 500 take seconds to a minute.

    Args:
        models: paths of ONNX files, models in memory, or structure graphs.
        accuracies: measured accuracies, ``(models,)`` in [0, 1].
        task: the task of the networks: a name that the shipped predictor knows, or a description. With it, the shipped predictor's
            scores are one more member of the ensemble, weighted by cross-validation.
        predictor: name in the registry; None for ``warm`` with a task and ``ensemble`` without one.
        seed: seed of everything random; the same seed gives the same predictor.
        workers: processes that encode files, see `predictors.library.batch.encode_all`.

    Raises:
        InvalidTrainingSetError: fewer than two networks, or not one accuracy in [0, 1] for each.
        InvalidTaskError: an unknown task, or a value that is not a description.
        onnx_graph.errors.GraphError: a model that cannot be read.
    """
    several, description = list(models), known_task(task)
    fresh = create(predictor or (COLD if description is None else WARM))
    measured = check_accuracies(len(several), accuracies)
    graphs = encode_all(several, workers=workers)
    if description is not None:
        graphs = [graph.on(description) for graph in graphs]
    fitted = fresh.fit(graphs, measured, seed=seed)
    label = task if isinstance(task, str) else DESCRIBED
    return FittedPredictor(
        predictor=fitted,
        training_graphs=len(graphs),
        provenance={"seed": seed},
        tasks={} if description is None else {label: description},
    )


def known_task(task: Task) -> TaskDescription | None:
    """The description of a task that is given as such or by a name that the shipped predictor knows; None for None."""
    if isinstance(task, str):
        return shipped().described(task)
    return task if task is None or isinstance(task, TaskDescription) else TaskDescription.from_json(task)
