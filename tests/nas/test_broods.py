"""Thousands of children of one trained mask."""

import dataclasses

import numpy as np
import pytest

import nas
import onnx_graph
from nas.engine.guided.broods import SHARES, Parent
from nas.engine.guided.surrogate import GuidedSurrogate, ticket_of
from nas.engine.plan import resolve
from nas.study.trial import Trial
from nas.training import TrainingOptions, apply_result, evaluate, train
from nas.training.weight_gradients import weight_gradients
from search_spaces import LearnedMask, Ticket

KEEP = 200


@pytest.fixture(scope="module")
def plan():
    return resolve(nas.SearchConfig(task="digits", space="mlp", constraint=(f"nnz<={KEEP}",), subset=400, epochs=2))


@pytest.fixture(scope="module")
def found(plan):
    """A trial with a learned mask, its network, and the dense network of the architecture."""
    dense = plan.space.plain()[0]
    model = plan.space.build(dense)
    weights = sum(mask.size for mask in onnx_graph.masks(model).values())
    options = TrainingOptions(epochs=2)
    network = apply_result(model, train(model, plan.task, options, method="espn", density=KEEP / weights, seed=3))
    trial = Trial(
        number=0,
        round=0,
        repeat=0,
        candidate=dataclasses.replace(dense, mask=LearnedMask(method="espn", keep=KEEP)),
        accuracy=0.5,
        score=None,
        metrics={"nnz": KEEP},
        seconds=1.0,
        seed=3,
        ticket=Ticket.of(onnx_graph.masks(network).values()),
    )
    return trial, network, model


@pytest.fixture(scope="module")
def parent(plan, found):
    trial, network, _ = found
    return Parent.of(trial, network, weight_gradients(network, plan.task))


def test_gradients_are_those_of_the_loss_also_where_the_mask_removes_weights(plan, found):
    _, network, _ = found
    gradients = weight_gradients(network, plan.task)
    names = [weight.name for weight in onnx_graph.weights(network)]
    assert list(gradients) == names
    for weight in onnx_graph.weights(network):
        assert gradients[weight.name].shape == onnx_graph.masks(network)[weight.name].shape
    removed = ~onnx_graph.masks(network)[names[-1]]
    assert np.abs(gradients[names[-1]][removed]).max() > 0


def test_a_step_against_the_gradient_makes_the_loss_smaller(plan, found):
    from nas.training.single import answers

    _, network, _ = found

    def loss(model):
        told = answers(model, plan.task, plan.task.train)
        logits = told.logits.double()
        return float((logits.logsumexp(-1) - logits.gather(-1, told.targets[:, None])[:, 0]).mean())

    gradients = weight_gradients(network, plan.task)
    scale = 1e-3
    moved = network.clone()
    arrays = {}
    for weight in onnx_graph.weights(network):
        from onnx_graph.internals import array_of

        own = weight.canonical(array_of(network.graph.initializers[weight.name]))
        arrays[weight.name] = np.ascontiguousarray(
            weight.stored((own - scale * gradients[weight.name]).astype(np.float32))
        )
    onnx_graph.set_weights(moved, arrays)
    expected = scale * sum(float((gradient.astype(np.float64) ** 2).sum()) for gradient in gradients.values())
    assert loss(network) - loss(moved) == pytest.approx(expected, rel=0.1)
    assert evaluate(moved, plan.task, plan.task.train) > 0


def test_children_exchange_weak_weights_for_demanded_connections(parent):
    brood = parent.brood(np.full(300, KEEP), np.random.default_rng(0))
    bits = brood.bits(np.arange(300))
    own = parent.strength != 0
    assert (bits.sum(axis=1) == KEEP).all()
    gone, come = own & ~bits, bits & ~own
    shares = gone.sum(axis=1) / KEEP
    assert shares.min() >= SHARES[0] * 0.9
    assert shares.max() <= SHARES[1] * 1.1
    assert (gone.sum(axis=1) == come.sum(axis=1)).all()
    strength, demand = np.tile(parent.strength, (300, 1)), np.tile(parent.demand, (300, 1))
    assert strength[gone].mean() < 0.5 * parent.strength[own].mean()
    assert demand[come].mean() > 3 * parent.demand[~own].mean()
    assert len({row.tobytes() for row in bits}) == 300


@pytest.mark.parametrize(("wanted", "kept"), [(150, 150), (260, 260), (10, 100), (4000, 400)])
def test_children_of_other_budgets(parent, wanted, kept):
    brood = parent.brood(np.full(20, wanted), np.random.default_rng(1))
    assert (brood.bits(np.arange(20)).sum(axis=1) == kept).all()


def test_scores_are_those_of_the_children_one_by_one(plan, found, parent):
    _, _, model = found
    surrogate = GuidedSurrogate(plan)
    surrogate.fit([])
    brood = parent.brood(np.full(200, KEEP), np.random.default_rng(2))
    scored = brood.screened(surrogate, model, 12, np.random.default_rng(3))
    assert len(scored) == len({child.digest for child, _ in scored}) == 12
    said = surrogate._answers([surrogate.graph_of(child) for child, _ in scored])
    assert [score.mean for _, score in scored] == pytest.approx(said.mean.tolist(), abs=2e-3)
    assert all(child.mask.parents == ticket_of(found[0]).mask.parents for child, _ in scored)
    chosen, drawn = [score.mean for _, score in scored[3:]], [score.mean for _, score in scored[:3]]
    assert np.mean(chosen) > np.mean(drawn)


def test_masks_of_one_architecture_are_encoded_together(plan, found, parent, monkeypatch):
    surrogate = GuidedSurrogate(plan)
    surrogate.fit([])
    brood = parent.brood(np.full(5, KEEP), np.random.default_rng(2))
    children = [brood.candidate(child) for child in range(5)]
    mixed = [children[0], found[0].candidate, *children[1:]]
    alone = surrogate._answers([surrogate.graph_of(one) for one in mixed]).mean
    assert surrogate.predict(mixed).mean == pytest.approx(alone, abs=2e-3)
    monkeypatch.setattr("nas.engine.guided.surrogate.BITS", 1)
    assert surrogate.predict(mixed).mean == pytest.approx(alone, abs=2e-3)


def test_children_that_lost_too_much_are_left_out(plan, found, parent, monkeypatch):
    surrogate = GuidedSurrogate(plan)
    surrogate.fit([])
    monkeypatch.setattr("nas.engine.guided.broods.LIVE", 2.0)
    brood = parent.brood(np.full(20, KEEP), np.random.default_rng(2))
    assert brood.screened(surrogate, found[2], 12, np.random.default_rng(3)) == []
