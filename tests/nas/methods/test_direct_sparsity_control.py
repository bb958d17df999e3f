"""Direct sparsity control: the prescribed counts, by hand, and at every step of a training."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from nas.training import train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.direct_sparsity_control import Annealing, DirectSparsityControl, annealed
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


class Watch(Annealing):
    """Records the counts after every step."""

    def __init__(self, method):
        super().__init__(method)
        self.masks = []

    def after_step(self, step):
        super().after_step(step)
        self.masks.append(self.session.masks())

    @property
    def counts(self):
        return [count(masks).tolist() for masks in self.masks]


def watch(keep, *models, epochs=4, **options):
    """3 steps an epoch; a dense network of width 8 has 308 weights, one of width 16 has 532."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    session = Session(members, TASK, replace(OPTIONS, epochs=epochs), torch.device("cpu"), keep=keep)
    callback = Watch(DirectSparsityControl(**options))
    session.fit(callback=callback)
    return callback


@pytest.mark.parametrize(
    ("progress", "mu", "left"),
    [
        (0.0, 10, [1000, 100]),
        (0.25, 0, [505, 55]),  # 10 + 990 · .5 / 1
        (0.25, 10, [92, 17]),  # 10 + 990 · .5 / 6 = 92.5, 10 + 90 / 12 = 17.5
        (0.5, 10, [10, 10]),
        (1.0, 10, [10, 10]),
    ],
)
def test_the_prescribed_count(progress, mu, left):
    assert annealed(torch.tensor([1000, 100]), torch.tensor([10, 10]), progress, mu).tolist() == left


def test_counts_are_kept_to_at_every_step():
    # 12 steps, μ = 2, after every second: 8 + 300 · (1 − 2t) / (4t + 1): t = 1/6: 128, t = 1/3: 50.8, t = 1/2: 8.
    counts = [found for (found,) in watch([8], mlp(8), mu=2.0, interval=2).counts]
    assert counts == [308, 128, 128, 50, 50] + [8] * 7


def test_once_an_epoch():
    # t = 1/4: 8 + 300 · .5 / 2.
    counts = [found for (found,) in watch([8], mlp(8), mu=2.0, interval=0).counts]
    assert counts == [308] * 2 + [83] * 3 + [8] * 7


def test_weights_never_come_back():
    masks = watch([20], mlp(8), interval=1).masks
    for before, after in pairwise(masks):
        assert not any((after[name] & ~before[name]).any() for name in after)


def test_ends_exactly_however_few_steps_there_are():
    callback = watch([20, 100], mlp(8), mlp(16), epochs=1, interval=50)
    assert callback.counts[-1] == [308, 532]
    masks = callback.session.masks()
    assert count(masks).tolist() == [20, 100]
    assert not any((mask & ~callback.session.exists[name]).any() for name, mask in masks.items())


def test_may_be_longer_than_one_training():
    assert len(train(mlp(8), TASK, OPTIONS, method=DirectSparsityControl(length=1.5), density=0.1).losses) == 3


@pytest.mark.parametrize("options", [{"mu": -1.0}, {"interval": -1}, {"length": 0.0}])
def test_refuses_what_no_annealing_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("direct-sparsity-control", options)
