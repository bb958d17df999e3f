"""The role of each initializer: a parameter that training changes, a statistic that it updates, or a constant.

- Parameters are the maskable weights (`onnx_graph.weights`); the biases of Gemm, Conv, ConvTranspose, RNN, GRU and
  LSTM; scale and shift of normalisations; the slope of PRelu; float tables from which Gather reads rows (embeddings);
  and operands of Add or Mul whose other operand depends on a weight: the bias of a MatMul, a positional table, a
  scale and shift written as two nodes.
- Buffers are running mean and variance of BatchNormalization.
- Everything else is constant: integers, scalars (an exponent, an epsilon, a temperature), operands of Sub and Div,
  operands of nodes before the first weight (preprocessing), initial states, and masks with infinities or
  large negative numbers.

An Add directly behind a MatMul, Gemm or Conv is a bias whatever its size.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnx_graph import weights
from onnx_graph.internals import array_of, initializer_of
from onnx_graph.operators import LEARNED, PRODUCTS, STATISTICS, operator_of

# Values that mask out an attention score are at least this large; trained parameters are smaller.
_MASKING = 1e4


@dataclass(frozen=True)
class Roles:
    """Names of the initializers of each role; initializers in neither set are constants."""

    parameters: frozenset[str]
    buffers: frozenset[str]
    weights: frozenset[str]


def roles(model: ir.Model) -> Roles:
    """Decide the role of every initializer of the main graph."""
    maskable = {weight.name for weight in weights(model)}
    parameters, buffers = set(maskable), set[str]()
    after_weight: set[ir.Value] = set()
    for node in model.graph:
        facts = operator_of(node)
        parameters |= _floats(node, (index for index, role in facts.ports.items() if role in LEARNED))
        buffers |= _floats(node, (index for index, role in facts.ports.items() if role in STATISTICS))
        if facts.kind in ("add", "mul") and not facts.ordered:
            parameters |= _joined(node, after_weight)
        weighted = facts.port("weight") is not None or facts.port("table") is not None
        learned = weighted and bool(_named(node) & parameters)
        if learned or any(value in after_weight for value in node.inputs):
            after_weight.update(node.outputs)
    return Roles(frozenset(parameters - buffers), frozenset(buffers), frozenset(maskable))


def _named(node: ir.Node) -> set[str]:
    return {value.name for value in map(initializer_of, node.inputs) if value is not None and value.name}


def _floats(node: ir.Node, positions: Iterable[int]) -> set[str]:
    """Names of the float initializers with at least one axis among these inputs."""
    values = (initializer_of(node.inputs[i]) for i in positions if i < len(node.inputs))
    return {
        value.name for value in values if value is not None and value.name and _is_float(value) and array_of(value).ndim
    }


def _is_float(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.is_floating_point()


def _joined(node: ir.Node, after_weight: set[ir.Value]) -> set[str]:
    """The initializer that an Add or Mul combines with a value that depends on a weight."""
    if len(node.inputs) != 2:
        return set()
    for position, other in ((0, 1), (1, 0)):
        value, partner = initializer_of(node.inputs[position]), node.inputs[other]
        if value is None or partner is None or partner not in after_weight:
            continue
        producer = partner.producer()
        bias = operator_of(node).sums and producer is not None and operator_of(producer).kind in PRODUCTS
        names = _floats(node, (position,))
        if names and (bias or array_of(value).size > 1) and np.abs(array_of(value)).max(initial=0) < _MASKING:
            return names
    return set()
