"""Counts that budgets are made of, exact and cheap: non-zeros, parameters, multiply-accumulates."""

from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from onnx_graph.boundary import typed
from onnx_graph.weight import FLOATS, WeightUse, array_of, integer, weight_uses


@dataclass(frozen=True)
class Counts:
    """Exact sizes and costs of a network.

    Attributes:
        nnz: non-zero maskable weights (biases and normalisation not counted).
        weights: all maskable weights, zero or not.
        params: non-zero maskable weights plus all other float parameters (biases, normalisation).
        macs: multiply-accumulates of the non-zero weights for one example.
    """

    nnz: int
    weights: int
    params: int
    macs: int


@typed("counted")
def count(model: ir.Model) -> Counts:
    """Count a model as it is; call `trim` first if unreachable weights should not count.

    A weight shared by several nodes counts once, but its multiply-accumulates count once per node. Where shapes are
    unknown (an image size, a sequence length), the weight is assumed to be applied once.
    """
    nonzeros: dict[str, int] = {}
    stored = macs = 0
    for use in weight_uses(model):
        name = use.weight.name
        if name not in nonzeros:
            nonzeros[name] = int(np.count_nonzero(array_of(use.value)))
            stored += prod(use.weight.shape)
        macs += nonzeros[name] * _applications(use)
    nnz = sum(nonzeros.values())
    other = sum(_floats(value) for name, value in model.graph.initializers.items() if name not in nonzeros)
    return Counts(nnz=nnz, weights=stored, params=nnz + other, macs=macs)


def _floats(value: ir.Value) -> int:
    tensor = value.const_value
    return tensor.size if tensor is not None and tensor.dtype in FLOATS else 0


def _applications(use: WeightUse) -> int:
    """Number of times one weight is multiplied for one example: positions of an image or steps of a sequence."""
    node, operator = use.node, use.weight.operator
    if operator == "Conv":
        return _known(node.outputs[0].shape, skip=2)
    if operator == "ConvTranspose":
        return _known(node.inputs[0].shape if node.inputs[0] is not None else None, skip=2)
    if use.weight.is_recurrent:
        sequence = node.inputs[0]
        if sequence is None or sequence.shape is None or len(sequence.shape) != 3:
            return 1
        steps = sequence.shape[integer(node, "layout", 0)]
        return steps if isinstance(steps, int) else 1
    return _positions(node.outputs[0].shape, unit_axis=-1 if use.index == 1 else -2)


def _known(shape: ir.Shape | None, skip: int) -> int:
    """Product of the dimensions after the first ``skip``; 1 if any of them is unknown."""
    dims = [] if shape is None else list(shape)[skip:]
    return prod(dims) if all(isinstance(dim, int) for dim in dims) else 1  # type: ignore[arg-type]


def _positions(shape: ir.Shape | None, unit_axis: int) -> int:
    """Number of positions of a product's output, without its unit axis and its batch axis (the symbolic one, else the first)."""
    if shape is None or len(shape) < 3:
        return 1
    dims = list(shape)
    del dims[unit_axis]
    if all(isinstance(dim, int) for dim in dims):
        dims = dims[1:]
    return prod(dim for dim in dims if isinstance(dim, int))
