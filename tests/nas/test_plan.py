"""A configuration resolved into objects, and the errors if it cannot be."""

from pathlib import Path

import numpy as np
import pytest

import nas.engine.plan as plans
from nas.engine.strategies.tpe import TPE
from nas.errors import ConstraintError, UsageError
from nas.study.config import SearchConfig
from nas.study.constraints import Constraint
from nas.study.objectives import Objective
from nas.training.methods.gradual import Gradual
from predictors.models.forest import ForestPredictor
from search_spaces import InvalidOptionError

SMALL = {"task": "digits", "subset": 100}


def test_everything_that_a_configuration_names_becomes_an_object():
    plan = plans.resolve(
        SearchConfig(
            **SMALL,
            space="cnn",
            space_option=("cells=[1,2]", 'patterns=["random"]'),
            objective=("accuracy", "-nnz"),
            constraint=("nnz<=10%", "accuracy>=50%"),
            strategy="tpe",
            predictor="forest",
            method="gradual",
            method_option=("criterion=layer-adaptive",),
            epochs=3,
        )
    )
    assert (plan.task.name, plan.space.name) == ("digits", "cnn")
    assert plan.space.options()["cells"] == [1, 2]
    assert plan.space.options()["max_density"] == 0.1
    assert plan.objectives == (Objective("accuracy", "maximize"), Objective("nnz", "minimize"))
    assert plan.constraints == (Constraint("nnz", "<=", 0.1, relative=True), Constraint("accuracy", ">=", 0.5))
    assert isinstance(plan.strategy, TPE)
    assert plan.predictor is ForestPredictor
    assert isinstance(plan.method, Gradual)
    assert plan.method.criterion == "layer-adaptive"
    assert plan.training.epochs == 3
    assert plan.metric.name == "accuracy"
    assert plan.further_metrics == ()


def test_accuracy_stands_for_the_metric_of_the_task():
    plan = plans.resolve(SearchConfig(task="reber", space="rnn", subset=100, constraint="accuracy>=0.6"))
    assert plan.objectives == (Objective("legality", "maximize"),)
    assert plan.constraints == (Constraint("legality", ">=", 0.6),)
    assert plan.metric.name == "legality"


def test_another_metric_among_the_objectives_is_the_metric_of_the_search():
    plan = plans.resolve(SearchConfig(task="reber-strings", space="rnn", subset=100, objective=("legality", "-nnz")))
    assert plan.task.metric == plan.metric.name == "legality"


def test_further_metrics_are_measured_beside_that_of_the_search():
    plan = plans.resolve(SearchConfig(**SMALL, objective=("accuracy", "legality"), constraint="legality>=0.1"))
    assert plan.metric.name == "accuracy"
    assert plan.further_metrics == ("legality",)


def test_a_random_baseline_keeps_task_and_bounds():
    plan = plans.resolve(SearchConfig(**SMALL, constraint="nnz<=600", timeout=5, random_baseline=True))
    baseline = plan.random_baseline(20)
    assert (baseline.config.trainings, baseline.config.timeout, baseline.config.strategy) == (20, None, "random")
    assert baseline.predictor is None
    assert baseline.constraints is plan.constraints
    assert not baseline.config.random_baseline


def test_a_single_text_stands_for_a_list_of_one():
    assert SearchConfig(constraint="nnz<=600").constraint == ("nnz<=600",)
    assert SearchConfig(objective="accuracy") == SearchConfig()
    assert SearchConfig(space_option=["depth=[1,2]"]).space_option == ("depth=[1,2]",)


def test_paths_and_numbers_of_numpy_are_taken_as_what_they_are():
    config = SearchConfig(task=Path("data.csv"), trainings=np.int64(9), learning_rate=np.float32(0.5), explore=1)
    assert (config.task, config.trainings, config.learning_rate) == ("data.csv", 9, 0.5)
    assert [type(value) for value in (config.trainings, config.learning_rate, config.explore)] == [int, float, float]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainings": "x"}, "trainings must be a whole number, got 'x'"),
        ({"trainings": None}, "trainings must be a whole number, got None"),
        ({"trainings": 2.5}, "trainings must be a whole number, got 2.5"),
        ({"objective": 3}, "objective must be a list of texts, got 3"),
        ({"constraint": ["nnz<=600", 5]}, "constraint must be a list of texts"),
        ({"task": 5}, "task must be a text, got 5"),
        ({"explore": "much"}, "explore must be a number, got 'much'"),
        ({"random_baseline": 1}, "random_baseline must be true or false, got 1"),
        ({"epochs": [3]}, r"epochs must be a whole number, got \[3\]"),
        ({"optimizer": "lion"}, "optimizer must be adam or sgd, got 'lion'"),
        ({"init": 4}, "init must be auto or fan-in or keep, got 4"),
    ],
)
def test_a_library_call_with_a_wrong_type_gives_one_clear_line(options, message):
    with pytest.raises(UsageError, match=f"^{message}$" if "list of texts" not in message else message):
        SearchConfig(**options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"constraint": "nnz=600"}, ConstraintError, "not of the form"),
        ({"constraint": "accuracy>=2"}, ConstraintError, "can never be met: accuracy lies between 0 and 1"),
        ({"constraint": "legality>=5%x"}, ConstraintError, "not of the form"),
        ({"objective": "-accuracy"}, UsageError, "asks for the worst accuracy; write 'accuracy'"),
        ({"objective": "-legality"}, UsageError, "asks for the worst legality; write 'legality'"),
        ({"objective": ("accuracy", "bytes")}, UsageError, "asks for the most bytes; write '-bytes'"),
        ({"space_option": "depth"}, UsageError, "space option 'depth' must be NAME=VALUE"),
        ({"method_option": "=3"}, UsageError, "method option '=3' must be NAME=VALUE"),
        ({"space_option": "depht=[1,2]"}, InvalidOptionError, "unknown option 'depht'; did you mean 'depth'"),
        ({"predictor": "oracle"}, UsageError, "unknown predictor 'oracle'"),
        ({"strategy": "annealing"}, UsageError, "unknown strategy 'annealing'"),
        ({"method": "riggl"}, UsageError, "unknown method 'riggl'; did you mean 'rigl'"),
    ],
)
def test_what_does_not_exist_is_said_when_it_is_resolved(options, error, message):
    with pytest.raises(error, match=message):
        plans.resolve(SearchConfig(**SMALL, **options))
