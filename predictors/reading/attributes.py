"""Operator attributes as numbers: known attributes by name, all others through a hash.

An attribute that changes what the operator computes changes the numbers. Other differences do not change them: an explicit
default, an epsilon, `auto_pad` instead of the same explicit pads, an attribute that is an input in a later opset.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

from onnx_graph.operators import TABLE, UNKNOWN, Setting

Settings: TypeAlias = dict[str, Setting]
Shape: TypeAlias = tuple[int, ...]

ATTRIBUTE_FEATURES: tuple[str, ...] = (
    "log_kernel_h",
    "log_kernel_w",
    "log_stride_h",
    "log_stride_w",
    "log_dilation_h",
    "log_dilation_w",
    "pad_top",
    "pad_left",
    "pad_bottom",
    "pad_right",
    "log_groups",
    "axis",  # 1 for the first axis, 0 for none
    "alpha",
    "beta",
    "count_include_pad",
    "ceil_mode",
    "reverse",
    "bidirectional",
    "log_hidden",
    "rest",  # hash of all other settings that differ from their default, in (0, 1]; 0 if there are none
)

# Settings without influence on the function, or already visible in the shapes.
_IGNORED = frozenset(
    "epsilon momentum spatial seed ratio is_test training_mode consumed_inputs keepdims shape output_shape to saturate"  # noqa: SIM905
    " kernel_shape hidden_size num_outputs layout value dtype name storage_order sorted broadcast_dims".split()
)
_DEFAULTS: Mapping[str, Setting] = {
    "group": 1,
    "ceil_mode": 0,
    "count_include_pad": 0,
    "auto_pad": "NOTSET",
    "direction": "forward",
    "linear_before_reset": 0,
    "input_forget": 0,
    "transA": 0,
    "transB": 0,
    "batch_dims": 0,
    "noop_with_empty_axes": 0,
    "approximate": "none",
    "select_last_index": 0,
    "largest": 1,
    "exclusive": 0,
    "reverse": 0,
    "stash_type": 1,
    "p": 2,
    "fmod": 0,
    "allowzero": 0,
    "upper": 1,
    "num_groups": 1,
    "across_channels": 0,
    "normalize_variance": 1,
    "is_causal": 0,
    "antialias": 0,
    "exclude_outside": 0,
    "extrapolation_value": 0.0,
    "keep_aspect_ratio_policy": "stretch",
    "cubic_coeff_a": -0.75,
    "bias": 1.0,
    "lambd": 0.5,
}


def settings(node: ir.Node, opset: int) -> Settings:
    """All settings of a node, from attributes and constant inputs; defaults that depend on the operator are filled in."""
    found: Settings = {}
    facts = TABLE.get(node.op_type, UNKNOWN)
    for name, attribute in node.attributes.items():
        value = _plain(attribute)
        if value is not None:
            found[name] = value
    for index, name in facts.settings.items():
        value = _constant(node.inputs[index]) if index < len(node.inputs) else None
        if value is not None:
            found[name] = value
    for name, value in facts.defaults.items():
        found.setdefault(name, value)
    if facts.kind == "softmax":
        found.setdefault("axis", 1 if opset < 13 else -1)
    elif facts.kind == "pad" and "paddings" in found:
        found["pads"] = found.pop("paddings")
    elif facts.gates:
        _canonical_activations(found, facts.gate_functions)
    return found


def integers(value: Setting | None) -> tuple[int, ...] | None:
    """A setting as integers, or None if it does not consist of integers."""
    if isinstance(value, int):
        return (value,)
    if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
        return value  # type: ignore[return-value]
    return None


def integer(found: Settings, name: str, default: int) -> int:
    """An integer setting or the default; for a list, its first item."""
    value = integers(found.get(name))
    return value[0] if value else default


def window(found: Settings, kernel: Sequence[int], size: Sequence[int]) -> tuple[Shape, Shape, Shape, Shape]:
    """Strides, dilations, and pads before and after each spatial axis of a convolution or pool, `auto_pad` resolved."""
    rank = len(kernel)
    ones, zeros = (1,) * rank, (0,) * rank
    strides = integers(found.get("strides")) or ones
    dilations = integers(found.get("dilations")) or ones
    pads = integers(found.get("pads")) or zeros + zeros
    mode = found.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER") and len(size) == rank == len(strides) == len(dilations):
        total = [
            max((-(-length // step) - 1) * step + (width - 1) * dilation + 1 - length, 0)
            for length, step, width, dilation in zip(size, strides, kernel, dilations, strict=True)
        ]
        less, more = tuple(both // 2 for both in total), tuple(both - both // 2 for both in total)
        return strides, dilations, *((less, more) if mode == "SAME_UPPER" else (more, less))
    return strides, dilations, pads[:rank], pads[rank:]


def attribute_row(
    operator: str, found: Settings, kernel: Sequence[int], in_shape: Shape | None, hashed: str = ""
) -> list[float]:
    """Values of `ATTRIBUTE_FEATURES`; the logarithm of features called ``log_…`` is not yet applied.

    Args:
        operator: ONNX operator type.
        found: result of `settings`.
        kernel: size of the window, empty if there is none.
        in_shape: shape of the first input.
        hashed: additional text that goes into the hash.
    """
    if not found and not kernel and not hashed:
        return list(_NOTHING)
    row = list(_NOTHING)
    rest = dict(found)
    rank = len(in_shape) if in_shape else 0
    if kernel:
        strides, dilations, before, after = window(found, kernel, (in_shape or ())[2:])
        for start, values in enumerate((kernel, strides, dilations)):
            row[2 * start] = values[0] if values else 1
            row[2 * start + 1] = values[1] if len(values) > 1 else 1
        row[6:10] = [*_pair(before), *_pair(after)]
        for name in ("strides", "dilations", "pads"):
            rest.pop(name, None)
        if operator != "ConvTranspose":
            rest.pop("auto_pad", None)
        if len(kernel) > 2:
            rest["third"] = (tuple(kernel[2:]), strides[2:], dilations[2:], before[2:], after[2:])
    row[10] = integer(rest, "group", 1)
    if "axis" in rest:
        axis = integer(rest, "axis", 0)
        row[11] = (axis + rank if axis < 0 else axis) + 1
    row[12] = _number(rest.get("alpha", rest.get("min")))
    row[13] = _number(rest.get("beta", rest.get("max")))
    row[14] = integer(rest, "count_include_pad", 0)
    row[15] = integer(rest, "ceil_mode", 0)
    row[16] = float(rest.get("direction") == "reverse")
    row[17] = float(rest.get("direction") == "bidirectional")
    row[18] = integer(rest, "hidden_size", 0)
    for name in ("group", "axis", "alpha", "beta", "min", "max", "count_include_pad", "ceil_mode", "direction"):
        rest.pop(name, None)
    _canonical_lists(rest, operator, in_shape)
    row[19] = _hash(rest, hashed)
    return row


_NOTHING = (1.0,) * 6 + (0.0,) * 4 + (1.0,) + (0.0,) * 9


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (values[0] if values else 0), (values[1] if len(values) > 1 else 0)


def _number(value: Setting | None) -> float:
    """A setting as a bounded number: `Clip` has limits of ±3.4e38."""
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int | float) or value != value:
        return 0.0
    return float(np.sign(value) * min(np.log1p(abs(value)), 100.0))


def _canonical_lists(rest: Settings, operator: str, in_shape: Shape | None) -> None:
    """Normalise lists in place: count axes from the front, limit ends to the axis, remove lists that equal their default."""
    rank = len(in_shape) if in_shape else 0
    axes = integers(rest.get("axes"))
    if axes is not None and rank:
        rest["axes"] = axes = tuple(
            sorted(axis % rank for axis in axes) if operator != "Slice" else (axis % rank for axis in axes)
        )
        if TABLE.get(operator, UNKNOWN).kind == "reduce" and len(axes) == rank:
            del rest["axes"]
    if operator == "Transpose" and integers(rest.get("perm")) == tuple(reversed(range(rank))):
        del rest["perm"]
    if operator == "Slice" and in_shape:
        _canonical_slice(rest, axes, in_shape)
    pads = integers(rest.get("pads"))
    if pads is not None and not any(pads):
        del rest["pads"]


def _canonical_slice(rest: Settings, axes: Shape | None, in_shape: Shape) -> None:
    starts, ends = integers(rest.get("starts")), integers(rest.get("ends"))
    if starts is None or ends is None:
        return
    axes = axes if axes is not None else tuple(range(len(starts)))
    steps = integers(rest.get("steps")) or (1,) * len(starts)
    ranges = [
        (axis, *slice(start, end, step).indices(in_shape[axis]))
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=False)
        if step and axis < len(in_shape)
    ]
    for name in ("starts", "ends", "axes", "steps"):
        rest.pop(name, None)
    rest["ranges"] = tuple(sorted(ranges))


def _hash(rest: Settings, hashed: str) -> float:
    kept = sorted(
        (name, value) for name, value in rest.items() if name not in _IGNORED and _DEFAULTS.get(name) != value
    )
    if not kept and not hashed:
        return 0.0
    return ((zlib.crc32(f"{kept}{hashed}".encode()) >> 8) + 1) / 2**24


def _canonical_activations(found: Settings, default: tuple[str, ...]) -> None:
    """Write activations in lower case; remove them if they are the default."""
    names = found.get("activations")
    if not isinstance(names, tuple):
        return
    lower = tuple(str(name).lower() for name in names)
    if lower == default * (len(lower) // len(default) or 1):
        del found["activations"]
    else:
        found["activations"] = lower


def _plain(attribute: ir.Attr) -> Setting | None:
    value = attribute.value
    if isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, tuple | list):
        if not value or isinstance(value[0], int | str):
            return tuple(value)
        if isinstance(value[0], float):
            return tuple(round(item, 6) for item in value)
        return len(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, ir.Graph):
        return tuple(node.op_type for node in value)
    return None


_LARGEST_SETTING = 4096


def _constant(value: ir.Value | None) -> Setting | None:
    tensor = None if value is None else value.const_value
    if tensor is None or tensor.size > _LARGEST_SETTING or tensor.dtype == ir.DataType.STRING:
        return None
    array = tensor.numpy()
    if array.dtype.kind in "iub":
        return tuple(int(item) for item in array.ravel())
    return tuple(round(float(item), 6) for item in array.ravel())
