"""The ensemble: weights from left-out networks, calibration, interval, support, few labels."""

import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.models import ensemble as module
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.forest import ForestOptions
from predictors.models.gnn.gnn import GNNOptions
from predictors.models.target_predictor import Scores
from predictors.task_description import TaskDescription
from predictors.testing import synthetic_graphs

SMALL = EnsembleOptions(
    folds=2,
    forest=ForestOptions(trees=40),
    boosted=BoostedOptions(trees=60, learning_rate=0.1),
    network=GNNOptions(members=2, hidden=8, layers=1, unit_hidden=4, unit_layers=1, steps=40, epochs=1),
)


@pytest.fixture(scope="module")
def fitted():
    graphs, accuracies = synthetic_graphs(80, seed=0)
    return EnsemblePredictor(SMALL).fit(graphs, accuracies, seed=3)


def test_the_member_that_is_right_on_left_out_networks_counts_most():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    ones = np.ones(200)
    said = [Scores(truth + error * rng.normal(size=200), ones) for error in (0.1, 1.0, 3.0)]
    stack = module._stacked(said, truth)
    assert stack.weights.sum() == pytest.approx(1.0)
    assert stack.weights[0] > 0.8
    assert stack.weights[0] > stack.weights[1] >= stack.weights[2]


def test_members_that_all_say_nothing_share_alike():
    stack = module._stacked([Scores(np.zeros(50), np.ones(50))] * 3, np.random.default_rng(0).normal(size=50))
    np.testing.assert_allclose(stack.weights, 1 / 3, atol=1e-6)


def test_a_member_that_exaggerates_is_calibrated():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    stack = module._stacked([Scores(1.3 * truth + 0.5, np.ones(400))] * 3, truth)
    mean, _ = module._combined([Scores(1.3 * truth + 0.5, np.ones(400))] * 3, stack)
    np.testing.assert_allclose(mean, truth, atol=1e-6)


def test_nine_in_ten_fall_into_the_interval():
    graphs, accuracies = synthetic_graphs(400, seed=5)
    noisy = np.clip(accuracies + 0.03 * np.random.default_rng(1).normal(size=400), 0, 1)
    said = EnsemblePredictor(SMALL).fit(graphs[:200], noisy[:200]).predict(graphs[200:])
    assert 0.84 <= np.mean((noisy[200:] >= said.low) & (noisy[200:] <= said.high)) <= 0.97


def test_networks_unlike_all_others_are_outside(fitted):
    from dataclasses import replace

    graphs, _ = synthetic_graphs(20, seed=9)
    assert fitted.predict(graphs).outside.mean() < 0.3
    strange = [replace(graph, summary=graph.summary + np.float32(8), features=graph.features * 5) for graph in graphs]
    assert fitted.predict(strange).outside.all()


def test_weights_are_told_by_name(fitted):
    assert set(fitted.weights) == {"forest", "gp", "boosted", "gnn"}
    assert sum(fitted.weights.values()) == pytest.approx(1.0)


def test_ranks_of_networks_for_several_tasks_are_not_compared():
    graphs, accuracies = synthetic_graphs(40, seed=0)
    tasks = [TaskDescription(samples=count, classes=10, inputs=64, one_nn=0.9, linear_probe=0.9) for count in (99, 999)]
    mixed = [graph.on(tasks[place % 2]) for place, graph in enumerate(graphs)]
    alike = [graph.on(tasks[0]) for graph in graphs]
    assert "ensemble/scale_targets" not in EnsemblePredictor(SMALL).fit(mixed, accuracies).arrays()
    assert "ensemble/scale_targets" in EnsemblePredictor(SMALL).fit(alike, accuracies).arrays()


def test_a_damaged_state_is_refused(fitted):
    arrays = fitted.arrays()
    with pytest.raises(InvalidPredictorError, match="of no member"):
        EnsemblePredictor.from_arrays(arrays | {"oracle/weights": np.zeros(3)})
    with pytest.raises(InvalidPredictorError, match="weights"):
        EnsemblePredictor.from_arrays(arrays | {"ensemble/weights": np.zeros(2)})
    with pytest.raises(InvalidPredictorError, match="increase"):
        EnsemblePredictor.from_arrays(arrays | {"ensemble/scale_scores": arrays["ensemble/scale_scores"][::-1].copy()})


def test_folds_and_members_of_the_graph_network_must_agree():
    with pytest.raises(ValueError, match="one member"):
        EnsembleOptions(folds=3)
