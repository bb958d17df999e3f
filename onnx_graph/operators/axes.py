"""Axes that an operator names, counted from the front."""

from collections.abc import Iterable

from onnx_graph.propagation.call import Call
from onnx_graph.propagation.field import Dim, Dims

MOST_PLACES = 1 << 21
"""Maximal number of positions of an axis, or pairs of positions, that are followed one by one."""


def shape_of(call: Call, index: int = 0) -> Dims:
    """Shape of an input; raises `ValueError` if it is not known."""
    shape = call.inputs[index] if index < len(call.inputs) else None
    if shape is None:
        raise ValueError(f"the rank of input {index} is not known")
    return shape


def made_by(call: Call, index: int = 0) -> Dims:
    """Shape of an output; raises `ValueError` if it is not known."""
    shape = call.outputs[index] if index < len(call.outputs) else None
    if shape is None:
        raise ValueError(f"the rank of output {index} is not known")
    return shape


def rank_of(call: Call) -> int:
    """Rank of the first input."""
    return len(shape_of(call))


def axis_of(call: Call, default: int, rank: int) -> int:
    """The attribute ``axis``, counted from the front."""
    return positive((call.integer("axis", default),), rank)[0]


def positive(axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front; raises `ValueError` if an axis does not exist."""
    found = tuple(axis + rank if axis < 0 else axis for axis in axes)
    if any(not 0 <= axis < rank for axis in found):
        raise ValueError(f"axes {found} of a tensor with {rank} axes")
    return found


def length(dim: Dim) -> int | None:
    """The length if it is a number, else None."""
    return dim if isinstance(dim, int) else None


def countable(places: int) -> int:
    """The number itself; raises `ValueError` if there are too many positions to list them, and then the operator counts as mixing all."""
    if places > MOST_PLACES:
        raise ValueError(f"{places:,} places along an axis")
    return places


def spatial(rank: int) -> tuple[int, ...]:
    """The axes of an image after the axes of examples and channels."""
    return tuple(range(2, rank))
