"""Resize and Upsample: each axis separately, as a product with an interpolation matrix or a selection of indices."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.importer.node import Kernel, Node

_MODES = ("nearest", "linear", "cubic")
_COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric")
_ROUND: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@dataclass(frozen=True)
class _Sampling:
    """How output positions map to input positions, and how the value at a position is computed."""

    mode: str
    coordinates: str
    rounding: str
    cubic: float
    exclude_outside: bool


def _resize(node: Node) -> Kernel:
    """Opset 10 always uses asymmetric and floor; since opset 11 attributes define it."""
    old = node.version < 11
    if node.integer("antialias"):
        raise node.refuse("antialias=1 is not implemented")
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("keep_aspect_ratio_policy is supported as stretch only")
    sampling = _Sampling(
        node.option("mode", "nearest", _MODES),
        "asymmetric" if old else node.option("coordinate_transformation_mode", "half_pixel", _COORDINATES),
        "floor" if old else node.option("nearest_mode", "round_prefer_floor", tuple(_ROUND)),
        node.number("cubic_coeff_a", -0.75),
        bool(node.integer("exclude_outside")),
    )
    scales, sizes = _optional(node, 1 if old else 2), None if old else _optional(node, 3)
    return _sampler(node, sampling, scales, sizes)


def _optional(node: Node, position: int) -> list[float] | None:
    """A list of numbers, which may be absent or, in older opsets, empty."""
    if not node.has(position):
        return None
    return node.known(position, "output size").tolist() or None


def _upsample(node: Node) -> Kernel:
    sampling = _Sampling(node.option("mode", "nearest", ("nearest", "linear")), "asymmetric", "floor", 0.0, False)
    scales = node.floats("scales") or node.known(1, "output size").tolist()
    return _sampler(node, sampling, list(scales), None)


def _sampler(node: Node, sampling: _Sampling, scales: list[float] | None, sizes: list[float] | None) -> Kernel:
    axes = node.ints("axes")

    def run(x: Tensor, *_: object) -> Tensor:
        count = len(scales or sizes or ())
        for position, axis in enumerate(axes or range(x.dim() - count, x.dim())):
            length = x.shape[axis]
            output = int(sizes[position]) if sizes else math.floor(length * (scales or [])[position])
            scale = (scales or [])[position] if not sizes else output / length
            if output != length or scale != 1:
                x = _resample(x, axis, output, scale, sampling)
        return x

    return run


def _resample(x: Tensor, axis: int, output: int, scale: float, sampling: _Sampling) -> Tensor:
    length = x.shape[axis]
    positions = _positions(length, output, scale, sampling.coordinates)
    if sampling.mode == "nearest":
        index = _ROUND[sampling.rounding](positions).clip(0, length - 1).astype(np.int64)
        return x.index_select(axis, torch.from_numpy(index).to(x.device))
    matrix = torch.from_numpy(_matrix(positions, length, sampling)).to(x.device, x.dtype)
    return (x.transpose(axis, -1) @ matrix).transpose(axis, -1)


def _positions(length: int, output: int, scale: float, coordinates: str) -> NDArray[np.float64]:
    """Position of each output sample on the input axis."""
    index = np.arange(output, dtype=np.float64)
    if coordinates == "asymmetric":
        return index / scale
    if coordinates == "align_corners":
        return index * (length - 1) / (output - 1) if output > 1 else np.zeros(1)
    if coordinates == "pytorch_half_pixel" and output == 1:
        return np.zeros(1)
    half = (index + 0.5) / scale - 0.5
    if coordinates == "half_pixel_symmetric":
        # length · scale can exceed the whole number of outputs by a fraction of a sample; half of it is cut off on each side.
        return length / 2 * (1 - output / (length * scale)) + half
    return half


def _matrix(positions: NDArray[np.float64], length: int, sampling: _Sampling) -> NDArray[np.float64]:
    """Weights ``(length, output)`` of the input samples in each output sample."""
    first = np.floor(positions).astype(np.int64)
    taps: Sequence[int] = (0, 1) if sampling.mode == "linear" else (-1, 0, 1, 2)
    weights = np.stack([_tap(np.abs(positions - first - tap), sampling) for tap in taps])
    index = np.stack([first + tap for tap in taps])
    if sampling.exclude_outside:
        weights = weights * ((index >= 0) & (index < length))
        weights = weights / weights.sum(0)
    matrix = np.zeros((length, len(positions)))
    np.add.at(matrix, (index.clip(0, length - 1), np.arange(len(positions))[None].repeat(len(taps), 0)), weights)
    return matrix


def _tap(distance: NDArray[np.float64], sampling: _Sampling) -> NDArray[np.float64]:
    """Weight of a sample at a given distance: the cubic kernel of Keys (1981) with parameter a."""
    if sampling.mode == "linear":
        return np.asarray((1 - distance).clip(0))
    a, d = sampling.cubic, distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


RESIZE: Mapping[str, Callable[[Node], Kernel]] = {"Resize": _resize, "Upsample": _upsample}
