"""AC/DC: the phases by hand, the counts of the compressions, and weights that come back."""

from dataclasses import replace

import pytest
import torch

from nas.training.loop.selection import count
from nas.training.loop.session import Session
from nas.training.methods import MethodError, create
from nas.training.methods.acdc import AcDc, phases
from nas.training.stack.stack import Member
from nas.training.testing import OPTIONS, mlp, task_for

TASK = task_for((1, 4, 4), 0)


class Recorded(Session):
    """Records epochs and masks of every phase, and the values from which it starts."""

    def fit(self, epochs=None, **options):
        self.phases = [*getattr(self, "phases", []), (epochs, count(self.masks()).tolist())]
        self.starts = [*getattr(self, "starts", []), {name: w.clone() for name, w in self.weights().items()}]
        self.held = [*getattr(self, "held", []), {name: mask.clone() for name, mask in self.masks().items()}]
        super().fit(epochs, **options)


def session_of(keep, *models, epochs=20, learning_rate=3e-3):
    """A dense network of width 8 has 308 weights, one of width 16 has 532."""
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Recorded(
        members, TASK, replace(OPTIONS, epochs=epochs, learning_rate=learning_rate), torch.device("cpu"), keep=keep
    )


def test_phases_alternate_and_the_last_is_compressed():
    # 2 of 20 epochs dense; twice 3 compressed and 3 dense; 6 compressed.
    assert phases(20, 0.1, 2, 0.3) == [(True, 2), (False, 3), (True, 3), (False, 3), (True, 3), (False, 6)]


def test_without_cycles_there_is_one_compression():
    assert phases(10, 0.4, 0, 0.3) == [(True, 4), (False, 6)]


@pytest.mark.parametrize("epochs", range(1, 12))
def test_however_few_epochs_the_last_phase_is_compressed(epochs):
    found = phases(epochs, 0.1, 6, 0.3)
    assert sum(length for _, length in found) == epochs
    assert all(length > 0 for _, length in found)
    assert not found[-1][0]


def test_compressed_phases_hold_fewer_and_fewer_weights_and_dense_ones_all():
    session = session_of([20, 100], mlp(8), mlp(16))
    AcDc(cycles=2, ending=0.3, final=1).run(session)
    # 308 → 20 in three compressions, each by the factor (20 / 308)^(1/3) = .402: 124, 50, 20. 532 → 100: 305, 175, 100.
    counts = [found for _, found in session.phases]
    assert counts == [[308, 532], [124, 305], [308, 532], [50, 175], [308, 532], [20, 100]]
    assert sum(epochs for epochs, _ in session.phases) == 20


def test_the_schedule_of_the_paper_cuts_to_the_target_at_once():
    session = session_of([20], mlp(8))
    AcDc(cycles=2, final=3).run(session)
    assert [found for _, (found,) in session.phases] == [308, 20, 308, 20, 308, 20]


def test_cut_weights_come_back_from_zero_and_may_be_kept():
    session = session_of([100], mlp(8), epochs=40, learning_rate=0.1)
    AcDc(cycles=3, final=4).run(session)
    for number in (2, 4, 6):  # dense phases after a compression
        for name, mask in session.held[number - 1].items():
            assert (session.starts[number][name][~mask] == 0).all()
            assert (session.starts[number][name][mask] != 0).any()
    first, last = session.held[1], session.held[-1]
    assert any((last[name] & ~first[name]).any() for name in first)


@pytest.mark.parametrize("options", [{"warm": 0.8}, {"ending": 0.0}, {"cycles": -1}, {"final": 0}, {"length": 0.0}])
def test_refuses_a_schedule_that_no_training_can_have(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        create("ac-dc", options)
