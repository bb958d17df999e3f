"""Chase: global drop and growth, removed units, and their traces in the exported network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import onnx_graph
from nas.training import apply_result, train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.masks.living import living
from nas.training.methods import MethodError, create
from nas.training.methods.chase import ChannelsLeave, Chase, hidden, moved_globally, staying
from nas.training.methods.method import begin
from nas.training.stack.stack import Member
from nas.training.stack.weight_layer import layers
from nas.training.testing import NETWORKS, OPTIONS, cnn, mlp, task_for
from onnx_graph.weight import masks, weights
from search_spaces.network_builder import NetworkBuilder


def bits(*rows):
    return torch.tensor([[[c == "1" for c in row] for row in rows]])


def chain(first=20, second=10):
    """16 inputs, two hidden layers, 3 outputs, no skip weight."""
    builder = NetworkBuilder((1, 4, 4), "mlp")
    x = builder.flatten(builder.input)
    for number, width in enumerate((first, second), 1):
        x = builder.activation(builder.gemm(x, width, f"hidden_{number}"), "relu", f"activation_{number}")
    builder.finish(builder.gemm(x, 3, "head"))
    return builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})


def convolutions(channels=8):
    """Two convolutions, normalised, flattened into a head."""
    builder = NetworkBuilder((4, 4, 4), "cnn")
    x = builder.input
    for number in (1, 2):
        x = builder.convolution(x, channels, 3, f"conv_{number}", bias=False)
        x = builder.activation(builder.batch_norm(x, f"norm_{number}"), "relu", f"activation_{number}")
    builder.finish(builder.gemm(builder.flatten(x), 3, "head"))
    return builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})


def test_the_smallest_of_all_layers_go_and_the_best_of_all_come():
    # 2 of 6 move: .1 and .2, both of layer a; 9 and 8 come, both in layer b.
    held = {"a": bits("1110", "0000"), "b": bits("1110", "0000")}
    magnitude = {
        "a": torch.tensor([[[0.1, 0.2, 0.5, 0], [0.0] * 4]]),
        "b": torch.tensor([[[0.7, 0.6, 0.8, 0], [0.0] * 4]]),
    }
    growth = {
        "a": torch.tensor([[[99.0, 99, 99, 1], [2.0, 1, 1, 1]]]),
        "b": torch.tensor([[[99.0, 99, 99, 1], [9.0, 3, 8, 3]]]),
    }
    everything = {name: torch.ones_like(mask) for name, mask in held.items()}
    moved = moved_globally(held, magnitude, growth, everything, torch.tensor([2]))
    # Every layer grows one at least: 9 is b's best, 2 is a's.
    assert moved["a"].equal(bits("0010", "1000"))
    assert moved["b"].equal(bits("1110", "1000"))


def test_weights_that_must_go_are_grown_elsewhere_even_if_nothing_else_moves():
    held = {"a": bits("1100", "1100")}
    allowed = {"a": bits("1111", "0000")}
    zeros = {"a": torch.zeros(1, 2, 4)}
    assert moved_globally(held, zeros, zeros, allowed, torch.tensor([0]))["a"].equal(bits("1111", "0000"))
    assert moved_globally(held, zeros, zeros, allowed, torch.tensor([4]))["a"].equal(bits("1111", "0000"))


def test_how_many_units_stay():
    found = staying(torch.tensor([100, 10, 5, 1]), torch.tensor([0.6]))
    assert found.tolist() == [60, 6, 3, 1]
    assert staying(torch.tensor([8]), torch.tensor([0.6])).tolist() == [4]


def test_hidden_units_are_those_that_may_leave():
    def names(model):
        return [units.layers[0].name for units in hidden(layers(model))]

    assert names(mlp()) == ["hidden_1.weight", "hidden_2.weight"]
    assert names(cnn()) == ["plain.weight", "grouped.weight"]
    recurrent = hidden(layers(NETWORKS["gru"][0]()))
    assert [len(units.layers) for units in recurrent] == [2]
    assert recurrent[0].size == 8


def test_rows_of_a_recurrent_unit_are_those_of_all_its_gates():
    (units,) = hidden(layers(NETWORKS["gru"][0]()))
    one = torch.zeros(1, 8, dtype=torch.bool)
    one[0, 2] = True
    assert units.rows(one)[0].nonzero().flatten().tolist() == [2, 10, 18]
    assert units.total(torch.ones(1, 24, 5))[0].tolist() == [15] * 8


def test_columns_that_read_a_unit_that_is_gone_are_gone_too():
    # Channel 1 of conv_1 is gone: column 1 of conv_2. Channel 0 of conv_2: columns 0 to 15 of the head.
    model = convolutions()
    kept = {layer.name: np.ones(layer.weight.shape, np.bool_) for layer in layers(model)}
    kept["conv_1.weight"][1] = False
    kept["conv_2.weight"][0] = False
    found = living(model, kept)
    assert found["conv_1.weight"].sum(axis=(1, 2, 3)).tolist() == [36, 0, *[36] * 6]
    assert found["conv_2.weight"].any(axis=(2, 3))[1].tolist() == [True, False, *[True] * 6]
    assert found["head.weight"][0].tolist() == [False] * 16 + [True] * 112


class Watch(ChannelsLeave):
    """Records counts, units and masks after every step."""

    def __init__(self, method):
        super().__init__(method)
        self.counts, self.alive_counts, self.wrong = [], [], 0

    def after_step(self, step):
        super().after_step(step)
        held = self.session.masks()
        self.counts.append(count(held).tolist())
        self.alive_counts.append(sum(alive.sum(1) for alive in self.alive.values()).tolist())
        self.wrong += sum(int((mask & ~self.allowed[name]).sum()) for name, mask in held.items()) * self.due(step)


def watch(*models, shape=(1, 4, 4), steps=0, density=0.2, epochs=4, **options):
    """3 steps an epoch."""
    method, training = Chase(**options), replace(OPTIONS, epochs=epochs)
    begun = [begin(method, model, density, seed, training) for seed, model in enumerate(models)]
    members = [Member.of(model, seed) for seed, (model, _) in enumerate(begun)]
    session = Session(members, task_for(shape, steps), training, torch.device("cpu"), keep=[keep for _, keep in begun])
    callback = Watch(method)
    session.fit(callback=callback)
    return callback


@pytest.mark.parametrize("by", ["gradient", "random"])
def test_the_number_of_weights_never_changes(by):
    callback = watch(chain(), chain(12, 6), interval=1, by=by)
    assert all(counts == callback.session.keep.tolist() for counts in callback.counts)
    assert callback.wrong == 0


def test_units_leave_along_the_cubic_curve():
    # 30 hidden units, 12 of them to go by step ceil(.75 · 12) − 1 = 8: 30 − 12 · (1 − (1 − step / 8)³) after 2, 4, 6, 8.
    callback = watch(chain(), interval=2)
    alive = [found for (found,) in callback.alive_counts]
    assert alive == [30, 30, 23, 23, 20, 20, 18, 18, 18, 18, 18, 18]


@pytest.mark.parametrize("until", [0.01, 0.5, 1.0])
def test_a_training_shorter_than_the_interval_loses_its_units_all_the_same(until):
    callback = watch(chain(), epochs=1, interval=1000, until=until)
    assert callback.alive_counts[-1] == [18]


def test_a_layer_keeps_its_floor():
    # 24 of 30 units go: the strongest left would be all of one layer.
    callback = watch(chain(), units=0.8, floor=0.1, density=0.05)
    assert callback.alive_counts[-1] == [6]
    assert [int(floor) for floor in callback._floors.values()] == [2, 1]
    assert all(int(callback.alive[name].sum()) >= int(floor) for name, floor in callback._floors.items())


def test_a_floor_that_leaves_no_room_gives_way_to_equal_shares():
    # 20 % of the units of each layer: 4 · 16 + 2 · 4 + 3 · 2 = 78 of 550 weights. 60 %: 12 · 16 + 6 · 12 + 3 · 6 = 282.
    method = Chase()
    assert method.room(chain(), 0.2) == 78
    assert method.room(chain(), 0.6) == 282
    callback = watch(chain(), density=0.5)
    assert {name: int(alive.sum()) for name, alive in callback.alive.items()} == {
        "hidden_1.weight": 12,
        "hidden_2.weight": 6,
    }
    assert callback.counts[-1] == [275]


def test_the_weakest_unit_goes_first():
    callback = Watch(Chase(units=0.05))
    session = Session([Member.of(chain(), 0)], task_for((1, 4, 4), 0), OPTIONS, torch.device("cpu"), keep=[100])
    callback.begin(session, 6)
    weight = {name: value.clone() for name, value in session.weights().items()}
    weight["hidden_2.weight"][:, 7] *= 0.01
    weight["hidden_1.weight"][:, 3] = 0
    session.set_weights(weight)
    callback._remove(1.0)  # 2 of 30 go
    assert (~callback.alive["hidden_1.weight"][0]).nonzero().flatten().tolist() == [3]
    assert (~callback.alive["hidden_2.weight"][0]).nonzero().flatten().tolist() == [7]


@pytest.mark.parametrize(
    ("make", "shape", "units"), [(chain, (1, 4, 4), 30), (convolutions, (4, 4, 4), 16)], ids=["mlp", "cnn"]
)
def test_the_exported_network_has_40_percent_fewer_units(make, shape, units, tmp_path):
    result = train(make(), task_for(shape, 0), OPTIONS, method="chase", density=0.2)
    shrunk = onnx_graph.shrink(apply_result(make(), result))
    sizes = [weight.shape[0] for weight in weights(shrunk)]
    assert sizes[-1] == 3
    assert sum(sizes[:-1]) <= 0.6 * units
    dense = onnx_graph.save(make(), tmp_path / "dense.onnx")
    assert onnx_graph.save(shrunk, tmp_path / "shrunk.onnx") < 0.7 * dense


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_recurrent_unit_leaves_both_matrices_and_the_head(cell):
    make, shape, steps = NETWORKS[cell]
    result = train(make(), task_for(shape, steps), OPTIONS, method="chase", density=0.2)
    (inputs, loops, head) = masks(apply_result(make(), result)).values()
    gates = len(inputs) // 8
    living = inputs.reshape(gates, 8, -1).any((0, 2)) | loops.reshape(gates, 8, -1).any((0, 2))
    assert living.sum() <= 4
    assert not loops[:, ~living].any()
    assert not head[:, ~living].any()


def test_other_units_leave_when_other_weights_are_small():
    first, second = (
        train(chain(), task_for((1, 4, 4), 0), OPTIONS, method="chase", density=0.2, seed=seed) for seed in (0, 1)
    )
    gone = [~masks(apply_result(chain(), result))["hidden_1.weight"].any(1) for result in (first, second)]
    assert (gone[0] != gone[1]).any()


@pytest.mark.parametrize("options", [{"units": 1.0}, {"units": -0.1}, {"floor": 0.7}, {"fraction": 0.0}])
def test_refuses_shares_that_there_cannot_be(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("chase", options)


def test_refuses_more_weights_than_the_units_that_stay_have_room_for():
    with pytest.raises(MethodError, match="room for 282 weights, not for 330"):
        train(chain(), task_for((1, 4, 4), 0), OPTIONS, method="chase", density=0.6)
