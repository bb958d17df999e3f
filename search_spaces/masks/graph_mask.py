"""From a graph between units to the mask of a layer: an edge is a connection, or a whole kernel of a convolution."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.placement import spread_evenly

# (number of out units, of in units, of edges, generator) → bool (out, in) with exactly that many edges.
UnitGraph: TypeAlias = Callable[[int, int, int, np.random.Generator], Mask]


def place_on_units(graph: UnitGraph, layer: MaskLayer, nnz: int, rng: np.random.Generator) -> Mask:
    """Mask of `layer` with exactly `nnz` non-zeros whose unit graph is drawn by `graph`.

    A convolution keeps whole kernels, one of them in part so that the count is exact, if that gives every filter or
    every input channel, whichever are more, a kernel. With fewer non-zeros, as many kernels as these (or as there are
    non-zeros) are drawn and the non-zeros are spread evenly over them at random.
    """
    out, inputs = layer.shape[:2]
    kernel = math.prod(layer.shape[2:])
    if kernel == 1:
        return graph(out, inputs, nnz, rng).reshape(layer.shape)
    whole = nnz // kernel >= max(out, inputs)
    edges = -(-nnz // kernel) if whole else min(nnz, max(out, inputs))
    grid = graph(out, inputs, edges, rng)
    kernels = np.ones((edges, kernel), dtype=np.bool_)
    if whole:
        part = int(rng.random() * edges)
        kernels[part, rng.random(kernel).argsort()[: edges * kernel - nnz]] = False
    else:
        spread_evenly(kernels, kernels.copy(), nnz, kernel, rng)
    mask = np.zeros((out, inputs, kernel), dtype=np.bool_)
    mask[grid] = kernels
    return mask.reshape(layer.shape)
