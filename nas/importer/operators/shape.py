"""Operators that rearrange, cut, join and repeat tensors without computing anything."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nas.importer.node import Kernel, Node, Several


def _reshape(node: Node) -> Kernel:
    """Reshape: 0 keeps a dimension (unless allowzero), -1 is inferred."""
    target = tuple(node.known(1, "shape").astype(np.int64).tolist())
    if 0 not in target or node.integer("allowzero"):
        return lambda x, _: x.reshape(target)

    def run(x: Tensor, _: object) -> Tensor:
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(target)])

    return run


def _flatten(node: Node) -> Kernel:
    axis = node.integer("axis", 1)

    def run(x: Tensor) -> Tensor:
        return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))

    return run


def _transpose(node: Node) -> Kernel:
    order = node.ints("perm")
    if order is None:
        return lambda x: x.permute(tuple(range(x.dim()))[::-1])
    return lambda x: x.permute(order)


def _squeeze(node: Node) -> Kernel:
    axes = node.integers_at("axes", 1)
    if axes is None:
        return lambda x, *_: x.squeeze()
    return lambda x, *_: x.squeeze(axes)


def _unsqueeze(node: Node) -> Kernel:
    """Unsqueeze: the axes are positions in the output."""
    axes = node.integers_at("axes", 1) or ()
    if len(axes) == 1:
        return lambda x, *_: x.unsqueeze(axes[0])

    def run(x: Tensor, *_: object) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(a % rank for a in axes):
            x = x.unsqueeze(axis)
        return x

    return run


def _expand(node: Node) -> Kernel:
    target = tuple(node.known(1, "shape").tolist())
    return lambda x, _: x.expand(np.broadcast_shapes(x.shape, target))


def _tile(node: Node) -> Kernel:
    repeats = tuple(node.known(1, "repeats").tolist())
    return lambda x, _: x.repeat(repeats)


def _concat(node: Node) -> Kernel:
    axis = node.integer("axis", 1)
    return lambda *xs: torch.cat(xs, axis)


def _split(node: Node) -> Kernel:
    """Split into given sizes, or into equal parts; the last part may be smaller."""
    axis, sizes = node.integer("axis"), node.integers_at("split", 1)
    parts = node.integer("num_outputs") or node.outputs
    if sizes is not None:
        return Several(lambda x, *_: torch.split_with_sizes(x, sizes, axis))

    def run(x: Tensor, *_: object) -> Sequence[Tensor]:
        size = math.ceil(x.shape[axis] / parts)
        last = x.shape[axis] - size * (parts - 1)
        return torch.split_with_sizes(x, [size] * (parts - 1) + [last], axis)

    return Several(run)


def _slice(node: Node) -> Kernel:
    """Slices as in Python; torch has no negative steps, so they are done by index."""
    starts, ends = node.integers_at("starts", 1) or (), node.integers_at("ends", 2) or ()
    axes, steps = (
        node.integers_at("axes", 3) or tuple(range(len(starts))),
        node.integers_at("steps", 4) or (1,) * len(starts),
    )
    forward = [(a, slice(s, e, k)) for a, s, e, k in zip(axes, starts, ends, steps, strict=True) if k > 0]
    backward = [(a, slice(s, e, k)) for a, s, e, k in zip(axes, starts, ends, steps, strict=True) if k < 0]

    def run(x: Tensor, *_: object) -> Tensor:
        index = [slice(None)] * x.dim()
        for axis, part in forward:
            index[axis] = part
        x = x[tuple(index)]
        for axis, part in backward:
            picked = range(x.shape[axis])[part]
            x = x.index_select(axis, torch.tensor(list(picked), dtype=torch.int64, device=x.device))
        return x

    return run


def _pad(node: Node) -> Kernel:
    mode = node.option("mode", "constant", ("constant", "reflect", "edge", "wrap"))
    pads, axes = node.integers_at("pads", 1) or (), node.integers_at("axes", 3)
    constant = node.constant(2)
    number = node.number("value") if constant is None else constant.item()

    def run(x: Tensor, _: object = None, fill: Tensor | None = None, *rest: object) -> Tensor:
        begins, ends = _pads_by_axis(x.dim(), pads, axes)
        if mode != "constant":
            return _pad_by_index(x, begins, ends, mode)
        pairs = [amount for pair in reversed(list(zip(begins, ends, strict=True))) for amount in pair]
        if fill is None or constant is not None:
            return functional.pad(x, pairs, value=number)
        inside = functional.pad(torch.ones_like(x, dtype=torch.bool), pairs)
        return torch.where(inside, functional.pad(x, pairs), fill)

    return run


def _pads_by_axis(rank: int, pads: Sequence[int], axes: Sequence[int] | None) -> tuple[list[int], list[int]]:
    begins, ends, half = [0] * rank, [0] * rank, len(pads) // 2
    for position, axis in enumerate(range(rank) if axes is None else axes):
        begins[axis], ends[axis] = pads[position], pads[half + position]
    return begins, ends


def _pad_by_index(x: Tensor, begins: Sequence[int], ends: Sequence[int], mode: str) -> Tensor:
    """Padding that repeats the content: for each axis numpy pads an index, which then selects. Negative amounts cut."""
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if begin == 0 and end == 0:
            continue
        kept = np.arange(x.shape[axis])[max(-begin, 0) : x.shape[axis] - max(-end, 0)]
        index = np.pad(kept, (max(begin, 0), max(end, 0)), mode=mode)  # type: ignore[call-overload]
        x = x.index_select(axis, torch.from_numpy(index).to(x.device))
    return x


def _depth_to_space(node: Node) -> Kernel:
    """DepthToSpace: in the channels the block is the outermost part (DCR) or the innermost part (CRD)."""
    block, mode = node.integer("blocksize"), node.option("mode", "DCR", ("DCR", "CRD"))

    def run(x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        depth = channels // block**2
        if mode == "DCR":
            blocks = x.reshape(n, block, block, depth, height, width).permute(0, 3, 4, 1, 5, 2)
        else:
            blocks = x.reshape(n, depth, block, block, height, width).permute(0, 1, 4, 2, 5, 3)
        return blocks.reshape(n, depth, height * block, width * block)

    return run


def _space_to_depth(node: Node) -> Kernel:
    block, mode = node.integer("blocksize"), node.option("mode", "DCR", ("DCR", "CRD"))
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)

    def run(x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        blocks = x.reshape(n, channels, height // block, block, width // block, block).permute(order)
        return blocks.reshape(n, channels * block**2, height // block, width // block)

    return run


def _trilu(node: Node) -> Kernel:
    diagonal = int(node.known(1, "diagonal").item()) if node.has(1) else 0
    function = torch.triu if node.integer("upper", 1) else torch.tril
    return lambda x, *_: function(x, diagonal)


def _eye_like(node: Node) -> Kernel:
    from nas.importer.operators.elementwise import DTYPES

    diagonal = node.integer("k")
    dtype = DTYPES[node.integer("dtype")] if node.attribute("dtype") else None

    def run(x: Tensor) -> Tensor:
        ones = torch.ones(x.shape, dtype=dtype or x.dtype, device=x.device)
        return torch.triu(torch.tril(ones, diagonal), diagonal)

    return run


SHAPE: Mapping[str, Callable[[Node], Kernel]] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "EyeLike": _eye_like,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
}
