"""Initial weights for the true fan-in of sparse units (He et al. 2015, arXiv:1502.01852; sparse: Evci et al. 2020, arXiv:2010.03533).

Each row of a weight is drawn from a normal distribution of standard deviation gain / sqrt(kept entries of that row). The gain
is sqrt(2) where a rectifier reads the result and 1 elsewhere. Biases start at zero (the forget gate of an LSTM at one),
normalisation at scale 1, shift 0, mean 0, variance 1. The draw depends on the seed, the position of the weight in the graph and
its shape, so it is the same whether a network is trained alone or padded inside a stack.
"""

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.weight import Weight, array_of, weights

Arrays = dict[str, NDArray[np.float32]]

RECTIFIERS = frozenset(
    {"Relu", "LeakyRelu", "PRelu", "Elu", "Celu", "Gelu", "Swish", "HardSwish", "Mish", "Softplus", "ThresholdedRelu"}
)
_TRANSPARENT = frozenset(
    {"Add", "Sum", "BatchNormalization", "Identity", "Dropout", "MaxPool", "AveragePool", "Reshape", "Squeeze"}
)
_NORMALISATIONS: Mapping[str, tuple[float, ...]] = {
    "BatchNormalization": (1.0, 0.0, 0.0, 1.0),
    "InstanceNormalization": (1.0, 0.0),
    "LayerNormalization": (1.0, 0.0),
    "GroupNormalization": (1.0, 0.0),
}
"""Initial values of the inputs from the second on: scale, shift, mean, variance."""
_BIASES: Mapping[str, int] = {"Gemm": 2, "Conv": 2, "ConvTranspose": 2, "RNN": 3, "GRU": 3, "LSTM": 3}


def initial_values(model: ir.Model, seed: int) -> Arrays:
    """New values, stored orientation, of every weight, bias and normalisation parameter of the graph.

    Initializers that are none of these (embeddings, scalars, slopes) keep their values and are not in the result.
    """
    values: Arrays = {}
    gains = _gains(model)
    for position, weight in enumerate(weights(model)):
        mask = weight.canonical(array_of(model.graph.initializers[weight.name])) != 0
        rng = np.random.default_rng((abs(seed), 0, position))
        values[weight.name] = np.ascontiguousarray(
            weight.stored(_draw(mask, gains.get(weight.name, 1.0), rng)), np.float32
        )
    for node in model.graph:
        for name, shape, value in _offsets(node):
            if name not in values:
                values[name] = _bias(node, shape) if value is None else np.full(shape, value, np.float32)
    return values


def _draw(mask: NDArray[np.bool_], gain: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Normal values where the mask keeps, zero elsewhere; every row scaled for its own kept entries."""
    rows = mask.reshape(len(mask), -1)
    fan_in = np.maximum(rows.sum(axis=1, dtype=np.float32), 1.0)
    values = rng.standard_normal(rows.shape, dtype=np.float32)
    # A kept weight must not be zero: the mask is read from the non-zeros.
    values[values == 0] = 1e-6
    values *= (gain / np.sqrt(fan_in))[:, None]
    return np.where(rows, values, np.float32(0)).reshape(mask.shape)


def _gains(model: ir.Model) -> dict[str, float]:
    """sqrt(2) for the weights whose result a rectifier reads."""
    kinds = {weight.name: weight for weight in weights(model)}
    gains: dict[str, float] = {}
    for node in model.graph:
        for value in node.inputs:
            weight = kinds.get(value.name or "") if value is not None else None
            if weight is not None and _rectified(node, weight):
                gains[weight.name] = math.sqrt(2)
    return gains


def _rectified(node: ir.Node, weight: Weight) -> bool:
    """Whether a rectifier reads the node's result, through sums, normalisation and pooling."""
    if weight.operator in ("RNN", "GRU", "LSTM"):
        return False
    value = node.outputs[0]
    for _ in range(8):
        consumers = [use.node for use in value.uses()]
        if any(consumer.op_type in RECTIFIERS for consumer in consumers):
            return True
        through = [consumer for consumer in consumers if consumer.op_type in _TRANSPARENT]
        if len(consumers) != 1 or not through:
            return False
        value = through[0].outputs[0]
    return False


def _offsets(node: ir.Node) -> list[tuple[str, tuple[int, ...], float | None]]:
    """Name, shape and initial value of the node's biases (None) and normalisation parameters."""
    starts = {index + 1: value for index, value in enumerate(_NORMALISATIONS.get(node.op_type, ()))}
    roles: dict[int, float | None] = {**starts}
    if node.op_type in _BIASES:
        roles[_BIASES[node.op_type]] = None
    elif node.op_type == "Add":
        # The bias of a MatMul: a vector that is added to a computed value.
        roles = {index: None for index in (0, 1) if _is_vector(node.inputs[index])}
    found = []
    for index, start in roles.items():
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
