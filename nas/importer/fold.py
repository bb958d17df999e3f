"""Computes nodes that do not depend on the data, in numpy with the reference implementation of ONNX."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from nas.importer.node import Array, name_of, operator_of
from onnx_graph import UnsupportedOperatorError
from onnx_graph.internals import FoldingBudget
from onnx_graph.operators import result_numbers


def evaluate(node: ir.Node, version: int, inputs: Sequence[Array | None], budget: FoldingBudget) -> list[Array]:
    """The outputs of a node for known inputs. `UnsupportedOperatorError` if the reference cannot compute it or it is too large."""
    if not budget.takes(node, inputs):
        fits = result_numbers(node, inputs) is not None
        raise UnsupportedOperatorError(
            name_of(node),
            operator_of(node),
            "a constant that is too large" if fits else "its constant inputs do not fit it",
        )
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
