"""Gumbel gates: draws, the straight-through gradient, the density that is prescribed, by hand and in training."""

import math
from dataclasses import replace

import pytest
import torch

from nas.training import train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.gumbel import Gates, Gumbel, logistic, mean_gate, open_gates, shifted, straight_through
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def session_of(keep, *models, epochs=20):
    """3 steps an epoch; a dense network of width 8 has 308 weights, one of width 16 has 532."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Session(members, TASK, replace(OPTIONS, epochs=epochs), torch.device("cpu"), keep=keep)


def test_a_gate_is_open_as_often_as_its_logit_says():
    uniform = torch.rand(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gates = straight_through(math.log(0.2 / 0.8) + logistic(uniform), 3.0)
    assert gates.mean().item() == pytest.approx(0.2, abs=0.005)
    assert set(gates.unique().tolist()) == {0.0, 1.0}


def test_noise_of_the_ends_of_the_interval_is_finite():
    assert logistic(torch.tensor([-1.0, 0.0, 0.5, 1.0], dtype=torch.float64)).tolist() == pytest.approx(
        [-13.8, -13.8, 0.0, 13.8], abs=0.1
    )


def test_the_gradient_is_that_of_the_soft_gate():
    # σ(l / τ)(1 − σ(l / τ)) / τ: at l = 0 it is 1 / (4τ).
    logits = torch.tensor([0.0, 3.0], requires_grad=True)
    straight_through(logits, 3.0).sum().backward()
    soft = 1 / (1 + math.exp(-1))
    assert logits.grad.tolist() == pytest.approx([1 / 12, soft * (1 - soft) / 3])


def test_logits_are_shifted_to_the_density():
    logits = {"a": torch.tensor([[[0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]]])}
    masks = {"a": torch.tensor([[[True, True, True]], [[True, True, False]]])}
    wanted = torch.tensor([0.5, 0.3])
    found = shifted(logits, masks, wanted)
    torch.testing.assert_close(mean_gate(found, masks), wanted, atol=1e-3, rtol=0)
    torch.testing.assert_close(found["a"][0, 0], torch.tensor([-1.0, 0.0, 1.0]), atol=1e-2, rtol=0)
    assert open_gates(logits, masks).tolist() == pytest.approx([2 / 3, 1 / 2])


def test_planned_density_falls_geometrically_to_the_target():
    callback = Gates(Gumbel(until=0.5, logit=0.0))
    callback.begin(session_of([77], mlp(8)), 8)
    # 1/2 to 1/4 in 4 steps: 2 ** −1.25, −1.5, −1.75, −2.
    assert [callback.planned(step).item() for step in range(5)] == pytest.approx(
        [0.4204, 0.3536, 0.2973, 0.25, 0.25], abs=1e-4
    )


@pytest.mark.parametrize("density", [0.3, 0.05])
def test_the_gate_density_is_the_target_within_ten_percent(density):
    result = train(mlp(8), TASK, replace(OPTIONS, epochs=6), method="gumbel", density=density)
    kept = round(density * 308) / 308
    assert result.notes["gate_density"] == pytest.approx(kept, rel=0.1)
    assert sum(int((w != 0).sum()) for name, w in result.weights.items() if "weight" in name) == round(density * 308)
    assert 0 <= result.notes["open_gates"] <= 1


def test_every_network_of_a_padded_stack_ends_with_its_own_count():
    session = session_of([20, 100], mlp(8), mlp(16), epochs=4)
    session.fit(callback=Gates(Gumbel()))
    masks = session.masks()
    assert count(masks).tolist() == [20, 100]
    assert not any((mask & ~session.exists[name]).any() for name, mask in masks.items())
    assert [history.notes["gate_density"] for history in session.histories] == pytest.approx(
        [20 / 308, 100 / 532], rel=0.1
    )


def test_the_gates_of_a_network_do_not_depend_on_its_padding():
    drawn = []
    for models in ((mlp(8),), (mlp(8), mlp(16))):
        callback = Gates(Gumbel())
        callback.begin(session_of([20] * len(models), *models), 10)
        effective = callback.effective(callback.session.stack.parameters)
        name = callback.session.layers[1].name
        drawn.append(callback.session.stack.canonical(name, effective[name].detach())[0, :12, :8])
    assert torch.equal(*drawn)
    assert 0 < (drawn[0] == 0).sum() < 48  # σ(1) = .73 of 96 are open


def test_other_gates_at_every_step():
    callback = Gates(Gumbel())
    callback.begin(session_of([20], mlp(8)), 10)
    name, parameters = callback.session.layers[0].name, callback.session.stack.parameters
    first, again = callback.effective(parameters)[name], callback.effective(parameters)[name]
    callback.after_step(0)
    assert torch.equal(first, again)
    assert not torch.equal(first == 0, callback.effective(parameters)[name] == 0)


def test_the_last_evaluation_of_the_search_is_that_of_the_cut_network():
    session = session_of([40], mlp(8), epochs=2)
    session.fit(callback=Gates(Gumbel()))
    assert session.histories[0].accuracies[-1] == session.evaluate()[0]


@pytest.mark.parametrize(
    "options",
    [{"pretrain": -1.0}, {"search": 0.0}, {"until": 0.0}, {"rate": 0.0}, {"temperature": 0.0}, {"interval": 0}],
)
def test_refuses_what_no_search_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("gumbel", options)
