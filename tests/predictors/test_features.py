from dataclasses import replace

import numpy as np
import pytest

from predictors.errors import PredictorError
from predictors.features.matrix import (
    CLASSES,
    GRAPH_FEATURES,
    NODE_FEATURES,
    STRUCTURE_FEATURES,
    column_groups,
    matrix,
    matrix_width,
    node_table,
    summary_column,
)
from predictors.structure_graph import StructureGraph
from predictors.task_description import TaskDescription
from predictors.testing import synthetic_graphs


def _graph(values, operators, summary=0.0):
    features = np.zeros((len(values), len(NODE_FEATURES)), np.float32)
    features[:, 0] = values
    edges = np.zeros((2, 0), np.int64)
    return StructureGraph(
        np.array(operators, np.int64), features, edges, np.full(len(GRAPH_FEATURES), summary, np.float32)
    )


def test_matrix_pools_each_graph_by_hand():
    rows = matrix([_graph([1, 3], [2, 2], summary=7), _graph([5], [0])])
    width, nodes = len(STRUCTURE_FEATURES), len(NODE_FEATURES)
    assert rows.shape == (2, matrix_width())
    np.testing.assert_array_equal(rows[:, 0], [7, 0])
    pooled = rows[:, [width, width + nodes, width + 2 * nodes, width + 3 * nodes]]
    np.testing.assert_array_equal(pooled, [[2, 1, 1, 3], [5, 0, 5, 5]])  # mean, deviation, minimum, maximum
    counts = rows[:, width + 4 * nodes :][:, : len(CLASSES)]
    np.testing.assert_allclose(counts[0, 2], np.log(3))
    np.testing.assert_allclose(counts[1, 0], np.log(2))
    assert np.count_nonzero(counts) == 2


def test_the_task_is_told_beside_the_structure():
    graph = _graph([1], [0], summary=7)
    task = TaskDescription(samples=100, classes=10, inputs=64, one_nn=0.9, linear_probe=0.8)
    rows = matrix([graph, graph.on(task)])
    told = [group == "task" for group in column_groups()]
    assert len(told) == rows.shape[1]
    np.testing.assert_array_equal(rows[0, told], 0)
    np.testing.assert_allclose(
        rows[1, told], [np.log(100), np.log(10), np.log(64), np.log(0.1), np.log(0.2)], rtol=1e-6
    )
    np.testing.assert_array_equal(rows[0, np.logical_not(told)], rows[1, np.logical_not(told)])


def test_a_graph_without_nodes_between_others_pools_to_zero():
    rows = matrix([_graph([1], [0]), _graph([], []), _graph([4], [0])])
    width = len(STRUCTURE_FEATURES)
    np.testing.assert_array_equal(rows[:, width], [1, 0, 4])


def test_no_graphs_give_no_rows():
    assert matrix([]).shape == (0, matrix_width())


def test_owner_of_every_node():
    assert node_table([_graph([1, 2], [0, 1]), _graph([3], [4])])[2].tolist() == [0, 0, 1]


def test_features_of_another_version_or_not_finite_are_refused():
    graph = synthetic_graphs(1)[0][0]
    with pytest.raises(PredictorError, match=r"graph 0 has a summary of shape \(2,\)"):
        matrix([replace(graph, summary=np.zeros(2, np.float32))])
    with pytest.raises(PredictorError, match="graph 0 has node features of shape"):
        matrix([replace(graph, features=graph.features[:, :2])])
    with pytest.raises(PredictorError, match=f"whole-graph feature '{GRAPH_FEATURES[0]}' is nan in row 0"):
        summary_column([replace(graph, summary=np.full_like(graph.summary, np.nan))], GRAPH_FEATURES[0])
