"""Means over the neighbours of every node as sparse matrices of torch, with gradients.

This file imports torch; import it inside functions.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor

from predictors.models.gnn.neighbour_means import neighbour_means
from predictors.silenced import silenced

with silenced(UserWarning):  # for the first sparse CSR tensor of a process, torch warns that these are in beta
    torch.eye(1, device="cpu").to_sparse_csr()


@dataclass(frozen=True, eq=False)
class Means:
    """Means over the neighbours in one direction, and the transposed matrix that their gradients need.

    Both matrices are made once. torch transposes a sparse matrix at every backward step, and PyTorch Geometric's plain path
    gathers and scatters one row per edge: `benchmarks` prints what that costs.

    Attributes:
        means: matrix from `neighbour_means`.
    """

    means: scipy.sparse.csr_array

    @cached_property
    def matrix(self) -> Tensor:
        """Sparse CSR ``(nodes, nodes)``: row i has the weights of the nodes from which node i receives messages."""
        return _tensor(self.means)

    @cached_property
    def transpose(self) -> Tensor:
        """Transpose of `matrix`."""
        return _tensor(self.means.T.tocsr())

    def __call__(self, state: Tensor) -> Tensor:
        """Mean of the states ``(nodes, width)`` of every node's neighbours; 0 for a node without neighbours."""
        return cast("Tensor", _Product.apply(self, state))  # type: ignore[no-untyped-call]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Means over the sources and over the targets of every node."""

    sources: Means
    targets: Means

    @classmethod
    def of(cls, edges: NDArray[np.int64], nodes: int) -> "Neighbours":
        """Make the means from edges ``(2, edges)`` without repetition: sources, then targets."""
        return cls(*(Means(neighbour_means(*ends, nodes)) for ends in ((edges[1], edges[0]), (edges[0], edges[1]))))


def _tensor(matrix: scipy.sparse.csr_array) -> Tensor:
    # A product with 64-bit indices converts them to 32-bit ones every time.
    starts, columns = (torch.from_numpy(index.astype(np.int32)) for index in (matrix.indptr, matrix.indices))
    return torch.sparse_csr_tensor(
        starts, columns, torch.from_numpy(matrix.data), size=matrix.shape, check_invariants=False
    )


class _Product(torch.autograd.Function):
    """Product with a sparse matrix whose transpose is already available."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, means: Means, state: Tensor) -> Tensor:
        ctx.means = means  # type: ignore[attr-defined]
        return means.matrix @ state

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        return None, ctx.means.transpose @ gradient  # type: ignore[attr-defined]
