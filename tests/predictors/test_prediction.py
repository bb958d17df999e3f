"""The uncertainty that a prediction states."""

import numpy as np
import pytest

from predictors import Prediction, largest_std


def test_an_accuracy_cannot_spread_further_than_its_mean_allows():
    # A coin of mean .5 has the standard deviation .5, one of mean .9 has √(.9 · .1) = .3.
    np.testing.assert_allclose(largest_std(np.array([0.5, 0.9, 0.1])), [0.5, 0.3, 0.3])
    assert float(largest_std(1.0)) == pytest.approx(0.0995, abs=1e-4)


def test_a_wide_prediction_is_stated_as_what_is_possible():
    wide = Prediction(np.array([0.8876]), np.array([0.5])).possible()
    assert wide.std[0] == pytest.approx((0.8876 * 0.1124) ** 0.5)
    assert wide.low[0] <= wide.mean[0] <= wide.high[0]


def test_an_interval_leaves_out_what_one_in_twenty_cannot_reach():
    # With mean .98, at most .02 / (1 − .6) = one in twenty lie below .6.
    wide = Prediction(np.array([0.98]), np.array([0.5]), np.array([0.0]), np.array([1.0])).possible()
    assert (wide.low[0], wide.high[0]) == (pytest.approx(0.6), 1.0)
    other = Prediction(np.array([0.02]), np.array([0.5]), np.array([0.0]), np.array([1.0])).possible()
    assert (other.low[0], other.high[0]) == (0.0, pytest.approx(0.4))


def test_a_possible_prediction_stays_as_it_is():
    told = Prediction(np.array([0.9, 0.5, 1.0]), np.array([0.02, 0.3, 0.01]), distance=np.array([1.0, 2.0, 3.0]))
    same = told.possible()
    for name, values in vars(told).items():
        np.testing.assert_array_equal(vars(same)[name], values)


def test_no_distribution_lies_outside_the_interval_more_often_than_stated():
    # The worst case: as much of the mass as the mean allows at one value, the rest at 1.
    for mean in (0.96, 0.97, 0.99):
        wide = Prediction(np.array([mean]), np.array([0.5]), np.array([0.0]), np.array([1.0])).possible()
        for value in np.linspace(0, wide.low[0], 20, endpoint=False):
            share = (1 - mean) / (1 - value)
            assert share <= 0.05 + 1e-12
