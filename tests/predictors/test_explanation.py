"""Explanations: effects add up, point to what matters, and refuse what cannot be explained."""

import numpy as np
import pytest

import onnx_graph
import search_spaces
from predictors import encode
from predictors.errors import PredictorError
from predictors.library.explanation import FAMILIES, explain
from predictors.library.fitted import FittedPredictor
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.forest import ForestOptions
from predictors.models.gnn.gnn import GNNOptions
from search_spaces.signature import Signature

SMALL = EnsembleOptions(
    folds=2,
    forest=ForestOptions(trees=40),
    boosted=BoostedOptions(trees=60, learning_rate=0.1),
    network=GNNOptions(members=2, hidden=8, layers=1, unit_hidden=4, unit_layers=1, steps=40, epochs=1),
)


def _density_of_the_first_layer(model) -> float:
    return float(next(iter(onnx_graph.masks(model).values())).mean())


@pytest.fixture(scope="module")
def fitted():
    """A predictor fitted on networks whose accuracy is the density of their first layer."""
    space = search_spaces.create(
        "mlp", Signature(input_shape=(12,), outputs=3), wirings=("plain",), depth=(2, 2), width=(10, 14)
    )
    rng = np.random.default_rng(0)
    models = [space.build(space.sample(rng)) for _ in range(80)]
    accuracies = np.array([_density_of_the_first_layer(model) for model in models])
    predictor = EnsemblePredictor(SMALL)
    predictor.fit([encode(model) for model in models], 0.2 + 0.7 * accuracies)
    return FittedPredictor(predictor=predictor, training_graphs=80, provenance={}), models


def test_the_layer_that_matters_stands_out(fitted):
    predictor, models = fitted
    sparse = min(models, key=_density_of_the_first_layer)
    told = predictor.explain(sparse)
    assert [layer.name for layer in told.layers] == list(onnx_graph.masks(sparse))
    costs = [layer.sparsity_cost for layer in told.layers]
    assert costs[0] == max(costs)
    assert costs[0] > 0.1
    assert told.layers[0].density == pytest.approx(_density_of_the_first_layer(sparse))
    assert all(abs(layer.pattern_worth) < costs[0] for layer in told.layers)


def test_effects_of_features_add_up(fitted):
    predictor, models = fitted
    told = predictor.explain(models[3])
    assert {one.name for one in told.features} == set(FAMILIES)
    assert sum(one.effect for one in told.features) == pytest.approx(told.predicted - told.typical, abs=1e-6)
    sizes = [abs(one.effect) for one in told.features]
    assert sizes == sorted(sizes, reverse=True)


def test_the_model_is_left_as_it_was_and_the_seed_decides(fitted):
    predictor, models = fitted
    before = {name: mask.copy() for name, mask in onnx_graph.masks(models[5]).items()}
    assert predictor.explain(models[5], seed=1) == predictor.explain(models[5], seed=1)
    for name, mask in onnx_graph.masks(models[5]).items():
        np.testing.assert_array_equal(mask, before[name])


def test_a_full_layer_has_no_other_pattern(fitted):
    predictor, models = fitted
    dense = models[0].clone()
    weights = {weight.name: np.ones(weight.shape, np.float32) for weight in onnx_graph.weights(dense)}
    onnx_graph.set_weights(
        dense, {weight.name: weight.stored(weights[weight.name]) for weight in onnx_graph.weights(dense)}
    )
    for layer in predictor.explain(dense).layers:
        assert layer.pattern_worth == layer.pattern_spread == 0.0
        assert layer.sparsity_cost == pytest.approx(0.0, abs=1e-9)


def test_what_cannot_be_explained_is_refused(fitted):
    from predictors import create

    predictor, models = fitted
    graph = encode(models[0])
    with pytest.raises(PredictorError, match="no masks to change"):
        predictor.explain(graph)
    constant = create("constant").fit([graph, graph], np.array([0.4, 0.5]))
    with pytest.raises(PredictorError, match="typical features"):
        explain(constant, models[0])
