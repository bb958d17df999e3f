"""Cutting the deepest layers off a trained auto-compressing network (arXiv:2506.09714).

Such a network computes head(x₁ + … + x_L) with x_i = f_i(x_{i−1}); unlike in the paper, the input itself is not a
term. According to the paper, training with that sum concentrates what is learned in the first layers, so that the last ones can be
removed. Sparse networks of six layers on digits do not show this: without its last layer such a network loses 14 points of accuracy
(`benchmarks/search/architecture_genes.py`). So train further after cutting.
"""

import onnx_ir as ir

from onnx_graph.errors import GraphError
from onnx_graph.operators import operator_of
from onnx_graph.rewriting.simplification import simplify
from onnx_graph.weight import WeightUse, initializer_of, weight_uses


class CutError(GraphError, ValueError):
    """The network has fewer layers that can be cut than requested, or none."""


def summed_layers(model: ir.Model) -> int:
    """Number of layers whose sum the head reads; 1 if it does not read a sum."""
    return len(_sums(_head(model)))


def cut_layers(model: ir.Model, keep: int) -> ir.Model:
    """A smaller model whose head reads the sum of the first `keep` layers only; the original is not changed.

    Raises:
        CutError: `keep` is not between 1 and `summed_layers`, or the graph does not end in a layer with a weight.
    """
    small = model.clone()
    head = _head(small)
    sums = _sums(head)
    if not 1 <= keep <= len(sums):
        raise CutError(f"keep is {keep}; the head of this network sums {len(sums)} layers, so keep 1 to {len(sums)}")
    head.node.replace_input_with(1 - head.index, sums[keep - 1])
    return simplify(small)


def _head(model: ir.Model) -> WeightUse:
    """The last layer's use of its weight; an Add of its bias is skipped."""
    uses = {use.node: use for use in weight_uses(model)}
    node = model.graph.outputs[0].producer()
    if node is not None and node.op_type == "Add":
        node = next((value.producer() for value in node.inputs if initializer_of(value) is None and value), None)
    if node is None or node not in uses or operator_of(node).kind != "dense":
        raise CutError("the graph ends in no Gemm or MatMul with a weight; only a network with such a head can be cut")
    return uses[node]


def _sums(head: WeightUse) -> list[ir.Value]:
    """The values that the head would read if the network ended with the first layer, the second, …, the last."""
    value = head.node.inputs[1 - head.index]
    sums: list[ir.Value] = []
    while value is not None:
        sums.append(value)
        node = value.producer()
        if node is None or node.op_type != "Add" or any(initializer_of(term) is not None for term in node.inputs):
            break
        value = next((term for term in node.inputs if _is_sum(term)), node.inputs[0])
    return sums[::-1]


def _is_sum(value: ir.Value | None) -> bool:
    node = value.producer() if value is not None else None
    return node is not None and node.op_type == "Add"
