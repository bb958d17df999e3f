"""Network builder: appends ONNX nodes with known shapes, collects the maskable layers, fills in masks at the end.

The weights of a network have no values while its nodes are appended, so that the layers are known before their masks are
drawn; `model` then sets every weight to 1 where its mask keeps it and to 0 elsewhere.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.operators import TABLE
from search_spaces.errors import InvalidCandidateError
from search_spaces.masks.layer import Mask, MaskLayer

OPSET = 17
IR_VERSION = 10
MAX_WEIGHTS = 50_000_000
"""Most weights of a network. Candidates may be untrusted input, and with more weights a mask alone takes 50 MB."""

ACTIVATIONS: Mapping[str, tuple[str, tuple[ir.Attr, ...]]] = {
    "relu": ("Relu", ()),
    "tanh": ("Tanh", ()),
    "leaky-relu": ("LeakyRelu", (ir.AttrFloat32("alpha", 0.01),)),
    "elu": ("Elu", (ir.AttrFloat32("alpha", 1.0),)),
    "selu": ("Selu", ()),
    "sigmoid": ("Sigmoid", ()),
    "softplus": ("Softplus", ()),
    "silu": ("Sigmoid", ()),
}
"""Operators of opset 17. GELU is not in it, and the constants of its decomposition would count as parameters."""

CELLS: Mapping[str, tuple[str, tuple[ir.Attr, ...]]] = {
    "rnn-tanh": ("RNN", (ir.AttrStrings("activations", ["Tanh"]),)),
    "rnn-relu": ("RNN", (ir.AttrStrings("activations", ["Relu"]),)),
    "gru": ("GRU", (ir.AttrInt64("linear_before_reset", 1),)),
    "lstm": ("LSTM", ()),
}
"""Operator and attributes; `linear_before_reset` makes the GRU the same as in cuDNN and PyTorch."""


_FLOAT = ir.TensorType(ir.DataType.FLOAT)
_INT64 = ir.TensorType(ir.DataType.INT64)


def gates_of(cell: str) -> int:
    """Number of gates of one of `CELLS`."""
    return TABLE[CELLS[cell][0]].gates


@dataclass(frozen=True)
class OpenWeight:
    """A weight whose mask is not drawn yet: `value` has no data."""

    layer: MaskLayer
    value: ir.Value
    transposed: bool = False


class NetworkBuilder:
    """A feed-forward ONNX graph under construction.

    Attributes:
        input: the graph input, ``(N, *input_shape)``.
        structure: masks that the architecture itself prescribes, canonical, by layer; all other layers follow the recipe.
    """

    def __init__(self, input_shape: Sequence[int], name: str) -> None:
        """`name` becomes the name of the graph."""
        self.input = ir.Value(name="input", shape=ir.Shape(["N", *input_shape]), type=_FLOAT)
        self.structure: dict[str, Mask] = {}
        self._name = name
        self._nodes: list[ir.Node] = []
        self._initializers: list[ir.Value] = []
        self._open: dict[str, OpenWeight] = {}
        self._output: ir.Value | None = None
        self._total = 0

    @property
    def layers(self) -> list[MaskLayer]:
        """All maskable weights, in the order they were appended."""
        return [weight.layer for weight in self._open.values()]

    def node(
        self,
        operator: str,
        inputs: Sequence[ir.Value | None],
        shape: Sequence[int | str],
        name: str,
        attributes: Sequence[ir.Attr] = (),
    ) -> ir.Value:
        """Append a node with one output of `shape`; both carry `name`."""
        return self.nodes(operator, inputs, [(name, shape)], name, attributes)[0]

    def nodes(
        self,
        operator: str,
        inputs: Sequence[ir.Value | None],
        outputs: Sequence[tuple[str, Sequence[int | str]]],
        name: str,
        attributes: Sequence[ir.Attr] = (),
    ) -> list[ir.Value]:
        """Append a node with several outputs, each given by a name (empty: not used) and a shape."""
        values = [
            ir.Value(name=label, shape=ir.Shape(shape), type=_FLOAT) if label else ir.Value(name="")
            for label, shape in outputs
        ]
        self._nodes.append(ir.Node("", operator, inputs, attributes, outputs=values, name=name))
        return values

    def weight(self, name: str, stored_shape: Sequence[int], layer: MaskLayer, *, transposed: bool = False) -> ir.Value:
        """Append a maskable weight; `transposed` where it is stored ``(in, out)``."""
        self._total += layer.size
        if self._total > MAX_WEIGHTS:
            raise InvalidCandidateError(
                f"layer {name!r} brings the network above {MAX_WEIGHTS:,} weights; make it narrower"
            )
        value = ir.Value(name=name, shape=ir.Shape(stored_shape), type=_FLOAT)
        self._initializers.append(value)
        self._open[name] = OpenWeight(layer, value, transposed)
        return value

    def parameter(self, name: str, length: int, value: float = 0.0, *, leading: tuple[int, ...] = ()) -> ir.Value:
        """Append a float vector (a bias, a normalisation parameter), never masked, of shape ``(*leading, length)``."""
        return self.constant(name, np.full((*leading, length), value, np.float32))

    def constant(self, name: str, array: NDArray[np.float32] | NDArray[np.int64]) -> ir.Value:
        """Append an initializer with data."""
        kind = _INT64 if array.dtype == np.int64 else _FLOAT
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=kind, const_value=ir.Tensor(array, name=name))
        self._initializers.append(value)
        return value

    def gemm(self, x: ir.Value, outputs: int, name: str, *, alpha: float = 1.0, bias: bool = True) -> ir.Value:
        """Dense layer on ``(N, in)``, `alpha` times its product; weight ``(out, in)``."""
        width = size(x)
        layer = MaskLayer(name=f"{name}.weight", shape=(outputs, width))
        inputs = [x, self.weight(layer.name, layer.shape, layer)]
        if bias:
            inputs.append(self.parameter(f"{name}.bias", outputs))
        return self.node("Gemm", inputs, ["N", outputs], name, (*_TRANSPOSE_B, *_scaled(alpha)))

    def turned_gemm(self, x: ir.Value, weight: ir.Value, name: str, *, alpha: float = 1.0) -> ir.Value:
        """`alpha` times the product of ``(N, out)`` with a `gemm`'s weight ``(out, in)``: its transpose, ``(N, in)``."""
        return self.node("Gemm", [x, weight], ["N", size(weight)], name, _scaled(alpha))

    def initializer(self, name: str) -> ir.Value:
        """The maskable weight of that name."""
        return self._open[name].value

    def matmul(self, x: ir.Value, outputs: int, name: str) -> ir.Value:
        """Dense product without bias on the last axis of ``(…, in)``; weight stored ``(in, out)``."""
        width = size(x)
        layer = MaskLayer(name=f"{name}.weight", shape=(outputs, width))
        weight = self.weight(layer.name, (width, outputs), layer, transposed=True)
        return self.node("MatMul", [x, weight], [*dimensions(x)[:-1], outputs], name)

    def add(self, first: ir.Value, second: ir.Value, name: str) -> ir.Value:
        """Sum of two values; the first has the shape of the result."""
        return self.node("Add", [first, second], dimensions(first), name)

    def activation(self, x: ir.Value, activation: str, name: str) -> ir.Value:
        """One of `ACTIVATIONS`."""
        if activation not in ACTIVATIONS:
            raise InvalidCandidateError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
        operator, attributes = ACTIVATIONS[activation]
        shape = dimensions(x)
        if activation == "silu":
            return self.node("Mul", [x, self.node("Sigmoid", [x], shape, f"{name}.gate")], shape, name)
        return self.node(operator, [x], shape, name, attributes)

    def leaky_relu(self, x: ir.Value, slope: float, name: str) -> ir.Value:
        """A leaky rectifier with the given slope below zero."""
        return self.node("LeakyRelu", [x], dimensions(x), name, [ir.AttrFloat32("alpha", slope)])

    def flatten(self, x: ir.Value, name: str = "flatten") -> ir.Value:
        """``(N, …)`` to ``(N, features)``; nothing is appended if it has this shape already."""
        if len(dimensions(x)) == 2:
            return x
        return self.node("Flatten", [x], ["N", math.prod(sizes(x))], name, _AXIS_1)

    def convolution(
        self, x: ir.Value, channels: int, kernel: int, name: str, *, stride: int = 1, groups: int = 1, bias: bool = True
    ) -> ir.Value:
        """Square convolution on ``(N, C, H, W)``, padded so that stride 1 keeps the image's size; weight ``(out, in, k, k)``."""
        inner, height, width = sizes(x)
        layer = MaskLayer(name=f"{name}.weight", shape=(channels, inner // groups, kernel, kernel), kind="conv")
        inputs = [x, self.weight(layer.name, layer.shape, layer)]
        if bias:
            inputs.append(self.parameter(f"{name}.bias", channels))
        shape: list[int | str] = ["N", channels, _window(height, kernel, stride), _window(width, kernel, stride)]
        attributes = [*_window_attributes(kernel, stride), ir.AttrInt64("group", groups)]
        return self.node("Conv", inputs, shape, name, attributes)

    def pool(self, x: ir.Value, operator: str, kernel: int, stride: int, name: str) -> ir.Value:
        """``MaxPool`` or ``AveragePool`` (padding not counted), odd kernels padded as in `convolution`."""
        channels, height, width = sizes(x)
        shape: list[int | str] = ["N", channels, _window(height, kernel, stride), _window(width, kernel, stride)]
        return self.node(operator, [x], shape, name, _window_attributes(kernel, stride))

    def batch_norm(self, x: ir.Value, name: str) -> ir.Value:
        """Batch normalisation of axis 1 with scale 1, bias 0, mean 0, variance 1."""
        channels = sizes(x)[0]
        values = {"scale": 1.0, "bias": 0.0, "mean": 0.0, "var": 1.0}
        inputs = [x, *(self.parameter(f"{name}.{key}", channels, value) for key, value in values.items())]
        return self.node("BatchNormalization", inputs, dimensions(x), name, _NORM)

    def transpose(self, x: ir.Value, order: Sequence[int], name: str) -> ir.Value:
        """Axes in another order."""
        shape = dimensions(x)
        return self.node("Transpose", [x], [shape[axis] for axis in order], name, [ir.AttrInt64s("perm", order)])

    def recurrent(
        self, x: ir.Value, cell: str, hidden: int, name: str, *, every_step: bool, last_step: bool
    ) -> tuple[ir.Value | None, ir.Value | None]:
        """Recurrent layer, one of `CELLS`, on ``(T, N, F)``: outputs of all steps ``(T, N, hidden)``, of the last step ``(N, hidden)``."""
        if cell not in CELLS:
            raise InvalidCandidateError(f"unknown cell {cell!r}; known: {', '.join(CELLS)}")
        operator, attributes = CELLS[cell]
        gates = gates_of(cell)
        steps, features = sizes(x)
        rows = gates * hidden
        into = MaskLayer(name=f"{name}.input_weight", shape=(rows, features), gates=gates)
        across = MaskLayer(name=f"{name}.recurrent_weight", shape=(rows, hidden), kind="recurrent", gates=gates)
        inputs = [
            x,
            self.weight(into.name, (1, *into.shape), into),
            self.weight(across.name, (1, *across.shape), across),
            self.parameter(f"{name}.bias", 2 * rows, leading=(1,)),
        ]
        wanted: list[tuple[str, list[int | str]]] = [
            (f"{name}.steps" if every_step else "", [steps, 1, "N", hidden]),
            (f"{name}.end" if last_step else "", [1, "N", hidden]),
        ]
        outputs = self.nodes(operator, inputs, wanted, name, [ir.AttrInt64("hidden_size", hidden), *attributes])
        output = self._squeeze(outputs[0], 1, f"{name}.output") if every_step else None
        end = self._squeeze(outputs[1], 0, f"{name}.last") if last_step else None
        return output, end

    def _squeeze(self, x: ir.Value, axis: int, name: str) -> ir.Value:
        shape = dimensions(x)
        del shape[axis]
        return self.node("Squeeze", [x, self.constant(f"{name}.axis", np.array([axis], np.int64))], shape, name)

    def finish(self, output: ir.Value) -> "NetworkBuilder":
        """Make a value the graph output, renamed ``output``."""
        output.name = "output"
        self._output = output
        return self

    def model(self, masks: Mapping[str, Mask]) -> ir.Model:
        """The finished model with the canonical mask of every layer; may be called once only, since the nodes move into it."""
        if self._output is None:
            raise RuntimeError("finish the network before asking for its model")
        for name, weight in self._open.items():
            mask = masks[name].T if weight.transposed else masks[name]
            shape = weight.value.shape.numpy() if weight.value.shape is not None else mask.shape
            array = np.ascontiguousarray(mask, dtype=np.float32).reshape(shape)
            weight.value.const_value = ir.Tensor(array, name=name)
        graph = ir.Graph(
            [self.input],
            [self._output],
            nodes=self._nodes,
            initializers=self._initializers,
            opset_imports={"": OPSET},
            name=self._name,
        )
        return ir.Model(graph, ir_version=IR_VERSION, producer_name="search_spaces")


def dimensions(x: ir.Value) -> list[int | str]:
    """Shape of a value, the batch axis as its name."""
    if x.shape is None:
        raise TypeError(f"value {x.name!r} has no shape")
    return [dim if isinstance(dim, int) else str(dim) for dim in x.shape]


def sizes(x: ir.Value) -> list[int]:
    """The known dimensions of a value, in order: all but the batch axis."""
    return [dim for dim in dimensions(x) if isinstance(dim, int)]


def size(x: ir.Value) -> int:
    """Length of the last axis."""
    return sizes(x)[-1]


_TRANSPOSE_B = (ir.AttrInt64("transB", 1),)
_AXIS_1 = (ir.AttrInt64("axis", 1),)
_NORM = (ir.AttrFloat32("epsilon", 1e-5), ir.AttrFloat32("momentum", 0.9))


def _scaled(alpha: float) -> tuple[ir.Attr, ...]:
    """The factor of a Gemm; the default is left out."""
    return () if alpha == 1 else (ir.AttrFloat32("alpha", alpha),)


def _window(length: int, kernel: int, stride: int) -> int:
    """Length of a side after a convolution or pool."""
    result = (length + 2 * _padding(kernel) - kernel) // stride + 1
    if result < 1:
        raise InvalidCandidateError(
            f"an image side of {length} is too small for a window of {kernel} with stride {stride}"
        )
    return result


def _padding(kernel: int) -> int:
    return (kernel - 1) // 2


def _window_attributes(kernel: int, stride: int) -> list[ir.Attr]:
    return [
        ir.AttrInt64s("kernel_shape", [kernel, kernel]),
        ir.AttrInt64s("pads", [_padding(kernel)] * 4),
        ir.AttrInt64s("strides", [stride, stride]),
    ]
