"""An operator of the canonical graph as the rules of `onnx_graph.operators` see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnx_graph.internals import shape_of
from onnx_graph.operators import UNFIT, made_by, relation, spatial
from onnx_graph.propagation import (
    Algebra,
    Dims,
    Field,
    Insert,
    Path,
    Product,
    Recurrence,
    Relation,
    Through,
    mixing,
    paths,
    widened,
)
from predictors.reading.attributes import Shape, integer, integers
from predictors.reading.canonical_graph import Operator


class Weights(Protocol):
    """The effect of an operator's weights on a field."""

    def product(self, operator: Operator) -> Product:
        """The one weight of a dense layer or convolution."""
        ...

    def recurrence(self, operator: Operator, steps: int) -> Recurrence:
        """The two weights of a recurrent operator, over `steps` steps."""
        ...


@dataclass(frozen=True, slots=True)
class Flat:
    """A step that flattens all positions of an example into one axis; if any axis distinguishes positions, all are distinguished."""

    before: Shape

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field as ``(examples, positions or 1)``."""
        examples, *places = field.shape[: len(self.before)]
        tail = field.shape[len(self.before) :]
        if all(size == 1 for size in places):
            return field.reshape(examples, 1, *tail)
        return np.broadcast_to(field, (examples, *self.before[1:], *tail)).reshape(examples, -1, *tail)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field with the axes of the example, all in full length."""
        return widened(field, 1, prod(self.before[1:])).reshape(len(field), *self.before[1:], *field.shape[2:])


def flattened(call: "CanonicalCall") -> Relation:
    """A convolution whose window is the whole image: a dense layer of all its positions."""
    weight = call.product(1)
    if weight is None:
        return mixing("its kernel is no maskable weight")
    places = spatial(len(made_by(call)))
    found = [Path(0, 0, (Flat(call.shape), Through(weight, 1, 1), Insert(places)))]
    if call.live[2:] and call.live[2]:
        found.append(Path(0, 2, (Insert((0, *places)),)))
    return paths(*found)


class CanonicalCall:
    """One operator of the canonical graph with the shapes of its values."""

    def __init__(self, operator: Operator, shapes: Sequence[Shape | None], opset: int, weights: Weights) -> None:
        """`shapes`: shapes of all values of the graph."""
        self.operator, self.opset = operator, opset
        self._shapes, self._weights = shapes, weights
        node, positions = operator.node, operator.positions
        # An operator that replaces several nodes does not have their constants.
        self._constants = node.inputs if node is not None and node.op_type == operator.facts.name else ()
        self.live = [False] * max(positions[-1] + 1 if positions else 0, len(self._constants))
        for place in positions:
            self.live[place] = True
        self._inputs: list[Dims | None] | None = None

    @property
    def shape(self) -> Shape:
        """Shape of the first input."""
        return self._shapes[self.operator.inputs[0]] or ()

    @property
    def inputs(self) -> list[Dims | None]:
        """Shapes of the inputs, including constants."""
        if self._inputs is None:
            found = [None if self.live[place] else shape_of(value) for place, value in enumerate(self._constants)]
            self._inputs = found + [None] * (len(self.live) - len(found))
            for place, number in zip(self.operator.positions, self.operator.inputs, strict=True):
                self._inputs[place] = self._shapes[number]
        return self._inputs

    @property
    def outputs(self) -> list[Dims | None]:
        """Shapes of the outputs; the shapes of outputs without a reader are not known."""
        found: list[Dims | None] = [None] * (max(self.operator.results, default=-1) + 1)
        for place, number in zip(self.operator.results, self.operator.outputs, strict=True):
            found[place] = self._shapes[number]
        return found

    def given(self, index: int) -> bool:
        """Whether an input is given."""
        constant = index < len(self._constants) and self._constants[index] is not None
        return constant or (index < len(self.live) and self.live[index])

    def integer(self, name: str, default: int) -> int:
        """An integer setting."""
        return integer(self.operator.settings, name, default)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A setting that is a list of integers."""
        return integers(self.operator.settings.get(name))

    def text(self, name: str, default: str) -> str:
        """A text setting."""
        return str(self.operator.settings.get(name, default))

    def constant(self, index: int) -> NDArray[np.generic] | None:
        """The data of a constant input."""
        value = self._constants[index] if index < len(self._constants) and not self.live[index] else None
        return None if value is None or value.const_value is None else value.const_value.numpy()

    def product(self, index: int) -> Product | None:
        """The weight of a dense layer or convolution."""
        held = len(self.operator.blocks) == 1 and not self.live[index]
        return self._weights.product(self.operator) if held else None

    def recurrence(self) -> Recurrence | None:
        """The weights of a recurrent operator."""
        if len(self.operator.blocks) != 2 or self.operator.positions[0] != 0:
            return None
        return self._weights.recurrence(self.operator, max(self.shape[:2], default=1))


def relation_of(operator: Operator, shapes: Sequence[Shape | None], opset: int, weights: Weights) -> Relation:
    """How the outputs of an operator depend on its inputs; everything mixes if a shape is not known.

    Without weights, it is the same for everything that is followed, so it is found once.
    """
    if operator.blocks:
        return _relation(operator, shapes, opset, weights)
    if operator.relation is None:
        operator.relation = _relation(operator, shapes, opset, weights)
    return operator.relation


def _relation(operator: Operator, shapes: Sequence[Shape | None], opset: int, weights: Weights) -> Relation:
    for value in (*operator.inputs, *operator.outputs):
        if shapes[value] is None:
            return UNFIT
    if operator.kind == "dense" and operator.unit_axis == 1:
        return flattened(CanonicalCall(operator, shapes, opset, weights))
    facts = operator.facts
    if isinstance(facts.flow, Relation) and operator.positions == [0]:
        return facts.flow
    call = CanonicalCall(operator, shapes, opset, weights)
    return relation(facts, call.live, lambda: call)
