from dataclasses import replace

import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.gnn import GNNOptions, GNNPredictor
from predictors.structure_graph import StructureGraph
from predictors.testing import synthetic_graphs

SMALL = GNNOptions(members=2, hidden=8, layers=2, steps=30)


@pytest.fixture(scope="module")
def fitted():
    graphs, accuracies = synthetic_graphs(30)
    return GNNPredictor(SMALL).fit(graphs, accuracies, seed=1)


def _chain(graph, edges):
    return StructureGraph(graph.operators[:3], graph.features[:3], np.array(edges, np.int64), graph.summary)


@pytest.fixture
def graph():
    return next(one for one in synthetic_graphs(30)[0] if len(one.operators) >= 3)


def test_the_direction_of_an_edge_matters(fitted, graph):
    forward, backward = _chain(graph, [[0, 1], [1, 2]]), _chain(graph, [[1, 2], [0, 1]])
    assert fitted.predict([forward]).mean != fitted.predict([backward]).mean


def test_an_edge_matters(fitted, graph):
    assert fitted.predict([_chain(graph, [[0, 1], [1, 2]])]).mean != fitted.predict([_chain(graph, [[0], [1]])]).mean


def test_operator_node_feature_and_summary_matter(fitted, graph):
    base = fitted.predict([graph]).mean
    operators = graph.operators.copy()
    operators[0] = (operators[0] + 1) % 5
    assert fitted.predict([replace(graph, operators=operators)]).mean != base
    assert fitted.predict([replace(graph, features=graph.features + np.float32(0.5))]).mean != base
    assert fitted.predict([replace(graph, summary=graph.summary + np.float32(0.5))]).mean != base


def test_a_graph_without_edges_or_nodes_is_predicted(fitted, graph):
    lonely = _chain(graph, [[], []])
    empty = StructureGraph(graph.operators[:0], graph.features[:0], np.zeros((2, 0), np.int64), graph.summary)
    mean = fitted.predict([lonely, empty, graph]).mean
    assert np.isfinite(mean).all()


def test_fitting_leaves_threads_and_generator_of_torch_alone():
    import torch

    graphs, accuracies = synthetic_graphs(12)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    GNNPredictor(SMALL).fit(graphs, accuracies)
    assert torch.get_num_threads() == threads
    assert torch.rand(1) == expected


def test_predictions_do_not_depend_on_the_number_of_threads(fitted):
    import torch

    graphs, _ = synthetic_graphs(20)
    threads = torch.get_num_threads()
    expected = fitted.predict(graphs).mean
    try:
        torch.set_num_threads(threads + 1)
        np.testing.assert_array_equal(fitted.predict(graphs).mean, expected)
    finally:
        torch.set_num_threads(threads)


def test_a_state_of_another_shape_is_refused(fitted):
    arrays = fitted.arrays()
    with pytest.raises(InvalidPredictorError, match="member 0, does not fit"):
        GNNPredictor.from_arrays({**arrays, "hidden": np.asarray(16)})
    with pytest.raises(InvalidPredictorError, match="does not fit"):
        GNNPredictor.from_arrays({name: value for name, value in arrays.items() if name != "member1.input.weight"})


@pytest.mark.parametrize("wrong", [{"members": 0}, {"batch_size": 1}, {"dropout": 1.0}, {"learning_rate": 0.0}])
def test_options_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"must be ≥|need learning_rate"):
        GNNOptions(**wrong)
