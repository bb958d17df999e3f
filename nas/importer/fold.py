"""Nodes that do not depend on the data, computed in numpy by the reference implementation of ONNX."""

import math
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from nas.importer.node import Array, name_of, operator_of
from onnx_graph.errors import UnsupportedOperatorError
from onnx_graph.operators import TABLE

# Elements of one constant. A file of a few bytes can ask for more than there is memory.
MAX_ELEMENTS = 1 << 28


def evaluate(node: ir.Node, version: int, inputs: Sequence[Array | None]) -> list[Array]:
    """The outputs of a node for known inputs. `UnsupportedOperatorError` where the reference cannot compute it."""
    _check_size(node, inputs)
    proto = ir.to_proto(node)
    names = [value.name or "" for value in node.inputs if value is not None]
    given = {value.name: array for value, array in zip(node.inputs, inputs, strict=True) if value is not None}
    graph = onnx.GraphProto(name="node", node=[proto])
    graph.input.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    graph.output.extend(onnx.ValueInfoProto(name=value.name) for value in node.outputs if value.name)
    opsets = [onnx.OperatorSetIdProto(domain=node.domain, version=version)]
    try:
        found = ReferenceEvaluator(onnx.ModelProto(ir_version=10, graph=graph, opset_import=opsets)).run(None, given)
    except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, KeyError, MemoryError) as error:
        raise UnsupportedOperatorError(
            name_of(node), operator_of(node), f"constant, but not computable: {error}"
        ) from error
    computed = iter(np.asarray(array) for array in found)
    return [next(computed) if value.name else np.zeros(0) for value in node.outputs]


def _check_size(node: ir.Node, inputs: Sequence[Array | None]) -> None:
    elements = _elements(node.op_type, [array for array in inputs if array is not None])
    shape = node.outputs[0].shape
    if shape is not None:
        elements = max(elements, math.prod(size for size in shape if isinstance(size, int)))
    if elements > MAX_ELEMENTS:
        raise UnsupportedOperatorError(
            name_of(node), operator_of(node), f"a constant of {elements} elements is too large"
        )


def _elements(operator: str, inputs: Sequence[Array]) -> int:
    """How many elements an operator makes that can make many out of few; 0 for the others."""
    if operator == "ConstantOfShape":
        return math.prod(map(int, inputs[0]))
    if operator == "Range":
        start, limit, delta = (float(array) for array in inputs)
        return int(abs(limit - start) / abs(delta)) if delta else 0
    if operator == "Tile":
        return inputs[0].size * math.prod(map(int, inputs[1]))
    if TABLE[operator].kind == "dense":
        # At most: every row of one with every column of the other.
        return math.prod(array.size // max(min(array.shape, default=1), 1) for array in inputs[:2])
    shapes = [array.shape for array in inputs]
    if operator == "Expand":
        shapes[1] = tuple(map(int, inputs[1]))
    try:
        return math.prod(np.broadcast_shapes(*shapes))
    except ValueError:  # not an operator that broadcasts
        return 0


def constant_value(node: ir.Node) -> Array:
    """The value of a Constant node."""
    for name, attribute in node.attributes.items():
        if name == "value":
            return attribute.as_tensor().numpy()
        if name in _SCALARS:
            return np.array(attribute.value, dtype=_SCALARS[name])
    raise UnsupportedOperatorError(
        name_of(node), operator_of(node), f"a constant of the form {', '.join(node.attributes)}"
    )


_SCALARS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
