"""Latency: additive costs are found again, larger networks too, and refused where nothing can be learnt."""

import numpy as np
import pytest

import search_spaces
from predictors import encode
from predictors.errors import InvalidPredictorError, InvalidTrainingSetError
from predictors.library.loading import load
from predictors.library.persistence import save
from predictors.models.latency import LatencyPredictor, _parts
from search_spaces.signature import Signature


@pytest.fixture(scope="module")
def measured():
    """Networks whose time is a call, every operator, and their products."""
    graphs = []
    rng = np.random.default_rng(0)
    for width in ((8, 32), (16, 96)):
        space = search_spaces.create("mlp", Signature(input_shape=(16,), outputs=3), width=width)
        graphs += [encode(space.build(space.sample(rng))) for _ in range(30)]
    times = _times(graphs) * np.exp(0.02 * rng.normal(size=len(graphs)))
    return graphs, times


def _times(graphs) -> np.ndarray:
    parts = _parts(graphs)
    classes = (parts.shape[1] - 1) // 4
    counts, products = parts[:, 1 : 1 + classes].sum(axis=1), parts[:, 1 + classes : 1 + 2 * classes].sum(axis=1)
    return 0.005 + 0.001 * counts + 0.002 * products


def test_times_of_others_are_predicted(measured):
    graphs, times = measured
    said = LatencyPredictor().fit(graphs[::2], times[::2]).predict(graphs[1::2])
    assert np.abs(said.mean / times[1::2] - 1).mean() < 0.05
    assert np.mean((times[1::2] >= said.low) & (times[1::2] <= said.high)) > 0.7
    assert (said.std > 0).all()


def test_larger_networks_than_any_of_the_fit_are_predicted(measured):
    graphs, times = measured
    space = search_spaces.create("mlp", Signature(input_shape=(16,), outputs=3), width=(200, 300), depth=(3, 4))
    rng = np.random.default_rng(1)
    large = [encode(space.build(space.sample(rng))) for _ in range(6)]
    said = LatencyPredictor().fit(graphs, times).predict(large).mean
    assert np.abs(said / _times(large) - 1).max() < 0.3


def test_operators_that_were_never_measured_are_told(measured):
    fitted = LatencyPredictor().fit(*measured)
    space = search_spaces.create("cnn", Signature(input_shape=(1, 8, 8), outputs=3))
    strange = encode(space.build(space.sample(np.random.default_rng(0))))
    np.testing.assert_array_equal(fitted.predict([measured[0][0], strange]).outside, [False, True])


def test_it_is_saved_and_loaded(measured, tmp_path):
    graphs, times = measured
    fitted = LatencyPredictor().fit(graphs, times)
    save(fitted, tmp_path / "here")
    loaded = load(tmp_path / "here")
    np.testing.assert_array_equal(loaded.predict(graphs).mean, fitted.predict(graphs).mean)
    assert (loaded.name, loaded.training_graphs) == ("latency", len(graphs))


def test_what_cannot_be_learnt_from_is_refused(measured):
    graphs, times = measured
    for wrong in (times[:-1], -times, times * np.nan):
        with pytest.raises(InvalidTrainingSetError, match="positive time"):
            LatencyPredictor().fit(graphs, wrong)
    with pytest.raises(InvalidTrainingSetError, match="at least 8"):
        LatencyPredictor().fit(graphs[:3], times[:3])
    arrays = LatencyPredictor().fit(graphs, times).arrays()
    with pytest.raises(InvalidPredictorError, match="costs"):
        LatencyPredictor.from_arrays({**arrays, "costs": arrays["costs"][1:]})
