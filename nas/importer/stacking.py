"""Convolution, pooling and batch normalisation of stacked networks, with all channels side by side and last in memory.

`torch.func.vmap` also turns many convolutions into one grouped convolution, but in the order (N, C, H, W), in which the
grouped CPU kernels take up to twice the time. Under the `vmap` of this module, the functions here use their own rules on the
CPU; under torch's `vmap`, or without any, they are torch's functions. Elementwise operations keep the order in memory, so it
changes only once, at the first convolution of a network.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Dims = Sequence[int | None]

_DEPTH = ContextVar("depth", default=0)
"""Number of `vmap` calls around the code that runs now."""


def vmap(function: Callable[..., Any], in_dims: Any = 0) -> Callable[..., Any]:
    """`torch.func.vmap`, but convolution, pooling and batch normalisation put the channels of all networks side by side.

    `function` may be differentiated from outside by autograd or `torch.func.grad`. It must not call `torch.func.grad` itself:
    the rules here have no derivative inside of vmap.
    """

    def counted(*arguments: Any) -> Any:
        before = _DEPTH.set(_DEPTH.get() + 1)
        try:
            return function(*arguments)
        finally:
            _DEPTH.reset(before)

    return torch.func.vmap(counted, in_dims)


def conv2d(x: Tensor, w: Tensor, b: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int = 1) -> Tensor:
    """`functional.conv2d`."""
    if _DEPTH.get() and x.device.type == "cpu":
        result: Tensor = _Convolution.apply(x, w, b, stride, padding, dilation, groups)  # type: ignore[no-untyped-call]
        return result
    return functional.conv2d(x, w, b, stride, padding, dilation, groups)


def max_pool2d(x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Tensor:
    """`functional.max_pool2d`."""
    if _DEPTH.get() and x.device.type == "cpu":
        result: Tensor = _MaxPool.apply(x, kernel, stride, padding, dilation)  # type: ignore[no-untyped-call]
        return result
    return functional.max_pool2d(x, kernel, stride, padding, dilation)


def avg_pool2d(x: Tensor, kernel: Any, stride: Any, padding: Any, *, count_include_pad: bool) -> Tensor:
    """`functional.avg_pool2d`."""
    if _DEPTH.get() and x.device.type == "cpu":
        result: Tensor = _AveragePool.apply(x, kernel, stride, padding, count_include_pad)  # type: ignore[no-untyped-call]
        return result
    return functional.avg_pool2d(x, kernel, stride, padding, count_include_pad=count_include_pad)


def batch_norm(x: Tensor, scale: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalisation with batch statistics: the result, and per channel the mean and 1 / sqrt(variance + epsilon)."""
    if x.dim() == 4 and _DEPTH.get() and x.device.type == "cpu":
        result: tuple[Tensor, Tensor, Tensor] = _BatchNorm.apply(x, scale, bias, epsilon)  # type: ignore[no-untyped-call]
        return result
    return torch.native_batch_norm(x, scale, bias, None, None, True, 0.0, epsilon)


def _side_by_side(x: Tensor, dim: int | None, size: int) -> Tensor:
    """``(N, size·C, H, W)``, channels last, of a stacked ``(N, C, H, W)``."""
    x = x.unsqueeze(1).expand(-1, size, -1, -1, -1) if dim is None else x.movedim(dim, 1)
    return _channels_last(x.flatten(1, 2))


def _channels_last(x: Tensor) -> Tensor:
    # A tensor of an outer vmap has no memory format.
    return x if _DEPTH.get() > 1 else x.contiguous(memory_format=torch.channels_last)


def _apart(y: Tensor, size: int) -> Tensor:
    """``(N, size, C, H, W)``, the inverse of `_side_by_side`."""
    return y.view(y.shape[0], size, -1, *y.shape[2:])


def _front(w: Tensor, dim: int | None, size: int) -> Tensor:
    """``(size·O, …)`` of a stacked ``(O, …)``."""
    w = w.expand(size, *w.shape) if dim is None else w.movedim(dim, 0)
    return w.flatten(0, 1)


class _Rule(torch.autograd.Function):
    """Only the `vmap` rule is used: it calls functions with derivatives in autograd, on tensors outside of the vmap."""

    @staticmethod
    def forward(*args: Any) -> Any:
        raise NotImplementedError

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        raise NotImplementedError


class _Convolution(_Rule):
    @staticmethod
    def vmap(info: Any, dims: Dims, x: Tensor, w: Tensor, b: Tensor | None, *options: Any) -> tuple[Tensor, int]:
        size, (stride, padding, dilation, groups) = info.batch_size, options
        if dims[0] is not None and dims[1] is None and (b is None or dims[2] is None):
            # Shared filters: the networks become additional examples of one network.
            y = functional.conv2d(x.movedim(dims[0], 0).flatten(0, 1), w, b, stride, padding, dilation, groups)
            return y.view(size, -1, *y.shape[1:]), 0
        if dims[0] is None and groups == 1:
            rows = _channels_last(x)
        else:
            rows, groups = _side_by_side(x, dims[0], size), groups * size
        bias = None if b is None else _front(b, dims[2], size)
        filters = _channels_last(_front(w, dims[1], size))
        y = functional.conv2d(rows, filters, bias, stride, padding, dilation, groups)
        return _apart(y, size), 1


class _MaxPool(_Rule):
    @staticmethod
    def vmap(info: Any, dims: Dims, x: Tensor, *options: Any) -> tuple[Tensor, int]:
        y = functional.max_pool2d(_side_by_side(x, dims[0], info.batch_size), *options)
        return _apart(y, info.batch_size), 1


class _AveragePool(_Rule):
    @staticmethod
    def vmap(info: Any, dims: Dims, x: Tensor, *options: Any) -> tuple[Tensor, int]:
        kernel, stride, padding, count_include_pad = options
        rows = _side_by_side(x, dims[0], info.batch_size)
        y = functional.avg_pool2d(rows, kernel, stride, padding, count_include_pad=count_include_pad)
        return _apart(y, info.batch_size), 1


class _BatchNorm(_Rule):
    @staticmethod
    def vmap(info: Any, dims: Dims, x: Tensor, scale: Tensor, bias: Tensor, epsilon: float) -> tuple[Any, Any]:
        size = info.batch_size
        rows, scale, bias = _side_by_side(x, dims[0], size), _front(scale, dims[1], size), _front(bias, dims[2], size)
        y, mean, inverse = torch.native_batch_norm(rows, scale, bias, None, None, True, 0.0, epsilon)
        return (_apart(y, size), mean.view(size, -1), inverse.view(size, -1)), (1, 0, 0)
