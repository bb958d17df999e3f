"""Convolution and transposed convolution in one, two or three dimensions."""

import math
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor
from torch.nn import functional

from nas.importer import stacking
from nas.importer.node import Kernel, Node

CONV: Mapping[int, Callable[..., Tensor]] = {3: functional.conv1d, 4: stacking.conv2d, 5: functional.conv3d}
_TRANSPOSED: Mapping[int, Callable[..., Tensor]] = {
    3: functional.conv_transpose1d,
    4: functional.conv_transpose2d,
    5: functional.conv_transpose3d,
}
AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def pad_ends(x: Tensor, begins: Sequence[int], ends: Sequence[int], value: float = 0.0) -> Tensor:
    """Pad the spatial axes of ``(N, C, *spatial)``; returns it unchanged if there is nothing to pad."""
    if not any(begins) and not any(ends):
        return x
    pairs = [amount for pair in reversed(list(zip(begins, ends, strict=True))) for amount in pair]
    return functional.pad(x, pairs, value=value)


def same_pads(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], *, upper: bool
) -> tuple[list[int], list[int]]:
    """Padding before and after each axis that gives an output of ceil(size / stride)."""
    begins, ends = [], []
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        begins.append(small if upper else large)
        ends.append(large if upper else small)
    return begins, ends


def _conv(node: Node) -> Kernel:
    groups = node.integer("group", 1)
    strides, dilations, pads = node.ints("strides"), node.ints("dilations"), node.ints("pads")
    auto = node.option("auto_pad", "NOTSET", AUTO_PADS)
    if auto.startswith("SAME"):
        return _same_conv(strides, dilations, groups, upper=auto == "SAME_UPPER")
    begins, ends = _split_pads(pads if auto == "NOTSET" else None)
    stride, dilation = strides or 1, dilations or 1
    if begins == ends:
        padding = begins or 0
        return lambda x, w, b=None: CONV[w.dim()](x, w, b, stride, padding, dilation, groups)
    return lambda x, w, b=None: CONV[w.dim()](pad_ends(x, begins, ends), w, b, stride, 0, dilation, groups)


def _split_pads(pads: Sequence[int] | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if pads is None:
        return (), ()
    half = len(pads) // 2
    return tuple(pads[:half]), tuple(pads[half:])


def _same_conv(strides: Sequence[int] | None, dilations: Sequence[int] | None, groups: int, *, upper: bool) -> Kernel:
    def run(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        ones = (1,) * (w.dim() - 2)
        stride, dilation = strides or ones, dilations or ones
        begins, ends = same_pads(x.shape[2:], w.shape[2:], stride, dilation, upper=upper)
        if begins == ends:
            return CONV[w.dim()](x, w, b, stride, begins, dilation, groups)
        return CONV[w.dim()](pad_ends(x, begins, ends), w, b, stride, 0, dilation, groups)

    return run


def _conv_transpose(node: Node) -> Kernel:
    """The full transposed convolution, before the padding is cut off."""
    groups, auto = node.integer("group", 1), node.option("auto_pad", "NOTSET", AUTO_PADS)
    begins, ends = _split_pads(node.ints("pads") if auto == "NOTSET" else None)
    strides, dilations = node.ints("strides"), node.ints("dilations")
    extra, shape = node.ints("output_padding"), node.ints("output_shape")

    def run(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        rank = w.dim() - 2
        stride, dilation = strides or (1,) * rank, dilations or (1,) * rank
        full = [
            (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(x.shape[2:], stride, w.shape[2:], dilation, strict=True)
        ]
        first, size = _window(full, [n * s for n, s in zip(x.shape[2:], stride, strict=True)])
        y = _TRANSPOSED[w.dim()](x, w, b, stride, 0, 0, groups, dilation)
        return _crop(y, first, size, b)

    def _window(full: list[int], same: list[int]) -> tuple[list[int], list[int]]:
        """First index and number of the kept outputs of each axis."""
        more = extra or (0,) * len(full)
        if shape is None and not auto.startswith("SAME"):
            before, after = begins or (0,) * len(full), ends or (0,) * len(full)
            return list(before), [f + m - p - q for f, m, p, q in zip(full, more, before, after, strict=True)]
        wanted = same if shape is None else list(shape[-len(full) :])
        total = [f + m - n for f, m, n in zip(full, more, wanted, strict=True)]
        upper = auto == "SAME_UPPER"
        return [t // 2 if upper else t - t // 2 for t in total], wanted

    return run


def _crop(y: Tensor, first: list[int], size: list[int], bias: Tensor | None) -> Tensor:
    """Outputs `first` to `first + size` of each spatial axis; outputs outside of the convolution are the bias only."""
    lacking = [max(f + n - have, 0) for f, n, have in zip(first, size, y.shape[2:], strict=True)]
    before = [max(-f, 0) for f in first]
    if any(lacking) or any(before):
        shift = 0 if bias is None else bias.reshape(-1, *(1,) * len(size))
        y = pad_ends(y - shift, before, lacking) + shift
    for axis, (f, n) in enumerate(zip(first, size, strict=True)):
        y = y.narrow(axis + 2, max(f, 0), n)
    return y


CONVOLUTION: Mapping[str, Callable[[Node], Kernel]] = {"Conv": _conv, "ConvTranspose": _conv_transpose}
