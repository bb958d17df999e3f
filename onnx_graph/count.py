"""Counts that budgets are made of, exact and cheap: non-zeros, parameters, multiply-accumulates."""

from dataclasses import dataclass

import onnx_ir as ir


@dataclass(frozen=True)
class Counts:
    """Attributes:
    nnz: non-zero maskable weights (biases and normalisation not counted).
    weights: all maskable weights, zero or not.
    params: non-zero maskable weights plus all other float parameters (biases, normalisation).
    macs: multiply-accumulates of the non-zero weights for one example.
    """

    nnz: int
    weights: int
    params: int
    macs: int


def count(model: ir.Model) -> Counts:
    """Count a model."""
    raise NotImplementedError
