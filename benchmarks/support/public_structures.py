"""Sparse networks whose structure and accuracy others published, built again as masked ONNX networks.

Reber: random graphs as recurrent networks on the Reber grammar (Stier, Darji and Granitzer 2021, arXiv:2107.12917), ReLU and
tanh cells, 200 graphs each, one training. Relational graphs: 2,991 graphs on 64 nodes as multilayer perceptrons on CIFAR-10
(You et al. 2020, arXiv:2007.06559), five trainings each.
"""

import csv
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from benchmarks.support.encoding_cache import Networks
from search_spaces import NetworkBuilder

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CELLS: Mapping[str, str] = {"RNN_RELU": "rnn-relu", "RNN_TANH": "rnn-tanh", "GRU": "gru", "LSTM": "lstm"}
"""Names in the published table, and of `search_spaces.network_builder.CELLS`."""
SYMBOLS = 8
"""Seven letters of the Reber grammar and the padding."""
STEPS = 32
"""Number of symbols read; it is the same for all networks and so carries no information."""
SOURCES = ("benchmarks.support.public_structures",)
NOT_STRUCTURE = frozenset({"mode", "graph", "graph_nr", "test_acc", "test_loss", "time"})
SIZES = ("nodes", "edges")
PIXELS, CLASSES = 3072, 10
WIDTH, HIDDEN = 512, 3
"""Units of the first layer of the dense reference, and the number of masked layers after it."""
REFERENCE_FLOPS = PIXELS * WIDTH + HIDDEN * WIDTH * WIDTH + WIDTH * CLASSES


@dataclass(frozen=True, eq=False, kw_only=True)
class Structures(Networks):
    """Published networks, built with their masks.

    Attributes:
        accuracies: accuracies in [0, 1], ``(networks, trainings)``.
        baselines: tables ``(networks, columns)`` on which baselines are fitted, by name; one of them is ``size``.
    """

    accuracies: Floats
    baselines: Mapping[str, Floats]


def reber(folder: Path, cell: str) -> Structures | None:
    """The recurrent networks of one cell (a key of `CELLS`); empty if the files have no such networks."""
    with gzip.open(folder / "sparse" / "innvariant_rnn_structure.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["mode"] == cell]
    with gzip.open(folder / "sparse" / "innvariant_rnn_graphs.json.gz", "rt") as file:
        graphs = json.load(file).get(cell, {})
    if not rows or not graphs:
        return None
    found = [graphs[f"{row['graph']}_{row['graph_nr']}"] for row in rows]
    properties = [name for name in rows[0] if name not in NOT_STRUCTURE]
    return Structures(
        name=f"reber-{CELLS[cell]}",
        specs=[(graph["n"], graph["edges"], CELLS[cell]) for graph in found],
        build=recurrent_network,
        sources=SOURCES,
        accuracies=_columns(rows, ["test_acc"]),
        baselines={"size": _columns(rows, SIZES), "properties": _columns(rows, properties)},
    )


def _columns(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> Floats:
    return np.array([[float(row[name]) for name in names] for row in rows])


def recurrent_network(vertices: int, edges: Sequence[Sequence[int]], cell: str) -> ir.Model:
    """A graph as the published recurrent network.

    Every edge goes from its lower to its higher vertex; a vertex's layer is the longest path that ends in it. Each layer is a
    recurrent layer with dense hidden-to-hidden weights (no edge lies inside a layer), reading the layer before through the
    edges between the two. Edges that jump over layers are extra recurrent layers, added to their target's output. Sources
    read an embedding with as many features as there are sources. Only the last layer feeds the output: as published, a vertex
    without successor in an earlier layer feeds nothing.
    """
    level = longest_paths(vertices, edges)
    members = [np.flatnonzero(level == depth) for depth in range(level.max() + 1)]
    adjacency = np.zeros((vertices, vertices), np.bool_)  # (target, source)
    for edge in edges:
        adjacency[max(edge), min(edge)] = True
    builder = NetworkBuilder((STEPS, SYMBOLS), "rnn")
    time_first = builder.transpose(builder.input, (1, 0, 2), "time_first")
    steps = [builder.matmul(time_first, len(members[0]), "embedding")]
    for depth, units in enumerate(members):
        reads = [max(depth - 1, 0)]
        reads += [source for source in range(depth - 1) if adjacency[np.ix_(units, members[source])].any()]
        parts = [
            _recurrent(builder, steps[source + (depth > 0)], cell, len(units), f"layer_{depth}_from_{source}")
            for source in reads
        ]
        for source in reads if depth else ():
            mask = adjacency[np.ix_(units, members[source])]
            gates = {"gru": 3, "lstm": 4}.get(cell, 1)
            builder.structure[f"layer_{depth}_from_{source}.input_weight"] = np.tile(mask, (gates, 1))
        whole = parts[0]
        for place, part in enumerate(parts[1:]):
            whole = builder.add(whole, part, f"sum_{depth}_{place}")
        steps.append(whole)
    index = builder.constant("last_step", np.array(-1, np.int64))
    end = builder.node("Gather", [steps[-1], index], ["N", len(members[-1])], "end", [ir.AttrInt64("axis", 0)])
    return _finished(builder, builder.gemm(end, 2, "head"))


def _recurrent(builder: NetworkBuilder, x: ir.Value, cell: str, hidden: int, name: str) -> ir.Value:
    every, _ = builder.recurrent(x, cell, hidden, name, every_step=True, last_step=False)
    if every is None:
        raise RuntimeError("every step was asked for")
    return every


def longest_paths(vertices: int, edges: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Edges on the longest path that ends in each vertex, ``(vertices,)``; edges go from lower to higher vertices."""
    before: list[list[int]] = [[] for _ in range(vertices)]
    for edge in edges:
        before[max(edge)].append(min(edge))
    level: list[int] = []
    for sources in before:
        level.append(1 + max((level[source] for source in sources), default=-1))
    return np.array(level, np.int64)


def relational(folder: Path) -> Structures:
    """The relational graphs as perceptrons."""
    with np.load(folder / "sparse" / "graph2nn_mlp_cifar10.npz") as file:
        nodes, errors = int(file["n"]), file["top1_err"].astype(np.float64)
        packed = file["adj_triu_bits"]
        measures = np.stack([file["clustering"], file["path_length"]], axis=1).astype(np.float64)
    specs = [(nodes, row.tobytes()) for row in packed]
    size = np.array([[triangle(*spec).sum()] for spec in specs], np.float64)
    return Structures(
        name="relational",
        specs=specs,
        build=_relational,
        sources=SOURCES,
        accuracies=1 - errors / 100,
        baselines={"size": size, "measures": measures, "measures and size": np.hstack([measures, size])},
    )


def _relational(nodes: int, packed: bytes) -> ir.Model:
    return relational_network(adjacency(triangle(nodes, packed), nodes))


def triangle(nodes: int, packed: bytes) -> Mask:
    """The strict upper triangle of an adjacency matrix, row-major, from its bits."""
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=nodes * (nodes - 1) // 2)
    return bits.astype(np.bool_)


def adjacency(upper: Mask, nodes: int) -> Mask:
    """Symmetric adjacency matrix ``(nodes, nodes)`` with every node joined to itself, from `triangle`."""
    found = np.eye(nodes, dtype=np.bool_)
    found[np.triu_indices(nodes, 1)] = upper
    return found | found.T


def relational_network(graph: Mask) -> ir.Model:
    """A relational graph as the published perceptron: a dense first layer, three masked ones, a dense last one.

    Every node represents a few units of every layer; two units are joined if their nodes are. As published, the masked layers
    are not 512 wide: their width is chosen such that the network needs as many multiplications as the dense reference. So a
    sparser graph has wider layers (up to about 1,500), and all networks have the same number of weights; the numbers of units
    of two nodes differ by at most one.
    """
    width = matched_width(graph)
    builder = NetworkBuilder((PIXELS,), "mlp")
    x = _normalised(builder, builder.gemm(builder.input, WIDTH, "stem", bias=False), "stem")
    inner = WIDTH
    for layer in range(HIDDEN):
        name = f"masked_{layer}"
        x = _normalised(builder, builder.gemm(x, width, name, bias=False), name)
        builder.structure[f"{name}.weight"] = grown(graph, width, inner)
        inner = width
    return _finished(builder, builder.gemm(x, CLASSES, "head"))


def _normalised(builder: NetworkBuilder, x: ir.Value, name: str) -> ir.Value:
    return builder.activation(builder.batch_norm(x, f"{name}.norm"), "relu", f"{name}.relu")


def _finished(builder: NetworkBuilder, output: ir.Value) -> ir.Model:
    """The network with its structure as masks; all other weights are dense."""
    builder.finish(output)
    dense = {layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers}
    return builder.model(dense | builder.structure)


def grown(graph: Mask, units: int, inputs: int) -> Mask:
    """The graph grown to the given numbers of units on each side, ``(units, inputs)``."""
    return graph.repeat(shares(units, len(graph)), axis=0).repeat(shares(inputs, len(graph)), axis=1)


def shares(units: int, nodes: int) -> NDArray[np.int64]:
    """Number of units of every node: as equal as possible; the nodes with one more are drawn like in the authors' code."""
    even = np.full(nodes, units // nodes)
    even[: units % nodes] += 1
    return np.random.RandomState(1).permutation(even)


def matched_width(graph: Mask) -> int:
    """Units of the masked layers: the fewest that need at least the multiplications of the dense reference."""
    share = graph.mean()
    # Positive root of  share · (2 width² + 512 width) + 10 width = multiplications of the reference after the first layer.
    quadratic, linear = (HIDDEN - 1) * share, share * WIDTH + CLASSES
    spent = REFERENCE_FLOPS - PIXELS * WIDTH
    width = int((math.sqrt(linear**2 + 4 * quadratic * spent) - linear) / (2 * quadratic))
    while multiplications(graph, width) >= REFERENCE_FLOPS:
        width -= 1
    while multiplications(graph, width) < REFERENCE_FLOPS:
        width += 1
    return width


def multiplications(graph: Mask, width: int) -> int:
    """Multiplications of the whole network for one image."""
    outer, inner = shares(width, len(graph)), shares(WIDTH, len(graph))
    masked = outer @ graph @ inner + (HIDDEN - 1) * (outer @ graph @ outer)
    return int(PIXELS * WIDTH + masked + CLASSES * width)
