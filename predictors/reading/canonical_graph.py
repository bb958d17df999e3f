"""The canonical graph: operators of few classes, the values between them, the weights they hold."""

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.operators import UNKNOWN
from onnx_graph.operators import Operator as Facts
from onnx_graph.propagation import Relation
from predictors.reading.attributes import Settings, Shape


@dataclass(slots=True, eq=False)
class Block:
    """A weight as one operator uses it, in one network or in several networks that differ only in their masks.

    Attributes:
        owner: identity of the initializer; operators with the same owner share the weight.
        kind: ``dense``, ``conv`` or ``recurrent``.
        shape: canonical ``(out, in, *kernel)``.
        masks: canonical masks, bool ``(networks, *shape)``; None if nothing is zero in any of them.
        counts: numbers of non-zeros, int64 ``(networks,)``.
    """

    owner: object
    kind: str
    shape: Shape
    masks: NDArray[np.bool_] | None
    counts: NDArray[np.int64]
    groups: int = 1
    gates: int = 1
    directions: int = 1


@dataclass(slots=True, eq=False)
class Operator:
    """One operator of the canonical graph.

    Attributes:
        kind: class, one of `operators.CLASSES`; ``reshape`` operators pass units on but are not nodes of the structure graph.
        name: ``OpType`` or ``domain::OpType``.
        inputs: values it reads that are not constant, in order; `positions` are their positions among the node's inputs.
        outputs: values it makes.
        constants: shapes of its constant float inputs that are not weights.
        results: positions of the outputs among the node's outputs.
        facts: entry of the table of operators.
        relation: how its outputs depend on its inputs, if it has no weights and `predictors.paths.canonical_call.relation_of` was asked.
    """

    kind: str
    name: str
    node: ir.Node | None
    inputs: list[int]
    positions: list[int]
    outputs: list[int]
    settings: Settings = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    constants: list[Shape] = field(default_factory=list)
    variant: float = 0.0
    unit_axis: int = -1
    params: int = 0
    bias: bool = False
    normalised: bool = False
    activated: bool = False
    results: list[int] = field(default_factory=lambda: [0])
    facts: Facts = UNKNOWN
    relation: Relation | None = None


@dataclass(slots=True, eq=False)
class CanonicalGraph:
    """Operators in topological order and the shapes of the values between them.

    Attributes:
        shapes: shape of every value, with 1 for the batch axis and unknown axes; None if nothing is known.
        unknown: operators without a class, sorted.
        opset: version of the operator set.
    """

    operators: list[Operator]
    shapes: list[Shape | None]
    unknown: tuple[str, ...]
    opset: int = 17

    @property
    def networks(self) -> int:
        """Number of networks that the graph stands for: masks of its blocks."""
        return max((len(block.counts) for operator in self.operators for block in operator.blocks), default=1)
