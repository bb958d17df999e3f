"""The table of operators: facts about each, by name."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from onnx_graph.operators import (
    activation,
    control,
    convolution,
    elementwise,
    indexing,
    moving,
    normalisation,
    pooling,
    product,
    quantisation,
    recurrent,
    reduction,
    resizing,
    softmax,
    sources,
)
from onnx_graph.operators.operator import Operator

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
DOMAINS = STANDARD_DOMAINS | {
    "com.microsoft",
    "qonnx.custom_op.general",
    "finn.custom_op.general",
    "onnx.brevitas",
}
"""Domains in which operators of these names have the meaning given in the table."""
UNKNOWN = Operator()
"""Facts about any other operator."""


def _by_name(operators: Iterable[Operator]) -> dict[str, Operator]:
    found: dict[str, Operator] = {}
    for operator in operators:
        if operator.name in found:
            raise ValueError(f"operator {operator.name} is twice in the table")
        found[operator.name] = operator
    return found


_FAMILIES = (
    product,
    convolution,
    recurrent,
    activation,
    softmax,
    normalisation,
    elementwise,
    pooling,
    reduction,
    moving,
    indexing,
    resizing,
    quantisation,
    sources,
    control,
)
TABLE: Mapping[str, Operator] = _by_name(operator for family in _FAMILIES for operator in family.OPERATORS)


class Node(Protocol):
    """A node of a graph."""

    @property
    def domain(self) -> str: ...

    @property
    def op_type(self) -> str: ...


def facts_of(domain: str, name: str) -> Operator:
    """Facts about an operator of ONNX or of a domain that uses the same names; `UNKNOWN` for any other."""
    return TABLE.get(name, UNKNOWN) if domain in DOMAINS else UNKNOWN


def operator_of(node: Node) -> Operator:
    """Facts about the operator of a node of ONNX itself; `UNKNOWN` for any other."""
    return TABLE.get(node.op_type, UNKNOWN) if node.domain in STANDARD_DOMAINS else UNKNOWN
