"""The tasks that a predictor learnt from, and how far it errs on one that it never saw.

Left-out networks of a known task do not tell: the accuracies of another task lie higher or lower all together. So whole tasks are left
out in turn, and the worst of them stands for the next one: of k exchangeable tasks and a new one, the new one is the worst with a
chance of 1 in k + 1 (Dunn, Wasserman and Ramdas 2023, "Distribution-free prediction sets for two-layer hierarchical models",
arXiv:1809.07441).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.calibration import conformal
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
_SAME = 1e-6
"""Relative difference of two numbers of one task: logarithms differ in their last bits between machines."""


@dataclass(frozen=True, eq=False)
class KnownTasks:
    """What is known of tasks.

    Attributes:
        features: `TASK_FEATURES` of every task, float64 ``(tasks, features)``; zeros stand for networks that do not tell theirs.
        error: distance in scores that nine tenths of the networks of a new task keep to what is said of them.
    """

    features: Floats
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
        features, task = np.unique(_told(graphs), axis=0, return_inverse=True)
        fold_of = task.ravel() % MOST_FOLDS
        errors = np.empty(len(graphs))
        for fold in np.unique(fold_of):
            held, rest = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
            errors[held] = np.abs(_mean(judges(), graphs, scores, rest, held, seed) - scores[held])
        worst = [conformal(errors[task.ravel() == one]) for one in range(len(features))]
        return cls(features, conformal(np.array(worst)))

    def unseen(self, graphs: Sequence[StructureGraph]) -> NDArray[np.bool_]:
        """Which networks are for another task, ``(networks,)``."""
        same = np.isclose(_told(graphs)[:, None], self.features, rtol=_SAME, atol=_SAME)
        return np.asarray(~np.any(np.all(same, axis=2), axis=1))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields, each after ``tasks_``."""
        return {f"{TASKS}{name}": np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "KnownTasks | None":
        """The tasks among a predictor's arrays, if it knows several."""
        if not any(name.startswith(TASKS) for name in arrays):
            return None
        features = array(arrays, f"{TASKS}features", "f", (None, len(TASK_FEATURES))).astype(np.float64)
        return cls(features, number(arrays, f"{TASKS}error", low=0.0))


def _told(graphs: Sequence[StructureGraph]) -> Floats:
    nothing = np.zeros(len(TASK_FEATURES))
    return np.stack([nothing if graph.task is None else graph.task for graph in graphs])


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
