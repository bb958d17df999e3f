"""Sparse Momentum: growth divided among layers, moves by hand, and densities that shift to the layers that learn."""

from dataclasses import replace

import pytest
import torch

from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.method import begin
from nas.training.methods.sparse_momentum import Moves, SparseMomentum, divided, moved
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def bits(text):
    """The mask of one network, a word a unit."""
    return torch.tensor([[[c == "1" for c in row] for row in text.split()]])


def test_growth_is_divided_by_the_shares_and_sums_to_the_total():
    # 10 by 3 : 1 is 7.5 and 2.5: 7 and 2, the tenth to the first. The second network has room for 4 in the first layer.
    found = divided(
        torch.tensor([10, 10]),
        torch.tensor([[3.0, 1.0], [3.0, 1.0]], dtype=torch.float64),
        torch.tensor([[99, 99], [4, 99]]),
    )
    assert found.tolist() == [[8, 2], [4, 6]]


def test_layers_without_momentum_share_equally():
    zeros = torch.zeros(1, 2, dtype=torch.float64)
    assert divided(torch.tensor([6]), zeros, torch.tensor([[9, 9]])).tolist() == [[3, 3]]


def test_weights_move_to_the_layer_of_larger_momentum():
    # Each layer drops the smaller half of its four: a keeps 4 and 3, b keeps 8 and 7. The mean momentum of what stays is 3 in a, 1 in b:
    # of the 4 dropped, a grows 3, where its momentum is 9, 8, 7, and b grows 1, where it is 5.
    masks = {"a": bits("1111 0000"), "b": bits("1111 0000")}
    weights = {"a": torch.tensor([[[4.0, 3, 2, 1], [0, 0, 0, 0]]]), "b": torch.tensor([[[8.0, 7, 6, 5], [0, 0, 0, 0]]])}
    momentum = {
        "a": torch.tensor([[[3.0, 3, 0, 0], [9, 8, 7, 6]]]),
        "b": torch.tensor([[[1.0, 1, 0, 0], [2, 5, 4, 3]]]),
    }
    exists = {name: torch.ones_like(mask) for name, mask in masks.items()}
    found = moved(masks, weights, momentum, exists, 0.5)
    assert found["a"].equal(bits("1100 1110"))
    assert found["b"].equal(bits("1100 0100"))


def test_a_layer_is_never_emptied_and_padding_never_grown():
    masks = {"a": bits("1000 0000"), "b": bits("1111 1100")}
    exists = {"a": bits("1111 0000"), "b": bits("1111 1111")}
    ones = {name: torch.ones(1, 2, 4) for name in masks}
    found = moved(masks, ones, {"a": 9 * ones["a"], "b": ones["b"]}, exists, 0.99)
    assert found["a"].any()
    assert not (found["a"] & ~exists["a"]).any()
    assert count(found).equal(count(masks))


class Watch(Moves):
    """Records the counts of the layers after every step."""

    counts: list

    def after_step(self, step):
        super().after_step(step)
        masks = self.session.masks()
        self.counts = [*getattr(self, "counts", []), {name: int(mask.sum()) for name, mask in masks.items()}]


def watch(**options):
    """12 steps, 3 an epoch."""
    method, model = SparseMomentum(**options), mlp()
    begun, keep = begin(method, model, 0.3, 0, OPTIONS)
    session = Session([Member.of(begun, 0)], TASK, replace(OPTIONS, epochs=4), torch.device("cpu"), keep=[keep])
    callback = Watch(method)
    session.fit(callback=callback)
    return callback, keep


def test_layers_exchange_weights_after_every_epoch_and_the_total_stays():
    callback, keep = watch(until=1.0)
    assert all(sum(counts.values()) == keep for counts in callback.counts)
    changes = [step for step in range(1, 12) if callback.counts[step] != callback.counts[step - 1]]
    assert changes
    assert set(changes) <= {2, 5, 8}


def test_the_mask_rests_after_until():
    callback, _ = watch(until=0.5, interval=1)
    assert callback.counts[0] != callback.counts[4]
    assert all(counts == callback.counts[5] for counts in callback.counts[5:])


@pytest.mark.parametrize(
    "options", [{"fraction": 0.0}, {"fraction": 1.0}, {"smoothing": 1.0}, {"interval": -1}, {"until": 0.0}]
)
def test_refuses_moves_that_there_cannot_be(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("sparse-momentum", options)
