"""The tasks that a predictor learnt from, the kinds of networks seen for each, and the expected error on a task that it never saw.

Left-out networks of a known task cannot tell this: all accuracies of another task may be higher or lower together. So whole tasks are
left out in turn, and one of the largest errors (the largest, with fewer than nineteen tasks) is expected on a new task: of k
exchangeable tasks and a new one, the new one has the largest error with probability 1 / (k + 1) (Dunn, Wasserman and Ramdas 2023,
"Distribution-free prediction sets for two-layer hierarchical models", arXiv:1809.07441). A kind of network that was never seen for a
task counts as a new task; the error on those is not measured but assumed to be the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.conformal import conformal
from predictors.errors import InvalidPredictorError
from predictors.models.target_predictor import TargetPredictor
from predictors.reading.operators import CLASSES, INDEX
from predictors.state import array, number
from predictors.structure_graph import StructureGraph
from predictors.task_description import TASK_FEATURES

Floats = NDArray[np.float64]

TASKS = "tasks_"
"""Prefix of the names of their arrays."""
MOST_FOLDS = 8
"""Largest number of rounds in which tasks are left out; with more tasks, several are left out together."""
FAMILIES = (("conv", "conv_transpose"), ("rnn", "gru", "lstm"), ("matmul", "attention"))
"""Classes of operators that distinguish kinds of networks; saved predictors store them in this order."""
TASK = len(TASK_FEATURES)
_KINDS = [[INDEX[name] for name in family] for family in FAMILIES]
NEAR = np.array([np.log(2.5), 1e-3, 1e-3, 0.25, 0.25, *[0.0] * len(FAMILIES)])
"""Largest differences at which two tasks count as one: the same classes and inputs, up to 2.5 times the examples, and errors of the two
simple classifiers that differ by up to a quarter."""


@dataclass(frozen=True, eq=False)
class KnownTasks:
    """Tasks and kinds of networks that were seen, and the error to expect on others.

    Attributes:
        seen: one row per pair of task and kind of network, float64 ``(pairs, features + families)``: `TASK_FEATURES` of the task (zeros
            if the networks did not state it), then for each of `FAMILIES` whether the networks contain it.
        error: distance from the prediction that contains the scores of about nine tenths of the networks of a new task; 0 if there was
            only one task, so that none could be left out.
    """

    seen: Floats
    error: float

    def __post_init__(self) -> None:
        """Refuse values that cannot come from any networks."""
        if not len(self.seen) or not np.isin(self.seen[:, TASK:], (0.0, 1.0)).all():
            raise InvalidPredictorError(
                "saved tasks are damaged: there are none, or a kind of network is neither 0 nor 1"
            )

    @classmethod
    def of(
        cls,
        graphs: Sequence[StructureGraph],
        scores: Floats,
        judges: Callable[[], Iterable[TargetPredictor]],
        seed: int,
    ) -> "KnownTasks | None":
        """Learn by leaving tasks out; None if no network states its task.

        Args:
            graphs: the networks.
            scores: targets of the networks ``(networks,)``.
            judges: predictors to fit; the error of their mean is measured.
            seed: seed of the fits.
        """
        if all(graph.task is None for graph in graphs):
            return None
        told = _told(graphs)
        described, row = np.unique(told[:, :TASK], axis=0, return_inverse=True)
        task = _joined(described)[row.ravel()]
        seen = np.unique(told, axis=0)
        if task.max() == 0:
            return cls(seen, 0.0)
        errors, fold_of = np.empty(len(graphs)), task % MOST_FOLDS
        for fold in np.unique(fold_of):
            held, rest = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
            errors[held] = np.abs(_mean(judges(), graphs, scores, rest, held, seed) - scores[held])
        return cls(seen, conformal(np.array([conformal(errors[task == one]) for one in np.unique(task)])))

    def unseen(self, graphs: Sequence[StructureGraph]) -> NDArray[np.bool_]:
        """Whether each network is for an unknown task, or of a kind that was not seen for its task, bool ``(networks,)``."""
        return np.asarray(~_near(_told(graphs), self.seen).any(axis=1))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each after ``tasks_``."""
        return {f"{TASKS}{name}": np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "KnownTasks | None":
        """The tasks stored among a predictor's arrays; None if there are none."""
        if not any(name.startswith(TASKS) for name in arrays):
            return None
        seen = array(arrays, f"{TASKS}seen", "f", (None, TASK + len(FAMILIES))).astype(np.float64)
        return cls(seen, number(arrays, f"{TASKS}error", low=0.0))


def _told(graphs: Sequence[StructureGraph]) -> Floats:
    """Task and kind of every network, as a row of `KnownTasks.seen`."""
    found = np.zeros((len(graphs), TASK + len(FAMILIES)))
    for row, graph in zip(found, graphs, strict=True):
        if graph.task is not None:
            row[:TASK] = graph.task
        there = np.bincount(graph.operators, minlength=len(CLASSES))
        row[TASK:] = [there[kinds].any() for kinds in _KINDS]
    return found


def _near(some: Floats, others: Floats) -> NDArray[np.bool_]:
    """Whether each row of `some` and each row of `others` mean the same task and kind, ``(some, others)``."""
    return np.asarray((np.abs(some[:, None] - others) <= NEAR[: others.shape[1]]).all(axis=2))


def _joined(tasks: Floats) -> NDArray[np.int64]:
    """The group number of every task: tasks are in one group if a chain of similar tasks connects them."""
    from scipy.sparse.csgraph import connected_components  # slow to import, and not needed to predict

    return np.asarray(connected_components(_near(tasks, tasks), directed=False)[1], np.int64)


def _mean(
    judges: Iterable[TargetPredictor],
    graphs: Sequence[StructureGraph],
    scores: Floats,
    rest: NDArray[np.int64],
    held: NDArray[np.int64],
    seed: int,
) -> Floats:
    """Mean prediction of the judges for the held-out networks; the judges are fitted on the rest."""
    fitted = [judge.fit_targets([graphs[row] for row in rest], scores[rest], seed=seed) for judge in judges]
    said = np.stack([one.predict_targets([graphs[row] for row in held]).mean for one in fitted])
    return np.asarray(said.mean(axis=0))
