"""Activation functions and softmax."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from nas.importer.node import Function, Kernel, Node
from nas.importer.operators.elementwise import plain


def _leaky_relu(node: Node) -> Kernel:
    slope = node.number("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


def _elu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return lambda x: functional.elu(x, alpha)


def _celu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return lambda x: functional.celu(x, alpha)


def _selu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.67326319217681884765625)
    gamma = node.number("gamma", 1.05070102214813232421875)
    return lambda x: gamma * functional.elu(x, alpha)


def _hard_sigmoid(node: Node) -> Kernel:
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return lambda x: torch.clamp(alpha * x + beta, 0, 1)


def _thresholded_relu(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return lambda x: functional.threshold(x, alpha, 0.0)


def _shrink(node: Node) -> Kernel:
    bias, lambd = node.number("bias", 0.0), node.number("lambd", 0.5)
    return lambda x: torch.where(x < -lambd, x + bias, torch.where(x > lambd, x - bias, torch.zeros_like(x)))


def _gelu(node: Node) -> Kernel:
    approximate = node.option("approximate", "none", ("none", "tanh"))
    return lambda x: functional.gelu(x, approximate=approximate)


def _swish(node: Node) -> Kernel:
    alpha = node.number("alpha", 1.0)
    return functional.silu if alpha == 1 else lambda x: x * torch.sigmoid(alpha * x)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, slope * x, x)


def _softmax_like(function: Callable[[Tensor, int], Tensor]) -> Callable[[Node], Kernel]:
    """Softmax along one axis since opset 13; before, along all axes from `axis` on, flattened to one."""

    def build(node: Node) -> Kernel:
        if node.version >= 13:
            axis = node.integer("axis", -1)
            return lambda x: function(x, axis)
        return _flattened(function, node.integer("axis", 1))

    return build


def _flattened(function: Callable[[Tensor, int], Tensor], axis: int) -> Function:
    def run(x: Tensor) -> Tensor:
        first = axis + x.dim() if axis < 0 else axis
        if first == x.dim() - 1:
            return function(x, -1)
        rows = math.prod(x.shape[:first])
        return function(x.reshape(rows, -1), -1).reshape(x.shape)

    return run


def _softmax(x: Tensor, axis: int) -> Tensor:
    return torch.softmax(x, axis)


def _log_softmax(x: Tensor, axis: int) -> Tensor:
    return torch.log_softmax(x, axis)


def _hardmax(x: Tensor, axis: int) -> Tensor:
    """Hardmax: 1 at the first largest entry, 0 elsewhere."""
    best = x.argmax(axis, keepdim=True)
    position = torch.arange(x.shape[axis], device=x.device)
    shape = [1] * x.dim()
    shape[axis] = -1
    return (position.reshape(shape) == best).to(x.dtype)


ACTIVATIONS: Mapping[str, Callable[[Node], Kernel]] = {
    "Celu": _celu,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": plain(functional.hardswish),
    "Hardmax": _softmax_like(_hardmax),
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _softmax_like(_log_softmax),
    "Mish": plain(functional.mish),
    "PRelu": plain(_prelu),
    "Relu": plain(torch.relu),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": plain(torch.sigmoid),
    "Softmax": _softmax_like(_softmax),
    "Softplus": plain(functional.softplus),
    "Softsign": plain(functional.softsign),
    "Swish": _swish,
    "Tanh": plain(torch.tanh),
    "ThresholdedRelu": _thresholded_relu,
}
