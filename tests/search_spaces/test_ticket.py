"""Tickets: the masks of a network as a short text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import InvalidCandidateError, Ticket


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(0, 700), density=st.sampled_from([0.0, 0.004, 0.1, 0.9, 1.0]))
def test_a_ticket_gives_the_same_masks_back(seed, size, density):
    rng = np.random.default_rng(seed)
    masks = {"a": rng.random((size, 3)) < density, "b": rng.random((5, 2, 3, 3)) < density}
    ticket = Ticket.of(masks.values())
    assert ticket.nnz == sum(int(mask.sum()) for mask in masks.values())
    back = ticket.masks({name: np.ones_like(mask) for name, mask in masks.items()})
    assert list(back) == ["a", "b"]
    assert all(np.array_equal(back[name], masks[name]) for name in masks)


def test_the_text_of_a_sparse_mask_is_short():
    mask = np.random.default_rng(0).random((100, 1000)) < 0.02
    assert len(Ticket.of([mask]).text) < 1.5 * mask.sum()


def test_a_network_of_another_size_is_refused():
    ticket = Ticket.of([np.ones((2, 3), bool)])
    with pytest.raises(InvalidCandidateError, match="network of 6 weights does not fit 4 weights"):
        ticket.masks({"w": np.ones((2, 2), bool)})


@pytest.mark.parametrize(
    ("text", "reason"), [("A B", "letters"), ("é", "letters"), ("A_", "end with"), ("_A", "place 63")]
)
def test_a_damaged_text_is_refused(text, reason):
    with pytest.raises(InvalidCandidateError, match=reason):
        Ticket(text, 10).bits()
