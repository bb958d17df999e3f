"""Which units of a graph are alive: reached by an input and reaching an output through non-zero weights."""

import onnx_ir as ir
from numpy.typing import NDArray
import numpy as np


def effective_masks(model: ir.Model) -> dict[str, NDArray[np.bool_]]:
    """Canonical mask by initializer name: non-zero *and* on a live input→output path."""
    raise NotImplementedError


def trim(model: ir.Model) -> int:
    """Set every non-zero off the live paths to zero, in place; returns how many there were."""
    raise NotImplementedError


def dead_units(model: ir.Model) -> int:
    """Number of output units of weights that no input reaches or that reach no output."""
    raise NotImplementedError
