"""Structure graphs in npz files."""

import numpy as np

from predictors.structure_graph import StructureGraph


def test_arrays_go_through_a_file_without_pickle(tmp_path):
    graph = StructureGraph(
        operators=np.array([0, 3]),
        features=np.ones((2, 4), np.float32),
        edges=np.array([[0], [1]]),
        summary=np.arange(3, dtype=np.float32),
        unknown=("a::B", "other::Warp"),
    )
    np.savez(tmp_path / "graph.npz", **graph.arrays())
    with np.load(tmp_path / "graph.npz", allow_pickle=False) as arrays:
        read = StructureGraph.from_arrays(arrays)
    for name in ("operators", "features", "edges", "summary"):
        np.testing.assert_array_equal(getattr(read, name), getattr(graph, name))
    assert read.unknown == graph.unknown
    empty = StructureGraph.from_arrays(
        StructureGraph(graph.operators, graph.features, graph.edges, graph.summary).arrays()
    )
    assert empty.unknown == ()
