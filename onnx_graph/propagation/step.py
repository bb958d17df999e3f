"""Steps that keep, move or aggregate whole axes. `forward` goes from an input to an output, `backward` from an output to an input."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from onnx_graph.propagation.algebra import Algebra, folded
from onnx_graph.propagation.field import Dims, Field, reshaped, with_axes


class Step(Protocol):
    """One step of the path from an input of an operator to one of its outputs."""

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field after the step."""
        ...

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field before the step."""
        ...


class Fold(NamedTuple):
    """A step that mixes along some axes: every position depends on all positions along these axes."""

    axes: tuple[int, ...]

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """One value for all positions along the axes."""
        return folded(field, self.axes, algebra)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """One value for all positions along the axes."""
        return folded(field, self.axes, algebra)


class Drop(NamedTuple):
    """A step that removes axes of length 1."""

    axes: tuple[int, ...]

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field without the axes."""
        return field.squeeze(self.axes)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field with the axes inserted again."""
        return with_axes(field, self.axes)


class Insert(NamedTuple):
    """A step that inserts axes along which everything is the same; `axes` are positions in the result."""

    axes: tuple[int, ...]

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field with the axes."""
        return with_axes(field, self.axes)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field with the positions along the axes aggregated."""
        return folded(field, self.axes, algebra).squeeze(self.axes)


class Move(NamedTuple):
    """A step that changes the order of the axes: axis `order[i]` becomes axis i."""

    order: tuple[int, ...]

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field with its axes in the new order."""
        return field.transpose(*self.order, *range(len(self.order), field.ndim))

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field with its axes in the old order."""
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        return field.transpose(*inverse, *range(len(self.order), field.ndim))


class Stretch(NamedTuple):
    """A step that broadcasts a tensor of the shape `before` to `rank` axes, as numpy does."""

    before: Dims
    rank: int

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field with the missing axes in front."""
        missing = self.rank - len(self.before)
        return reshaped(field, (1,) * missing + field.shape[: len(self.before)], len(self.before)) if missing else field

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field aggregated along the axes that were broadcast."""
        missing = self.rank - len(self.before)
        if missing:
            front = tuple(range(missing))
            field = folded(field, front, algebra).squeeze(front)
        stretched = tuple(axis for axis, dim in enumerate(self.before) if dim == 1 and field.shape[axis] != 1)
        return algebra.fold(field, stretched) if stretched else field


class Gate(NamedTuple):
    """A product with a constant: nothing passes where it is zero. `kept` is True elsewhere and has the rank of the result."""

    kept: NDArray[np.bool_]

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """The field, zero where nothing passes."""
        return field * self.kept.reshape(*self.kept.shape, *(1,) * algebra.tail)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """The field, zero where nothing passes."""
        return self.forward(field, algebra)


class Mix(NamedTuple):
    """A step after which every output position depends on every input position: from rank `before` to rank `after`."""

    before: int
    after: int

    def forward(self, field: Field, algebra: Algebra) -> Field:
        """One value for all."""
        return reshaped(folded(field, tuple(range(self.before)), algebra), (1,) * self.after, self.before)

    def backward(self, field: Field, algebra: Algebra) -> Field:
        """One value for all."""
        rank = field.ndim - algebra.tail
        return reshaped(folded(field, tuple(range(rank)), algebra), (1,) * self.before, rank)
