"""How a network uses its input: connections and paths from every unit of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from predictors.paths.flow import Flow


@dataclass(frozen=True, eq=False)
class InputUse:
    """How a network uses its input.

    Attributes:
        shape: shape of one example.
        axes: axes of `shape` along which units are distinguished; the units are numbered row by row.
        edges: live connections of every unit to the layers that read nothing but the input, float32 ``(units,)``; kernel positions
            and gates count.
        paths: share of the paths to the outputs that begin at every unit, float32 ``(units,)``.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    edges: NDArray[np.float32]
    paths: NDArray[np.float32]

    @classmethod
    def of(cls, flow: Flow) -> "list[InputUse | None]":
        """The use of the only input by every network; None if there are several inputs."""
        if len(flow.inputs) != 1:
            return [None] * flow.networks
        shape, axes, edges, paths = flow.inputs[0]
        total = paths.sum(axis=1, keepdims=True)
        shares = (paths / np.where(total > 0, total, 1.0)).astype(np.float32)
        return [cls(tuple(shape), axes, *own) for own in zip(edges.astype(np.float32), shares, strict=True)]

    def relevance(self, numbers: Sequence[float]) -> NDArray[np.float32] | None:
        """The mean relevance of the inputs that every unit stands for, ``(units,)``.

        Args:
            numbers: relevance of every input of one example, or of every feature of one step. Returns None if their number fits neither.
        """
        found = np.asarray(numbers, np.float64)
        if not len(found):
            return None
        if len(found) == prod(self.shape):
            found = found.reshape(self.shape)
        elif self.shape and len(found) == self.shape[-1]:
            found = np.broadcast_to(found, self.shape)
        else:
            return None
        others = tuple(axis for axis in range(len(self.shape)) if axis not in self.axes)
        return np.asarray(found.mean(axis=others).ravel(), np.float32)
