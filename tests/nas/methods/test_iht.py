"""Iterative hard thresholding while training."""

from dataclasses import replace

import pytest
import torch

from nas.training.loop import selection
from nas.training.loop.session import Session
from nas.training.methods import MethodError
from nas.training.methods.iht import Iht, Threshold
from nas.training.methods.method import begin
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, rnn, task_for


class Watch(Threshold):
    """Records non-zeros and positions after every step."""

    def __init__(self, method):
        super().__init__(method)
        self.kept = []

    def after_step(self, step):
        super().after_step(step)
        self.kept.append({name: weight != 0 for name, weight in self.session.weights().items()})


def session_of(*models, shape=(1, 4, 4), steps=0, density=0.25, epochs=4):
    """Three steps an epoch."""
    options = replace(OPTIONS, epochs=epochs)
    begun = [begin(Iht(), model, density, seed, options) for seed, model in enumerate(models)]
    members = [Member.of(model, seed) for seed, (model, _) in enumerate(begun)]
    return Session(members, task_for(shape, steps), options, torch.device("cpu"), keep=[keep for _, keep in begun])


def counts(session, **options):
    callback = Watch(Iht(**options))
    session.fit(callback=callback)
    return [selection.count(kept) for kept in callback.kept], callback


def test_all_weights_learn_between_two_thresholdings():
    session = session_of(mlp())
    whole, keep = int(selection.count(session.exists)[0]), int(session.keep[0])
    found, _ = counts(session, interval=3, descent=0)
    # Twelve steps: cut after the third, sixth and ninth; the last cut is the mask itself, and between them all weights move.
    cut = [int(count[0]) == keep for count in found]
    assert cut == [False, False, True] * 3 + [False] * 3
    assert int(found[3][0]) > 0.9 * whole
    assert selection.count(session.masks()).tolist() == [keep]


def test_a_weight_that_was_cut_may_come_back():
    # From weights of about .003 six steps of Adam, .018 at most, lead above the threshold.
    session = session_of(mlp(), epochs=8)
    session.set_weights({name: weight / 100 for name, weight in session.weights().items()})
    _, callback = counts(session, interval=6, descent=0)
    first, later = callback.kept[5], callback.kept[17]
    assert any((later[name] & ~first[name]).any() for name in first)


def test_the_count_falls_along_a_cubic():
    session = session_of(mlp())
    whole, keep = int(selection.count(session.exists)[0]), int(session.keep[0])
    found, _ = counts(session, interval=1, descent=1.0)
    # After step t of 12 there is (1 − t/12)³ of what goes left.
    for step in (1, 4, 8):
        assert int(found[step - 1][0]) == round(keep + (1 - step / 12) ** 3 * (whole - keep))


def test_padded_networks_keep_their_own_counts():
    session = session_of(mlp(8), mlp(16))
    found, callback = counts(session, interval=1)
    assert (found[0] <= selection.count(session.exists)).all()
    assert selection.count(session.masks()).equal(session.keep)
    assert not any((callback.kept[-1][name] & ~session.exists[name]).any() for name in session.exists)


def test_the_mask_stays_at_the_end():
    session = session_of(rnn("gru"), shape=(5, 4), steps=5)
    Iht(until=0.5).run(session)
    result = session.finish()[0]
    assert len(result.losses) == 4
    held = sum(int((result.weights[layer.name] != 0).sum()) for layer in session.layers)
    assert held == int(session.keep[0])


def test_one_epoch_is_enough():
    session = session_of(mlp(), epochs=1)
    Iht().run(session)
    assert len(session.finish()[0].losses) == 1
    assert selection.count(session.masks()).equal(session.keep)


@pytest.mark.parametrize("options", [{"interval": 0}, {"descent": 1.5}, {"until": 0.0}])
def test_refuses_what_no_training_can_have(options):
    with pytest.raises(MethodError, match="interval"):
        Iht(**options)
