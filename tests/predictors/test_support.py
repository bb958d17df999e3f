import numpy as np
import pytest

from predictors.calibration.single_features import CLEAR, SINGLE_FEATURES
from predictors.calibration.support import ANY, FALSE_ALARMS, MOST_ROWS, NEW_OPERATOR, Support
from predictors.errors import InvalidPredictorError
from predictors.features.matrix import CLASSES, matrix_width, operator_columns, structure_width, summary_place


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
    for name in SINGLE_FEATURES:
        features[:, summary_place(name)] = np.log(rng.uniform(100, 200, count))
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


@pytest.mark.parametrize("name", SINGLE_FEATURES)
@pytest.mark.parametrize(("value", "outside"), [(500, False), (800, True), (40, False), (20, True)])
def test_three_times_more_or_less_of_what_a_user_knows_is_outside(name, value, outside):
    rng = np.random.default_rng(0)
    known = _networks(400, rng)
    support = Support.of(known, rng)
    asked = known[:1].copy()
    asked[0, summary_place(name)] = np.log(value)
    assert _outside(support, asked)[0] == outside
    far = support.single_distances(asked)[0]
    assert [SINGLE_FEATURES[place] for place in np.flatnonzero(far > 1)] == ([name] if outside else [])


def test_a_task_that_is_not_told_is_not_far():
    rng = np.random.default_rng(0)
    known = _networks(400, rng)
    place = summary_place("task_log_samples")
    asked, untold = known[:1].copy(), known.copy()
    asked[0, place] = 0.0
    untold[:, place] = 0.0
    assert Support.of(known, rng).single_distances(asked).max() == 0
    assert Support.of(untold, rng).single_distances(known[:1]).max() == 0


def test_the_limit_grows_with_what_left_out_architectures_need():
    rng = np.random.default_rng(0)
    known = _networks(400, rng)
    group = np.arange(400) // 20
    # Every architecture has ten times as many connections as the one before: none vouches for the largest.
    known[:, summary_place("log_effective_nnz")] = np.log(10.0) * group + rng.uniform(0, 0.1, 400)
    alone = Support.of(known, np.random.default_rng(0)).single
    together = Support.of(known, np.random.default_rng(0), group).single
    place = SINGLE_FEATURES.index("log_effective_nnz")
    assert alone[place] == pytest.approx(CLEAR)
    assert together[place] > CLEAR
    np.testing.assert_allclose(np.delete(together, place), CLEAR, rtol=1e-6)


def test_supports_saved_without_single_limits_are_read_and_do_not_count_them():
    rng = np.random.default_rng(0)
    known = _networks(400, rng)
    support = Support.of(known, rng)
    saved = support.arrays()
    again = Support.from_arrays(saved)
    del saved["support_single"]
    older = Support.from_arrays(saved)
    asked = known[:1].copy()
    asked[0, summary_place("log_inputs")] = np.log(4000)
    assert _outside(again, asked).all()
    assert not _outside(older, asked).any()
    assert older.single_distances(asked).shape == (1, 0)
    with pytest.raises(InvalidPredictorError, match="support_single"):
        Support.from_arrays(saved | {"support_single": np.ones(3, np.float32)})
