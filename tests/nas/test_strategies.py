import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

import search_spaces
from nas.engine import strategies
from nas.engine.pool import Pool
from nas.engine.strategies.cma_es import Numbers
from nas.engine.strategies.gp import _sampler, is_seed
from nas.engine.strategies.local_search import centre
from nas.engine.strategies.testing import StrategyContract
from nas.errors import UsageError
from nas.study import objectives
from nas.study.record import to_frozen
from nas.study.trial import Trial

FILLING = sorted(name for name in strategies.STRATEGIES if hasattr(strategies.STRATEGIES.load(name), "fill"))
"""Strategies that fill pools; the guided one plans whole rounds."""


SLOW = pytest.mark.slow  # fits a Gaussian process for every candidate


@pytest.mark.parametrize("name", [pytest.param(name, marks=[SLOW] if name == "gp" else []) for name in FILLING])
class TestEveryStrategy(StrategyContract):
    pass


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(UsageError, match="unknown strategy 'evolutoin'; did you mean 'evolution'"):
        strategies.create("evolutoin")


def test_evolution_breeds_from_the_accurate():
    contract = StrategyContract()
    trials = contract.trials("evolution", 24)
    pool = contract.pool(taken=[trial.digest for trial in trials])
    strategies.create("evolution").fill(pool, trials, 40, rng=np.random.default_rng(0), trainings=48)
    measured = np.mean([trial.metrics["nnz"] for trial in trials])
    assert np.mean([member.metrics["nnz"] for member in pool.members]) > measured + 3


def plain_pool():
    """Perceptrons of two hidden layers of 4 to 32 units: numbers that all candidates have."""
    space = search_spaces.create(
        "mlp", search_spaces.Signature(input_shape=(8,), outputs=3), wirings=("plain",), depth=(2, 2), width=(4, 32)
    )
    return Pool(space, (), objectives.parse(["accuracy"]))


def measured(name, accuracy, count, pool=plain_pool):
    """Trials that a strategy proposes round by round, with an accuracy for each architecture."""
    trials: list[Trial] = []
    while len(trials) < count:
        round_ = pool()
        strategies.create(name).fill(round_, trials, 6, rng=np.random.default_rng(len(trials)), trainings=count)
        for member in round_.members:
            candidate = member.proposal.candidate
            trials.append(
                Trial(
                    number=len(trials),
                    round=len(trials) // 6,
                    repeat=0,
                    candidate=candidate,
                    accuracy=accuracy(candidate.architecture),
                    score=None,
                    metrics=member.metrics,
                    seconds=1.0,
                    seed=0,
                    proposal=member.proposal,
                )
            )
    return trials


def two_spaces():
    """Perceptrons and convolutional networks, which both have a wiring, of other kinds."""
    signature = search_spaces.Signature(input_shape=(1, 8, 8), outputs=3)
    space = search_spaces.create("mlp+cnn", signature, max_nnz=60)
    return Pool(space, (), objectives.parse(["accuracy"]))


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2", "nsga3", "cma-es", "local"])
def test_several_spaces_as_one(name):
    trials = measured(name, lambda architecture: len(architecture) / 100, 24, two_spaces)
    assert {trial.candidate.space for trial in trials} == {"mlp", "cnn"}


def test_cma_es_finds_the_numbers_where_accuracy_peaks():
    """The best networks have widths 24 and 10; nothing else counts."""

    def distance(architecture):
        return abs(architecture["width_1"] - 24) / 28 + abs(architecture["width_2"] - 10) / 28

    trials = measured("cma-es", lambda architecture: 1 - distance(architecture) / 2, 60)
    first, last = (np.mean([distance(t.candidate.architecture) for t in part]) for part in (trials[:12], trials[-12:]))
    assert last < first / 2


def test_cma_es_keeps_no_state_in_the_trials():
    trials = measured("cma-es", lambda architecture: 0.5, 24)
    assert all(dict(trial.proposal.system_attrs) == {} for trial in trials)
    assert all(set(trial.proposal.distributions) == set(trial.proposal.params) != set() for trial in trials)


def test_numbers_that_all_have_become_points_and_come_back():
    ranges = {
        "width": IntDistribution(4, 64, log=True),
        "even": IntDistribution(2, 8, step=2),
        "share": FloatDistribution(0.1, 10.0, log=True),
        "seed": IntDistribution(0, 2**31 - 1),
        "kind": CategoricalDistribution(["a", "b"]),
    }
    numbers = Numbers.of([{**ranges, "branch": FloatDistribution(0, 1)}, ranges])
    assert list(numbers.ranges) == ["width", "even", "share"]
    params = {"width": 16, "even": 6, "share": 1.0}
    point = numbers.unit(params)
    np.testing.assert_allclose(point, [0.5, 2 / 3, 0.5])  # 16 = √(4·64), 6 = 2 + ⅔·6, 1 = √(.1·10)
    back = numbers.params(point)
    assert (back["width"], back["even"]) == (16, 6)
    assert back["share"] == pytest.approx(1.0)


def test_local_search_proposes_neighbours_of_the_best():
    trials = measured("local", lambda architecture: architecture["width_1"] / 40, 12)
    best = max(trials, key=lambda trial: trial.accuracy).candidate
    pool = plain_pool()
    strategies.create("local").fill(pool, trials, 10, rng=np.random.default_rng(0), trainings=60)
    for member in pool.members:
        changed = member.proposal.candidate
        same = [name for name, gene in best.architecture.items() if changed.architecture.get(name) == gene]
        assert len(same) >= len(best.architecture) - 1
        assert changed.digest != best.digest


def test_a_local_search_without_new_neighbours_draws_from_the_space(monkeypatch):
    trials = measured("local", lambda architecture: architecture["width_1"] / 40, 6)
    pool = plain_pool()
    pool.offer(trials[0].proposal)
    monkeypatch.setattr(pool.space, "mutate", lambda candidate, rng: trials[0].candidate)
    strategies.create("local").fill(pool, trials, 5, rng=np.random.default_rng(0), trainings=60)
    assert len(pool) == 5


@pytest.mark.parametrize(
    ("fitness", "expected"),
    [
        ([0.5, 0.6, 0.4], None),  # a start is four candidates
        ([0.5, 0.6, 0.4, 0.3], 1),
        ([0.5, 0.6, 0.4, 0.3, 0.7], 4),  # the first better one is the centre
        ([0.9, 0.6, 0.4, 0.3, 0.7, 0.1], None),  # five without a better one than the first: a new start
        ([0.9, 0.6, 0.4, 0.3, 0.7, 0.1, 0.2, 0.3, 0.25], 7),  # the best since the new start, which begins at place 5
    ],
)
def test_a_local_search_that_is_stuck_starts_anew(fitness, expected):
    assert centre(np.array(fitness), 4) == expected


def test_a_gaussian_process_never_sees_a_seed():
    # Optuna's sampler lists all values of a whole number: 16 GiB for a seed of 31 bits.
    assert is_seed(IntDistribution(0, 2**31 - 1))
    assert not is_seed(IntDistribution(8, 300))
    assert not is_seed(FloatDistribution(0, 1e9))
    trials = StrategyContract().trials("gp", 12)
    sampler = _sampler(0)
    study = optuna.create_study(sampler=sampler)
    goals = objectives.parse(["accuracy"])
    for trial in trials:
        study.add_trial(to_frozen(trial, goals))
    seen = sampler.infer_relative_search_space(study, study.get_trials()[0])
    assert "mask_density" in seen or "mask_fill" in seen
    assert not [name for name, range_ in seen.items() if is_seed(range_)]
    assert any(is_seed(range_) for trial in trials for range_ in trial.proposal.distributions.values())


@SLOW
def test_a_gaussian_process_finds_wide_layers():
    trials = measured("gp", lambda architecture: architecture["width_1"] / 32, 30)
    first, last = (np.mean([trial.accuracy for trial in part]) for part in (trials[:12], trials[-6:]))
    assert last > first + 0.15
