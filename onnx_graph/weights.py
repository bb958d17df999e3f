"""The maskable weights of a graph and their orientation.

A weight is an initializer that a Gemm, MatMul, Conv, ConvTranspose, RNN, GRU or LSTM node multiplies its input with.
Biases, normalisation parameters and constants are none. The mask of a weight is its pattern of non-zeros.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


@dataclass(frozen=True)
class Weight:
    """A maskable weight.

    Attributes:
        name: of the initializer.
        node: name of the (first) node that uses it.
        operator: that node's operator type.
        kind: ``dense``, ``conv`` or ``recurrent`` (a hidden-to-hidden matrix; input-to-hidden ones are ``dense``).
        shape: canonical shape ``(out, in, *kernel)``; ``in`` is per group for a grouped convolution; the gates of a
            recurrent weight are stacked along ``out``, the directions before them.
        groups: of a convolution, else 1.
        gates: 1 for RNN, 3 for GRU, 4 for LSTM, else 1.
        directions: of a recurrent operator, else 1.
    """

    name: str
    node: str
    operator: str
    kind: Literal["dense", "conv", "recurrent"]
    shape: tuple[int, ...]
    groups: int = 1
    gates: int = 1
    directions: int = 1
    transposed: bool = False

    def canonical(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """The stored array in canonical orientation ``(out, in, *kernel)`` (a view where possible)."""
        raise NotImplementedError

    def stored(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Inverse of `canonical`."""
        raise NotImplementedError


def weights(model: ir.Model) -> tuple[Weight, ...]:
    """All maskable weights of the main graph, in node order; an initializer used twice appears once."""
    raise NotImplementedError


def masks(model: ir.Model) -> dict[str, NDArray[np.bool_]]:
    """Canonical mask of every weight by initializer name, True = kept (non-zero)."""
    raise NotImplementedError


def set_weights(model: ir.Model, arrays: "dict[str, NDArray[np.float32]]") -> None:
    """Replace initializers (stored orientation) in place; the shape and name of each must exist."""
    raise NotImplementedError
