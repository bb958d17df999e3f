"""Networks of NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326) as ONNX.

A stem of 16 channels, five cells at 16 channels, a residual block that halves the image, five cells at 32, another block, five cells at
64; global pooling, linear. Operations that lead nowhere and those on 'none' edges are missing: they have no parameters.
"""

from collections.abc import Mapping
from itertools import combinations

import onnx_ir as ir

from search_spaces.nasbench.image_network import ImageNetwork, channels_of

OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""Operations at the place of their digit in a code."""
NONE = "none"
EDGES = tuple(combinations(range(4), 2))
"""Edges of the cell in the order of a code: 0-1, 0-2, 0-3, 1-2, 1-3, 2-3."""
WIDTHS, CELLS = (16, 32, 64), 5

Edge = tuple[int, int]


def nasbench201_network(code: str, *, outputs: int = 10, size: int = 32) -> ir.Model:
    """The network of a cell.

    Args:
        code: six digits, one for each of `EDGES`: the place of its operation in `OPERATIONS`.
        outputs: number of classes; 10, 100 and 120 in the benchmark.
        size: height and width of the RGB images; 32, and 16 for ImageNet16-120.
    """
    operations = {edge: OPERATIONS[int(digit)] for edge, digit in zip(EDGES, code, strict=True)}
    cell = live(operations)
    net = ImageNetwork(3, size)
    x = net.norm(net.conv(net.image, WIDTHS[0], 3))
    for stage, channels in enumerate(WIDTHS):
        if stage:
            x = _residual(net, x, channels)
        for _ in range(CELLS):
            x = _cell(net, x, cell)
    return net.model(net.relu(net.norm(x)), outputs, "nasbench201")


def live(operations: Mapping[Edge, str]) -> dict[Edge, str]:
    """Operations other than 'none' on a path from vertex 0 to vertex 3: only these decide what the network computes."""
    kept = {edge: name for edge, name in operations.items() if name != NONE}
    reached, needed = {0}, {3}
    for source, target in sorted(kept):
        if source in reached:
            reached.add(target)
    for source, target in sorted(kept, reverse=True):
        if target in needed:
            needed.add(source)
    return {edge: name for edge, name in kept.items() if edge[0] in reached and edge[1] in needed}


def _cell(net: ImageNetwork, x: ir.Value, operations: Mapping[Edge, str]) -> ir.Value:
    """One cell; zeros if nothing leads to its last vertex (one network, 111111, whose answer is always the same)."""
    vertices = {0: x}
    for vertex in (1, 2, 3):
        edges = [(source, name) for (source, target), name in operations.items() if target == vertex]
        if edges:
            vertices[vertex] = net.add([_operation(net, vertices[source], name) for source, name in edges])
    return vertices[3] if 3 in vertices else net.zeros_like(x)


def _operation(net: ImageNetwork, x: ir.Value, name: str) -> ir.Value:
    if name == "skip_connect":
        return x
    if name == "avg_pool_3x3":
        return net.average_pool(x, 3, 1)
    return _relu_conv_norm(net, x, channels_of(x), 3 if name == "nor_conv_3x3" else 1, 1)


def _relu_conv_norm(net: ImageNetwork, x: ir.Value, channels: int, kernel: int, stride: int) -> ir.Value:
    return net.norm(net.conv(net.relu(x), channels, kernel, stride))


def _residual(net: ImageNetwork, x: ir.Value, channels: int) -> ir.Value:
    """Half the size: two convolutions, plus a shortcut of a 2×2 mean and a 1×1 convolution without normalisation."""
    y = _relu_conv_norm(net, _relu_conv_norm(net, x, channels, 3, 2), channels, 3, 1)
    return net.add([net.conv(net.average_pool(x, 2, 2), channels, 1), y])
