"""A graph in which everything between the weights is linear in positive values, so that it sums over paths."""

from collections.abc import Mapping

import onnx_ir as ir

from nas.importer.node import STANDARD_DOMAINS

_BECOMES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "LogSoftmax", "Mish", "Selu", "Shrink", "Sigmoid", "Softmax",
            "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu", "Clip", "Neg", "Sqrt", "Exp", "Log",
            "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization",
            "LpNormalization", "MeanVarianceNormalization", "RMSNormalization",
        ),
        "Identity",
    ),
    "Sub": "Add",
}  # fmt: skip
"""Replacements of operators that are not linear for positive values, or that make them negative."""


def linearised(model: ir.Model) -> ir.Model:
    """A copy without saturation, normalisation and subtraction; rectifiers stay, because they do not change positive values.

    With absolute weights and an input of ones, an output is the sum over all paths of the products of their weights. The
    gates of GRU and LSTM stay as they are; a plain RNN becomes linear.
    """
    copy = model.clone()
    for node in copy.graph:
        if node.domain not in STANDARD_DOMAINS:
            continue
        if node.op_type in _BECOMES:
            _replace(node, _BECOMES[node.op_type])
        elif node.op_type == "Mul" and _gates_itself(node):
            _replace(node, "Identity")
        elif node.op_type == "RNN":
            directions = 2 if node.attributes.get_string("direction", "forward") == "bidirectional" else 1
            node.attributes["activations"] = ir.AttrStrings("activations", ["Relu"] * directions)
        elif node.op_type == "Gemm":
            node.attributes["alpha"] = ir.AttrFloat32("alpha", abs(node.attributes.get_float("alpha", 1.0)))
    return copy


def _replace(node: ir.Node, operator: str) -> None:
    node.op_type = operator
    if operator == "Identity":
        node.attributes.clear()
        node.resize_inputs(1)


def _gates_itself(node: ir.Node) -> bool:
    """Whether this is x·σ(x), whose σ is an Identity by now."""
    value, gate = node.inputs
    producer = gate.producer() if gate is not None else None
    return producer is not None and producer.op_type == "Identity" and producer.inputs[0] is value
