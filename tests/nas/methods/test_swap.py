"""Swap search: what is exchanged, by hand; what is worse is taken back; the loss never rises."""

from dataclasses import replace

import pytest
import torch

from nas.training import train, train_population
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.swap import Swap, Swaps, swapped, worth
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def bits(text):
    """The mask of one network, a word a unit."""
    return torch.tensor([[[c == "1" for c in row] for row in text.split()]])


def test_removal_costs_and_growth_gains_by_hand():
    # Removal: ½ · 2 · 3² = 9 and 0. Growth: h + mean h is 3 and 1: 6² / 6 = 6 and 2² / 2 = 2.
    cost, gain = worth(
        {"a": torch.tensor([[[3.0, 0.0]]])},
        {"a": torch.tensor([[[6.0, 2.0]]])},
        {"a": torch.tensor([[[2.0, 0.0]]])},
        {"a": bits("11")},
    )
    assert cost["a"].tolist() == [[[9.0, 0.0]]]
    assert gain["a"].tolist() == [[[6.0, 2.0]]]


def test_the_cheapest_goes_for_the_most_promising():
    # Greedy without limit, so that the draws do not matter.
    masks, exists = {"a": bits("1111 0000")}, {"a": bits("1111 1110")}
    cost = {"a": torch.tensor([[[4.0, 1, 2, 3], [0, 0, 0, 0]]])}
    gain = {"a": torch.tensor([[[9.0, 9, 9, 9], [1, 3, 2, 8]]])}
    draws = [{"a": torch.full((1, 2, 4), 0.5)} for _ in range(2)]
    found = swapped(masks, exists, cost, gain, draws, torch.tensor([2]), 1e6)
    assert found["a"].equal(bits("1001 0110"))


def test_a_layer_keeps_a_weight_and_a_full_network_stays():
    masks = {"a": bits("1000"), "b": bits("1111")}
    exists = {"a": bits("1111"), "b": bits("1111")}
    cost = {"a": torch.zeros(1, 1, 4), "b": torch.ones(1, 1, 4)}
    draws = [{name: torch.full((1, 1, 4), 0.5) for name in masks} for _ in range(2)]
    found = swapped(masks, exists, cost, cost, draws, torch.tensor([4]), 1.0)
    assert found["a"].any()
    assert int(count(found)) == 5
    full = {"b": masks["b"]}
    same = swapped(full, {"b": exists["b"]}, {"b": cost["b"]}, {"b": cost["b"]}, draws, torch.tensor([1]), 1.0)
    assert same["b"].equal(masks["b"])


def session_of(keep, *models, epochs=20):
    """3 steps an epoch."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    options = replace(OPTIONS, epochs=epochs, learning_rate=3e-2)
    session = Session(members, TASK, options, torch.device("cpu"), keep=keep)
    session.prune({name: weight.abs() for name, weight in session.weights().items()})
    return session


class Watch(Swaps):
    """Records the loss before and after every comparison, and whether the mask that it left is the best one's."""

    def __init__(self, method):
        super().__init__(method)
        self.found = []

    def compare(self):
        before, best = self.loss(), self.best
        super().compare()
        self.found.append((best, before, self.loss()))


@pytest.mark.slow
@pytest.mark.parametrize("models", [(mlp(8),), (mlp(8), mlp(16))], ids=["single", "stacked"])
def test_a_worse_loss_is_never_accepted(models):
    session = session_of([30] * len(models), *models)
    session.fit(40)  # most swaps of a trained network are for the worse
    callback = Watch(Swap(interval=2, fraction=0.5, rate=1.0, greed=0.0))
    session.fit(callback=callback)
    assert callback.proposed > 5
    worse = 0
    for best, before, after in callback.found:
        torch.testing.assert_close(after, torch.minimum(best, before))
        worse += int((before > best).sum())
    assert worse > 0
    assert (callback.best <= callback.found[0][0]).all()
    torch.testing.assert_close(callback.loss(), callback.best)
    assert count(session.masks()).tolist() == [30] * len(models)
    for name, weight in session.weights().items():
        assert (weight[~session.masks()[name]] == 0).all()


def test_some_swaps_are_accepted_and_noted():
    session = session_of([30], mlp(8), epochs=40)
    before = session.masks()
    session.fit(callback=Swaps(Swap(interval=4, fraction=0.1, rate=1.0)))
    assert 0 < session.histories[0].notes["swaps"] <= 1
    after = session.masks()
    assert any((before[name] != after[name]).any() for name in before)


def test_the_trainings_of_the_finder_are_counted():
    result = train(mlp(), TASK, OPTIONS, method=create("swap", {"search": 0.5}), density=0.2)
    assert len(result.losses) == 2 * OPTIONS.epochs + 1  # espn takes two trainings


def test_a_padded_network_swaps_as_it_does_alone():
    method = Swap(by="gradual", interval=2, fraction=0.2, greed=1.0)
    found = train_population([mlp(8), mlp(16)], TASK, OPTIONS, seeds=[1, 2], method=method, density=0.3)[0]
    alone = train(mlp(8), TASK, OPTIONS, seed=1, method=method, density=0.3)
    for name, array in alone.weights.items():
        assert ((found.weights[name] != 0) == (array != 0)).all()
        assert abs(found.weights[name] - array).max() < 5e-3


@pytest.mark.parametrize(
    "options",
    [
        {"by": "rigl"},
        {"search": 0.0},
        {"fraction": 1.0},
        {"interval": 0},
        {"probes": 0},
        {"greed": -1.0},
        {"rate": 0.0},
    ],
)
def test_refuses_what_no_search_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("swap", options)
