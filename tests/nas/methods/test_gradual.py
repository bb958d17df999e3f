"""Gradual magnitude pruning: how many weights remain after each step, and which."""

from dataclasses import replace

import pytest
import torch

from nas.training import train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.gradual import Gradual, Shrink
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


class Watch(Shrink):
    """Records the masks after every step, and the values from which they were made."""

    def __init__(self, method):
        super().__init__(method)
        self.masks, self.weights = [], []

    def after_step(self, step):
        self.weights.append({name: weight.clone() for name, weight in self.session.weights().items()})
        super().after_step(step)
        self.masks.append(self.session.masks())

    @property
    def counts(self):
        return [count(masks).tolist() for masks in self.masks]


def watch(keep, *models, epochs=4, **options):
    """3 steps an epoch; a dense network of width 8 has 308 weights, one of width 16 has 532."""
    session = Session(
        [Member.of(model, seed) for seed, model in enumerate(models)],
        TASK,
        replace(OPTIONS, epochs=epochs),
        torch.device("cpu"),
        keep=keep,
    )
    callback = Watch(Gradual(**options))
    session.fit(callback=callback)
    return callback


def test_counts_follow_the_cubic_curve():
    # From step round(.25 · 12) = 3 to round(.75 · 12) = 9: 20 + 288 · (1 − (step − 3) / 6)³ after steps 3, 5, 7, 9: 308, 105.3, 30.7, 20.
    callback = watch([20], mlp(8), begin=0.25, until=0.75, interval=2)
    counts = [found for (found,) in callback.counts]
    assert counts == [308] * 5 + [105] * 2 + [31] * 2 + [20] * 3


def test_the_last_pruning_comes_with_the_end_of_the_schedule_whatever_the_interval():
    # Regular prunings after steps 0 and 5; 6 is the end.
    assert watch([20], mlp(8), until=0.5, interval=5).counts == [[308]] * 5 + [[21]] + [[20]] * 6


@pytest.mark.parametrize("options", [{"until": 1.0, "interval": 5}, {"begin": 1.0, "until": 1.0}, {"until": 0.0}])
def test_ends_with_the_exact_count_at_any_schedule(options):
    callback = watch([20], mlp(8), epochs=1, **options)
    assert count(callback.session.masks()).tolist() == [20]


def test_the_smallest_weights_of_all_layers_go_and_never_come_back():
    callback = watch([40], mlp(8), interval=1)
    for before, weights, after in zip(callback.masks, callback.weights[1:], callback.masks[1:], strict=False):
        kept = torch.cat([weights[name][mask].abs() for name, mask in after.items()])
        gone = torch.cat([weights[name][before[name] & ~mask].abs() for name, mask in after.items()])
        assert not any((mask & ~before[name]).any() for name, mask in after.items())
        if len(gone):
            assert gone.max() <= kept.min()


def test_every_network_of_a_padded_stack_ends_with_its_own_count():
    callback = watch([20, 100], mlp(8), mlp(16))
    assert callback.counts[0] == [308, 532]
    assert callback.counts[-1] == [20, 100]
    assert not any((mask & ~callback.session.exists[name]).any() for name, mask in callback.masks[-1].items())


def test_no_layer_is_emptied():
    callback = watch([4], mlp(8))
    assert [int(mask.sum()) for mask in callback.masks[-1].values()] == [1, 1, 1, 1]


def test_may_be_longer_than_one_training():
    result = train(mlp(8), TASK, OPTIONS, method=Gradual(length=1.5), density=0.1)
    assert len(result.losses) == 3  # of 2


@pytest.mark.parametrize(
    "options", [{"interval": 0}, {"length": 0.0}, {"begin": -0.1}, {"begin": 0.7, "until": 0.6}, {"until": 1.1}]
)
def test_refuses_schedules_that_there_cannot_be(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("gradual", options)
