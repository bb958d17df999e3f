"""Elementwise operators: arithmetic, comparison, logic and mathematical functions."""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from nas.importer.node import Function, Kernel, Node

DTYPES: Mapping[int, torch.dtype] = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}


def plain(function: Function) -> Callable[[Node], Kernel]:
    """Builder for an operator without attributes that is one function of its inputs."""

    def build(node: Node) -> Kernel:
        return function

    return build


def _div(x: Tensor, y: Tensor) -> Tensor:
    """Division; integers are truncated towards zero."""
    if x.is_floating_point():
        return torch.div(x, y)
    return torch.div(x, y, rounding_mode="trunc")


def _mod(node: Node) -> Kernel:
    """Remainder with the sign of the divisor, or of the dividend with fmod=1."""
    return torch.fmod if node.integer("fmod") else torch.remainder


def _pow(node: Node) -> Kernel:
    """Power in the type of the base; a constant exponent becomes a Python number, which is faster in torch."""
    exponent = node.constant(1)
    if exponent is not None and exponent.ndim == 0:
        number = exponent.item()
        return lambda x, _: torch.pow(x, number).to(x.dtype)
    return lambda x, y: torch.pow(x, y).to(x.dtype)


def _variadic(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Node], Kernel]:
    return plain(lambda *xs: functools.reduce(function, xs))


def _mean(*xs: Tensor) -> Tensor:
    return functools.reduce(torch.add, xs) / len(xs)


def _clip(node: Node) -> Kernel:
    """Clip: the bounds are attributes before opset 11 and inputs since."""
    if node.attribute("min") or node.attribute("max"):
        low = node.number("min") if node.attribute("min") else None
        high = node.number("max") if node.attribute("max") else None
        return lambda x: torch.clamp(x, low, high)
    if not node.has(1) and not node.has(2):
        return lambda x, *_: x
    bounds = [node.constant(i) for i in (1, 2) if node.has(i)]
    if all(bound is not None for bound in bounds):
        lowest, highest = (_number(node.constant(i)) for i in (1, 2))
        # If the low bound is above the high bound, the high bound is used, in ONNX as in torch.
        return lambda x, *_: torch.clamp(x, lowest, highest)
    return lambda x, low=None, high=None: torch.clamp(x, low, high)


def _number(array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None") -> float | int | None:
    return None if array is None else array.item()


def _cast(node: Node) -> Kernel:
    target = node.integer("to")
    if target not in DTYPES:
        raise node.refuse(f"it casts to ONNX type {target}, which torch has not")
    dtype = DTYPES[target]
    return lambda x: x.to(dtype)


def _is_inf(node: Node) -> Kernel:
    negative, positive = node.integer("detect_negative", 1), node.integer("detect_positive", 1)
    if negative and positive:
        return torch.isinf
    if not negative and not positive:
        return lambda x: torch.zeros_like(x, dtype=torch.bool)
    return torch.isposinf if positive else torch.isneginf


def _bit_shift(node: Node) -> Kernel:
    direction = node.option("direction", "LEFT", ("LEFT", "RIGHT"))
    return torch.bitwise_left_shift if direction == "LEFT" else torch.bitwise_right_shift


def _dropout(node: Node) -> Kernel:
    """The identity: dropout does nothing at inference, and here it does nothing in training either."""
    training, ratio = node.constant(2), node.constant(1)
    if node.has(2) and (training is None or bool(training)) and (ratio is None or bool(ratio != 0)):
        raise node.refuse("with training_mode it is random")
    return lambda x, *_: x


ELEMENTWISE: Mapping[str, Callable[[Node], Kernel]] = {
    "Abs": plain(torch.abs),
    "Acos": plain(torch.acos),
    "Acosh": plain(torch.acosh),
    "Add": plain(torch.add),
    "And": plain(torch.logical_and),
    "Asin": plain(torch.asin),
    "Asinh": plain(torch.asinh),
    "Atan": plain(torch.atan),
    "Atanh": plain(torch.atanh),
    "BitShift": _bit_shift,
    "BitwiseAnd": plain(torch.bitwise_and),
    "BitwiseNot": plain(torch.bitwise_not),
    "BitwiseOr": plain(torch.bitwise_or),
    "BitwiseXor": plain(torch.bitwise_xor),
    "Cast": _cast,
    "CastLike": plain(lambda x, like: x.to(like.dtype)),
    "Ceil": plain(torch.ceil),
    "Clip": _clip,
    "Cos": plain(torch.cos),
    "Cosh": plain(torch.cosh),
    "Div": plain(_div),
    "Dropout": _dropout,
    "Equal": plain(torch.eq),
    "Erf": plain(torch.erf),
    "Exp": plain(torch.exp),
    "Floor": plain(torch.floor),
    "Greater": plain(torch.gt),
    "GreaterOrEqual": plain(torch.ge),
    "Identity": plain(lambda x: x),
    "IsInf": _is_inf,
    "IsNaN": plain(torch.isnan),
    "Less": plain(torch.lt),
    "LessOrEqual": plain(torch.le),
    "Log": plain(torch.log),
    "Max": _variadic(torch.maximum),
    "Mean": plain(_mean),
    "Min": _variadic(torch.minimum),
    "Mod": _mod,
    "Mul": plain(torch.mul),
    "Neg": plain(torch.neg),
    "Not": plain(torch.logical_not),
    "Or": plain(torch.logical_or),
    "Pow": _pow,
    "Reciprocal": plain(torch.reciprocal),
    "Round": plain(torch.round),
    "Sign": plain(torch.sign),
    "Sin": plain(torch.sin),
    "Sinh": plain(torch.sinh),
    "Sqrt": plain(torch.sqrt),
    "Sub": plain(torch.sub),
    "Sum": _variadic(torch.add),
    "Tan": plain(torch.tan),
    "Where": plain(torch.where),
    "Xor": plain(torch.logical_xor),
}
