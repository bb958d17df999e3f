import numpy as np
import pytest

from predictors.calibration.conformal import Curve
from predictors.errors import InvalidPredictorError


def _linear(scores: np.ndarray) -> np.ndarray:
    return 0.5 + 0.1 * scores


def test_the_mean_is_that_of_what_was_measured():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=2000)
    accuracies = (rng.random(2000) < 1 / (1 + np.exp(-2 * scores))).astype(float)  # two heaps: a median would be 0 or 1
    curve = Curve.of(scores, accuracies)
    places = np.linspace(-1.5, 1.5, 7)
    np.testing.assert_allclose(curve(places, _linear), 1 / (1 + np.exp(-2 * places)), atol=0.06)


def test_it_increases_whatever_it_is_given():
    rng = np.random.default_rng(0)
    curve = Curve.of(rng.normal(size=300), rng.random(300))
    said = curve(np.linspace(-4, 4, 100), _linear)
    assert (np.diff(said) > 0).all()
    assert said.min() >= 0
    assert said.max() <= 1


def test_beyond_the_knots_it_goes_on_as_told():
    curve = Curve.of(np.linspace(0, 1, 40), np.linspace(0.3, 0.6, 40))
    last = curve.scores[-1]
    np.testing.assert_allclose(curve(np.array([last + 1]), _linear) - curve(np.array([last]), _linear), 0.1)


def test_knots_out_of_order_are_refused():
    with pytest.raises(InvalidPredictorError, match="increase"):
        Curve(np.array([0.0, 1.0]), np.array([0.5, 0.4]))


def test_a_saved_curve_is_whole_or_not_there():
    curve = Curve(np.array([0.0, 1.0]), np.array([0.2, 0.9]))
    arrays = curve.arrays()
    back = Curve.from_arrays(arrays)
    assert back is not None
    np.testing.assert_array_equal(back.accuracies, curve.accuracies)
    assert Curve.from_arrays({}) is None
    for name in arrays:
        with pytest.raises(InvalidPredictorError):
            Curve.from_arrays({name: arrays[name]})
