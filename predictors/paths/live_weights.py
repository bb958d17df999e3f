"""Dead connections are cut on reading: a connection off every path from input to output is nothing that a network can use."""

from collections.abc import Iterator
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictors.paths.flow import Flow
from predictors.reading.attributes import Shape
from predictors.reading.canonical_graph import Block, CanonicalGraph, Operator

_LARGEST = 1 << 24
"""Largest weight without a zero whose dead connections are cut: its mask must be made first."""

Key: TypeAlias = tuple[object, Shape, int]


def cut_dead_connections(graph: CanonicalGraph, flow: Flow) -> None:
    """Remove the dead connections from the masks of the blocks, in place; the flow stays as it is, since no path uses them.

    It may stand for several networks.

    A weight that several operators share keeps what is alive in one of them.
    """
    if not any(_has_dead_connections(operator, flow) for operator in graph.operators):
        return
    alive: dict[Key, NDArray[np.bool_]] = {}
    for block, mask in _live_masks(graph, flow):
        key = _key(block)
        alive[key] = alive[key] | mask if key in alive else mask
    for operator in graph.operators:
        for block in operator.blocks:
            found = alive.get(_key(block))
            if found is not None:
                block.masks, block.counts = found, np.count_nonzero(found.reshape(len(found), -1), axis=1)


def _has_dead_connections(operator: Operator, flow: Flow) -> bool:
    record = flow.records.get(id(operator))
    if record is None:
        return bool(operator.blocks) and id(operator) in flow.forward_log
    effective, held = sum(record.effective), sum(block.counts for block in operator.blocks)
    return bool(np.any(effective < held))


def _live_masks(graph: CanonicalGraph, flow: Flow) -> Iterator[tuple[Block, NDArray[np.bool_]]]:
    """The live part of every mask of an operator whose paths are known."""
    for operator in graph.operators:
        record = flow.records.get(id(operator))
        for place, block in enumerate(operator.blocks):
            if block.masks is None and prod(block.shape) > _LARGEST:
                continue
            if record is not None:
                yield block, record.ends[place].live(block)
            elif id(operator) in flow.forward_log:  # no path leads on from it
                yield block, np.zeros((flow.networks, *block.shape), np.bool_)


def _key(block: Block) -> Key:
    return block.owner, block.shape, id(block.masks)
