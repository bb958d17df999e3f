from dataclasses import replace

import numpy as np

from predictors.linear import STRENGTHS, LinearPredictor, _leave_one_out
from predictors.target import from_target, to_target
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
    loss, _, _ = _leave_one_out(left, singular, targets, strength)
    np.testing.assert_allclose(loss, np.mean(np.square(errors)), rtol=1e-9)


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
    back = from_target(to_target(accuracies), np.full(5, 0.1))
    np.testing.assert_allclose(back.mean, accuracies, atol=1e-12)
    np.testing.assert_allclose(back.std, 0.1 * (1.02 - accuracies))  # slope of 1.02 − exp(−t) is exp(−t)
