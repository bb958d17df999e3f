"""`nas.optuna.PredictorSampler`: Optuna's own conformance tests, and what it proposes."""

import copy
from collections import Counter

import numpy as np
import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.testing import pytest_samplers
from optuna.trial import TrialState

import onnx_graph
import predictors
import search_spaces
from nas.errors import UsageError
from nas.optuna import PredictorSampler
from nas.optuna.shares import of_trials, ranked


@pytest.fixture(autouse=True)
def _quiet():
    """A failed test shows no line for each trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


SIGNATURE = search_spaces.Signature(input_shape=(8,), outputs=3)


def mlp(**options):
    return search_spaces.create("mlp", SIGNATURE, **{"max_nnz": 60, "width": (4, 16), "depth": (1, 2), **options})


def sampler(space=None, **options):
    options = {"seed": 0, "predictor": "gp", "candidates": 8, **options}
    return PredictorSampler(mlp() if space is None else space, **options)


def study_of(one, **options):
    return optuna.create_study(sampler=one, **{"direction": "maximize", **options})


def size(space, trial):
    """A cheap objective: the share of the budget that is spent on live weights; 1 is best."""
    return onnx_graph.count(space.build(space.suggest(trial))).nnz / 60


class TestConformance(
    pytest_samplers.BasicSamplerTestCase,
    pytest_samplers.RelativeSamplerTestCase,
    pytest_samplers.MultiObjectiveSamplerTestCase,
):
    """Their parameters are none of the space's, so they test the fallback and what is around it."""

    @pytest.fixture
    def sampler(self):
        return sampler


@pytest.mark.takes(10, "fits fifteen predictors")
def test_it_proposes_better_networks_than_chance():
    space, means = mlp(min_fill=0.1), {}
    for name, one in (
        ("predictor", sampler(space, predictor="linear", candidates=16)),
        ("random", RandomSampler(seed=0)),
    ):
        study = study_of(one)
        study.optimize(lambda trial: size(space, trial), n_trials=24)
        means[name] = np.mean([trial.value for trial in study.trials[12:]])
    assert means["predictor"] > means["random"] + 0.1


def test_it_honours_the_direction():
    space = mlp(min_fill=0.1)
    study = study_of(sampler(space, explore=0.0, predictor="gp"), direction="minimize")
    study.optimize(lambda trial: size(space, trial), n_trials=20)
    values = [trial.value for trial in study.trials]
    assert np.mean(values[12:]) < np.mean(values[:8]) - 0.1


def test_the_same_seed_gives_the_same_trials_and_another_seed_others():
    def params(seed):
        space = mlp()
        study = study_of(sampler(space, seed=seed))
        study.optimize(lambda trial: size(space, trial) + 0 * trial.suggest_float("rate", 0.0, 1.0), n_trials=11)
        return [trial.params for trial in study.trials]

    assert params(3) == params(3) != params(4)


def test_reseeding_changes_the_draws():
    space, drawn = mlp(), []
    for reseeded in (False, False, True):
        one = sampler(space, fallback=RandomSampler(seed=0))
        if reseeded:
            one.reseed_rng()
        trial = study_of(one).ask()
        drawn.append((space.suggest(trial).digest, trial.suggest_float("rate", 0, 1)))
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[2][0]
    assert drawn[0][1] != drawn[2][1]


def test_a_study_on_disk_goes_on_as_if_it_had_not_stopped(tmp_path):
    """All that the sampler knows is in the study: trial numbers, parameters, values."""

    def run(path, *parts):
        for trials in parts:
            storage = JournalStorage(JournalFileBackend(str(path)))
            space = mlp()
            study = study_of(sampler(space), storage=storage, study_name="nets", load_if_exists=True)
            study.optimize(lambda trial, space=space: size(space, trial), n_trials=trials)
        return [trial.params for trial in study.trials]

    assert run(tmp_path / "whole.log", 13) == run(tmp_path / "parts.log", 5, 4, 4)


def test_no_network_is_proposed_twice():
    space = mlp()
    study = study_of(sampler(space))
    digests = []
    study.optimize(
        lambda trial: digests.append(space.suggest(trial).digest) or float(len(digests)),
        n_trials=20,
    )
    assert max(Counter(digests).values()) == 1


def test_a_network_whose_training_failed_is_not_proposed_again():
    space = mlp()
    study = study_of(sampler(space, explore=0.0))
    digests = []

    def objective(trial):
        digests.append(space.suggest(trial).digest)
        if trial.number > 9:
            raise ValueError("a training that diverged")
        return trial.number / 10

    study.optimize(objective, n_trials=16, catch=(ValueError,))
    assert len(set(digests)) == 16


def test_several_spaces_as_one_and_a_pruner_that_divides_the_study():
    signature = search_spaces.Signature(input_shape=(1, 8, 8), outputs=3)
    space = search_spaces.create("mlp+cnn", signature, max_nnz=100, depth=(1, 2))
    study = study_of(sampler(space), pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9))

    def objective(trial):
        value = onnx_graph.count(space.build(space.suggest(trial))).nnz / 100
        for step in range(9):
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study.optimize(objective, n_trials=24)
    assert {trial.params["space"] for trial in study.trials} == {"mlp", "cnn"}
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_failed_pruned_and_foreign_trials_are_not_learnt_from():
    space, one = mlp(), sampler()
    study = study_of(one)
    fitted = []
    one._scores.fit = lambda candidates, shares, seed: fitted.append(dict(shares))

    def objective(trial):
        if trial.number == 2:
            return trial.suggest_float("x", 0, 1)  # a trial of something else
        space.suggest(trial)
        if trial.number == 0:
            raise ValueError("a training that diverged")
        if trial.number == 1:
            raise optuna.TrialPruned
        return 0.5

    study.optimize(objective, n_trials=5, catch=(ValueError,))
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.FAIL, TrialState.PRUNED, *[TrialState.COMPLETE] * 3]
    assert [len(shares) for shares in fitted] == [0, 0, 0, 0, 1]


def test_running_trials_count_with_the_median_and_are_not_proposed_again():
    space, one = mlp(), sampler()
    study = study_of(one)
    for value in (0.1, 0.2, 0.9):
        trial = study.ask()
        space.suggest(trial)
        study.tell(trial, value)
    fitted = []
    one._scores.fit = lambda candidates, shares, seed: fitted.append(list(shares.values()))
    running = [study.ask() for _ in range(3)]
    candidates = [space.suggest(trial) for trial in running]
    assert fitted[0] == [0.1, 0.2, 0.9]
    space.suggest(study.ask())
    assert fitted[-1] == [0.1, 0.2, 0.9, 0.2, 0.2, 0.2]
    assert len({candidate.digest for candidate in candidates}) == 3


def test_parallel_threads_propose_different_networks():
    space = mlp()
    study = study_of(sampler(space))
    digests = []

    def objective(trial):
        candidate = space.suggest(trial)
        digests.append(candidate.digest)
        return onnx_graph.count(space.build(candidate)).nnz / 60

    study.optimize(objective, n_trials=20, n_jobs=3)
    assert len(study.trials) == len(set(digests)) == 20
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)


def test_conditional_parameters_come_from_the_candidate():
    """A perceptron has widths, a random graph has vertices: each trial has just the parameters of its network."""
    space, own = mlp(wirings=("plain", "watts-strogatz")), []
    one = sampler(space)
    one.sample_independent = lambda study, trial, name, distribution: own.append(name)
    study = study_of(one)
    study.optimize(lambda trial: size(space, trial), n_trials=16)
    assert {trial.params["wiring"] for trial in study.trials} == {"plain", "watts-strogatz"}
    for trial in study.trials:
        assert ("vertices" in trial.params) == (trial.params["wiring"] != "plain")
    assert own == [], "the fallback was asked for none of them"


def test_parameters_of_the_user_come_from_the_fallback():
    class Third(RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            assert name == "rate"
            return 1 / 3

    space = mlp()
    study = study_of(sampler(space, fallback=Third()))
    study.optimize(lambda trial: size(space, trial) * trial.suggest_float("rate", 0, 1), n_trials=10)
    assert {trial.params["rate"] for trial in study.trials} == {1 / 3}


def test_enqueued_parameters_are_kept_and_the_others_suit_them():
    space = mlp(depth=(1, 4))
    study = study_of(sampler(space))
    study.optimize(lambda trial: size(space, trial), n_trials=9)
    study.enqueue_trial({"wiring": "plain", "depth": 4, "width_3": 5})
    study.optimize(lambda trial: size(space, trial), n_trials=1)
    params = study.trials[-1].params
    assert (params["wiring"], params["depth"], params["width_3"]) == ("plain", 4, 5)
    assert {"width_1", "width_2", "width_4"} <= set(params)


def test_a_space_that_is_used_up_leaves_the_choice_to_the_fallback():
    class Two:
        def suggest(self, trial):
            wide = trial.suggest_categorical("wide", [False, True])
            return search_spaces.Candidate(space="two", architecture={"wide": wide})

        def build(self, candidate):
            space = search_spaces.create("mlp", SIGNATURE)
            return space.build(space.plain(2.0 if candidate.architecture["wide"] else 1.0)[0])

    space = Two()
    study = study_of(sampler(space))
    study.optimize(lambda trial: float(space.suggest(trial).architecture["wide"]), n_trials=6)
    assert {trial.params["wide"] for trial in study.trials[:2]} == {False, True}
    assert len(study.trials) == 6


def test_several_objectives_in_any_direction():
    space = mlp(min_fill=0.1)

    def objective(trial):
        used = size(space, trial)
        return used, (used - 0.5) ** 2

    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler(space, candidates=16))
    study.optimize(objective, n_trials=16)
    assert len(study.best_trials) >= 1
    late = np.array([trial.values for trial in study.trials[10:]])
    assert late[:, 0].mean() > 0.4, "the front lies between half and all of the budget"


def test_a_described_task_lets_the_shipped_predictor_choose_from_the_first_trial():
    digits = search_spaces.create("mlp", search_spaces.Signature(input_shape=(64,), outputs=10), max_nnz=600)
    asked = []
    for task in (None, "digits"):
        study = study_of(PredictorSampler(digits, task=task, candidates=16, explore=0.0, seed=1))
        asked.append(digits.build(digits.suggest(study.ask())))
    prediction = predictors.load("default").predict(asked, task="digits")
    assert prediction.mean[1] > prediction.mean[0] + 0.05


def test_a_predictor_that_needs_a_task_asks_for_it():
    with pytest.raises(UsageError, match="say which by task="):
        PredictorSampler(mlp(), predictor="quick-warm")
    with pytest.raises(UsageError, match="candidates"):
        PredictorSampler(mlp(), candidates=0)
    with pytest.raises(predictors.PredictorError, match="quick"):
        PredictorSampler(mlp(), predictor="quik")


def test_a_study_with_the_sampler_can_be_copied():
    """As `joblib` and users of studies in memory do."""
    space = mlp()
    study = study_of(sampler(space))
    study.optimize(lambda trial: size(space, trial), n_trials=9)
    twin = copy.deepcopy(study)
    assert space.suggest(twin.ask()) == space.suggest(study.ask())


def finished(*values, constraints=None):
    return optuna.create_trial(values=list(values), constraints=constraints)


@pytest.mark.parametrize(
    ("values", "directions", "expected"),
    [
        ([0.25, 0.75], ["maximize"], [0.25, 0.75]),  # accuracies stay
        ([0.25, 0.75], ["minimize"], [0.75, 0.25]),  # error rates
        ([3.0, 1.0, 1e9, 3.0], ["minimize"], [0.5, 0.875, 0.125, 0.5]),  # losses: ranks, from the worst
        ([3.0, 1.0], ["maximize"], [0.75, 0.25]),
    ],
)
def test_values_become_shares(values, directions, expected):
    study = optuna.create_study(directions=directions)
    found = of_trials([finished(value) for value in values], study.directions, np.random.default_rng(0))
    np.testing.assert_allclose(found, expected)


def test_a_broken_constraint_counts_as_the_worst():
    study = optuna.create_study(direction="maximize")
    trials = [finished(0.4), finished(0.9, constraints={"bytes": 10.0}), finished(0.6, constraints={"bytes": -1.0})]
    assert of_trials(trials, study.directions, np.random.default_rng(0)).tolist() == [0.4, 0.4, 0.6]


def test_a_trial_that_is_best_in_all_objectives_has_the_best_share():
    study = optuna.create_study(directions=["maximize", "minimize"])
    trials = [finished(0.5, 10.0), finished(0.9, 1.0), finished(0.1, 30.0)]
    for seed in range(5):
        assert of_trials(trials, study.directions, np.random.default_rng(seed)).argsort().tolist() == [2, 0, 1]


def test_ranks_of_equal_values_are_equal():
    assert ranked(np.array([2.0, 2.0, 5.0])).tolist() == pytest.approx([1 / 3, 1 / 3, 5 / 6])
