"""A structure graph as PyTorch Geometric reads it: a graph small enough to check by eye, its loaders and its layers."""

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import HeteroConv, SAGEConv, to_hetero

from predictors.features.graph_features import GRAPH_FEATURES
from predictors.features.node_features import NODE_FEATURES
from predictors.paths.unit_graph import UNIT_FEATURES, UnitGraph
from predictors.structure_graph import StructureGraph
from predictors.testing import synthetic_graphs

FEEDS, UNIT_FEEDS, IN = ("operator", "feeds", "operator"), ("unit", "feeds", "unit"), ("unit", "in", "operator")


@pytest.fixture
def graph() -> StructureGraph:
    """Input → dense → output; units 0 and 1 are inputs, 2 is the dense layer's, 3 belongs to no operator."""
    return StructureGraph(
        operators=np.array([0, 4, 1]),
        features=np.arange(3 * len(NODE_FEATURES), dtype=np.float32).reshape(3, -1),
        edges=np.array([[0, 1], [1, 2]]),
        summary=np.arange(len(GRAPH_FEATURES), dtype=np.float32),
        units=UnitGraph(
            owner=np.array([0, 0, 1, -1], np.int32),
            features=np.arange(4 * len(UNIT_FEATURES), dtype=np.float32).reshape(4, -1),
            edges=np.array([[0, 1, 2], [2, 2, 3]], np.int32),
        ),
        task=np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
    )


def test_content(graph):
    data = graph.to_hetero_data()
    assert data.validate()
    assert data.node_types == ["operator", "unit"]
    assert data.edge_types == [FEEDS, UNIT_FEEDS, IN]
    assert data["operator"].kind.tolist() == [0, 4, 1]
    assert data["operator"].x.shape == (3, len(NODE_FEATURES))
    assert data["operator"].x[1, 0] == len(NODE_FEATURES)
    assert data["unit"].x.shape == (4, len(UNIT_FEATURES))
    assert data[FEEDS].edge_index.tolist() == [[0, 1], [1, 2]]
    assert data[UNIT_FEEDS].edge_index.tolist() == [[0, 1, 2], [2, 2, 3]]
    assert data[IN].edge_index.tolist() == [[0, 1, 2], [0, 0, 1]]
    assert data[IN].edge_index.dtype == torch.int64
    assert data.summary.shape == (1, len(GRAPH_FEATURES))
    assert data.task.tolist() == [[1, 2, 3, 4, 5]]


def test_tensors_are_copies(graph):
    data = graph.to_hetero_data()
    data["operator"].x.zero_()
    data[FEEDS].edge_index.zero_()
    assert graph.features[2, 0] > 0
    assert graph.edges[1, 1] == 2


def test_a_graph_without_units_or_task_has_the_same_types():
    operators, features = np.array([0, 1]), np.zeros((2, len(NODE_FEATURES)), np.float32)
    summary = np.zeros(len(GRAPH_FEATURES), np.float32)
    data = StructureGraph(operators, features, np.array([[0], [1]]), summary).to_hetero_data()
    assert data["unit"].x.shape == (0, len(UNIT_FEATURES))
    assert data[UNIT_FEEDS].edge_index.shape == data[IN].edge_index.shape == (2, 0)
    assert data.edge_types == [FEEDS, UNIT_FEEDS, IN]
    assert "task" not in data


def _batch():
    graphs = [one.to_hetero_data() for one in synthetic_graphs(6)[0]]
    return graphs, next(iter(DataLoader(graphs, batch_size=6)))


def test_a_loader_stacks_graphs():
    graphs, batch = _batch()
    assert batch.num_graphs == 6
    assert batch["operator"].num_nodes == sum(one["operator"].num_nodes for one in graphs)
    assert batch.summary.shape == (6, len(GRAPH_FEATURES))
    # The second graph's first edge, moved by the nodes of the first.
    first = graphs[0][FEEDS].edge_index.shape[1]
    moved = graphs[1][FEEDS].edge_index[:, 0] + graphs[0]["operator"].num_nodes
    assert torch.equal(batch[FEEDS].edge_index[:, first], moved)


class _Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = SAGEConv((-1, -1), 8), SAGEConv((-1, -1), 2)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x, edge_index).relu(), edge_index)


def test_to_hetero_runs_on_them():
    _, batch = _batch()
    network = to_hetero(_Network(), batch.metadata(), aggr="sum")
    found = network(batch.x_dict, batch.edge_index_dict)
    assert found["operator"].shape == (batch["operator"].num_nodes, 2)
    assert found["unit"].shape == (batch["unit"].num_nodes, 2)


def test_hetero_conv_runs_on_them():
    _, batch = _batch()
    conv = HeteroConv({edge: SAGEConv((-1, -1), 4) for edge in batch.edge_types}, aggr="sum")
    found = conv(batch.x_dict, batch.edge_index_dict)
    assert found["operator"].shape == (batch["operator"].num_nodes, 4)
    assert torch.isfinite(found["unit"]).all()
