"""The two-level graph network: messages among units, pooled into their operators, then among operators, pooled into the graph.

On both levels messages go along the edges and against them, each direction with its own weights (Rossi et al. 2023,
arXiv:2305.10498). A network without a unit graph, or too large for one, is represented by its operators only.

This file imports torch and PyTorch Geometric; import it inside functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch_geometric.nn import global_max_pool, global_mean_pool

from predictors.models.gnn.directed_mean_conv import DirectedMeanConv, draw_linear
from predictors.models.gnn.graph_batch import GraphBatch
from predictors.models.gnn.neighbours import Neighbours
from predictors.models.gnn.network_sizes import SMALLEST_VARIANCE, SUM_SCALE, NetworkSizes


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """A `GraphBatch` as tensors.

    Attributes:
        neighbours, unit_neighbours: matrices made from the edges, or the edges ``(2, edges)`` themselves for PyTorch Geometric's
            plain path.
    """

    features: Tensor
    operators: Tensor
    neighbours: Neighbours | Tensor
    owner: Tensor
    summary: Tensor
    units: Tensor
    unit_neighbours: Neighbours | Tensor
    unit_owner: Tensor

    @classmethod
    def of(cls, batch: GraphBatch, *, fused: bool = True) -> "Batch":
        """Convert a batch; the tensors share its arrays. With `fused`, edges become matrices."""
        same = ("features", "operators", "owner", "summary", "units", "unit_owner")
        pairs = ((batch.edges, len(batch.operators)), (batch.unit_edges, len(batch.units)))
        first, second = (Neighbours.of(*one) if fused else torch.from_numpy(one[0]) for one in pairs)
        return cls(
            **{name: torch.from_numpy(getattr(batch, name)) for name in same},
            neighbours=first,
            unit_neighbours=second,
        )


class Rounds(nn.Module):
    """Residual rounds of message passing: x ← x + relu(conv(norm(x))) with `DirectedMeanConv`."""

    def __init__(self, hidden: int, layers: int, generator: torch.Generator) -> None:
        """Weights drawn from the generator."""
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers))
        self.mixers = nn.ModuleList(DirectedMeanConv(hidden, hidden, generator) for _ in range(layers))

    def forward(self, state: Tensor, neighbours: Neighbours | Tensor) -> Tensor:
        """New states ``(nodes, hidden)``."""
        for norm, mixer in zip(self.norms, self.mixers, strict=True):
            state = state + torch.relu(mixer(norm(state), neighbours))
        return state


class Dropout(nn.Module):
    """Dropout like torch's, but with its own generator, so that networks trained in parallel stay reproducible."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        """`share`: share of the entries that become 0 in training."""
        super().__init__()
        self.share, self.generator = share, generator

    def forward(self, state: Tensor) -> Tensor:
        """The state; in training, with dropout."""
        if not self.training or self.share == 0:
            return state
        kept = torch.rand(state.shape, generator=self.generator) >= self.share
        return state * kept / (1 - self.share)


class StructureNetwork(nn.Module):
    """The network: units → operators → graph, joined with features of the whole graph → one number per graph."""

    def __init__(self, sizes: NetworkSizes, seed: int = 0, *, dropout: float = 0.0) -> None:
        """The seed determines weights and dropout; torch's own generator is neither used nor changed."""
        super().__init__()
        weights, dropped = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
        hidden, inner = sizes.hidden, sizes.unit_hidden
        self.units = _linear(sizes.unit_features, inner, weights)
        self.unit_rounds = Rounds(inner, sizes.unit_layers, weights)
        self.pooled = _linear(3 * inner, hidden, weights)
        self.operators: nn.Embedding = nn.utils.skip_init(nn.Embedding, sizes.classes, hidden)  # type: ignore[no-untyped-call]
        nn.init.normal_(self.operators.weight, generator=weights)
        self.nodes = _linear(sizes.node_features, hidden, weights)
        self.rounds = Rounds(hidden, sizes.layers, weights)
        self.summary = nn.Sequential(
            Dropout(dropout, dropped), _linear(sizes.graph_features, hidden, weights), nn.ReLU()
        )
        self.head = nn.Sequential(
            nn.LayerNorm(4 * hidden),
            Dropout(dropout, dropped),
            _linear(4 * hidden, hidden, weights),
            nn.ReLU(),
            _linear(hidden, 1, weights),
        )

    def forward(self, batch: Batch) -> Tensor:
        """One number for every graph, ``(graphs,)``."""
        return self.outputs(batch)[:, 0]

    def outputs(self, batch: Batch) -> Tensor:
        """All outputs of the head, ``(graphs, outputs)``; the default head has one output."""
        state = self.nodes(batch.features) + self.operators(batch.operators)
        if len(batch.units):
            state = state + self._from_units(batch, len(state))
        state = self.rounds(state, batch.neighbours)
        graphs = len(batch.summary)
        mean = global_mean_pool(state, batch.owner, graphs)
        count = torch.bincount(batch.owner, minlength=graphs).to(state.dtype)[:, None]
        pools = (mean, global_max_pool(state, batch.owner, graphs), mean * count / SUM_SCALE)
        found: Tensor = self.head(torch.cat([*pools, self.summary(batch.summary)], dim=1))
        return found

    def _from_units(self, batch: Batch, nodes: int) -> Tensor:
        """Contribution of the units to every operator, ``(nodes, hidden)``, from their mean, spread and maximum; 0 without units."""
        state = self.unit_rounds(self.units(batch.units), batch.unit_neighbours)
        mean = global_mean_pool(state, batch.unit_owner, nodes + 1)
        square = global_mean_pool(state * state, batch.unit_owner, nodes + 1)
        spread = torch.sqrt((square - mean * mean).clamp(min=SMALLEST_VARIANCE))
        largest = global_max_pool(state, batch.unit_owner, nodes + 1)
        some = torch.bincount(batch.unit_owner, minlength=nodes + 1)[:, None] > 0
        told: Tensor = self.pooled(torch.cat([mean, spread, largest], dim=1)) * some
        return told[:nodes]


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer whose weights come from the generator."""
    made: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    draw_linear(made.weight, made.bias, generator)
    return made


def train_network(
    network: StructureNetwork,
    batches: Sequence[tuple[Batch, Tensor]],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    rng: np.random.Generator,
) -> None:
    """Fit in place to targets ``(graphs,)`` of every batch by squared error, AdamW and one cycle of the learning rate down to 0."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=learning_rate, total_steps=steps)
    network.train()
    order: list[int] = []
    for _ in range(steps):
        order = order or rng.permutation(len(batches)).tolist()
        batch, targets = batches[order.pop()]
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(batch), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    network.eval()


def state_arrays(network: StructureNetwork) -> dict[str, NDArray[np.float32]]:
    """A copy of the parameters, by name."""
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}
