from dataclasses import replace

import numpy as np
import pytest

from predictors.errors import PredictorError
from predictors.features import matrix as features
from predictors.features.matrix import GRAPH_FEATURES
from predictors.models.density import DensityPredictor
from predictors.testing import synthetic_graphs

LOG_NNZ = tuple(GRAPH_FEATURES).index("log_nnz")


def _of_sizes(sizes):
    graph = synthetic_graphs(1)[0][0]
    graphs = []
    for size in sizes:
        summary = graph.summary.copy()
        summary[LOG_NNZ] = size
        graphs.append(replace(graph, summary=summary))
    return graphs


def test_recovers_a_scaling_law():
    sizes = np.linspace(3, 8, 30)
    accuracies = 1 - (0.05 + 2.0 * np.exp(-0.5 * sizes))  # error .05 + 2 · nnz^−.5
    prediction = DensityPredictor().fit(_of_sizes(sizes), accuracies).predict(_of_sizes([4.0, 9.0]))
    np.testing.assert_allclose(prediction.mean, 1 - (0.05 + 2.0 * np.exp(-0.5 * np.array([4.0, 9.0]))), atol=2e-3)
    assert prediction.std.max() < 1e-3


def test_never_decreases_with_more_connections():
    sizes = np.linspace(3, 8, 30)
    accuracies = np.random.default_rng(0).random(30)
    mean = DensityPredictor().fit(_of_sizes(sizes), accuracies).predict(_of_sizes(np.linspace(0, 20, 50))).mean
    assert (np.diff(mean) >= 0).all()


def test_accuracy_that_falls_with_size_gives_the_mean():
    sizes = np.linspace(3, 8, 10)
    accuracies = np.linspace(0.9, 0.5, 10)
    mean = DensityPredictor().fit(_of_sizes(sizes), accuracies).predict(_of_sizes(sizes)).mean
    np.testing.assert_allclose(mean, 0.7, atol=1e-3)


def test_stays_between_zero_and_one_far_outside():
    predictor = DensityPredictor().fit(_of_sizes([3.0, 4.0, 5.0]), np.array([0.2, 0.6, 0.8]))
    mean = predictor.predict(_of_sizes([-50.0, 500.0])).mean
    assert 0.0 <= mean.min() <= mean.max() <= 1.0


def test_a_feature_that_the_encoder_lacks_is_a_clear_error(monkeypatch):
    graphs, accuracies = synthetic_graphs(3)
    monkeypatch.setattr(
        features, "GRAPH_FEATURES", tuple("renamed" if name == "log_nnz" else name for name in GRAPH_FEATURES)
    )
    with pytest.raises(PredictorError, match="no whole-graph feature 'log_nnz'; known: "):
        DensityPredictor().fit(graphs, accuracies)
