"""What trained networks are expected to reach on new examples."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from nas.engine.expected import FEWEST, between, expected
from nas.engine.leaders import winner
from nas.metrics.accuracy import ACCURACY
from nas.study.objectives import Objective
from nas.study.trial import Trial, results_by_candidate
from search_spaces import Candidate, LearnedMask

TRAINED = np.array([0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97])
MEASURED = TRAINED - 0.01


def test_networks_on_the_line_stay_where_they_are():
    assert between(MEASURED, TRAINED, 300) == pytest.approx(MEASURED, abs=0.004)


def test_a_lucky_network_is_drawn_to_the_line_unless_examples_are_many():
    lucky = MEASURED.copy()
    lucky[2] = 0.97
    few, many = between(lucky, TRAINED, 300), between(lucky, TRAINED, 300_000)
    assert np.argmax(lucky) == 2
    assert np.argmax(few) == 7
    assert few[2] < 0.95
    assert many[2] == pytest.approx(0.97, abs=0.001)


def test_a_network_that_fits_its_training_examples_too_well_is_not_preferred_for_that():
    rng = np.random.default_rng(0)
    true = np.linspace(0.80, 0.95, 40)
    trained = np.where(np.arange(40) % 2, 0.999, true)
    found = between(rng.binomial(20_000, true) / 20_000, trained, 20_000)
    assert np.argmax(found) in (37, 38, 39)


def test_choosing_by_it_loses_less_than_choosing_by_validation():
    rng, lost = np.random.default_rng(0), {"validation": 0.0, "expected": 0.0}
    for _ in range(200):
        true = np.clip(rng.normal(0.93, 0.01, 24), 0, 0.99)
        trained = rng.binomial(1000, np.clip(true + 0.01, 0, 1)) / 1000
        measured = rng.binomial(300, true) / 300
        lost["validation"] += true.max() - true[np.argmax(measured)]
        lost["expected"] += true.max() - true[np.argmax(between(measured, trained, 300))]
    assert lost["expected"] < 0.75 * lost["validation"]


def test_shares_of_zero_and_one_are_allowed():
    found = between(np.array([0.0, 1.0, 0.5, 0.5, 1.0, 1.0]), np.array([0.0, 1.0, 0.5, 0.6, 1.0, 0.9]), 50)
    assert np.isfinite(found).all()
    assert found[0] < 0.05
    assert found[1] > 0.95


def trials(measured=MEASURED, trained=TRAINED):
    return [
        Trial(
            number=number,
            round=0,
            repeat=0,
            candidate=Candidate(space="mlp", architecture={"width": number}, mask=LearnedMask(method="espn", keep=9)),
            accuracy=one,
            train_accuracy=other,
            score=None,
            metrics={"nnz": 9},
            seconds=1.0,
            seed=number,
        )
        for number, (one, other) in enumerate(zip(measured, trained, strict=True))
    ]


def plan(metric=ACCURACY, examples=300):
    return SimpleNamespace(metric=metric, task=SimpleNamespace(validation=range(examples)))


def test_failed_networks_have_no_expectation():
    several = trials()
    several[3] = dataclasses.replace(several[3], accuracy=None)
    assert set(expected(plan(), several)) == {0, 1, 2, 4, 5, 6, 7}


@pytest.mark.parametrize(
    ("metric", "several"),
    [
        (ACCURACY, trials()[: FEWEST - 1]),
        (ACCURACY, trials(trained=[None] * 8)),
        (dataclasses.replace(ACCURACY, direction="minimize"), trials()),
        (dataclasses.replace(ACCURACY, high=np.inf), trials()),
    ],
    ids=["few networks", "looked up", "minimized", "not a share"],
)
def test_where_nothing_more_is_known_nothing_is_expected(metric, several):
    assert expected(plan(metric), several) == {}


def test_the_winner_is_the_network_of_which_most_is_expected():
    lucky = MEASURED.copy()
    lucky[2] = 0.97
    several = trials(measured=lucky)
    goals = (Objective("accuracy", "maximize"),)
    assert winner(goals, results_by_candidate(several)).number == 2
    assert winner(goals, results_by_candidate(several, expected(plan(), several))).number == 7


def test_of_networks_that_differ_by_less_than_an_example_a_clearly_smaller_one_wins():
    several = trials(measured=np.array([0.95, 0.951, 0.952, 0.94]), trained=[None] * 4)
    several[0] = dataclasses.replace(several[0], metrics={"nnz": 7})
    known, goals = results_by_candidate(several), (Objective("accuracy", "maximize"),)
    assert winner(goals, known).number == 2
    assert winner(goals, known, alike=0.005).number == 0
    assert winner(goals, known, alike=0.0015).number == 2
    hardly = dataclasses.replace(several[0], metrics={"nnz": 8.5})
    assert winner(goals, results_by_candidate([hardly, *several[1:]]), alike=0.005).number == 2
