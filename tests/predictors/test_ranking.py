import math

import numpy as np
import pytest

from predictors.calibration.ranking import kendall, kendall_inside, noise_ceiling, r2, rmse, spearman, spearman_inside


def test_kendall_counts_pairs_in_the_right_order():
    # pairs: (1,2) (1,3) (2,3); only (2,3) is the wrong way round: (2 − 1) / 3
    assert kendall([1, 2, 3], [10, 30, 20]) == pytest.approx(1 / 3)
    assert kendall([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_spearman_is_the_correlation_of_ranks():
    # rank differences 0, −1, 1: 1 − 6 · 2 / (3 · 8)
    assert spearman([1, 2, 3], [10, 30, 20]) == pytest.approx(0.5)


def test_a_constant_prediction_ranks_nothing():
    assert kendall([1, 2, 3], [5, 5, 5]) == 0.0
    assert spearman([1, 2, 3], [5, 5, 5]) == 0.0


def test_r2_and_rmse_by_hand():
    # residuals 0, 0, 3: sum of squares 9 against 2 around the mean
    assert r2([1, 2, 3], [1, 2, 6]) == pytest.approx(1 - 9 / 2)
    assert rmse([1, 2, 3], [1, 2, 6]) == pytest.approx(math.sqrt(3))
    assert r2([2, 2], [2, 2]) == 1.0
    assert r2([2, 2], [2, 3]) == 0.0


def test_inside_cells_the_difference_between_cells_counts_for_nothing():
    measured = [0.1, 0.2, 0.8, 0.9]
    predicted = [2, 1, 4, 3]  # the cells in order, wrong inside both
    assert kendall(measured, predicted) > 0
    assert kendall_inside(measured, predicted, ["low", "low", "high", "high"]) == -1.0
    assert spearman_inside(measured, predicted, ["low", "low", "high", "high"]) == pytest.approx(-1.0)


def test_cells_are_weighted_by_their_pairs():
    # a: 3 pairs, all right; b: 1 pair, wrong: (3 · 1 − 1 · 1) / 4
    assert kendall_inside([1, 2, 3, 1, 2], [1, 2, 3, 2, 1], list("aaabb")) == pytest.approx(0.5)


def test_cells_with_nothing_to_rank_are_left_out():
    assert kendall_inside([1, 2, 7, 5, 5], [1, 2, 9, 1, 2], list("aabcc")) == 1.0
    assert math.isnan(kendall_inside([1, 2], [1, 2], ["a", "b"]))


def test_noise_ceiling_of_two_trainings():
    ceiling = noise_ceiling([0.1, 0.2, 0.3, 0.4], [0.1, 0.3, 0.2, 0.4], ["a", "a", "b", "b"])
    assert ceiling.tau == pytest.approx(4 / 6)  # one of six pairs swapped
    assert ceiling.tau_inside == 1.0
    assert ceiling.r2 == pytest.approx(0.8)  # Pearson of ranks 1 2 3 4 and 1 3 2 4
    assert ceiling.r2_of_mean == pytest.approx(1.6 / 1.8)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one length"):
        kendall([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="3 cells"):
        kendall_inside([1, 2], [1, 2], "abc")


def test_noise_ceiling_without_agreement_is_zero():
    rng = np.random.default_rng(0)
    assert noise_ceiling(rng.random(5), [0.5] * 5).r2 == 0.0
