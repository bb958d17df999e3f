"""Calibration by kind of question: task, kind of weights, plans, told methods."""

from dataclasses import replace

import numpy as np
import pytest

from predictors import Origin, Prediction, TaskDescription
from predictors.calibration.questions import FEWEST, QUESTIONS, Questions, kinds
from predictors.errors import InvalidPredictorError
from predictors.models.linear import LinearPredictor
from predictors.testing import synthetic_graphs

TASK = TaskDescription(samples=100, classes=3, inputs=4, one_nn=0.9, linear_probe=0.8)


def test_a_question_is_a_task_and_a_kind_of_origin():
    graph = synthetic_graphs(1)[0][0]
    asked = [
        graph,
        graph.on(TASK),
        graph.on(replace(TASK, samples=200)),
        graph.of_origin(Origin(weights="own")),
        graph.of_origin(Origin(weights="own", method="espn")),
        graph.of_origin(Origin(weights="fresh", method="espn")),
        graph.of_origin(Origin(method="espn", nnz=10)),
    ]
    found = kinds(asked)
    assert len(set(found.tolist())) == len(asked)
    assert kinds([graph.of_origin(Origin(weights="own", method="rigl"))])[0] == found[4]
    assert kinds([]).shape == (0,)


def test_each_kind_gets_its_own_shift_and_an_interval_that_holds_nine_tenths():
    rng = np.random.default_rng(0)
    asked = np.repeat([3, 5, 9], [400, 400, FEWEST - 1])
    truth = rng.uniform(0.3, 0.7, len(asked))
    noise = np.select([asked == 3, asked == 5], [0.01, 0.1], 0.05)
    said = truth + np.where(asked == 5, 0.2, 0.0) + noise * rng.normal(size=len(asked))
    found = Questions.of(asked, said, np.full(len(asked), 0.02), truth, 0.25, 4.0)
    assert found is not None
    assert found.kinds.tolist() == [3, 5]
    shift, missed, width = found(asked, missed=0.5, width=1.0)
    held = np.abs(said - shift - truth) <= width * np.hypot(0.02, missed)
    for kind in (3, 5):
        assert abs((said - shift - truth)[asked == kind].mean()) < 0.02
        assert held[asked == kind].mean() == pytest.approx(0.9, abs=0.03)
    assert (shift[asked == 9] == 0).all()
    assert (missed[asked == 9] == 0.5).all()
    assert (width[asked == 9] == 1.0).all()


def test_one_kind_needs_no_correction():
    truth = np.linspace(0, 1, 200)
    assert Questions.of(np.ones(200, np.int64), truth, truth, truth, 0.25, 4.0) is None
    assert Questions.of(np.arange(200), truth, truth, truth, 0.25, 4.0) is None


def test_a_predictor_corrects_and_keeps_its_correction():
    graphs, accuracies = synthetic_graphs(300)
    rng = np.random.default_rng(0)
    own = rng.random(300) < 0.5
    told = [
        graph.of_origin(Origin(weights="own" if one else "fresh"))
        for graph, one in zip(graphs, own.tolist(), strict=True)
    ]
    noisy = np.clip(accuracies + np.where(own, 0.15, 0.01) * rng.normal(size=300), 0, 1)
    predictor = LinearPredictor().fit(told, noisy)
    said = predictor.predict(told)
    half = said.high - said.low
    assert half[own].mean() > 2 * half[~own].mean()
    again = LinearPredictor.from_arrays(predictor.arrays())
    np.testing.assert_array_equal(again.predict(told).low, said.low)
    damaged = predictor.arrays() | {f"{QUESTIONS}kinds": np.array([2, 1])}
    with pytest.raises(InvalidPredictorError):
        LinearPredictor.from_arrays(damaged)


def test_a_wide_interval_is_doubtful():
    ends = np.array([[0.5, 0.60], [0.5, 0.70], [0.0, 1.0]])
    said = Prediction(ends.mean(axis=1), np.full(3, 0.05), ends[:, 0], ends[:, 1])
    assert said.doubtful.tolist() == [False, True, True]
