"""ESPN: thresholding by hand, the planned counts, the folded factors, and the mask that it finds."""

from dataclasses import replace

import pytest
import torch

from nas.training import train, train_population
from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.espn import Espn, RealMask, thresholded
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


def session_of(keep, *models, epochs=4):
    """3 steps an epoch; a dense network of width 8 has 308 weights, one of width 16 has 532."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Session(members, TASK, replace(OPTIONS, epochs=epochs), torch.device("cpu"), keep=keep)


class Watch(RealMask):
    """Counts non-zero factors after every step; keeps weights and factors as they were before the cut."""

    counts: list

    def after_step(self, step):
        super().after_step(step)
        found = count({name: factor != 0 for name, factor in self.canonical().items()}).tolist()
        self.counts = [*getattr(self, "counts", []), found]

    def end(self):
        factors = self.canonical()
        self.products = {name: w * factors[name] for name, w in self.session.weights().items()}
        super().end()


def test_thresholding_shrinks_all_factors_by_the_largest_that_goes():
    # Row 0 keeps 2 of .9 −.7 .4 | .1: all lose .4. Row 1 keeps 3 of 1 1 1 | .2: all lose .2.
    factors = {"a": torch.tensor([[[0.9, -0.7, 0.4]], [[1.0, 1.0, 1.0]]]), "b": torch.tensor([[[0.1]], [[0.2]]])}
    found = thresholded(factors, torch.tensor([2, 3]))
    torch.testing.assert_close(found["a"], torch.tensor([[[0.5, -0.3, 0.0]], [[0.8, 0.8, 0.8]]]))
    assert found["b"].tolist() == [[[0.0]], [[0.0]]]


def test_thresholding_to_all_changes_nothing():
    factors = {"a": torch.tensor([[[0.5, -0.25]]])}
    assert torch.equal(thresholded(factors, torch.tensor([2]))["a"], factors["a"])


def test_tied_factors_go_together():
    assert not thresholded({"a": torch.ones(1, 2, 2)}, torch.tensor([3]))["a"].any()


def test_counts_fall_geometrically():
    # From 308 to 77 = 308 / 4 within .5 · 12 steps: halved after 3 of 6.
    session = session_of([77], mlp(8))
    callback = Watch(Espn(until=0.5, interval=3))
    session.fit(callback=callback)
    assert [callback.planned(step).item() for step in (2, 5, 8)] == [154, 77, 77]
    counts = [found for (found,) in callback.counts]
    assert counts[0] == 308
    assert 120 < counts[2] <= 154  # units that are dead for all examples leave tied factors, which go together
    assert counts[5::3] == [77, 77, 77]


def test_a_factor_may_come_back():
    session, callback = session_of([40], mlp(8)), Watch(Espn(until=0.2, interval=2, rate=0.3))
    session.fit(callback=callback)
    assert max(found for (found,) in callback.counts[3:]) > 40


def test_kept_weights_are_multiplied_by_their_factors():
    session = session_of([40], mlp(8))
    callback = Watch(Espn())
    session.fit(callback=callback)
    masks = session.masks()
    assert count(masks).tolist() == [40]
    for name, weight in session.weights().items():
        torch.testing.assert_close(weight, callback.products[name] * masks[name])
        assert (callback.factor(name) == 1).all()


def test_the_last_evaluation_of_the_search_is_that_of_the_cut_network():
    session = session_of([40], mlp(8))
    session.fit(callback=RealMask(Espn()))
    assert session.histories[0].accuracies[-1] == session.evaluate()[0]


def test_inputs_that_tell_nothing_lose_their_weights():
    # Inputs 0 to 7 are noise of the size of the signal in inputs 8 to 15.
    rng = torch.Generator().manual_seed(0)
    x = TASK.train.x.copy()
    x.reshape(48, 16)[:, :8] = torch.randn(48, 8, generator=rng).numpy()
    session = Session(
        [Member.of(mlp(8), 0)],
        replace(TASK, train=replace(TASK.train, x=x)),
        replace(OPTIONS, epochs=12),
        torch.device("cpu"),
        keep=[16],
    )
    session.fit(callback=RealMask(Espn()))
    mask = session.masks()
    kept = sum(mask[name].sum(dim=(0, 1)) for name in mask if mask[name].shape[-1] == 16)
    assert kept[8:].sum() > 2 * kept[:8].sum()


def test_every_network_of_a_padded_stack_ends_with_its_own_count():
    session = session_of([20, 100], mlp(8), mlp(16))
    callback = Watch(Espn())
    session.fit(callback=callback)
    masks = session.masks()
    assert count(masks).tolist() == [20, 100]
    assert not any((mask & ~session.exists[name]).any() for name, mask in masks.items())
    assert callback.counts[0] == [308, 532]


def test_the_same_mask_alone_and_in_a_padded_stack():
    alone = train(mlp(8), TASK, OPTIONS, method="espn", density=0.2, seed=1)
    stacked = train_population([mlp(8), mlp(16)], TASK, OPTIONS, seeds=[1, 2], method="espn", density=0.2)[0]
    for name, weight in alone.weights.items():
        assert ((weight != 0) == (stacked.weights[name] != 0)).all()


def test_rewound_weights_start_from_their_first_values():
    options = replace(OPTIONS, learning_rate=1e-9)
    ends = {r: train(mlp(8), TASK, options, method=Espn(rewind=r, rate=0.1), density=0.2) for r in ("none", "initial")}
    first = Session([Member.of(mlp(8), 0)], TASK, options, torch.device("cpu"), keep=[62]).stack.arrays(0)
    for name in ("hidden_1.weight", "hidden_2.weight"):
        weight, kept = ends["initial"].weights[name], ends["initial"].weights[name] != 0
        assert abs(weight[kept] - first[name][kept]).max() < 1e-6
        kept = ends["none"].weights[name] != 0
        assert abs(ends["none"].weights[name][kept] - first[name][kept]).max() > 0.01


def test_costs_two_trainings_and_more_with_a_training_before():
    assert len(train(mlp(8), TASK, OPTIONS, method="espn", density=0.2).losses) == 4  # of 2
    assert len(train(mlp(8), TASK, OPTIONS, method=Espn(pretrain=1.0), density=0.2).losses) == 6


def test_the_short_form_takes_half_a_training():
    options = replace(OPTIONS, epochs=8)
    lengths = [len(train(mlp(), TASK, options, method=name, density=0.3).losses) for name in ("espn", "espn-short")]
    assert lengths == [16, 4]


@pytest.mark.parametrize(
    "options",
    [
        {"pretrain": -1.0},
        {"search": 0.0},
        {"retrain": 0.0},
        {"until": 1.5},
        {"rate": 0.0},
        {"interval": 0},
        {"rewind": "late"},
    ],
)
def test_refuses_what_no_search_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("espn", options)
