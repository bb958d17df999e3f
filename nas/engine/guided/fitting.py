"""A child of a learned mask, fitted to bounds on bytes, milliseconds and other costs that whole units decide.

Between units that are in the file, every connection is there, zero or not. So the child gets all of them, if that breaks no bound. If the
parent breaks a bound, the child loses units, those with the fewest connections first.
"""

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

import onnx_graph
from nas.engine.guided.surrogate import ticket_of
from nas.study.trial import Trial
from search_spaces import Candidate, InheritedMask, SearchSpace, Ticket
from search_spaces.masks import Mask

DEARER = 0.25
"""Largest share of the units that are left that a child may lose in order to have all connections between the others."""


def fitted(space: SearchSpace, parent: Trial, meets: Callable[[Candidate], bool]) -> Candidate | None:
    """The child that keeps most of the parent's units; None if no child meets the bounds, or if it is the parent again.

    Args:
        space: space of the parent.
        parent: a trial with a ticket.
        meets: whether a candidate meets the bounds.
    """
    ticket = ticket_of(parent)
    masks = onnx_graph.masks(space.build(ticket))
    units = weakest(masks)

    def child(lost: int, *, filled: bool) -> Candidate:
        left = without(masks, units[:lost], filled=filled)
        return _with(ticket, space, left)

    fewest = {
        filled: bisect.bisect_left(range(len(units) + 1), True, key=lambda lost: meets(child(lost, filled=filled)))
        for filled in (False, True)
    }
    most = DEARER * (len(units) - fewest[False])
    filled = fewest[True] <= min(len(units), fewest[False] + most)
    if fewest[filled] > len(units):
        return None
    found = child(fewest[filled], filled=filled)
    return None if found.mask == ticket.mask else found


def weakest(masks: Mapping[str, Mask]) -> list[tuple[str, int]]:
    """Units that a network can lose, as ``(weight, row)``, those with the fewest connections first.

    Args:
        masks: mask ``(out, in, …)`` of every weight, in the order of the graph. The last one belongs to the outputs, and
            every other keeps its strongest row.
    """
    found: list[tuple[int, str, int]] = []
    for name, mask in list(masks.items())[:-1]:
        counts = mask.reshape(len(mask), -1).sum(axis=1)
        rows = [row for row in np.argsort(counts, kind="stable").tolist() if counts[row]]
        found += [(int(counts[row]), name, row) for row in rows[:-1]]
    return [(name, row) for _, name, row in sorted(found, key=lambda one: one[0])]


def without(masks: Mapping[str, Mask], units: Sequence[tuple[str, int]], *, filled: bool) -> dict[str, Mask]:
    """The masks without the connections into some units; `filled`: the other units that had any get all connections.

    Connections from units that are lost lead nowhere and are cut when the network is built.
    """
    found = {}
    for name, mask in masks.items():
        rows = np.asarray(mask.reshape(len(mask), -1).any(axis=1))
        rows[[row for weight, row in units if weight == name]] = False
        alive = rows.reshape(-1, *(1,) * (mask.ndim - 1))
        found[name] = np.broadcast_to(alive, mask.shape).copy() if filled else mask & alive
    return found


def _with(ticket: Candidate, space: SearchSpace, masks: Mapping[str, Mask]) -> Candidate:
    """The ticket with other masks, without the connections that lead nowhere."""
    assert isinstance(ticket.mask, InheritedMask)
    drawn = replace(ticket, mask=replace(ticket.mask, ticket=Ticket.of(masks.values()).text))
    live = Ticket.of(onnx_graph.masks(space.build(drawn)).values())
    return replace(ticket, mask=replace(ticket.mask, ticket=live.text))
