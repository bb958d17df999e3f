"""Steps through maskable weights: only non-zeros connect."""

from typing import NamedTuple

from onnx_graph.propagation.algebra import Algebra
from onnx_graph.propagation.call import Product, Recurrence
from onnx_graph.propagation.field import Field


class Through(NamedTuple):
    """The step through a weight that reads units along one axis (`into`) and makes units along another (`out`); the rank is unchanged."""

    product: Product
    into: int
    out: int

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The units that it makes."""
        last = field.ndim - algebra.tail - 1
        return _swapped(self.product.forward(_swapped(field, self.into, last)), self.out, last)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The units that it reads."""
        last = field.ndim - algebra.tail - 1
        return _swapped(self.product.backward(_swapped(field, self.out, last)), self.into, last)


def _swapped(field: Field, axis: int, last: int) -> Field:
    return field if axis == last else field.swapaxes(axis, last)


class Enter(NamedTuple):
    """The step from inputs ``(in,)`` to the hidden units ``(directions, hidden)`` of a recurrent operator."""

    recurrence: Recurrence

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """Hidden units."""
        return self.recurrence.enter(field)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """Inputs."""
        return self.recurrence.leave(field)


class Run(NamedTuple):
    """The step from hidden units to the hidden units of all later steps."""

    recurrence: Recurrence

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """Later units."""
        return self.recurrence.run(field)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """Earlier units."""
        return self.recurrence.run_back(field)
