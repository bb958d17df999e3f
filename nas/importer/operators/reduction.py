"""Reductions over axes: sums, norms, extremes and their positions; also running sums and TopK."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nas.importer.node import Function, Kernel, Node, Several


def _reduce(function: Function) -> Callable[[Node], Kernel]:
    """The builder for `function(x, axes, keepdim)`; the axes are an attribute in older opsets and an input in newer ones."""

    def build(node: Node) -> Kernel:
        axes, keep = node.integers_at("axes", 1), bool(node.integer("keepdims", 1))
        if not axes and node.integer("noop_with_empty_axes"):
            return lambda x, *_: function(x, (), keep)
        if axes:
            return lambda x, *_: function(x, axes, keep)
        return lambda x, *_: function(x, tuple(range(x.dim())), keep)

    return build


def _over(function: Function) -> Function:
    """Calls `function` with keywords of torch; without any axes it returns the tensor unchanged."""
    return lambda x, axes, keep: function(x, axes, keepdim=keep) if axes else x


def _sum(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    # torch sums small integers as int64, and reads an empty tuple of axes as all axes.
    return x.sum(axes, keepdim=keep, dtype=x.dtype) if axes else x


def _prod(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    for axis in sorted((a % x.dim() for a in axes), reverse=True):
        x = x.prod(axis, keepdim=keep, dtype=x.dtype)
    return x


def _l2(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    return _sum(x.square(), axes, keep).sqrt()


def _arg(function: Function) -> Callable[[Node], Kernel]:
    """Position of the first extreme, or of the last with select_last_index."""

    def build(node: Node) -> Kernel:
        axis, keep, last = node.integer("axis"), bool(node.integer("keepdims", 1)), node.integer("select_last_index")
        if not last:
            return lambda x: function(x, axis, keepdim=keep)
        return lambda x: x.shape[axis] - 1 - function(x.flip(axis), axis, keepdim=keep)

    return build


def _top_k(node: Node) -> Kernel:
    """The k most extreme entries in order; among equal entries the first ones, which `torch.topk` does not guarantee."""
    k = node.integer("k") if node.attribute("k") else int(node.known(1, "k").item())
    axis, largest = node.integer("axis", -1), bool(node.integer("largest", 1))

    def run(x: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        values, index = torch.sort(x, dim=axis, descending=largest, stable=True)
        return values.narrow(axis, 0, k), index.narrow(axis, 0, k)

    return Several(run)


def _cumsum(node: Node) -> Kernel:
    axis = int(node.known(1, "axis").item())
    exclusive, backward = node.integer("exclusive"), node.integer("reverse")

    def run(x: Tensor, _: object) -> Tensor:
        if backward:
            x = x.flip(axis)
        y = torch.cumsum(x, axis, dtype=x.dtype)
        if exclusive:
            y = y - x
        return y.flip(axis) if backward else y

    return run


REDUCTION: Mapping[str, Callable[[Node], Kernel]] = {
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "CumSum": _cumsum,
    "ReduceL1": _reduce(lambda x, axes, keep: _sum(x.abs(), axes, keep)),
    "ReduceL2": _reduce(_l2),
    "ReduceLogSum": _reduce(lambda x, axes, keep: _sum(x, axes, keep).log()),
    "ReduceLogSumExp": _reduce(_over(torch.logsumexp)),
    "ReduceMax": _reduce(_over(torch.amax)),
    "ReduceMean": _reduce(_over(torch.mean)),
    "ReduceMin": _reduce(_over(torch.amin)),
    "ReduceProd": _reduce(_prod),
    "ReduceSum": _reduce(_sum),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: _sum(x.square(), axes, keep)),
    "TopK": _top_k,
}
