"""SNIP and GraSP: worked saliencies, numerical checks on every kind of layer, and the kept weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nas.training import train, train_population
from nas.training.loop import selection
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.grasp import Grasp
from nas.training.methods.method import begin
from nas.training.methods.snip import Snip
from nas.training.options import TrainingOptions
from nas.training.stack.stack import Member
from nas.training.testing import NETWORKS, OPTIONS, task_for
from onnx_graph.weight import masks, set_weights, weights
from search_spaces.network_builder import NetworkBuilder


def linear(rows):
    """Logits W·x with this W."""
    builder = NetworkBuilder((1, 1, len(rows[0])), "linear")
    builder.finish(builder.gemm(builder.flatten(builder.input), len(rows), "head"))
    model = builder.model({"head.weight": np.ones((len(rows), len(rows[0])), bool)})
    set_weights(model, {"head.weight": np.array(rows, np.float32)})
    return model


def session_of(*models, method, shape, steps=0, density=0.4, options=OPTIONS):
    begun = [begin(method, model, density, 5 + i, options) for i, model in enumerate(models)]
    members = [Member.of(model, 5 + i) for i, (model, _) in enumerate(begun)]
    return Session(members, task_for(shape, steps), options, torch.device("cpu"), keep=[keep for _, keep in begun])


def on(session, method, x, y):
    """Saliencies of the single weight on one example."""
    found = method.saliencies(session, [(torch.tensor([x], dtype=torch.float32), torch.tensor([y]))])
    return next(iter(found.values()))[0]


KEEP = replace(OPTIONS, init="keep")


def test_snip_by_hand():
    # x = (1, 2), logits (1−2, ½+4) = (−1, 4.5), p₀ = 1/(1+e^5.5) = .00407, class 0: gradient of the logits (p₀−1, 1−p₀) = ∓.99593.
    # g = [−.99593·(1, 2), .99593·(1, 2)], |g·w| with w = [1, −1; .5, 2]:
    session = session_of(linear([[1, -1], [0.5, 2]]), method=Snip(), shape=(1, 1, 2), density=0.5, options=KEEP)
    found = on(session, Snip(), [[[1, 2]]], 0)
    torch.testing.assert_close(found, torch.tensor([[0.99593, 1.99186], [0.49797, 3.98372]]), atol=1e-4, rtol=0)


def test_grasp_by_hand():
    # x = 1, logits w = (1, 2), q = p₁ = 1/(1+e⁻¹) = .73106, class 0: g = (−q, q), H = q(1−q)·[1, −1; −1, 1] = .19661·[…].
    # Hg = q(1−q)·(−2q, 2q) = (−.28747, .28747): w·Hg = (−.28747, .57494). The paper removes the largest −w·Hg, so weight 0.
    session = session_of(linear([[1], [2]]), method=Grasp(), shape=(1, 1, 1), density=0.5, options=KEEP)
    found = on(session, Grasp(temperature=1.0), [[[1]]], 0)
    torch.testing.assert_close(found, torch.tensor([[-0.28747], [0.57494]]), atol=1e-4, rtol=0)
    # At temperature 2, logits (½, 1): q = .62246, all derivatives by logits halved: g = ½(−q, q), Hg = ½·(¼·q(1−q)·…): −.03656.
    torch.testing.assert_close(
        on(session, Grasp(temperature=2.0), [[[1]]], 0)[0], torch.tensor([-0.03657]), atol=1e-4, rtol=0
    )


def test_removing_what_grasp_scores_highest_takes_gradient_flow_away():
    method = Grasp(temperature=1.0)
    session = session_of(NETWORKS["mlp"][0](), method=method, shape=(1, 4, 4))
    x, y = session.sample(48)
    saliencies = method.saliencies(session, [(x, y)])
    best, worst = (
        saliencies["head.weight"].flatten().topk(12).indices,
        (-saliencies["head.weight"]).flatten().topk(12).indices,
    )

    def flow(dropped=()):
        mask = torch.ones(saliencies["head.weight"].numel(), dtype=torch.bool)
        mask[list(dropped)] = False
        state = session.state()
        session.set_masks({"head.weight": mask.reshape(saliencies["head.weight"].shape)})
        found = sum(float(g.square().sum()) for g in session.gradients(x, y).values())
        session.set_masks({"head.weight": torch.ones_like(saliencies["head.weight"], dtype=torch.bool)})
        session.rewind(state)
        return found

    assert flow(best.tolist()) < flow() < flow(worst.tolist())


@pytest.mark.parametrize("network", list(NETWORKS))
def test_hessian_product_is_the_difference_of_gradients(network):
    # (∇L(w + ε·g) − ∇L(w − ε·g)) / 2ε, in every kind of layer: recurrence and normalisation can be derived twice too. The step
    # is short so that no rectifier changes sides, hence the tolerance for single precision.
    make, shape, steps = NETWORKS[network]
    method = Grasp(temperature=1.0)
    session = session_of(make(), method=method, shape=shape, steps=steps)
    x, y = session.sample(48)
    found, start = method.saliencies(session, [(x, y)]), {name: w.clone() for name, w in session.weights().items()}
    flow = {name: g.clone() for name, g in session.gradients(x, y).items()}
    sides = []
    for step in (1e-4, -1e-4):
        session.set_weights({name: start[name] + step * flow[name] for name in start})
        sides.append({name: g.clone() for name, g in session.gradients(x, y).items()})
    for name, weight in start.items():
        expected = weight * (sides[0][name] - sides[1][name]) / 2e-4
        scale = float(expected.abs().max())
        assert float((found[name] - expected).abs().max()) < 0.05 * scale + 1e-5, name


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_batches_of_the_sample_make_no_difference(name):
    method = create(name)
    session = session_of(NETWORKS["mlp"][0](), NETWORKS["mlp"][0](), method=method, shape=(1, 4, 4))
    x, y = session.sample(48)
    whole = method.saliencies(session, [(x, y)])
    halves = method.saliencies(session, [(x[:, :24], y[:, :24]), (x[:, 24:], y[:, 24:])])
    for key, value in whole.items():
        torch.testing.assert_close(halves[key], value, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_networks_of_a_stack_find_what_they_find_alone(name):
    models, task = [NETWORKS["mlp"][0](), NETWORKS["mlp"][0]()], task_for((1, 4, 4), 0)
    together = train_population(models, task, OPTIONS, seeds=[1, 2], method=name, density=[0.3, 0.2])
    for model, seed, density, result in zip(models, [1, 2], [0.3, 0.2], together, strict=True):
        alone = train(model, task, OPTIONS, method=name, seed=seed, density=density)
        assert all(((alone.weights[w.name] != 0) == (result.weights[w.name] != 0)).all() for w in weights(model))


def test_snip_in_one_shot_empties_a_layer_unless_each_keeps_a_weight():
    # Each layer's products of gradient and weight have about one sum. 16,384 weights share it in the first, 6 in the last.
    builder = NetworkBuilder((1, 8, 8), "funnel")
    x = builder.activation(builder.gemm(builder.flatten(builder.input), 256, "wide"), "tanh", "act_1")
    x = builder.activation(builder.gemm(x, 2, "narrow"), "tanh", "act_2")
    builder.finish(builder.gemm(x, 3, "head"))
    model = builder.model({layer.name: np.ones(layer.shape, bool) for layer in builder.layers})
    method = Snip()
    session = session_of(model, method=method, shape=(1, 8, 8), density=8 / 16902)
    found = method.saliencies(session, [session.sample(48)])
    raw = selection.keep_largest(found, session.keep, session.masks())
    assert int(raw["wide.weight"].sum()) == 0
    method.choose(session)
    kept = {name: int(mask.sum()) for name, mask in session.masks().items()}
    assert sum(kept.values()) == 8
    assert min(kept.values()) == 1


def test_more_examples_change_the_mask_and_a_zero_number_is_refused():
    model, task = NETWORKS["mlp"][0](), task_for((1, 4, 4), 0)
    found = [
        train(model, task, OPTIONS, method=create("snip", {"examples": count}), density=0.3).weights["hidden_1.weight"]
        for count in (4, 48)
    ]
    assert ((found[0] != 0) != (found[1] != 0)).any()
    with pytest.raises(MethodError, match="examples is 0"):
        Snip(examples=0)
    with pytest.raises(MethodError, match="temperature"):
        Grasp(temperature=0)


def test_redraw_scales_the_kept_weights_for_their_fan_in():
    model, task = NETWORKS["mlp"][0](), task_for((1, 4, 4), 0)
    options = TrainingOptions(epochs=1, batch_size=48, learning_rate=1e-9)
    plain, drawn = (
        train(model, task, options, method=create("snip", {"redraw": redraw}), density=0.3, seed=2).weights
        for redraw in (False, True)
    )
    first, second = plain["hidden_1.weight"], drawn["hidden_1.weight"]
    assert ((first != 0) == (second != 0)).all()
    # 16 inputs are drawn with deviation √(2/16); a unit that keeps k of them is scaled by √(16/k).
    for row, scaled in zip(first, second, strict=True):
        if row.any():
            np.testing.assert_allclose(scaled, row * np.sqrt(16 / (row != 0).sum()), rtol=1e-4)


def test_own_zeros_stay_zero():
    model, task = NETWORKS["mlp"][0](), task_for((1, 4, 4), 0)
    half = np.tile(np.array([1, 0], np.float32), (16, 8))
    set_weights(model, {"hidden_1.weight": half})
    result = train(model, task, replace(OPTIONS, init="keep"), method="snip", density=0.2)
    assert not result.weights["hidden_1.weight"][half == 0].any()
    assert sum(int((result.weights[name] != 0).sum()) for name in masks(model)) == round(
        0.2 * sum(mask.size for mask in masks(model).values())
    )
