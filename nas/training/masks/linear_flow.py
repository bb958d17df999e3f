"""A graph in which everything between the weights is linear in positive values, so that it sums over paths."""

import onnx_ir as ir

from onnx_graph.operators import operator_of


def linearised(model: ir.Model) -> ir.Model:
    """A copy without saturation, normalisation and subtraction; rectifiers stay, because they do not change positive values.

    With absolute weights and an input of ones, an output is the sum over all paths of the products of their weights. The
    gates of GRU and LSTM stay as they are; a plain RNN becomes linear.
    """
    copy = model.clone()
    for node in copy.graph:
        facts = operator_of(node)
        if facts.bent:
            _replace(node, "Identity")
        elif facts.name == "Sub":
            _replace(node, "Add")
        elif facts.name == "Mul" and _gates_itself(node):
            _replace(node, "Identity")
        elif facts.name == "RNN":
            directions = 2 if node.attributes.get_string("direction", "forward") == "bidirectional" else 1
            node.attributes["activations"] = ir.AttrStrings("activations", ["Relu"] * directions)
        elif facts.name == "Gemm":
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
