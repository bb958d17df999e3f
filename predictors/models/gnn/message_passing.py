"""The two-level graph network: messages among units, pooled into their operators, then among operators, pooled into the graph.

On both levels messages go along the edges and against them, each direction with its own weights (Rossi et al. 2023,
arXiv:2305.10498). A network that is too large for a unit graph, or has none, is read by its operators alone.

This file imports torch and PyTorch Geometric; import it inside functions.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from predictors.models.gnn.graph_batch import GraphBatch
from predictors.models.gnn.neighbour_means import neighbour_means
from predictors.models.gnn.network_sizes import SMALLEST_VARIANCE, SUM_SCALE, NetworkSizes

with warnings.catch_warnings():  # torch_geometric 2.8 calls the deprecated torch.jit.script when imported
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import global_max_pool, global_mean_pool

    # Sparse CSR tensors are in beta, says torch of the first one in a process.
    warnings.simplefilter("ignore", UserWarning)
    torch.eye(1, device="cpu").to_sparse_csr()


@dataclass(frozen=True, eq=False)
class Means:
    """Means over neighbours, whose gradients need the transposed matrix.

    PyTorch Geometric's convolutions scatter, or transpose a matrix at every step: six times slower on a CPU
    (120,000 edges, 16 features) than products with matrices made once.

    Attributes:
        means: of `neighbour_means`.
    """

    means: scipy.sparse.csr_array

    @cached_property
    def matrix(self) -> Tensor:
        """``(nodes, nodes)``."""
        return _tensor(self.means)

    @cached_property
    def transpose(self) -> Tensor:
        """Transpose of `matrix`."""
        return _tensor(self.means.T.tocsr())

    def __call__(self, state: Tensor) -> Tensor:
        """Mean of the states ``(nodes, width)`` that every node hears."""
        return cast("Tensor", _Product.apply(self, state))  # type: ignore[no-untyped-call]


def _tensor(matrix: scipy.sparse.csr_array) -> Tensor:
    # Products with 64-bit indices turn them into 32-bit ones, every time.
    starts, columns = (torch.from_numpy(index.astype(np.int32)) for index in (matrix.indptr, matrix.indices))
    return torch.sparse_csr_tensor(
        starts, columns, torch.from_numpy(matrix.data), size=matrix.shape, check_invariants=False
    )


class _Product(torch.autograd.Function):
    """Product with a sparse matrix whose transpose is at hand."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, means: Means, state: Tensor) -> Tensor:
        ctx.means = means  # type: ignore[attr-defined]
        return means.matrix @ state

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        return None, ctx.means.transpose @ gradient  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Means over the sources and over the targets of every node."""

    sources: Means
    targets: Means

    @classmethod
    def of(cls, edges: NDArray[np.int64], nodes: int) -> "Neighbours":
        """From edges ``(2, edges)``, source above target."""
        return cls(*(Means(neighbour_means(*ends, nodes)) for ends in ((edges[1], edges[0]), (edges[0], edges[1]))))


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """A `GraphBatch` as tensors; neighbours as matrices in place of edges."""

    features: Tensor
    operators: Tensor
    neighbours: Neighbours
    owner: Tensor
    summary: Tensor
    units: Tensor
    unit_neighbours: Neighbours
    unit_owner: Tensor

    @classmethod
    def of(cls, batch: GraphBatch) -> "Batch":
        """Share the arrays."""
        same = ("features", "operators", "owner", "summary", "units", "unit_owner")
        return cls(
            **{name: torch.from_numpy(getattr(batch, name)) for name in same},
            neighbours=Neighbours.of(batch.edges, len(batch.operators)),
            unit_neighbours=Neighbours.of(batch.unit_edges, len(batch.units)),
        )


class Rounds(nn.Module):
    """Residual rounds of message passing: every node hears itself, the mean of its sources and that of its targets."""

    def __init__(self, hidden: int, layers: int) -> None:
        """Weights drawn from torch's current generator."""
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers))
        self.mixers = nn.ModuleList(nn.Linear(3 * hidden, hidden) for _ in range(layers))

    def forward(self, state: Tensor, neighbours: Neighbours) -> Tensor:
        """New states ``(nodes, hidden)``."""
        for norm, mixer in zip(self.norms, self.mixers, strict=True):
            own = norm(state)
            heard = [own, neighbours.sources(own), neighbours.targets(own)]
            state = state + torch.relu(mixer(torch.cat(heard, dim=1)))
        return state


class Dropout(nn.Module):
    """As torch's, from a generator of its own, so that networks may be trained side by side and stay reproducible."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        """`share` of the entries become 0 in training."""
        super().__init__()
        self.share, self.generator = share, generator

    def forward(self, state: Tensor) -> Tensor:
        """The state, thinned in training."""
        if not self.training or self.share == 0:
            return state
        kept = torch.rand(state.shape, generator=self.generator) >= self.share
        return state * kept / (1 - self.share)


class StructureNetwork(nn.Module):
    """Units → operators → graph, joined by the features of the whole graph → one number a graph."""

    def __init__(self, sizes: NetworkSizes, seed: int = 0, *, dropout: float = 0.0) -> None:
        """Weights and dropout follow from the seed; torch's own generator is left as it was."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        hidden, inner = sizes.hidden, sizes.unit_hidden
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.units = nn.Linear(sizes.unit_features, inner)
            self.unit_rounds = Rounds(inner, sizes.unit_layers)
            self.pooled = nn.Linear(3 * inner, hidden)
            self.operators = nn.Embedding(sizes.classes, hidden)
            self.nodes = nn.Linear(sizes.node_features, hidden)
            self.rounds = Rounds(hidden, sizes.layers)
            self.summary = nn.Sequential(
                Dropout(dropout, generator), nn.Linear(sizes.graph_features, hidden), nn.ReLU()
            )
            self.head = nn.Sequential(
                nn.LayerNorm(4 * hidden),
                Dropout(dropout, generator),
                nn.Linear(4 * hidden, hidden),
                nn.ReLU(),
                nn.Linear(hidden, 1),
            )

    def forward(self, batch: Batch) -> Tensor:
        """One number for every graph, ``(graphs,)``."""
        return self.outputs(batch)[:, 0]

    def outputs(self, batch: Batch) -> Tensor:
        """All that the head gives, ``(graphs, outputs)``: there is one, unless another head is put on."""
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
        """What the units of every operator tell, ``(nodes, hidden)``: mean, spread and largest; 0 where there are none."""
        state = self.unit_rounds(self.units(batch.units), batch.unit_neighbours)
        mean = global_mean_pool(state, batch.unit_owner, nodes + 1)
        square = global_mean_pool(state * state, batch.unit_owner, nodes + 1)
        spread = torch.sqrt((square - mean * mean).clamp(min=SMALLEST_VARIANCE))
        largest = global_max_pool(state, batch.unit_owner, nodes + 1)
        some = torch.bincount(batch.unit_owner, minlength=nodes + 1)[:, None] > 0
        told: Tensor = self.pooled(torch.cat([mean, spread, largest], dim=1)) * some
        return told[:nodes]


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
    """The parameters by name, copied."""
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}
