"""Initial weights for the true fan-in of sparse units (He et al. 2015, arXiv:1502.01852; sparse: Evci et al. 2020, arXiv:2010.03533).

Each row of a weight is drawn from a normal distribution of standard deviation gain / sqrt(kept entries of that row). The gain
is sqrt(2) if a rectifier reads the result, sqrt(2 / (1 + slope²)) if a leaky one does, and 1 otherwise. If a Gemm
scales its product by alpha, the weight is drawn 1 / |alpha| times as large, so that its result has the usual size. The
last layer's weight is drawn 1 / sqrt(|alpha|) times as large only: with alpha = base width / fan-in its results shrink with the
width, as in maximal update parametrisation (arXiv:2203.03466). A weight that states a norm bound
(`onnx_graph.norm_bound`) is scaled down to it. Biases start at zero (the forget gate of an LSTM at one),
normalisation at scale 1, shift 0, mean 0, variance 1. The draw depends on the seed, the position of the weight in the graph and
its shape, so it is the same whether a network is trained alone or padded inside a stack.
"""

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph import Weight, weights
from onnx_graph.internals import WeightUse, array_of, norm_bounds, weight_uses, within
from onnx_graph.operators import POOLS, Operator, operator_of

Arrays = dict[str, NDArray[np.float32]]

_TRANSPARENT = POOLS | {"add", "batch_norm", "reshape"}
"""Kinds of operators after which the search for a rectifier continues."""
_STARTS: Mapping[str, float] = {"scale": 1.0, "shift": 0.0, "mean": 0.0, "variance": 1.0}
"""Initial values of the parameters and statistics of a normalisation, by role."""


def initial_values(model: ir.Model, seed: int) -> Arrays:
    """New values, stored orientation, of every weight, bias and normalisation parameter of the graph.

    Initializers that are none of these (embeddings, scalars, slopes) keep their values and are not in the result.
    """
    values: Arrays = {}
    gains, bounds = _gains(model), norm_bounds(model)
    for position, weight in enumerate(weights(model)):
        mask = weight.canonical(array_of(model.graph.initializers[weight.name])) != 0
        rng = np.random.default_rng((abs(seed), 0, position))
        drawn = _draw(mask, gains[weight.name], rng)
        if weight.name in bounds:
            drawn = within(drawn, bounds[weight.name])
        values[weight.name] = np.ascontiguousarray(weight.stored(drawn), np.float32)
    for node in model.graph:
        for name, shape, value in _offsets(node):
            if name not in values:
                values[name] = _bias(node, shape) if value is None else np.full(shape, value, np.float32)
    return values


def _draw(mask: NDArray[np.bool_], gain: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Normal values where the mask keeps, zero elsewhere; every row is scaled for its number of kept entries."""
    rows = mask.reshape(len(mask), -1)
    fan_in = np.maximum(rows.sum(axis=1, dtype=np.float32), 1.0)
    values = rng.standard_normal(rows.shape, dtype=np.float32)
    # A kept weight must not be zero: the mask is read from the non-zeros.
    values[values == 0] = 1e-6
    values *= (gain / np.sqrt(fan_in))[:, None]
    return np.where(rows, values, np.float32(0)).reshape(mask.shape)


def _gains(model: ir.Model) -> dict[str, float]:
    """Gain by weight: that of the rectifier that reads the result of any of its uses, divided by the scale of the first use."""
    uses: dict[str, list[WeightUse]] = {}
    for use in weight_uses(model):
        uses.setdefault(use.weight.name, []).append(use)
    gains = {}
    for name, found in uses.items():
        readers = [_reader(use.node, use.weight) for use in found]
        gain = next((_rectifier_gain(reader) for reader in readers if reader is not None), 1.0)
        gains[name] = gain / _scale(found[0].node)
    return gains


def _scale(node: ir.Node) -> float:
    """The divisor of a weight's initial size that compensates a Gemm's factor."""
    alpha = abs(node.attributes.get_float("alpha", 1.0)) if node.op_type == "Gemm" else 1.0
    if alpha in (0.0, 1.0):
        return 1.0
    return math.sqrt(alpha) if _is_last(node) else alpha


def _is_last(node: ir.Node) -> bool:
    """Whether the node's result is the graph's output, directly or as part of a sum."""
    value = node.outputs[0]
    while not value.is_graph_output():
        consumers = [use.node for use in value.uses()]
        if len(consumers) != 1 or not operator_of(consumers[0]).sums:
            return False
        value = consumers[0].outputs[0]
    return True


def _rectifier_gain(rectifier: ir.Node) -> float:
    """The factor that keeps the mean square after a leaky rectifier of this slope."""
    slope = rectifier.attributes.get_float("alpha", 0.01) if rectifier.op_type == "LeakyRelu" else 0.0
    return math.sqrt(2 / (1 + slope**2))


def _reader(node: ir.Node, weight: Weight) -> ir.Node | None:
    """The rectifier that reads the node's result, through sums, normalisation and pooling; None if there is no rectifier."""
    if weight.is_recurrent:
        return None
    value = node.outputs[0]
    for _ in range(8):
        consumers = [use.node for use in value.uses()]
        rectifier = next((consumer for consumer in consumers if operator_of(consumer).rectifies), None)
        if rectifier is not None:
            return rectifier
        through = [consumer for consumer in consumers if _is_transparent(operator_of(consumer))]
        if len(consumers) != 1 or not through:
            return None
        value = through[0].outputs[0]
    return None


def _is_transparent(operator: Operator) -> bool:
    return operator.kind in _TRANSPARENT or (operator.passes and not operator.casts)


def _offsets(node: ir.Node) -> list[tuple[str, tuple[int, ...], float | None]]:
    """Name, shape and initial value of the node's biases (None) and normalisation parameters."""
    facts = operator_of(node)
    starts = {index: _STARTS.get(role) for index, role in facts.ports.items() if role in _STARTS or role == "bias"}
    if facts.name == "Add":
        # The bias of a MatMul: a vector that is added to a computed value.
        starts = {index: None for index in (0, 1) if _is_vector(node.inputs[index])}
    found = []
    for index, start in starts.items():
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is not None and value.const_value is not None and value.is_initializer() and value.name:
            found.append((value.name, tuple(value.const_value.shape.numpy()), start))
    return found


def _is_vector(value: ir.Value | None) -> bool:
    if value is None or value.const_value is None or not value.is_initializer():
        return False
    shape = value.const_value.shape.numpy()
    return value.const_value.dtype == ir.DataType.FLOAT and max(shape, default=0) == math.prod(shape)


def _bias(node: ir.Node, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros; one for the forget gate of an LSTM (gate order i, o, f, c; input biases before recurrent ones)."""
    bias = np.zeros(shape, np.float32)
    if node.op_type == "LSTM":
        bias.reshape(shape[0], 8, -1)[:, 2] = 1.0
    return bias
