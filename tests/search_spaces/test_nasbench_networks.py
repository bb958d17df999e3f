"""Networks of the NAS-Bench cells: they run, their parameters are the tables', and the encoder reads their weights as dense."""

import math

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

import onnx_graph
from predictors.features.encoder import encode
from predictors.features.matrix import summary_column
from predictors.reading.operators import CLASSES
from search_spaces import nasbench101_network, nasbench201_network
from search_spaces.nasbench.network101 import channels_101

# A NAS-Bench-101 cell of four vertices in a row.
CHAIN = sum(1 << (x + y * (y - 1) // 2) for x, y in [(0, 1), (1, 2), (2, 3)])


def check(model: ir.Model, classes: int = 10, size: int = 32) -> None:
    """The ONNX checker, and one forward pass of two images."""
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": np.ones((2, 3, size, size), np.float32)})[0].shape == (2, classes)


def count(graph, name: str) -> int:
    return int((graph.operators == CLASSES.index(name)).sum())


def parameters(model: ir.Model) -> int:
    """Trainable parameters: all floats, without the two statistics of each normalisation."""
    stored = [value for value in model.graph.initializers.values() if value.dtype is ir.DataType.FLOAT and value.shape]
    norms = [node for node in model.graph if node.op_type == "BatchNormalization"]
    statistics = sum(2 * node.inputs[1].shape[0] for node in norms)
    return sum(math.prod(value.shape.numpy()) for value in stored) - statistics


# Codes and cifar10_params as in nb201.csv.gz.
@pytest.mark.parametrize(
    ("code", "params"),
    [("433000", 129306), ("220420", 802426), ("302220", 830426), ("033222", 858426), ("111111", 73306)],
)
def test_a_nas_bench_201_network_runs_and_has_the_parameters_of_the_table(code, params):
    model = nasbench201_network(code)
    check(model)
    assert parameters(model) == params


def test_other_images_and_classes():
    check(nasbench201_network("302220", outputs=120, size=16), classes=120, size=16)


# edge_bits, ops and params as in nb101_20k.npz.
@pytest.mark.takes(10, "a network of 40 million weights")
def test_a_nas_bench_101_network_runs_and_has_the_parameters_of_the_table():
    model = nasbench101_network(1067621, (0, 0, 0, 0, 1), 7)
    check(model)
    assert parameters(model) == 39974282


def test_operations_that_lead_nowhere_are_left_out():
    # 0-3 is a 3×3 convolution; 0-1 is a convolution whose end nobody reads, 1-2 a pool of it.
    assert onnx_graph.count(nasbench201_network("212411")) == onnx_graph.count(nasbench201_network("112111"))
    assert len(nasbench201_network("212411").graph) == len(nasbench201_network("112111").graph)


def test_channels_are_shared_out_and_handed_back():
    # 1 → 2; 2, 3 and 4 are joined: 128 = 43 + 43 + 42, and vertex 1 has as many as vertex 2 reads.
    edges = {(0, 1), (1, 2), (0, 3), (0, 4), (2, 5), (3, 5), (4, 5)}
    assert channels_101(edges, 6, 128)[1:] == [43, 43, 43, 42, 128]


def test_the_encoder_reads_dense_weights_and_every_operator():
    graph = encode(nasbench201_network("302220"))
    assert graph.unknown == ()
    assert summary_column([graph], "density")[0] == 1
    assert summary_column([graph], "effective_density")[0] == 1
    # Four in each of 15 cells, three in each of two residual blocks, the stem.
    assert count(graph, "conv") == 4 * 15 + 3 * 2 + 1


def test_every_layer_has_its_own_parameters():
    model = nasbench101_network(CHAIN, (0, 1), 4)
    uses = [value for node in model.graph for value in node.inputs if value is not None and value.is_initializer()]
    floats = [value.name for value in uses if value.dtype is ir.DataType.FLOAT]
    assert len(floats) == len(set(floats))
