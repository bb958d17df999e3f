"""Reading and writing by index: embeddings, gathers, scatters, one-hot."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from nas.importer.node import Kernel, Node


def _wrapped(index: Tensor, size: int) -> Tensor:
    """Indices without negative ones, which count from the end."""
    return index + size * (index < 0)


def _gather(node: Node) -> Kernel:
    axis, index = node.integer("axis"), node.constant(1)
    if index is not None and index.ndim == 0:
        position = int(index.item())
        return lambda x, _: x.select(axis, position)

    never_negative = index is not None and bool(np.all(index.astype(np.int64) >= 0))

    def run(x: Tensor, index: Tensor) -> Tensor:
        at = axis % x.dim()
        flat = index.reshape(-1) if never_negative else _wrapped(index.reshape(-1), x.shape[at])
        picked = x.index_select(at, flat)
        return picked if index.dim() == 1 else picked.reshape(x.shape[:at] + index.shape + x.shape[at + 1 :])

    return run


def _gather_elements(node: Node) -> Kernel:
    axis = node.integer("axis")
    return lambda x, index: torch.gather(x, axis, _wrapped(index, x.shape[axis]))


def _gather_nd(node: Node) -> Kernel:
    """GatherND: each row of indices selects an entry or slice of `x`; both share the first `batch_dims` axes."""
    batch = node.integer("batch_dims")

    def run(x: Tensor, index: Tensor) -> Tensor:
        shape = index.shape[:-1] + x.shape[batch + index.shape[-1] :]
        if batch == 0:
            return x[tuple(index.unbind(-1))].reshape(shape)
        rows = x.reshape(-1, *x.shape[batch:])
        flat = index.reshape(rows.shape[0], -1, index.shape[-1])
        row = torch.arange(rows.shape[0], device=x.device).unsqueeze(1)
        return rows[(row, *flat.unbind(-1))].reshape(shape)

    return run


_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _scatter_elements(node: Node) -> Kernel:
    axis, reduction = node.integer("axis"), node.option("reduction", "none", ("none", *_REDUCE))

    def run(x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
        at = _wrapped(index, x.shape[axis])
        if reduction == "none":
            return x.scatter(axis, at, updates)
        return x.scatter_reduce(axis, at, updates, _REDUCE[reduction])

    return run


def _scatter_nd(node: Node) -> Kernel:
    """A copy of `x` with `updates` written (or added) at the rows of `index`."""
    reduction = node.option("reduction", "none", ("none", "add"))

    def run(x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
        return x.index_put(tuple(index.unbind(-1)), updates, accumulate=reduction == "add")

    return run


def _one_hot(node: Node) -> Kernel:
    """OneHot with `values` = (off, on); an index out of range gives a row of off values."""
    depth, axis = int(node.known(1, "depth").item()), node.integer("axis", -1)

    def run(index: Tensor, _: object, values: Tensor) -> Tensor:
        at = axis % (index.dim() + 1)
        shape = [1] * (index.dim() + 1)
        shape[at] = depth
        position = torch.arange(depth, device=index.device).reshape(shape)
        wrapped = _wrapped(index.to(torch.int64), depth).unsqueeze(at)
        off, on = values.unbind()
        return torch.where(wrapped == position, on, off)

    return run


INDEXING: Mapping[str, Callable[[Node], Kernel]] = {
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
}
