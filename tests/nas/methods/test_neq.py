"""Neurons at equilibrium: velocities by hand, frozen units do not move, skipped updates are counted."""

from dataclasses import replace

import pytest
import torch

from nas.training import train, train_population
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.method import begin
from nas.training.methods.neq import Freeze, Neq, by_unit
from nas.training.stack.stack import Member
from nas.training.testing import NETWORKS, OPTIONS, mlp, task_for
from onnx_graph.weight import weight_uses

TASK = task_for((1, 4, 4), 0)


def opened(network="mlp", *, copies=1, density=1.0, **options):
    make, shape, steps = NETWORKS[network]
    method, options = Neq(epsilon=1e9), replace(OPTIONS, **options)
    members = [Member.of(begin(method, make(), density, seed, options)[0], seed) for seed in range(copies)]
    return Session(members, task_for(shape, steps), options, torch.device("cpu"), keep=[0] * copies)


class Script(Freeze):
    """Freezes given units from the first epoch on, without comparing outputs."""

    def __init__(self, units):
        super().__init__(Neq())
        self.script = units

    def begin(self, session, steps):
        super().begin(session, steps)
        for name, units in self.script.items():
            self.frozen[name][:, units] = True
        self._held = self._hold()

    def _move(self, name, similarity):
        pass


def test_velocities_by_hand():
    # φ = .5, .9, .96, .97 gives Δφ = .4, .06, .01 and v = .4, .06 − .2 = −.14, .01 + .07 = .08.
    callback = Freeze(Neq(epsilon=0.15))
    callback.begin(opened(), 12)
    frozen = []
    for similarity in (0.5, 0.9, 0.96, 0.97):
        callback._move("head.weight", torch.tensor([[similarity, 0.1 * similarity, -similarity]]))
        frozen.append(callback.frozen["head.weight"][0].tolist())
    assert callback._velocity["head.weight"][0].tolist() == pytest.approx([0.08, 0.008, -0.08])
    # The second unit moves a tenth as fast. Without a second similarity nothing is frozen.
    assert frozen == [[False] * 3, [False, True, False], [True] * 3, [True] * 3]


def test_a_velocity_above_epsilon_frees_a_unit_again():
    callback = Freeze(Neq(epsilon=0.15))
    callback.begin(opened(), 12)
    for similarity in (0.5, 0.6, 0.9):
        callback._move("head.weight", torch.full((1, 3), similarity))
    # Δφ = .1, then .3 − .05 = .25.
    assert not callback.frozen["head.weight"].any()


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("options", [{"weight_decay": 0.1}, {"optimizer": "sgd", "learning_rate": 0.1}])
def test_frozen_rows_and_biases_do_not_change_and_others_do(copies, options):
    session = opened(copies=copies, **options)
    session.fit(2)  # leaves momentum behind
    before, units = session.state(), torch.tensor([0, 5, 11])
    session.fit(2, callback=Script({"hidden_2.weight": units}), within=(1, 3))
    weight, bias = session.weights()["hidden_2.weight"], session.stack.parameters["hidden_2.bias"].reshape(copies, -1)
    old = session.stack.canonical("hidden_2.weight", before.parameters["hidden_2.weight"])
    frozen = torch.zeros(12, dtype=torch.bool)
    frozen[units] = True
    assert weight[:, frozen].equal(old[:, frozen])
    assert (weight[:, ~frozen] != old[:, ~frozen]).any()
    old_bias = before.parameters["hidden_2.bias"].reshape(copies, -1)
    assert bias[:, frozen].equal(old_bias[:, frozen])
    assert (bias[:, ~frozen] != old_bias[:, ~frozen]).any()
    assert (
        session.weights()["hidden_1.weight"]
        != session.stack.canonical("hidden_1.weight", before.parameters["hidden_1.weight"])
    ).any()


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_a_recurrent_unit_is_frozen_in_all_gates_both_matrices_and_the_bias(cell, gates):
    session = opened(cell)
    before = {name: tensor.detach().clone() for name, tensor in session.stack.parameters.items()}
    session.fit(2, callback=Script({session.layers[0].name: torch.tensor([3])}))
    for layer in session.layers[:2]:
        new, old = (t.reshape(gates, 8, -1) for t in (session.stack.parameters[layer.name], before[layer.name]))
        assert new[:, 3].equal(old[:, 3])
        assert (new[:, 4] != old[:, 4]).all()
    biases = [name for name, tensor in before.items() if tensor.shape == (1, 2 * gates * 8)]
    assert len(biases) == 1
    new, old = (t.reshape(2 * gates, 8) for t in (session.stack.parameters[biases[0]], before[biases[0]]))
    assert new[:, 3].equal(old[:, 3])
    assert (new[:, 4] != old[:, 4]).any()


@pytest.mark.parametrize("network", list(NETWORKS))
def test_outputs_are_told_apart_by_unit(network):
    make, shape, steps = NETWORKS[network]
    model = make()
    session = Session([Member.of(model, 0)], task_for(shape, steps), OPTIONS, torch.device("cpu"), keep=[0])
    callback = Freeze(Neq(examples=7))
    callback.begin(session, 3)
    for name, units in callback.units.items():
        assert callback._outputs[name].shape[:2] == (1, units.size)
        assert callback._outputs[name].shape[2] % 7 == 0
        torch.testing.assert_close(callback._outputs[name].norm(dim=2), torch.ones(1, units.size))


def test_states_of_a_recurrent_operator_by_unit():
    # (steps, directions, batch, hidden) → units of the first direction, then of the second.
    use = next(use for use in weight_uses(NETWORKS["gru"][0]()) if use.weight.operator == "GRU")
    value = torch.arange(2 * 2 * 3 * 4).reshape(1, 2, 2, 3, 4)
    found = by_unit(use, value)
    assert found.shape == (1, 8, 6)
    assert found[0, 5].tolist() == value[0, :, 1, :, 1].flatten().tolist()


def test_notes_the_share_of_updates_that_were_skipped():
    # Velocities exist after 2 of 5 epochs; with a huge ε all units rest in the other 3.
    options = replace(OPTIONS, epochs=5)
    assert train(mlp(), TASK, options, method=Neq(epsilon=1e9), density=1.0).notes == {"skipped": pytest.approx(0.6)}
    assert train(mlp(), TASK, options, method=Neq(epsilon=0.0), density=1.0).notes == {"skipped": 0.0}


def test_without_rest_the_training_is_that_of_the_static_mask():
    found = train(mlp(), TASK, OPTIONS, method=Neq(epsilon=0.0), density=0.4, seed=1)
    plain = train(mlp(), TASK, OPTIONS, method="static", density=0.4, seed=1)
    assert all(found.weights[name].tobytes() == array.tobytes() for name, array in plain.weights.items())


def test_masked_rows_and_padding_are_not_counted():
    # Units 0 to 6 of the first layer have no weights; one unit of 8 + 12 + 3 + 3 is counted as skipped.
    session = opened()
    mask = session.masks()
    mask["hidden_1.weight"] = mask["hidden_1.weight"].clone()
    mask["hidden_1.weight"][:, :7] = False
    session.set_masks(mask)
    session.fit(1, callback=Script({"hidden_1.weight": torch.arange(8)}))
    counted = 9 + 12 + 3 + 3
    assert session.histories[0].notes["skipped"] == pytest.approx(1 / counted)


def test_a_padded_network_rests_as_it_does_alone():
    options = replace(OPTIONS, epochs=5)
    method = Neq(epsilon=0.002)
    found = train_population([mlp(8), mlp(16)], TASK, options, seeds=[1, 2], method=method, density=0.5)[0]
    alone = train(mlp(8), TASK, options, seed=1, method=method, density=0.5)
    assert 0.1 < alone.notes["skipped"] < 0.59
    assert found.notes["skipped"] == pytest.approx(alone.notes["skipped"])  # type: ignore[union-attr]


@pytest.mark.parametrize("options", [{"momentum": 1.0}, {"epsilon": -1.0}, {"examples": 0}])
def test_refuses_what_no_velocity_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("neq", options)
