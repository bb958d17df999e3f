"""Drop and grow: SET and RigL, one layer at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nas.training import train, train_population
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.grow import DropAndGrow, Grow, moved
from nas.training.methods.method import begin
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, cnn, mlp, rnn, task_for

ALL = torch.ones(1, 2, 4, dtype=torch.bool)


def bits(*rows):
    """A mask from text, a row a unit; several networks are separated by a slash."""
    networks = " ".join(rows).split("/")
    return torch.tensor([[[c == "1" for c in row] for row in network.split()] for network in networks])


def test_drops_the_smallest_and_grows_the_largest():
    # Half of 4 weights move: .1 and .2 go; of the free ones 8 and 7 come. Saliencies where nothing may be dropped or grown mean nothing.
    magnitude = torch.tensor([[[0.9, 0.1, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0]]])
    growth = torch.tensor([[[99.0, 99.0, 5.0, 7.0], [99.0, 99.0, 8.0, 6.0]]])
    assert moved(bits("1100 1100"), magnitude, growth, ALL, 0.5).equal(bits("1001 0110"))


def test_a_dropped_weight_is_not_grown_at_once():
    # The dropped weight has the largest gradient of all; the next best comes.
    magnitude = torch.tensor([[[0.9, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    growth = torch.tensor([[[0.0, 9.0, 1.0, 0.0], [0.0, 2.0, 0.0, 0.0]]])
    assert moved(bits("1100 0000"), magnitude, growth, ALL, 0.5).equal(bits("1000 0100"))


def test_every_network_moves_its_own_share_and_nothing_grows_in_padding():
    # The first network has 4 weights and moves 2; the second 2 weights, of which 1, and no second row.
    exists = bits("1111 1111 / 1111 0000")
    magnitude = torch.tensor([[[4.0, 3, 0, 0], [2, 1, 0, 0]], [[1.0, 2, 0, 0], [0, 0, 0, 0]]])
    growth = torch.tensor([[[0.0, 0, 1, 2], [0, 0, 3, 4]], [[0.0, 0, 1, 2], [3, 4, 5, 6]]])
    found = moved(bits("1100 1100 / 1100 0000"), magnitude, growth, exists, 0.5)
    assert found.equal(bits("1100 0011 / 0101 0000"))


def test_ties_keep_the_count():
    zeros = torch.zeros(1, 2, 4)
    assert moved(bits("1100 1100"), zeros, zeros, ALL, 0.5).equal(bits("1111 0000"))


def test_a_layer_with_one_free_place_moves_one_weight_and_a_full_one_none():
    magnitude = torch.tensor([[[5.0, 1, 6, 7], [8, 9, 4, 0]]])
    assert moved(bits("1111 1110"), magnitude, torch.ones(1, 2, 4), ALL, 0.5).equal(bits("1011 1111"))
    assert moved(ALL, magnitude, torch.ones(1, 2, 4), ALL, 0.5).equal(ALL)


class Watch(DropAndGrow):
    """Records the mask before and after every step, and the gradients that decide the move."""

    def __init__(self, method):
        super().__init__(method)
        self.masks, self.found, self.moves = [], [], {}

    def on_gradients(self, step, gradients):
        super().on_gradients(step, gradients)
        self.found = {
            layer.name: self.session.stack.canonical(layer.name, gradients[layer.name]).abs().clone()
            for layer in self.session.layers
        }

    def after_step(self, step):
        before = self.session.masks()
        super().after_step(step)
        after = self.session.masks()
        self.masks.append(after)
        if self.due(step):
            self.moves[step] = (before, after, self.found, {k: w.clone() for k, w in self.session.weights().items()})


def watch(method, *models, epochs=4, shape=(1, 4, 4), steps=0, density=0.3):
    """A training of 3 steps an epoch under watch."""
    options = replace(OPTIONS, epochs=epochs)
    begun = [begin(method, model, density, seed, options) for seed, model in enumerate(models)]
    members = [Member.of(model, seed) for seed, (model, _) in enumerate(begun)]
    session = Session(members, task_for(shape, steps), options, torch.device("cpu"), keep=[keep for _, keep in begun])
    callback = Watch(method)
    session.fit(callback=callback)
    return callback


NETWORKS = {
    "mlp": ((mlp(8), mlp(16)), (1, 4, 4), 0),
    "cnn": ((cnn(8), cnn(8)), (4, 4, 4), 0),
    "gru": ((rnn("gru"),), (5, 4), 5),
}


@pytest.mark.parametrize("by", ["random", "gradient"])
@pytest.mark.parametrize("network", list(NETWORKS))
def test_counts_by_layer_are_the_same_after_every_step_and_weights_do_move(by, network):
    models, shape, steps = NETWORKS[network]
    callback = watch(Grow(by=by, interval=2, until=1.0), *models, shape=shape, steps=steps)
    assert list(callback.moves) == [2, 4, 6, 8, 10]
    first, last = callback.masks[0], callback.masks[-1]
    for masks in callback.masks:
        for name, mask in masks.items():
            assert mask.flatten(1).sum(1).equal(first[name].flatten(1).sum(1))
            assert not (mask & ~callback.session.exists[name]).any()
    assert any((first[name] != last[name]).any() for name in first)


def test_rigl_grows_where_the_gradient_is_largest():
    callback = watch(create("rigl", {"interval": 3, "until": 1.0}), mlp())
    for before, after, gradient, weights in callback.moves.values():
        for name in before:
            grown = after[name] & ~before[name]
            left_out = callback.session.exists[name] & ~before[name] & ~grown
            if grown.any() and left_out.any():
                assert gradient[name][grown].min() >= gradient[name][left_out].max()
            # Grown weights start from zero.
            assert (weights[name][grown] == 0).all()
    assert any(
        (after["hidden_1.weight"] & ~before["hidden_1.weight"]).any() for before, after, *_ in callback.moves.values()
    )


def test_set_grows_elsewhere_than_the_gradient_says():
    grown = []
    for name in ("set", "rigl"):
        before, after, *_ = watch(create(name, {"interval": 3}), mlp()).moves[3]
        grown.append({key: after[key] & ~before[key] for key in before})
    # Both drop the same weights in the first move, so they grow the same number in each layer.
    assert all(a.sum() == b.sum() for a, b in zip(grown[0].values(), grown[1].values(), strict=True))
    assert any((grown[0][key] != grown[1][key]).any() for key in grown[0])


@pytest.mark.parametrize("by", ["random", "gradient"])
def test_a_padded_network_moves_as_it_does_alone(by):
    method, task = Grow(by=by, interval=2, until=1.0), task_for((1, 4, 4), 0)
    found = train_population([mlp(8), mlp(16)], task, OPTIONS, seeds=[1, 2], method=method, density=0.3)[0]
    alone = train(mlp(8), task, OPTIONS, seed=1, method=method, density=0.3)
    for name, array in alone.weights.items():
        np.testing.assert_allclose(found.weights[name], array, atol=1e-5)  # type: ignore[union-attr]


def test_the_share_falls_to_zero_and_the_mask_rests_after_until():
    # 12 steps, moves at 2, 4, 6, 8 of until · 12 = 9: shares .9 · (1 + cos(π·step / 9)) / 2 = .79, .53, .22, .03.
    callback = watch(Grow(fraction=0.9, interval=2, until=0.75), mlp(16), density=0.3)
    shares = []
    for before, after, *_ in callback.moves.values():
        name = "hidden_2.weight"
        shares.append(float((before[name] & ~after[name]).sum() / before[name].sum()))
    assert list(callback.moves) == [2, 4, 6, 8]
    assert shares == pytest.approx([0.79, 0.53, 0.22, 0.03], abs=0.03)
    assert all(mask.equal(callback.masks[-1][name]) for name, mask in callback.masks[8].items())


@pytest.mark.parametrize(
    "options", [{"by": "hope"}, {"fraction": 0.0}, {"fraction": 1.0}, {"interval": 0}, {"until": 0.0}, {"until": 1.1}]
)
def test_refuses_moves_that_there_cannot_be(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("rigl", options)
