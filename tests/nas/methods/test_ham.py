"""HAM: the factor by hand, steps beside any optimiser's, and the method that it wraps."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nas.training import train
from nas.training.loop.mirror import Mirror
from nas.training.loop.optimizer import Optimizer
from nas.training.methods import MethodError, create
from nas.training.methods.ham import Ham
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def test_the_factor_by_hand():
    # exp(−.1 · (2 · sign(w) · g + .5)): a weight that the gradient drives away from zero grows, the other shrinks; zero only decays.
    weight, gradient = torch.tensor([1.0, -1.0, 0.0]), torch.tensor([-0.4, -0.4, -0.4])
    found = Mirror(alpha=2.0, beta=0.5).factor(weight, gradient, 0.1)
    assert found.tolist() == pytest.approx([math.exp(0.03), math.exp(-0.13 + 0.03), math.exp(-0.05)], abs=1e-6)


def test_one_step_changes_a_weight_by_a_tenth_at_most():
    found = Mirror(alpha=1e6, beta=0.0).factor(torch.tensor([1.0, -1.0]), torch.tensor([-1.0, -1.0]), 0.1)
    assert found.tolist() == pytest.approx([math.exp(0.1), math.exp(-0.1)])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weights_take_the_step_of_the_optimiser_and_then_that_of_ham_and_biases_only_the_first(optimizer):
    options = replace(OPTIONS, optimizer=optimizer)

    def moved(mirror):
        weight, bias = torch.tensor([[1.0, -2.0]]), torch.tensor([0.5])
        Optimizer([weight, bias], options, decayed=[weight], mirror=mirror).step(
            [torch.tensor([[0.1, 0.1]]), torch.tensor([0.1])], 0.01
        )
        return weight, bias

    mirror = Mirror(alpha=50.0, beta=0.0)
    (plain, plain_bias), (found, bias) = moved(None), moved(mirror)
    factor = mirror.factor(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.1, 0.1]]), 0.01)
    torch.testing.assert_close(found, plain * factor)
    assert bias.equal(plain_bias)


@pytest.mark.parametrize("by", ["gradual", "rigl", "espn"])
def test_without_strength_it_is_the_other_method(by):
    found = train(mlp(), TASK, OPTIONS, method=Ham(by=by, alpha=0.0, beta=0.0), density=0.3, seed=1)
    plain = train(mlp(), TASK, OPTIONS, method=by, density=0.3, seed=1)
    for name, array in plain.weights.items():
        np.testing.assert_array_equal(found.weights[name], array)
    other = train(mlp(), TASK, OPTIONS, method=Ham(by=by), density=0.3, seed=1)
    assert any((other.weights[name] != array).any() for name, array in plain.weights.items())


def test_weights_of_a_dense_training_become_unequal():
    # The share of the largest tenth of the weights in the sum of all sizes: products have few large factors.
    def share(method):
        options = replace(OPTIONS, epochs=20, learning_rate=1e-2)
        weights = train(mlp(), TASK, options, method=method, density=1.0, seed=1).weights
        sizes = np.sort(np.abs(np.concatenate([weights[f"hidden_{layer}.weight"].ravel() for layer in (1, 2)])))
        return sizes[-len(sizes) // 10 :].sum() / sizes.sum()

    assert share(Ham(by="static", alpha=200.0)) > share(create("static")) + 0.01


def test_it_begins_as_the_other_method_does():
    assert (Ham(by="rigl").start, Ham(by="espn").start) == ("sparse", "dense")
    assert not Ham(by="erk").moves
    assert Ham(by="sr-ste").grouped
    with pytest.raises(MethodError, match="density"):
        train(mlp(), TASK, OPTIONS, method=Ham(by="sr-ste"), density=0.9)


@pytest.mark.parametrize("options", [{"alpha": -1.0}, {"beta": -1.0}, {"by": "ham"}])
def test_refuses_what_cannot_be(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("ham", options)
