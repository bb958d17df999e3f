"""The encoder is in the search's inner loop: bounds several times what it takes, so that a quadratic step shows."""

import time
from itertools import pairwise

import numpy as np
import onnx_ir as ir
import pytest

from predictors.encoder import encode


def value(name: str, *shape: int | str) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def mlp(widths: list[int], density: float, *, skips: bool) -> ir.Model:
    """Masked layers with Relu between them; with skips, each layer's input is also added to its output."""
    rng = np.random.default_rng(0)
    first = x = value("x", "N", widths[0])
    nodes, weights = [], []

    def node(operator: str, inputs: list[ir.Value], width: int, *attributes: ir.Attr) -> ir.Value:
        made = ir.Node("", operator, inputs, list(attributes), name=f"n{len(nodes)}")
        made.outputs[0].name, made.outputs[0].shape = f"v{len(nodes)}", ir.Shape(["N", width])
        nodes.append(made)
        return made.outputs[0]

    for inner, out in pairwise(widths):
        array = (rng.random((out, inner)) < density).astype(np.float32)
        weights.append(ir.Value(name=f"w{len(weights)}", const_value=ir.Tensor(array), shape=ir.Shape(array.shape)))
        y = node("Relu", [node("Gemm", [x, weights[-1]], out, ir.AttrInt64("transB", 1))], out)
        x = node("Add", [x, y], out) if skips and inner == out else y
    graph = ir.Graph([first], [x], nodes=nodes, initializers=weights, opset_imports={"": 17}, name="g")
    return ir.Model(graph, ir_version=10)


def seconds(model: ir.Model, repeats: int) -> float:
    """Processor time of the quickest encoding."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        encode(model)
        best = min(best, time.process_time() - start)
    return best


def test_a_small_candidate_takes_milliseconds():
    # Measured: 2 ms.
    assert seconds(mlp([64, 48, 48, 48, 10], 0.1, skips=False), 20) < 0.008


@pytest.mark.parametrize("skips", [False, True])
def test_thousands_of_nodes_take_less_than_two_seconds(skips):
    model = mlp([16] * (1168 if skips else 1751), 0.4, skips=skips)
    assert len(model.graph) >= 3500
    # Measured: 0.4 s.
    assert seconds(model, 1) < 2


def test_time_grows_with_the_number_of_nodes_not_with_its_square():
    times = [seconds(mlp([16] * layers, 0.4, skips=True), 2) for layers in (200, 800)]
    assert times[1] < 8 * times[0]
