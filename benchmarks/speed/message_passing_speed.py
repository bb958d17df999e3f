"""How fast is the graph network: by PyTorch Geometric's plain path, by its fused path, and by the numpy twin that needs no torch?

The plain path gathers a message for every edge and scatters the means (`message`, `aggregate`); the fused one is a product with
a sparse matrix that is made once (`message_and_aggregate`). One layer, forward and with its gradients, on random graphs of the
size of a training batch: the units of 32 networks, and their operators. Then the whole network on both, forward only.
Milliseconds of processor time on one thread, median and least of the repeats, and the largest difference between the answers.
Usage: python benchmarks/message_passing_speed.py [--repeats 30]
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits
from torch import Tensor

from predictors.models.gnn.directed_mean_conv import DirectedMeanConv
from predictors.models.gnn.graph_batch import GraphBatch
from predictors.models.gnn.message_passing import Batch, StructureNetwork, state_arrays
from predictors.models.gnn.neighbours import Neighbours
from predictors.models.gnn.network_members import NetworkMembers
from predictors.models.gnn.network_sizes import NetworkSizes

GRAPHS = {"units": (20_000, 120_000, 16), "operators": (640, 900, 32)}
"""Nodes, edges and channels."""
SIZES = NetworkSizes(
    classes=30,
    node_features=119,
    graph_features=553,
    unit_features=4,
    hidden=32,
    layers=3,
    unit_hidden=16,
    unit_layers=2,
)
NETWORKS = 32


def milliseconds(job: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median and least time of a call, after one call that is not counted."""
    job()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        job()
        found.append(1000 * (time.process_time() - start))
    return {"median": float(np.median(found)), "least": min(found)}


def random_edges(nodes: int, edges: int) -> np.ndarray:
    """Edges ``(2, edges)`` without repetition, source above target."""
    return np.unique(np.random.default_rng(0).integers(nodes, size=(2, edges)), axis=1)


def layer(name: str, repeats: int) -> dict[str, dict[str, float]]:
    """Times of one layer by both paths, and the largest difference of their results."""
    nodes, count, channels = GRAPHS[name]
    edges = random_edges(nodes, count)
    conv = DirectedMeanConv(channels, channels)
    x = torch.randn(nodes, channels, generator=torch.Generator().manual_seed(0), requires_grad=True)
    graphs: dict[str, Tensor | Neighbours] = {"plain": torch.from_numpy(edges), "fused": Neighbours.of(edges, nodes)}
    rows = {}
    for path, graph in graphs.items():
        rows[f"{path}, forward"] = milliseconds(lambda graph=graph: conv(x.detach(), graph), repeats)
        rows[f"{path}, with gradients"] = milliseconds(lambda graph=graph: conv(x, graph).sum().backward(), repeats)
    with torch.inference_mode():
        apart = (conv(x, graphs["plain"]) - conv(x, graphs["fused"])).abs().max()
    return rows | {"largest difference": {"median": float(apart)}}


def random_batch() -> GraphBatch:
    """A batch of `NETWORKS` graphs with the nodes and edges of `GRAPHS`."""
    rng = np.random.default_rng(0)
    (units, unit_edges, _), (nodes, edges, _) = GRAPHS["units"], GRAPHS["operators"]

    def floats(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return GraphBatch(
        features=floats(nodes, SIZES.node_features),
        operators=rng.integers(SIZES.classes, size=nodes),
        edges=random_edges(nodes, edges),
        owner=np.sort(rng.integers(NETWORKS, size=nodes)),
        summary=floats(NETWORKS, SIZES.graph_features),
        units=floats(units, SIZES.unit_features),
        unit_edges=random_edges(units, unit_edges),
        unit_owner=np.sort(rng.integers(nodes, size=units)),
    )


def whole(repeats: int) -> dict[str, dict[str, float]]:
    """Times of a whole network from its edges: the matrices of the fused path and of the twin are made in every call."""
    network, batch = StructureNetwork(SIZES).eval(), random_batch()
    members = NetworkMembers([state_arrays(network)])
    with torch.inference_mode():
        jobs: dict[str, Callable[[], object]] = {
            "plain": lambda: network(Batch.of(batch, fused=False)),
            "fused": lambda: network(Batch.of(batch)),
            "numpy twin": lambda: members(batch),
        }
        rows = {name: milliseconds(job, repeats) for name, job in jobs.items()}
        said = network(Batch.of(batch)).numpy()
        plain = network(Batch.of(batch, fused=False)).numpy()
    apart = max(np.abs(said - members(batch)[0]).max(), np.abs(said - plain).max())
    return rows | {"largest difference": {"median": float(apart)}}


def main() -> None:
    """Print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    with threadpool_limits(1):
        found = {f"one layer, {name}": layer(name, repeats) for name in GRAPHS} | {"network": whole(repeats)}
    for title, rows in found.items():
        table = Table("", "median", "least", title=f"{title}, ms")
        for name, row in rows.items():
            table.add_row(name, *(f"{value:.3g}" for value in row.values()))
        Console(width=100).print(table)
    result = {
        "unit": "ms of processor time, one thread",
        "graphs": GRAPHS,
        "torch": torch.__version__,
        "repeats": repeats,
        **found,
    }
    path = Path(__file__).parent / "results" / "message_passing_speed.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
