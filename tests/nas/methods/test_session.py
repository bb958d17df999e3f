"""A session shows all weights in one orientation and keeps masks and momentum together."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
import torch

from nas.errors import TrainingError
from nas.training.loop.callback import Callback
from nas.training.loop.layer_counts import of_each_layer
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods.method import masked
from nas.training.stack.stack import Member
from nas.training.testing import NETWORKS, OPTIONS, cnn, mlp, task_for
from onnx_graph.weight import array_of, weights
from onnx_graph.weight import masks as masks_of


def session(*models, shape=(1, 4, 4), steps=0, **options):
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Session(
        members, task_for(shape, steps), replace(OPTIONS, **options), torch.device("cpu"), keep=[40] * len(models)
    )


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize("copies", [1, 2])
def test_weights_are_canonical(network, copies):
    make, shape, steps = NETWORKS[network]
    model = make()
    drawn = Member.of(model, 0).values(fresh=True)
    found = session(*[model] * copies, shape=shape, steps=steps).weights()
    for weight in weights(model):
        assert found[weight.name].shape == (copies, *weight.shape)
        np.testing.assert_array_equal(found[weight.name][0].numpy(), weight.canonical(drawn[weight.name]))


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize("copies", [1, 2])
def test_masks_come_back_as_they_were_set(network, copies):
    make, shape, steps = NETWORKS[network]
    opened = session(*[make()] * copies, shape=shape, steps=steps)
    generator = torch.Generator().manual_seed(1)
    wanted = {name: torch.rand(mask.shape, generator=generator) < 0.5 for name, mask in opened.masks().items()}
    opened.set_masks(wanted)
    for name, mask in opened.masks().items():
        assert (mask == wanted[name]).all()
        assert ((opened.weights()[name] != 0) == wanted[name]).all()


def test_padding_exists_in_no_narrower_network():
    opened = session(mlp(8), mlp(16))
    assert [int(exists) for exists in count(opened.exists)] == [
        sum(mask.size for mask in masks_of(model).values()) for model in (mlp(8), mlp(16))
    ]
    everything = {name: torch.ones_like(exists) for name, exists in opened.exists.items()}
    opened.set_masks(everything)
    assert (count(opened.masks()) == count(opened.exists)).all()


def test_a_dropped_weight_stays_zero_and_a_grown_one_starts_from_zero():
    opened = session(mlp())
    opened.fit(1)
    name = "hidden_1.weight"
    mask = opened.masks()
    mask[name] = mask[name].clone()
    mask[name][0, :, 4:6] = False
    opened.set_masks(mask)
    opened.fit(1)
    assert (opened.weights()[name][0, :, 4:6] == 0).all()
    mask[name][0, :, 5] = True
    opened.set_masks(mask)
    assert (opened.weights()[name][0, :, 5] == 0).all()
    opened.fit(1)
    assert (opened.weights()[name][0, :, 5] != 0).any()
    assert (opened.weights()[name][0, :, 4] == 0).all()


def test_rewind_keeps_the_mask_and_restores_the_values():
    opened = session(mlp(), mlp())
    start = opened.state()
    first = {name: weight.clone() for name, weight in opened.weights().items()}
    opened.fit(1)
    mask = {name: weight.abs() > 0.1 for name, weight in opened.weights().items()}
    opened.set_masks(mask)
    opened.rewind(start)
    for name, weight in opened.weights().items():
        torch.testing.assert_close(weight, first[name] * mask[name], rtol=0, atol=0)


def test_redraw_scales_for_the_fan_in_that_is_left():
    # 4 of 16 inputs are left: the same normal numbers, twice as large.
    opened = session(mlp())
    before = opened.weights()["hidden_1.weight"].clone()
    mask = opened.masks()
    mask["hidden_1.weight"] = torch.zeros_like(mask["hidden_1.weight"])
    mask["hidden_1.weight"][:, :, :4] = True
    opened.set_masks(mask)
    opened.redraw()
    torch.testing.assert_close(opened.weights()["hidden_1.weight"][..., :4], 2 * before[..., :4])


def test_gradients_are_those_of_masked_weights_too():
    model = masked(
        mlp(), {name: np.arange(mask.size).reshape(mask.shape) % 2 == 0 for name, mask in masks_of(mlp()).items()}
    )
    opened = session(model)
    gradients = opened.gradients(*opened.sample(48))
    assert (gradients["hidden_2.weight"][~opened.masks()["hidden_2.weight"]] != 0).any()


def test_a_part_of_a_schedule_goes_on_where_the_last_one_stopped():
    whole, parts = session(mlp()), session(mlp())
    whole.fit(4)
    parts.fit(1, within=(0, 4))
    parts.fit(3, within=(1, 4))
    for name, weight in whole.weights().items():
        torch.testing.assert_close(weight, parts.weights()[name], rtol=0, atol=0)


def test_hooks_are_called_in_their_order():
    calls = []

    class Spy(Callback["Session"]):
        def begin(self, session, steps):
            super().begin(session, steps)
            calls.append(f"begin {steps}")

        def on_gradients(self, step, gradients):
            calls.append(f"gradients {step}")

        def after_step(self, step):
            calls.append(f"step {step}")

        def after_epoch(self, epoch):
            calls.append(f"epoch {epoch}")

        def end(self):
            calls.append("end")

    session(mlp(), batch_size=24).fit(2, callback=Spy())
    pairs = [[f"gradients {step}", f"step {step}"] for step in range(4)]
    assert calls == ["begin 4", *pairs[0], *pairs[1], "epoch 0", *pairs[2], *pairs[3], "epoch 1", "end"]


def test_divergence_is_reported_and_other_networks_go_on():
    opened = session(mlp(), mlp(), epochs=2)
    with torch.no_grad():
        opened.stack.parameters["head.weight"][0] = torch.nan
    opened.fit(callback=Callback(), last=True)
    histories = opened.finish()
    assert isinstance(histories[0].error, TrainingError)
    assert histories[1].error is None
    assert histories[1].weights


def test_counts_by_layer_are_those_of_the_network_itself():
    # 8 channels: 288, 288, 72, 24 weights, 672 in all; half of each.
    opened = session(cnn(8), cnn(12), shape=(4, 4, 4))
    found = of_each_layer(opened, torch.tensor([336, 336]), "uniform")
    assert [int(number[0]) for number in found.values()] == [144, 144, 36, 12]
    assert int(torch.stack(list(found.values())).sum(0)[1]) == 336


def test_a_mask_drawn_on_own_values_keeps_zeros_in_the_mask():
    # Value 0 at a kept place becomes tiny, so that it is still kept.
    model = mlp()
    array = array_of(model.graph.initializers["head.weight"]).copy()
    array[0, 0] = 0
    model.graph.initializers["head.weight"].const_value = ir.Tensor(array)
    everything = {name: np.ones_like(mask) for name, mask in masks_of(model).items()}
    assert masks_of(masked(model, everything, own_values=True))["head.weight"].all()
