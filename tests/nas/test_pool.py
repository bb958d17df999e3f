import numpy as np
import pytest

import search_spaces
from nas.engine import acquisition
from nas.engine.pool import Pool
from nas.study import constraints, objectives
from nas.study.trial import Proposal
from predictors.predictor import Prediction
from predictors.structure_graph import StructureGraph
from search_spaces import Signature


class ByNonZeros:
    """A predictor whose mean is the number that `graph_of` hid in the summary."""

    name = "by-non-zeros"

    def predict(self, graphs):
        return Prediction(np.array([float(g.summary[0]) for g in graphs]), np.zeros(len(graphs)))


def graph_of(model):
    from onnx_graph import count

    empty = np.zeros((0, 0), np.float32)
    return StructureGraph(
        np.zeros(0, np.int64), empty, np.zeros((2, 0), np.int64), np.array([count(model).nnz], np.float32)
    )


@pytest.fixture
def space():
    return search_spaces.create("mlp", Signature(input_shape=(8,), outputs=3))


def pool_of(space, *, bounds=(), goals=("accuracy",), predictor=None, taken=()):
    return Pool(
        space,
        constraints.parse_all(bounds),
        objectives.parse(goals),
        predictor=predictor,
        encode=graph_of if predictor else None,
        taken=taken,
    )


def fill(pool, count, seed=0):
    rng = np.random.default_rng(seed)
    while len(pool) < count and pool.refused < 1000:
        pool.offer(Proposal(candidate=pool.space.sample(rng)))


def test_a_candidate_enters_once(space):
    pool, candidate = pool_of(space), space.sample(np.random.default_rng(0))
    assert pool.offer(Proposal(candidate=candidate))
    assert not pool.offer(Proposal(candidate=candidate))
    assert not pool_of(space, taken=[candidate.digest]).offer(Proposal(candidate=candidate))
    assert (len(pool), pool.refused) == (1, 1)


def test_only_candidates_within_the_constraints_enter(space):
    pool = pool_of(space, bounds=["nnz<=60", "params>=40"])
    fill(pool, 20)
    assert len(pool) == 20
    assert all(m.metrics["nnz"] <= 60 and m.metrics["params"] >= 40 for m in pool.members)
    assert pool.smallest["nnz"] <= 60


def test_bytes_are_measured_where_a_constraint_names_them(space):
    pool = pool_of(space, bounds=["bytes<=4000"])
    fill(pool, 3)
    assert all(0 < m.metrics["bytes"] <= 4000 for m in pool.members)


def test_fitness_is_the_predicted_accuracy(space):
    pool = pool_of(space, predictor=ByNonZeros())
    fill(pool, 6)
    assert pool.fitness().tolist() == [m.metrics["nnz"] for m in pool.members]
    assert pool_of(space).fitness().size == 0


class Unsure:
    """A predictor with a standard deviation that is impossible for accuracies of that mean."""

    name = "unsure"

    def predict(self, graphs):
        return Prediction(np.full(len(graphs), 0.9), np.full(len(graphs), 0.5))


def test_a_score_is_stated_as_possible_but_the_choice_uses_what_the_predictor_says(space):
    pool = pool_of(space, predictor=Unsure())
    fill(pool, 2)
    assert [(score.mean, score.std) for score in pool.scores] == [(0.9, pytest.approx(0.3))] * 2
    assert pool.fitness(optimism=1.0) == pytest.approx([1.4, 1.4])


def test_with_two_objectives_the_front_is_fitter(space):
    pool = pool_of(space, goals=["accuracy", "-macs"], predictor=ByNonZeros())
    fill(pool, 12)
    table = np.array([[-m.metrics["nnz"], m.metrics["macs"]] for m in pool.members])
    on_front = objectives.non_dominated(table)
    assert pool.fitness()[on_front].min() > pool.fitness()[~on_front].max(initial=-np.inf)


def test_choose_takes_the_best_scores_when_not_exploring(space):
    pool = pool_of(space, predictor=ByNonZeros())
    fill(pool, 10)
    chosen = acquisition.choose(pool, 3, explore=0.0, rng=np.random.default_rng(0))
    best = sorted((m.metrics["nnz"] for m in pool.members), reverse=True)[:3]
    assert [member.metrics["nnz"] for member, _ in chosen] == best
    assert [score.mean for _, score in chosen] == best


def test_choose_explores_at_random_and_never_twice(space):
    pool = pool_of(space, predictor=ByNonZeros())
    fill(pool, 10)
    chosen = acquisition.choose(pool, 10, explore=1.0, rng=np.random.default_rng(0))
    assert len({member.digest for member, _ in chosen}) == 10
    first = acquisition.choose(pool, 3, explore=1.0, rng=np.random.default_rng(1))
    again = acquisition.choose(pool, 3, explore=1.0, rng=np.random.default_rng(1))
    assert [m.digest for m, _ in first] == [m.digest for m, _ in again]


def test_choose_without_a_predictor_takes_what_the_strategy_offered_first(space):
    pool = pool_of(space)
    fill(pool, 5)
    chosen = acquisition.choose(pool, 2, explore=0.5, rng=np.random.default_rng(0))
    assert [(m.digest, score) for m, score in chosen] == [(m.digest, None) for m in pool.members[:2]]
