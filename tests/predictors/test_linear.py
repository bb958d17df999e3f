from dataclasses import replace

import numpy as np
import pytest

from predictors.calibration.conformal import FOLDS
from predictors.calibration.target import accuracy_of, to_target
from predictors.models.linear import STRENGTHS, LinearPredictor, _leave_one_out, _left_out, _penalties, _sparse
from predictors.testing import synthetic_graphs


def test_leave_one_out_equals_leaving_one_out():
    rng = np.random.default_rng(0)
    rows, targets, strength = rng.normal(size=(12, 4)), rng.normal(size=12), 0.7
    rows, targets = rows - rows.mean(axis=0), targets - targets.mean()
    left, singular, _ = np.linalg.svd(rows, full_matrices=False)
    errors = []
    for out in range(12):
        kept = np.arange(12) != out
        # the intercept is fitted anew, unpenalised, as a column of its own
        design = np.column_stack([rows[kept], np.ones(11)])
        penalty = np.diag([strength] * 4 + [0.0])
        weights = np.linalg.solve(design.T @ design + penalty, design.T @ targets[kept])
        errors.append(targets[out] - np.append(rows[out], 1.0) @ weights)
    said, _ = _leave_one_out(left, left**2, singular, targets, strength)
    np.testing.assert_allclose(targets - said, errors, rtol=1e-9)


def test_std_grows_away_from_the_training_networks():
    graphs, accuracies = synthetic_graphs(60)
    predictor = LinearPredictor().fit(graphs, accuracies)
    far = replace(graphs[0], summary=graphs[0].summary + np.float32(50))
    near, away = predictor.predict([graphs[0], far]).std / np.exp(-to_target(predictor.predict([graphs[0], far]).mean))
    assert away > 3 * near


def test_mean_is_held_to_the_widened_training_range():
    graphs, accuracies = synthetic_graphs(60)
    predictor = LinearPredictor().fit(graphs, accuracies)
    far, further = (replace(graphs[0], summary=graphs[0].summary * 0 + np.float32(value)) for value in (1e3, 1e6))
    assert predictor.predict([far]).mean == predictor.predict([further]).mean


def test_features_that_never_vary_are_ignored():
    graphs, accuracies = synthetic_graphs(30)
    place = 3
    flat = [
        replace(graph, summary=np.where(np.arange(len(graph.summary)) == place, 1, graph.summary)) for graph in graphs
    ]
    flat = [replace(graph, summary=graph.summary.astype(np.float32)) for graph in flat]
    predictor = LinearPredictor().fit(flat, accuracies)
    moved = replace(
        flat[0], summary=np.where(np.arange(len(flat[0].summary)) == place, 9, flat[0].summary).astype(np.float32)
    )
    assert predictor.predict([moved]).mean == predictor.predict([flat[0]]).mean


def test_the_strengths_reach_from_plain_least_squares_to_the_mean():
    assert STRENGTHS[0] <= 0.01
    assert STRENGTHS[-1] >= 1e5


def test_target_scale_goes_there_and_back():
    accuracies = np.array([0.0, 0.1, 0.5, 0.99, 1.0])
    back = accuracy_of(to_target(accuracies))
    np.testing.assert_allclose(back, accuracies, atol=1e-12)


def test_left_out_networks_are_not_seen():
    rng = np.random.default_rng(0)
    rows, targets, fold_of = rng.normal(size=(20, 6)), rng.normal(size=20), np.arange(20) % FOLDS
    penalties = _penalties(rows, targets)
    said = _left_out(rows, targets, penalties, fold_of)
    np.testing.assert_allclose(
        said[:, 0], [targets[fold_of != fold].mean() for fold in fold_of], atol=0.2
    )  # almost nothing
    moved = np.where(fold_of == 2, 50.0, targets)
    again = _left_out(rows, moved, penalties, fold_of)
    np.testing.assert_array_equal(again[fold_of == 2], said[fold_of == 2])
    assert not np.allclose(again[fold_of != 2], said[fold_of != 2])


def test_the_elastic_net_leaves_most_features_out_and_those_that_never_vary():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 200))
    rows[:, 7] = 0.0
    targets = rows[:, 3] - rows[:, 4] + 0.1 * rng.normal(size=60)
    weights, said = _sparse(rows, targets - targets.mean(), rows.std(axis=0) > 0, np.arange(60) % FOLDS)
    assert weights.shape == (200,)
    assert weights[7] == 0
    assert np.count_nonzero(weights) < 100
    assert set(np.argsort(-np.abs(weights))[:2]) == {3, 4}
    assert np.corrcoef(said, targets)[0, 1] > 0.8


@pytest.mark.parametrize("count", [12, 24, 48])
def test_the_stated_std_is_that_of_the_errors_on_other_networks(count: int):
    graphs, accuracies = synthetic_graphs(count + 200)
    targets = to_target(accuracies) + np.random.default_rng(1).normal(0, 0.1, count + 200)
    said = LinearPredictor().fit_targets(graphs[:count], targets[:count]).predict_targets(graphs[count:])
    error = np.sqrt(np.mean((said.mean - targets[count:]) ** 2))
    assert error / 3 < np.median(said.std) < 3 * error


@pytest.mark.parametrize("count", [2, 3, 9, 25])
def test_few_networks_are_enough(count: int):
    graphs, accuracies = synthetic_graphs(count)
    said = LinearPredictor().fit(graphs, accuracies).predict(graphs)
    assert np.isfinite(said.mean).all()
    assert np.isfinite(said.std).all()
    same = LinearPredictor().fit(graphs, np.full(count, 0.5)).predict(graphs)
    np.testing.assert_allclose(same.mean, 0.5)


def test_the_std_is_at_most_what_numbers_between_0_and_1_can_have():
    graphs, accuracies = synthetic_graphs(30)
    far = replace(graphs[0], summary=graphs[0].summary + np.float32(1e6))
    assert LinearPredictor().fit(graphs, accuracies).predict([far]).std == 0.5
