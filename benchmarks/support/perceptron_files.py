"""ONNX files of masked perceptrons for 8×8 images of digits, of any length, each with other weights."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

WIDTH = 16
DENSITY = 0.5


def perceptron(seed: int, layers: int = 50) -> bytes:
    """The file of a perceptron with that many linear layers: ``2 * layers`` nodes."""
    return perceptron_model(seed, layers).SerializeToString()


def perceptron_model(seed: int, layers: int) -> ModelProto:
    """A perceptron with random weights, half of which are zero."""
    rng = np.random.default_rng(seed)
    nodes, weights = [helper.make_node("Flatten", ["input"], ["h0"])], []
    sizes = [64, *([WIDTH] * (layers - 1)), 10]
    for layer in range(layers):
        last = layer == layers - 1
        shape = sizes[layer + 1], sizes[layer]
        weight = (rng.normal(size=shape) * (rng.random(shape) < DENSITY)).astype(np.float32)
        bias = rng.normal(size=shape[0]).astype(np.float32)
        weights += [numpy_helper.from_array(weight, f"w{layer}"), numpy_helper.from_array(bias, f"b{layer}")]
        after = "output" if last else f"s{layer}"
        nodes.append(helper.make_node("Gemm", [f"h{layer}", f"w{layer}", f"b{layer}"], [after], transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [after], [f"h{layer + 1}"]))
    graph = helper.make_graph(
        nodes,
        "perceptron",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 10])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
