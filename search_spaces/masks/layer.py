"""The weight that a mask belongs to, as the mask generators see it."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InvalidOptionError

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class MaskLayer:
    """One maskable weight in canonical orientation.

    Attributes:
        name: name of the weight; the masks of a network are a dict by this name.
        shape: ``(out, in, *kernel)``; ``in`` is per group for a grouped convolution.
        kind: ``recurrent`` is a hidden-to-hidden matrix ``(gates * H, H)``; the input-to-hidden ones are ``dense``.
        gates: number of blocks stacked along ``out``, ``out = gates * hidden``: GRU 3, LSTM 4, others 1; twice that if both
            directions of a bidirectional layer lie in one weight.
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["dense", "conv", "recurrent"] = "dense"
    gates: int = 1

    def __post_init__(self) -> None:
        """Check the assumptions of the mask generators."""
        shape = self.shape
        if len(shape) < 2 or min(shape) < 1:
            raise InvalidOptionError(
                f"layer {self.name!r} has shape {shape}; a maskable weight is (out, in, *kernel), each ≥ 1"
            )
        if self.gates < 1 or shape[0] % self.gates:
            raise InvalidOptionError(
                f"layer {self.name!r} has {self.gates} gates for {shape[0]} rows; the gates must divide the rows"
            )
        if self.kind == "recurrent" and shape != (self.gates * shape[1], shape[1]):
            raise InvalidOptionError(
                f"recurrent layer {self.name!r} has shape {shape} with {self.gates} gates; it must be (gates * hidden, hidden), "
                f"where gates counts both directions of a bidirectional layer"
            )

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)
