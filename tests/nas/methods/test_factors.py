"""Learnt factors: the size of a step, momentum, orientation, and what never moves."""

import pytest
import torch

from nas.training.loop.session import Session
from nas.training.methods.factors import Factors, per_network, squares
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, cnn, mlp, task_for


def factors_of(*models, start=1.0, rate=0.5, shape=(1, 4, 4)):
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    session = Session(members, task_for(shape, 0), OPTIONS, torch.device("cpu"), keep=[20] * len(models))
    callback = Factors(start=start, rate=rate)
    callback.begin(session, 6)
    return callback


def test_squares_are_summed_by_network():
    found = squares({"a": torch.tensor([[[3.0, 0.0]], [[1.0, 1.0]]]), "b": torch.tensor([[[4.0]], [[0.0]]])})
    assert found.tolist() == [25.0, 2.0]
    assert per_network(found, torch.zeros(2, 3, 4)).shape == (2, 1, 1)


def test_a_step_has_the_same_size_whatever_the_gradients():
    # Equal gradients have a root mean square of themselves: 1 − .5 · (1 − .9), then 1 − .5 · (.1 + .19).
    for scale in (1e-6, 1e3):
        callback = factors_of(mlp(8))
        gradients = tuple(torch.full_like(value, scale) for value in callback.leaves)
        for expected in (0.95, 0.855):
            callback.learn(gradients, 0.1)
            for value in callback.leaves:
                torch.testing.assert_close(value.detach(), torch.full_like(value, expected))


def test_zero_gradients_move_nothing():
    callback = factors_of(mlp(8))
    callback.learn(tuple(torch.zeros_like(value) for value in callback.leaves), 0.1)
    assert all((value == 1).all() for value in callback.leaves)


def test_every_network_is_scaled_by_itself():
    callback = factors_of(mlp(8), mlp(8))
    gradients = tuple(torch.ones_like(value) for value in callback.leaves)
    for gradient in gradients:
        gradient[1] *= 100
    callback.learn(gradients, 0.1)
    for value in callback.leaves:
        torch.testing.assert_close(value[0], value[1])


def test_padding_has_no_factor_and_is_not_counted():
    callback = factors_of(mlp(8), mlp(16))
    assert callback.total.tolist() == [308, 532]
    callback.learn(tuple(torch.ones_like(value) for value in callback.leaves), 0.1)
    for name, value in callback.canonical().items():
        assert (value[~callback.session.exists[name]] == 0).all()
        # 308 ones have a root mean square of 1, had padding been counted it would be less.
        torch.testing.assert_close(
            value[callback.session.exists[name]], torch.tensor(0.95).expand(int(callback.session.exists[name].sum()))
        )


@pytest.mark.parametrize("models", [(cnn(8),), (cnn(8), cnn(12))])
def test_factors_of_all_orientations_scale_the_weights(models):
    callback = factors_of(*models, start=0.5, shape=(4, 4, 4))
    parameters = callback.session.stack.parameters
    effective = callback.effective(parameters)
    names = {layer.name for layer in callback.session.layers}
    assert list(effective) == list(parameters)
    for name, value in effective.items():
        torch.testing.assert_close(value, parameters[name] * (0.5 if name in names else 1))


def test_put_is_the_inverse_of_canonical():
    callback = factors_of(mlp(8), mlp(8))
    values = {
        name: torch.arange(value.numel()).reshape(value.shape).float() for name, value in callback.canonical().items()
    }
    callback.put(values)
    for name, value in callback.canonical().items():
        assert torch.equal(value, values[name])
