"""Tasks on which a predictor was fitted, and the interval on a task that it never saw."""

from dataclasses import replace

import numpy as np
import pytest

from predictors.calibration.target import to_target
from predictors.errors import InvalidPredictorError
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.forest import ForestOptions, ForestPredictor
from predictors.models.gnn.gnn import GNNOptions
from predictors.models.known_tasks import KnownTasks
from predictors.reading.operators import INDEX
from predictors.structure_graph import StructureGraph
from predictors.task_description import TaskDescription
from predictors.testing import synthetic_graphs

SMALL = EnsembleOptions(
    folds=2,
    forest=ForestOptions(trees=40),
    boosted=BoostedOptions(trees=60, learning_rate=0.1),
    network=GNNOptions(members=2, hidden=8, layers=1, unit_hidden=4, unit_layers=1, steps=40, epochs=1),
)


def tasks(count: int) -> list[TaskDescription]:
    return [
        TaskDescription(samples=100 * 3**place, classes=10, inputs=64, one_nn=0.9, linear_probe=0.9)
        for place in range(count)
    ]


def shifted(shifts: list[float], each: int = 40) -> tuple[list[StructureGraph], np.ndarray]:
    """Perceptrons of several tasks; on the scale of targets, each task adds a constant to the effect of the structure."""
    graphs, accuracies = synthetic_graphs(each * len(shifts))
    graphs = [replace(graph, operators=np.full_like(graph.operators, INDEX["dense"])) for graph in graphs]
    place = np.arange(len(graphs)) % len(shifts)
    described = [graph.on(tasks(len(shifts))[one]) for graph, one in zip(graphs, place.tolist(), strict=True)]
    return described, to_target(accuracies) + np.array(shifts)[place]


def judges() -> list[ForestPredictor]:
    return [ForestPredictor(ForestOptions(trees=20))]


def test_tasks_that_lie_apart_ask_for_wide_intervals():
    alike, apart = (KnownTasks.of(*shifted(shifts), judges, 0) for shifts in ([0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]))
    assert alike is not None
    assert apart is not None
    assert len(alike.seen) == 3
    assert apart.error > 1.0 > 2 * alike.error


def test_the_worst_task_sets_the_error():
    graphs, targets = shifted([0.0, 0.0, 2.0])
    found = KnownTasks.of(graphs, targets, judges, 0)
    rest = [row for row in range(len(graphs)) if row % 3 != 2]
    without = KnownTasks.of([graphs[row] for row in rest], targets[rest], judges, 0)
    assert found is not None
    assert without is not None
    assert found.error > 1.5 > 3 * without.error


def test_many_tasks_are_left_out_several_at_once():
    fits = []

    class Counted(ForestPredictor):
        def fit_targets(self, graphs, targets, *, seed=0):
            fits.append(len(targets))
            return super().fit_targets(graphs, targets, seed=seed)

    graphs, targets = shifted([0.0] * 20, each=4)
    found = KnownTasks.of(graphs, targets, lambda: [Counted(ForestOptions(trees=2))], 0)
    assert found is not None
    assert len(found.seen) == 20
    assert len(fits) == 8
    assert min(fits) == 80 - 12


def test_of_one_task_alone_no_error_is_known():
    graphs, targets = shifted([0.0])
    found = KnownTasks.of(graphs, targets, judges, 0)
    assert found is not None
    assert found.error == 0.0
    assert found.unseen([graphs[0], graphs[0].on(tasks(2)[1])]).tolist() == [False, True]
    assert KnownTasks.of([graph.on(None) for graph in graphs], targets, judges, 0) is None


def test_a_task_is_known_by_its_description():
    graphs, targets = shifted([0.0, 0.0])
    found = KnownTasks.of(graphs, targets, judges, 0)
    assert found is not None
    task = tasks(1)[0]
    others = [
        replace(task, samples=task.samples // 3),
        replace(task, classes=9),
        replace(task, inputs=65),
        replace(task, one_nn=0.93),
        replace(task, linear_probe=0.85),
    ]
    near = [task, replace(task, samples=240), replace(task, samples=90, one_nn=0.91, linear_probe=0.89)]
    assert not found.unseen([graphs[0].on(one) for one in near]).any()
    assert found.unseen([graphs[0].on(one) for one in (*others, None)]).all()


def test_descriptions_of_about_the_same_task_are_left_out_together():
    graphs, targets = shifted([0.0] * 5, each=8)
    places = np.arange(len(graphs)) % 5
    # A chain: each is near the next, the first is not near the last; the fifth is far from all.
    chain = [replace(tasks(1)[0], samples=count) for count in (100, 200, 400, 800, 9000)]
    described = [graph.on(chain[place]) for graph, place in zip(graphs, places.tolist(), strict=True)]
    fits = []

    class Counted(ForestPredictor):
        def fit_targets(self, graphs, targets, *, seed=0):
            fits.append(len(targets))
            return super().fit_targets(graphs, targets, seed=seed)

    found = KnownTasks.of(described, targets, lambda: [Counted(ForestOptions(trees=2))], 0)
    assert found is not None
    assert len(found.seen) == 5
    assert fits == [8, 32]


def test_other_kinds_of_networks_of_a_known_task_are_as_new_as_a_task():
    graphs, targets = shifted([0.0, 0.0])
    found = KnownTasks.of(graphs, targets, judges, 0)
    assert found is not None
    convolutional = replace(graphs[0], operators=np.full_like(graphs[0].operators, INDEX["conv"]))
    assert found.unseen([convolutional, graphs[0]]).tolist() == [True, False]
    mixed = KnownTasks.of([*graphs, convolutional], np.append(targets, 0.5), judges, 0)
    assert mixed is not None
    assert mixed.unseen([convolutional, convolutional.on(tasks(2)[1])]).tolist() == [False, True]


def test_an_ensemble_doubts_what_it_says_of_a_task_that_it_never_saw():
    graphs, targets = shifted([-0.6, 0.2, 0.0, 0.6], each=30)
    accuracies = np.clip(1.02 - np.exp(-targets), 0.0, 1.0)
    seen = [row for row in range(len(graphs)) if row % 4 != 1]
    fitted = EnsemblePredictor(SMALL).fit([graphs[row] for row in seen], accuracies[seen], seed=1)
    new = [row for row in range(len(graphs)) if row % 4 == 1]
    said = fitted.predict([graphs[row] for row in new])
    known = fitted.predict([graphs[row].on(tasks(4)[2]) for row in new])
    assert np.mean((accuracies[new] >= said.low) & (accuracies[new] <= said.high)) >= 0.9
    assert (said.high - said.low).mean() > 1.5 * (known.high - known.low).mean()
    assert (said.std > known.std).mean() > 0.9
    assert said.unseen.all()
    assert not known.unseen.any()
    again = EnsemblePredictor.from_arrays(fitted.arrays()).predict([graphs[row] for row in new])
    np.testing.assert_array_equal(again.low, said.low)
    for damaged in (np.zeros((0, 8)), np.full((2, 8), 0.5)):
        with pytest.raises(InvalidPredictorError, match="damaged"):
            EnsemblePredictor.from_arrays(fitted.arrays() | {"ensemble/tasks_seen": damaged})
    with pytest.raises(InvalidPredictorError, match="tasks_seen"):
        EnsemblePredictor.from_arrays(fitted.arrays() | {"ensemble/tasks_seen": np.zeros((2, 3))})
    with pytest.raises(InvalidPredictorError, match="tasks_error"):
        EnsemblePredictor.from_arrays(fitted.arrays() | {"ensemble/tasks_error": np.asarray(-1.0)})
