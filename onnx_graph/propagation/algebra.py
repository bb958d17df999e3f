"""Addition and aggregation of fields: "or" and "any" for truth values, sum and mean for numbers."""

from collections.abc import Sequence
from functools import reduce
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnx_graph.propagation.field import Field


class Algebra(Protocol):
    """The arithmetic of one kind of field.

    Attributes:
        tail: number of additional axes at the end of every field.
        largest: maximal number of entries of a field; a field that would be larger is replaced by one aggregated value.
    """

    @property
    def tail(self) -> int: ...

    @property
    def largest(self) -> int: ...

    def fold(self, field: Field, axes: tuple[int, ...]) -> Field:
        """All positions along some axes aggregated; the axes are kept with length 1."""
        ...

    def add(self, fields: Sequence[Field]) -> Field:
        """The sum of the fields that several paths bring to the same positions; the fields broadcast."""
        ...

    def put(self, target: Field, places: NDArray[np.int64], field: Field) -> None:
        """Add the rows of a field to the rows `places` of a target, which may repeat."""
        ...

    def share(self, reads: NDArray[np.bool_], field: Field) -> Field:
        """For every row of `reads` ``(out, in)``, the aggregate of the field's rows that it marks."""
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
    """Numbers of paths; an additional axis at the end has an entry for every source."""

    tail = 1
    largest = 1 << 23

    def fold(self, field: Field, axes: tuple[int, ...]) -> Field:
        """The mean."""
        found: Field = field.mean(axis=axes, keepdims=True)
        return found

    def add(self, fields: Sequence[Field]) -> Field:
        """The sum; its last bit does not depend on the order of the fields."""
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
    """`Algebra.fold`, if there is anything to fold."""
    shape = field.shape
    for axis in axes:
        if shape[axis] != 1:
            return algebra.fold(field, axes)
    return field


def added(fields: Sequence[Field], algebra: Algebra) -> Field:
    """`Algebra.add`; a single field is returned unchanged."""
    return fields[0] if len(fields) == 1 else algebra.add(fields)
