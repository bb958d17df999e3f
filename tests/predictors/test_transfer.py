"""A warm start: another predictor's scores on a line, judged with the other members, saved by the digest of their source."""

import numpy as np
import pytest

from predictors.calibration.target import to_target
from predictors.errors import InvalidPredictorError
from predictors.features.matrix import summary_column
from predictors.library import loading, persistence
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.forest import ForestOptions, ForestPredictor
from predictors.models.gnn.gnn import GNNOptions
from predictors.models.transfer import TransferPredictor
from predictors.predictor import Prediction
from predictors.testing import synthetic_graphs

SMALL = EnsembleOptions(
    folds=2,
    forest=ForestOptions(trees=20),
    boosted=BoostedOptions(trees=40, learning_rate=0.1),
    network=GNNOptions(members=2, hidden=8, layers=1, unit_hidden=4, unit_layers=1, steps=20, epochs=1),
)


class Source:
    """A predictor whose answers are given."""

    name = "source"

    def __init__(self, sign: float = 1.0, noise: float = 0.0) -> None:
        self.sign, self.noise = sign, noise

    def predict(self, graphs) -> Prediction:
        size = summary_column(graphs, "log_nnz")
        said = 0.5 + self.sign * 0.04 * (size - 5) + self.noise * np.random.default_rng(0).normal(size=len(graphs))
        return Prediction(np.clip(said, 0, 1), np.zeros(len(graphs)))

    def arrays(self) -> dict[str, np.ndarray]:
        return {"sign": np.asarray(self.sign)}


def test_the_line_is_found_from_a_few_networks():
    graphs, _ = synthetic_graphs(60, seed=1)
    said = to_target(Source().predict(graphs).mean)
    fitted = TransferPredictor(Source()).fit_targets(graphs[:20], 3 * said[:20] - 1)
    found = fitted.predict_targets(graphs[20:]).mean
    np.testing.assert_allclose(found, 3 * said[20:] - 1, atol=1e-6)


def test_a_source_that_is_wrong_says_nothing():
    graphs, accuracies = synthetic_graphs(60, seed=1)
    fitted = TransferPredictor(Source(sign=-1.0)).fit_targets(graphs, to_target(accuracies))
    assert np.ptp(fitted.predict_targets(graphs).mean) < 1e-6


def test_the_ensemble_weighs_a_source_by_what_it_is_worth():
    graphs, accuracies = synthetic_graphs(50, seed=2)
    good = EnsemblePredictor(SMALL, source=Source()).fit(graphs, accuracies)
    bad = EnsemblePredictor(SMALL, source=Source(sign=0.0, noise=0.1)).fit(graphs, accuracies)
    assert good.weights["transfer"] > bad.weights["transfer"]
    assert sum(good.weights.values()) == pytest.approx(1.0)
    assert bad.weights["transfer"] < 0.15


def test_a_warm_ensemble_is_saved_and_loaded(tmp_path):
    graphs, accuracies = synthetic_graphs(40)
    fitted = EnsemblePredictor(SMALL, source=loading.shipped().predictor).fit(graphs[:30], accuracies[:30])
    persistence.save(fitted, tmp_path / "warm")
    loaded = loading.load(tmp_path / "warm")
    np.testing.assert_array_equal(loaded.predict(graphs[30:]).mean, fitted.predict(graphs[30:]).mean)


def test_a_warm_ensemble_of_another_source_is_refused(tmp_path):
    graphs, accuracies = synthetic_graphs(30)
    fitted = EnsemblePredictor(SMALL, source=Source()).fit(graphs, accuracies)
    with pytest.raises(InvalidPredictorError, match="another one than the shipped one cannot be saved"):
        persistence.save(fitted, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_warm_ensemble_of_another_version_of_the_shipped_one_is_refused():
    graphs, accuracies = synthetic_graphs(30)
    fitted = EnsemblePredictor(SMALL, source=loading.shipped().predictor).fit(graphs, accuracies)
    arrays = fitted.arrays()
    loaded = EnsemblePredictor.from_arrays(arrays)
    with pytest.raises(InvalidPredictorError, match="another version of the shipped one: fit it again"):
        loaded.attach_source(Source())


def test_a_source_that_cannot_tell_the_networks_apart_says_nothing_wild():
    graphs, accuracies = synthetic_graphs(20)
    same = TransferPredictor(Source(sign=0.0)).fit_targets(graphs[:8], to_target(accuracies[:8]))
    same._source = Source()
    said = same.predict_targets(graphs[8:]).mean
    assert np.abs(said - to_target(accuracies).mean()).max() < 20 * to_target(accuracies).std()


def test_a_loaded_ensemble_keeps_its_source_when_it_is_fitted_again():
    graphs, accuracies = synthetic_graphs(30)
    fitted = EnsemblePredictor(SMALL, source=loading.shipped().predictor).fit(graphs[:20], accuracies[:20])
    loaded = EnsemblePredictor.from_arrays(fitted.arrays())
    loaded.attach_source(loading.shipped().predictor)
    loaded.options = SMALL
    assert "transfer" in loaded.fit(graphs, accuracies).weights


def test_a_forest_may_be_the_source():
    graphs, accuracies = synthetic_graphs(60, seed=4)
    source = ForestPredictor(ForestOptions(trees=30)).fit(graphs[:40], accuracies[:40])
    fitted = TransferPredictor(source).fit_targets(graphs[40:50], to_target(accuracies[40:50]))
    said = fitted.predict_targets(graphs[50:]).mean
    assert np.corrcoef(said, to_target(accuracies[50:]))[0, 1] > 0.8
