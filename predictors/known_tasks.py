"""The tasks that a predictor learnt from, and how far it errs on one that it never saw, or never with such networks.

Left-out networks of a known task do not tell: the accuracies of another task lie higher or lower all together, and so do those of
convolutional networks where only perceptrons were seen. So whole tasks are left out in turn, and the worst of them stands for the next
one: of k exchangeable tasks and a new one, the new one is the worst with a chance of 1 in k + 1 (Dunn, Wasserman and Ramdas 2023,
"Distribution-free prediction sets for two-layer hierarchical models", arXiv:1809.07441).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.calibration import conformal
from predictors.operators import INDEX
from predictors.scale import of_several_tasks
from predictors.state import array, number
from predictors.structure_graph import StructureGraph
from predictors.target_predictor import TargetPredictor
from predictors.task_description import TASK_FEATURES

Floats = NDArray[np.float64]

TASKS = "tasks_"
"""Before the names of their arrays."""
MOST_FOLDS = 8
"""Of more tasks several are left out together."""
FAMILIES = (("conv", "conv_transpose"), ("rnn", "gru", "lstm"), ("matmul", "attention"))
"""Classes of operators that tell kinds of networks apart."""
TASK = len(TASK_FEATURES)
_KINDS = [[INDEX[name] for name in family] for family in FAMILIES]
NEAR = np.array([np.log(2.5), 1e-3, 1e-3, 0.25, 0.25, *[0.0] * len(FAMILIES)])
"""Differences up to which two tasks count as one: with the same classes and inputs, with up to 2.5 times the examples, and with errors
of the two simple readers that differ by up to a quarter."""


@dataclass(frozen=True, eq=False)
class KnownTasks:
    """What is known of tasks.

    Attributes:
        seen: `TASK_FEATURES` of every task that was seen with a kind of networks, zeros where they did not tell theirs, and for each of
            `FAMILIES` whether it is in them; float64 ``(pairs, features + families)``.
        error: distance in scores that nine tenths of the networks of a new task keep to what is said of them.
    """

    seen: Floats
    error: float

    @classmethod
    def of(
        cls,
        graphs: Sequence[StructureGraph],
        scores: Floats,
        judges: Callable[[], Iterable[TargetPredictor]],
        seed: int,
    ) -> "KnownTasks | None":
        """Learnt by leaving tasks out; None where all networks are for one task.

        Args:
            graphs: the networks.
            scores: their targets ``(networks,)``.
            judges: fresh predictors, whose mean is judged.
            seed: of their fits.
        """
        if not of_several_tasks(graphs):
            return None
        told = _told(graphs)
        described, row = np.unique(told[:, :TASK], axis=0, return_inverse=True)
        task = _joined(described)[row.ravel()]
        if task.max() == 0:
            return None
        fold_of = task % MOST_FOLDS
        errors = np.empty(len(graphs))
        for fold in np.unique(fold_of):
            held, rest = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
            errors[held] = np.abs(_mean(judges(), graphs, scores, rest, held, seed) - scores[held])
        worst = [conformal(errors[task == one]) for one in np.unique(task)]
        return cls(np.unique(told, axis=0), conformal(np.array(worst)))

    def unseen(self, graphs: Sequence[StructureGraph]) -> NDArray[np.bool_]:
        """Which networks are for another task, or of another kind than was seen for theirs, ``(networks,)``."""
        return np.asarray(~_near(_told(graphs), self.seen).any(axis=1))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each after ``tasks_``."""
        return {f"{TASKS}{name}": np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "KnownTasks | None":
        """The tasks among a predictor's arrays, if it knows several."""
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
        row[TASK:] = [np.isin(graph.operators, kinds).any() for kinds in _KINDS]
    return found


def _near(some: Floats, others: Floats) -> NDArray[np.bool_]:
    """Which rows stand for the same, ``(some, others)``."""
    return np.asarray((np.abs(some[:, None] - others) <= NEAR[: others.shape[1]]).all(axis=2))


def _joined(tasks: Floats) -> NDArray[np.int64]:
    """The number of every task, that of the first that is near it."""
    _, number = np.unique(_near(tasks, tasks).argmax(axis=1), return_inverse=True)
    return np.asarray(number, np.int64)


def _mean(
    judges: Iterable[TargetPredictor],
    graphs: Sequence[StructureGraph],
    scores: Floats,
    rest: NDArray[np.int64],
    held: NDArray[np.int64],
    seed: int,
) -> Floats:
    """What judges that are fitted on the rest say of the held-out networks, on average."""
    fitted = [judge.fit_targets([graphs[row] for row in rest], scores[rest], seed=seed) for judge in judges]
    said = np.stack([one.predict_targets([graphs[row] for row in held]).mean for one in fitted])
    return np.asarray(said.mean(axis=0))
