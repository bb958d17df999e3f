"""A maskable weight of a network in training and its place in the graph."""

from dataclasses import dataclass

import onnx_ir as ir

from onnx_graph import Weight
from onnx_graph.internals import WeightUse, weight_uses
from onnx_graph.operators import operator_of
from search_spaces.masks import MaskLayer


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A maskable weight and its place in the graph.

    Attributes:
        name: name of the initializer.
        weight: kind, canonical shape and orientation.
        input: name of the value that it multiplies (a recurrent weight: the input of its operator).
        output: name of the operator's first output.
        bias: name of the bias vector ``(out,)`` that is added to the product; None without a bias, or if gates share it.
        head: whether its output units are outputs of the network, which cannot be removed.
    """

    name: str
    weight: Weight
    input: str
    output: str
    bias: str | None
    head: bool

    @property
    def mask_layer(self) -> MaskLayer:
        """The layer in the form for the mask generators."""
        return mask_layer(self.weight)


def mask_layer(weight: Weight) -> MaskLayer:
    """A weight in the form for the mask generators."""
    gates = weight.gates * weight.directions
    return MaskLayer(name=weight.name, shape=weight.shape, kind=weight.kind, gates=gates)


def layers(model: ir.Model) -> tuple[Layer, ...]:
    """All maskable weights in node order, each at its first use."""
    uses: dict[str, WeightUse] = {}
    for use in weight_uses(model):
        uses.setdefault(use.weight.name, use)
    at_end = _reach_the_output(model)
    return tuple(_layer(use, use.node in at_end) for use in uses.values())


def _layer(use: WeightUse, head: bool) -> Layer:
    node = use.node
    data = next(
        (value for i, value in enumerate(node.inputs) if i != use.index and value is not None and value.name), None
    )
    return Layer(
        name=use.weight.name,
        weight=use.weight,
        input=(data.name or "") if data is not None else "",
        output=next((value.name for value in node.outputs if value.name), ""),
        bias=_bias(node),
        head=head,
    )


def _bias(node: ir.Node) -> str | None:
    """The third input of Gemm and Conv, or the vector that is added to a MatMul."""
    facts = operator_of(node)
    if facts.gates:
        return None
    index = facts.port("bias")
    if index is not None:
        value = node.inputs[index] if len(node.inputs) > index else None
        return value.name if value is not None and value.is_initializer() else None
    uses = list(node.outputs[0].uses())
    if len(uses) != 1 or not operator_of(uses[0].node).sums:
        return None
    vectors = [value for value in uses[0].node.inputs if value is not None and value.is_initializer()]
    return vectors[0].name if len(vectors) == 1 and len(vectors[0].shape or ()) == 1 else None


def _reach_the_output(model: ir.Model) -> set[ir.Node]:
    """Nodes with a weight from which a path leads to an output of the graph without passing another weight."""
    weighted = {use.node for use in weight_uses(model)}
    found, pending = set(), [value.producer() for value in model.graph.outputs]
    seen: set[ir.Node] = set()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in weighted:
            found.add(node)
        else:
            pending += [value.producer() for value in node.inputs if value is not None]
    return found
