"""A graph of an image network that grows at its end, like a PyTorch export: batch normalisations are nodes, sums have two inputs.

Weights are stored and all 1, as in the networks of the other spaces: a training draws its own. Their arrays are views of one number,
so that a network of forty million weights takes no memory before it is written or trained.
"""

from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

_FLOAT = ir.TensorType(ir.DataType.FLOAT)
OPSET, IR_VERSION = 17, 10


class ImageNetwork:
    """An image network under construction; values are images ``(N, channels, size, size)`` until `model` ends it."""

    def __init__(self, channels: int, size: int) -> None:
        """Only an input, ``(N, channels, size, size)``."""
        self.image = ir.Value(name="image", shape=ir.Shape(["N", channels, size, size]), type=_FLOAT)
        self._nodes: list[ir.Node] = []
        self._stored: dict[object, ir.Value] = {}

    def conv(self, x: ir.Value, channels: int, kernel: int, stride: int = 1) -> ir.Value:
        """A convolution without bias, padded to keep the size at stride 1."""
        inner, size = _channels_and_size(x)
        weight = self._parameter((channels, inner, kernel, kernel), 1.0)
        window = _window(kernel, stride, kernel // 2)
        return self._node("Conv", [x, weight], (channels, -(-size // stride)), *window)

    def norm(self, x: ir.Value) -> ir.Value:
        """Batch normalisation with scale 1, bias 0, mean 0, variance 1."""
        channels, size = _channels_and_size(x)
        numbers = [self._parameter((channels,), value) for value in (1.0, 0.0, 0.0, 1.0)]
        return self._node("BatchNormalization", [x, *numbers], (channels, size))

    def relu(self, x: ir.Value) -> ir.Value:
        """Rectified linear units."""
        return self._node("Relu", [x], _channels_and_size(x))

    def max_pool(self, x: ir.Value, kernel: int, stride: int) -> ir.Value:
        """Maximum over a window, padded where the stride is 1."""
        return self._pool("MaxPool", x, kernel, stride)

    def average_pool(self, x: ir.Value, kernel: int, stride: int) -> ir.Value:
        """Mean over a window, padded where the stride is 1; the padding is not counted."""
        return self._pool("AveragePool", x, kernel, stride)

    def add(self, values: Iterable[ir.Value]) -> ir.Value:
        """Sum of one or more values, two at a time."""
        return reduce(lambda left, right: self._node("Add", [left, right], _channels_and_size(left)), values)

    def concatenate(self, values: Sequence[ir.Value]) -> ir.Value:
        """All channels of one or more values."""
        if len(values) == 1:
            return values[0]
        channels = sum(_channels_and_size(value)[0] for value in values)
        size = _channels_and_size(values[0])[1]
        return self._node("Concat", list(values), (channels, size), ir.AttrInt64("axis", 1))

    def first_channels(self, x: ir.Value, channels: int) -> ir.Value:
        """The given number of first channels; the value itself if it has no more."""
        found, size = _channels_and_size(x)
        if found == channels:
            return x
        bounds = [self._constant(np.array([number], np.int64)) for number in (0, channels, 1)]
        return self._node("Slice", [x, *bounds], (channels, size))

    def zeros_like(self, x: ir.Value) -> ir.Value:
        """The operation 'none' in a PyTorch export: a product with zero."""
        return self._node("Mul", [x, self._constant(np.zeros((), np.float32))], _channels_and_size(x))

    def model(self, x: ir.Value, outputs: int, name: str) -> ir.Model:
        """The model, after global average pooling and a linear layer with so many outputs are appended to `x`."""
        channels, _ = _channels_and_size(x)
        pooled = self._flat("GlobalAveragePool", [x], (channels, 1, 1))
        flat = self._flat("Flatten", [pooled], (channels,))
        inputs = [flat, self._parameter((outputs, channels), 1.0), self._parameter((outputs,), 0.0)]
        y = self._flat("Gemm", inputs, (outputs,), ir.AttrInt64("transB", 1))
        graph = ir.Graph(
            [self.image],
            [y],
            nodes=self._nodes,
            initializers=list(self._stored.values()),
            opset_imports={"": OPSET},
            name=name,
        )
        return ir.Model(graph, ir_version=IR_VERSION, producer_name="search_spaces")

    def _pool(self, operator: str, x: ir.Value, kernel: int, stride: int) -> ir.Value:
        channels, size = _channels_and_size(x)
        window = _window(kernel, stride, kernel // 2 if stride == 1 else 0)
        return self._node(operator, [x], (channels, size // stride), *window)

    def _node(self, operator: str, inputs: list[ir.Value], made: Sequence[int], *attributes: ir.Attr) -> ir.Value:
        channels, size = made
        return self._flat(operator, inputs, (channels, size, size), *attributes)

    def _flat(self, operator: str, inputs: list[ir.Value], made: Sequence[int], *attributes: ir.Attr) -> ir.Value:
        node = ir.Node("", operator, inputs, list(attributes), name=f"n{len(self._nodes)}")
        node.outputs[0].name, node.outputs[0].shape = f"v{len(self._nodes)}", ir.Shape(["N", *made])
        node.outputs[0].type = _FLOAT
        self._nodes.append(node)
        return node.outputs[0]

    def _parameter(self, shape: tuple[int, ...], value: float) -> ir.Value:
        """A new parameter with equal numbers; two layers never share one."""
        return self._store(len(self._stored), f"w{len(self._stored)}", np.broadcast_to(np.float32(value), shape))

    def _constant(self, array: NDArray[np.generic]) -> ir.Value:
        """An initializer that is no parameter; the same numbers are stored once."""
        key = (array.dtype, array.shape, array.tobytes())
        return self._stored[key] if key in self._stored else self._store(key, f"c{len(self._stored)}", array)

    def _store(self, key: object, name: str, array: NDArray[np.generic]) -> ir.Value:
        tensor = ir.Tensor(array, name=name)
        kind = ir.TensorType(tensor.dtype)
        self._stored[key] = ir.Value(name=name, shape=ir.Shape(array.shape), type=kind, const_value=tensor)
        return self._stored[key]


def channels_of(value: ir.Value) -> int:
    """Number of channels of an image."""
    return _channels_and_size(value)[0]


def _channels_and_size(value: ir.Value) -> tuple[int, int]:
    if value.shape is None or len(value.shape) != 4:
        raise ValueError(f"{value.name} is no image")
    channels, size = value.shape[1], value.shape[2]
    if not isinstance(channels, int) or not isinstance(size, int):
        raise ValueError(f"{value.name} has an unknown size")
    return channels, size


def _window(kernel: int, stride: int, pad: int) -> tuple[ir.Attr, ...]:
    return (
        ir.AttrInt64s("kernel_shape", [kernel] * 2),
        ir.AttrInt64s("strides", [stride] * 2),
        ir.AttrInt64s("pads", [pad] * 4),
    )
