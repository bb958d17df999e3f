"""A node of a graph as the rules of `onnx_graph.operators` see it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.operators import operator_of
from onnx_graph.propagation.call import Product, Recurrence
from onnx_graph.propagation.field import Dims
from onnx_graph.weight import initializer_of, integer


class Weights(Protocol):
    """The maskable weights of a graph, as maps of units."""

    def product(self, node: ir.Node, index: int) -> Product | None:
        """The weight that a node reads as an input."""
        ...

    def recurrence(self, node: ir.Node) -> Recurrence | None:
        """The two weights of a recurrent node; None unless both are maskable."""
        ...


class NodeCall:
    """One node, the version of its operator set, and which of its inputs depend on the data."""

    def __init__(self, node: ir.Node, opset: int, live: Sequence[bool], weights: Weights | None = None) -> None:
        """Without `weights`, no input counts as a maskable weight."""
        self.node, self.opset, self.live, self._weights = node, opset, live, weights
        self._inputs: list[Dims | None] | None = None

    @property
    def inputs(self) -> list[Dims | None]:
        """Shapes of the inputs."""
        if self._inputs is None:
            self._inputs = [shape_of(value) for value in self.node.inputs]
        return self._inputs

    @property
    def outputs(self) -> list[Dims | None]:
        """Shapes of the outputs."""
        return [shape_of(value) for value in self.node.outputs]

    def given(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return integer(self.node, name, default)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Integers of an attribute, or of a constant input."""
        attribute = self.node.attributes.get(name)
        if attribute is not None:
            value = attribute.value
            return tuple(value) if isinstance(value, Iterable) else (int(value),)
        index = operator_of(self.node).setting(name)
        array = self.constant(index) if index is not None else None
        return tuple(array.ravel().tolist()) if array is not None and array.dtype.kind in "iu" else None

    def text(self, name: str, default: str) -> str:
        """A text attribute."""
        attribute = self.node.attributes.get(name)
        return default if attribute is None or not isinstance(attribute.value, str) else attribute.value

    def constant(self, index: int) -> NDArray[np.generic] | None:
        """The data of a constant input (initializer or Constant node)."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        return constant_of(value)

    def product(self, index: int) -> Product | None:
        """A maskable weight among the inputs."""
        return None if self._weights is None else self._weights.product(self.node, index)

    def recurrence(self) -> Recurrence | None:
        """The weights of a recurrent node."""
        return None if self._weights is None else self._weights.recurrence(self.node)


def shape_of(value: ir.Value | None) -> Dims | None:
    """Shape of a value: lengths as numbers, names, or None if unknown; None for a value that is absent or of unknown rank."""
    if value is None or value.shape is None:
        return None
    return tuple(dim if isinstance(dim, int) else dim.value for dim in value.shape.dims)


def integers_of(value: ir.Value | None) -> NDArray[np.int64] | None:
    """The integers of a constant, None for any other value."""
    array = constant_of(value)
    return array.astype(np.int64) if array is not None and array.dtype.kind in "iu" else None


def constant_of(value: ir.Value | None) -> NDArray[np.generic] | None:
    """The data of an initializer or a Constant node, None for any other value."""
    source = initializer_of(value)
    if source is not None and source.const_value is not None:
        return source.const_value.numpy()
    node = value.producer() if value is not None else None
    if node is None or node.op_type != "Constant":
        return None
    for name in ("value", "value_ints", "value_int", "value_floats", "value_float"):
        if name in node.attributes:
            held = node.attributes[name].value
            return held.numpy() if isinstance(held, ir.TensorProtocol) else np.asarray(held)
    return None
