"""Weights that a child inherits from the trained networks of its parents."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.training.methods.method import masked
from onnx_graph.internals import array_of


def inherit(model: ir.Model, parents: Sequence[ir.Model]) -> ir.Model:
    """A copy of the child that starts from its parents' weights.

    Args:
        model: the untrained child, non-zero where it has a connection.
        parents: trained networks of the same architecture, at least one. The first one that has a connection gives its weight; a
            connection of none starts near 0 (`nas.training.methods.method.masked`). Everything else, such as biases, comes from the
            first parent.
    """
    values = [_arrays(parent) for parent in parents]
    child = model.clone()
    found = {name: values[0].get(name, own) for name, own in _arrays(child).items()}
    for weight in onnx_graph.weights(model):
        inherited = values[-1][weight.name]
        for arrays in reversed(values[:-1]):
            inherited = np.where(arrays[weight.name] != 0, arrays[weight.name], inherited)
        found[weight.name] = inherited
    onnx_graph.set_weights(child, found)
    return masked(child, onnx_graph.masks(model), own_values=True)


def _arrays(model: ir.Model) -> dict[str, NDArray[np.float32]]:
    """The float initializers by name."""
    arrays = {name: array_of(value) for name, value in model.graph.initializers.items()}
    return {name: np.asarray(array) for name, array in arrays.items() if array.dtype == np.float32}
