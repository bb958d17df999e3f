"""Networks of NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326) and NAS-Bench-101 (Ying et al. 2019, arXiv:1902.09635) as ONNX.

Graphs are like those of a PyTorch export, with batch normalisation as a node of its own and sums as chains of two-input sums.
Weights are made by the graph itself (ConstantOfShape, all 1): a file has a few kilobytes, the encoder knows without computing them
that the weights are dense, and onnxruntime can run it. Operations on 'none' edges are missing: they have no parameters.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import combinations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

CLASSES, SIZE = 10, 32  # CIFAR-10
OPERATIONS_201 = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""Operations of NAS-Bench-201, at the place of their digit in a code."""
EDGES_201 = tuple(combinations(range(4), 2))
"""Edges of its cell in the order of a code: 0-1, 0-2, 0-3, 1-2, 1-3, 2-3."""
WIDTHS_201, CELLS_201 = (16, 32, 64), 5
STEM_101, STACKS_101, CELLS_101 = 128, 3, 3
_FLOAT = ir.TensorType(ir.DataType.FLOAT)


class Network:
    """A graph that grows at its end; values are images ``(N, channels, size, size)`` until `model` ends it."""

    def __init__(self) -> None:
        """Only an input, ``(N, 3, 32, 32)``."""
        shape = ir.Shape(["N", 3, SIZE, SIZE])
        self.image = ir.Value(name="image", shape=shape, type=_FLOAT)
        self.params = 0
        self._nodes: list[ir.Node] = []
        self._constants: dict[tuple[object, ...], ir.Value] = {}

    def conv(self, x: ir.Value, channels: int, kernel: int, stride: int = 1) -> ir.Value:
        """A convolution without bias, padded to keep the size at stride 1."""
        _, inner, size, _ = _sizes(x)
        weight = self._weight((channels, inner, kernel, kernel))
        window = _window(kernel, stride, kernel // 2)
        return self._node("Conv", [x, weight], (channels, -(-size // stride)), *window)

    def norm(self, x: ir.Value) -> ir.Value:
        """Batch normalisation; its two statistics are not parameters."""
        _, channels, size, _ = _sizes(x)
        self.params += 2 * channels
        ones = self._constant(np.ones(channels, np.float32))
        return self._node("BatchNormalization", [x, ones, ones, ones, ones], (channels, size))

    def relu(self, x: ir.Value) -> ir.Value:
        """Rectified linear units."""
        return self._node("Relu", [x], _sizes(x)[1:3])

    def max_pool(self, x: ir.Value, kernel: int, stride: int) -> ir.Value:
        """Maximum over a window, padded where the stride is 1."""
        _, channels, size, _ = _sizes(x)
        window = _window(kernel, stride, kernel // 2 if stride == 1 else 0)
        return self._node("MaxPool", [x], (channels, size // stride), *window)

    def average_pool(self, x: ir.Value, kernel: int, stride: int) -> ir.Value:
        """Mean over a window, padded where the stride is 1; the padding is not counted."""
        _, channels, size, _ = _sizes(x)
        window = _window(kernel, stride, kernel // 2 if stride == 1 else 0)
        return self._node("AveragePool", [x], (channels, size // stride), *window)

    def add(self, values: Iterable[ir.Value]) -> ir.Value:
        """Sum of one or more values, two at a time."""
        return reduce(lambda left, right: self._node("Add", [left, right], _sizes(left)[1:3]), values)

    def concatenate(self, values: Sequence[ir.Value]) -> ir.Value:
        """All channels of one or more values."""
        if len(values) == 1:
            return values[0]
        channels = sum(_sizes(value)[1] for value in values)
        return self._node("Concat", list(values), (channels, _sizes(values[0])[2]), ir.AttrInt64("axis", 1))

    def first_channels(self, x: ir.Value, channels: int) -> ir.Value:
        """The given number of first channels; the value itself if it has no more."""
        _, found, size, _ = _sizes(x)
        if found == channels:
            return x
        bounds = [self._constant(np.array([number], np.int64)) for number in (0, channels, 1)]
        return self._node("Slice", [x, *bounds], (channels, size))

    def zeros_like(self, x: ir.Value) -> ir.Value:
        """The operation 'none' in a PyTorch export: a product with zero."""
        return self._node("Mul", [x, self._constant(np.zeros((), np.float32))], _sizes(x)[1:3])

    def model(self, x: ir.Value) -> ir.Model:
        """The model, after global average pooling and a linear layer are appended to `x`."""
        channels = _sizes(x)[1]
        self.params += CLASSES
        pooled = self._flat("GlobalAveragePool", [x], (channels, 1, 1))
        flat = self._flat("Flatten", [pooled], (channels,))
        inputs = [flat, self._weight((CLASSES, channels)), self._constant(np.ones(CLASSES, np.float32))]
        y = self._flat("Gemm", inputs, (CLASSES,), ir.AttrInt64("transB", 1))
        constants = list(self._constants.values())
        graph = ir.Graph(
            [self.image], [y], nodes=self._nodes, initializers=constants, opset_imports={"": 17}, name="nasbench"
        )
        return ir.Model(graph, ir_version=10)

    def _node(self, operator: str, inputs: list[ir.Value], made: Sequence[int], *attributes: ir.Attr) -> ir.Value:
        channels, size = made
        return self._flat(operator, inputs, (channels, size, size), *attributes)

    def _flat(self, operator: str, inputs: list[ir.Value], made: Sequence[int], *attributes: ir.Attr) -> ir.Value:
        node = ir.Node("", operator, inputs, list(attributes), name=f"n{len(self._nodes)}")
        node.outputs[0].name, node.outputs[0].shape = f"v{len(self._nodes)}", ir.Shape(["N", *made])
        node.outputs[0].type = _FLOAT
        self._nodes.append(node)
        return node.outputs[0]

    def _weight(self, shape: tuple[int, ...]) -> ir.Value:
        """A new weight, since a weight that two layers share would count only once."""
        self.params += int(np.prod(shape))
        one = ir.AttrTensor("value", ir.Tensor(np.ones(1, np.float32)))
        weight = self._flat("ConstantOfShape", [self._constant(np.array(shape, np.int64))], (), one)
        weight.shape = ir.Shape(shape)
        return weight

    def _constant(self, array: NDArray[np.generic]) -> ir.Value:
        """An initializer; the same numbers are stored once."""
        key = (array.dtype, array.shape, array.tobytes())
        if key not in self._constants:
            name, shape = f"c{len(self._constants)}", ir.Shape(array.shape)
            tensor = ir.Tensor(array, name=name)
            self._constants[key] = ir.Value(
                name=name, shape=shape, type=ir.TensorType(tensor.dtype), const_value=tensor
            )
        return self._constants[key]


def nasbench201(code: str) -> ir.Model:
    """The CIFAR-10 network of a code of six digits, one per edge (`EDGES_201`, `OPERATIONS_201`)."""
    return _nasbench201(code)[0]


def nasbench101(edge_bits: int, operations: Sequence[int], vertices: int) -> ir.Model:
    """The network of a cell.

    Args:
        edge_bits: bit x + y(y − 1)/2 set means an edge from vertex x to vertex y > x.
        operations: operations of the vertices 1 to ``vertices − 2``: 0 conv3×3, 1 conv1×1, 2 maxpool3×3; further entries are
            not read.
        vertices: number of vertices, input and output included.
    """
    return _nasbench101(edge_bits, operations, vertices)[0]


def parameters_201(code: str) -> int:
    """Number of trainable parameters of a network, without those of operations on dead edges."""
    return _nasbench201(code)[1]


def parameters_101(edge_bits: int, operations: Sequence[int], vertices: int) -> int:
    """Number of trainable parameters of a network."""
    return _nasbench101(edge_bits, operations, vertices)[1]


def _nasbench201(code: str) -> tuple[ir.Model, int]:
    operations = {edge: OPERATIONS_201[int(digit)] for edge, digit in zip(EDGES_201, code, strict=True)}
    live = _live({edge: name for edge, name in operations.items() if name != "none"})
    net = Network()
    x = net.norm(net.conv(net.image, WIDTHS_201[0], 3))
    for stage, channels in enumerate(WIDTHS_201):
        if stage:
            x = _residual_201(net, x, channels)
        for _ in range(CELLS_201):
            x = _cell_201(net, x, live)
    model = net.model(net.relu(net.norm(x)))
    return model, net.params


def _live(operations: dict[tuple[int, int], str]) -> dict[tuple[int, int], str]:
    """Operations on a path from vertex 0 to vertex 3: an export drops values that are not read, and empty sums are zero."""
    reached, needed = {0}, {3}
    for source, target in sorted(operations):
        if source in reached:
            reached.add(target)
    for source, target in sorted(operations, reverse=True):
        if target in needed:
            needed.add(source)
    return {edge: name for edge, name in operations.items() if edge[0] in reached and edge[1] in needed}


def _cell_201(net: Network, x: ir.Value, operations: dict[tuple[int, int], str]) -> ir.Value:
    """One cell; zeros if nothing leads to its last vertex (one network, 111111, whose answer is always the same)."""
    vertices = {0: x}
    for vertex in (1, 2, 3):
        edges = [(source, name) for (source, target), name in operations.items() if target == vertex]
        if edges:
            vertices[vertex] = net.add([_operation_201(net, vertices[source], name) for source, name in edges])
    return vertices[3] if 3 in vertices else net.zeros_like(x)


def _operation_201(net: Network, x: ir.Value, name: str) -> ir.Value:
    if name == "skip_connect":
        return x
    if name == "avg_pool_3x3":
        return net.average_pool(x, 3, 1)
    return _relu_conv_norm(net, x, _sizes(x)[1], 3 if name == "nor_conv_3x3" else 1, 1)


def _relu_conv_norm(net: Network, x: ir.Value, channels: int, kernel: int, stride: int) -> ir.Value:
    return net.norm(net.conv(net.relu(x), channels, kernel, stride))


def _residual_201(net: Network, x: ir.Value, channels: int) -> ir.Value:
    """Half the size: two convolutions, plus a shortcut of a 2×2 mean and a 1×1 convolution without normalisation."""
    y = _relu_conv_norm(net, _relu_conv_norm(net, x, channels, 3, 2), channels, 3, 1)
    return net.add([net.conv(net.average_pool(x, 2, 2), channels, 1), y])


def _nasbench101(edge_bits: int, operations: Sequence[int], vertices: int) -> tuple[ir.Model, int]:
    edges = {(x, y) for x, y in combinations(range(vertices), 2) if int(edge_bits) >> (x + y * (y - 1) // 2) & 1}
    net = Network()
    channels = STEM_101
    x = _conv_norm_relu(net, net.image, channels, 3)
    for stack in range(STACKS_101):
        if stack:
            x = net.max_pool(x, 2, 2)
            channels *= 2
        for _ in range(CELLS_101):
            x = _cell_101(net, x, edges, operations, vertices, channels)
    model = net.model(x)
    return model, net.params


def _conv_norm_relu(net: Network, x: ir.Value, channels: int, kernel: int) -> ir.Value:
    return net.relu(net.norm(net.conv(x, channels, kernel)))


def _cell_101(
    net: Network, x: ir.Value, edges: set[tuple[int, int]], operations: Sequence[int], vertices: int, channels: int
) -> ir.Value:
    """Sums at the vertices (of the first channels if their numbers differ); the cell's input passes 1×1 convolutions."""
    last = vertices - 1
    widths = channels_101(edges, vertices, channels)
    made: dict[int, ir.Value] = {}
    for vertex in range(1, last):
        parts = [net.first_channels(made[source], widths[vertex]) for source in made if (source, vertex) in edges]
        if (0, vertex) in edges:
            parts.append(_conv_norm_relu(net, x, widths[vertex], 1))
        total, operation = net.add(parts), int(operations[vertex - 1])
        pooled = operation == 2
        made[vertex] = (
            net.max_pool(total, 3, 1) if pooled else _conv_norm_relu(net, total, widths[vertex], 3 - 2 * operation)
        )
    joined = [made[source] for source in made if (source, last) in edges]
    if not joined:
        return x
    y = net.concatenate(joined)
    return net.add([y, _conv_norm_relu(net, x, channels, 1)]) if (0, last) in edges else y


def channels_101(edges: set[tuple[int, int]], vertices: int, channels: int) -> list[int]:
    """Channels of every vertex of a cell that makes `channels`; entry 0, the input, is not used.

    The vertices that the output reads share its channels; the first ones take the remainder. Any other vertex has as many
    channels as the widest vertex that reads it.
    """
    last = vertices - 1
    joined = [vertex for vertex in range(1, last) if (vertex, last) in edges]
    widths = [0] * last + [channels]
    for place, vertex in enumerate(joined):
        widths[vertex] = channels // len(joined) + (place < channels % len(joined))
    for vertex in reversed(range(1, last)):
        if (vertex, last) not in edges:
            widths[vertex] = max(widths[target] for target in range(vertex + 1, last) if (vertex, target) in edges)
    return widths


def _sizes(value: ir.Value) -> tuple[int, int, int, int]:
    """Shape of an image with a batch size of 1."""
    if value.shape is None or len(value.shape) != 4:
        raise ValueError(f"{value.name} is no image")
    _, channels, height, width = (size if isinstance(size, int) else 1 for size in value.shape)
    return 1, channels, height, width


def _window(kernel: int, stride: int, pad: int) -> tuple[ir.Attr, ...]:
    return (
        ir.AttrInt64s("kernel_shape", [kernel] * 2),
        ir.AttrInt64s("strides", [stride] * 2),
        ir.AttrInt64s("pads", [pad] * 4),
    )
