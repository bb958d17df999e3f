"""SR-STE: groups, the straight-through gradient, the pull on the weights that are left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import onnx_graph
from nas.training import apply_result, train
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.sr_ste import Groups, SrSte, above_threshold, n_of_m
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, cnn, mlp, rnn, task_for
from onnx_graph.weight import masks

TASK = task_for((1, 4, 4), 0)


def bits(*rows):
    return torch.tensor([[[c == "1" for c in row.replace(" ", "")] for row in rows]])


def test_keeps_the_two_largest_of_every_four_inputs():
    saliencies = torch.tensor([[[1.0, 4, 2, 3, 9, 9, 1, 9], [0.0, 0, 0, 0, 5, 6, 7, 8]]])
    everything = torch.ones(1, 2, 8, dtype=torch.bool)
    # Ties go to the earlier one.
    assert n_of_m(saliencies, everything, 2, 4).equal(bits("0101 1100", "1100 0011"))
    assert n_of_m(saliencies, everything, 1, 4).equal(bits("0100 1000", "1000 0001"))
    assert n_of_m(saliencies, everything, 1, 2).equal(bits("01 01 10 01", "10 10 01 01"))


def test_groups_lie_along_the_inputs_at_each_place_of_a_kernel():
    # 4 inputs, kernel 2: place 0 is largest in inputs 0 and 1, place 1 in inputs 1 and 3.
    saliencies = torch.tensor([[[[4.0, 1], [3, 4], [2, 2], [1, 3]]]])
    mask = n_of_m(saliencies, torch.ones_like(saliencies, dtype=torch.bool), 2, 4)
    assert mask[0, 0].tolist() == [[True, False], [True, True], [False, False], [False, True]]


def test_what_may_not_be_kept_takes_no_place_in_a_group():
    saliencies = torch.tensor([[[9.0, 8, 1, 2]]])
    assert n_of_m(saliencies, bits("0011"), 2, 4).equal(bits("0011"))
    assert n_of_m(saliencies, bits("0001"), 2, 4).equal(bits("0001"))


def test_fewer_inputs_than_a_group_are_a_group():
    saliencies = torch.tensor([[[1.0, 2, 3]]])
    assert n_of_m(saliencies, torch.ones_like(saliencies, dtype=torch.bool), 2, 4).equal(bits("011"))
    one = torch.tensor([[[1.0]]])
    assert n_of_m(one, one > 0, 2, 4).equal(bits("1"))


def test_above_threshold_keeps_the_largest_and_one_of_each_layer():
    saliencies = {"a": torch.tensor([[[9.0, 8, 7]], [[1.0, 2, 3]]]), "b": torch.tensor([[[1.0, 2]], [[4.0, 5]]])}
    among = {name: torch.ones_like(saliency, dtype=torch.bool) for name, saliency in saliencies.items()}
    found = above_threshold(saliencies, torch.tensor([2, 3]), among)
    assert found["a"].tolist() == [[[True, True, False]], [[False, False, True]]]
    assert found["b"].tolist() == [[[False, True]], [[True, True]]]


def opened(callback, *, density=0.5, model=None, **options):
    model = mlp(8) if model is None else model
    total = sum(mask.size for mask in masks(model).values())
    session = Session(
        [Member.of(model, 0)], TASK, replace(OPTIONS, **options), torch.device("cpu"), keep=[round(density * total)]
    )
    callback.begin(session, 6)
    return session


def test_computes_with_the_mask_and_learns_without():
    callback = Groups(SrSte())
    session = opened(callback)
    parameters = session.stack.parameters
    effective = callback.effective(parameters)
    for name, mask in callback.masks.items():
        assert effective[name].detach().equal(parameters[name].detach() * session.stack.stored(name, mask))
    (gradient,) = torch.autograd.grad((2 * effective["head.weight"]).sum(), [parameters["head.weight"]])
    assert (gradient == 2).all()


def test_the_gradient_pulls_what_is_left_out_towards_zero():
    callback = Groups(SrSte(decay=0.1))
    session = opened(callback)
    name = "hidden_2.weight"
    weight, left_out = session.stack.parameters[name].detach(), ~session.stack.stored(name, callback.masks[name])
    gradients = {key: torch.zeros_like(parameter) for key, parameter in session.stack.parameters.items()}
    callback.on_gradients(0, gradients)
    assert gradients[name].equal(0.1 * weight * left_out)
    assert left_out.sum() == left_out.numel() // 2
    assert (gradients["hidden_2.bias"] == 0).all()


def test_one_step_of_gradient_descent_is_the_papers():
    # w ← w − lr · (g + λ·(1 − mask)·w), g the gradient at the masked weights.
    callback = Groups(SrSte(decay=0.5))
    session = opened(callback, optimizer="sgd", learning_rate=0.1, schedule="constant", batch_size=48)
    start, name = session.state(), "hidden_1.weight"
    mask = {key: value.clone() for key, value in callback.masks.items()}
    session.set_masks(mask)
    x, y = session.train.x, session.train.y
    gradient = session.gradients(x, y)[name]
    session.set_masks(session.exists)
    session.rewind(start)
    session.fit(1, callback=NoEnd(SrSte(decay=0.5)))
    weight = start.parameters[name][None].transpose(1, 2) if session.stack.lead else start.parameters[name][None]
    expected = weight - 0.1 * (gradient + 0.5 * ~mask[name] * weight)
    torch.testing.assert_close(session.weights()[name], expected, atol=1e-6, rtol=0)


class NoEnd(Groups):
    """Leaves the weights dense."""

    def end(self):
        pass


def test_left_out_weights_may_come_back():
    callback = Groups(SrSte())
    session = opened(callback)
    first = {name: mask.clone() for name, mask in callback.masks.items()}
    session.fit(4, callback=callback)
    assert any((callback.masks[name] & ~mask).any() for name, mask in first.items())
    assert session.masks()["hidden_1.weight"].equal(callback.masks["hidden_1.weight"])


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (1, 2), (3, 4), (4, 4)])
def test_groups_are_read_back_from_the_file(n, m, tmp_path):
    result = train(mlp(8), TASK, OPTIONS, method=SrSte(n=n, m=m), density=n / m)
    onnx_graph.save(apply_result(mlp(8), result), tmp_path / "model.onnx")
    found = masks(onnx_graph.load(tmp_path / "model.onnx"))
    for mask in found.values():
        assert (mask.reshape(-1, m).sum(1) == n).all()


@pytest.mark.parametrize(("make", "shape", "steps"), [(cnn, (4, 4, 4), 0), (lambda: rnn("lstm"), (5, 4), 5)])
def test_groups_of_convolutions_and_recurrent_weights(make, shape, steps, tmp_path):
    result = train(make(), task_for(shape, steps), OPTIONS, method="sr-ste", density=0.4)
    onnx_graph.save(apply_result(make(), result), tmp_path / "model.onnx")
    found = masks(onnx_graph.load(tmp_path / "model.onnx"))
    assert sum(int(mask.sum()) for mask in found.values()) == round(0.4 * sum(mask.size for mask in found.values()))
    for mask in found.values():
        out, inputs, *kernel = mask.shape
        if inputs >= 4:
            groups = np.moveaxis(mask.reshape(out, inputs // 4, 4, *kernel), 2, -1)
            assert (groups.sum(-1) <= 2).all()


def test_a_lower_density_keeps_the_largest_of_the_groups_only():
    result = train(mlp(8), TASK, OPTIONS, method="sr-ste", density=0.2)
    found = masks(apply_result(mlp(8), result)).values()
    assert sum(int(mask.sum()) for mask in found) == 62  # .2 · 308
    assert all((mask.reshape(-1, 4).sum(1) <= 2).all() for mask in found)


def test_a_stack_keeps_its_counts():
    session = Session(
        [Member.of(mlp(8), 0), Member.of(mlp(16), 1)], TASK, OPTIONS, torch.device("cpu"), keep=[142, 100]
    )
    SrSte().run(session)
    assert count(session.masks()).tolist() == [142, 100]


@pytest.mark.parametrize(
    ("model", "density", "options", "words"),
    [
        (mlp(8), 0.6, {}, "at most 0.5"),
        (mlp(9), 0.5, {}, "hidden_2.weight has 9 inputs"),
        (mlp(8), 0.5, {"m": 3, "n": 2}, "hidden_1.weight has 16 inputs"),
    ],
)
def test_refuses_what_groups_cannot_hold(model, density, options, words):
    with pytest.raises(MethodError, match=words):
        train(model, TASK, OPTIONS, method=create("sr-ste", options), density=density)


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 5}, {"m": 1}, {"decay": -1.0}])
def test_refuses_groups_that_there_cannot_be(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("sr-ste", options)
