import numpy as np
import pytest

from predictors.calibration.scale import MOST_KNOTS, Scale, accuracies_at, of_several_tasks
from predictors.calibration.target import to_target
from predictors.errors import InvalidPredictorError
from predictors.task_description import TaskDescription
from predictors.testing import synthetic_graphs


def test_scores_are_normal_and_come_back():
    targets = to_target(np.random.default_rng(0).beta(8, 1, size=500))
    scale = Scale.of_ranks(targets)
    scores = scale.forward(targets)
    assert scores.mean() == pytest.approx(0.0, abs=0.02)
    assert scores.std() == pytest.approx(1.0, abs=0.03)
    assert len(scale.targets) <= MOST_KNOTS
    np.testing.assert_allclose(scale.backward(scores), targets, atol=1e-9)


def test_it_goes_on_beyond_what_was_measured_and_ends_at_what_can_be():
    scale = Scale.of_ranks(to_target(np.array([0.3, 0.5, 0.6])))
    beyond = scale.forward(to_target(np.array([0.2, 0.8])))
    assert beyond[0] < scale.scores[0]
    assert beyond[1] > scale.scores[-1]
    np.testing.assert_allclose(scale.backward(beyond), to_target(np.array([0.2, 0.8])))
    assert scale.backward(np.array([-1e6, 1e6])).tolist() == pytest.approx(to_target(np.array([0.0, 1.0])).tolist())


def test_ties_share_a_score_and_one_value_is_a_scale():
    scale = Scale.of_ranks(to_target(np.array([0.3, 0.5, 0.5, 0.9])))
    assert len(scale.targets) == 3
    alone = Scale.of_ranks(np.full(5, 0.7))
    assert alone.backward(alone.forward(np.full(2, 0.7))) == pytest.approx([0.7, 0.7])


def test_knots_out_of_order_are_refused():
    with pytest.raises(InvalidPredictorError, match="increase"):
        Scale(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 1.0)


def test_accuracies_are_their_own_scores():
    accuracies = np.array([0.0, 0.137, 0.5, 0.9, 0.9871, 1.0])
    scale = Scale.of_accuracies()
    np.testing.assert_allclose(scale.forward(to_target(accuracies)), accuracies, atol=1e-4)
    np.testing.assert_allclose(accuracies_at(accuracies, scale), accuracies, atol=1e-4)


def test_a_scale_is_saved_and_read():
    scale = Scale.of_ranks(to_target(np.array([0.3, 0.5, 0.9])))
    again = Scale.from_arrays(scale.arrays() | {"weights": np.zeros(3)})
    assert again is not None
    np.testing.assert_array_equal(again.forward(scale.targets), scale.scores)
    assert Scale.from_arrays({"weights": np.zeros(3)}) is None
    with pytest.raises(InvalidPredictorError, match="scale_slope"):
        Scale.from_arrays({name: value for name, value in scale.arrays().items() if name != "scale_slope"})


def test_tasks_that_are_told_and_differ_are_several():
    graphs, _ = synthetic_graphs(3)
    small, large = (
        TaskDescription(samples=count, classes=10, inputs=64, one_nn=0.9, linear_probe=0.9) for count in (100, 9000)
    )
    assert not of_several_tasks(graphs)
    assert not of_several_tasks([graph.on(small) for graph in graphs])
    assert of_several_tasks([graphs[0].on(small), graphs[1].on(large), graphs[2]])
