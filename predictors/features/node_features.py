"""Features of every node of the structure graph: shapes, attributes, sizes, position, mask topology, paths through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from predictors.features.flow_features import FLOW_FEATURES, flow_features
from predictors.features.mask_features import MASK_FEATURES, full_mask_features, mask_features
from predictors.paths.flow import Flow
from predictors.reading import operators
from predictors.reading.attributes import ATTRIBUTE_FEATURES, Shape, attribute_row, integers
from predictors.reading.canonical_graph import Block, CanonicalGraph, Operator

_SHAPES = (
    "log_in_channels",
    "log_out_channels",
    "log_in_spatial",
    "log_out_spatial",
    "log_out_elements",
    "rank",
    "variant",
)
_FLAGS = ("bias", "normalised", "activated")
_SIZES = (
    "log_weights",
    "log_nnz",
    "log_effective",
    "log_params",
    "log_macs",
    "log_sparse_macs",
    "effective_density",
    "effective_share",
)
_PLACE = ("depth_in", "depth_out", "log_in_degree", "log_out_degree")

NODE_FEATURES: tuple[str, ...] = (
    *_SHAPES,
    *ATTRIBUTE_FEATURES,
    *_FLAGS,
    *_SIZES,
    *_PLACE,
    *(f"flow_{name}" for name in FLOW_FEATURES),
    *(f"mask_{name}" for name in MASK_FEATURES),
    *(f"recurrent_{name}" for name in MASK_FEATURES),
)
"""Names of the columns of `StructureGraph.features`. ``log_…`` is log(1 + x); ``mask_…`` are 0 for nodes without a weight,
``recurrent_…`` for nodes without a hidden-to-hidden weight."""

COLUMN = {name: index for index, name in enumerate(NODE_FEATURES)}
_PLAIN = len(_SHAPES) + len(ATTRIBUTE_FEATURES) + len(_FLAGS) + len(_SIZES) + len(_PLACE)
_LOGARITHMS = np.flatnonzero([name.startswith("log_") for name in NODE_FEATURES[:_PLAIN]])
_FLOW = slice(_PLAIN, _PLAIN + len(FLOW_FEATURES))
MASK = slice(_FLOW.stop, _FLOW.stop + len(MASK_FEATURES))
RECURRENT = slice(MASK.stop, MASK.stop + len(MASK_FEATURES))
FLOW = _FLOW
ARCHITECTURE_COLUMNS = slice(0, len(_SHAPES) + len(ATTRIBUTE_FEATURES) + len(_FLAGS) + 1)
"""Columns that no mask changes: shapes, attributes, flags, number of weights."""
_PLACE_COLUMNS = slice(_PLAIN - len(_PLACE), _PLAIN)
_SIZE_COLUMNS = slice(_PLACE_COLUMNS.start - len(_SIZES), _PLACE_COLUMNS.start)


def node_feature_group(name: str) -> str:
    """The group of a node feature; groups with the same meaning have the same names as in `graph_features.graph_feature_group`."""
    for prefix, group in (("mask_", "masks"), ("recurrent_", "recurrent masks"), ("flow_", "flow")):
        if name.startswith(prefix):
            return group
    if name in ("effective_density", "effective_share"):
        return "densities"
    return "shapes and sizes" if name in (*_SHAPES, *_SIZES) else "attributes"


@dataclass(frozen=True, eq=False)
class NodeTable:
    """A table of the nodes of networks that differ only in their masks, before the nodes are sorted.

    Attributes:
        operators: the nodes.
        kinds: class of every node, int64 ``(nodes,)``.
        features: features of every node, float64 ``(networks, nodes, len(NODE_FEATURES))``.
        edges: edges without repetition, int64 ``(2, edges)``.
        depth: number of steps from the inputs, int64 ``(nodes,)``.
        effective: number of non-zeros on live paths of every node, int64 ``(networks, nodes)``.
        numbers: number of every network among those that the graph stands for, int64 ``(networks,)``.
    """

    operators: list[Operator]
    kinds: NDArray[np.int64]
    features: NDArray[np.float64]
    edges: NDArray[np.int64]
    depth: NDArray[np.int64]
    effective: NDArray[np.int64]
    numbers: NDArray[np.int64]


def node_table(graph: CanonicalGraph, flow: Flow) -> NodeTable:
    """Compute the features of all nodes; operators that only reshape are omitted, and their links are joined."""
    nodes = [operator for operator in graph.operators if operator.kind != "reshape"]
    edges = _edges(graph, nodes)
    effective = np.zeros((flow.networks, len(nodes)), np.int64)
    features = np.zeros((flow.networks, len(nodes), len(NODE_FEATURES)))
    weighted = [row for row, operator in enumerate(nodes) if operator.blocks]
    for row in weighted:
        effective[:, row] = _effective(nodes[row], flow)
    if nodes:
        features[:, :, : _SIZE_COLUMNS.start] = [_plain_row(operator, graph.shapes) for operator in nodes]
        features[:, :, _SIZE_COLUMNS] = _sizes(nodes, graph.shapes, effective)
    depth, features[:, :, _PLACE_COLUMNS] = _places(len(nodes), edges)
    features[:, :, _LOGARITHMS] = np.log1p(np.maximum(features[:, :, _LOGARITHMS], 0))
    if weighted:
        features[:, weighted, _FLOW] = flow_features([nodes[row] for row in weighted], flow)
        _fill_masks(features, nodes)
    kinds = np.array([operators.INDEX[operator.kind] for operator in nodes], dtype=np.int64)
    return NodeTable(nodes, kinds, finite(features), edges, depth, effective, np.arange(flow.networks))


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values, with NaN and infinities replaced."""
    return values if np.isfinite(values).all() else np.nan_to_num(values, posinf=1e9, neginf=-1e9)


def _plain_row(operator: Operator, shapes: Sequence[Shape | None]) -> list[float]:
    """Features that no mask changes."""
    source, made = _ends(operator, shapes)
    in_channels, in_spatial = _extent(source)
    out_channels, out_spatial = _extent(made)
    if operator.blocks:
        block = operator.blocks[0]
        in_channels, out_channels = block.shape[1] * block.groups, block.shape[0]
        in_spatial = _elements(source) // max(in_channels, 1)
        out_spatial = _elements(made) // max(out_channels, 1)
    kernel = _kernel(operator)
    row: list[float] = [
        in_channels,
        out_channels,
        in_spatial,
        out_spatial,
        _elements(made),
        sum(size > 1 for size in (made or source or ())[1:]),
        operator.variant,
    ]
    hashed = "".join(map(str, operator.positions)) if operator.kind.startswith("unknown") else ""
    row += attribute_row(operator.name, operator.settings, kernel, source, hashed)
    return [*row, operator.bias, operator.normalised, operator.activated]


def _sizes(
    nodes: Sequence[Operator], shapes: Sequence[Shape | None], effective: NDArray[np.int64]
) -> NDArray[np.float64]:
    """`_SIZES` before logarithms are taken, ``(networks, nodes, len(_SIZES))``."""
    found = np.zeros((*effective.shape, len(_SIZES)))
    for row, operator in enumerate(nodes):
        found[:, row, 3] = operator.params
        if not operator.blocks:
            continue
        weights = sum(prod(block.shape) for block in operator.blocks)
        nnz = sum(block.counts for block in operator.blocks)
        alive = effective[:, row]
        positions = _positions(operator, *_ends(operator, shapes))
        share = alive / np.maximum(nnz, 1)
        sizes = (
            weights,
            nnz,
            alive,
            nnz + operator.params,
            weights * positions,
            nnz * positions,
            alive / max(weights, 1),
            share,
        )
        for column, size in enumerate(sizes):
            found[:, row, column] = size
    return found


def _ends(operator: Operator, shapes: Sequence[Shape | None]) -> tuple[Shape | None, Shape | None]:
    """Shapes of the first input and of the first output."""
    source = shapes[operator.inputs[0]] if operator.inputs else None
    return source, shapes[operator.outputs[0]] if operator.outputs else None


def _kernel(operator: Operator) -> Shape:
    if operator.kind in ("conv", "conv_transpose") and operator.blocks:
        return operator.blocks[0].shape[2:]
    return integers(operator.settings.get("kernel_shape")) or ()


def _extent(shape: Shape | None) -> tuple[int, int]:
    """Number of channels and of positions of one example. Channels are axis 1 of an image and the last axis of other tensors.

    Trailing axes of length 1 are not counted, so that squeezed and unsqueezed tensors give the same numbers.
    """
    if not shape:
        return 0, 0
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    channels = shape[1] if len(shape) >= 4 else shape[-1]
    return channels, _elements(shape) // max(channels, 1)


def _elements(shape: Shape | None) -> int:
    return 0 if not shape else prod(shape[1:]) if len(shape) > 1 else shape[0]


def _positions(operator: Operator, source: Shape | None, made: Shape | None) -> int:
    """Number of times the weights of an operator are applied for one example."""
    if operator.kind in ("rnn", "gru", "lstm"):
        return max(source[:2]) if source and len(source) == 3 else 1
    shape = source if operator.kind == "conv_transpose" else made
    if not shape or len(shape) < 2:
        return 1
    if operator.kind == "dense":
        return max(_elements(shape) // max(operator.blocks[0].shape[0], 1), 1)
    return prod(shape[2:])


def _effective(operator: Operator, flow: Flow) -> NDArray[np.int64] | int:
    record = flow.records.get(id(operator))
    if record is not None:
        return sum(record.effective)
    # Without a record, no path passes the node, or its paths are not known.
    return 0 if id(operator) in flow.forward_log else sum(block.counts for block in operator.blocks)


def _edges(graph: CanonicalGraph, nodes: list[Operator]) -> NDArray[np.int64]:
    """Links between nodes, through the reshapes between them."""
    index = {id(operator): row for row, operator in enumerate(nodes)}
    origin: dict[int, tuple[int, ...]] = {}
    pairs: dict[tuple[int, int], None] = {}
    for operator in graph.operators:
        sources = tuple(dict.fromkeys(row for value in operator.inputs for row in origin.get(value, ())))
        here = index.get(id(operator))
        for value in operator.outputs:
            origin[value] = sources if here is None else (here,)
        if here is not None:
            pairs.update(((source, here), None) for source in sources)
    return np.array(list(pairs), dtype=np.int64).reshape(-1, 2).T


def _places(count: int, edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Depth from the inputs, and `_PLACE` of every node ``(nodes, len(_PLACE))``; nodes are in topological order."""
    down, up = [0] * count, [0] * count
    links = sorted(zip(edges[0].tolist(), edges[1].tolist(), strict=True))
    # First by ascending source, then by descending target: every node is final before it is read.
    for source, target in links:
        down[target] = max(down[target], down[source] + 1)
    for source, target in sorted(links, key=lambda link: -link[1]):
        up[source] = max(up[source], up[target] + 1)
    place = np.zeros((count, len(_PLACE)))
    if count:
        longest = max(max(down), 1)
        place[:, 0], place[:, 1] = np.array(down) / longest, np.array(up) / longest
        place[:, 2] = np.bincount(edges[1], minlength=count)
        place[:, 3] = np.bincount(edges[0], minlength=count)
    return np.array(down, dtype=np.int64), place


def _fill_masks(features: NDArray[np.float64], nodes: list[Operator]) -> None:
    """Mask topology of every weight; for a weight shared by several nodes, it is computed once."""
    places: dict[object, tuple[Block, list[tuple[int, slice]]]] = {}
    for row, operator in enumerate(nodes):
        for block in operator.blocks:
            columns = RECURRENT if block.kind == "recurrent" else MASK
            places.setdefault((block.owner, block.shape, id(block.masks)), (block, []))[1].append((row, columns))
    sparse = [entry for entry in places.values() if entry[0].masks is not None and entry[0].masks.size]
    for block, targets in places.values():
        if block.masks is None and all(block.shape):
            values = full_mask_features(block.shape, block.kind == "recurrent")
            for row, columns in targets:
                features[:, row, columns] = values
    if not sparse:
        return
    masks = [mask for block, _ in sparse if block.masks is not None for mask in block.masks]
    recurrent = [block.directions if block.kind == "recurrent" else 0 for block, _ in sparse for _ in block.counts]
    table = mask_features(masks, recurrent).reshape(len(sparse), len(features), -1)
    for values, (block, targets) in zip(table, sparse, strict=True):
        full = block.counts == prod(block.shape)
        if full.any():
            values[full] = full_mask_features(block.shape, block.kind == "recurrent")
        for row, columns in targets:
            features[:, row, columns] = values
