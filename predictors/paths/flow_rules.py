"""How paths pass through operators without weights: forward over units, and back.

The flow of a value is a float64 array with the value's axes and one more at the end, a column for every source. An axis
of length 1 stands for "the same at every place", so channels of an image keep ``(1, C, 1, 1, sources)`` however large the
image is. A rule gives the flows of its outputs, and a function from the flows behind the outputs to those behind the inputs.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictors.reading.attributes import Shape, integer, integers
from predictors.reading.canonical_graph import Operator

Array: TypeAlias = NDArray[np.float64]
Backward: TypeAlias = Callable[[Sequence[Array | None]], list[Array | None]]
Result: TypeAlias = tuple[list[Array], Backward]
Rule: TypeAlias = Callable[[Operator, list[Array], list[Shape], list[Shape]], Result]

_LARGEST = 1 << 23  # entries of a flow; a larger one is taken to be the same everywhere


def same(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Element by element: what reaches an output place came from the same place of any input."""
    rank = len(after[0])
    lifted = [flow.reshape((1,) * (rank + 1 - flow.ndim) + flow.shape) if flow.ndim <= rank else flow for flow in flows]
    if any(flow.ndim != rank + 1 for flow in lifted) or not _compatible(lifted):
        return mix(operator, flows, before, after)
    total = lifted[0]
    if len(lifted) == 2:
        total = lifted[0] + lifted[1]
    elif len(lifted) > 2:
        # Sorted, so that the order of the inputs cannot show in the last bit.
        total = np.sort(np.stack(np.broadcast_arrays(*lifted)), axis=0).sum(axis=0)
    keeps = operator.keeps
    if keeps is not None and keeps.ndim <= rank and _fits(keeps.shape, total.shape[:-1]):
        total = total * keeps[..., None]
    else:
        keeps = None

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        gradient = gradients[0]
        if gradient is None:
            return [None] * len(flows)
        if keeps is not None:
            gradient = gradient * keeps[..., None]
        return [_unbroadcast(gradient, shape, after[0]) for shape in before]

    return [total] * max(len(after), 1), backward


def mix(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Anything can reach anything: the rule for what has no better one."""
    del operator
    total = np.sum([flow.mean(axis=tuple(range(flow.ndim - 1))) for flow in flows], axis=0)

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        known = [gradient for gradient in gradients if gradient is not None]
        if not known:
            return [None] * len(flows)
        mean = float(np.sum([gradient.mean() for gradient in known]))
        return [np.full((1,) * (len(shape) + 1), mean) for shape in before]

    return [total.reshape((1,) * len(shape) + (-1,)) for shape in after], backward


def channelwise(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Pools, resizing and padding of images: places within a channel mix, channels do not."""
    if flows[0].ndim < 4 or len(after[0]) != len(before[0]) or before[0][1] != after[0][1]:
        return mix(operator, flows, before, after)
    spatial = tuple(range(2, flows[0].ndim - 1))

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        known = [gradient.mean(axis=spatial, keepdims=True) for gradient in gradients if gradient is not None]
        return [sum(known[1:], known[0]) if known else None, *[None] * (len(flows) - 1)]

    return [flows[0].mean(axis=spatial, keepdims=True)] * len(after), backward


def reshape(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Reshape, Flatten, Squeeze, Unsqueeze: axes that stay uniform stay short."""
    plan = _regroup(before[0], after[0], flows[0].shape[:-1])
    if plan is None:
        return mix(operator, flows, before, after)
    filled, target = plan
    flow = flows[0]
    if prod(filled) * flow.shape[-1] > _LARGEST:
        return mix(operator, flows, before, after)
    made = np.broadcast_to(flow, (*filled, flow.shape[-1])).reshape(*target, flow.shape[-1])

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        gradient = gradients[0]
        if gradient is None:
            return [None] * len(flows)
        back = _regroup(after[0], before[0], gradient.shape[:-1])
        if back is None:
            return [np.full((1,) * (len(before[0]) + 1), float(gradient.mean()))]
        return [np.broadcast_to(gradient, (*back[0], 1)).reshape(*back[1], 1), *[None] * (len(flows) - 1)]

    return [made], backward


def transpose(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Permuted axes."""
    rank = len(before[0])
    order = integers(operator.settings.get("perm")) or tuple(reversed(range(rank)))
    if operator.name != "Transpose" or len(order) != rank:
        return mix(operator, flows, before, after)
    inverse = tuple(int(axis) for axis in np.argsort(order))

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        return [None if gradients[0] is None else gradients[0].transpose(*inverse, rank)]

    return [flows[0].transpose(*order, rank)], backward


def concat(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Joined along one axis; constants among what is joined make it mix, unless all places of that axis are alike."""
    rank = len(after[0])
    axis = integer(operator.settings, "axis", 1)
    if len(flows) == 1 and -rank <= axis < rank == len(before[0]) and flows[0].shape[axis % rank] == 1:
        return [flows[0]], lambda gradients: [
            None if one is None else one.mean(axis=axis % rank, keepdims=True) for one in gradients
        ]
    if operator.name != "Concat" or not -rank <= axis < rank or any(len(shape) != rank for shape in before):
        return mix(operator, flows, before, after)
    axis %= rank
    sizes = [shape[axis] for shape in before]
    if sum(sizes) != after[0][axis]:
        return mix(operator, flows, before, after)
    others = [np.delete(flow.shape, axis) for flow in flows]
    common = tuple(int(size) for size in np.max(others, axis=0))
    parts = [
        np.broadcast_to(flow, (*common[:axis], size, *common[axis:])) for flow, size in zip(flows, sizes, strict=True)
    ]

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        gradient = gradients[0]
        if gradient is None:
            return [None] * len(flows)
        if gradient.shape[axis] == 1:
            return [gradient] * len(flows)
        return list(np.split(gradient, np.cumsum(sizes)[:-1], axis=axis))

    return [np.concatenate(parts, axis=axis)], backward


def index(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Slice, Split and Gather with constant indices: some places of an axis go on, others end."""
    plan = _selection(operator, before[0], after)
    if plan is None or len(flows) != 1:
        return mix(operator, flows, before, after)
    flow = flows[0]
    outward = []
    for selections, shape in zip(plan, after, strict=True):
        part = flow
        for axis, places in selections:
            if part.shape[axis] > 1:
                part = np.take(part, places, axis=axis)
        dropped = part.ndim - 1 - len(shape)
        outward.append(part.reshape(_drop(part.shape, selections, dropped)) if dropped > 0 else part)

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        total: Array | None = None
        for gradient, selections in zip(gradients, plan, strict=True):
            if gradient is not None:
                found = _scatter(gradient, selections, before[0])
                total = found if total is None else total + found
        return [total]

    return outward, backward


def reduce(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Reductions over axes."""
    rank = len(before[0])
    axes = integers(operator.settings.get("axes", operator.settings.get("axis")))
    if axes is None:
        return mix(operator, flows, before, after)
    axes = tuple(sorted({axis % rank for axis in axes}))
    if len(after[0]) not in (rank, rank - len(axes)):
        return mix(operator, flows, before, after)
    made = flows[0].mean(axis=axes, keepdims=len(after[0]) == rank)

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        gradient = gradients[0]
        if gradient is not None and len(after[0]) != rank:
            gradient = np.expand_dims(gradient, axes)
        return [gradient, *[None] * (len(flows) - 1)]

    return [made], backward


def spread(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """Softmax and normalisation over features: within the normalised axes every place depends on all."""
    rank = len(before[0])
    if operator.name == "InstanceNormalization" or len(flows) != 1 or not rank:
        return (
            same(operator, flows, before, after)
            if operator.name == "InstanceNormalization"
            else mix(operator, flows, before, after)
        )
    first = integer(operator.settings, "axis", -1) % rank
    axes = (first,) if operator.kind == "softmax" or operator.name == "LpNormalization" else tuple(range(first, rank))
    if operator.name == "GroupNormalization":
        axes = tuple(range(1, rank))

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        known = [gradient for gradient in gradients[:1] if gradient is not None]
        return [known[0].mean(axis=axes, keepdims=True) if known else None]

    made = flows[0].mean(axis=axes, keepdims=True)
    return [
        made if shape == before[0] else made.mean(axis=tuple(range(rank))).reshape((1,) * len(shape) + (-1,))
        for shape in after
    ], backward


def matmul(operator: Operator, flows: list[Array], before: list[Shape], after: list[Shape]) -> Result:
    """A product of two activations: rows of the first and columns of the second go on."""
    if operator.name != "MatMul" or len(flows) != 2 or min(flow.ndim for flow in flows) < 3:
        return mix(operator, flows, before, after)
    rows, columns = flows[0].mean(axis=-2, keepdims=True), flows[1].mean(axis=-3, keepdims=True)

    def backward(gradients: Sequence[Array | None]) -> list[Array | None]:
        gradient = gradients[0]
        if gradient is None:
            return [None, None]
        behind = (gradient.mean(axis=-2, keepdims=True), gradient.mean(axis=-3, keepdims=True))
        return [_unbroadcast(one, shape, after[0]) for one, shape in zip(behind, before, strict=True)]

    return same(operator, [rows, columns], before, after)[0], backward


_ELEMENTWISE = "add mul affine rectifier sigmoid tanh smooth clip batch_norm lrn compare pointwise quantise"
RULES: dict[str, Rule] = {
    "reshape": reshape,
    "transpose": transpose,
    "concat": concat,
    "slice": index,
    "reduce": reduce,
    "matmul": matmul,
    "softmax": spread,
    "layer_norm": spread,
    "max_pool": channelwise,
    "average_pool": channelwise,
    "global_pool": channelwise,
    "pad": channelwise,
    "resize": channelwise,
    **dict.fromkeys(_ELEMENTWISE.split(), same),
}


def total(gradient: Array, rank: int) -> Array:
    """One number for all places of a value of that rank."""
    return np.full((1,) * (rank + 1), float(gradient.mean()))


def _compatible(flows: Sequence[Array]) -> bool:
    return all(len({flow.shape[axis] for flow in flows} - {1}) <= 1 for axis in range(flows[0].ndim))


def _fits(small: Shape, large: Shape) -> bool:
    return all(one in (1, other) or other == 1 for one, other in zip(small[::-1], large[::-1], strict=False))


def _unbroadcast(gradient: Array, shape: Shape, made: Shape) -> Array:
    """Gradient of an input that was broadcast: averaged over the axes that it does not have."""
    extra = len(made) - len(shape)
    if extra > 0:
        gradient = gradient.mean(axis=tuple(range(extra)))
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return gradient.mean(axis=axes, keepdims=True) if axes else gradient


def _regroup(before: Shape, after: Shape, flow: Shape) -> tuple[Shape, Shape] | None:
    """How to reshape a flow: the shape to fill it up to, and its shape afterwards; None where the sizes disagree."""
    if prod(before) != prod(after):
        return None
    filled: list[int] = []
    target: list[int] = []
    left = right = 0
    while left < len(before) or right < len(after):
        start, goal = left, right
        here = there = 1
        while here != there or (left == start and right == goal):
            if left < len(before) and (here <= there or right >= len(after)):
                here *= before[left]
                left += 1
            else:
                there *= after[right]
                right += 1
        uniform = all(size == 1 for size in flow[start:left])
        filled += [1] * (left - start) if uniform else before[start:left]
        target += [1] * (right - goal) if uniform else after[goal:right]
    return tuple(filled), tuple(target)


Selection: TypeAlias = list[tuple[int, NDArray[np.int64]]]


def _selection(operator: Operator, before: Shape, after: list[Shape]) -> list[Selection] | None:
    """For every output the places taken of each axis, or None where they are not known."""
    rank, found = len(before), operator.settings
    if operator.name == "Split":
        axis = integer(found, "axis", 0) % max(rank, 1)
        ends = np.cumsum([0, *(shape[axis] for shape in after if len(shape) == rank)])
        if len(ends) != len(after) + 1 or ends[-1] != before[axis]:
            return None
        return [[(axis, np.arange(start, end))] for start, end in pairwise(ends)]
    if operator.name == "Gather":
        places, axis = integers(found.get("indices")), integer(found, "axis", 0)
        if places is None or not -rank <= axis < rank or len(after[0]) > rank:
            return None
        axis %= rank
        return [[(axis, np.array(places, dtype=np.int64) % before[axis])]]
    starts, ends_ = integers(found.get("starts")), integers(found.get("ends"))
    if operator.name != "Slice" or starts is None or ends_ is None:
        return None
    axes = integers(found.get("axes")) or tuple(range(len(starts)))
    steps = integers(found.get("steps")) or (1,) * len(starts)
    if any(not -rank <= axis < rank for axis in axes):
        return None
    ranges = zip(axes, starts, ends_, steps, strict=False)
    return [
        [(axis % rank, np.arange(before[axis])[slice(start, end, step)]) for axis, start, end, step in ranges if step]
    ]


def _drop(shape: Shape, selections: Selection, count: int) -> Shape:
    """Shape without the first `count` selected axes (a Gather of one place has no such axis)."""
    gone = {axis for axis, _ in selections[:count]}
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def _scatter(gradient: Array, selections: Selection, shape: Shape) -> Array:
    """Gradient of the selected places put where they came from; nothing flows back to the others."""
    for axis, places in selections:
        if gradient.ndim - 1 < len(shape):
            gradient = np.expand_dims(gradient, axis)
        moved = np.moveaxis(gradient, axis, 0)
        target = np.zeros((shape[axis], *moved.shape[1:]))
        np.add.at(target, places, np.broadcast_to(moved, (len(places), *moved.shape[1:])))
        gradient = np.moveaxis(target, 0, axis)
    return gradient
