import numpy as np
import pytest

from predictors.calibration.support import ANY, FALSE_ALARMS, MOST_ROWS, NEW_OPERATOR, Support
from predictors.features.matrix import CLASSES, matrix_width, operator_columns, structure_width


def _outside(support: Support, features: np.ndarray) -> np.ndarray:
    return support.distances(features) > 1.0


@pytest.mark.parametrize("count", [300, 3 * MOST_ROWS])
def test_its_own_kind_is_inside_and_others_are_outside(count):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count + 200, 40))
    support = Support.of(features[:count], rng)
    assert len(support.rows) <= MOST_ROWS
    assert _outside(support, features[count:]).mean() <= 2 * FALSE_ALARMS + 0.05
    assert _outside(support, features[count:] + 3.0).all()


def test_a_feature_that_never_varied_tells_when_it_does():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(200, 20)), np.ones((200, 20))], axis=1)
    support = Support.of(features, rng)
    other = features[:5].copy()
    other[:, 20:] = 4.0
    assert _outside(support, other).all()
    assert not _outside(support, features[:5]).any()


def test_one_wild_feature_does_not_count_without_end():
    rng = np.random.default_rng(0)
    support = Support.of(rng.normal(size=(100, 50)), rng)
    row = np.zeros((1, 50))
    row[0, 0] = 1e12
    assert not _outside(support, row).any()
    row[0, :20] = 1e12
    assert _outside(support, row).all()


def test_a_network_larger_than_all_others_is_outside_though_most_features_are_usual():
    rng = np.random.default_rng(0)
    support = Support.of(rng.normal(size=(400, 60)), rng)
    rows = np.clip(rng.normal(size=(20, 60)), -2, 2)
    assert not _outside(support, rows).any()
    rows[:, :4] = 4.5
    assert _outside(support, rows).all()


def test_two_networks_cannot_tell_what_is_usual():
    support = Support.of(np.zeros((2, 5)), np.random.default_rng(0))
    assert support.limit == support.reach == ANY
    assert not _outside(support, np.full((1, 5), 9.0)).any()


def _networks(count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows as wide as those of networks; all networks have between one and four dense layers, and no other operator."""
    features = rng.normal(size=(count, structure_width())).astype(np.float32)
    features[:, operator_columns()] = 0.0
    features[:, operator_columns().start + CLASSES.index("dense")] = np.log1p(rng.integers(1, 5, count))
    return features


@pytest.mark.parametrize("width", [structure_width(), matrix_width()])
def test_one_new_operator_is_enough_to_be_outside(width):
    rng = np.random.default_rng(0)
    known = _networks(300, rng)
    support = Support.of(known, rng)
    asked = np.zeros((2, width), np.float32)
    asked[:, : structure_width()] = known[:2]
    assert not _outside(support, asked).any()
    asked[1, operator_columns().start + CLASSES.index("sigmoid")] = np.log1p(1)
    np.testing.assert_array_equal(_outside(support, asked), [False, True])
    assert support.distances(asked)[1] == NEW_OPERATOR
    assert [CLASSES[place] for place in np.flatnonzero(support.new_operators(asked)[1])] == ["sigmoid"]


def test_more_of_a_known_operator_is_no_new_one():
    rng = np.random.default_rng(0)
    known = _networks(300, rng)
    asked = known[:1].copy()
    asked[0, operator_columns().start + CLASSES.index("dense")] = np.log1p(9)
    assert not Support.of(known, rng).new_operators(asked).any()


def test_a_support_without_columns_of_operators_knows_no_new_ones():
    rng = np.random.default_rng(0)
    support = Support.of(rng.normal(size=(100, 50)), rng)
    assert not support.new_operators(np.full((3, 50), 9.0)).any()


def test_the_range_is_that_of_the_fit():
    features = np.random.default_rng(0).normal(size=(100, 5))
    low, high = Support.of(features, np.random.default_rng(0)).range()
    np.testing.assert_allclose(low, features.min(axis=0), rtol=1e-5)
    np.testing.assert_allclose(high, features.max(axis=0), rtol=1e-5)
