"""Networks of NAS-Bench-101 (Ying et al. 2019, arXiv:1902.09635) as ONNX.

A convolution of 128 channels, then three stacks of three cells; between stacks the image is halved and the channels are doubled; global
pooling, linear.
"""

from collections.abc import Sequence, Set
from itertools import combinations

import onnx_ir as ir

from search_spaces.nasbench.image_network import ImageNetwork

OPERATIONS = ("conv3x3", "conv1x1", "maxpool3x3")
"""Operations of the inner vertices, at the place of their number in a table."""
MOST_VERTICES, MOST_EDGES = 7, 9
STEM, STACKS, CELLS = 128, 3, 3

Edge = tuple[int, int]


def nasbench101_network(
    edge_bits: int, operations: Sequence[int], vertices: int, *, outputs: int = 10, size: int = 32
) -> ir.Model:
    """The network of a cell.

    Args:
        edge_bits: bit x + y(y − 1)/2 set means an edge from vertex x to vertex y > x.
        operations: operations of the vertices 1 to ``vertices − 2``, places in `OPERATIONS`; further entries are not read.
        vertices: number of vertices, input and output included, 2 to 7.
        outputs: number of classes.
        size: height and width of the RGB images.
    """
    edges = edges_of(edge_bits, vertices)
    net, channels = ImageNetwork(3, size), STEM
    x = _conv_norm_relu(net, net.image, channels, 3)
    for stack in range(STACKS):
        if stack:
            x = net.max_pool(x, 2, 2)
            channels *= 2
        for _ in range(CELLS):
            x = _cell(net, x, edges, operations, vertices, channels)
    return net.model(x, outputs, "nasbench101")


def edges_of(edge_bits: int, vertices: int) -> set[Edge]:
    """The edges (x, y) whose bits are set."""
    return {(x, y) for x, y in combinations(range(vertices), 2) if int(edge_bits) >> (x + y * (y - 1) // 2) & 1}


def _conv_norm_relu(net: ImageNetwork, x: ir.Value, channels: int, kernel: int) -> ir.Value:
    return net.relu(net.norm(net.conv(x, channels, kernel)))


def _cell(
    net: ImageNetwork, x: ir.Value, edges: Set[Edge], operations: Sequence[int], vertices: int, channels: int
) -> ir.Value:
    """Sums at the vertices (of the first channels if their numbers differ); the cell's input passes 1×1 convolutions."""
    last = vertices - 1
    widths = channels_101(edges, vertices, channels)
    made: dict[int, ir.Value] = {}
    for vertex in range(1, last):
        parts = [net.first_channels(made[source], widths[vertex]) for source in made if (source, vertex) in edges]
        if (0, vertex) in edges:
            parts.append(_conv_norm_relu(net, x, widths[vertex], 1))
        total, operation = net.add(parts), int(operations[vertex - 1])
        pooled = operation == 2
        made[vertex] = (
            net.max_pool(total, 3, 1) if pooled else _conv_norm_relu(net, total, widths[vertex], 3 - 2 * operation)
        )
    joined = [made[source] for source in made if (source, last) in edges]
    if not joined:
        return _conv_norm_relu(net, x, channels, 1)
    y = net.concatenate(joined)
    return net.add([y, _conv_norm_relu(net, x, channels, 1)]) if (0, last) in edges else y


def channels_101(edges: Set[Edge], vertices: int, channels: int) -> list[int]:
    """Channels of every vertex of a cell that makes `channels`; entry 0, the input, is not used.

    The vertices that the output reads share its channels; the first ones take the remainder. Any other vertex has as many
    channels as the widest vertex that reads it.
    """
    last = vertices - 1
    joined = [vertex for vertex in range(1, last) if (vertex, last) in edges]
    widths = [0] * last + [channels]
    for place, vertex in enumerate(joined):
        widths[vertex] = channels // len(joined) + (place < channels % len(joined))
    for vertex in reversed(range(1, last)):
        if (vertex, last) not in edges:
            widths[vertex] = max(widths[target] for target in range(vertex + 1, last) if (vertex, target) in edges)
    return widths
