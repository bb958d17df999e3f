"""GReg: the growth of the penalty, its gradient, which weights it spares, and that the others vanish."""

from dataclasses import replace

import pytest
import torch

from nas.training import train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.greg import Greg, Growing, chosen
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def session_of(keep, *models, **options):
    """3 steps an epoch; a dense network of width 8 has 308 weights, one of width 16 has 532."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Session(members, TASK, replace(OPTIONS, **options), torch.device("cpu"), keep=keep)


def growing(session, steps, **options):
    callback = Growing(Greg(**options))
    callback.begin(session, steps)
    return callback


def test_the_penalty_grows_to_the_ceiling_by_equal_amounts():
    callback = growing(session_of([20], mlp(8)), 8, ceiling=1.0, interval=2)
    assert [callback.strength(step) for step in range(8)] == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0]


def test_separation_grows_to_picking_first():
    callback = growing(session_of([20], mlp(8)), 8, separate=True, picking=0.5, ceiling=1.0, interval=2)
    assert [callback.strength(step) for step in range(8)] == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    callback = growing(session_of([20], mlp(8)), 8, separate=True, picking=0.1, ceiling=1.1, interval=1)
    assert [callback.strength(step) for step in range(8)] == pytest.approx(
        [0.025, 0.05, 0.075, 0.1, 0.35, 0.6, 0.85, 1.1]
    )


def test_only_weights_to_go_pay():
    session = session_of([20], mlp(8))
    callback = growing(session, 4, ceiling=0.4, interval=1)
    gradients = {name: torch.ones_like(p) for name, p in session.stack.parameters.items()}
    callback.on_gradients(0, gradients)  # λ = .1
    for name, weight in session.weights().items():
        expected = torch.where(callback.stays[name], 1.0, 1 + 0.1 * weight)
        torch.testing.assert_close(session.stack.canonical(name, gradients[name]), expected)
    assert (gradients["head.bias"] == 1).all()


def test_separation_taxes_all_and_then_picks():
    session = session_of([20], mlp(8))
    callback = growing(session, 4, separate=True)
    assert count(callback.stays).tolist() == [0]
    callback.after_step(0)
    assert count(callback.stays).tolist() == [0]
    callback.after_step(1)
    assert count(callback.stays).tolist() == [20]


def test_shares_of_the_layers():
    session = session_of([100], mlp(8))
    uniform, erk = (chosen(session, scope) for scope in ("uniform", "erk"))
    sizes = {name: int(mask.sum()) for name, mask in uniform.items()}
    # 100 / 308 of 128, 96, 36 and 48.
    assert sizes == pytest.approx(
        {"hidden_1.weight": 42, "hidden_2.weight": 31, "head.weight": 12, "skip.weight": 16}, abs=1
    )
    assert int(erk["head.weight"].sum()) > sizes["head.weight"]
    for scope in ("global", "uniform", "er", "erk"):
        masks = chosen(session, scope)
        assert count(masks).tolist() == [100]
        for name, weight in session.weights().items():
            if 0 < masks[name].sum() < masks[name].numel():
                assert weight.abs()[masks[name]].min() >= weight.abs()[~masks[name]].max()


def test_a_layer_that_holds_less_than_its_share_leaves_it_to_others():
    session = session_of([100], mlp(8))
    few = torch.zeros_like(session.exists["head.weight"])
    few[0, :, 0] = True
    session.set_masks({"head.weight": few})
    masks = chosen(session, "uniform")
    assert count(masks).tolist() == [100]
    assert torch.equal(masks["head.weight"], few)


class Norms(Growing):
    """Root mean squares of the weights to be removed and of the others, at the start and before the cut."""

    def begin(self, session, steps):
        super().begin(session, steps)
        self.before = self.size()

    def end(self):
        self.after = self.size()
        super().end()

    def size(self):
        gone = torch.cat([weight[~self.stays[name]] for name, weight in self.session.weights().items()])
        return float(gone.square().mean().sqrt())


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.03), ("sgd", 0.1)])
def test_weights_to_go_vanish_before_they_are_cut(optimizer, rate):
    session = session_of([60], mlp(8), epochs=20, learning_rate=rate, optimizer=optimizer)
    callback = Norms(Greg())
    session.fit(callback=callback)
    assert callback.after < 0.1 * callback.before
    assert count(session.masks()).tolist() == [60]


def test_without_a_penalty_they_do_not():
    session = session_of([60], mlp(8), epochs=12, learning_rate=0.03)
    callback = Norms(Greg(picking=1e-9, ceiling=1e-9))
    session.fit(callback=callback)
    assert callback.after > 0.5 * callback.before


@pytest.mark.parametrize("name", ["greg-1", "greg-2"])
def test_every_network_of_a_padded_stack_ends_with_its_own_count(name):
    session = session_of([20, 100], mlp(8), mlp(16))
    session.fit(callback=Growing(create(name)))
    masks = session.masks()
    assert count(masks).tolist() == [20, 100]
    assert not any((mask & ~session.exists[layer]).any() for layer, mask in masks.items())


def test_costs_two_trainings():
    for name in ("greg-1", "greg-2"):
        assert len(train(mlp(8), TASK, OPTIONS, method=name, density=0.2).losses) == 4  # of 2


def test_the_second_begins_with_all_weights():
    assert not create("greg-1").separate
    assert create("greg-2").separate


@pytest.mark.parametrize(
    "options",
    [{"picking": 0.0}, {"ceiling": 0.001}, {"interval": 0}, {"scope": "layer"}, {"pretrain": -0.1}, {"retrain": 0.0}],
)
def test_refuses_what_no_growth_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("greg-1", options)
