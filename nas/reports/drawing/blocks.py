"""The contents of a network drawing: one block for each layer, sum or other step, and the links between them.

Minor steps (reshaping, transposing, adding a bias) are not drawn. An activation function is drawn in the block of its
layer if no other step reads the layer's output.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from onnx_graph.operators import operator_of

_NORMALISING = frozenset({"add", "mul"})
"""Kinds of operators that add a bias, or are a part of a normalisation."""
_JOINING = _NORMALISING | {"concat"}
NORMALISED = ", normalised"


@dataclass(eq=False)
class Block:
    """A box of the drawing.

    Attributes:
        operators: operators in the box, in order.
        units: number of outputs of its weights (units or channels); 0 without weights.
        nonzeros, weights: number of kept weights, and number of all weights.
        note: shape of an input or kernel; empty for other boxes.
        entry: whether the box is an input of the network.
    """

    operators: list[str]
    units: int = 0
    nonzeros: int = 0
    weights: int = 0
    note: str = ""
    entry: bool = False

    @property
    def density(self) -> float:
        """Share of the weights that are kept."""
        return self.nonzeros / max(self.weights, 1)


@dataclass(eq=False)
class Diagram:
    """Blocks and links of a drawing. Each block comes after the blocks that it reads.

    Attributes:
        links: pairs of block numbers from a block to a later one, each pair once.
    """

    blocks: list[Block] = field(default_factory=list)
    links: dict[tuple[int, int], None] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ir.Model) -> "Diagram":
        """The diagram of a simplified model."""
        return _Reader(model).diagram

    def rows(self) -> list[int]:
        """The row of each block: 0 for inputs; every other block is one row below the lowest block that it reads."""
        rows = [0] * len(self.blocks)
        for _ in self.blocks:
            before = list(rows)
            for source, target in self.links:
                rows[target] = max(rows[target], rows[source] + 1)
            if rows == before:
                break
        return rows


class _Reader:
    """Reads a graph node by node."""

    def __init__(self, model: ir.Model) -> None:
        self.diagram = Diagram()
        self._masks = onnx_graph.masks(model)
        self._weights = onnx_graph.weights(model)
        self._uses: dict[ir.Value, int] = {}
        self._block_of: dict[ir.Value, int] = {}
        for node in model.graph:
            for value in _activations(node):
                self._uses[value] = self._uses.get(value, 0) + 1
        for value in model.graph.inputs:
            if not value.is_initializer():
                self._block_of[value] = self._add(Block([value.name or "input"], note=_shape(value), entry=True))
        for node in model.graph:
            self._read(node)
        for value in model.graph.outputs:
            if value in self._block_of:
                self._link([self._block_of[value]], self._add(Block([value.name or "output"], note=_shape(value))))

    def _read(self, node: ir.Node) -> None:
        values = [value for value in _activations(node) if value in self._block_of]
        sources = list(dict.fromkeys(self._block_of[value] for value in values))
        if not sources:  # the node computes only constants
            return
        block = self._weighted(node)
        if block is None and len(sources) == 1 and _is_silent(node):
            number = sources[0]
        elif block is None and (joined := self._joined(node, values, sources)) is not None:
            number = joined
        else:
            number = self._add(block or Block([node.op_type]))
            self._link(sources, number)
        self._block_of |= dict.fromkeys(node.outputs, number)

    def _joined(self, node: ir.Node, values: list[ir.Value], sources: list[int]) -> int | None:
        """The existing block in which this step is drawn: the layer before it, or the sum that it continues; else None."""
        only = [
            number
            for value, number in zip(values, map(self._block_of.get, values), strict=True)
            if self._uses[value] == 1
        ]
        if len(sources) == 1:
            block = self.diagram.blocks[sources[0]]
            constant = operator_of(node).kind in _NORMALISING and len(values) == 1
            if sources[0] not in only or not (block.weights or (constant and block.entry)):
                return None
            if not constant:
                block.operators.append(node.op_type)
            elif block.entry and not block.note.endswith(NORMALISED):
                block.note += NORMALISED
            return sources[0]
        sums = [
            number for number in only if number is not None and self.diagram.blocks[number].operators == [node.op_type]
        ]
        facts = operator_of(node)
        if facts.kind not in _JOINING or facts.ordered or not sums:
            return None
        self._link([source for source in sources if source != sums[0]], sums[0])
        return sums[0]

    def _weighted(self, node: ir.Node) -> Block | None:
        """The block of a node that has weights."""
        names = {value.name for value in node.inputs if value is not None}
        own = [w for w in self._weights if w.name in names or w.node == node.name]
        if not own:
            return None
        first = own[0]
        kernel = "×".join(str(size) for size in first.shape[2:])
        note = kernel + (f", {first.groups} groups" if first.groups > 1 else "")
        masks: list[NDArray[np.bool_]] = [self._masks[weight.name] for weight in own]
        return Block(
            [node.op_type],
            units=first.shape[0] // first.gates,
            nonzeros=sum(int(mask.sum()) for mask in masks),
            weights=sum(mask.size for mask in masks),
            note=note,
        )

    def _add(self, block: Block) -> int:
        self.diagram.blocks.append(block)
        return len(self.diagram.blocks) - 1

    def _link(self, sources: list[int], target: int) -> None:
        self.diagram.links |= {(source, target): None for source in sources if source != target}


def _activations(node: ir.Node) -> Iterator[ir.Value]:
    """Inputs that are not constants."""
    return (
        value for value in node.inputs if value is not None and value.const_value is None and not value.is_initializer()
    )


def _shape(value: Any) -> str:
    """Shape of one example."""
    return "" if value.shape is None else " × ".join(str(size) for size in list(value.shape)[1:])


def _is_silent(node: ir.Node) -> bool:
    """Whether a node with a single input block is not drawn, because it only moves numbers or reads their shape."""
    facts = operator_of(node)
    return facts.moves or facts.passes or facts.shape_only or node.op_type == "Constant"
