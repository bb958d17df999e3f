from dataclasses import replace

import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.models.gnn.gnn import GNNOptions, GNNPredictor
from predictors.structure_graph import StructureGraph
from predictors.testing import synthetic_graphs

SMALL = GNNOptions(members=2, hidden=8, layers=2, unit_hidden=4, unit_layers=1, steps=30, epochs=1)


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


def test_the_connections_inside_the_operators_matter(fitted, graph):
    assert graph.units is not None
    units = graph.units
    base = fitted.predict([graph]).mean
    assert fitted.predict([replace(graph, units=replace(units, edges=units.edges[:, 1:]))]).mean != base
    assert fitted.predict([replace(graph, units=replace(units, edges=units.edges[::-1]))]).mean != base
    assert fitted.predict([replace(graph, units=replace(units, owner=np.roll(units.owner, 3)))]).mean != base
    assert fitted.predict([replace(graph, units=None)]).mean != base


def test_what_members_say_of_their_left_out_networks_is_returned():
    graphs, accuracies = synthetic_graphs(20)
    folds = np.arange(20) % 2
    fitted = GNNPredictor(SMALL)
    said = fitted.fit_folds(graphs, accuracies, folds, seed=3)
    changed = accuracies.copy()
    changed[folds == 0] = changed[folds == 0][::-1]  # the same mean and spread: only member 0 must not notice
    again = GNNPredictor(SMALL).fit_folds(graphs, changed, folds, seed=3)
    np.testing.assert_allclose(again[folds == 0], said[folds == 0], atol=1e-6)
    assert not np.allclose(again[folds == 1], said[folds == 1], atol=1e-3)


def test_means_over_neighbours_and_their_gradients():
    import torch

    from predictors.models.gnn.neighbours import Neighbours

    edges = np.array([[0, 1, 2, 0], [2, 2, 3, 3]])
    neighbours = Neighbours.of(edges, 5)
    state = torch.arange(10.0).reshape(5, 2).requires_grad_()
    made = neighbours.sources(state)
    expected = torch.stack([torch.zeros(2), torch.zeros(2), state[:2].mean(0), state[[0, 2]].mean(0), torch.zeros(2)])
    torch.testing.assert_close(made, expected)
    weight = torch.rand(5, 2)
    (gradient,) = torch.autograd.grad((made * weight).sum(), state)
    (wanted,) = torch.autograd.grad((expected * weight).sum(), state)
    torch.testing.assert_close(gradient, wanted)
    with torch.inference_mode():
        torch.testing.assert_close(neighbours.sources(state), expected)
        torch.testing.assert_close(neighbours.targets(state)[0], state[[2, 3]].mean(0))


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


def test_a_state_of_another_shape_is_refused(fitted):
    arrays = fitted.arrays()
    with pytest.raises(InvalidPredictorError, match=r"member0\.nodes\.weight"):
        GNNPredictor.from_arrays({**arrays, "hidden": np.asarray(16)})
    with pytest.raises(InvalidPredictorError, match="does not fit: 2 rounds, not 3"):
        GNNPredictor.from_arrays({**arrays, "layers": np.asarray(3)})
    with pytest.raises(InvalidPredictorError, match=r"member1\.nodes\.weight"):
        GNNPredictor.from_arrays({name: value for name, value in arrays.items() if name != "member1.nodes.weight"})
    with pytest.raises(InvalidPredictorError, match=r"unknown parameter 'member1\.nose\.weight'"):
        GNNPredictor.from_arrays({**arrays, "member1.nose.weight": arrays["member1.nodes.weight"]})


@pytest.mark.parametrize(
    "wrong", [{"members": 0}, {"unit_hidden": 0}, {"batch_size": 1}, {"dropout": 1.0}, {"learning_rate": 0.0}]
)
def test_options_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"must be ≥|need learning_rate|sizes and steps"):
        GNNOptions(**wrong)
