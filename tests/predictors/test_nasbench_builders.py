"""The benchmark's networks: they run, their parameters are the tables', and the encoder reads their weights as dense."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from predictors.features.encoder import encode
from predictors.features.matrix import summary_column
from predictors.reading.operators import CLASSES

# A NAS-Bench-101 cell of four vertices in a row.
CHAIN = sum(1 << (x + y * (y - 1) // 2) for x, y in [(0, 1), (1, 2), (2, 3)])


@pytest.fixture
def nasbench(benchmark):
    return benchmark("support.nasbench")


def check(model: ir.Model) -> None:
    """The ONNX checker, and one forward pass of two images."""
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": np.ones((2, 3, 32, 32), np.float32)})[0].shape == (2, 10)


def count(graph, name: str) -> int:
    return int((graph.operators == CLASSES.index(name)).sum())


# Codes and cifar10_params as in nb201.csv.gz.
@pytest.mark.parametrize(
    ("code", "params"),
    [("433000", 129306), ("220420", 802426), ("302220", 830426), ("033222", 858426), ("111111", 73306)],
)
def test_a_nas_bench_201_network_runs_and_has_the_parameters_of_the_table(nasbench, code, params):
    check(nasbench.nasbench201(code))
    assert nasbench.parameters_201(code) == params


# edge_bits, ops and params as in nb101_20k.npz.
def test_a_nas_bench_101_network_runs_and_has_the_parameters_of_the_table(nasbench):
    cell = 1067621, (0, 0, 0, 0, 1), 7
    check(nasbench.nasbench101(*cell))
    assert nasbench.parameters_101(*cell) == 39974282


def test_operations_that_lead_nowhere_are_left_out(nasbench):
    # 0-3 is a 3×3 convolution; 0-1 is a convolution whose end nobody reads, 1-2 a pool of it.
    assert nasbench.parameters_201("212411") == nasbench.parameters_201("112111")
    assert len(nasbench.nasbench201("212411").graph) == len(nasbench.nasbench201("112111").graph)


def test_channels_are_shared_out_and_handed_back(nasbench):
    # 1 → 2; 2, 3 and 4 are joined: 128 = 43 + 43 + 42, and vertex 1 has as many as vertex 2 reads.
    edges = {(0, 1), (1, 2), (0, 3), (0, 4), (2, 5), (3, 5), (4, 5)}
    assert nasbench.channels_101(edges, 6, 128)[1:] == [43, 43, 43, 42, 128]


def test_the_encoder_reads_dense_weights_and_every_operator(nasbench):
    graph = encode(nasbench.nasbench201("302220"))
    assert graph.unknown == ()
    assert summary_column([graph], "density")[0] == 1
    assert summary_column([graph], "effective_density")[0] == 1
    # Four in each of 15 cells, three in each of two residual blocks, the stem.
    assert count(graph, "conv") == 4 * 15 + 3 * 2 + 1


def test_a_weight_made_by_the_graph_reads_like_a_stored_one(nasbench):
    model = nasbench.nasbench101(CHAIN, (0, 1), 4)
    stored = model.clone()
    for node in [node for node in stored.graph if node.op_type == "ConstantOfShape"]:
        weight = node.outputs[0]
        array = np.ones(node.inputs[0].const_value.numpy(), np.float32)
        value = ir.Value(
            name=f"{weight.name}_stored", shape=ir.Shape(array.shape), const_value=ir.Tensor(array), type=weight.type
        )
        weight.replace_all_uses_with(value)
        stored.graph.initializers.add(value)
        stored.graph.remove(node, safe=True)
    made, read = encode(model), encode(stored)
    for name in ("operators", "features", "edges", "summary"):
        np.testing.assert_array_equal(getattr(made, name), getattr(read, name))
