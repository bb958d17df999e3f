"""Fitting on networks of one's own: any ONNX files and their accuracies, with what the shipped predictor knows as a start."""

from collections.abc import Iterable

from numpy.typing import ArrayLike

from predictors.library.batch import ModelLike, encode_all
from predictors.library.fitted import FittedPredictor, Task
from predictors.registry import create
from predictors.state import check_accuracies
from predictors.task_description import TaskDescription

COLD, WARM = "ensemble", "warm"
"""What is fitted without and with a task."""
DESCRIBED = "described"
"""Name of a task that has none."""


def fit(
    models: "Iterable[ModelLike]",
    accuracies: ArrayLike,
    *,
    task: Task = None,
    predictor: str | None = None,
    seed: int = 0,
    workers: int = 1,
) -> FittedPredictor:
    """A predictor of the accuracies of one task, learnt from a few networks: 30 to 500 take seconds to a minute.

    Args:
        models: paths of ONNX files, models in memory, or structure graphs.
        accuracies: measured, ``(models,)`` in [0, 1].
        task: what they are for: a name that the shipped predictor knows, or a description. With it, the shipped predictor's
            scores are one more member of the ensemble, weighed by cross-validation.
        predictor: name in the registry; None for ``warm`` where there is a task and ``ensemble`` where there is none.
        seed: of everything random; one seed, one predictor.
        workers: processes that encode files, see `predictors.library.batch.encode_all`.

    Raises:
        InvalidTrainingSetError: fewer than two networks, or not one accuracy in [0, 1] for each.
        InvalidTaskError: a task that is unknown or no description.
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
    """The description of a task: its own, or that of a name that the shipped predictor knows; None for None."""
    from predictors.library.persistence import shipped

    if isinstance(task, str):
        return shipped().described(task)
    return task if task is None or isinstance(task, TaskDescription) else TaskDescription.from_json(task)
