"""The message-passing layer of the graph network: means over sources and over targets, each with its own weights.

This file imports torch and PyTorch Geometric; import it inside functions.
"""

import math

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import is_sparse

from predictors.models.gnn.neighbours import Means, Neighbours


class DirectedMeanConv(MessagePassing):  # type: ignore[misc]
    r"""Graph convolution that passes messages along the edges and against them (as in Rossi et al. 2023, arXiv:2305.10498).

    .. math::
        \mathbf{x}^{\prime}_i = \mathbf{W} \left[ \, \mathbf{x}_i \; \Vert \;
        \mathrm{mean}_{j : (j, i) \in \mathcal{E}} \, \mathbf{x}_j \; \Vert \;
        \mathrm{mean}_{j : (i, j) \in \mathcal{E}} \, \mathbf{x}_j \, \right] + \mathbf{b}

    The mean over no neighbour is 0.

    Args:
        in_channels: Size of each input sample.
        out_channels: Size of each output sample.
        generator: Draws the initial weights; torch's own generator is neither used nor changed.

    Shapes:
        - **inputs:** node features :math:`(|\mathcal{V}|, F_{in})`, edge indices :math:`(2, |\mathcal{E}|)`
          or `predictors.models.gnn.neighbours.Neighbours`
        - **outputs:** node features :math:`(|\mathcal{V}|, F_{out})`
    """

    def __init__(self, in_channels: int, out_channels: int, generator: torch.Generator | None = None) -> None:
        """Draw the weights."""
        super().__init__(aggr="mean")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.weight = nn.Parameter(torch.empty(out_channels, 3 * in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights; without a generator, use a fresh one with seed 0."""
        super().reset_parameters()
        draw_linear(self.weight, self.bias, generator or torch.Generator().manual_seed(0))

    def forward(self, x: Tensor, edge_index: Tensor | Neighbours) -> Tensor:
        """New states of the nodes. `Neighbours` are made once per graph and use the fast path."""
        if isinstance(edge_index, Neighbours):
            heard = [
                self.propagate(means.matrix, x=x, means=means) for means in (edge_index.sources, edge_index.targets)
            ]
        else:
            heard = [self.propagate(edges, x=x, means=None) for edges in (edge_index, edge_index.flip(0))]
        return nn.functional.linear(torch.cat([x, *heard], dim=1), self.weight, self.bias)

    def propagate(
        self, edge_index: Tensor, size: tuple[int, int] | None = None, **kwargs: Tensor | Means | None
    ) -> Tensor:
        """Like the base class, but a sparse matrix is passed directly to `message_and_aggregate`.

        The base class would list the edges of the matrix at each call, which takes as long as the product. Without this method, it
        would write generated code into the folder of temporary files and leave it there.
        """
        if is_sparse(edge_index) and not self.explain:
            return self.message_and_aggregate(edge_index, **kwargs)  # type: ignore[arg-type]
        found: Tensor = super().propagate(edge_index, size=size, **kwargs)
        return found

    def message(self, x_j: Tensor) -> Tensor:
        """The message of a node: its state."""
        return x_j

    def message_and_aggregate(self, adj_t: Tensor, x: Tensor, means: Means) -> Tensor:
        """Messages and their means in one sparse product; `adj_t` is the matrix of `means`."""
        return means(x)


def draw_linear(weight: Tensor, bias: Tensor, generator: torch.Generator) -> None:
    """Set the initial values of `torch.nn.Linear` in place, from the given generator."""
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    bound = 1 / math.sqrt(weight.shape[1])
    nn.init.uniform_(bias, -bound, bound, generator=generator)
