"""Continuous sparsification: shifts by hand, gates that harden, the planned density, and the cut."""

from dataclasses import replace

import pytest
import torch

from nas.training import train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.continuous_sparsification import ContinuousSparsification, SoftGates, shifted
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def session_of(keep, *models, epochs=20):
    """3 steps an epoch; a dense network of width 8 has 308 weights, one of width 16 has 532."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Session(members, TASK, replace(OPTIONS, epochs=epochs), torch.device("cpu"), keep=keep)


@pytest.mark.parametrize("hardness", [1.0, 200.0])
def test_gates_are_shifted_to_the_density_however_hard_they_are(hardness):
    values = {"a": torch.tensor([[[0.0, 1.0, 2.0, 3.0]], [[0.0, 1.0, 2.0, 3.0]]])}
    masks = {"a": torch.tensor([[[True, True, True, True]], [[True, True, False, False]]])}
    wanted = torch.tensor([0.5, 0.3])
    found = shifted(values, hardness, masks, wanted)
    gates = torch.sigmoid(hardness * found["a"]) * masks["a"]
    torch.testing.assert_close(gates.flatten(1).sum(1) / torch.tensor([4, 2]), wanted, atol=1e-3, rtol=0)
    torch.testing.assert_close(found["a"].diff(dim=2), values["a"].diff(dim=2), atol=1e-5, rtol=0)


class Watch(SoftGates):
    """Records the mean gate and the share of undecided gates after every step; keeps what the cut replaces."""

    found: list

    def after_step(self, step):
        super().after_step(step)
        gates = torch.cat([torch.sigmoid(self.hardness * v).flatten(1) for v in self.canonical().values()], 1)
        undecided = ((gates > 0.05) & (gates < 0.95)).float().mean(1)
        self.found = [*getattr(self, "found", []), (gates.mean(1).tolist(), undecided.tolist())]

    def end(self):
        gates = {name: torch.sigmoid(self.hardness * value) for name, value in self.canonical().items()}
        self.products = {name: w * gates[name] for name, w in self.session.weights().items()}
        super().end()


def test_the_mean_gate_falls_to_the_target_and_gates_become_hard():
    # From ½ to 77 / 308 = ¼ within .5 · 60 = 30 steps: ½ · √½ = .354 after 15.
    session = session_of([77], mlp(8))
    callback = Watch(ContinuousSparsification(until=0.5, interval=1, rate=0.05, hardest=200.0))
    session.fit(callback=callback)
    means = [mean for ((mean,), _) in callback.found]
    assert means[14] == pytest.approx(0.354, abs=0.01)
    assert means[29:] == pytest.approx([0.25] * 31, abs=0.01)
    undecided = [share for _, (share,) in callback.found]
    assert undecided[0] > 0.9
    assert undecided[-1] < 0.5 * undecided[0]
    assert session.histories[0].notes["undecided"] == pytest.approx(undecided[-1], abs=1e-6)
    assert session.histories[0].notes["gate_density"] == pytest.approx(means[-1], abs=1e-6)


def test_kept_weights_are_multiplied_by_their_gates():
    session = session_of([40, 50], mlp(8), mlp(16))
    callback = Watch(ContinuousSparsification())
    session.fit(callback=callback)
    masks = session.masks()
    assert count(masks).tolist() == [40, 50]
    for name, weight in session.weights().items():
        torch.testing.assert_close(weight, callback.products[name] * masks[name])


def test_inputs_that_tell_nothing_lose_their_weights():
    # Inputs 0 to 7 are noise, inputs 8 to 15 the signal.
    noise = torch.Generator().manual_seed(1)

    def noisy(split):
        x = torch.from_numpy(split.x.copy()).flatten(1)
        x[:, :8] = torch.randn(len(x), 8, generator=noise)
        return replace(split, x=x.reshape(split.x.shape).numpy())

    task = replace(TASK, train=noisy(TASK.train), validation=noisy(TASK.validation), test=noisy(TASK.test))
    options = replace(OPTIONS, epochs=30, learning_rate=1e-2)
    kept = train(mlp(8), task, options, method="continuous-sparsification", density=0.1, seed=0).weights
    columns = (kept["hidden_1.weight"] != 0).sum(0)
    assert columns[8:].sum() > 2 * columns[:8].sum()


@pytest.mark.parametrize("options", [{"search": 0.0}, {"until": 1.5}, {"hardest": 0.5}, {"rate": 0.0}, {"interval": 0}])
def test_refuses_what_no_search_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("continuous-sparsification", options)
