"""Exact counts for any saliencies: ties, padding, networks with counts of their own."""

import torch

from nas.training.loop.selection import count, keep_largest, keep_largest_of_each, ranks


def one(*rows: list[float]) -> torch.Tensor:
    """One network's weight ``(1, out, in)``."""
    return torch.tensor([list(rows)])


def ones_like(saliencies: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.ones_like(saliency, dtype=torch.bool) for name, saliency in saliencies.items()}


def test_largest_of_all_layers_together():
    saliencies = {"a": one([0.9, 0.1], [0.8, 0.2]), "b": one([0.7, 0.95])}
    kept = keep_largest(saliencies, torch.tensor([3]), ones_like(saliencies))
    assert kept["a"].tolist() == [[[True, False], [True, False]]]
    assert kept["b"].tolist() == [[[False, True]]]


def test_ties_go_to_the_earlier_weight_and_never_change_the_count():
    # A threshold at the third largest value, .5, would keep all six.
    saliencies = {"a": one([0.5, 0.5, 0.5]), "b": one([0.5, 0.5, 0.5])}
    for number in range(7):
        kept = keep_largest(saliencies, torch.tensor([number]), ones_like(saliencies))
        assert int(count(kept)) == number
    kept = keep_largest(saliencies, torch.tensor([4]), ones_like(saliencies))
    assert kept["a"].all()
    assert kept["b"].tolist() == [[[True, False, False]]]


def test_each_network_has_its_own_count():
    saliencies = {"a": torch.tensor([[[3.0, 2.0, 1.0]], [[1.0, 2.0, 3.0]]])}
    kept = keep_largest(saliencies, torch.tensor([1, 2]), ones_like(saliencies))
    assert kept["a"].tolist() == [[[True, False, False]], [[False, True, True]]]


def test_what_may_not_be_kept_never_is():
    # Two places are allowed and their saliencies are worse than any other, infinite even: both are kept, nothing else.
    saliencies = {"a": one([9.0, -torch.inf, 9.0, torch.nan])}
    among = {"a": torch.tensor([[[False, True, False, True]]])}
    assert keep_largest(saliencies, torch.tensor([2]), among)["a"].tolist() == [[[False, True, False, True]]]
    assert int(count(keep_largest(saliencies, torch.tensor([4]), among))) == 2


def test_least_saves_a_layer_from_being_emptied():
    saliencies = {"a": one([5.0, 4.0, 3.0]), "b": one([0.2, 0.1])}
    without = keep_largest(saliencies, torch.tensor([2]), ones_like(saliencies))
    assert not without["b"].any()
    kept = keep_largest(saliencies, torch.tensor([2]), ones_like(saliencies), least=1)
    assert kept["a"].tolist() == [[[True, False, False]]]
    assert kept["b"].tolist() == [[[True, False]]]


def test_counts_by_layer():
    saliencies = {"a": one([0.1, 0.2, 0.3]), "b": one([9.0, 8.0])}
    counts = {"a": torch.tensor([2]), "b": torch.tensor([1])}
    kept = keep_largest_of_each(saliencies, counts, ones_like(saliencies))
    assert kept["a"].tolist() == [[[False, True, True]]]
    assert kept["b"].tolist() == [[[True, False]]]


def test_ranks_of_a_row():
    assert ranks(torch.tensor([[0.3, 0.9, 0.3]])).tolist() == [[1, 0, 2]]
