"""The maskable weights of a graph and their orientation.

A weight is an initializer that a Gemm, MatMul, Conv, ConvTranspose, RNN, GRU or LSTM node multiplies its input by.
Biases, normalisation parameters and other constants are not weights. The mask of a weight is its pattern of non-zeros.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.boundary import typed
from onnx_graph.errors import WeightError
from onnx_graph.operators import CONVOLUTIONS, LAYERS, RECURRENT, STANDARD_DOMAINS, TABLE, Operator, operator_of

FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE})


@dataclass(frozen=True)
class Weight:
    """A maskable weight.

    Attributes:
        name: name of the initializer.
        node: name of the (first) node that uses it.
        operator: that node's operator type.
        kind: ``dense``, ``conv`` or ``recurrent`` (a hidden-to-hidden matrix; input-to-hidden ones are ``dense``).
        shape: canonical shape ``(out, in, *kernel)``; ``in`` is per group for a grouped convolution; the gates of a
            recurrent weight are stacked along ``out``, the directions before them.
        groups: number of groups of a convolution, else 1.
        gates: 1 for RNN, 3 for GRU, 4 for LSTM, else 1.
        directions: number of directions of a recurrent operator, else 1.
        transposed: whether the stored array is ``(in, out)`` (for a ConvTranspose: ``(in, out / groups, *kernel)``).
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

    @property
    def is_recurrent(self) -> bool:
        """Whether a recurrent operator uses the weight, for its input or its hidden units."""
        return TABLE[self.operator].gates > 0

    def canonical(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """The stored array in canonical orientation ``(out, in, *kernel)`` (a view where possible)."""
        if self.is_recurrent:
            return array.reshape(self.shape)
        if not self.transposed:
            return array
        if self.groups == 1:
            return array.swapaxes(0, 1)
        return array.reshape(self.groups, -1, *array.shape[1:]).swapaxes(1, 2).reshape(self.shape)

    def stored(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Inverse of `canonical`."""
        if self.is_recurrent:
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
        WeightError: there is no initializer of that name, or its shape differs. Nothing is changed then.
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
        operator = TABLE.get(node.op_type)
        if operator is not None and operator.kind in LAYERS and node.domain in STANDARD_DOMAINS:
            yield from _uses(node, operator)


def initializer_of(value: ir.Value | None) -> ir.Value | None:
    """The initializer with data that a value is, directly or through Identity nodes; None for any other value."""
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
    """Name of a node, or of its first output if the node has none."""
    return node.name or (node.outputs[0].name if node.outputs else None) or node.op_type


def weight_of_shape(node: ir.Node, index: int, name: str, shape: tuple[int, ...]) -> Weight | None:
    """The maskable weight that a tensor of that stored shape forms as an input of a node; None if it is not a maskable weight."""
    return _described(operator_of(node), node, index, name, shape)


def _described(operator: Operator, node: ir.Node, index: int, name: str, shape: tuple[int, ...]) -> Weight | None:
    kind = operator.kind
    if kind == "dense" and index < 2 and len(shape) == 2:
        return _dense(node, index, name, shape)
    if kind in CONVOLUTIONS and index == 1 and len(shape) >= 3:
        return _kernel(operator, node, name, shape)
    if kind in RECURRENT and index in (1, 2) and len(shape) == 3:
        return _gated(operator, node, index, name, shape)
    return None


def _dense(node: ir.Node, index: int, name: str, shape: tuple[int, ...]) -> Weight:
    flipped = bool(integer(node, "transB" if index else "transA", 0))  # attributes that only Gemm has
    transposed = flipped != (index == 1)
    canonical = shape[::-1] if transposed else shape
    return Weight(name, name_of(node), node.op_type, "dense", canonical, transposed=transposed)


def _kernel(operator: Operator, node: ir.Node, name: str, shape: tuple[int, ...]) -> Weight | None:
    groups = integer(node, "group", 1)
    first, second, *kernel = shape
    if groups < 1 or first % groups:
        return None
    transposed = operator.kind == "conv_transpose"
    canonical = (second * groups, first // groups, *kernel) if transposed else (first, second, *kernel)
    return Weight(name, name_of(node), node.op_type, "conv", canonical, groups=groups, transposed=transposed)


def _gated(operator: Operator, node: ir.Node, index: int, name: str, shape: tuple[int, ...]) -> Weight | None:
    gates, (directions, rows, columns) = operator.gates, shape
    if rows % gates:
        return None
    kind: Literal["dense", "recurrent"] = "recurrent" if index == 2 else "dense"
    canonical = (directions * rows, columns)
    return Weight(name, name_of(node), node.op_type, kind, canonical, gates=gates, directions=directions)


def _uses(node: ir.Node, operator: Operator) -> Iterator[WeightUse]:
    for index, value in _side(node) if operator.kind == "dense" else _inputs(node, (1, 2) if operator.gates else (1,)):
        if value.name is not None and value.const_value is not None:
            weight = _described(operator, node, index, value.name, tuple(value.const_value.shape.numpy()))
            if weight is not None:
                yield WeightUse(node, index, value, weight)


def _inputs(node: ir.Node, indices: Iterable[int]) -> Iterator[tuple[int, ir.Value]]:
    """The float initializers among some inputs."""
    for index in indices:
        value = _floats(node, index)
        if value is not None:
            yield index, value


def _side(node: ir.Node) -> tuple[tuple[int, ir.Value], ...]:
    """The operand of Gemm or MatMul that is the weight: a matrix, while the other operand is not an initializer."""
    if len(node.inputs) < 2:
        return ()
    for index in (1, 0):
        value = _floats(node, index)
        if value is not None and value.const_value is not None and len(value.const_value.shape) == 2:
            # With both operands constant the node is a constant itself.
            return ((index, value),) if initializer_of(node.inputs[1 - index]) is None else ()
    return ()


def _floats(node: ir.Node, index: int) -> ir.Value | None:
    """The float initializer that an input reads."""
    value = initializer_of(node.inputs[index]) if index < len(node.inputs) else None
    return value if value is not None and value.const_value is not None and value.const_value.dtype in FLOATS else None
