"""What adding and taking together mean for a field: or and any for truth values, sum and mean for numbers."""

from collections.abc import Sequence
from functools import reduce
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnx_graph.propagation.field import Field


class Algebra(Protocol):
    """The arithmetic of one kind of field.

    Attributes:
        tail: further axes at the end of every field.
        largest: entries of a field; one that would be larger is taken to be the same everywhere.
    """

    @property
    def tail(self) -> int: ...

    @property
    def largest(self) -> int: ...

    def fold(self, field: Field, axes: tuple[int, ...]) -> Field:
        """All places along some axes taken together; the axes stay, with length 1."""
        ...

    def add(self, fields: Sequence[Field]) -> Field:
        """What several ways bring to the same places; the fields broadcast."""
        ...

    def put(self, target: Field, places: NDArray[np.int64], field: Field) -> None:
        """Add the rows of a field to the rows `places` of a target, which may repeat."""
        ...

    def share(self, reads: NDArray[np.bool_], field: Field) -> Field:
        """For every row of `reads` ``(out, in)`` the rows of a field that it names, taken together."""
        ...


class Truth:
    """Truth values: whether anything arrives."""

    tail = 0
    largest = 1 << 28

    def fold(self, field: Field, axes: tuple[int, ...]) -> Field:
        """Whether anything is true."""
        return np.asarray(np.any(field, axis=axes, keepdims=True))

    def add(self, fields: Sequence[Field]) -> Field:
        """Or."""
        return reduce(np.logical_or, fields)

    def put(self, target: Field, places: NDArray[np.int64], field: Field) -> None:
        """Or."""
        np.logical_or.at(target, places, field)

    def share(self, reads: NDArray[np.bool_], field: Field) -> Field:
        """Whether any of the rows is true."""
        return np.tensordot(reads, field, axes=1)


class Numbers:
    """Numbers of paths; a further axis at the end has an entry for every source."""

    tail = 1
    largest = 1 << 23

    def fold(self, field: Field, axes: tuple[int, ...]) -> Field:
        """The mean."""
        found: Field = field.mean(axis=axes, keepdims=True)
        return found

    def add(self, fields: Sequence[Field]) -> Field:
        """The sum; the order of the fields cannot show in its last bit."""
        if len(fields) <= 2:
            return fields[0] if len(fields) == 1 else fields[0] + fields[1]
        return np.asarray(np.sort(np.stack(np.broadcast_arrays(*fields)), axis=0).sum(axis=0))

    def put(self, target: Field, places: NDArray[np.int64], field: Field) -> None:
        """The sum."""
        np.add.at(target, places, field)

    def share(self, reads: NDArray[np.bool_], field: Field) -> Field:
        """The mean of the rows."""
        weights = reads / np.maximum(reads.sum(axis=1, keepdims=True), 1)
        return np.tensordot(weights, field, axes=1)


TRUTH = Truth()
NUMBERS = Numbers()


def folded(field: Field, axes: tuple[int, ...], algebra: Algebra) -> Field:
    """`Algebra.fold`, where there is anything to fold."""
    shape = field.shape
    for axis in axes:
        if shape[axis] != 1:
            return algebra.fold(field, axes)
    return field


def added(fields: Sequence[Field], algebra: Algebra) -> Field:
    """`Algebra.add`, of one field the field itself."""
    return fields[0] if len(fields) == 1 else algebra.add(fields)
