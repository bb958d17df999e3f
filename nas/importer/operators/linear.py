"""Matrix products."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nas.importer.node import Kernel, Node
from nas.importer.operators.elementwise import plain


def _gemm(node: Node) -> Kernel:
    """alpha·A'·B' + beta·C, where A' and B' are transposed if transA and transB say so, and C is broadcast."""
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    trans_a, trans_b = node.integer("transA"), node.integer("transB")

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        if trans_a:
            a = a.t()
        if trans_b:
            b = b.t()
        if c is not None:
            return torch.addmm(c, a, b, alpha=alpha, beta=beta)
        product = torch.mm(a, b)
        return product if alpha == 1 else product * alpha

    return run


def _einsum(node: Node) -> Kernel:
    equation = node.text("equation")
    return lambda *xs: torch.einsum(equation, *xs)


LINEAR: Mapping[str, Callable[[Node], Kernel]] = {
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": plain(torch.matmul),
}
