"""Layer-adaptive magnitude by hand."""

import torch

from nas.training.loop.selection import keep_largest
from nas.training.saliencies.layer_adaptive import share_of_larger


def test_a_weight_is_measured_by_those_that_are_no_smaller():
    # Squares 9, 4, 1: 9/9, 4/13, 1/14.
    found = share_of_larger(torch.tensor([[[3.0, -1.0, 2.0]]]))
    torch.testing.assert_close(found, torch.tensor([[[1.0, 1 / 14, 4 / 13]]], dtype=torch.float64))


def test_scale_of_a_layer_does_not_matter():
    weight = torch.tensor([[[3.0, -1.0, 2.0]]])
    torch.testing.assert_close(share_of_larger(weight), share_of_larger(100 * weight))


def test_no_layer_is_emptied_though_all_its_weights_are_smaller():
    weights = {"a": torch.tensor([[[9.0, 8.0, 7.0]]]), "b": torch.tensor([[[0.2, 0.1]]])}
    everything = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    kept = keep_largest({n: share_of_larger(w) for n, w in weights.items()}, torch.tensor([2]), everything)
    assert kept["a"].tolist() == [[[True, False, False]]]
    assert kept["b"].tolist() == [[[True, False]]]


def test_of_equal_weights_the_earlier_scores_more():
    found = share_of_larger(torch.ones(1, 1, 3))
    torch.testing.assert_close(found, torch.tensor([[[1.0, 1 / 2, 1 / 3]]], dtype=torch.float64))


def test_a_layer_of_zeros_scores_zero():
    assert not share_of_larger(torch.zeros(1, 2, 2)).any()
