"""Pooling: maximum, mean and p-norm of windows and of whole channels."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.importer import stacking
from nas.importer.node import Kernel, Node
from nas.importer.operators.convolution import AUTO_PADS, CONV, pad_ends, same_pads
from nas.importer.operators.elementwise import plain

_MAX: Mapping[int, Callable[..., Tensor]] = {
    1: functional.max_pool1d,
    2: stacking.max_pool2d,
    3: functional.max_pool3d,
}
_MEAN: Mapping[int, Callable[..., Tensor]] = {
    1: functional.avg_pool1d,
    2: stacking.avg_pool2d,
    3: functional.avg_pool3d,
}


@dataclass(frozen=True)
class _Windows:
    """Positions of the windows of a pooling node.

    Attributes:
        extra: additional padding at the end of each axis, which a rounded-up output (ceil_mode) needs.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    extra: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether torch's own pooling supports these windows."""
        narrow = all(2 * pad <= k for pad, k in zip(self.begins, self.kernel, strict=True))
        return self.begins == self.ends and not any(self.extra) and narrow


def _windows(node: Node) -> Callable[[Tensor], _Windows]:
    """The windows as a function of the input, whose size matters for ceil_mode and automatic padding."""
    kernel = node.ints("kernel_shape")
    if kernel is None or not 1 <= len(kernel) <= 3:
        raise node.refuse(f"kernel_shape is {kernel}, of which one to three numbers are supported")
    ones = (1,) * len(kernel)
    strides, dilations = node.ints("strides") or ones, node.ints("dilations") or ones
    pads = node.ints("pads") or (0,) * (2 * len(kernel))
    auto, ceil = node.option("auto_pad", "NOTSET", AUTO_PADS), bool(node.integer("ceil_mode"))

    def find(x: Tensor) -> _Windows:
        sizes = x.shape[2:]
        begins, ends = pads[: len(kernel)], pads[len(kernel) :]
        if auto.startswith("SAME"):
            begins, ends = map(tuple, same_pads(sizes, kernel, strides, dilations, upper=auto == "SAME_UPPER"))
        elif auto == "VALID":
            begins = ends = (0,) * len(kernel)
        extra = tuple(map(_extra, sizes, kernel, strides, dilations, begins, ends)) if ceil else (0,) * len(kernel)
        return _Windows(kernel, strides, dilations, begins, ends, extra)

    return find


def _extra(size: int, kernel: int, stride: int, dilation: int, begin: int, end: int) -> int:
    reach = (kernel - 1) * dilation + 1
    outputs = math.ceil((size + begin + end - reach) / stride) + 1
    if (outputs - 1) * stride >= size + begin:
        outputs -= 1  # a window may not start in the padding after the input
    return max((outputs - 1) * stride + reach - size - begin - end, 0)


def _max_pool(node: Node) -> Kernel:
    find = _windows(node)
    pool = _MAX[len(node.ints("kernel_shape") or ())]

    def run(x: Tensor) -> Tensor:
        w = find(x)
        if w.plain:
            return pool(x, w.kernel, w.strides, w.begins, w.dilations)
        lowest = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
        padded = pad_ends(x, w.begins, [e + m for e, m in zip(w.ends, w.extra, strict=True)], lowest)
        return pool(padded, w.kernel, w.strides, 0, w.dilations)

    return run


def _average_pool(node: Node) -> Kernel:
    find, count_pad = _windows(node), bool(node.integer("count_include_pad"))
    pool = _MEAN[len(node.ints("kernel_shape") or ())]

    def run(x: Tensor) -> Tensor:
        w = find(x)
        if w.plain and max(w.dilations) == 1:
            return pool(x, w.kernel, w.strides, w.begins, count_include_pad=count_pad)
        # The padding that ceil_mode adds is never counted; the padding that the node states is counted with count_include_pad.
        ones = pad_ends(torch.ones_like(x[:1, :1]), w.begins, w.ends, float(count_pad))
        count = _window_sums(pad_ends(ones, (0,) * len(w.extra), w.extra), w)
        padded = pad_ends(x, w.begins, [e + m for e, m in zip(w.ends, w.extra, strict=True)])
        return _window_sums(padded, w) / count

    return run


def _window_sums(x: Tensor, w: _Windows) -> Tensor:
    """Sum over each window of ``(N, C, *spatial)``, as a convolution of each channel with ones."""
    rows = x.reshape(-1, 1, *x.shape[2:])
    ones = torch.ones((1, 1, *w.kernel), dtype=x.dtype, device=x.device)
    sums = CONV[len(w.kernel) + 2](rows, ones, None, w.strides, 0, w.dilations)
    return sums.reshape(x.shape[0], x.shape[1], *sums.shape[2:])


def _lp_pool(node: Node) -> Kernel:
    find, p = _windows(node), node.integer("p", 2)

    def run(x: Tensor) -> Tensor:
        w = find(x)
        padded = pad_ends(x.abs() ** p, w.begins, [e + m for e, m in zip(w.ends, w.extra, strict=True)])
        return _window_sums(padded, w) ** (1 / p)

    return run


def _spatial(x: Tensor) -> Sequence[int]:
    return range(2, x.dim())


def _global_lp_pool(node: Node) -> Kernel:
    p = node.integer("p", 2)
    return lambda x: (x.abs() ** p).sum(tuple(_spatial(x)), keepdim=True) ** (1 / p)


POOLING: Mapping[str, Callable[[Node], Kernel]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": plain(lambda x: x.mean(tuple(_spatial(x)), keepdim=True)),
    "GlobalLpPool": _global_lp_pool,
    "GlobalMaxPool": plain(lambda x: x.amax(tuple(_spatial(x)), keepdim=True)),
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
}
