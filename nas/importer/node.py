"""One ONNX node as an operator's builder sees it: attributes, opset version, and the inputs known before the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from onnx_graph import UnsupportedOperatorError
from onnx_graph.operators import STANDARD_DOMAINS

Array = NDArray[np.generic]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Several:
    """A kernel that returns a tuple, one tensor for each output of the node."""

    run: Function


@dataclass(frozen=True)
class Stateful:
    """A kernel that behaves differently in training, where it also returns new values of some of its inputs.

    Attributes:
        run: used when not training; returns the first output.
        train: used in training; returns the first output and the new value of each input in `state`.
        state: positions of the inputs that training changes.
    """

    run: Function
    train: Function
    state: tuple[int, ...]


Kernel = Function | Several | Stateful


class Node:
    """View of an ONNX node for the builder of its kernel.

    Attributes:
        name: name of the node, or of its first output if the node has no name.
        operator: name of the operator, with its domain if it is not the standard one.
        version: opset version that the model states for the domain.
        outputs: number of outputs that the node lists.
        constants: value of each input if it is known before the run, else None.
    """

    def __init__(self, node: ir.Node, version: int, constants: Sequence[Array | None]) -> None:
        """Wrap `node`; `constants` has an entry for each of its inputs."""
        self.name = name_of(node)
        self.operator = operator_of(node)
        self.version = version
        self.outputs = len(node.outputs)
        self.constants = tuple(constants)
        self._present = tuple(value is not None for value in node.inputs)
        self._attributes = node.attributes

    def has(self, position: int) -> bool:
        """Whether the input is given."""
        return position < len(self._present) and self._present[position]

    def constant(self, position: int) -> Array | None:
        """The input's value if it is known before the run, else None."""
        return self.constants[position] if position < len(self.constants) else None

    def known(self, position: int, what: str) -> Array:
        """The input's value, which the operator needs before the run; refused if it depends on data."""
        array = self.constant(position)
        if array is None:
            raise self.refuse(f"its {what} depends on the data")
        return array

    def attribute(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self._attributes

    def integer(self, name: str, default: int = 0) -> int:
        """An integer attribute."""
        return self._attributes.get_int(name, default)

    def number(self, name: str, default: float = 0.0) -> float:
        """A float attribute."""
        return self._attributes.get_float(name, default)

    def text(self, name: str, default: str = "") -> str:
        """A text attribute."""
        return self._attributes.get_string(name, default)

    def ints(self, name: str) -> tuple[int, ...] | None:
        """An attribute that is a list of integers, or None."""
        values = self._attributes.get_ints(name)
        return None if values is None else tuple(values)

    def floats(self, name: str) -> tuple[float, ...] | None:
        """An attribute that is a list of floats, or None."""
        values = self._attributes.get_floats(name)
        return None if values is None else tuple(values)

    def strings(self, name: str) -> tuple[str, ...] | None:
        """An attribute that is a list of texts, or None."""
        values = self._attributes.get_strings(name)
        return None if values is None else tuple(values)

    def option(self, name: str, default: str, known: Sequence[str]) -> str:
        """A text attribute that must be one of `known`."""
        value = self.text(name, default)
        if value not in known:
            raise self.refuse(f"{name} is {value!r}, supported: {', '.join(known)}")
        return value

    def integers_at(self, attribute: str, position: int) -> tuple[int, ...] | None:
        """Integers that are an attribute in older opsets and an input in newer ones; None if neither is given."""
        if self.attribute(attribute):
            return self.ints(attribute)
        if not self.has(position):
            return None
        return tuple(np.atleast_1d(self.known(position, attribute)).astype(np.int64).tolist())

    def refuse(self, reason: str) -> UnsupportedOperatorError:
        """The error that says why this node cannot be run."""
        return UnsupportedOperatorError(self.name, self.operator, reason)


def name_of(node: ir.Node) -> str:
    """Name of a node, or of its first output if the node has no name."""
    return node.name or next((value.name for value in node.outputs if value.name), "") or "?"


def operator_of(node: ir.Node) -> str:
    """``domain::OpType``, without the domain for standard ONNX."""
    return node.op_type if node.domain in STANDARD_DOMAINS else f"{node.domain}::{node.op_type}"


def tensor_of(array: Array) -> torch.Tensor:
    """A torch tensor with its own memory, also for bfloat16, which numpy does not have."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.astype(np.float32)).to(torch.bfloat16)
    return torch.from_numpy(np.array(array))
