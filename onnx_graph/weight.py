"""The maskable weights of a graph and their orientation.

A weight is an initializer that a Gemm, MatMul, Conv, ConvTranspose, RNN, GRU or LSTM node multiplies its input with.
Biases, normalisation parameters and constants are none. The mask of a weight is its pattern of non-zeros.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.boundary import typed
from onnx_graph.errors import WeightError

GATES: Mapping[str, int] = {"RNN": 1, "GRU": 3, "LSTM": 4}
FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE})


@dataclass(frozen=True)
class Weight:
    """A maskable weight.

    Attributes:
        name: of the initializer.
        node: name of the (first) node that uses it.
        operator: that node's operator type.
        kind: ``dense``, ``conv`` or ``recurrent`` (a hidden-to-hidden matrix; input-to-hidden ones are ``dense``).
        shape: canonical shape ``(out, in, *kernel)``; ``in`` is per group for a grouped convolution; the gates of a
            recurrent weight are stacked along ``out``, the directions before them.
        groups: of a convolution, else 1.
        gates: 1 for RNN, 3 for GRU, 4 for LSTM, else 1.
        directions: of a recurrent operator, else 1.
        transposed: the stored array is ``(in, out)`` (of a ConvTranspose: ``(in, out / groups, *kernel)``).
    """

    name: str
    node: str
    operator: str
    kind: Literal["dense", "conv", "recurrent"]
    shape: tuple[int, ...]
    groups: int = 1
    gates: int = 1
    directions: int = 1
    transposed: bool = False

    def canonical(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """The stored array in canonical orientation ``(out, in, *kernel)`` (a view where possible)."""
        if self.operator in GATES:
            return array.reshape(self.shape)
        if not self.transposed:
            return array
        if self.groups == 1:
            return array.swapaxes(0, 1)
        return array.reshape(self.groups, -1, *array.shape[1:]).swapaxes(1, 2).reshape(self.shape)

    def stored(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Inverse of `canonical`."""
        if self.operator in GATES:
            return array.reshape(self.directions, -1, self.shape[1])
        if not self.transposed:
            return array
        if self.groups == 1:
            return array.swapaxes(0, 1)
        out, inner, *kernel = self.shape
        grouped = array.reshape(self.groups, out // self.groups, inner, *kernel).swapaxes(1, 2)
        return grouped.reshape(self.groups * inner, out // self.groups, *kernel)


@dataclass(frozen=True, eq=False)
class WeightUse:
    """One node's use of a weight: input number ``index`` of ``node`` comes from the initializer ``value``."""

    node: ir.Node
    index: int
    value: ir.Value
    weight: Weight


@typed("searched for weights")
def weights(model: ir.Model) -> tuple[Weight, ...]:
    """All maskable weights of the main graph, in node order; an initializer used twice appears once."""
    seen: dict[str, Weight] = {}
    for use in weight_uses(model):
        seen.setdefault(use.weight.name, use.weight)
    return tuple(seen.values())


@typed("searched for weights")
def masks(model: ir.Model) -> dict[str, NDArray[np.bool_]]:
    """Canonical mask of every weight by initializer name, True = kept (non-zero)."""
    return {
        weight.name: weight.canonical(array_of(model.graph.initializers[weight.name])) != 0 for weight in weights(model)
    }


def set_weights(model: ir.Model, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Replace initializers (stored orientation) in place, in their own data type.

    Raises:
        WeightError: there is no initializer of that name, or its shape is another. Nothing is changed then.
    """
    tensors = {}
    for name, array in arrays.items():
        value = model.graph.initializers.get(name)
        if value is None or value.const_value is None:
            raise WeightError(
                f"the graph has no initializer {name!r}; it has {', '.join(sorted(model.graph.initializers))}"
            )
        old = value.const_value
        if tuple(array.shape) != old.shape.numpy():
            raise WeightError(f"initializer {name!r} has shape {old.shape.numpy()}, the new array {tuple(array.shape)}")
        tensors[name] = ir.Tensor(np.ascontiguousarray(array, dtype=old.dtype.numpy()), dtype=old.dtype, name=name)
    for name, tensor in tensors.items():
        model.graph.initializers[name].const_value = tensor


def weight_uses(model: ir.Model) -> Iterator[WeightUse]:
    """Every use of a maskable weight by a node of the main graph, in node order."""
    for node in model.graph:
        if node.op_type in _READERS and node.domain in ("", "ai.onnx"):
            yield from _READERS[node.op_type](node)


def initializer_of(value: ir.Value | None) -> ir.Value | None:
    """The initializer with data that a value is, directly or through Identity nodes; None where it is none."""
    while value is not None:
        if value.const_value is not None and value.is_initializer():
            return value
        node = value.producer()
        value = node.inputs[0] if node is not None and node.op_type == "Identity" and node.inputs else None
    return None


def array_of(value: ir.Value) -> NDArray[np.generic]:
    """The data of an initializer, stored orientation."""
    if value.const_value is None:
        raise WeightError(f"initializer {value.name!r} has no data")
    return value.const_value.numpy()


def integer(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None or not isinstance(attribute.value, int) else attribute.value


def name_of(node: ir.Node) -> str:
    """Name of a node, of its first output where it has none."""
    return node.name or (node.outputs[0].name if node.outputs else None) or node.op_type


def _float_matrix(value: ir.Value | None, rank: int) -> ir.Value | None:
    """The initializer behind a value, if it is a float tensor of that rank (-1: three or more)."""
    value = initializer_of(value)
    if value is None or value.const_value is None or value.const_value.dtype not in FLOATS:
        return None
    found = len(value.const_value.shape)
    return value if found == rank or (rank < 0 and found >= 3) else None


def _shape(value: ir.Value) -> tuple[int, ...]:
    return tuple(value.const_value.shape.numpy()) if value.const_value is not None else ()


def _read_product(node: ir.Node) -> Iterator[WeightUse]:
    """Gemm and MatMul; the weight is the operand that is an initializer, on either side."""
    if len(node.inputs) < 2:
        return
    sides = [_float_matrix(node.inputs[0], 2), _float_matrix(node.inputs[1], 2)]
    index = 1 if sides[1] is not None else 0
    value = sides[index]
    # With both operands constant the node is a constant itself.
    if value is None or initializer_of(node.inputs[1 - index]) is not None or value.name is None:
        return
    flipped = node.op_type == "Gemm" and bool(integer(node, "transB" if index else "transA", 0))
    transposed = flipped != (index == 1)
    shape = _shape(value)
    shape = shape[::-1] if transposed else shape
    yield WeightUse(
        node, index, value, Weight(value.name, name_of(node), node.op_type, "dense", shape, transposed=transposed)
    )


def _read_convolution(node: ir.Node) -> Iterator[WeightUse]:
    value = _float_matrix(node.inputs[1], -1) if len(node.inputs) > 1 else None
    if value is None or value.name is None:
        return
    groups = integer(node, "group", 1)
    first, second, *kernel = _shape(value)
    if groups < 1 or first % groups:
        return
    transposed = node.op_type == "ConvTranspose"
    shape = (second * groups, first // groups, *kernel) if transposed else (first, second, *kernel)
    weight = Weight(value.name, name_of(node), node.op_type, "conv", shape, groups=groups, transposed=transposed)
    yield WeightUse(node, 1, value, weight)


def _read_recurrent(node: ir.Node) -> Iterator[WeightUse]:
    gates = GATES[node.op_type]
    for index in (1, 2):
        value = _float_matrix(node.inputs[index], -1) if len(node.inputs) > index else None
        if value is None or value.name is None or len(_shape(value)) != 3:
            continue
        directions, rows, columns = _shape(value)
        if rows % gates:
            continue
        kind: Literal["dense", "recurrent"] = "recurrent" if index == 2 else "dense"
        shape = (directions * rows, columns)
        yield WeightUse(
            node,
            index,
            value,
            Weight(value.name, name_of(node), node.op_type, kind, shape, gates=gates, directions=directions),
        )


_READERS = {
    "Gemm": _read_product,
    "MatMul": _read_product,
    "Conv": _read_convolution,
    "ConvTranspose": _read_convolution,
    "RNN": _read_recurrent,
    "GRU": _read_recurrent,
    "LSTM": _read_recurrent,
}
