"""Features of the whole graph: totals, widths, depth profile, paths, pooled mask topology, operators on paths (GRAF-like).

Shortest and longest paths over groups of operators follow Kadlecová et al. 2024 ("Surprisingly strong performance
prediction with neural graph features", arXiv:2404.16551), on canonical classes.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from operator import add

import numpy as np
from numpy.typing import NDArray

from predictors.features.flow_features import FLOW_FEATURES, reach
from predictors.features.mask_features import MASK_FEATURES, leading_singular_values
from predictors.features.node_features import COLUMN, FLOW, MASK, RECURRENT, NodeTable, finite
from predictors.features.path_features import PATH_FEATURES, path_features
from predictors.paths.flow import Flow
from predictors.paths.skeleton import skeleton
from predictors.reading.attributes import Shape
from predictors.reading.operators import CLASSES

LAYERS = 6  # number of first layers with features of their own
_TOTALS = (
    "log_nnz",
    "log_effective_nnz",
    "log_weights",
    "log_params",
    "log_macs",
    "log_sparse_macs",
    "density",
    "effective_density",
    "effective_share",
    "log_nodes",
    "log_edges",
    "log_layers",
    "log_inputs",
    "log_outputs",
)
_WIDTHS = ("log_width_min", "log_width_max", "log_width_mean", "log_live_min", "log_live_max", "log_live_mean")
_PATHS = (
    "input_coverage",
    "path_fraction",
    "log_paths",
    "output_reach_min",
    "output_participation",
    "output_dead",
    "output_fan_in_min",
    "output_fan_in_mean",
    "path_sigma2",
    "path_stable_rank",
)
_PROFILE = ("first", "middle", "last", "min", "max", "mean", "std")
_SUBSETS: dict[str, frozenset[str]] = {
    "layers": frozenset({"dense", "conv", "conv_transpose", "rnn", "gru", "lstm"}),
    "convolutions": frozenset({"conv", "conv_transpose"}),
    "pools": frozenset({"max_pool", "average_pool", "global_pool"}),
    "activations": frozenset({"rectifier", "sigmoid", "tanh", "smooth", "clip"}),
    "normalisations": frozenset({"batch_norm", "layer_norm", "lrn"}),
    "joins": frozenset({"add", "mul", "concat"}),
    "nodes": frozenset(CLASSES),
}
_MEMBERS = np.array([[name in subset for name in CLASSES] for subset in _SUBSETS.values()], dtype=np.float64)
_WINDOWS = "windows"  # convolutions over more than one position

GRAPH_FEATURES: tuple[str, ...] = (
    *_TOTALS,
    *_WIDTHS,
    *_PATHS,
    *(f"density_{name}" for name in _PROFILE),
    *(f"log_effective_{name}" for name in _PROFILE),
    *(f"layer{layer}_{name}" for layer in range(LAYERS) for name in ("log_effective", "density", "log_live")),
    *(f"{end}_path_{name}" for name in (*_SUBSETS, _WINDOWS) for end in ("shortest", "longest")),
    *(f"count_{name}" for name in CLASSES),
    *(f"mask_{name}_{pool}" for pool in ("mean", "min", "max") for name in MASK_FEATURES),
    *(f"recurrent_{name}_mean" for name in MASK_FEATURES),
    *(f"flow_{name}_{pool}" for pool in ("mean", "min") for name in FLOW_FEATURES),
    *PATH_FEATURES,
)
"""Names of the entries of `StructureGraph.summary`. Numbers of paths and counts of operators are log(1 + x)."""

_GROUPS: tuple[tuple[str, str], ...] = (
    ("way_", "ways"),
    *((prefix, "links") for prefix in ("link_", "joined_", "forked_", "skeleton_", "readers_", "reads_")),
    *((prefix, "sequences") for prefix in ("row_", "passed_")),
    ("share_", "ways, without size"),
    ("layer", "layers"),
    ("shortest_", "operator paths"),
    ("longest_", "operator paths"),
    ("count_", "operator counts"),
    ("mask_", "masks"),
    ("recurrent_", "recurrent masks"),
    ("flow_", "flow"),
    ("density_", "densities"),
    ("log_effective_", "densities"),
)


def graph_feature_group(name: str) -> str:
    """The group of a feature of the whole graph."""
    if name in (*_TOTALS, *_WIDTHS, *_PATHS):
        return "size and paths"
    return next((group for prefix, group in _GROUPS if name.startswith(prefix)))


def graph_features(table: NodeTable, flow: Flow, inputs: list[Shape], outputs: list[Shape]) -> NDArray[np.float64]:
    """The summaries of networks that differ only in their masks, float64 ``(networks, len(GRAPH_FEATURES))``, finite.

    Args:
        table: nodes in canonical order.
        flow: paths through the graph.
        inputs, outputs: shapes of the graph's inputs and outputs.
    """
    layers = np.array([row for row, operator in enumerate(table.operators) if operator.blocks], dtype=np.int64)
    rows = table.features[:, layers]
    counts = np.bincount(table.kinds, minlength=len(CLASSES))
    operator_paths, skeleton_paths = _all_paths(
        tuple(table.kinds.tolist()), tuple(_windows(table).tolist()), tuple(map(tuple, table.edges.tolist()))
    )
    parts = [
        _totals(table, layers, inputs, outputs),
        _widths(rows),
        _paths(table, flow),
        *_profiles(rows),
        _first_layers(rows),
        operator_paths,
        np.log1p(counts),
        *_pools(rows[:, :, MASK], ("mean", "min", "max")),
        *_pools(table.features[:, _recurrent(table)][:, :, RECURRENT], ("mean",)),
        *_pools(rows[:, :, FLOW], ("mean", "min")),
        skeleton_paths,
    ]
    found, start = np.empty((len(table.features), len(GRAPH_FEATURES))), 0
    for part in parts:
        found[:, start : start + part.shape[-1]] = part
        start += part.shape[-1]
    return finite(found)


def _totals(
    table: NodeTable, layers: NDArray[np.int64], inputs: list[Shape], outputs: list[Shape]
) -> NDArray[np.float64]:
    """Totals: a weight that several nodes share is counted once, but its multiplications are counted for each node."""
    owners: dict[object, tuple[NDArray[np.int64], int]] = {}
    effective: dict[object, NDArray[np.int64]] = {}
    for row in layers.tolist():
        operator = table.operators[row]
        for block in operator.blocks:
            owners[block.owner] = (block.counts[table.numbers], prod(block.shape))
        first, here = operator.blocks[0].owner, table.effective[:, row]
        effective[first] = np.maximum(effective[first], here) if first in effective else here
    networks = len(table.features)
    nnz = sum((count for count, _ in owners.values()), np.zeros(networks, np.int64))
    weights = sum(size for _, size in owners.values())
    alive = sum(effective.values(), np.zeros(networks, np.int64))
    params = nnz + sum(operator.params for operator in table.operators)
    macs = np.expm1(table.features[:, layers][:, :, [COLUMN["log_macs"], COLUMN["log_sparse_macs"]]]).sum(axis=1)
    sizes = [nnz, alive, np.full(networks, weights), params, *macs.T]
    places = [len(table.operators), table.edges.shape[1], len(layers), _elements(inputs), _elements(outputs)]
    shares = [nnz / max(weights, 1), alive / max(weights, 1), alive / np.maximum(nnz, 1)]
    known = np.broadcast_to(np.log1p(places), (networks, len(places)))
    return np.concatenate([np.log1p(np.stack(sizes, axis=1)), np.stack(shares, axis=1), known], axis=1)


def _elements(shapes: list[Shape]) -> int:
    return sum(prod(shape[1:] if len(shape) > 1 else shape) for shape in shapes)


def _widths(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Total and live units of the layers; the smallest live width is the bottleneck."""
    if not rows.shape[1]:
        return np.zeros(len(_WIDTHS))
    columns = rows[:, :, [COLUMN["log_out_channels"], COLUMN["flow_log_live"]]]
    pools = np.stack([columns.min(axis=1), columns.max(axis=1), columns.mean(axis=1)], axis=2)
    return np.asarray(pools.reshape(len(rows), -1))


def _paths(table: NodeTable, flow: Flow) -> NDArray[np.float64]:
    networks = flow.networks
    if not flow.outputs or not flow.sources:  # no path leads from an input to an output
        return np.concatenate([flow.covered[:, None], np.zeros((networks, len(_PATHS) - 1))], axis=1)
    matrix = np.concatenate([array for array, _ in flow.outputs], axis=1)
    units = matrix.shape[1]
    reached, participation = (
        part.reshape(networks, units) for part in reach(matrix.reshape(networks * units, -1), flow.sources)
    )
    largest = matrix.max(axis=2, initial=0.0)
    even = matrix / np.where(largest > 0, largest, 1.0)[:, :, None]
    even = even[:, :: -(-units // 256)]
    sigma1, sigma2 = leading_singular_values(even)
    squares = (even * even).sum(axis=(1, 2))
    safe = np.where(sigma1 > 0, sigma1, 1.0)
    ranks = [sigma2 / safe, squares / (safe * safe * min(even.shape[1:]))]
    dead = np.mean(reached == 0, axis=1)
    log_paths = np.clip(flow.paths, 0.0, 1e4)
    return np.stack(
        [
            *(flow.covered, reached.mean(axis=1), log_paths, reached.min(axis=1), participation.mean(axis=1), dead),
            *_output_fan_in(table),
            *(np.where(sigma1 > 0, rank, 0.0) for rank in ranks),
        ],
        axis=1,
    )


def _output_fan_in(table: NodeTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least and mean log fan-in of the last layers (the layers that no other layer reads), each ``(networks,)``."""
    layers = {row for row, operator in enumerate(table.operators) if operator.blocks}
    followed = [False] * len(table.operators)
    for source, target in zip(*table.edges[:, np.argsort(-table.edges[1], kind="stable")].tolist(), strict=True):
        followed[source] = followed[source] or followed[target] or target in layers
    last = [row for row in sorted(layers) if not followed[row]]
    if not last:
        return np.zeros(len(table.features)), np.zeros(len(table.features))
    rows = table.features[:, last]
    return rows[:, :, COLUMN["mask_fan_in_min"]].min(axis=1), rows[:, :, COLUMN["mask_fan_in_mean"]].mean(axis=1)


def _profiles(rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    if not rows.shape[1]:
        return [np.zeros(len(_PROFILE))] * 2
    values = rows[:, :, [COLUMN["mask_density"], COLUMN["log_effective"]]]
    ends = [values[:, 0], values[:, values.shape[1] // 2], values[:, -1]]
    pools = [values.min(axis=1), values.max(axis=1), values.mean(axis=1), values.std(axis=1)]
    table = np.stack([*ends, *pools], axis=1)
    return [table[:, :, 0], table[:, :, 1]]


def _first_layers(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.zeros((len(rows), LAYERS, 3))
    columns = [COLUMN["log_effective"], COLUMN["mask_density"], COLUMN["flow_log_live"]]
    found[:, : rows.shape[1]] = rows[:, :LAYERS, columns]
    return found.reshape(len(rows), -1)


@lru_cache(maxsize=256)
def _all_paths(
    kinds: tuple[int, ...], windows: tuple[bool, ...], edges: tuple[tuple[int, ...], ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features of the paths through operators and through the skeleton. A search meets the same graph many times, with other sizes."""
    return _operator_paths(kinds, windows, edges), path_features(skeleton(kinds, windows, edges))


def _operator_paths(
    kinds: Sequence[int], windows: Sequence[bool], edges: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Fewest and most operators of each group on a path from an input to an output."""
    member = _MEMBERS[:, list(kinds)]
    weight = np.concatenate([member, (np.array(windows, np.bool_) & (member[1] > 0))[None]]).T
    own = weight.tolist()
    before: list[list[int]] = [[] for _ in own]
    for source, target in zip(*edges, strict=True):
        before[target].append(source)
    least: list[list[float]] = []
    most: list[list[float]] = []
    # Canonical order is topological.
    for here, sources in zip(own, before, strict=True):
        if sources:
            least.append(list(map(add, here, map(min, zip(*(least[source] for source in sources), strict=True)))))
            most.append(list(map(add, here, map(max, zip(*(most[source] for source in sources), strict=True)))))
        else:
            least.append(here)
            most.append(here)
    ends = [node for node, kind in enumerate(kinds) if kind == CLASSES.index("output")]
    if not ends:
        return np.zeros(2 * weight.shape[1])
    shortest = np.min([least[end] for end in ends], axis=0)
    longest = np.max([most[end] for end in ends], axis=0)
    found: NDArray[np.float64] = np.log1p(np.stack([shortest, longest], axis=1)).ravel()
    return found


def _windows(table: NodeTable) -> NDArray[np.bool_]:
    """Nodes whose kernel is larger than one position: log(1 + 2) is above 1."""
    return np.asarray(table.features[0, :, COLUMN["log_kernel_h"]] > 1)


def _recurrent(table: NodeTable) -> list[int]:
    return [row for row, one in enumerate(table.operators) if any(block.kind == "recurrent" for block in one.blocks)]


def _pools(rows: NDArray[np.float64], pools: tuple[str, ...]) -> list[NDArray[np.float64]]:
    """Pools over the nodes of rows ``(networks, nodes, features)``."""
    if not rows.shape[1]:
        return [np.zeros(rows.shape[2]) for _ in pools]
    found = {"mean": rows.mean(axis=1), "min": rows.min(axis=1), "max": rows.max(axis=1)}
    return [found[pool] for pool in pools]
