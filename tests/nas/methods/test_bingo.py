"""BINGO: the credit of a reset, computed by hand, and which weights are significant."""

from dataclasses import replace

import pytest
import torch

from nas.training import train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.bingo import Bingo, Resets
from nas.training.saliencies.random_order import uniform
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def session_of(keep, *models, epochs=4):
    """3 steps an epoch; a dense network of width 8 has 308 weights, one of width 16 has 532."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Session(members, TASK, replace(OPTIONS, epochs=epochs), torch.device("cpu"), keep=keep)


def test_the_rise_is_credited_by_distance_to_the_subset():
    session = session_of([20], mlp(8))
    callback = Resets(Bingo(fraction=0.3, warmup=0.0))
    callback.begin(session, 12)
    session.set_weights({name: 2 * weight for name, weight in session.weights().items()})  # moved by their own size
    losses = iter([torch.tensor([1.5]), torch.tensor([1.25])])  # reset, as it is: a rise of .25
    session.loss = lambda x, y, parameters=None: next(losses)
    callback.after_step(7)
    for name, draw in uniform(session, 32, 7).items():
        expected = torch.where(draw < 0.3, 0.25 * callback.first[name].abs(), 0.0)
        torch.testing.assert_close(callback.significance[name], expected)


def test_the_subset_and_nothing_else_is_reset():
    session = session_of([20], mlp(8))
    callback, seen = Resets(Bingo(fraction=0.3, warmup=0.0)), []
    callback.begin(session, 12)
    session.set_weights({name: weight + 1 for name, weight in session.weights().items()})
    before, loss = session.state(), session.loss
    session.loss = lambda x, y, parameters=None: (seen.append(parameters), loss(x, y, parameters))[1]
    callback.after_step(0)
    reset = seen[0]
    for name, draw in uniform(session, 32, 0).items():
        expected = torch.where(draw < 0.3, callback.first[name], callback.first[name] + 1)
        torch.testing.assert_close(session.stack.canonical(name, reset[name]), expected)
    assert torch.equal(reset["head.bias"], before.parameters["head.bias"])
    assert all(torch.equal(p, before.parameters[name]) for name, p in session.stack.parameters.items())


def test_weights_that_have_not_moved_are_not_significant():
    session = session_of([20], mlp(8))
    callback = Resets(Bingo(warmup=0.0))
    callback.begin(session, 12)
    callback.after_step(0)
    assert not any(value.any() for value in callback.significance.values())


def test_resets_begin_after_the_warmup_and_come_every_interval():
    session = session_of([20], mlp(8))
    callback, called = Resets(Bingo(warmup=0.25, interval=2)), []
    callback.begin(session, 12)
    session.loss = lambda x, y, parameters=None: torch.zeros(1)
    session.sample = lambda number: called.append(step) or (None, None)
    for step in range(12):
        callback.after_step(step)
    assert called == [4, 6, 8, 10]


def test_weights_of_dead_inputs_go():
    x = TASK.train.x.copy()
    x.reshape(48, 16)[:, :8] = 0
    task = replace(TASK, train=replace(TASK.train, x=x))
    session = Session([Member.of(mlp(8), 0)], task, replace(OPTIONS, epochs=6), torch.device("cpu"), keep=[100])
    session.fit(callback=Resets(Bingo()))
    mask = session.masks()["hidden_1.weight"][0]
    assert mask[:, 8:].sum() > 4 * mask[:, :8].sum()


def test_every_network_of_a_padded_stack_ends_with_its_own_count():
    session = session_of([20, 100], mlp(8), mlp(16))
    session.fit(callback=Resets(Bingo()))
    masks = session.masks()
    assert count(masks).tolist() == [20, 100]
    assert not any((mask & ~session.exists[name]).any() for name, mask in masks.items())


def test_costs_less_than_two_trainings():
    losses = train(mlp(8), TASK, replace(OPTIONS, epochs=5), method="bingo", density=0.2).losses
    assert len(losses) == 8  # 3 + 5


@pytest.mark.parametrize("options", [{"search": 0.0}, {"warmup": 1.0}, {"interval": 0}, {"fraction": 1.0}])
def test_refuses_what_no_search_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("bingo", options)
