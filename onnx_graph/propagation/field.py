"""Fields: one number or truth value for every position of a tensor.

A field has the axes of its tensor. An axis of length 1 means "the same at every position": the channels of an image are
``(1, C, 1, 1)``, the features of a sequence ``(1, 1, F)``. The field of a tensor of unknown rank has no axes. An algebra may add
axes at the end (with one entry per source); steps leave these unchanged.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[Any]
Dim: TypeAlias = int | str | None
"""Length of an axis: a number, a name (axes with the same name are equally long), or None if nothing is known."""
Dims: TypeAlias = tuple[Dim, ...]


def widened(field: Field, axis: int, length: int) -> Field:
    """The field with full length along an axis (a view)."""
    if field.shape[axis] == length:
        return field
    return np.broadcast_to(field, (*field.shape[:axis], length, *field.shape[axis + 1 :]))


def with_axes(field: Field, axes: tuple[int, ...]) -> Field:
    """The field with axes of length 1 inserted; `axes` are positions in the result, ascending."""
    shape = list(field.shape)
    for axis in axes:
        shape.insert(axis, 1)
    return field.reshape(shape)


def reshaped(field: Field, shape: tuple[int, ...], rank: int) -> Field:
    """The field with its first `rank` axes replaced by others."""
    return field.reshape((*shape, *field.shape[rank:]))
