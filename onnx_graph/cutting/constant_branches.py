"""Branches of a sum whose output is constant, because the weights of their layer are all zero."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.operators import ELEMENTWISE, operator_of
from onnx_graph.rewriting.simplification import simplify
from onnx_graph.units.weighted_nodes import product_axes
from onnx_graph.weight import WeightUse, array_of, initializer_of, weight_uses


def drop_constant_branches(model: ir.Model) -> ir.Model:
    """Replace such branches by their constant and remove zeros from sums; in place if nothing needs folding.

    A branch is replaced only if its constant is added to a tensor that has the sum's shape and depends on an input, so
    that no shape changes.
    """
    weightless = [use for use in weight_uses(model) if not array_of(use.value).any()]
    constant: set[ir.Value] = set()
    for use in weightless:
        array, branch = _constant(use), _branch(use.node.outputs[0], constant)
        if array is not None and branch:
            constant.update(branch)
            _put(model, use.node.outputs[0], array)
    if constant:
        model = simplify(model)
    while _drop_zero_terms(model):
        model = simplify(model)
    return model


def _constant(use: WeightUse) -> NDArray[np.generic] | None:
    """Output of a layer whose weights are all zero: its bias, in a shape that broadcasts to its output."""
    node, rank = use.node, len(use.node.outputs[0].shape or ())
    shape = [1] * rank
    axis = product_axes(use)[1] if use.weight.kind == "dense" else 1
    if rank < 2:
        return None
    shape[axis] = use.weight.shape[0]
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return np.zeros(shape, array_of(use.value).dtype)
    bias = initializer_of(node.inputs[2])
    beta = node.attributes.get("beta")
    if bias is None or (beta is not None and beta.value != 1):
        return None
    array = array_of(bias)
    if node.op_type == "Gemm":
        return array.reshape((1,) * (rank - array.ndim) + array.shape)
    return array.reshape(shape) if array.size == use.weight.shape[0] else None


def _branch(value: ir.Value, constant: set[ir.Value]) -> list[ir.Value]:
    """A constant value and the values that elementwise operators compute from it, up to a sum with a tensor of the sum's shape.

    Empty if the value is used in any other way. ``constant`` holds the values of the branches found so far; they do not
    count as that tensor.
    """
    branch = [value]
    while len(value.uses()) == 1 and not value.is_graph_output():
        node = next(iter(value.uses())).node
        if len(node.outputs) != 1:
            return []
        others = [other for other in node.inputs if other is not value and other is not None and other not in constant]
        shape = node.outputs[0].shape
        if operator_of(node).sums and shape is not None and any(_has_shape(other, shape) for other in others):
            return branch
        if operator_of(node).kind not in ELEMENTWISE | {"batch_norm"} or node.op_type == "Dropout":
            return []
        if any(initializer_of(other) is None for other in others):
            return []
        value = node.outputs[0]
        branch.append(value)
    return []


def _has_shape(value: ir.Value, shape: ir.Shape) -> bool:
    """Whether a value is not a constant and certainly has that shape; unknown dimensions without a name may differ."""
    if initializer_of(value) is not None or value.shape is None:
        return False
    known = all(isinstance(dim, int) or dim.value is not None for dim in shape)
    return known and value.shape == shape


def _put(model: ir.Model, value: ir.Value, array: NDArray[np.generic]) -> None:
    """Give the users of a value a constant instead."""
    name = f"{value.name}.constant"
    while name in model.graph.initializers:
        name += "_"
    tensor = ir.Tensor(np.ascontiguousarray(array), dtype=value.dtype, name=name)
    constant = ir.Value(name=name, shape=ir.Shape(array.shape), type=value.type, const_value=tensor)
    model.graph.register_initializer(constant)
    value.replace_all_uses_with(constant)


def _drop_zero_terms(model: ir.Model) -> bool:
    """Turn every ``x + 0`` into an Identity, which `simplify` removes; returns whether there was any."""
    changed = False
    for node in list(model.graph):
        if not operator_of(node).sums:
            continue
        terms = [value for value in node.inputs if value is not None and not _is_zero(value)]
        shape = node.outputs[0].shape
        if len(terms) == len(node.inputs) or shape is None or not any(_has_shape(term, shape) for term in terms):
            continue
        kind = "Identity" if len(terms) == 1 else node.op_type
        if kind == "Identity" and node.outputs[0].is_graph_output() and terms[0].is_graph_input():
            continue
        new = ir.Node("", kind, terms, name=node.name)
        old, name = node.outputs[0], node.outputs[0].name
        new.outputs[0].shape, new.outputs[0].type = old.shape, old.type
        ir.convenience.replace_nodes_and_values(model.graph, node, [node], [new], [old], new.outputs)
        new.outputs[0].name = name
        changed = True
    return changed


def _is_zero(value: ir.Value) -> bool:
    source = initializer_of(value)
    return source is not None and not array_of(source).any()
