"""Removes dead connections when a network is read: those that lie on no path from an input to an output."""

from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictors.paths.flow import Flow
from predictors.reading.attributes import Shape
from predictors.reading.canonical_graph import Block, CanonicalGraph, Operator

_LARGEST = 1 << 24
"""Largest weight without a zero whose dead connections are removed: its mask must be made first."""

Key: TypeAlias = tuple[object, Shape, int]


def cut_dead_connections(graph: CanonicalGraph, flow: Flow) -> None:
    """Remove the dead connections from the masks of the blocks, in place. The flow stays valid, since no path uses them.

    The graph may stand for several networks. A weight that several operators share keeps what is alive in one of them. Blocks
    without dead connections, and those whose paths are not known, keep their masks.
    """
    alive: dict[Key, NDArray[np.bool_] | None] = {}
    for operator in graph.operators:
        for place, block in enumerate(operator.blocks):
            key, found = _key(block), _live(operator, place, flow)
            before = alive.get(key, found)
            alive[key] = None if before is None or found is None else before | found
    for operator in graph.operators:
        for block in operator.blocks:
            left = alive.get(_key(block))
            if left is not None:
                block.masks, block.counts = left, np.count_nonzero(left.reshape(len(left), -1), axis=1)


def _live(operator: Operator, place: int, flow: Flow) -> NDArray[np.bool_] | None:
    """The live part of a block's masks, ``(networks, *shape)``; None if the block keeps its masks."""
    block, record = operator.blocks[place], flow.records.get(id(operator))
    # A weight of zeros may have any size: the graph makes it, so it takes no memory.
    if not block.counts.any() or (block.masks is None and prod(block.shape) > _LARGEST):
        return None
    if record is not None:
        return record.ends[place].live(block) if (record.effective[place] < block.counts).any() else None
    return np.zeros((flow.networks, *block.shape), np.bool_) if id(operator) in flow.unneeded else None


def _key(block: Block) -> Key:
    return block.owner, block.shape, id(block.masks)
