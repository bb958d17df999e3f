"""The graph network: messages along the edges and against them, each direction with its own weights (Rossi et al. 2023, arXiv:2305.10498).

This file imports torch and PyTorch Geometric; import it inside functions.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

with warnings.catch_warnings():  # torch_geometric 2.8 calls the deprecated torch.jit.script when imported
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import DirGNNConv, SAGEConv, global_max_pool, global_mean_pool

SUM_SCALE = 8.0  # nodes of a small network: keeps the sum pool of the size of the mean pool


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Several graphs as one disconnected graph.

    Attributes:
        features: standardised, float32 ``(nodes, node features)``.
        operators: int64 ``(nodes,)``.
        edges: int64 ``(2, edges)``.
        owner: graph of every node, int64 ``(nodes,)``.
        summary: standardised, float32 ``(graphs, graph features)``.
    """

    features: Tensor
    operators: Tensor
    edges: Tensor
    owner: Tensor
    summary: Tensor


class StructureNetwork(nn.Module):
    """Node embedding → residual two-way message passing → mean, max and sum pool → joined by the summary → one number a graph."""

    def __init__(
        self, classes: int, node_features: int, graph_features: int, hidden: int, layers: int, dropout: float
    ) -> None:
        """Weights drawn from torch's current generator."""
        super().__init__()
        self.embedding = nn.Embedding(classes, hidden)
        self.input = nn.Linear(node_features, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers))
        self.convolutions = nn.ModuleList(
            DirGNNConv(SAGEConv(hidden, hidden, aggr="add", root_weight=False)) for _ in range(layers)
        )
        self.summary = nn.Sequential(nn.Dropout(dropout), nn.Linear(graph_features, hidden), nn.ReLU())
        self.head = nn.Sequential(
            nn.LayerNorm(4 * hidden),
            nn.Dropout(dropout),
            nn.Linear(4 * hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, batch: Batch) -> Tensor:
        """One number for every graph, ``(graphs,)``."""
        state = self.input(batch.features) + self.embedding(batch.operators)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            state = state + torch.relu(convolution(norm(state), batch.edges))
        graphs = len(batch.summary)
        mean = global_mean_pool(state, batch.owner, graphs)
        count = torch.bincount(batch.owner, minlength=graphs).to(state.dtype)[:, None]
        pools = (mean, global_max_pool(state, batch.owner, graphs), mean * count / SUM_SCALE)
        joined: Tensor = self.head(torch.cat([*pools, self.summary(batch.summary)], dim=1))
        return joined[:, 0]


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """One thread and a seeded generator inside, both as before outside: sums come in one order on any machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def train_network(
    network: StructureNetwork,
    batches: list[tuple[Batch, Tensor]],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Fit in place to targets ``(graphs,)`` of every batch by squared error, AdamW and one cosine down to zero."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=learning_rate, total_steps=steps)
    network.train()
    order: list[int] = []
    for _ in range(steps):
        order = order or torch.randperm(len(batches)).tolist()
        batch, targets = batches[order.pop()]
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(batch), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    network.eval()


def evaluate_network(network: StructureNetwork, batch: Batch) -> NDArray[np.float64]:
    """What the network says of every graph, ``(graphs,)``."""
    network.eval()
    with torch.inference_mode():
        said: NDArray[np.float64] = network(batch).numpy().astype(np.float64)
    return said


def state_arrays(network: StructureNetwork) -> dict[str, NDArray[np.float32]]:
    """The parameters by name, copied."""
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}


def load_state(network: StructureNetwork, arrays: dict[str, NDArray[np.float32]]) -> None:
    """Put parameters back; RuntimeError or KeyError where names or shapes differ."""
    network.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()})
    network.eval()
