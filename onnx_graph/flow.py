"""How live units flow through the operators that hold no maskable weight.

A *unit map* is a bool array of the rank of its tensor, of size 1 along every axis on which the units are not told
apart: ``(1, C, 1, 1)`` for the channels of an image, ``(1, 1, F)`` for the features of a sequence. True means that some
element there may be alive. Rank 0 stands for a tensor of unknown rank. With that, broadcasting, transposing and
concatenating maps is what numpy does with arrays. An operator of no known rule *mixes*: one live unit makes all live.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.weights import initializer_of, integer

UnitMap: TypeAlias = NDArray[np.bool_]
Maps: TypeAlias = Sequence[UnitMap | None]

LIVE: UnitMap = np.array(True)
DEAD: UnitMap = np.array(False)


class Flow(NamedTuple):
    """Maps of a node's outputs from those of its inputs, and back.

    None stands for a constant among the inputs, and for nothing needed among the outputs. Backward results stand for
    "no claim on this input" where they are None.
    """

    forward: Callable[[ir.Node, Maps], list[UnitMap | None]]
    backward: Callable[[ir.Node, Maps], list[UnitMap | None]]


def rule(node: ir.Node, opset: int, inputs: Maps) -> Flow:
    """The rule of a node, given the forward maps of its inputs."""
    if node.domain not in ("", "ai.onnx"):
        return MIX
    name = node.op_type
    found = _RULES.get(name)
    if found is None:
        return MIX
    if name in ELEMENTWISE:
        return found
    if name in _SOFTMAX and opset < 13:
        found = _OLD_SOFTMAX
    # Rank unknown, or an axis, a shape or an index that itself depends on the input.
    if any(each is not None and each.ndim == 0 for each in inputs):
        return MIX
    if name not in _MANY and any(each is not None for each in inputs[1:]):
        return MIX
    return found


def any_over(units: UnitMap, axes: int | tuple[int, ...], *, keepdims: bool = False) -> UnitMap:
    """`ndarray.any` that always gives an array."""
    return np.asarray(np.any(units, axis=axes, keepdims=keepdims))


def fit(value: ir.Value, units: UnitMap) -> UnitMap:
    """A map brought to the rank of its tensor; all its units one where it does not fit the tensor's shape."""
    shape = value.shape
    if shape is None:
        return LIVE if units.any() else DEAD
    dims = shape.dims
    if units.ndim == len(dims):
        for length, dim in zip(units.shape, dims, strict=True):
            if length != 1 and length != dim and isinstance(dim, int):
                break
        else:
            return units
    elif units.size == 1:
        return units.reshape((1,) * len(dims))
    return np.full((1,) * len(dims), units.any())


def along(units: UnitMap, axis: int) -> UnitMap:
    """A map as one vector along an axis (of length 1 where the units are one)."""
    if units.ndim == 0:
        return units.reshape(1)
    if units.size == units.shape[axis]:
        return units.reshape(-1)
    axis %= units.ndim
    return any_over(units, tuple(other for other in range(units.ndim) if other != axis))


def spread(vector: UnitMap, rank: int, axis: int) -> UnitMap:
    """A vector as map of a tensor of that rank."""
    shape = [1] * rank
    if rank:
        shape[axis] = -1
        return vector.reshape(shape)
    return LIVE if vector.any() else DEAD


def rank_of(value: ir.Value | None) -> int:
    """Rank of a tensor, 0 where it is not known."""
    return 0 if value is None or value.shape is None else len(value.shape)


def constant_ints(value: ir.Value | None) -> NDArray[np.int64] | None:
    """The integers of a constant input (initializer or Constant node), None for any other."""
    source = initializer_of(value)
    if source is not None and source.const_value is not None:
        array = source.const_value.numpy()
        return array.astype(np.int64) if array.dtype.kind in "iu" else None
    node = value.producer() if value is not None else None
    if node is None or node.op_type != "Constant":
        return None
    for name in ("value", "value_ints", "value_int"):
        if name in node.attributes:
            held = node.attributes[name].value
            array = held.numpy() if isinstance(held, ir.TensorProtocol) else np.asarray(held)
            return array.astype(np.int64) if array.dtype.kind in "iu" else None
    return None


def ints(node: ir.Node, name: str, index: int) -> tuple[int, ...] | None:
    """Integers that older operator sets keep in an attribute and newer ones in a constant input; None if neither."""
    attribute = node.attributes.get(name)
    if attribute is not None:
        value = attribute.value
        return tuple(value) if isinstance(value, Iterable) else (int(value),)
    array = constant_ints(node.inputs[index]) if len(node.inputs) > index else None
    return None if array is None else tuple(array.ravel().tolist())


# --- mixing -----------------------------------------------------------------------------------------------------------


def _mix_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    alive = any(units is not None and units.any() for units in inputs)
    return [np.full((1,) * rank_of(value), alive) for value in node.outputs]


def _mix_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    alive = any(units is not None and units.any() for units in outputs)
    return [np.full((1,) * rank_of(value), alive) for value in node.inputs]


MIX = Flow(_mix_forward, _mix_backward)


# --- element by element, with broadcasting ----------------------------------------------------------------------------


def join(maps: Maps) -> UnitMap:
    """Union of maps that broadcast; one unit where they do not."""
    known = [units for units in maps if units is not None]
    result = known[0]
    for units in known[1:]:
        try:
            result = result | units
        except ValueError:
            return LIVE if any(each.any() for each in known) else DEAD
    return result


def _elementwise_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    return [_padded(units, rank_of(value)) for value in node.outputs]


def _padded(units: UnitMap, rank: int) -> UnitMap:
    return units.reshape((1,) * (rank - units.ndim) + units.shape) if 0 < units.ndim < rank else units


def _elementwise_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units = join(outputs)
    return [None if value is None else unbroadcast(value, units) for value in node.inputs]


def unbroadcast(value: ir.Value, units: UnitMap) -> UnitMap:
    """The claim of a broadcast result's map on one of its operands."""
    if value.shape is None or units.ndim == 0:
        return LIVE if units.any() else DEAD
    dims = value.shape.dims
    if units.ndim > len(dims):
        units = any_over(units, tuple(range(units.ndim - len(dims))))
    once = tuple(axis for axis, length in enumerate(units.shape) if length > 1 and dims[axis] == 1)
    return any_over(units, once, keepdims=True) if once else units


# --- mixing along some axes only --------------------------------------------------------------------------------------


def _collapsing(axes: Callable[[ir.Node, int], Iterable[int]]) -> Flow:
    """Rule of an operator that mixes along ``axes(node, rank)`` and leaves the other axes alone."""

    def collapse(node: ir.Node, units: UnitMap) -> UnitMap:
        mixed = tuple(axis % units.ndim for axis in axes(node, units.ndim) if units.shape[axis % units.ndim] > 1)
        return any_over(units, mixed, keepdims=True) if mixed else units

    def forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
        units = collapse(node, join(inputs))
        return [units for _ in node.outputs]

    def backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
        units = join(outputs)
        return [collapse(node, units) if units.ndim else units] + [None] * (len(node.inputs) - 1)

    return Flow(forward, backward)


def _reduced_axes(node: ir.Node, rank: int) -> tuple[int, ...]:
    if node.op_type in ("ArgMax", "ArgMin"):
        return (integer(node, "axis", 0) % rank,)
    axes = ints(node, "axes", 1)
    if not axes:
        wired = len(node.inputs) > 1 and node.inputs[1] is not None and axes is None
        noop = integer(node, "noop_with_empty_axes", 0) and not wired
        return () if noop else tuple(range(rank))
    return tuple(axis % rank for axis in axes)


def _reduce_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    keep = bool(integer(node, "keepdims", 1))
    return [any_over(units, _reduced_axes(node, units.ndim), keepdims=keep)]


def _reduce_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units, rank = join(outputs), rank_of(node.inputs[0])
    axes = _reduced_axes(node, rank) if rank else ()
    if not integer(node, "keepdims", 1) and units.ndim + len(axes) == rank:
        units = np.expand_dims(units, axes)
    if units.ndim != rank:
        return _mix_backward(node, outputs)
    return [any_over(units, axes, keepdims=True)] + [None] * (len(node.inputs) - 1)


# --- moving units around ----------------------------------------------------------------------------------------------


def _perm(node: ir.Node, rank: int) -> tuple[int, ...]:
    return ints(node, "perm", 1) or tuple(reversed(range(rank)))


def _transpose_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    return [units.transpose(_perm(node, units.ndim))]


def _transpose_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units = join(outputs)
    return [units.transpose(np.argsort(_perm(node, units.ndim))) if units.ndim else units]


def _reshape_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    return [reshape(join(inputs), node.inputs[0], node.outputs[0])]


def _reshape_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    return [reshape(join(outputs), node.outputs[0], node.inputs[0])] + [None] * (len(node.inputs) - 1)


def reshape(units: UnitMap, source: ir.Value | None, target: ir.Value | None) -> UnitMap:
    """Carry a map over a reshape: runs of axes of equal product are matched from the right, then from the left."""
    if (
        source is None
        or target is None
        or source.shape is None
        or target.shape is None
        or units.ndim != len(source.shape)
    ):
        return LIVE if units.any() else DEAD
    before, after = source.shape.dims, target.shape.dims
    if units.size == 1:
        return units.reshape((1,) * len(after))
    wide: list[int | ir.SymbolicDim] = [1] * len(before)
    shape: list[int | ir.SymbolicDim] = [1] * len(after)
    for inner, outer, clear in _runs(before, after):
        if any(length > 1 for length in units.shape[inner]):
            if clear:
                wide[inner], shape[outer] = before[inner], after[outer]
            else:
                units = any_over(units, tuple(range(inner.start, inner.stop)), keepdims=True)
    return np.broadcast_to(units, wide).reshape(shape)  # type: ignore[arg-type]


def _runs(
    before: Sequence[int | ir.SymbolicDim], after: Sequence[int | ir.SymbolicDim]
) -> Iterable[tuple[slice, slice, bool]]:
    """Matching runs of axes of two shapes, and whether their products are known to be equal."""
    right_in, right_out = len(before), len(after)
    while right_in and right_out:
        run = _run(before, after, right_in, right_out)
        if run is None:
            break
        yield slice(run[0], right_in), slice(run[1], right_out), True
        right_in, right_out = run
    left = 0
    while left < min(right_in, right_out) and _same(before[left], after[left]):
        yield slice(left, left + 1), slice(left, left + 1), isinstance(before[left], int)
        left += 1
    if left < right_in or left < right_out:
        yield slice(left, right_in), slice(left, right_out), False


def _run(
    before: Sequence[int | ir.SymbolicDim], after: Sequence[int | ir.SymbolicDim], i: int, j: int
) -> tuple[int, int] | None:
    """Starts of the shortest runs ending before axes ``i`` and ``j`` that have the same product; None if unknown."""
    one, two = before[i - 1], after[j - 1]
    i, j = i - 1, j - 1
    while isinstance(one, int) and isinstance(two, int) and one and two:
        if one == two:
            return i, j
        if one < two:
            if not i:
                return None
            i -= 1
            step = before[i]
            one = one * step if isinstance(step, int) else step
        else:
            if not j:
                return None
            j -= 1
            step = after[j]
            two = two * step if isinstance(step, int) else step
    return None


def _same(one: int | ir.SymbolicDim, two: int | ir.SymbolicDim) -> bool:
    if isinstance(one, int) or isinstance(two, int):
        return one == two
    return one.value is not None and one.value == two.value


def length_of(value: ir.Value | None, axis: int) -> int | None:
    """Length of a tensor along an axis, None where it is not known."""
    if value is None or value.shape is None:
        return None
    dim = value.shape[axis]
    return dim if isinstance(dim, int) else None


def _concat_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    rank, axis = join(inputs).ndim, integer(node, "axis", 0)
    lengths = [length_of(value, axis) for value in node.inputs]
    if any(units is not None and units.ndim != rank for units in inputs) or None in lengths:
        return _mix_forward(node, inputs)
    parts = [np.zeros((1,) * rank, np.bool_) if units is None else units for units in inputs]
    shape = list(np.broadcast_shapes(*(_without(part.shape, axis) for part in parts)))
    wide = []
    for part, length in zip(parts, lengths, strict=True):
        shape[axis] = length  # type: ignore[assignment]
        wide.append(np.broadcast_to(part, shape))
    return [np.concatenate(wide, axis=axis)]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    changed = list(shape)
    changed[axis] = 1
    return tuple(changed)


def _concat_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units, axis = join(outputs), integer(node, "axis", 0)
    lengths = [length_of(value, axis) for value in node.inputs]
    return _pieces(node, units, axis, lengths, node.inputs)


def _pieces(
    node: ir.Node, units: UnitMap, axis: int, lengths: Sequence[int | None], values: Sequence[ir.Value | None]
) -> list[UnitMap | None]:
    """Cut a map along an axis into pieces of the given lengths."""
    if units.ndim and units.shape[axis] == 1:
        return [units for _ in values]
    if not units.ndim or None in lengths or sum(length or 0 for length in lengths) != units.shape[axis]:
        return [np.full((1,) * rank_of(value), units.any()) for value in values]
    ends = np.cumsum(lengths).tolist()  # type: ignore[arg-type]
    return list(np.split(units, ends[:-1], axis=axis))


def _split_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    axis = integer(node, "axis", 0)
    return _pieces(node, join(inputs), axis, [length_of(value, axis) for value in node.outputs], node.outputs)


def _split_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    axis, rank = integer(node, "axis", 0), rank_of(node.inputs[0])
    lengths = [length_of(value, axis) for value in node.outputs]
    known = [units for units in outputs if units is not None]
    if not rank or None in lengths or any(units.ndim != rank for units in known):
        return _mix_backward(node, outputs)
    shape = list(np.broadcast_shapes(*(_without(units.shape, axis) for units in known)))
    parts = []
    for units, length in zip(outputs, lengths, strict=True):
        shape[axis] = length  # type: ignore[assignment]
        parts.append(np.zeros(shape, np.bool_) if units is None else np.broadcast_to(units, shape))
    return [np.concatenate(parts, axis=axis)] + [None] * (len(node.inputs) - 1)


def _picked(node: ir.Node, rank: int) -> tuple[slice | NDArray[np.int64], ...] | None:
    """The constant index, one entry an axis, that a Slice or Gather takes; None where it is not constant."""
    entries: list[slice | NDArray[np.int64]] = [slice(None)] * rank
    if node.op_type == "Gather":
        index, length = constant_ints(node.inputs[1]), length_of(node.inputs[0], integer(node, "axis", 0))
        if index is None or length is None or (index < -length).any() or (index >= length).any():
            return None
        entries[integer(node, "axis", 0)] = index
        return tuple(entries)
    starts, ends = ints(node, "starts", 1), ints(node, "ends", 2)
    wired = [len(node.inputs) > index and node.inputs[index] is not None for index in (3, 4)]
    axes, steps = ints(node, "axes", 3), ints(node, "steps", 4)
    if starts is None or ends is None or (wired[0] and axes is None) or (wired[1] and steps is None):
        return None
    steps = steps or (1,) * len(starts)
    for axis, start, end, step in zip(axes or range(len(starts)), starts, ends, steps, strict=True):
        length = length_of(node.inputs[0], axis)
        # An end below −length means "past the first element" for a negative step; numpy says None for that.
        low = step < 0 and length is not None and end < -length
        entries[axis] = slice(start, None if low else end, step)
    return tuple(entries)


def _pick_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    entries = _picked(node, units.ndim)
    if entries is None:
        return _mix_forward(node, inputs)
    # Along an axis where the units are one, they stay one, however many of them are taken.
    held = tuple(
        (np.zeros((1,) * entry.ndim, np.int64) if isinstance(entry, np.ndarray) else slice(None))
        if length == 1
        else entry
        for entry, length in zip(entries, units.shape, strict=True)
    )
    return [units[held]]


def _pick_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units, value = join(outputs), node.inputs[0]
    rank = rank_of(value)
    entries = _picked(node, rank) if rank else None
    if entries is None or value is None:
        return _mix_backward(node, outputs)
    shape, position = [], 0
    for axis, entry in enumerate(entries):
        width = entry.ndim if isinstance(entry, np.ndarray) else 1
        taken = entry if isinstance(entry, np.ndarray) else None if entry == slice(None) else entry
        length = length_of(value, axis)
        if taken is not None and length is None:
            return _mix_backward(node, outputs)
        shape.append(length if taken is not None and length is not None else units.shape[position])
        position += width
    if position != units.ndim:
        return _mix_backward(node, outputs)
    result = np.zeros(shape, np.bool_)
    if node.op_type == "Gather":
        np.logical_or.at(result, entries, units)  # type: ignore[arg-type]  # an element may be taken twice
    else:
        result[entries] = units
    return [result] + [None] * (len(node.inputs) - 1)


def _pads(node: ir.Node, rank: int) -> list[tuple[int, int]] | None:
    pads = ints(node, "pads", 1) or ints(node, "paddings", 1)
    mode = node.attributes.get("mode")
    if pads is None or len(pads) != 2 * rank or min(pads) < 0 or (mode is not None and mode.value != "constant"):
        return None
    return list(zip(pads[:rank], pads[rank:], strict=True))


def _pad_forward(node: ir.Node, inputs: Maps) -> list[UnitMap | None]:
    units = join(inputs)
    pads = _pads(node, units.ndim)
    if pads is None:
        return _mix_forward(node, inputs)
    return [np.pad(units, [pad if length > 1 else (0, 0) for pad, length in zip(pads, units.shape, strict=True)])]


def _pad_backward(node: ir.Node, outputs: Maps) -> list[UnitMap | None]:
    units = join(outputs)
    pads = _pads(node, units.ndim) if units.ndim else None
    if pads is None:
        return _mix_backward(node, outputs)
    inner = tuple(
        slice(first, length - last) if length > 1 else slice(None)
        for (first, last), length in zip(pads, units.shape, strict=True)
    )
    return [units[inner]] + [None] * (len(node.inputs) - 1)


def _no_value(node: ir.Node, maps: Maps) -> list[UnitMap | None]:
    """Shape and Size read no values."""
    return [None] * max(len(node.inputs), len(node.outputs))


# --- the table --------------------------------------------------------------------------------------------------------

_ELEMENTWISE_NAMES = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike
    Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish
    Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal
    Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where
    Xor
"""
_REDUCTION_NAMES = """
    ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceSumSquare ArgMax ArgMin
"""
ELEMENTWISE = frozenset(_ELEMENTWISE_NAMES.split())
_SOFTMAX = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_MANY = frozenset({"Concat"})  # rules that read more than their first input

_ELEMENTWISE = Flow(_elementwise_forward, _elementwise_backward)
_OLD_SOFTMAX = _collapsing(lambda node, rank: range(integer(node, "axis", 1) % rank, rank))
_IMAGE = _collapsing(lambda node, rank: range(2, rank))
_PICK = Flow(_pick_forward, _pick_backward)
_RESHAPE = Flow(_reshape_forward, _reshape_backward)

_RULES: dict[str, Flow] = {
    **dict.fromkeys(ELEMENTWISE, _ELEMENTWISE),
    **dict.fromkeys(("BatchNormalization", "QuantizeLinear", "DequantizeLinear", "Expand"), _ELEMENTWISE),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool", "InstanceNormalization", "Resize", "Upsample"), _IMAGE),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), _IMAGE),
    "LRN": _collapsing(lambda node, rank: (1,)),
    **dict.fromkeys(("GroupNormalization", "MeanVarianceNormalization"), _collapsing(lambda node, rank: range(rank))),
    **dict.fromkeys(
        ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"),
        _collapsing(lambda node, rank: range(integer(node, "axis", -1) % rank, rank)),
    ),
    **dict.fromkeys((*_SOFTMAX, "LpNormalization"), _collapsing(lambda node, rank: (integer(node, "axis", -1),))),
    "TopK": _collapsing(lambda node, rank: (integer(node, "axis", -1),)),
    "CumSum": _collapsing(lambda node, rank: range(rank)),
    **dict.fromkeys(
        _REDUCTION_NAMES.split(),
        Flow(_reduce_forward, _reduce_backward),
    ),
    "Transpose": Flow(_transpose_forward, _transpose_backward),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _RESHAPE),
    "Concat": Flow(_concat_forward, _concat_backward),
    "Split": Flow(_split_forward, _split_backward),
    **dict.fromkeys(("Slice", "Gather"), _PICK),
    "Pad": Flow(_pad_forward, _pad_backward),
    **dict.fromkeys(("Shape", "Size"), Flow(_no_value, _no_value)),
}
