"""Children of learned masks that are fitted to bounds."""

from dataclasses import replace

import numpy as np

import onnx_graph
from nas.engine.guided.fitting import fitted, weakest, without
from nas.engine.guided.surrogate import ticket_of
from nas.measure.costs import counts
from nas.study.trial import Trial
from search_spaces import LearnedMask, Signature, Ticket, create

SPACE = create("mlp", Signature(input_shape=(4,), outputs=2), width=[3, 8], depth=[1, 1])
DENSE = replace(SPACE.plain(0.01)[0], mask=LearnedMask(method="espn", keep=9))  # 4-3-2
FIRST = np.array([[1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 1, 1]], bool)
HEAD = np.array([[1, 0, 1], [0, 1, 0]], bool)
MASKS = {"first": FIRST, "head": HEAD}


def parent(*masks):
    """A training that ended with these masks."""
    return Trial(
        number=0,
        round=0,
        repeat=0,
        candidate=DENSE,
        accuracy=0.9,
        score=None,
        metrics={"nnz": 9},
        seconds=1.0,
        seed=0,
        ticket=Ticket.of(masks),
    )


def params_up_to(most):
    return lambda candidate: counts(SPACE.build(candidate))["params"] <= most


def masks_of(candidate):
    return list(onnx_graph.masks(SPACE.build(candidate)).values())


def test_the_units_with_the_fewest_connections_go_first_and_outputs_stay():
    assert weakest(MASKS) == [("first", 1), ("first", 2)]


def test_units_lose_all_connections_and_the_others_get_all():
    left = without(MASKS, [("first", 1)], filled=False)
    assert left["first"].sum(axis=1).tolist() == [3, 0, 2]
    left = without(MASKS, [("first", 1)], filled=True)
    assert left["first"].sum(axis=1).tolist() == [4, 0, 4]
    assert left["head"].all()
    assert FIRST.sum() == 6  # the given masks are not changed


def test_a_child_gets_the_connections_that_cost_nothing():
    child = fitted(SPACE, parent(FIRST, HEAD), lambda candidate: True)
    assert [mask.all() for mask in masks_of(child)] == [True, True]
    assert child.mask.parents == (f"{DENSE.digest}-0",)
    assert fitted(SPACE, parent(np.ones_like(FIRST), np.ones_like(HEAD)), lambda candidate: True) is None


def test_a_child_loses_units_until_it_meets_the_bound():
    # All units, all connections: 4·3 + 3·2 = 18 weights. One unit fewer: 4·2 + 2·2 = 12.
    def at_most_two_units(candidate):
        return int(masks_of(candidate)[0].any(axis=1).sum()) <= 2

    first, head = masks_of(fitted(SPACE, parent(FIRST, HEAD), at_most_two_units))
    # Without the connection of its only unit, the second output would be constant if the others did not get all connections.
    assert first.any(axis=1).tolist() == [True, False, True]
    assert first[[0, 2]].all() == head[:, [0, 2]].all() == True  # noqa: E712


def test_connections_that_cost_too_much_stay_away():
    masks = parent(FIRST, HEAD)
    own = counts(SPACE.build(ticket_of(masks)))["params"]
    child = fitted(SPACE, masks, params_up_to(own - 1))
    first, head = masks_of(child)
    assert counts(SPACE.build(child))["params"] < own
    assert not (first & ~FIRST).any()
    assert not (head & ~HEAD).any()


def test_no_child_meets_an_impossible_bound():
    assert fitted(SPACE, parent(FIRST, HEAD), lambda candidate: False) is None
