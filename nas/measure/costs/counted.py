"""Costs that are counted on the graph: non-zeros, parameters, weights, multiply-accumulates, density."""

from collections.abc import Callable

import onnx_ir as ir

import onnx_graph
from nas.measure.costs.cost import Cost

COUNTED = ("nnz", "params", "weights", "macs", "density")
"""Names of the costs in this file."""


def counts(model: ir.Model) -> dict[str, float]:
    """All costs in this file at once; takes much less than a millisecond."""
    count = onnx_graph.count(model)
    return {
        "nnz": count.nnz,
        "params": count.params,
        "weights": count.weights,
        "macs": count.macs,
        "density": count.nnz / max(count.weights, 1),
    }


def counts_in_file(model: ir.Model, *, keep_dead_units: bool = False) -> dict[str, float]:
    """`counts` of a trained network in its exported form: without dead units, unless they are kept.

    If a method changes the mask, some of the weights that it keeps may lose their connection to input or output; the file
    does not contain them. ``weights`` and ``density`` refer to the whole architecture.
    """
    if keep_dead_units:
        return counts(model)
    found = counts(onnx_graph.shrink(model))
    weights = onnx_graph.count(model).weights
    return found | {"weights": weights, "density": found["nnz"] / max(weights, 1)}


def _one(name: str) -> Callable[[ir.Model], float]:
    return lambda model: counts(model)[name]


NNZ = Cost(name="nnz", meaning="non-zero weights, those that lead nowhere left out", measure=_one("nnz"))
PARAMS = Cost(name="params", meaning="non-zero weights, biases and normalisation parameters", measure=_one("params"))
WEIGHTS = Cost(name="weights", meaning="weights, zero or not", measure=_one("weights"))
MACS = Cost(name="macs", meaning="multiply-accumulates of the non-zero weights for one example", measure=_one("macs"))
DENSITY = Cost(
    name="density", meaning="non-zero weights as a share of the same architecture's weights", measure=_one("density")
)
