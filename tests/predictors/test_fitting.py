"""Fitting on one's own networks: a warm start with a task, no warm start without one, and clear errors."""

import numpy as np
import pytest

import predictors
import search_spaces
from predictors.errors import InvalidTaskError, InvalidTrainingSetError, UnknownPredictorError
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.forest import ForestOptions
from predictors.models.gnn.gnn import GNNOptions
from predictors.models.warm import WarmPredictor
from search_spaces.signature import Signature


@pytest.fixture(scope="module")
def models():
    space = search_spaces.create("mlp", Signature(input_shape=(64,), outputs=10))
    rng = np.random.default_rng(0)
    return [space.build(space.sample(rng)) for _ in range(16)]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    small = EnsembleOptions(
        folds=2,
        forest=ForestOptions(trees=10),
        boosted=BoostedOptions(trees=10),
        network=GNNOptions(members=2, hidden=8, layers=1, unit_hidden=4, unit_layers=1, steps=5, epochs=1),
    )
    for kind in (EnsemblePredictor, WarmPredictor):
        monkeypatch.setattr(kind.__init__, "__defaults__", (small,))


def test_with_a_task_the_shipped_predictor_is_a_member(models, tmp_path):
    accuracies = np.linspace(0.3, 0.9, 12)
    fitted = predictors.fit(models[:12], accuracies, task="digits")
    assert fitted.name == "warm"
    assert "transfer" in fitted.predictor.weights
    said = fitted.predict(models[12:])
    predictors.save(fitted, tmp_path / "mine")
    loaded = predictors.load(tmp_path / "mine")
    np.testing.assert_array_equal(loaded.predict(models[12:]).mean, said.mean)
    np.testing.assert_array_equal(loaded.predict(models[12:], task="digits").mean, said.mean)
    assert loaded.training_graphs == 12


def test_a_task_of_ones_own_is_described(models):
    own = {"samples": 500, "classes": 10, "inputs": 64, "one_nn": 0.9, "linear_probe": 0.8}
    fitted = predictors.fit(models, np.linspace(0.3, 0.9, 16), task=own)
    assert fitted.name == "warm"
    assert list(fitted.tasks) == ["described"]


def test_without_a_task_there_is_no_start(models):
    fitted = predictors.fit(models, np.linspace(0.3, 0.9, 16))
    assert fitted.name == "ensemble"
    assert not fitted.tasks


def test_errors_say_what_is_wrong(models):
    with pytest.raises(InvalidTaskError, match="knows no task 'digit'; it knows digits"):
        predictors.fit(models, np.linspace(0.3, 0.9, 16), task="digit")
    with pytest.raises(InvalidTaskError, match="lacks"):
        predictors.fit(models, np.linspace(0.3, 0.9, 16), task={"samples": 3})
    with pytest.raises(InvalidTaskError, match="needs to know the task"):
        predictors.fit(models, np.linspace(0.3, 0.9, 16), predictor="warm")
    with pytest.raises(InvalidTrainingSetError, match="16 graphs need accuracies of shape"):
        predictors.fit(models, [0.5], predictor="forest")


def test_what_is_wrong_is_said_before_any_file_is_read(tmp_path):
    files = [tmp_path / "a.onnx", tmp_path / "b.onnx"]  # there are none
    with pytest.raises(InvalidTaskError):
        predictors.fit(files, [0.5, 0.6], task="digit")
    with pytest.raises(UnknownPredictorError):
        predictors.fit(files, [0.5, 0.6], predictor="forrest")
    with pytest.raises(InvalidTrainingSetError):
        predictors.fit(files, [0.5])
